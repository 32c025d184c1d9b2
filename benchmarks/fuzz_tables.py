"""Thousands of damaged recipes, manifests, splits and label files: only errors of one line, in bounded time.

``python benchmarks/fuzz_tables.py [KIND …] [--n 2000] [--seed 0]`` prints what was tried and what was refused;
exit status 1 if something other than a `SerprepError` came, or a message of several lines that is no list.
A few of each kind run as a test.
"""

import argparse
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from serprep.audit import audit_split
from serprep.corpora import read_corpus
from serprep.errors import SerprepError
from serprep.manifest.table import make_manifest, read_manifest, write_manifest
from serprep.ratings import read_ratings
from serprep.recipe import read_recipe
from serprep.split import SplitConfig, make_split, read_split, write_split
from serprep.testing import LAYOUTS, Text, write_layout
from serprep.utterance import Utterance

RECIPE = """[dataset]
name = "x"
path = "stores/x"
[corpus]
reader = "table"
root = "recordings"
file = "labels.csv"
[corpus.columns]
path = "file"
[corpus.emotions]
happy = "happy"
[features.logmel]
n_mels = 40
[features.segments]
short = { length = 30, hop = 20 }
[split]
protocol = "group-k-fold"
folds = 5
[train]
systems = ["plain-crnn", "compare-svm"]
seeds = [0, 1]
learning_rate = 1e-3
[train.compare-svm]
c = [1e-5, 1e-4]
[train.hsf-crnn]
layers = [128]
activation = "relu"
"""
PIECES = [
    *(b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b'"', b"'", b",", b";", b"\t", b"[", b"]"),
    *(b"{", b"}", b"=", b"\\", b"\\ud800", b"\\u0000", b"1_0", b"1,5", b"nan", b"inf", b"-1", b"1e999", b"9" * 5000),
    *(b"[" * 5000, b'{"a":' * 5000, b"a." * 3000, "١".encode(), "é".encode(), "e\u0301".encode(), b"../..", b"~", b"#"),
    *(b"\x1b[31m", "\u2028".encode(), "\U0001f600".encode(), b"true", b"null", b'""', b"0x" + b"f" * 9000, b"%s{}"),
]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One or two damages: bytes changed, cut, doubled, moved, lines lost, pieces put in, another encoding."""
    for _ in range(rng.randint(1, 2)):
        place = rng.randrange(len(data) + 1)
        other = min(len(data), place + rng.choice((1, 2, 8, 100)))
        how = rng.randrange(8)
        if how == 0:
            data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
        elif how == 1:
            data = data[:place]
        elif how == 2:
            data = data[:place] + data[other:]
        elif how == 3:
            data = data[:other] + data[place:]
        elif how == 4:
            lines = data.split(b"\n")
            rng.shuffle(lines)
            data = b"\n".join(lines[: rng.randint(0, len(lines))])
        elif how == 5:
            data = data.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le")))
        else:
            data = data[:place] + rng.choice(PIECES) + data[place if how == 6 else other :]
    return data


def _manifest() -> list[Utterance]:
    return [
        Utterance(
            id=f"u{i}",
            path=f"s{i % 4}/u{i}.wav",
            start=i / 7,
            end=i + 1.5,
            speaker=f"s{i % 4}",
            emotion="xyz"[i % 3],
            extra={"valence": str(i / 2), "text": f"t{i}"},
            duration=1.25,
            sample_rate=16_000,
            audio_digest=f"{i:064x}",
        )
        for i in range(12)
    ]


def kinds(folder: Path) -> Iterator[tuple[str, Path, Callable[[], object]]]:
    """Name, file to damage, and what reads it."""
    path = folder / "recipe.toml"
    path.write_text(RECIPE)
    yield "recipe", path, lambda: read_recipe(folder / "recipe.toml")
    manifest = make_manifest(_manifest(), {"corpus": "X", "licence": "L"})
    write_manifest(manifest, folder / "m")
    yield "manifest", folder / "m" / "utterances.csv", lambda: read_manifest(folder / "m")
    yield "manifest.json", folder / "m" / "manifest.json", lambda: read_manifest(folder / "m")
    (folder / "m" / "raters.jsonl").write_text('{"id": "u0", "rater": "r", "emotions": ["x"], "valence": 1.5}\n' * 3)
    yield "raters", folder / "m" / "raters.jsonl", lambda: read_ratings(folder / "m")
    write_split(make_split(manifest, SplitConfig()), folder / "split.json")
    yield "split", folder / "split.json", lambda: read_split(folder / "split.json")
    foreign = {
        "foreign.csv": "id,role,start\n"
        + "".join(f"u{i},{'train' if i % 2 else 'test'},{i / 7!r}\n" for i in range(12)),
        "foreign.json": '{"fold1": {"train": ["u0"], "test": ["u2"]}, "fold2": {"train": ["u2"], "test": ["u1"]}}',
        "foreign.jsonl": "".join(f'{{"key": "u{i}", "split": "{"train" if i % 2 else "test"}"}}\n' for i in range(12)),
        "foreign.txt": "u0 train\nu1 test\nu2 train\n",
    }
    for name, text in foreign.items():
        (folder / name).write_text(text)
        yield name, folder / name, lambda name=name: audit_split(manifest, folder / name)  # type: ignore[misc]
    (folder / "t").mkdir()
    rows = "".join(f"s{i % 3}/u{i}.wav,{i / 7!r},,s{i % 3},sad,2.5\n" for i in range(12))
    (folder / "t" / "labels.csv").write_text(f"path,start,end,speaker,emotion,valence\n{rows}")

    def table() -> object:
        return make_manifest(read_corpus("table", folder / "t", {"file": "labels.csv"}).utterances)

    yield "table", folder / "t" / "labels.csv", table
    for reader, layout in LAYOUTS.items():
        texts = [item.path for item in layout() if isinstance(item, Text)]
        if texts:
            write_layout(reader, folder / reader, sound=False)
        seen: Counter[str] = Counter()
        for name in texts:
            seen[str(PurePosixPath(name).parent)] += 1
            if seen[str(PurePosixPath(name).parent)] <= 2:
                yield (
                    f"{reader}/{name}",
                    folder / reader / name,
                    lambda reader=reader: make_manifest(read_corpus(reader, folder / reader).utterances),  # type: ignore[misc]
                )


def run(
    n: int, *, seed: int, only: tuple[str, ...] = (), seconds: float = 20.0, told: bool = False
) -> dict[str, Counter[str]]:
    """Kind → outcome → how often; outcomes other than "read" and "refused" are faults."""
    tallies: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind, path, read in kinds(Path(name)):
            if only and not kind.startswith(only):
                continue
            whole, rng, counts = path.read_bytes(), random.Random(f"{seed} {kind}"), Counter[str]()
            for number in range(n):
                path.write_bytes(mutate(whole, rng))
                began = time.monotonic()
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        read()
                    outcome = "read"
                except SerprepError as error:
                    lines = str(error).splitlines()
                    printable = all(line.isprintable() for line in lines)
                    outcome = "refused" if printable and len(lines) <= 12 else f"message {number}: {error!r:.300}"
                except Exception as error:
                    outcome = f"{type(error).__name__} {number}: {error!s:.200}"
                if time.monotonic() - began > seconds:
                    outcome = f"slow {number}"
                counts[outcome] += 1
            path.write_bytes(whole)
            tallies[kind] = counts
            if told:
                print(f"{kind}: {counts['read']} read, {counts['refused']} refused", flush=True)
    return tallies


def faults(tallies: dict[str, Counter[str]]) -> list[str]:
    """What must not be."""
    return [f"{kind}: {what}" for kind, counts in tallies.items() for what in counts if what not in ("read", "refused")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="beginnings of kinds, such as recipe or iemocap; default: all")
    parser.add_argument("--n", type=int, default=200, help="mutations of each file")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    tallies = run(given.n, seed=given.seed, only=tuple(given.kinds), told=True)
    wrong = faults(tallies)
    print(*wrong, sep="\n")
    print(f"{sum(map(Counter.total, tallies.values()))} mutations, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
