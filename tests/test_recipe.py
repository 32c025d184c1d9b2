from dataclasses import fields
from pathlib import Path

import pytest

from serprep.errors import RecipeError
from serprep.features.framing import Segment
from serprep.features.logmel import LogMel
from serprep.recipe import CorpusConfig, TrainConfig, read_recipe, read_training, recipe_from
from serprep.split import SplitConfig
from serprep.store.layout import StoreConfig

ROOT = Path(__file__).parents[1]
SEVERAL = '[[corpus]]\nreader = "pattern"\nroot = "here"\npattern = "{emotion}.wav"\n'
LEAST = '[corpus]\nreader = "ravdess"\nroot = "recordings"\n'

# every key of design.md, section 11, with a value that is not its default
FULL = """
[dataset]
name = "mine"
path = "there/mine"
[corpus]
reader = "table"
root = "/data/x"
exclude = "exclude.txt"
file = "labels.csv"
[corpus.columns]
path = "file"
[corpus.emotions]
W = "angry"
A = "angry"
T = "sad"
[features.logmel]
sample_rate = 8000
win_length = 200
hop_length = 80
n_fft = 512
n_mels = 20
fmin = 50
fmax = 4000.0
floor = 1e-6
[features.segments]
tiny = { length = 5, hop = 1 }
[features.functionals]
enabled = false
feature_set = "ComParE_2016"
engine = "opensmile"
[store]
format = "hdf5"
segment_dtype = "float16"
[split]
protocol = "group-k-fold"
group = ["session", "text"]
folds = 6
dev_groups = 2
other_folds = 3
dev_group = "session"
column = "part"
test = "part 2"
file = "split.json"
seed = 3
[train]
systems = ["majority"]
seeds = [5]
epochs = 1
batch_size = 2
learning_rate = 1
schedule = "one-cycle"
weight_decay = 0.01
class_weights = "balanced"
standardisation = "speaker-rank"
enrol = 7
allow_confounded = true
clip_norm = 5
keep = "last"
patience = 4
label_smoothing = 0.1
mixup = 0.2
adversary = 0.3
start_from = "other/checkpoint"
mask_bands = 6
mask_frames = 7
drop_segments = 0.25
bucket = 16
mixed_precision = true
memory_budget = 100
tensorboard = true
device = "cpu"
refit = true
groups = ["gender"]
calibrate = "temperature"
submission = "compare2021"
secondary = 0.25
augment = ["telephone"]

[train.hsf-crnn]
activation = "relu"
batch_norm = true
dropout = 0.5
layers = [128]
auxiliary_heads = true
svm_share = 0.5

[train.compare-svm]
c = [1, 0.1]
balance = "upsampling"
"""


