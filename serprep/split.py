"""Who trains, who develops, who tests: a small file without audio (``docs/split.md``).

A split is bound to the digest of its sorted (id, speaker, group) rows.  Rows that a
recipe or quarantine removed are dropped and counted; an unknown id, or one with
another speaker or group, is an error.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from serprep._json import canonical_json, load_json
from serprep.config import check, within
from serprep.errors import SplitError, first_ten, one_line
from serprep.files import read_regular, write_whole
from serprep.folds import count_groups, group_roles, partition_roles, set_apart
from serprep.manifest.table import Manifest, value_of

FORMAT = 1
ROLES = ("train", "dev", "test")
MOST_LEFT_OUT = (
    100  # groups that "auto" leaves out one by one: a role per utterance and group, which grows with the square
)
MOST_FOLDS = 1000  # of leave-one-group-out where it is asked for by name


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Configuration of ``[split]``."""

    #: "auto" is leave-one-group-out, or group-k-fold for more than `MOST_LEFT_OUT` groups
    protocol: Literal["fixed", "leave-one-group-out", "group-k-fold", "list", "auto"] = "auto"
    group: str = "speaker"  # column; for the group protocols
    folds: int = within(2, 10_000, default=5)  # for group-k-fold
    dev_groups: int = within(0, 1000, default=0)  # groups of each training side set apart for development
    dev_group: str = ""  # column of those groups; default: the same as group
    column: str = "partition"  # for fixed
    test: str = ""  # for fixed: which value of the column is tested, where there are several test sets
    file: str = ""  # for list, relative to the recipe
    seed: int = within(0, 2**31 - 1, default=0)

    def __post_init__(self) -> None:
        check(self, SplitError, "split")
        if self.protocol == "list" and not self.file:
            raise SplitError('protocol "list" needs file = "split.json"')


@dataclass(frozen=True)
class Assignment:
    """One utterance: its speaker and group value, and its role in each fold ("" where left out)."""

    speaker: str
    group: str
    roles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Roles of utterances in every fold."""

    protocol: str
    group: str
    seed: int
    folds: tuple[str, ...]  # names, such as the group left out
    utterances: Mapping[str, Assignment]
    manifest_digest: str = ""  # for information
    notes: tuple[str, ...] = field(default=())

    @property
    def rows_digest(self) -> str:
        """SHA-256 of the sorted (id, speaker, group) rows, hex: what the split is bound to."""
        rows = sorted([name, row.speaker, row.group] for name, row in self.utterances.items())
        return hashlib.sha256(canonical_json(rows)).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides training: rows and roles, hex."""
        rows = sorted([name, row.speaker, row.group, *row.roles] for name, row in self.utterances.items())
        return hashlib.sha256(canonical_json([list(self.folds), rows])).hexdigest()

    def ids(self, fold: int, role: str) -> list[str]:
        """Sorted ids of one role in one fold."""
        return sorted(name for name, row in self.utterances.items() if row.roles[fold] == role)


def make_split(manifest: Manifest, config: SplitConfig) -> Split:
    """Split the utterances of a manifest.

    Parameters
    ----------
    manifest : Manifest
    config : SplitConfig
        Protocols: "auto" is "leave-one-group-out" up to `MOST_LEFT_OUT` groups, else
        "group-k-fold"; "fixed" takes roles from a column, "leave-one-group-out" tests each
        group in turn, "group-k-fold" tests groups in `folds` parts, alike in classes
        and, where there is a column ``gender``, in genders.
        (A list is read with `read_split`.)

    Raises
    ------
    SplitError
        If there are too few groups, utterances without a group, or an emotion in one
        group only, which cannot be both trained and tested.
    """
    if config.protocol == "list":
        raise SplitError("a list is read from its file, not made: use read_split")
    if len(manifest) == 0:
        raise SplitError("no utterances to split")
    duplicates = [name for name, count in Counter(row.id for row in manifest.utterances).items() if count > 1]
    if duplicates:
        raise SplitError(
            f"{len(duplicates)} ids stand more than once, such as {one_line(duplicates[0])!r}; make them unique"
        )
    group = config.column if config.protocol == "fixed" else config.group
    if group not in manifest.columns:
        raise SplitError(f"no column {group!r} to split by; the manifest has {', '.join(manifest.columns)}")
    values = [str(value_of(row, group) or "") for row in manifest.utterances]
    protocol: str = config.protocol
    remarks: list[str] = []
    if config.protocol == "fixed":
        folds, roles = ["fixed"], [partition_roles(values, column=group, test=config.test)]
    else:
        _check_complete(manifest, values, group)
        genders = manifest.column("gender") if "gender" in manifest.columns else [""] * len(values)
        groups = count_groups(values, [row.emotion for row in manifest.utterances], genders)
        protocol, remarks = _protocol(config.protocol, len(groups.names), group)
        n_folds = config.folds if protocol == "group-k-fold" else None
        own_column = config.dev_group in ("", group)
        n_dev = config.dev_groups if own_column else 0
        folds, of_group = group_roles(groups, column=group, n_folds=n_folds, n_dev=n_dev, seed=config.seed)
        roles = [[role[value] for value in values] for role in of_group]
        if config.dev_groups and not own_column:
            roles = [_with_dev(manifest, roles[i], config=config, fold=fold) for i, fold in enumerate(folds)]
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # many utterances have the same roles
    of_row = (tuple(column[i] for column in roles) for i in range(len(values)))
    split = Split(
        protocol=protocol,
        group=group,
        seed=config.seed,
        folds=tuple(folds),
        utterances={
            row.id: Assignment(row.speaker, value, shared.setdefault(several, several))
            for row, value, several in zip(manifest.utterances, values, of_row, strict=True)
        },
        manifest_digest=manifest.digest,
    )
    return replace(split, notes=(*remarks, *_notes(split), *_class_notes(split, manifest)))


