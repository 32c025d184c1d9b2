"""The TOML file that says everything: corpus, features, store, split, training (``docs/recipe.md``).

Flat tables, every key but the reader and the root with a default, and the defaults are
the paper's.  An unknown key is an error that lists the valid ones.  Paths are relative
to the recipe.
"""

import dataclasses
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from serprep.conditions import STANDARD, Applied, conditions_from
from serprep.config import Config, check, configured, hints_of, refuse_unknown, shown, within
from serprep.errors import RecipeError, SerprepError, one_line
from serprep.features.extract import Features
from serprep.features.framing import Segment
from serprep.features.kind import Kind
from serprep.features.kinds import KINDS, REGISTRY, kind_names, kind_of
from serprep.files import read_regular
from serprep.place.corpus import as_root
from serprep.place.place import at
from serprep.split import SplitConfig
from serprep.store.layout import StoreConfig
from serprep.systems import SYSTEMS, Learns, moved, options_of
from serprep.text import did_you_mean, nearest, not_text

_LARGEST = 1 << 20  # bytes of a recipe
_DEEPEST = 20  # tables in tables


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """``[dataset]``: the name, and the folders or URLs of stores and tags, and of the cache."""

    name: str = ""  # default: the recipe's file name
    path: str = ""  # default: stores/<name> beside the recipe
    cache: str = ""  # folder or URL; default: this user's, shared by all data sets


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """``[corpus]``: where utterances come from, and which are kept."""

    reader: str = ""
    manifest: str = ""  # in place of a reader
    root: str = ""
    exclude: str = ""  # file of utterance ids, one a line
    marks: str = ""  # what was marked while listening: utterances to leave out, and other labels
    file: str = ""  # for reader "table", relative to root; for "audformat": which of its tables
    pattern: str = ""  # for reader "pattern"
    prefix: str = ""  # for reader "table": a folder that its paths lack
    title: str = ""  # for readers "table" and "pattern": what the corpus is called,
    licence: str = ""  # what may be done with it,
    source: str = ""  # and where it comes from
    columns: Mapping[str, str] | None = None  # for readers "table" and "audformat"
    options: Mapping[str, object] | None = None  # what the reader of another package takes besides
    emotions: Mapping[str, str] | None = None
    silent: Literal["keep", "quarantine"] = "keep"  # what becomes of recordings that hold no sound
    name: str = ""  # of one of several [[corpus]]: before its ids and speakers; default: the reader's

    def __post_init__(self) -> None:
        if bool(self.reader) == bool(self.manifest):
            raise RecipeError('[corpus] needs either reader = "…" or manifest = "…"')
        if self.manifest and self.reader_options:
            name = next(iter(self.reader_options))
            raise RecipeError(f"[corpus] {name} is for a reader; a manifest says that itself")
        if not self.root:
            raise RecipeError("[corpus] needs root: the folder of the recordings")
        check(self, RecipeError, "corpus")
        for name in ("columns", "emotions"):
            table = getattr(self, name)
            empty = name == "emotions"  # such utterances are kept without a label
            if table is not None and not all(isinstance(value, str) and (value or empty) for value in table.values()):
                raise RecipeError(f'[corpus.{name}]: expected text on both sides, such as happy = "happy"')
        if self.emotions is not None and not any(self.emotions.values()):
            raise RecipeError("[corpus.emotions] is empty: name the emotions to keep, or leave the table out")

    @property
    def reader_options(self) -> dict[str, object]:
        """What the reader takes besides the root."""
        names = ("file", "pattern", "columns", "prefix", "title", "licence", "source")
        given = {name: getattr(self, name) for name in names} | dict(self.options or {})
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """``[train]``: which systems, how often, how long; what is of one system stands in ``[train.<system>]``."""

    systems: tuple[str, ...] = ()  # default: the paper's and the baselines
    seeds: tuple[int, ...] = within(0, 2**31 - 1, default=(0, 1, 2), different=True)
    epochs: int = within(1, 100_000, default=60)
    batch_size: int = within(1, 100_000, default=32, unit="utterances")
    learning_rate: float = within(0, 10, default=1e-3, above=True)
    schedule: Literal["constant", "one-cycle"] = "constant"  # of the learning rate: up to it and down again
    weight_decay: float = within(0, 100, default=0.0)  # AdamW's; 0 is Adam
    class_weights: Literal["none", "balanced"] = "none"
    sampling: Literal["all", "balanced"] = "all"
    standardisation: Literal["train", "utterance", "speaker", "speaker-rank"] = "train"  # whose statistics
    enrol: int = within(0, 1_000_000, default=0)  # utterances of a speaker that statistics take; 0 is all
    allow_confounded: bool = False  # statistics of speakers also where speakers tell the class
    clip_norm: float = within(0, 1e9, default=0.0)  # of the gradients; 0 is off
    keep: Literal["best", "last"] = "best"  # the epoch of the best development UA, where there is one
    patience: int = within(0, 100_000, default=0)  # epochs without a better development UA; 0 is off
    label_smoothing: float = within(0, 0.95, default=0.0)  # share of the target that all labels have in common
    mixup: float = within(0, 100, default=0.0)  # both parameters of the beta distribution; 0 is off
    mask_bands: int = within(0, 1000, default=0)  # widest run of mel bands that an utterance loses in training
    mask_frames: int = within(0, 1000, default=0)  # widest run of frames that a segment loses in training
    drop_segments: float = within(0, 0.95, default=0.0)  # probability that a segment is left out in training
    bucket: int = within(1, 100_000, default=1)  # batches whose utterances are sorted by length together
    mixed_precision: bool = False  # bfloat16 on a GPU
    memory_budget: int = within(1, 1 << 30, default=2048, unit="MiB")  # of features per experiment
    tensorboard: bool = False
    device: str = "auto"  # or "cpu", "cuda", "cuda:1"
    calibrate: Literal["none", "temperature"] = "none"  # probabilities, by utterances that are not trained on
    refit: bool = False  # the test part is predicted by a system trained on train and dev
    groups: tuple[str, ...] = ()  # columns whose groups are scored apart; default: those that corpora often have
    submission: Literal["none", "compare2018", "compare2019", "compare2021"] = "none"  # of the test predictions
    augment: Mapping[str, Any] | tuple[str, ...] = ()  # in what conditions training utterances are trained on as well
    target: str | tuple[str, ...] = "emotion"  # or "raters", or columns of numbers, such as ["arousal", "valence"]
    # column of numbers → where its scale begins and ends; [[corpus]] name → a table of those that it has otherwise
    scales: Mapping[str, Any] = field(default_factory=dict)
    emotion_weight: float = within(0, 1000, default=0.0)  # of the label's loss, learnt beside numbers; 0 is off
    adversary: float = within(0, 1000, default=0.0)  # of the reversed gradient of what tells speakers; 0 is off
    contrast: float = within(0, 1000, default=0.0)  # weight of the supervised contrastive loss; 0 is off
    start_from: str = ""  # a checkpoint whose weights trainings begin with, relative to the recipe
    secondary: float = within(0, 1, default=0.5)  # weight of what a rater said besides the first; with raters
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # system → its table [train.<system>]

    def __post_init__(self) -> None:
        check(self, RecipeError, "train")
        if len(set(self.systems)) < len(self.systems):
            raise RecipeError(f"[train] systems names one twice: {', '.join(self.systems)}")
        if self.sampling == self.class_weights == "balanced":
            raise RecipeError("[train] sampling and class_weights would balance twice; choose one of them")
        if self.contrast and self.mixup:
            raise RecipeError("[train] contrast is for utterances of one label, and mixup mixes them; leave one out")
        if self.enrol and not self.transductive:
            raise RecipeError(
                f"[train] enrol is {self.enrol} with standardisation {self.standardisation!r}; expected 1 or more "
                "with speaker or speaker-rank, or 0 for all utterances"
            )
        for name in (*self.systems, *self.options):
            if name not in SYSTEMS.names:
                meant = did_you_mean(name, SYSTEMS.names)
                raise RecipeError(
                    f"[train] systems: {shown(name)}{meant or ';'} expected some of {', '.join(SYSTEMS.names)}"
                    f"{'' if meant else SYSTEMS.install}"
                )
        self._check_target()
        for name in self.options:
            SYSTEMS[name].check(options_of(name, self.options), self)
        for applied in self.augmentations:
            if applied.condition.n_others:
                raise RecipeError(
                    f"[train.augment] {applied.name} mixes in other speakers, and some of them are tested; leave it out"
                )

    @property
    def augmentations(self) -> tuple[Applied, ...]:
        """The conditions of ``[train.augment]``, in order."""
        return conditions_from(self.augment, "train.augment")

    def _check_target(self) -> None:
        """Refuse what makes no sense for what is learnt."""
        if self.scales and not self.dimensions:
            raise RecipeError('[train.scales] is for numbers; set [train] target = ["arousal"], or leave it out')
        if len(set(self.dimensions)) < len(self.dimensions) or self.target in ("", ()):
            raise RecipeError(f"[train] target is {shown(self.target)}; expected one or more different columns")
        tables = {corpus: table for corpus, table in self.scales.items() if isinstance(table, dict)}
        own = {name: scale for name, scale in self.scales.items() if name not in tables}
        own = dict.fromkeys(self.dimensions) | own
        for place, scales in {"": own, **tables}.items():
            table = f"[train.scales{'.' if place else ''}{one_line(place)}]"
            for name, scale in scales.items():
                if name not in self.dimensions:
                    raise RecipeError(f"{table} {one_line(name)} is no target; expected {', '.join(self.dimensions)}")
                if not is_scale(scale):
                    told = "is missing" if scale is None else f"is {shown(scale)}"
                    raise RecipeError(
                        f"{table} {one_line(name)} {told}; expected where its scale begins and ends, as [1, 5]"
                    )
        plain = type(self)
        for name in (
            ()
            if self.target == "emotion"
            else (*("class_weights", "sampling", "label_smoothing", "calibrate", "contrast"),)
        ):
            if getattr(self, name) != getattr(plain, name):
                raise RecipeError(
                    f"[train] {name} is for one label per utterance; leave it out with target = {shown(self.target)}"
                )
        if self.target == "raters" and self.augment:
            raise RecipeError('[train] target = "raters" knows nothing of what [train.augment] makes; leave one out')
        if self.emotion_weight and not self.dimensions:
            raise RecipeError("[train] emotion_weight is for numbers; name columns of them in target, or leave it out")
        if self.dimensions and self.submission != "none":
            raise RecipeError(f"[train] submission is for labels; leave it out with target = {shown(self.target)}")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Columns of numbers that are learnt; none where labels or raters are."""
        if self.target in ("emotion", "raters"):
            return ()
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def learns(self) -> Learns:
        """Labels, numbers, or both."""
        return "both" if self.emotion_weight else "numbers" if self.dimensions else "labels"

    @property
    def transductive(self) -> bool:
        """Whether statistics come from test speakers' recordings, without their labels."""
        return self.standardisation in ("speaker", "speaker-rank")


