"""The systems that serprep brings, one idea a file (``docs/systems.md``); each is an entry point of its package."""
