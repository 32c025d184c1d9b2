"""How many utterances of a speaker, without labels, do statistics per speaker need?

UA of a linear SVM on the functionals against N, the utterances of every speaker
that make their statistics: 0 is the statistics of the training part, "all" are all
utterances of the speaker.  N come first by id, as `enrol` in a recipe takes them, and at
random, which is fairer where ids begin with the emotion.  All but N = 0 is transductive.

    python benchmarks/enrolment.py examples/ravdess.toml examples/emodb.toml -o enrolment.svg

A store that is not there is built first.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from serprep._typing import FloatArray, IntArray
from serprep.metrics import confusion, ua_of
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.recipe import read_recipe
from serprep.split import Split, bind
from serprep.store.store import Store, open_store
from serprep_models.beforehand import split_of
from serprep_models.standardise import CLIP, Moments, Ranks, moments
from serprep_models.statistics import Speakers
from serprep_models.systems.svm import few_axes, fits_wide, gram

MODES = ("speaker", "speaker-rank")
C = 1e-4  # the same for all, so that only the statistics differ


def main() -> None:
    """Print a table per recipe, and write the plot if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="plot to write: .svg, .png or .pdf")
    parser.add_argument("--numbers", nargs="+", type=int, default=[1, 2, 5, 10, 20], metavar="N")
    parser.add_argument("--draws", type=int, default=3, help="random choices of the N utterances; default: 3")
    given = parser.parse_args()
    curves: dict[str, dict[tuple[str, str], dict[int, list[float]]]] = {}
    for path in given.recipes:
        corpus = Corpus.of(path)
        curve = curves[corpus.name] = measure(corpus, given.numbers, given.draws)
        print(
            f"\n{corpus.name}: UA of a linear SVM, %, {len(corpus.values)} utterances, "
            f"{len(set(corpus.store.speakers))} speakers, {len(corpus.split.folds)} folds\n"
        )
        print_table(curve)
    if given.output:
        plot(curves, given.output)
        print(f"\n{given.output}")


class Corpus:
    """The functionals of a store, and its folds."""

    @classmethod
    def of(cls, path: Path) -> "Corpus":
        """That of a recipe, built where it is not there."""
        recipe = read_recipe(path)
        with Workers(None) as pool:
            store = open_store(build(recipe, pool=pool, quiet=False).store)
        return cls(recipe.dataset.name, store, split_of(recipe, store.manifest()))

    def __init__(self, name: str, store: Store, split: Split) -> None:
        self.name, self.store, self.split, self.labels = name, store, split, store.labels
        self.values: FloatArray = store.read_functionals(slice(None))
        self.emotions = store.emotions
        self.speakers = Speakers.of(store.ids, store.speakers)
        bound = bind(split, store.manifest())
        self.folds = [(bound.rows(k, "train"), bound.rows(k, "test")) for k in range(len(split.folds))]

    def ua(self, standardised: Iterator[FloatArray]) -> float:
        """UA pooled over folds; what is given are all functionals as each fold sees them."""
        place = {label: number for number, label in enumerate(self.labels)}
        truth, predicted = [], []
        known, products = None, self.values
        for (train, test), values in zip(self.folds, standardised, strict=True):
            labels = np.array([place[self.emotions[row]] for row in train])
            if values is not known:  # statistics of speakers are the same for all folds
                known, products = values, gram(values)
                few = few_axes(products)
            ((weights, bias),) = fits_wide(
                products, np.array(train), labels, few=few, c=[C], n_labels=len(place), balance="weights"
            )
            truth += [self.emotions[row] for row in test]
            predicted += [self.labels[k] for k in (products[test] @ weights.T + bias).argmax(axis=1)]
        return ua_of(confusion(truth, predicted, self.labels))

    def by_training(self) -> Iterator[FloatArray]:
        """The functionals by statistics of each fold's training part."""
        for train, _ in self.folds:
            yield moments([self.values[train]]).apply(self.values, clip=CLIP)

    def by_speaker(self, mode: str, enrolled: list[IntArray]) -> Iterator[FloatArray]:
        """The functionals by some utterances of each speaker, the same for every fold."""
        out = np.empty_like(self.values)
        for number, known in enumerate(enrolled):
            own = np.flatnonzero(self.speakers.numbers == number)
            how: Moments | Ranks = Ranks.of(self.values[known]) if mode == MODES[1] else moments([self.values[known]])
            out[own] = how.apply(self.values[own], clip=CLIP)
        return (out for _ in self.folds)


