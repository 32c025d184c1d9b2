"""Folds whose test shares a second thing with train neither: no speaker, and no sentence.

The values of the second column are divided into parts, and each fold into as many: what is tested is of the
fold's speakers and of one part, what trains is of neither.  So every utterance is tested once, and training
loses what shares one of the two.  Where most values occur once, as transcripts of free speech do, no parts are
needed: then (`n_parts` 0) a fold is tested whole, and training loses what says the same.

A development part has sentences of training: it may choose an epoch, and learns nothing of what is tested.
"""

from collections.abc import Sequence
from statistics import median

from serprep.errors import SplitError, one_line
from serprep.manifest.table import Manifest
from serprep.split.folds import count_groups, group_roles


def apart(
    folds: Sequence[str], roles: Sequence[Sequence[str]], manifest: Manifest, *, column: str, n_parts: int, seed: int
) -> tuple[list[str], list[list[str]], str]:
    """The folds and the roles per fold with a second column apart as well, and what that costs, in words.

    Raises
    ------
    SplitError
        If an utterance has no value there, or nothing is left to train on.
    """
    values = manifest.column(column)
    if n_empty := values.count(""):
        raise SplitError(
            f"{n_empty} of {len(values)} utterances have no {column}; exclude them, or leave {column!r} out"
        )
    names, parts = list(folds), [_without_tested(role, values) for role in roles]
    if n_parts:
        groups = count_groups(values, manifest.column("emotion"), [""] * len(values))
        n_parts = min(n_parts, len(groups.names))
        of_part, of_value = group_roles(groups, column=column, n_folds=n_parts, n_dev=0, seed=seed)
        pairs = [(role, part) for role in roles for part in of_value]
        names = [f"{fold}/{part}" for fold in folds for part in of_part]
        parts = [[_both(mine, part[value]) for mine, value in zip(role, values, strict=True)] for role, part in pairs]
    for name, role in zip(names, parts, strict=True):
        if "train" not in role or "test" not in role:
            lacking = "train" if "train" not in role else "test"
            raise SplitError(
                f"fold {one_line(name)!r} has nothing to {lacking} with {column!r} apart; leave it out of group"
                + ("" if n_parts else ", or divide its values with other_folds = 2 or more")
            )
    before, after = ([role.count("train") for role in all_roles] for all_roles in (roles, parts))
    kept = sum(after) / (sum(before) * len(parts) / len(roles))
    return (
        names,
        parts,
        f"{column!r} is apart as well: a fold trains on {median(after):.0f} utterances in place of "
        f"{median(before):.0f} ({100 * (1 - kept):.0f} % are lost), and there are {len(parts)} folds in place of "
        f"{len(roles)}",
    )


def _both(role: str, other: str) -> str:
    """The role of an utterance whose two values have these; "" where they differ in what is tested."""
    return role if (role == "test") == (other == "test") else ""


def _without_tested(roles: Sequence[str], values: Sequence[str]) -> list[str]:
    """The roles of a fold, of whose other sides everything is left out that has a value of its test."""
    tested = {value for role, value in zip(roles, values, strict=True) if role == "test"}
    return [role if role == "test" or value not in tested else "" for role, value in zip(roles, values, strict=True)]
