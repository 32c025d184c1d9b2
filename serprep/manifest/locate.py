"""Where the recordings of a manifest lie, when their names are written in another way than the disk writes them.

A table may spell ``é`` as one character and the disk as two (macOS), or write
``a\\b.wav``, or leave out ``.wav``: then the file is found, where it is the only one of that name, and that is
said.  What is not found stays as it is, with a hint where files of these names do lie.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.errors import CorpusError, one_line
from serprep.files import without_suffix
from serprep.place.corpus import walk
from serprep.utterance import Texts, Utterances

_HINTED = 3  # reasons shown of what is missing


@dataclass(frozen=True)
class Located:
    """Utterances whose paths are those of the disk, where one was found."""

    utterances: Utterances
    warnings: tuple[str, ...]  # one line each
    n_missing: int  # different paths at which nothing lies
    n_paths: int

    def refuse_nothing(self, root: Path) -> None:
        """Raise if none of the recordings is there.

        Raises
        ------
        CorpusError
        """
        if self.n_paths and self.n_missing == self.n_paths:
            hints = "; ".join(self.warnings) or "set root to the folder that the paths begin in"
            raise CorpusError(f"{one_line(root)}: none of the {self.n_paths} recordings is there; {hints}")


def locate(utterances: Utterances, root: Path) -> Located:
    """Compare the paths of utterances with what lies below `root`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from serprep import Utterance
    >>> with TemporaryDirectory() as folder:
    ...     (Path(folder) / "e\\u0301.wav").touch()
    ...     locate(Utterances([Utterance(id="a", path="\\u00e9.wav")]), Path(folder)).warnings
    ('1 recording found under the same name in another Unicode form: é.wav',)
    """
    paths = sorted(set(utterances.column("path")))
    missing = [path for path in paths if not _is_there(root, path)]
    if not missing:
        return Located(utterances, (), 0, len(paths))
    there = _Folder(root, missing)
    moved: dict[str, str] = {}
    other: dict[str, list[str]] = {}  # what is said → paths
    for path in missing:
        slashed = path.replace("\\", "/")
        alike = there.alike(slashed)
        if len(alike) == 1:
            moved[path] = alike[0]
            form = "in another Unicode form" if _form(path) == _form(alike[0]) else "with / in place of \\"
            form = "with its suffix" if without_suffix(alike[0]) == slashed else form
            other.setdefault(f"found under the same name {form}", []).append(path)
        elif alike:
            several = "whose name several files have in different Unicode forms or suffixes: none is taken; rename them"
            other.setdefault(several, []).append(path)
    left = [path for path in missing if path not in moved]
    warnings = [_counted(what, names) for what, names in other.items()]
    if left:
        warnings += there.hints(left)
    if moved:
        utterances = utterances.replace(path=Texts(moved.get(path, path) for path in utterances.column("path")))
    return Located(utterances, tuple(warnings), len(left), len(paths))


def _counted(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} recording{'s' * (len(names) > 1)} {what}{_example(names)}"


def _example(names: Sequence[str]) -> str:
    return f", such as {one_line(names[0])}" if len(names) > 1 else f": {one_line(names[0])}"


def _is_there(root: Path, path: str) -> bool:
    """Whether anything lies there, also what cannot be read: that is another matter."""
    try:
        return (root / path).exists() or (root / path).is_symlink()
    except (OSError, ValueError, AttributeError):  # too long a name, a NUL; a URL has no links
        return False


def _form(path: str) -> str:
    return unicodedata.normalize("NFC", path)


class _Folder:
    """The recordings below a root, by what their names have in common with others."""

    def __init__(self, root: Path, missing: Iterable[str]) -> None:
        self._root = root
        kinds = {PurePosixPath(path.replace("\\", "/")).suffix.lower() for path in missing} - {""}
        self.paths = sorted(walk(root, tuple({*SUFFIXES, *kinds}))) if root.is_dir() else []
        self._by_form: dict[str, list[str]] = {}
        self.by_stem: dict[str, list[str]] = {}
        for path in self.paths:
            self._by_form.setdefault(_form(path), []).append(path)
            self.by_stem.setdefault(_form(without_suffix(path)), []).append(path)

    def alike(self, path: str) -> list[str]:
        """Files whose path is the same but for its Unicode form, or for a suffix where it has none."""
        form = _form(str(PurePosixPath(path)))
        return self._by_form.get(form) or self.by_stem.get(form, [])

    def hints(self, missing: Sequence[str]) -> list[str]:
        """What is missing, and where files of these names lie."""
        by_name: dict[str, list[str]] = {}
        by_case: dict[str, list[str]] = {}
        for path in self.paths:
            for name in (path, without_suffix(path)):
                by_name.setdefault(_form(PurePosixPath(name).name), []).append(name)
            by_case.setdefault(_form(path).casefold(), []).append(path)
        below = Counter[str]()  # folder that lacks in the paths → how many it would mend
        surplus = Counter[str]()  # folder that the paths name and the disk does not
        suffixes: list[tuple[str, str]] = []
        cases: list[tuple[str, str]] = []
        for path in missing:
            form = _form(str(PurePosixPath(path.replace("\\", "/"))))
            if form.casefold() in by_case:
                cases.append((path, by_case[form.casefold()][0]))
            elif without_suffix(form) in self.by_stem:
                suffixes.append((path, self.by_stem[without_suffix(form)][0]))
            for place_of_name in by_name.get(PurePosixPath(form).name, ())[:50]:
                place_of_name = _form(place_of_name)
                if place_of_name.endswith(f"/{form}"):
                    below[place_of_name.removesuffix(f"/{form}")] += 1
                elif form.endswith(f"/{place_of_name}"):
                    surplus[form.removesuffix(f"/{place_of_name}")] += 1
        hints = []
        for folder, count in below.most_common(1):
            place = one_line(folder)
            hints.append(
                f"files of {count} of these names lie in {place}/: put it before the paths "
                f'(for reader "table": prefix = "{place}")'
            )
        for folder, count in surplus.most_common(1):
            hints.append(f"files of {count} of these names lie there without {one_line(folder)}/: choose another root")
        for what, pairs in (("letter case", cases), ("suffix", suffixes)):
            if pairs:
                named = f"{one_line(pairs[0][0])} and {one_line(pairs[0][1])}"
                hints.append(f"{len(pairs)} differ from a file in {what} only, such as {named}")
        if not hints and not self.paths:
            hints.append("no recordings lie below it")
        told = "; ".join(hints[:_HINTED])
        n = len(missing)
        start = f"{n} recording{'s are' if n > 1 else ' is'} not there{_example(missing)}"
        return [f"{start}; {told}" if told else start]