def _protocol(asked: str, n_groups: int, group: str) -> tuple[str, list[str]]:
    """The protocol for so many groups, and what to say of the choice."""
    if asked == "leave-one-group-out" and n_groups > MOST_FOLDS:
        raise SplitError(
            f"{n_groups} values of {group!r} would be as many folds; leave-one-group-out makes {MOST_FOLDS} at most: "
            'ask for protocol = "group-k-fold"'
        )
    if asked != "auto":
        return asked, []
    if n_groups <= MOST_LEFT_OUT:
        return "leave-one-group-out", []
    return "group-k-fold", [
        f"{n_groups} values of {group!r} are many: they are tested in folds (group-k-fold), not one by one; "
        'protocol = "leave-one-group-out" asks for that'
    ]


def _with_dev(manifest: Manifest, roles: list[str], *, config: SplitConfig, fold: str) -> list[str]:
    """Roles of one fold after groups of the column `dev_group` were set apart from its training side."""
    if config.dev_group not in manifest.columns:
        raise SplitError(
            f"no column {config.dev_group!r} for development; the manifest has {', '.join(manifest.columns)}"
        )
    values = manifest.column(config.dev_group)
    _check_complete(manifest, values, config.dev_group)
    genders = manifest.column("gender") if "gender" in manifest.columns else [""] * len(values)
    training = [i for i, role in enumerate(roles) if role == "train"]
    emotions = [manifest.utterances[i].emotion for i in training]
    groups = count_groups([values[i] for i in training], emotions, [genders[i] for i in training])
    if len(groups.names) <= config.dev_groups:
        raise SplitError(
            f"{len(groups.names)} values of {config.dev_group!r} in training leave none after "
            f"{config.dev_groups} for development"
        )
    apart = set_apart(groups, config.dev_groups, seed=config.seed, fold=fold)
    chosen = {name for name, is_apart in zip(groups.names, apart, strict=True) if is_apart}
    return ["dev" if role == "train" and value in chosen else role for role, value in zip(roles, values, strict=True)]


def _check_complete(manifest: Manifest, values: Sequence[str], group: str) -> None:
    """Refuse utterances without a group, and name columns that could be asked for."""
    n_empty = values.count("")
    if not n_empty:
        return
    whole = [
        name
        for name in (*manifest.utterances.extra, "partition")
        if len(set(manifest.column(name))) > 1 and "" not in manifest.column(name)
    ]
    other = [
        f'protocol = "fixed" with column = "{name}"' if name == "partition" else f'group = "{name}"' for name in whole
    ]
    raise SplitError(
        f"{n_empty} of {len(values)} utterances have no {group}; exclude them, or ask for another grouping "
        f"by name{': ' + ', '.join(other) if other else ', but no other column is complete'}"
    )


def _notes(split: Split) -> list[str]:
    """What a reader of the split must know of speakers, and of what is left out."""
    notes = []
    n_unknown = sum(not row.speaker for row in split.utterances.values())
    if n_unknown == len(split.utterances):
        rests = "the corpus's own partition" if split.protocol == "fixed" else f"the column {split.group!r}"
        notes.append(f"no speaker ids: speaker-independence rests on {rests}")
    elif n_unknown:
        notes.append(f"{n_unknown} of {len(split.utterances)} utterances have no speaker: they may be anybody's")
    if split.group != "speaker" and n_unknown < len(split.utterances):
        notes.append(f"split by {split.group!r}, not by speaker")
    shared = shared_speakers(split)
    if shared:
        notes.append(f"{len(shared)} speakers are on both sides of a fold: not speaker-independent")
    left_out = Counter(row.group or "(empty)" for row in split.utterances.values() if not any(row.roles))
    if left_out:
        counts = ", ".join(f"{one_line(name)} {count}" for name, count in sorted(left_out.items()))
        notes.append(f"{left_out.total()} utterances are left out: {counts}")
    return notes


