"""What a page shows, gathered from a run's outcome or from a store; `page` draws it."""

import contextlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serprep._typing import IntArray
from serprep.errors import SerprepError, StoreError
from serprep.files import read_regular, write_other
from serprep.pipeline.build import BuildResult
from serprep.recipe import Recipe, TrainConfig
from serprep.split import Split, describe
from serprep.store.store import Store, open_store
from serprep.systems import is_floor
from serprep.version import read_build
from serprep_models.bundle import packed
from serprep_models.catalogue import files_of, place_of
from serprep_models.checkpoint import ABOUT
from serprep_models.listen import by_speaker, surely_wrong
from serprep_models.outcome import Outcome
from serprep_models.page import Report, write_report
from serprep_models.scores import Result, shown
from serprep_models.scores.doubt import conflicting, doubtful
from serprep_models.seen import copies_within
from serprep_models.statistics import TRANSDUCTIVE
from serprep_models.train import HISTORY

_OF_EPOCHS = ("train_", "dev_")  # begin the names of their losses and scores
DOUBTFUL = "doubtful.csv"  # in the folder of the experiments
MISSING = 10  # experiments that are named
LARGEST_BUNDLE = 1_000_000  # bytes inside a page


def report_outcome(
    recipe: Recipe,
    outcome: Outcome,
    *,
    built: BuildResult | None,
    path: Path,
    train_from: Path | None = None,
    audio: Path | None = None,
    with_sound: int = 0,
) -> Path:
    """Write the page of a run, and `DOUBTFUL` into the folder of its experiments.

    Parameters
    ----------
    recipe : Recipe
    outcome : Outcome
        Of a run that is finished, or of what is finished of it: that page has no bundle yet.
    built : BuildResult, optional
        What the build left out and remarked, where it was part of the run.
    path : Path
        Where the page is written.
    train_from : Path, optional
        The recipe whose ``[train]`` was taken.
    audio : Path, optional
        Folder of the recordings; default: the recipe's root.
    with_sound : int
        How many recordings of what a system is most surely wrong about are put into the page.

    Returns
    -------
    Path
        That of the page.
    """
    store, split = outcome.store, outcome.split
    labels = store.labels
    names = {result.system: shown(result) for result in outcome.results}
    dimensions = outcome.dimensions
    labelled = outcome.results if outcome.summary else ()
    doubt, not_compared = (pd.DataFrame(), "") if dimensions.scores else _doubtful(outcome)
    if not dimensions.scores:
        table = doubt.to_csv(index=False, float_format="%.4f", lineterminator="\n")
        write_other(outcome.folder / DOUBTFUL, table.encode("utf-8", "surrogateescape"))
    report = Report(
        title=_title(recipe, store) + (" (transductive)" if recipe.train.transductive else ""),
        synthetic=is_synthetic(recipe),
        labels=labels,
        utterances=utterance_table(store),
        dropped=left_out(built),
        summary=[replace(row, system=names[row.system]) for row in outcome.summary],
        comparisons=[replace(pair, first=names[pair.first], second=names[pair.second]) for pair in outcome.comparisons],
        groups=outcome.groups,
        raters=[replace(row, system=names[row.system]) for row in outcome.raters],
        dimensions=dimensions.renamed(names),
        numbers=outcome.predictions[outcome.predictions["system"] == outcome.verdict.leader],
        conditions=[replace(row, system=names[row.system]) for row in outcome.conditions],
        folds=_folds(labelled, split, names),
        confusion=_confusion(labelled, names),
        curves=_curves(outcome).replace({"system": names}),
        split={
            "protocol": split.protocol,
            "group": split.group,
            "folds": len(split.folds),
            "seed": split.seed,
            "digest": split.digest,
            "notes": list(outcome.notes),
            "roles": describe(split),
        },
        provenance=provenance(recipe, store)
        | _trained_with(outcome)
        | _trained_on(outcome)
        | {"rows of the split": split.rows_digest}
        | _warnings(built),
        audit=list(outcome.audit),
        caution=TRANSDUCTIVE if recipe.train.transductive else "",
        warnings=outcome.warnings,
        partial=outcome.partial,
        unfinished=_unfinished(outcome),
        predict={names[system]: outcome.predict_command(system, shared=True) for system in names},
        speakers=pd.DataFrame() if dimensions.scores else by_speaker(outcome.predictions, labels, names),
        wrong=[]
        if dimensions.scores
        else surely_wrong(
            outcome.predictions, _leader(outcome), store=store, root=audio or recipe.root, n_sounds=with_sound
        ),
        doubt=doubt,
        doubt_note=not_compared,
        made=_made(outcome),
        repeat=_repeat(recipe, train_from),
        sources=_sources(recipe),
        bundle=b"" if outcome.missing or train_from else _bundle(recipe, outcome),
    )
    return write_report(report, path)


