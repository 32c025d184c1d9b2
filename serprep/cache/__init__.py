"""Intermediate features in immutable parts, and what is remembered of files; safe to delete at any time."""