def _class_notes(split: Split, manifest: Manifest) -> list[str]:
    """Emotions that a side of a fold does not have."""
    emotion = {row.id: row.emotion for row in manifest.utterances if row.emotion}
    labels = sorted({emotion[name] for name, row in split.utterances.items() if name in emotion and any(row.roles)})
    if not labels:
        return ["no utterance has an emotion"]
    if len(labels) == 1:
        return [f"all utterances have one emotion, {one_line(labels[0])!r}: there is nothing to tell apart"]
    absent: dict[tuple[str, str], list[str]] = {}
    for number, fold in enumerate(split.folds):
        sides: dict[str, set[str]] = {}
        for name, row in split.utterances.items():
            sides.setdefault(row.roles[number], set()).add(emotion.get(name, ""))
        for role in (role for role in ROLES if role in sides):
            missing = [""] if sides[role] == {""} else [label for label in labels if label not in sides[role]]
            for label in missing:
                absent.setdefault((role, label), []).append(fold)
    return [
        f"{role} has {f'no {label!r}' if label else 'no emotions at all'} in {_counted(folds, len(split.folds))}"
        for (role, label), folds in absent.items()
    ]


def _counted(folds: Sequence[str], n_folds: int) -> str:
    """The folds by name, or by number where they are many."""
    named = ", ".join(one_line(fold) for fold in folds[:5]) + (" …" if len(folds) > 5 else "")
    return f"fold {named}" if len(folds) == 1 else f"{len(folds)} of {n_folds} folds: {named}"


def shared_speakers(split: Split) -> dict[str, list[str]]:
    """Speakers with more than one role in a fold → names of those folds.  Unknown speakers don't count."""
    found: dict[str, list[str]] = {}
    for number, fold in enumerate(split.folds):
        roles: dict[str, set[str]] = {}
        for row in split.utterances.values():
            if row.speaker and row.roles[number]:
                roles.setdefault(row.speaker, set()).add(row.roles[number])
        for speaker, several in roles.items():
            if len(several) > 1:
                found.setdefault(speaker, []).append(fold)
    return dict(sorted(found.items()))


# -- files ---------------------------------------------------------------------------


def write_split(split: Split, path: Path) -> Path:
    """Write a split file: JSON, one utterance a line."""
    head = {
        "format": FORMAT,
        "protocol": split.protocol,
        "group": split.group,
        "seed": split.seed,
        "folds": list(split.folds),
        "rows_digest": split.rows_digest,
        "manifest_digest": split.manifest_digest,
        "notes": list(split.notes),
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}," for name, value in head.items()]
    rows = [
        f"  {json.dumps(name, ensure_ascii=False)}: "
        + json.dumps({"speaker": row.speaker, "group": row.group, "roles": list(row.roles)}, ensure_ascii=False)
        for name, row in sorted(split.utterances.items())
    ]
    text = "{\n" + "\n".join(lines) + '\n "utterances": {\n' + ",\n".join(rows) + "\n }\n}\n"
    write_whole(path, text.encode())
    return path