def _folds(results: Sequence[Result], split: Split, names: Mapping[str, str]) -> pd.DataFrame:
    """A row per experiment: its scores, and the groups that its fold tests."""
    groups = {entry["fold"]: entry["test_groups"] for entry in describe(split)}
    columns = ("fold", "seed", "n_train", "n_test", "wa", "ua", "seconds")
    rows = [
        {
            "system": names[result.system],
            **{name: getattr(result, name) for name in columns},
            "test_groups": groups[result.fold],
        }
        for result in results
    ]
    return pd.DataFrame(rows)


def _confusion(results: Sequence[Result], names: Mapping[str, str]) -> dict[str, IntArray]:
    """System → confusion matrix summed over folds and seeds, shape (n_labels, n_labels)."""
    matrices: dict[str, IntArray] = {}
    for result in results:
        name, own = names[result.system], np.array(result.confusion, np.int64)
        matrices[name] = matrices[name] + own if name in matrices else own
    return matrices


def _title(recipe: Recipe, store: Store) -> str:
    """The data set's name; of one that only has the name that recipes are given, the corpus's."""
    corpus = str(store.attributes["provenance"]["corpus"].get("corpus", ""))
    return corpus if recipe.dataset.name == "recipe" and corpus else recipe.dataset.name


def _doubtful(outcome: Outcome) -> tuple[pd.DataFrame, str]:
    """Utterances by how doubtful their labels are, and which recordings were not compared."""
    store = outcome.store
    copies, not_compared = copies_within(store)
    table = doubtful(
        outcome.predictions,
        store.labels,
        paths=dict(zip(store.ids, store.column("path"), strict=True)),
        raters=_raters(store),
        conflicts=conflicting(copies, dict(zip(store.ids, store.emotions, strict=True))),
    )
    return table, not_compared


def _raters(store: Store) -> dict[str, tuple[int, int]]:
    """Id → how many raters gave the label, and how many there were; of utterances whose row tells both."""
    if not {"agreement", "n_raters"} <= set(store.columns):
        return {}
    told = zip(store.ids, map(str, store.column("agreement")), map(str, store.column("n_raters")), strict=True)
    return {name: (int(n), int(of)) for name, n, of in told if n.isdecimal() and of.isdecimal() and int(of)}


def _leader(outcome: Outcome) -> str:
    """The system to listen to: the leading one, else the first that is more than a floor."""
    known = [row.system for row in outcome.summary if not is_floor(row.system)]
    return outcome.verdict.leader or (known[0] if known else "")


def _made(outcome: Outcome) -> str:
    """When the last experiment ended, in UTC."""
    ended = max((path.stat().st_mtime for path in files_of(outcome.folder, "result.json")), default=0.0)
    return datetime.fromtimestamp(ended, UTC).strftime("%Y-%m-%d %H:%M UTC") if ended else ""


def _repeat(recipe: Recipe, train_from: Path | None) -> str:
    """The command that repeats a run, given in the recipe's folder."""
    words = ["serprep", "run", f"{recipe.name}.toml", *(["--train-from", str(train_from)] if train_from else [])]
    return shlex.join(words) if recipe.name else ""


