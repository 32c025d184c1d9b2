"""Two builds, two taggers and two collectors of garbage against one bucket at once: a proof for docs/proofs.md.

Each is a process that goes through the rounds in step with the others.  What is a day for a collector is a minute
here, so that what earlier rounds left is garbage while later ones work.  After each round every version that was built
or tagged in it is verified, and of two taggers of one name exactly one was told that it has it.

Alone: ``python benchmarks/bucket.py [--rounds N] [--old S] [--server NAME]``.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from servers import SERVERS

DATASET = "s3://lab/set"
N_FILES = 8
OLD = 60.0  # seconds after which something is garbage
ROLES = ("build", "build", "tag", "tag", "gc", "gc")


class Here:
    """Workers that are this process."""

    n_workers = 1

    def run(self, function: Callable[[Any], Any], items: Sequence[Any], *, once: bool = False) -> Iterator[Any]:
        """Each item in turn."""
        return ((number, function(item)) for number, item in enumerate(items))


def recipe(root: str, chosen: int) -> Any:
    """All recordings but those of the bits of `chosen`."""
    from serprep.recipe import recipe_from

    exclude = Path(root, f"{chosen}.txt")
    exclude.write_text("".join(f"{i}\n" for i in range(N_FILES) if chosen >> i & 1), encoding="utf-8")
    values = {
        "dataset": {"path": DATASET},
        "corpus": {"reader": "pattern", "root": root, "pattern": "{id}.wav", "exclude": str(exclude)},
        "features": {"functionals": {"enabled": False}},
    }
    return recipe_from(values, folder=Path(root), name="bucket")


def act(role: str, number: int, around: int, *, root: str) -> str:
    """What one of the six does in a round; what came of it."""
    from serprep.dataset.garbage import gc
    from serprep.dataset.tag import tag
    from serprep.errors import SerprepError
    from serprep.pipeline.build import build
    from serprep.version import tags, version_named, versions

    try:
        if role == "build":  # in every fifth round the same version
            chosen = 2 * around + (number if around % 5 else 0)
            return build(recipe(root, chosen % 255), pool=Here()).version  # type: ignore[arg-type]
        if role == "tag":  # what nobody has tagged yet, perhaps garbage: the oldest and the newest
            free = [name for name in versions(DATASET) if version_named(name) not in tags(DATASET).values()]
            return f"has {tag(DATASET, version_named(sorted(free)[-number]), f'round{around}').version}" if free else ""
        return f"{len(gc(DATASET, yes=True).stores)} stores"
    except SerprepError as error:
        return f"told: {error}"


def process(number: int, endpoint: str, root: str, old: float, rounds: int, barrier: Any, results: Any) -> None:
    """One of the six, through all rounds."""
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    from serprep.cache import collect
    from serprep.dataset import garbage

    collect.YOUNG = garbage.YOUNG = old
    role = ROLES[number]
    for around in range(rounds):
        barrier.wait(600)
        try:
            said = act(role, number % 2, around, root=root)
        except BaseException as error:  # a bug, to be shown
            said = f"BUG: {type(error).__name__}: {error}"
        results.put((around, number, said))
        barrier.wait(600)


def judge(around: int, said: dict[int, str], *, all_tagged: bool) -> tuple[Counter[str], list[str]]:
    """What happened in a round, and what is wrong with it, or with anything that was ever tagged."""
    from serprep.store.verify import verify
    from serprep.version import tags, version_named, versions

    counts, wrong = Counter[str](), []
    for number, words in said.items():
        role = ROLES[number]
        if words.startswith(("BUG", "told")) and role != "tag":
            wrong.append(f"{role}: {words}")
        counts[f"{role}, told no" if words.startswith("told") else role] += words != ""
    named = tags(DATASET)
    winners = [words.removeprefix("has ") for number, words in said.items() if words.startswith("has ")]
    if len(set(winners)) > 1 or any(named.get(f"round{around}") != version for version in winners):
        wrong.append(f"tags: {winners} were told that they have it, and {named.get(f'round{around}')} has it")
    built = {words for number, words in said.items() if ROLES[number] == "build" and " " not in words}
    there = {version_named(name) for name in versions(DATASET)}
    wrong += [f"{name}: {version[:12]} is gone" for name, version in named.items() if version not in there]
    wrong += [f"built: {version[:12]} is gone" for version in built - there]
    for version in {*built, *winners, *(named.values() if all_tagged else ())} & there:
        try:
            problems = verify(f"{DATASET}@{version}").problems
            wrong += [f"{version[:12]}: {problem.place}: {problem.message}" for problem in problems]
        except ValueError as error:
            wrong.append(f"{version[:12]}: {error}")
    return counts, wrong


def race(say: Callable[[str], None], *, rounds: int = 50, old: float = OLD, server: str = "moto") -> None:
    """All rounds, and what came of them."""
    import numpy as np
    import soundfile

    say(f"## Two builds, two taggers, two collectors of garbage and one bucket of {server}, {rounds} rounds\n")
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SERPREP_CACHE": "",
    }
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, SERVERS[server](Path(folder)) as port:
        rng = np.random.default_rng(0)
        for number in range(N_FILES):
            soundfile.write(Path(folder, f"{number}.wav"), rng.normal(0, 0.1, 8000), 16_000)
        endpoint = os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        import s3fs

        s3fs.S3FileSystem(endpoint_url=endpoint, skip_instance_cache=True).mkdir("lab")
        act("build", 0, 0, root=folder)
        context = multiprocessing.get_context("spawn")
        barrier, results = context.Barrier(len(ROLES) + 1), context.Queue()
        work = [
            context.Process(target=process, args=(number, endpoint, folder, old, rounds, barrier, results))
            for number in range(len(ROLES))
        ]
        totals, wrong, told = Counter[str](), [], Counter[str]()
        for one in work:
            one.start()
        try:
            for around in range(rounds):
                barrier.wait(600)
                barrier.wait(600)
                said = {number: words for _, number, words in (results.get(timeout=600) for _ in ROLES)}
                counts, problems = judge(around, said, all_tagged=around == rounds - 1)
                totals += counts
                refusals = (words.removeprefix("told: ") for words in said.values() if "told" in words)
                told.update(words.rpartition(": ")[2][:80] for words in refusals)
                totals["stores removed"] += sum(int(words.split()[0]) for words in said.values() if "stores" in words)
                wrong += [f"round {around}: {problem}" for problem in problems]
                print(around, json.dumps(said)[:400], problems, file=sys.stderr, flush=True)
        finally:
            for one in work:
                with suppress(Exception):
                    one.kill()
                    one.join()
    say(", ".join(f"{name} {count}" for name, count in sorted(totals.items())) + ".")
    for words, count in told.most_common(5):
        say(f"- told {count} times: {words}")
    say(f"\nLost or torn: **{len(wrong)}** ({time.monotonic() - began:.0f} s).\n")
    for line in wrong[:10]:
        say(f"- {line}")
    if wrong:
        sys.exit("something was lost or torn")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--old", type=float, default=OLD, help="seconds after which something is garbage")
    parser.add_argument("--server", choices=SERVERS, default="moto")
    given = parser.parse_args()
    race(print, rounds=given.rounds, old=given.old, server=given.server)