def read_split(path: Path) -> Split:
    """Read a split file.

    Raises
    ------
    SplitError
        If it is not one, or its rows do not have the digest it names.
    """
    place = one_line(path)
    try:
        values = load_json(read_regular(path))
    except OSError as error:
        raise SplitError(f"{place}: {error.strerror}; expected a split file, as `serprep split` writes") from None
    except ValueError as error:
        raise SplitError(
            f"{place}: {one_line(error)}; expected JSON as `serprep split` writes it "
            "(for a table with a column of partitions: protocol = 'fixed')"
        ) from None
    try:
        if not isinstance(values, dict) or not isinstance(values.get("folds"), list):
            raise SplitError(f"{place}: expected a JSON object with a list of folds; see docs/split.md")
        if values["format"] != FORMAT:
            raise SplitError(f"{place} has format {values['format']!r}, this serprep reads {FORMAT}")
        roles: dict[tuple[str, ...], tuple[str, ...]] = {}  # utterances of one group share their roles
        split = Split(
            protocol=_text(values["protocol"], "protocol"),
            group=_text(values["group"], "group"),
            seed=_whole(values["seed"]),
            folds=tuple(_text(fold, "a fold") for fold in values["folds"]),
            utterances={
                name: Assignment(
                    _text(row["speaker"], "a speaker"),
                    _text(row["group"], "a group"),
                    roles.setdefault(tuple(row["roles"]), tuple(row["roles"])),
                )
                for name, row in values["utterances"].items()
            },
            manifest_digest=_text(values.get("manifest_digest", ""), "manifest_digest"),
            notes=tuple(_text(note, "a note") for note in values.get("notes", ())),
        )
        _check_roles(split, place)
        if values.get("rows_digest", split.rows_digest) != split.rows_digest:
            raise SplitError(f"{place}: its rows do not have the digest it names; it was edited: make it again")
    except (KeyError, TypeError, AttributeError) as error:
        raise SplitError(f"{place}: {one_line(error)} is missing or misplaced; see docs/split.md") from None
    except SplitError as error:
        raise SplitError(str(error) if str(error).startswith(place) else f"{place}: {error}") from None
    except (ValueError, OverflowError) as error:
        raise SplitError(f"{place}: {one_line(error)}; see docs/split.md") from None
    return split


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise SplitError(f"{what} is {str(value)[:40]!r}; expected text; see docs/split.md")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise SplitError(f"seed is {str(value)[:40]!r}; expected a whole number; see docs/split.md")
    return value


def _check_roles(split: Split, place: str) -> None:
    for name, row in split.utterances.items():
        if len(row.roles) != len(split.folds) or not {*row.roles} <= {*ROLES, ""}:
            raise SplitError(
                f"{place}: utterance {one_line(name)!r} has roles {list(row.roles)[:5]}; "
                f"expected {len(split.folds)} of train, dev, test or nothing"
            )
    if len(set(split.folds)) < len(split.folds):
        raise SplitError(f"{place}: two folds have one name; name each once")
    if not split.folds or not split.utterances:
        raise SplitError(f"{place}: no folds or no utterances")


@dataclass(frozen=True)
class Bound:
    """A split as it applies to the rows of a manifest."""

    split: Split
    roles: tuple[tuple[str, ...], ...]  # per row, per fold
    n_dropped: int  # rows of the split that the manifest does not have

    def rows(self, fold: int, role: str) -> list[int]:
        """Row numbers of one role in one fold, in the manifest's order."""
        return [i for i, roles in enumerate(self.roles) if roles[fold] == role]


def bind(split: Split, manifest: Manifest) -> Bound:
    """Apply a split to a manifest.

    Rows that only the split has are dropped and counted (a recipe or quarantine
    removed them).

    Raises
    ------
    SplitError
        If the manifest has an id that the split does not know, or one with another
        speaker or group value.
    """
    problems = []
    for row in manifest.utterances:
        known = split.utterances.get(row.id)
        if known is None:
            problems.append(f"utterance {one_line(row.id)!r} is not in the split; make the split again")
        elif known.speaker != row.speaker:
            problems.append(
                f"utterance {one_line(row.id)!r} has speaker {row.speaker!r}, in the split {known.speaker!r}"
            )
        elif split.group in manifest.columns and str(value_of(row, split.group) or "") != known.group:
            problems.append(
                f"utterance {one_line(row.id)!r} has {split.group} {value_of(row, split.group)!r}, "
                f"in the split {known.group!r}"
            )
    if problems:
        raise SplitError(first_ten(problems))
    roles = tuple(split.utterances[row.id].roles for row in manifest.utterances)
    return Bound(split, roles, len(split.utterances.keys() - {row.id for row in manifest.utterances}))


def refuse_leaks(split: Split) -> None:
    """Raise if a speaker is on two sides of a fold.

    Raises
    ------
    SplitError
    """
    shared = shared_speakers(split)
    if shared:
        speaker, folds = next(iter(shared.items()))
        raise SplitError(
            f"{len(shared)} speakers are on both sides, such as {one_line(speaker)!r} in fold {one_line(folds[0])!r}; "
            'scores would not be speaker-independent: split by group = "speaker"'
        )


def describe(split: Split) -> list[dict[str, Any]]:
    """Per fold: counts of utterances and speakers by role, and the groups tested."""
    found = []
    for number, fold in enumerate(split.folds):
        roles = Counter(row.roles[number] for row in split.utterances.values())
        tested = sorted({row.group for row in split.utterances.values() if row.roles[number] == "test"})
        found.append({"fold": fold, **{role: roles[role] for role in ROLES}, "test_groups": " ".join(tested)})
    return found