def _sources(recipe: Recipe) -> dict[str, str]:
    """Name → text of the recipe, and of that whose ``[train]`` was taken; nothing of one that is no file."""
    lines = {name: data.decode("utf-8-sig", "replace").splitlines() for name, data in recipe.sources.items()}
    return {name: "\n".join(line.expandtabs(4) for line in own) for name, own in lines.items()}


def _bundle(recipe: Recipe, outcome: Outcome) -> bytes:
    """What results can be checked by; nothing where there is none, or it is too large for a page."""
    with contextlib.suppress(SerprepError, OSError):
        data = packed(recipe, outcome, path=recipe.folder / f"{recipe.name}.toml")[1]
        return data if len(data) <= LARGEST_BUNDLE else b""
    return b""


def _unfinished(outcome: Outcome) -> str:
    """How many experiments are finished, and which are missing; "" where none is."""
    if not outcome.missing:
        return ""
    done, n = len(outcome.results), len(outcome.missing)
    names = [f"{system} fold {fold} seed {seed}" for system, fold, seed in outcome.missing[:MISSING]]
    more = f" and {n - MISSING} more" if n > MISSING else ""
    return f"{done} of {done + n} experiments are finished; missing: {', '.join(names)}{more}"


def report_store(place: str, *, path: Path) -> Path:
    """Write a page about what is in a store."""
    store = open_store(place)
    about = _build_report(store)
    name = str(about.get("dataset", store.attributes["provenance"]["corpus"].get("corpus", "store")))
    dropped: dict[str, int] = dict(about.get("dropped", {}))
    for entry in about.get("quarantined", ()):
        reason = f"quarantined: {entry['reason']}"
        dropped[reason] = dropped.get(reason, 0) + 1
    empty = pd.DataFrame()
    report = Report(
        title=name,
        synthetic=False,
        labels=store.labels,
        utterances=utterance_table(store),
        dropped=dropped,
        summary=[],
        folds=empty,
        confusion={},
        curves=empty,
        split={},
        provenance=store_provenance(store),
    )
    return write_report(report, path)


def _build_report(store: Store) -> dict[str, Any]:
    """``build.json`` beside a store; nothing where there is none."""
    folder, _, file = store.path.rstrip("/").rpartition("/")
    with contextlib.suppress(StoreError):
        return read_build(folder or ".", file.rsplit(".", 1)[0])
    return {}


def _warnings(built: BuildResult | None) -> dict[str, str]:
    """What the corpus reader remarked."""
    return {"reader's warnings": "; ".join(built.warnings)} if built and built.warnings else {}


def is_synthetic(recipe: Recipe) -> bool:
    """Whether the corpus folder says that its recordings were made by serprep's generator."""
    readme = recipe.root / "README.txt"
    return readme.is_file() and "SYNTHETIC" in readme.read_text(encoding="utf-8", errors="replace")[:2000]


def utterance_table(store: Store) -> pd.DataFrame:
    """Rows of the store for the page."""
    columns = [name for name in store.columns if name not in ("path", "audio_digest", "start", "end")]
    return pd.DataFrame({name: store.column(name) for name in columns})


def left_out(built: BuildResult | None) -> dict[str, int]:
    """Reason → utterances that are not in the store."""
    counts = dict(built.dropped) if built else {}
    for entry in built.reasons if built else ():
        counts[f"quarantined: {entry.reason}"] = counts.get(f"quarantined: {entry.reason}", 0) + 1
    return counts


def provenance(recipe: Recipe, store: Store) -> dict[str, str]:
    """What a reader needs to repeat the page."""
    how, plain = recipe.train, asdict(TrainConfig())
    training = (
        f"{'AdamW' if how.weight_decay else 'Adam'}, learning rate {how.learning_rate}, batch {how.batch_size}, "
        f"{how.epochs} epochs, class weights {how.class_weights}, standardisation {how.standardisation}"
        f"{f' by {how.enrol} utterances' if how.enrol else ''}, seeds {list(how.seeds)}"
    )
    told = ("systems", "learning_rate", "batch_size", "epochs", "class_weights", "standardisation", "enrol", "seeds")
    beyond = {k: v for k, v in asdict(how).items() if v != plain[k] and k not in told}
    training += "".join(
        f", {name} {list(value) if isinstance(value, tuple) else value}" for name, value in beyond.items()
    )
    return store_provenance(store) | {"training": training}