def measure(corpus: Corpus, numbers: list[int], n_draws: int) -> dict[tuple[str, str], dict[int, list[float]]]:
    """(mode, order) → N → UA of each draw; N is 0 for statistics of training, and -1 for all utterances."""
    by_id = corpus.speakers.enrolled
    trained = corpus.ua(corpus.by_training())
    curve: dict[tuple[str, str], dict[int, list[float]]] = {}
    for mode in MODES:
        whole = corpus.ua(corpus.by_speaker(mode, list(by_id)))
        curve[mode, "first by id"] = {0: [trained]}
        curve[mode, "at random"] = {0: [trained]}
        for n in numbers:
            curve[mode, "first by id"][n] = [corpus.ua(corpus.by_speaker(mode, [rows[:n] for rows in by_id]))]
            curve[mode, "at random"][n] = []
            for draw in range(n_draws):
                rng = np.random.default_rng([draw, n])
                chosen = [rng.permutation(rows)[:n] for rows in by_id]
                curve[mode, "at random"][n].append(corpus.ua(corpus.by_speaker(mode, chosen)))
        for order in ("first by id", "at random"):
            curve[mode, order][-1] = [whole]
    return curve


def print_table(curve: dict[tuple[str, str], dict[int, list[float]]]) -> None:
    """One row per mode and order, one column per N."""
    numbers = list(next(iter(curve.values())))
    print("| standardisation | N utterances | " + " | ".join(_name(n) for n in numbers) + " |")
    print("| --- | --- |" + " ---: |" * len(numbers))
    for (mode, order), row in curve.items():
        cells = [f"{100 * np.mean(row[n]):.1f}" for n in numbers]
        print(f"| {mode} (transductive) | {order} | " + " | ".join(cells) + " |")


def _name(n: int) -> str:
    return "train" if n == 0 else "all" if n < 0 else str(n)


def plot(curves: dict[str, dict[tuple[str, str], dict[int, list[float]]]], path: Path) -> None:
    """UA against N, one panel per corpus; bars are the range of the draws."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(curves), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(curves), sharey=True))
    for axes, (corpus, curve) in zip(panels, curves.items(), strict=True):
        for (mode, order), row in curve.items():
            numbers = [n for n in row if n]
            means = [100 * float(np.mean(row[n])) for n in numbers]
            spread = [
                [m - 100 * min(row[n]) for m, n in zip(means, numbers, strict=True)],
                [100 * max(row[n]) - m for m, n in zip(means, numbers, strict=True)],
            ]
            colour = "#0072B2" if mode == MODES[0] else "#D55E00"
            style = "-" if order == "at random" else ":"
            axes.errorbar(
                range(len(numbers)),
                means,
                spread,
                color=colour,
                linestyle=style,
                marker="o",
                markersize=4,
                label=f"{mode}, {order}",
            )
        axes.axhline(100 * row[0][0], color="#444444", linestyle="--", linewidth=1, label="train, not transductive")
        axes.set_xticks(range(len(numbers)), [_name(n) for n in numbers])
        axes.set_title(corpus, loc="left")
        axes.set_xlabel("utterances of a speaker in the statistics (transductive)")
        axes.grid(axis="y", color="#e8ebef")
    panels[0].set_ylabel("UA of a linear SVM, %")
    panels[0].legend(frameon=False, fontsize=8)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "serprep"}):  # text stays text
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
