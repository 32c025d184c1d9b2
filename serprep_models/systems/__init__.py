"""The systems that serprep brings, one idea a file; `serprep.systems` knows them by name (``docs/systems.md``)."""
