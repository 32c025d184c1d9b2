"""Which utterances a recipe asks for."""

import shutil
from dataclasses import replace

import pytest
import soundfile

from helpers.builds import FAST, PATTERN, noise, recipe, table
from helpers.inline import Inline
from serprep.errors import CorpusError, ManifestError, RecipeError, SplitError, StoreError
from serprep.pipeline.build import build
from serprep.pipeline.gather import gather
from serprep.recipe import recipe_from
from serprep.split import make_split
from serprep.store.store import open_store


def test_labels_are_kept_renamed_merged_and_dropped_visibly(tmp_path):
    root = tmp_path / "c"
    root.mkdir()
    labels = ["W", "A", "", "?", "T", "W", ""]
    for i in range(len(labels)):
        soundfile.write(root / f"{i}.wav", noise(0.1, 16_000, seed=i), 16_000)
    rows = [(f"{i}.wav", label, "test" if i == 6 else "train") for i, label in enumerate(labels)]
    table(root / "t.csv", rows, ["path", "emotion", "partition"])
    keep = build(recipe(root, tmp_path / "a", reader="table", file="t.csv"), pool=Inline())
    store = open_store(keep.store)
    assert store.emotions == ["W", "A", "", "", "T", "W", ""] and store.labels == ("A", "T", "W")
    options = {"reader": "table", "file": "t.csv", "emotions": {"W": "hot", "A": "hot"}}
    result = build(recipe(root, tmp_path / "a", **options), pool=Inline())
    store = open_store(result.store)
    assert store.ids == ["0", "1", "5", "6"]  # the test partition's labels are unknown: it stays
    assert store.emotions == ["hot", "hot", "hot", ""] and store.labels == ("hot",)
    assert result.dropped == {"emotion 'T' not named in [corpus.emotions]": 1, "no label": 2}
    (root / "out.txt").write_text("\ufeff5\n\n 1 \n", encoding="utf-8")
    result = build(recipe(root, tmp_path / "a", **options, exclude="out.txt"), pool=Inline())
    assert open_store(result.store).ids == ["0", "6"]
    assert result.dropped["excluded by the recipe's list"] == 2


def test_a_corpus_without_any_label_is_built(tmp_path):
    soundfile.write(tmp_path / "x.wav", noise(0.1, 16_000), 16_000)
    result = build(recipe(tmp_path, tmp_path / "a", reader="pattern", pattern="{text}.wav"), pool=Inline())
    store = open_store(result.store)
    assert (store.labels, store.emotions, store.speakers) == ((), [""], [""])


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        ("a/b", "a_b"),
        ("zarr.json", "zarr_json"),
        ("c", "c"),
        ("n_words", "n_words"),
        ("n_frames", "table_n_frames"),
        ("../x", "x"),
        ("Größe (cm)", "Größe_cm"),
        ("2nd", "table_2nd"),
        ("duration", "table_duration"),
    ],
)
def test_columns_of_odd_names_are_carried_along(tmp_path, column, stored):
    soundfile.write(tmp_path / "x.wav", noise(0.1, 16_000), 16_000)
    table(tmp_path / "t.csv", [("x.wav", "va,lue\n")], ["path", column])
    store = open_store(build(recipe(tmp_path, tmp_path / "a", reader="table", file="t.csv"), pool=Inline()).store)
    assert store.column(stored) == ["va,lue"]
    assert store.manifest().digest == store.attributes["provenance"]["manifest_digest"]


@pytest.mark.parametrize("column", ["a/b", "zarr.json", "../x", "__x", "a b", ""])
def test_columns_that_are_no_word_are_refused_in_a_manifest(tmp_path, column):
    (tmp_path / "m.csv").write_text(f"id,path,{column}\nx,x.wav,1\n")
    (tmp_path / "wav").mkdir()
    with pytest.raises(ManifestError, match=r"m\.csv: column .* expected a word"):
        gather(recipe(tmp_path / "wav", tmp_path / "a", folder=tmp_path, manifest="m.csv"))


def test_corpora_that_are_not_there(tmp_path):
    with pytest.raises(CorpusError, match="no such folder; expected the root"):
        build(recipe(tmp_path / "none", tmp_path / "a"), pool=Inline())
    (tmp_path / "m.csv").write_text("id,path\nx,x.wav\n")
    with pytest.raises(CorpusError, match="no such folder; expected the root of the manifest's recordings"):
        build(recipe(tmp_path / "none", tmp_path / "a", manifest=str(tmp_path / "m.csv")), pool=Inline())
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=r"no utterance of .* found"):
        build(recipe(tmp_path / "empty", tmp_path / "a"), pool=Inline())
    (tmp_path / "empty.csv").write_text("id,path\n")
    asked = recipe(tmp_path / "empty", tmp_path / "a", manifest=str(tmp_path / "empty.csv"))
    with pytest.raises(StoreError, match="nothing to store: the recipe drops everything"):
        build(asked, pool=Inline())


