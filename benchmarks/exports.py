"""Every export: size, seconds, peak memory, and differences when its own library reads it back.

Run as ``python benchmarks/exports.py ravdess`` (eight emotions, six folds; recordings in ``../shared/corpora``)
and ``python benchmarks/exports.py synthetic`` (5 000 and 50 000 utterances: is memory flat?).
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.split import SplitConfig, make_split, write_split
from serprep.store.containers import CONTAINERS
from serprep.store.store import Store, open_store

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
FORMS = ("csv", "arff", "npz", "kaldi", "audformat", "huggingface", "webdataset", "lhotse", "croissant")


def measured(store: str, form: str, destination: Path, split: Path | None) -> dict[str, float]:
    """One export in a process of its own."""
    code = (
        "import json, sys, time; from pathlib import Path; from serprep.exports.export import export\n"
        "begin = time.time(); store, form, destination, split = sys.argv[1:]\n"
        "done = export(store, destination, form=form, split=Path(split) if split else None)\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "peak = int(status['VmHWM'].split()[0]) / 1024\n"  # ru_maxrss begins with that of the process before exec
        "print(json.dumps({'MB': done.bytes / 1e6, 'seconds': time.time() - begin, 'peak': peak}))"
    )
    words = [sys.executable, "-c", code, store, form, str(destination), str(split or "")]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def read_csv(folder: Path):
    import pandas

    frame = pandas.read_csv(folder / "all.csv", float_precision="round_trip", dtype={"name": str})
    values = frame.iloc[:, 1 : len(frame.columns) - 1].select_dtypes("number").to_numpy(np.float32)
    return frame["name"].tolist(), frame["class"].tolist(), values, frame.filter(regex="^role_").to_numpy()


def read_arff(folder: Path):
    import arff

    with (folder / "all.arff").open(encoding="utf-8") as file:
        data = arff.load(file)
    n = sum(name.startswith("role_") for name, _ in data["attributes"])
    rows = [[row[0], row[-1], np.float32(row[1 + n : -1]), row[1 : 1 + n]] for row in data["data"]]
    names, labels, values, roles = zip(*rows, strict=True)
    return list(names), list(labels), np.stack(values), np.asarray(roles)


def read_npz(folder: Path):
    with np.load(folder / "data.npz") as data:
        return data["id"].tolist(), data["emotion"].tolist(), data["functionals"], data["roles"]


def read_kaldi(folder: Path):
    import kaldiio

    lines = dict(line.split(" ", 1) for line in (folder / "utt2emo").read_text().splitlines())
    read = dict(kaldiio.load_ark(str(folder / "functionals.ark")))
    keys = sorted(read, key=lambda key: key.split("-", 1)[1])
    folds = sorted(path for path in folder.iterdir() if path.is_dir())
    roles = {key: [""] * len(folds) for key in keys}
    for number, fold in enumerate(folds):
        for part in fold.iterdir():
            for line in (part / "utt2spk").read_text().splitlines():
                roles[line.split()[0]][number] = part.name
    ids = [key.split("-", 1)[1] for key in keys]
    return (
        ids,
        [lines[key] for key in keys],
        np.stack([read[key] for key in keys]),
        np.asarray([roles[k] for k in keys]),
    )


def read_audformat(folder: Path):
    import audformat

    database = audformat.Database.load(str(folder), verbose=False)
    frame = database["utterances"].df
    values = database["functionals"].df.loc[frame.index].to_numpy(np.float32)
    return frame["id"].tolist(), frame["emotion"].tolist(), values, frame.filter(regex="^role").to_numpy()


def read_huggingface(folder: Path):
    import datasets

    with tempfile.TemporaryDirectory() as cache:
        read = datasets.load_dataset(str(folder), cache_dir=cache)["full"].select_columns(
            ["id", "emotion", "functionals"]
        )
        table = read.with_format("numpy")
        order = np.argsort(table["id"][:])
        names = read.features["emotion"].names
        ids, labels = np.asarray(table["id"][:])[order], np.asarray(table["emotion"][:])[order]
        values = np.stack(table["functionals"][:])[order]
        about = json.loads((folder / "serprep.json").read_text())
        places = {name: number for number, name in enumerate(ids.tolist())}
        roles = np.full((len(ids), len(about["split"]["folds"])), "", object)
        for number, fold in enumerate(about["split"]["folds"]):
            for part, rows in datasets.load_dataset(str(folder), f"fold-{fold}", cache_dir=cache).items():
                for name in rows["id"][:]:
                    roles[places[name], number] = "dev" if part == "validation" else part
    return ids.tolist(), [names[label] for label in labels], values, roles


def read_webdataset(folder: Path):
    import webdataset

    shards = json.loads((folder / "shards.json").read_text())["all"]
    data = webdataset.WebDataset([str(folder / name) for name in shards], shardshuffle=False).decode()
    rows = sorted(((s["json"]["id"], s["json"], s["functionals.npy"]) for s in data), key=lambda row: row[0])
    roles = np.asarray([list(row[1]["roles"].values()) for row in rows])
    return [row[0] for row in rows], [row[1]["emotion"] for row in rows], np.stack([row[2] for row in rows]), roles


def read_lhotse(folder: Path):
    import os

    import lhotse

    os.chdir(folder)
    cuts = sorted(lhotse.CutSet.from_file("cuts.jsonl.gz"), key=lambda cut: cut.id)
    labels = [cut.supervisions[0].custom["emotion"] for cut in cuts]
    roles = np.asarray([list(cut.roles.values()) for cut in cuts])
    return [cut.id for cut in cuts], labels, np.stack([cut.load_functionals() for cut in cuts]), roles


def read_croissant(folder: Path):
    import mlcroissant

    data = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    names = json.loads((folder / "serprep.json").read_text())["labels"]
    rows = list(data.records("utterances"))
    roles = np.asarray([[cell.decode() for key, cell in row.items() if "/role_" in key] for row in rows])
    labels = [names[row["utterances/emotion"]] for row in rows]
    values = np.stack([np.float32(row["utterances/functionals"]) for row in rows])
    return [row["utterances/id"].decode() for row in rows], labels, values, roles


def ravdess(folder: Path) -> None:
    """All forms of all eight emotions."""
    values = {
        "dataset": {"path": str(folder / "set")},
        "corpus": {"reader": "ravdess", "root": str(CORPORA / "ravdess")},
    }
    store = open_store(build(recipe_from(values, folder=folder, name="ravdess"), quiet=False).store)
    split = make_split(store.manifest(), SplitConfig(protocol="group-k-fold", folds=6))
    path = write_split(split, folder / "split.json")
    expected = store.read("functionals", slice(None))[0]
    roles = np.asarray([split.utterances[name].roles for name in store.ids])
    print(f"{len(store)} utterances, {len(store.labels)} labels, {len(split.folds)} folds", flush=True)
    print("form            MB  seconds  peak MB  differences in names, labels, values, roles", flush=True)
    for form in FORMS:
        about = measured(store.path, form, folder / form, path)
        ids, labels, read, given = globals()[f"read_{form}"](folder / form)
        differences = (
            sum(a != b for a, b in zip(ids, store.ids, strict=True)),
            sum(a != b for a, b in zip(labels, store.emotions, strict=True)),
            int((read.view(np.uint32) != expected.view(np.uint32)).sum()),
            int((given != roles).sum()),
        )
        print(f"{form:<12} {about['MB']:6.1f} {about['seconds']:8.1f} {about['peak']:8.0f}  {differences}", flush=True)


def inflated(store: Store, path: Path, n: int) -> str:
    """A store of `n` utterances with the attributes of a small one."""
    attributes = {k: v for k, v in store.attributes.items() if k not in ("files", "seal")} | {"n_utterances": n}
    attributes["version"] = f"{n:064x}"
    opened = Store(store.path)
    opened.attributes = attributes
    n_rows = {table.name: n for table in store.tables}
    specs = sorted(opened.specs(n_rows, numbers=store.numbers), key=lambda spec: spec.name)

    def small(spec):
        name = spec.name.removeprefix("utterances/")
        if name == "id":
            return np.asarray([f"u{i:06}" for i in range(n)], object)
        if spec.name.endswith("offsets"):
            return np.arange(n + 1)
        values = store._read(spec.name)
        return values if spec.shape == values.shape else np.resize(values, spec.shape)

    def blocks():
        rng = np.random.default_rng(0)
        for spec in specs:
            for first in range(0, spec.shape[0], spec.shard) if spec.is_large else ():
                rows = min(spec.shard, spec.shape[0] - first)
                yield spec, first, rng.random((rows, *spec.shape[1:])).astype(spec.dtype)

    CONTAINERS["zarr"].write(path, specs, attributes, small, blocks())
    return str(path)


def smallest(folder: Path) -> Store:
    """A store of made-up recordings, one segment of 30 and one of 50 frames and 88 functionals each."""
    from serprep.testing import write_synthetic_corpus

    write_synthetic_corpus(folder / "corpus", n_speakers=8, n_texts=1)
    values = {
        "dataset": {"path": str(folder / "data")},
        "corpus": {
            "reader": "pattern",
            "root": str(folder / "corpus"),
            "pattern": "{emotion}/{speaker}_{text}_{take}.wav",
        },
        "features": {"functionals": {"enabled": False}, "egemaps": {}},
    }
    return open_store(build(recipe_from(values, folder=folder, name="synthetic"), quiet=True).store)


def synthetic(folder: Path) -> None:
    """Memory of 5 000 and 50 000 utterances."""
    small = smallest(folder)
    stores = {n: inflated(small, folder / f"{n}.zarr", n) for n in (5_000, 50_000)}
    print("form         MB at 50000  seconds  peak MB at 5000  at 50000", flush=True)
    for form in FORMS:
        few, many = (measured(store, form, folder / f"{form}-{n}", None) for n, store in stores.items())
        print(
            f"{form:<12} {many['MB']:11.1f} {many['seconds']:8.1f} {few['peak']:16.0f} {many['peak']:9.0f}", flush=True
        )
        subprocess.run(["rm", "-rf", *(str(folder / f"{form}-{n}") for n in stores)], check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        {"ravdess": ravdess, "synthetic": synthetic}[sys.argv[1]](Path(temporary))
