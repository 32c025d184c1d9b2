"""Other rooms and lines: declared transformations of a signal before its features (``docs/conditions.md``)."""

from serprep.conditions.condition import Applied, Condition, Other
from serprep.conditions.registry import CONDITIONS, STANDARD, condition_from, conditions_from

__all__ = ["CONDITIONS", "STANDARD", "Applied", "Condition", "Other", "condition_from", "conditions_from"]
