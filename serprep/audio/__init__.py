"""Recordings → guarded signals: bytes, their headers, their samples."""
