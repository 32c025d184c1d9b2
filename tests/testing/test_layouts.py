import pytest
import soundfile

from serprep.corpora import CORPORA, read_corpus
from serprep.testing import LAYOUTS, write_layout

FREE = {"table", "pattern", "kaldi", "huggingface"}  # whatever the user's folder looks like


def test_every_reader_with_a_layout_of_its_own_has_one():
    assert set(LAYOUTS) == set(CORPORA) - FREE


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("suffix", [".wav", ".WAV", ".flac"])
def test_a_layout_is_read_whole_with_litter_and_whatever_the_suffix(tmp_path, name, suffix):
    paths = write_layout(name, tmp_path, litter=True, sound=False, suffix=suffix)
    reading = read_corpus(name, tmp_path)
    assert {tmp_path / utterance.path for utterance in reading.utterances} == set(paths)
    assert not any("passed over" in warning for warning in reading.warnings)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_sound_and_the_same_again(tmp_path, name):
    assert list(LAYOUTS[name]()) == list(LAYOUTS[name]())  # voices depend on nothing else, as their own tests say
    for path in write_layout(name, tmp_path):
        assert soundfile.info(path).frames > 8000
