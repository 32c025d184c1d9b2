"""Immutable feature stores: what is in them, how they are written and read (``docs/store.md``)."""
