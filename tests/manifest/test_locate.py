import unicodedata

import pytest

from serprep.errors import CorpusError
from serprep.manifest.locate import locate
from serprep.place.corpus import as_root
from serprep.utterance import Utterance, Utterances

NFC, NFD = "é ü 한.wav", unicodedata.normalize("NFD", "é ü 한.wav")


def rows(*paths):
    return Utterances(Utterance(id=f"u{i}", path=path) for i, path in enumerate(paths))


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def paths(located):
    return list(located.utterances.column("path"))


def test_each_unicode_form_stands_for_the_other(tmp_path):
    touch(tmp_path, f"a/{NFD}", f"b/{NFC}", "plain.wav")
    located = locate(rows(f"a/{NFC}", f"b/{NFD}", "plain.wav"), tmp_path)
    assert paths(located) == [f"a/{NFD}", f"b/{NFC}", "plain.wav"]
    assert [row.id for row in located.utterances] == ["u0", "u1", "u2"]
    (warning,) = located.warnings
    assert warning.startswith("2 recordings found under the same name in another Unicode form, such as a/")
    assert located.n_missing == 0


def test_a_suffix_may_be_left_out_where_one_file_can_be_meant(tmp_path):
    touch(tmp_path, "s/a.1.flac", "s/b.wav", "s/b.mp3")
    located = locate(rows("s/a.1", "s/b"), tmp_path)
    assert paths(located) == ["s/a.1.flac", "s/b"]
    assert located.warnings[0] == "1 recording found under the same name with its suffix: s/a.1"
    assert "several files have in different Unicode forms or suffixes" in located.warnings[1]
    (hint,) = locate(rows("b"), tmp_path).warnings
    assert "files of 2 of these names lie in s/" in hint or "files of 1 of these names lie in s/" in hint


def test_the_form_that_is_written_comes_first(tmp_path):
    touch(tmp_path, NFC, NFD)
    assert locate(rows(NFC, NFD), tmp_path).warnings == ()


def test_several_files_of_one_name_are_none(tmp_path):
    both = unicodedata.normalize("NFD", "é") + "ü.wav"  # half of it in each form
    touch(tmp_path, "éü.wav", unicodedata.normalize("NFD", "éü.wav"))
    located = locate(rows(both), tmp_path)
    assert (paths(located), located.n_missing) == ([both], 1)
    assert "whose name several files have in different Unicode forms" in located.warnings[0]


def test_backslashes_are_understood(tmp_path):
    touch(tmp_path, "a/b.wav", "c\\d.wav")
    located = locate(rows("a\\b.wav", "c\\d.wav"), tmp_path)
    assert paths(located) == ["a/b.wav", "c\\d.wav"]
    assert located.warnings == ("1 recording found under the same name with / in place of \\: a\\b.wav",)


@pytest.mark.parametrize(
    ("disk", "table", "hint"),
    [
        (
            ["samples/a.wav", "samples/b.wav"],
            ["a.wav", "b.wav"],
            r'files of 2 of these names lie in samples/.*prefix = "samples"',
        ),
        (["x/y/s1/a.wav"], ["s1/a.wav"], 'prefix = "x/y"'),
        (["a.wav"], ["corpus/wav/a.wav"], "lie there without corpus/wav/: choose another root"),
        (["a.flac"], ["a.wav"], "differ from a file in suffix only, such as a.wav and a.flac"),
        (["A.WAV"], ["a.wav"], "differ from a file in letter case only, such as a.wav and A.WAV"),
        ([], ["a.wav"], "no recordings lie below it"),
    ],
)
def test_what_is_not_there_gets_a_hint_and_is_refused_if_it_is_all(tmp_path, disk, table, hint):
    touch(tmp_path, *disk)
    located = locate(rows(*table), tmp_path)
    assert located.n_missing == len(table)
    with pytest.raises(CorpusError, match=rf"none of the {len(table)} recordings is there; .*{hint}") as error:
        located.refuse_nothing(tmp_path)
    assert "\n" not in str(error.value)


def test_what_is_partly_there_is_told_in_one_line(tmp_path):
    touch(tmp_path, "a.wav", "more/b.wav")
    located = locate(rows("a.wav", *(f"{n}.wav" for n in range(4481)), "b.wav"), tmp_path)
    located.refuse_nothing(tmp_path)
    (warning,) = located.warnings
    assert warning.startswith("4482 recordings are not there, such as 0.wav; files of 1 of these names lie in more/")


def test_what_cannot_be_a_name_is_missing(tmp_path):
    assert locate(rows("n" * 5000 + ".wav", "a\0b.wav"), tmp_path).n_missing == 2


def test_a_bucket_is_asked_by_its_listing():
    import fsspec

    fsspec.filesystem("memory").pipe_file("/located/samples/a.wav", b"x")
    located = locate(rows("a.wav"), as_root("memory://located"))
    assert 'prefix = "samples"' in located.warnings[0]
    assert locate(rows("samples/a.wav"), as_root("memory://located")).warnings == ()
