"""A split ↔ a small JSON file without audio (``docs/split.md``)."""

import json
from pathlib import Path

from serprep._json import load_json
from serprep.errors import SplitError, brief, one_line
from serprep.files import read_regular, write_other
from serprep.split.split import ROLES, Assignment, Split

FORMAT = 1


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
    lines = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)},\n" for name, value in head.items()]
    rows = (
        f"  {json.dumps(name, ensure_ascii=False)}: "
        + json.dumps({"speaker": row.speaker, "group": row.group, "roles": list(row.roles)}, ensure_ascii=False)
        for name, row in sorted(split.utterances.items(), key=lambda item: item[0])
    )
    body = b",\n".join(row.encode() for row in rows)
    write_other(path, b"".join([b"{\n", "".join(lines).encode(), b' "utterances": {\n', body, b"\n }\n}\n"]))
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
            raise SplitError(f"{place} has format {brief(values['format'], 20)}, this serprep reads {FORMAT}")
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
        raise SplitError(f"{place}: no folds or no utterances; expected one of each at least: make it again")