def is_scale(scale: Any) -> bool:
    """Whether it is two finite numbers, the first below the second."""
    pair = isinstance(scale, list | tuple) and len(scale) == 2 and all(type(end) in (int, float) for end in scale)
    return pair and -math.inf < scale[0] < scale[1] < math.inf


@dataclass(frozen=True, kw_only=True)
class OtherRooms:
    """``[test]``: in what other rooms, and over what lines, the trained systems are tested as well."""

    conditions: str | Mapping[str, Any] = field(default_factory=dict)  # "standard", or name → its table

    def __post_init__(self) -> None:
        if not isinstance(self.conditions, Mapping) and self.conditions != "standard":
            raise RecipeError(f'[test] conditions is {shown(self.conditions)}; expected "standard" or a table')
        self.applied  # noqa: B018 - so that what is wrong is told at once

    @property
    def applied(self) -> tuple[Applied, ...]:
        """The conditions, in order."""
        tables = STANDARD if isinstance(self.conditions, str) else self.conditions
        return conditions_from(tables, "test.conditions")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe; `folder` is where its relative paths begin."""

    folder: Path
    dataset: Dataset
    corpus: CorpusConfig
    features: Features = field(default_factory=Features)
    store: StoreConfig = field(default_factory=StoreConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    test: OtherRooms = field(default_factory=OtherRooms)
    name: str = ""  # of its file, without suffix
    corpora: tuple[CorpusConfig, ...] = ()  # of several [[corpus]]; `corpus` is then the first
    # name → bytes of the files it was read from, as they were then: they may be edited while it runs
    sources: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def path(self, relative: str) -> Path:
        """A local path, relative to the recipe."""
        try:
            return self.folder / Path(relative).expanduser()
        except RuntimeError:  # "~name" of nobody is a name like any other
            return self.folder / relative

    @property
    def dataset_path(self) -> str:
        """Absolute folder or URL of the data set."""
        return at(self.dataset.path, base=self.folder).root

    @property
    def experiments_root(self) -> Path:
        """The local folder in which experiments lie: the data set's, or beside the recipe if that is at a URL."""
        return Path(at(self.dataset_path).direct() or self.folder)

    @property
    def cache_path(self) -> str:
        """Absolute folder or URL of the cache that the recipe names; "" where it names none."""
        return at(self.dataset.cache, base=self.folder).root if self.dataset.cache else ""

    @property
    def root(self) -> Path:
        """The corpus folder; at a URL, what readers take for one.  Of several corpora, the folder that all lie in."""
        if self.corpora:
            return Path(os.path.commonpath([at(corpus.root, base=self.folder).root for corpus in self.corpora]))
        return as_root(self.corpus.root, base=self.folder)


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    RecipeError
        If it is not TOML, holds an unknown key, or an impossible value; the message
        names the key and what is expected.
    """
    path = Path(path)
    values, data = _read_toml(path)
    try:
        recipe = recipe_from(values, folder=path.resolve().parent, name=path.stem)
        return replace(recipe, sources={path.name: data})
    except SerprepError as error:
        raise RecipeError(f"{one_line(path)}: {error}") from None


def _read_toml(path: Path) -> tuple[dict[str, Any], bytes]:
    """What a file says, and its bytes."""
    place = one_line(path)
    try:
        if path.is_file() and path.stat().st_size > _LARGEST:
            raise RecipeError(f"{place}: larger than {_LARGEST >> 10} KiB; expected a recipe (see docs/recipe.md)")
        data = read_regular(path)
    except RecipeError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise RecipeError(f"{place}: {reason}; expected a recipe (see docs/recipe.md){_beside(path)}") from None
    if why := not_text(data):
        raise RecipeError(f"{place} is {why}")
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RecipeError(f"{place}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise RecipeError(f"{place}: brackets are nested too deeply; expected TOML") from None
    except ValueError as error:  # of TOML, or of a number of thousands of digits
        reason = "a number of thousands of digits" if "integer string" in str(error) else one_line(error)[:300]
        raise RecipeError(f"{place}: {reason}; expected TOML") from None
    _refuse_extremes(values, place)
    return values, data


def _beside(path: Path) -> str:
    """The recipes that might have been meant by a path at which there is none, for the end of a message."""
    folder = path if path.is_dir() else path.parent
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".toml" and entry.is_file())
    except OSError:
        return "" if folder.exists() else f"; there is no folder {one_line(folder)}"
    if not names:
        return "; `serprep init CORPUS` writes one"
    meant = nearest(path.name, names) if folder != path else ""
    if meant:
        return f"; did you mean {one_line(folder / meant)}?"
    return f"; there is {one_line(', '.join(str(folder / name) for name in names[:5]))}"


def _refuse_extremes(values: Mapping[str, Any], place: str) -> None:
    """Raise for what TOML allows and no recipe needs: numbers beyond 64 bits, NUL characters, depth."""
    waiting: list[tuple[Any, int]] = [(values, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            raise RecipeError(f"{place}: tables are nested more than {_DEEPEST} deep; see docs/recipe.md")
        if isinstance(value, dict):
            waiting += [(part, depth + 1) for item in value.items() for part in item]
        elif isinstance(value, list):
            waiting += [(part, depth + 1) for part in value]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise RecipeError(f"{place}: it holds a whole number beyond 64 bits; see docs/recipe.md")
        elif isinstance(value, str) and "\0" in value:
            raise RecipeError(f"{place}: a text holds a NUL character; remove it")


def recipe_from(values: Mapping[str, Any], *, folder: Path, name: str) -> Recipe:
    """A recipe from parsed TOML.

    Parameters
    ----------
    values : mapping
        Tables and keys.
    folder : Path
        What its paths are relative to.
    name : str
        The recipe's own, and the data set's where it gives none.

    Raises
    ------
    RecipeError
        If a key is unknown, or a value impossible.
    """
    known = ("dataset", "corpus", "features", "store", "split", "train", "test")
    refuse_unknown(values, known, "", _keys())
    several = values["corpus"] if isinstance(values.get("corpus"), list) else []
    tables = {key: _table(values, key) for key in known if not (several and key == "corpus")}
    corpora = _corpora(several, folder)
    dataset = _configured(Dataset, tables["dataset"], "dataset")
    if not dataset.name and not name.isprintable():
        raise RecipeError(
            f"the recipe's file name {one_line(name)!r} names the data set; rename it, or set [dataset] name"
        )
    dataset = dataclasses.replace(dataset, name=dataset.name or name)
    dataset = dataclasses.replace(dataset, path=dataset.path or f"stores/{dataset.name}")
    corpus = corpora[0] if corpora else _configured(CorpusConfig, tables["corpus"], "corpus")
    if corpus.name and not corpora:
        raise RecipeError(f"[corpus] name is {shown(corpus.name)}; it is for several corpora, written as [[corpus]]")
    features, training = _features(tables["features"], folder), _training(tables["train"])
    split = _configured(SplitConfig, tables["split"], "split")
    if "other_folds" in tables["split"] and len(split.groups) == 1:
        raise RecipeError(
            f"[split] other_folds divides the second column of group, which is {shown(split.groups[0])} alone; "
            "name two columns, or leave other_folds out"
        )
    if corpora and training.submission != "none":
        raise RecipeError(f"[train] submission is {shown(training.submission)}; expected one corpus, [corpus]")
    return Recipe(
        folder=folder,
        dataset=dataset,
        corpus=corpus,
        corpora=corpora,
        features=features,
        store=_configured(StoreConfig, tables["store"], "store"),
        split=split,
        train=training,
        test=_testing(tables["test"]),
        name=name,
    )


def _corpora(tables: Sequence[Any], folder: Path) -> tuple[CorpusConfig, ...]:
    """Several ``[[corpus]]``, each with a name of its own."""
    corpora = []
    for table in tables:
        if not isinstance(table, dict):
            raise RecipeError(f"corpus holds {shown(table)}; expected tables, [[corpus]]")
        corpus = _configured(CorpusConfig, table, "corpus")
        corpora.append(dataclasses.replace(corpus, name=corpus.name or corpus.reader))
    names = [corpus.name for corpus in corpora]
    for name in names:
        if not name or "/" in name or not name.isprintable() or names.count(name) > 1:
            raise RecipeError(
                f"[[corpus]] name is {shown(name)}; expected one without /, for each corpus another, such as "
                'name = "ravdess"'
            )
    if len({corpus.silent for corpus in corpora}) > 1:
        raise RecipeError("[[corpus]] silent differs; expected the same for all corpora")
    if urls := [corpus.root for corpus in corpora if not at(corpus.root, base=folder).direct()]:
        raise RecipeError(f"[[corpus]] root is {shown(urls[0])}; expected a folder here, where there are several")
    return tuple(corpora)


def _features(values: Mapping[str, Any], folder: Path) -> Features:
    """The kinds of feature of ``[features]`` and the segments cut from them.

    A kind is on where its table stands, unless ``enabled = false``; some are on by default.
    """
    refuse_unknown(values, ("segments", *kind_names()), "features", _keys(), REGISTRY.install)
    configs: dict[str, Any] = {}
    for name in values:
        if name != "segments":
            configs[name] = _kind(kind_of(name), _table(values, name, "features"), folder)
    segments = None
    if "segments" in values:
        tables = _table(values, "segments", "features")
        segments = {
            key: _configured(Segment, _table(tables, key, "features.segments"), f"features.segments.{key}")
            for key in tables
        }
    return Features(segments, **configs)


def _kind(kind: Kind[Any], values: dict[str, Any], folder: Path) -> Any:
    """The configuration of a kind; None where ``enabled = false`` and it has no such field itself."""
    place = f"features.{kind.name}"
    if "enabled" not in hints_of(kind.config) and "enabled" in values:
        enabled = values["enabled"]
        if type(enabled) is not bool:
            raise RecipeError(f"[{place}] enabled is {shown(enabled)}; expected true or false")
        values = {key: value for key, value in values.items() if key != "enabled"}  # the caller's table stays
        if not enabled:
            return None
    return kind.located(_configured(kind.config, values, place), folder)


def _testing(values: Mapping[str, Any]) -> OtherRooms:
    """``[test]``, whose conditions are a word or a table."""
    refuse_unknown(values, tuple(hints_of(OtherRooms)), "test", _keys())
    return OtherRooms(**values)


def read_training(path: str | Path) -> TrainConfig:
    """The ``[train]`` table of a recipe, which needs no others.

    Raises
    ------
    RecipeError
    """
    path = Path(path)
    values, _ = _read_toml(path)
    try:
        return _training(_table(values, "train"))
    except SerprepError as error:
        raise RecipeError(f"{one_line(path)}: {error}") from None


TABLES = ("augment", "scales")  # of [train], that are no system's


def _training(values: Mapping[str, Any]) -> TrainConfig:
    """``[train]``; the tables in it are of systems, but for `TABLES`."""
    options = {name: value for name, value in values.items() if isinstance(value, dict) and name not in TABLES}
    own = {name: value for name, value in values.items() if name not in options}
    if own.get("systems") == []:
        raise RecipeError(f"[train] systems: none; expected some of {', '.join(SYSTEMS.names)}")
    keys = [key for key in hints_of(TrainConfig) if key != "options"]
    for key in own:
        if key not in keys and (where := moved(key)):
            raise RecipeError(f"[train] unknown key {shown(key)}{where}")
    refuse_unknown(own, keys, "train", _keys())
    return _configured(TrainConfig, {**own, **({"options": options} if options else {})}, "train")


def _configured(kind: type[Config], values: Mapping[str, Any], place: str) -> Config:
    return configured(kind, values, place, _keys())


def _table(values: Mapping[str, Any], key: str, place: str = "") -> dict[str, Any]:
    table = values.get(key, {})
    if not isinstance(table, dict):
        raise RecipeError(f"{place + '.' if place else ''}{key} is {shown(table)}; expected a table")
    return table


def _keys() -> dict[str, tuple[str, ...]]:
    """The keys of each table."""
    kinds: dict[str, type[Any]] = {
        "dataset": Dataset,
        "corpus": CorpusConfig,
        **{f"features.{name}": kind.config for name, kind in KINDS.items()},
        "store": StoreConfig,
        "split": SplitConfig,
        "train": TrainConfig,
        "test": OtherRooms,
    }
    return {table: tuple(hints_of(kind)) for table, kind in kinds.items()}