def _trained_with(outcome: Outcome) -> dict[str, str]:
    """Libraries that the checkpoints name."""
    texts = set()
    for _, place in _places(outcome):
        with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
            libraries = json.loads(read_regular(place / ABOUT)).get("libraries", {})
            texts.add(", ".join(f"{name} {number}" for name, number in libraries.items()))
    return {"libraries of the training": "; ".join(sorted(texts))} if texts else {}


def _trained_on(outcome: Outcome) -> dict[str, str]:
    """Devices of the trainings, and budgets of those that streamed."""
    devices = {
        str(result.device) + (f", streamed with {result.memory_budget} MiB" if result.memory_budget else "")
        for result in outcome.results
        if result.feature_bytes
    }
    return {"trained on": "; ".join(sorted(devices))} if devices else {}


def store_provenance(store: Store) -> dict[str, str]:
    """What a reader needs to get the same store."""
    corpus = store.attributes["provenance"]["corpus"]
    libraries: dict[str, str] = dict(_build_report(store).get("libraries", {}))
    if not store.features.functionals.uses_opensmile:  # installed, but it took no part
        libraries.pop("opensmile", None)
    return {
        "corpus": ", ".join(str(corpus[name]) for name in ("corpus", "release", "source") if corpus.get(name)),
        "licences": "; ".join(store.attributes["licences"]),
        "version": store.version,
        "seal": store.seal,
        **{
            f"features: {name}": in_words(value)
            for name, value in store.attributes["configurations"]["features"].items()
        },
        "libraries of the build": ", ".join(f"{name} {number}" for name, number in libraries.items()) or "not known",
    }


def in_words(value: Any) -> str:
    """A configuration as a person writes it.

    Examples
    --------
    >>> in_words({"n_mels": 40, "enabled": True, "short": {"hop": 20, "length": 30}})
    'n mels 40, enabled yes, short (hop 20, length 30)'
    """
    if isinstance(value, dict):
        parts = ((name.replace("_", " "), in_words(part), isinstance(part, dict)) for name, part in value.items())
        return ", ".join(f"{name} ({words})" if inner else f"{name} {words}" for name, words, inner in parts)
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _places(outcome: Outcome) -> Iterator[tuple[Result, Path]]:
    """Each result, and the folder of its experiment."""
    numbers = {fold: number for number, fold in enumerate(outcome.split.folds)}
    for result in outcome.results:
        yield result, place_of(outcome.folder, result.system, numbers[result.fold], result.seed)


def _history(path: Path) -> list[dict[str, float | None]]:
    """Epochs of a training; nothing where the file is not as it was written: scores do not rest on it."""
    try:
        epochs = [json.loads(line) for line in read_regular(path).decode().splitlines()]
        names = {
            "epoch",
            "train_loss",
            *(name for row in epochs for name in row if name.startswith(("train_", "dev_"))),
        }
        numbers = [{name: None if row[name] is None else float(row[name]) for name in names} for row in epochs]
        return [row | {"epoch": int(row["epoch"] or 0)} for row in numbers]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return []


def _curves(outcome: Outcome) -> pd.DataFrame:
    rows = []
    for result, place in _places(outcome):
        path = place / HISTORY
        if path.is_file():
            head = {"system": result.system, "fold": result.fold, "seed": result.seed}
            rows += [head | epoch for epoch in _history(path)]
    table = pd.DataFrame(rows, columns=None if rows else ["system", "fold", "seed", "epoch", "train_loss"])
    return table.astype({name: float for name in table if str(name).startswith(_OF_EPOCHS)})
