"""Damaged folders: one-line errors, or counted warnings, that name file and line; driven from the layouts."""

import re
from collections import Counter
from functools import cache
from pathlib import PurePosixPath

import pytest

from serprep.corpora import read_corpus
from serprep.errors import CorpusError
from serprep.testing import LAYOUTS, Sound, Text, write_layout

#: Label files that not every copy of a corpus has: silence about a missing one is right.
OPTIONAL = {("msp_podcast", "Labels/labels_detailed.csv")}
#: Folders of label files that a reader leaves alone, as others say the same.
UNREAD = {("iemocap", folder) for folder in ("Attribute", "Categorical", "Self-evaluation")}


def label_files():
    """Reader and label file, of folders of one name the first three that are read."""
    for name, layout in LAYOUTS.items():
        seen = Counter()
        for item in layout():
            folder = PurePosixPath(item.path).parent
            if isinstance(item, Text) and (name, folder.name) not in UNREAD and seen[folder.name] < 3:
                seen[folder.name] += 1
                yield name, item


FILES = list(label_files())
LABELLED = sorted({name for name, _ in FILES})


def files(**options):
    return pytest.mark.parametrize(
        ("name", "item"), [pytest.param(name, item, id=f"{name}-{item.path}") for name, item in FILES], **options
    )


def first_sound(name):
    return next(item for item in LAYOUTS[name]() if isinstance(item, Sound))


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    """Name of a layout → what is read of it."""
    return cache(lambda name: read_corpus(name, write(tmp_path_factory.mktemp(name), name)))


@pytest.fixture
def complaint(tmp_path, undamaged):
    """What a folder after `damage` is read with: the error, or the warnings that an undamaged folder has not."""

    def read(name, damage):
        clean = undamaged(name)
        folder = write(tmp_path / "damaged", name)
        damage(folder)
        try:
            reading = read_corpus(name, folder)
        except CorpusError as error:
            lines, reading = str(error).split("\n"), None  # several problems stand one a line
        else:
            lines = [line for line in reading.warnings if line not in clean.warnings]
        for line in lines:
            assert line.isprintable()
        return "\n".join(lines), reading, clean

    return read


def write(folder, name):
    write_layout(name, folder, sound=False)
    return folder


def test_every_layout_with_label_files_is_damaged():
    assert {"crema_d", "iemocap", "meld", "msp_improv", "msp_podcast", "compare", "compare2018"} <= set(LABELLED)


@files()
def test_a_missing_label_file(complaint, name, item):
    said, reading, clean = complaint(name, lambda folder: (folder / item.path).unlink())
    if (name, item.path) in OPTIONAL:
        assert said == ""
        assert reading.utterances == clean.utterances
    else:
        assert PurePosixPath(item.path).stem in said


@files()
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf\r\n", b"\x00\xff\xfe\x01" * 64], ids=["empty", "blank", "binary"])
def test_a_label_file_that_holds_nothing(complaint, name, item, data):
    said, *_ = complaint(name, lambda folder: (folder / item.path).write_bytes(data))
    assert PurePosixPath(item.path).name in said


@files()
def test_a_folder_in_place_of_a_label_file(complaint, name, item):
    def damage(folder):
        (folder / item.path).unlink()
        (folder / item.path).mkdir()

    said, *_ = complaint(name, damage)
    assert PurePosixPath(item.path).stem in said or (name, item.path) in OPTIONAL


@files()
def test_a_wrong_header(complaint, name, item):
    def damage(folder):
        _, _, rest = item.text.partition("\n")
        (folder / item.path).write_text("a wrong header\n" + rest, encoding="utf-8")

    said, *_ = complaint(name, damage)
    assert re.search(rf"{re.escape(PurePosixPath(item.path).stem)}\S*:[0-9]", said)


@files()
def test_a_label_file_in_latin_1(complaint, name, item):
    lines = item.text.split("\n")
    last = max(number for number, line in enumerate(lines) if line.strip())
    text = "\n".join([*lines[:last], lines[last] + " é", *lines[last + 1 :]])
    number = 1 + next(number for number, line in enumerate(text.split("\n")) if not line.isascii())

    said, *_ = complaint(name, lambda folder: (folder / item.path).write_bytes(text.encode("latin-1")))
    assert re.search(rf"{re.escape(PurePosixPath(item.path).name)}:({number}|{last + 1})\b", said)


@files()
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "marked"])
@pytest.mark.parametrize("end", ["\r\n", "\r"], ids=["windows", "mac"])
def test_other_line_ends_change_nothing(complaint, name, item, mark, end):
    text = mark + item.text.replace("\n", end)
    said, reading, clean = complaint(name, lambda folder: (folder / item.path).write_bytes(text.encode()))
    assert said == ""
    assert reading == clean


@pytest.mark.parametrize("name", LABELLED)
def test_a_recording_that_the_label_file_names_is_absent(complaint, name):
    sound = first_sound(name)
    said, reading, _ = complaint(name, lambda folder: (folder / sound.path).unlink())
    assert re.search(r"\S+\.(csv|tsv|txt):[0-9]+", said), said
    assert "not there" in said
    # a row stays for the build to quarantine, unless names are all that makes a row
    assert all(PurePosixPath(u.path).suffix == ".wav" for u in reading.utterances)


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_extra_recording_without_a_label(complaint, name):
    path = PurePosixPath(first_sound(name).path)
    others = [path.with_name("recording 1.wav")]
    if name in LABELLED:
        digits = list(re.finditer("[0-9]+", path.stem))[-1]
        bumped = path.stem[: digits.start()] + "97".zfill(len(digits[0])) + path.stem[digits.end() :]
        others.append(path.with_stem(bumped))
    said, reading, clean = complaint(name, lambda folder: [(folder / other).touch() for other in others])
    for other in others:
        assert re.search(r"passed over", said)
        assert other.name in said or f"{len(others)} recordings" in said
    assert reading.utterances == clean.utterances