def test_lists_of_ids_that_are_wrong(own, tmp_path):
    options = {"reader": "pattern", "pattern": PATTERN, "exclude": "out.txt"}
    with pytest.raises(ManifestError, match=r"exclude = 'out.txt': .*expected utterance ids"):
        gather(recipe(own, tmp_path / "a", **options))
    (own / "out.txt").write_text("sad/nobody\n")
    with pytest.raises(ManifestError, match="1 excluded ids are not in the corpus, such as 'sad/nobody'"):
        gather(recipe(own, tmp_path / "a", **options))


def test_other_spellings_of_a_speaker_are_a_warning(own, tmp_path):
    assert not [line for line in build(recipe(own, tmp_path / "a"), pool=Inline()).warnings if "differ in case" in line]
    path = sorted(own.glob("sad/*.wav"))[0]
    shutil.copy(path, path.with_name(path.name.upper().replace(".WAV", ".wav")))
    (warning,) = [
        line for line in build(recipe(own, tmp_path / "a"), pool=Inline()).warnings if "differ in case" in line
    ]
    assert path.name.split("_")[0] in warning


def several(folder, *corpora, **tables):
    values = {"corpus": [{"reader": "pattern", "pattern": PATTERN, **corpus} for corpus in corpora], **tables}
    return recipe_from({"dataset": {"path": "stores"}, "features": FAST, **values}, folder=folder, name="both")


def test_several_corpora_never_share_a_speaker_or_an_id(tmp_path):
    for number, name in enumerate(("angry/s1_t1_1", "sad/s1_t1_1", "angry/s2_t1_1", "sad/s2_t1_1")):
        for folder, emotion in (("x/a", "sad"), ("b", "low")):
            path = tmp_path / folder / f"{name.replace('sad', emotion)}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, noise(0.1, 16_000, seed=number + 10 * (folder == "b")), 16_000)
    emotions = {"angry": "angry", "low": "sad"}
    both = ({"root": "x/a", "name": "one"}, {"root": "b", "name": "two", "emotions": emotions})
    asked = several(tmp_path, *both, split={"protocol": "leave-one-corpus-out"})
    store = open_store(build(asked, pool=Inline()).store)
    assert len(store) == 8 and store.labels == ("angry", "sad")
    assert store.ids[0] == "one/angry/s1_t1_1" and store.ids[-1] == "two/low/s2_t1_1"
    assert sorted(set(store.speakers)) == ["one/s1", "one/s2", "two/s1", "two/s2"]
    assert store.column("corpus") == ["one"] * 4 + ["two"] * 4
    assert [store.column("path")[row] for row in (0, 7)] == ["x/a/angry/s1_t1_1.wav", "b/low/s2_t1_1.wav"]
    split = make_split(store.manifest(), asked.split)
    assert split.folds == ("one", "two")
    named = ({**both[0], "pattern": "{emotion}/{speaker}_{text}_{corpus}.wav"}, both[1])
    assert gather(several(tmp_path, *named)).warnings == ("one: its own column 'corpus' is replaced by its name",)
    assert gather(several(tmp_path, *both, train={"groups": ["corpus", "duration"]})).manifest == gather(asked).manifest
    with pytest.raises(RecipeError, match=r"\[train\] groups: no column 'gendre'; the corpus has id, path, .*corpus"):
        gather(several(tmp_path, *both, train={"groups": ["gendre"]}))
    assert split.ids(0, "test") == store.ids[:4] and split.ids(0, "train") == store.ids[4:]
    dev = make_split(store.manifest(), replace(asked.split, dev_groups=1))
    assert len({dev.utterances[name].speaker for name in dev.ids(0, "dev")}) == 1  # a speaker, no corpus
    with pytest.raises(SplitError, match=r"needs several corpora: \[\[corpus\]\] tables in the recipe"):
        make_split(gather(recipe(tmp_path / "b", tmp_path / "alone")).manifest, asked.split)


def test_utterances_that_are_kept_without_a_label_are_counted(own, tmp_path):
    asked = recipe(own, tmp_path / "a")
    assert not [line for line in gather(asked).warnings if "no label" in line]
    first, *others = sorted(set(gather(asked).manifest.column("emotion")))
    n = list(gather(asked).manifest.column("emotion")).count(first)
    emotions = {first: ""} | {name: name for name in others}
    unlabelled = replace(asked, corpus=replace(asked.corpus, emotions=emotions))
    total = len(gather(unlabelled).manifest.utterances)
    told = f"{n} of {total} utterances have no label: emotions are neither learnt from them nor scored on them"
    assert told in gather(unlabelled).warnings
