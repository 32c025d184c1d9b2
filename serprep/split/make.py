"""A manifest and a configuration → a split, and what a reader of it must know."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from serprep.config import check, within
from serprep.errors import SplitError, one_line
from serprep.manifest.table import Manifest
from serprep.split.apart import apart
from serprep.split.folds import count_groups, group_roles, partition_roles, set_apart
from serprep.split.split import JOINT, ROLES, Assignment, Split, groups_of, shared_speakers

#: Groups that "auto" leaves out one by one: a role per utterance and group grows with the square.
MOST_LEFT_OUT = 100
MOST_FOLDS = 1000  # of leave-one-group-out where it is asked for by name
Protocol = Literal["fixed", "leave-one-group-out", "group-k-fold", "leave-one-corpus-out", "list", "auto"]


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Configuration of ``[split]``."""

    #: "auto" is leave-one-group-out, or group-k-fold for more than `MOST_LEFT_OUT` groups
    protocol: Protocol = "auto"
    group: str | tuple[str, ...] = "speaker"  # column, or two that train and test have apart; for the group protocols
    folds: int = within(2, 10_000, default=5)  # for group-k-fold
    other_folds: int = within(0, 1000, default=2)  # parts of the second column; 0: training loses what is tested
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
        if not 1 <= len(set(self.groups)) == len(self.groups) <= 2:
            raise SplitError(
                f"[split] group is {list(self.groups)}; expected a column, or two such as speaker and text"
            )
        if self.other_folds == 1:
            raise SplitError("[split] other_folds is 1; expected 0, or 2 and more parts of the second column")

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns whose values train and test have apart."""
        return (self.group,) if isinstance(self.group, str) else self.group


def make_split(manifest: Manifest, config: SplitConfig) -> Split:
    """Split the utterances of a manifest.

    Parameters
    ----------
    manifest : Manifest
    config : SplitConfig
        Protocols: "auto" is "leave-one-group-out" up to `MOST_LEFT_OUT` groups, else
        "group-k-fold"; "fixed" takes roles from a column, "leave-one-group-out" tests each
        group in turn, "leave-one-corpus-out" each of several corpora, "group-k-fold" tests
        groups in `folds` parts, alike in classes and, where there is a column ``gender``, in genders.
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
        raise SplitError("no utterances to split; the recipe or --emotion leaves out all of them, or there are none")
    if config.protocol == "leave-one-corpus-out":
        if "corpus" not in manifest.columns:
            raise SplitError('protocol "leave-one-corpus-out" needs several corpora: [[corpus]] tables in the recipe')
        config = replace(
            config, protocol="leave-one-group-out", group="corpus", dev_group=config.dev_group or "speaker"
        )
    duplicates = [name for name, count in Counter(manifest.utterances.column("id")).items() if count > 1]
    if duplicates:
        raise SplitError(
            f"{len(duplicates)} ids stand more than once, such as {one_line(duplicates[0])!r}; make them unique"
        )
    group, *others = (config.column,) if config.protocol == "fixed" else config.groups
    for name in (group, *others):
        if name not in manifest.columns:
            raise SplitError(f"no column {name!r} to split by; the manifest has {', '.join(manifest.columns)}")
    values = groups_of(manifest.utterances, (group,))
    protocol: str = config.protocol
    remarks: list[str] = []
    if config.protocol == "fixed":
        folds, roles = ["fixed"], [partition_roles(values, column=group, test=config.test)]
    else:
        protocol, folds, roles, remarks = _by_group(manifest, config, values, group=group, others=others)
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # many utterances have the same roles
    of_row = (tuple(column[i] for column in roles) for i in range(len(values)))
    joint_values = groups_of(manifest.utterances, (group, *others))
    split = Split(
        protocol=protocol,
        group=JOINT.join((group, *others)),
        seed=config.seed,
        folds=tuple(folds),
        utterances={
            name: Assignment(speaker, own, shared.setdefault(several, several))
            for name, speaker, own, several in zip(
                manifest.column("id"), manifest.column("speaker"), joint_values, of_row, strict=True
            )
        },
        manifest_digest=manifest.digest,
    )
    return replace(split, notes=(*remarks, *_notes(split), *_class_notes(split, manifest)))


def _by_group(
    manifest: Manifest, config: SplitConfig, values: Sequence[str], *, group: str, others: Sequence[str]
) -> tuple[str, list[str], list[list[str]], list[str]]:
    """Protocol, folds, roles of the utterances in each fold, and remarks; `values` are those of the column `group`."""
    _check_complete(manifest, values, group)
    genders = manifest.column("gender") if "gender" in manifest.columns else [""] * len(values)
    groups = count_groups(values, manifest.column("emotion"), genders)
    protocol, remarks = _protocol(config.protocol, len(groups.names), group)
    n_folds = config.folds if protocol == "group-k-fold" else None
    own_column = config.dev_group in ("", group)
    n_dev = config.dev_groups if own_column else 0
    folds, of_group = group_roles(groups, column=group, n_folds=n_folds, n_dev=n_dev, seed=config.seed)
    roles = [[role[value] for value in values] for role in of_group]
    if config.dev_groups and not own_column:
        roles = [_with_dev(manifest, roles[i], config=config, fold=fold) for i, fold in enumerate(folds)]
    for other in others:
        folds, roles, lost = apart(folds, roles, manifest, column=other, n_parts=config.other_folds, seed=config.seed)
        remarks = [*remarks, lost]
    return protocol, folds, roles, remarks


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
            f"{config.dev_groups} for development; ask for fewer dev_groups"
        )
    apart = set_apart(groups, config.dev_groups, seed=config.seed, fold=fold)
    chosen = {name for name, is_apart in zip(groups.names, apart, strict=True) if is_apart}
    return ["dev" if role == "train" and value in chosen else role for role, value in zip(roles, values, strict=True)]


def _check_complete(manifest: Manifest, values: Sequence[str], group: str) -> None:
    """Refuse utterances without a group, and name columns that could be asked for."""
    without = [name for name, value in zip(manifest.column("id"), values, strict=True) if not value]
    if not without:
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
        f"{len(without)} of {len(values)} utterances have no {group}{_such_as(without)}; exclude them, or ask for "
        f"another grouping by name{': ' + ', '.join(other) if other else ', but no other column is complete'}"
    )


def _such_as(names: Sequence[str]) -> str:
    return f", such as {', '.join(repr(one_line(name)) for name in names[:3])}"


def _notes(split: Split) -> list[str]:
    """What a reader of the split must know of speakers, and of what is left out."""
    notes = []
    unknown = [name for name, row in split.utterances.items() if not row.speaker]
    if len(unknown) == len(split.utterances):
        rests = "the corpus's own partition" if split.protocol == "fixed" else f"the column {split.group!r}"
        notes.append(f"no speaker ids: speaker-independence rests on {rests}")
    elif unknown:
        count = f"{len(unknown)} of {len(split.utterances)}"
        notes.append(f"{count} utterances have no speaker{_such_as(unknown)}: they may be anybody's")
    if "speaker" not in split.group.split(JOINT) and len(unknown) < len(split.utterances):
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
    words = zip(manifest.column("id"), manifest.column("emotion"), strict=True)
    emotion = {name: word for name, word in words if word}
    labels = sorted({emotion[name] for name, row in split.utterances.items() if name in emotion and any(row.roles)})
    if not labels:
        return ["no utterance has an emotion"]
    if len(labels) == 1:
        alone = one_line(labels[0])
        return [f"all utterances have one emotion, {alone!r}: there is nothing to tell apart; add recordings of others"]
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