def read(folder, text, name="recipe.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


# -- defaults ------------------------------------------------------------------------


def test_defaults_are_the_paper_s(tmp_path):
    recipe = read(tmp_path, LEAST)
    logmel = recipe.features.logmel
    assert logmel.win_length / logmel.sample_rate == 0.025  # 25 ms every 10 ms
    assert logmel.hop_length / logmel.sample_rate == 0.010
    assert (logmel.n_fft, logmel.n_mels, logmel.fmin, logmel.fmax) == (1024, 40, 0, 8000)
    assert recipe.features.segments == {
        "short": Segment(length=30, hop=20),  # overlap 10
        "long": Segment(length=50, hop=25),  # overlap 25
    }
    assert recipe.features.functionals.enabled
    assert recipe.features.functionals.feature_set == "ComParE_2016"


def test_other_defaults_are_the_design_s(tmp_path):
    recipe = read(tmp_path, LEAST, "ravdess.toml")
    assert recipe.dataset.name == "ravdess"
    assert recipe.dataset_path == str(tmp_path / "stores" / "ravdess")
    assert (recipe.store.format, recipe.store.segment_dtype) == ("zarr", "float32")
    assert (recipe.train.batch_size, recipe.train.learning_rate) == (32, 1e-3)
    assert recipe.train.systems == ()  # the default ones, see tests/test_systems.py
    assert (recipe.train.class_weights, recipe.train.device) == ("none", "auto")
    assert (recipe.split.dev_groups, recipe.split.seed, recipe.split.group) == (0, 0, "speaker")
    assert recipe.corpus.emotions is None and recipe.corpus.exclude == ""


def test_every_key_arrives(tmp_path):
    recipe = read(tmp_path, FULL)
    assert (recipe.dataset.name, recipe.dataset_path) == ("mine", str(tmp_path / "there" / "mine"))
    assert recipe.root == Path("/data/x")
    assert recipe.corpus.reader_options == {"file": "labels.csv", "columns": {"path": "file"}}
    assert list(recipe.corpus.emotions.items()) == [("W", "angry"), ("A", "angry"), ("T", "sad")]
    expected = LogMel(
        sample_rate=8000, win_length=200, hop_length=80, n_fft=512, n_mels=20, fmin=50.0, fmax=4000.0, floor=1e-6
    )
    assert recipe.features.logmel == expected
    assert type(recipe.features.logmel.fmin) is float  # 50 and 50.0 are one version
    assert recipe.features.segments == {"tiny": Segment(length=5, hop=1)}
    assert not recipe.features.functionals.enabled
    assert recipe.store == StoreConfig(format="hdf5", segment_dtype="float16")
    assert recipe.split == SplitConfig(
        protocol="group-k-fold",
        group=("session", "text"),
        folds=6,
        dev_groups=2,
        other_folds=3,
        dev_group="session",
        column="part",
        test="part 2",
        file="split.json",
        seed=3,
    )
    assert recipe.train == TrainConfig(
        systems=("majority",),
        seeds=(5,),
        epochs=1,
        batch_size=2,
        learning_rate=1.0,
        schedule="one-cycle",
        weight_decay=0.01,
        class_weights="balanced",
        standardisation="speaker-rank",
        enrol=7,
        allow_confounded=True,
        clip_norm=5.0,
        keep="last",
        patience=4,
        label_smoothing=0.1,
        mixup=0.2,
        adversary=0.3,
        start_from="other/checkpoint",
        mask_bands=6,
        mask_frames=7,
        drop_segments=0.25,
        bucket=16,
        mixed_precision=True,
        memory_budget=100,
        tensorboard=True,
        device="cpu",
        refit=True,
        groups=("gender",),
        calibrate="temperature",
        submission="compare2021",
        secondary=0.25,
        augment=("telephone",),
        options={
            "hsf-crnn": {
                "activation": "relu",
                "batch_norm": True,
                "dropout": 0.5,
                "layers": [128],
                "auxiliary_heads": True,
                "svm_share": 0.5,
            },
            "compare-svm": {"c": [1, 0.1], "balance": "upsampling"},
        },
    )


def test_balanced_sampling_arrives(tmp_path):
    assert read(tmp_path, LEAST + '[train]\nsampling = "balanced"\n').train.sampling == "balanced"


def test_no_value_of_the_full_recipe_is_a_default(tmp_path):
    full, least = read(tmp_path, FULL, "full.toml"), read(tmp_path, LEAST, "least.toml")
    only_one = {"feature_set"}  # has one possible value
    excluded = {"sampling", "target", "scales", "emotion_weight", "contrast"}  # by class_weights and mixup
    for table in ("split", "train", "store"):
        for field in [field for field in fields(getattr(full, table)) if field.name not in excluded]:
            values = [getattr(getattr(recipe, table), field.name) for recipe in (full, least)]
            assert values[0] != values[1], f"[{table}] {field.name} is not tested"
    for part in ("logmel", "functionals"):
        for field in fields(getattr(full.features, part)):
            values = [getattr(getattr(recipe.features, part), field.name) for recipe in (full, least)]
            assert values[0] != values[1] or field.name in only_one


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_examples_are_read(path):
    recipe = read_recipe(path)
    told = {name: value for name, value in recipe.features.to_json().items() if name != "kinds"}  # those of every store
    assert told == read_recipe(ROOT / "examples" / "ravdess.toml").features.to_json()
    assert recipe.dataset_path.startswith(str(ROOT))


# -- paths ---------------------------------------------------------------------------


def test_paths_are_relative_to_the_recipe_wherever_one_stands(tmp_path, monkeypatch):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    text = '[dataset]\npath = "../stores"\n[corpus]\nreader = "emodb"\nroot = "../../wav"\n'
    read(folder, text)
    monkeypatch.chdir(tmp_path)
    recipe = read_recipe(Path("a/b/recipe.toml"))
    assert recipe.root == tmp_path / "wav"
    assert recipe.dataset_path == str(tmp_path / "a" / "stores")
    assert recipe.path("split.json") == folder / "split.json"
    assert recipe.path("/x/y") == Path("/x/y")


def test_home_and_urls(tmp_path):
    recipe = read(tmp_path, '[dataset]\npath = "s3://bucket/x/"\n[corpus]\nreader = "emodb"\nroot = "~/wav"\n')
    assert recipe.root == (Path.home() / "wav").resolve()
    assert recipe.dataset_path == "s3://bucket/x"
    assert recipe.path("~nobody-of-this-name/x") == tmp_path / "~nobody-of-this-name" / "x"


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[datasets]\n", r"unknown key 'datasets'; expected one of dataset, corpus, features, store, split, train"),
        ("x = 1\n", r"unknown key 'x'; expected one of dataset, corpus"),
        ("[dataset]\nnom = 'x'\n", r"\[dataset\] unknown key 'nom'; expected one of name, path"),
        ("[features]\nmel = 1\n", r"\[features\] unknown key 'mel'; expected one of segments, logmel, functionals"),
        (
            "[features.logmel]\nn_mel = 40\n",
            r"\[features.logmel\] unknown key 'n_mel'; expected one of sample_rate, win_length, hop_length, n_fft, "
            r"n_mels, fmin, fmax, floor",
        ),
        (
            "[features.segments]\nshort = { len = 30 }\n",
            r"\[features.segments.short\] unknown key 'len'; expected one of length, hop",
        ),
        ("[features.functionals]\non = true\n", r"unknown key 'on'; expected one of enabled, feature_set, engine"),
        ("[store]\ndtype = 'float16'\n", r"\[store\] unknown key 'dtype'; expected one of format, segment_dtype"),
        (
            "[split]\nkind = 1\n",
            r"unknown key 'kind'; expected one of protocol, group, folds, other_folds, dev_groups, dev_group",
        ),
        ("[split]\nother_folds = 2\n", r"other_folds divides the second column of group, which is 'speaker' alone;"),
        ("[train]\nlr = 1\n", r"unknown key 'lr'; expected one of systems, seeds, epochs, batch_size, learning_rate"),
        ("[features.segments]\nshort = { length = 30 }\n", r"\[features.segments.short\] needs hop"),
        ("[features.segments]\nshort = 30\n", r"features.segments.short is 30; expected a table"),
        ("[features.segments]\na = { length = 9, hop = 1 }\nb = { length = 9, hop = 2 }\n", r"one length \(9\)"),
        ("[features.logmel]\nn_mels = 40.0\n", r"\[features.logmel\] n_mels is 40.0; expected a whole number"),
        ("[features.logmel]\nn_mels = true\n", r"n_mels is True; expected a whole number"),
        ("[features.logmel]\nfmax = '8k'\n", r"fmax is '8k'; expected a number"),
        ("[features.logmel]\nfmax = 9000\n", r"expected 0 <= fmin < fmax <= 8000.0 Hz"),
        ("[features.logmel]\nfloor = nan\n", r"floor is nan"),
        ("[features.functionals]\nenabled = 1\n", r"enabled is 1; expected true or false"),
        ("[features.functionals]\nfeature_set = 'eGeMAPS'\n", r"is 'eGeMAPS'; expected ComParE_2016"),
        ("[store]\nformat = 'parquet'\n", r"\[store\] format is 'parquet'; expected one of zarr, hdf5"),
        ("[store]\nsegment_dtype = 'float64'\n", r"segment_dtype is 'float64'; expected one of float32, float16; did"),
        (
            "[split]\nprotocol = 'random'\n",
            r"protocol is 'random'; expected one of fixed, leave-one-group-out, group-k",
        ),
        ("[split]\nfolds = 1\n", r"\[split\] folds is 1; expected 2 to 10000"),
        ("[split]\nseed = -1\n", r"\[split\] seed is -1; expected 0 to 2147483647"),
        ("[split]\nprotocol = 'list'\n", r'needs file = "split.json"'),
        ("[train]\nsystems = 'majority'\n", r"\[train\] systems is 'majority'; expected a list"),
        ("[train]\nsystems = ['transformer']\n", r"systems: 'transformer'; expected some of .*compare-svm"),
        ("[train.hsf_crnn]\nlayers = [1]\n", r"'hsf_crnn'; did you mean 'hsf-crnn'"),
        ("[train]\nsystems = []\n", r"systems: none; expected some of"),
        ("[train]\nseeds = [0, 0]\n", r"seeds is \[0, 0\]; expected one or more different numbers"),
        ("[train]\nseeds = ['0']\n", r"\[train\] seeds is '0'; expected a whole number"),
        ("[train]\nseeds = []\n", r"seeds is \[\]"),
        ("[train]\nepochs = 0\n", r"epochs is 0; expected 1 to 100000"),
        ("[train]\nlearning_rate = nan\n", r"learning_rate is nan"),
        ("[train]\nclass_weights = 'yes'\n", r"class_weights is 'yes'; expected one of none, balanced"),
        ("[train]\nsampling = 'yes'\n", r"sampling is 'yes'; expected one of all, balanced"),
        ("[train]\nsampling = 'balanced'\nclass_weights = 'balanced'\n", r"would balance twice; choose one"),
        ("[train]\nclip_norm = -1\n", r"clip_norm is -1.0; expected 0 to"),
        ("[train]\nclip_norm = nan\n", r"clip_norm is nan"),
        ("[train]\npatience = -1\n", r"patience is -1; expected 0 to 100000"),
        ("[train.hsf-crnn]\ndropout = 1.0\n", r"\[train.hsf-crnn\] dropout is 1.0; expected 0 to 0.95"),
        ("[train]\nmixup = nan\n", r"mixup is nan; expected 0 to 100"),
        ("[train]\nmask_bands = -1\n", r"mask_bands is -1; expected 0 to 1000"),
        ("[train.plain-crnn]\nactivation = 'tanh'\n", r"activation is 'tanh'; expected one of sigmoid, relu"),
        (
            "[train]\nhsf_layers = [8]\n",
            r"\[train\] unknown key 'hsf_layers'; it stands in \[train.hsf-crnn\] layers now",
        ),
        ("[train.hsf-crnn]\nlayers = []\n", r"layers is \[\]; expected one or more"),
        ("[train.hsf-crnn]\nlayers = [128, 0]\n", r"layers is \[128, 0\]"),
        ("[train.compare-svm]\nc = [0]\n", r"c is \[0.0\]; expected one or more numbers, more than 0"),
        ("[train.svm]\nc = 1\n", r"c is 1; expected a list"),
        (
            "[train]\nbatch_size = 1\n[train.plain-crnn]\nbatch_norm = true\n",
            r"batch_norm needs batches of more",
        ),
        ("[train]\nbucket = 0\n", r"bucket is 0; expected 1 to 100000"),
        ("[train]\nmemory_budget = 0\n", r"memory_budget is 0; expected 1 to \d+ MiB"),
        ("[dataset]\nname = 3\n", r"\[dataset\] name is 3; expected text"),
    ],
)
def test_impossible_values(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message) as caught:
        read(tmp_path, text + LEAST if text.startswith("x") else LEAST + text)
    assert str(caught.value).startswith(str(tmp_path / "recipe.toml"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("table", ["dataset", "corpus", "features", "store", "split", "train"])
def test_a_table_that_is_none(tmp_path, table):
    text = f"{table} = 3\n" + ("" if table == "corpus" else LEAST)
    with pytest.raises(RecipeError, match=f"{table} is 3; expected a table"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[corpus\] needs either reader"),
        ('[corpus]\nroot = "x"\n', r"\[corpus\] needs either reader"),
        ('[corpus]\nroot = "x"\nreader = "a"\nmanifest = "b"\n', r"\[corpus\] needs either reader"),
        ('[corpus]\nreader = "a"\n', r"\[corpus\] needs root"),
        (LEAST + "[corpus.emotions]\n", r"\[corpus.emotions\] is empty"),
        (LEAST + "[corpus.emotions]\nsad = 1\n", r"\[corpus.emotions\]: expected text on both sides"),
        (LEAST + '[corpus.emotions]\nsad = ""\n', r"\[corpus.emotions\] is empty: name the emotions to keep"),
        (LEAST + "[corpus.columns]\npath = ['x']\n", r"\[corpus.columns\]: expected text on both sides"),
        (LEAST + 'emotions = ["sad"]\n', r"\[corpus\] emotions is \['sad'\]; expected a table"),
        (LEAST + 'name = "x"\n', r"\[corpus\] name is 'x'; it is for several corpora, written as \[\[corpus\]\]"),
        (SEVERAL * 2, r"\[\[corpus\]\] name is 'pattern'; expected one without /, for each corpus another"),
        (SEVERAL + 'name = "a/b"\n', r"\[\[corpus\]\] name is 'a/b'; expected one without /"),
        (SEVERAL + 'silent = "quarantine"\n' + SEVERAL + "name = 'x'\n", r"silent differs; expected the same"),
        (SEVERAL.replace("here", "s3://b/x"), r"root is 's3://b/x'; expected a folder here, where there are several"),
        (SEVERAL + "[train]\nsubmission = 'compare2018'\n", r"submission is 'compare2018'; expected one corpus"),
        ("corpus = [1]\n", r"corpus holds 1; expected tables"),
        ("[corpus\n", r"expected TOML"),
        ("a = 1\na = 2\n", r"expected TOML"),
        ("a = " + "[" * 20_000, r"expected TOML"),
    ],
)
def test_corpora_that_are_none(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, text)


def test_files_that_are_no_recipe(tmp_path):
    with pytest.raises(RecipeError, match=r"No such file or directory; expected a recipe .*`serprep init CORPUS`"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="Is a directory; expected a recipe"):
        read_recipe(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes('name = "Grüße"'.encode("latin-1"))
    with pytest.raises(RecipeError, match="byte 10 is not UTF-8; save it as UTF-8"):
        read_recipe(path)
    with pytest.raises(RecipeError, match=r"a\\nb.toml: No such file"):
        read_recipe(tmp_path / "a\nb.toml")


def test_options_of_a_reader_are_those_given():
    config = CorpusConfig(reader="pattern", root="x", pattern="{emotion}/{_}.wav")
    assert config.reader_options == {"pattern": "{emotion}/{_}.wav"}
    assert CorpusConfig(manifest="m", root="x").reader_options == {}


def test_the_training_of_another_recipe_needs_none_of_its_other_tables(tmp_path):
    path = tmp_path / "tuned.toml"
    path.write_text("[train]\nmixup = 0.5\nsystems = ['hsf-crnn']\n", encoding="utf-8")
    assert read_training(path) == TrainConfig(mixup=0.5, systems=("hsf-crnn",))
    path.write_text("[train]\ndrop = 0.5\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"tuned.toml: \[train\] unknown key 'drop'"):
        read_training(path)
    with pytest.raises(RecipeError, match=r"nowhere.toml: No such file"):
        read_training(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[corpus]\nroot = " + "9" * 5000, "a number of thousands of digits"),
        ("[train]\nlearning_rate = 0x" + "f" * 50_000, "a whole number beyond 64 bits"),
        ("[train]\nepochs = 9223372036854775808", "a whole number beyond 64 bits"),
        ("x = " + "[" * 50_000, "nested too deeply"),
        (".".join("a" * 5000) + " = 1", "tables are nested more than 20 deep"),
        ('[corpus]\nreader = "\\ud800"', "expected TOML"),
        ('[corpus.emotions]\nhappy = "a\\u0000"', "a text holds a NUL character"),
        ('[corpus.emotions]\n"\\u0000" = "a"', "a text holds a NUL character"),
        ("a = 1\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"PK\x03\x04", "is a zip archive"),
        ("#" * 2**20 + "\n", "larger than 1024 KiB"),
        (
            "[corpus]\nreader = 'emodb'\nroot = '.'\n[train]\nepoch = 3",
            r"\[train\] unknown key 'epoch'; .*; did you mean 'epochs'\?",
        ),
        ("[corpus]\nreader = 'emodb'\nroot = '.'\n[train]\nsystems = ['compare_svm']", r"did you mean 'compare-svm'\?"),
        (
            "[corpus]\nreader = 'emodb'\nroot = '.'\n[split]\nprotocol = 'leave-one-out'",
            r"did you mean 'leave-one-group-out'\?",
        ),
        ("[dataset]\nepochs = 3", r"\[dataset\] unknown key 'epochs'; .*; it belongs into \[train\]"),
        ("[corpora]\n", r"unknown key 'corpora'; .*; did you mean 'corpus'\?"),
        ("[corpus]\nmanifest = 'm'\nroot = '.'\ntitle = 'x'\n", "title is for a reader; a manifest says that itself"),
    ],
    ids=range(17),
)
def test_whatever_a_recipe_holds_is_one_line(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RecipeError, match=rf"recipe\.toml.*{message}") as error:
        read_recipe(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000 + len(str(tmp_path))


def test_a_path_may_be_text_and_a_misspelt_one_is_guessed(tmp_path):
    path = tmp_path / "ravdess.toml"
    path.write_text('[corpus]\nreader = "ravdess"\nroot = "."\n')
    assert read_recipe(str(path)) == read_recipe(path)
    with pytest.raises(RecipeError, match=r"ravdes\.toml: No such file.*did you mean .*/ravdess\.toml\?"):
        read_recipe(str(tmp_path / "ravdes.toml"))
    with pytest.raises(RecipeError, match=r"; there is .*/ravdess\.toml"):
        read_recipe(tmp_path / "completely-different")
    with pytest.raises(RecipeError, match=r"Is a directory; expected a recipe .*there is .*/ravdess\.toml"):
        read_recipe(tmp_path)
    with pytest.raises(RecipeError, match=r"there is no folder .*/gone"):
        read_recipe(tmp_path / "gone" / "x.toml")


def test_title_licence_source_and_prefix_reach_the_reader():
    values = {"corpus": {"reader": "table", "root": ".", "file": "a.csv", "title": "T", "prefix": "samples"}}
    assert recipe_from(values, folder=Path(), name="x").corpus.reader_options == {
        "file": "a.csv",
        "title": "T",
        "prefix": "samples",
    }


def test_a_caller_s_tables_stay_as_they_are(tmp_path):
    values = {"corpus": {"reader": "ravdess", "root": "."}, "features": {"logmel": {"enabled": False}}}
    first, second = (recipe_from(values, folder=tmp_path, name="x").features for _ in range(2))
    assert first == second and first.kinds == ("functionals",)
    assert values["features"] == {"logmel": {"enabled": False}}
