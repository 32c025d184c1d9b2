"""Who trains, who develops, who tests: made from a manifest, kept in a small file, bound to a store."""

from serprep.split.bind import Bound, bind
from serprep.split.file import FORMAT, read_split, write_split
from serprep.split.make import MOST_FOLDS, MOST_LEFT_OUT, SplitConfig, make_split
from serprep.split.split import ROLES, Assignment, Split, describe, refuse_leaks, shared_speakers

__all__ = [
    "FORMAT",
    "MOST_FOLDS",
    "MOST_LEFT_OUT",
    "ROLES",
    "Assignment",
    "Bound",
    "Split",
    "SplitConfig",
    "bind",
    "describe",
    "make_split",
    "read_split",
    "refuse_leaks",
    "shared_speakers",
    "write_split",
]
