"""The pairs that one model of the corpus is measured on, of each task, subset, n and γ, and those that all of them share.

Models of the corpus leave out different pairs, those that they give no probability. Measured each on its own pairs they may
differ by the pairs alone; so what compares them is computed on the pairs that all of them score (``common``), and each one's
own pairs (``own``) stand beside that.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.measures.modes import Mode
from analysis.measures.pair_arrays import CorpusScore, ModelScore, PairArrays

TASKGRAM = "taskgram"
SMOOTHED = "taskgram_smoothed"
"""Gives every pair a probability, so that those which no document holds are not left out."""
ALL_MINED = -1.0
"""As γ: no threshold, every pair of the table."""
LEAST_PAIRS = 3

Gammas = Sequence[float] | Mapping[int, Sequence[float]] | None
PairSet = Literal["common", "own"]
PAIR_SETS: tuple[PairSet, ...] = ("common", "own")


class Selection(NamedTuple):
    """The pairs that one model of the corpus is measured on, and its log P(y | x) of them."""

    task: str
    subset: str
    n: int
    gamma: float
    corpus_model: str
    places: NDArray[np.int64]
    log_prob: NDArray[np.float64]
    shared: NDArray[np.bool_]
    """Which of the places every model of the corpus scores."""
    dissimilar: NDArray[np.int64]
    zero: NDArray[np.int64]
    """Places left out: by γ, and of those that pass it the ones without a probability."""

    def of(self, pair_set: PairSet) -> "Selection":
        """All of its own pairs, or those that it shares with every other."""
        return self if pair_set == "own" else self.only(self.shared)

    def only(self, which: NDArray[np.bool_]) -> "Selection":
        """The marked ones of its places."""
        return self._replace(places=self.places[which], log_prob=self.log_prob[which], shared=self.shared[which])


class Comparison(NamedTuple):
    """What a measure is computed of, a value a row."""

    arrays: list[NDArray[np.float64]]
    """The model's and the corpus's log P, and the controls: documents that hold y, its tokens, documents that hold x."""
    example: NDArray[np.int64]
    """The example of each row."""
    pair: NDArray[np.int64]
    """The pair of each row, which rows of other examples may share: both ways rows depend on each other."""
    weights: NDArray[np.float64]
    """How much each row counts: 1, or where a pair counts once, one over the number of its rows."""

    @property
    def size(self) -> dict[str, int]:
        """The columns of tables that say how much an estimate rests on."""
        return {"num_pairs": round(self.weights.sum()), "num_examples": len(np.unique(self.example))}

    @property
    def clusters(self) -> dict[str, Any]:
        """What a bootstrap resamples."""
        return {"clusters": self.example, "also": self.pair, "weights": self.weights}


def select(
    of_pairs: PairArrays,
    corpus: Mapping[str, CorpusScore],
    mode: Mode,
    gammas: Gammas,
    by_subset: bool,
) -> Iterator[list[Selection]]:
    """The pairs of each task, subset, n and γ: a selection for each model of the corpus."""
    scores = {TASKGRAM: taskgram_score(of_pairs, mode), **{name: corpus[name] for name in corpus if name != TASKGRAM}}
    pair_counts, _ = mode.pair_counts(of_pairs.counts)
    scored: dict[str, NDArray[np.bool_]] = {}
    for name, (log_prob, zero) in scores.items():
        without = ~np.isfinite(log_prob) | (zero & (name == TASKGRAM or not mode.skip_zero_tokens))
        if mode.nonzero_pairs and name != SMOOTHED:
            without |= pair_counts == 0
        scored[name] = ~without
    by_all = reduce(np.logical_and, scored.values())
    for task, subset, n, of_group in of_pairs.groups(by_subset):
        listed = gammas.get(n, ()) if isinstance(gammas, Mapping) else gammas
        for gamma in [ALL_MINED] if listed is None else sorted({mode.threshold(gamma) for gamma in listed}):
            similar = np.ones(len(of_group), bool) if listed is None else of_pairs.similarity > gamma
            selections = []
            for name, (log_prob, _) in scores.items():
                places = np.flatnonzero(of_group & similar & scored[name])
                out = np.flatnonzero(of_group & ~similar), np.flatnonzero(of_group & similar & ~scored[name])
                selections.append(Selection(task, subset, n, gamma, name, places, log_prob[places], by_all[places], *out))
            yield selections


def taskgram_score(of_pairs: PairArrays, mode: Mode) -> CorpusScore:
    """log (C(pair) / C(x)) of each pair: P_{n,D} of the paper. Equal ratios are equal numbers, so that they tie in rank."""
    pair, context = (counts.astype(np.float64) for counts in mode.pair_counts(of_pairs.counts))
    zero = (pair == 0) | (context == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return CorpusScore(np.where(zero, -np.inf, np.log(pair / context)), zero)


def read_by_all(selection: Selection, models: Sequence[ModelScore]) -> Selection:
    """Those of the selected pairs that every one of the models has read."""
    return selection.only(np.logical_and.reduce([model.read[selection.places] for model in models]))


def comparison(of_pairs: PairArrays, selection: Selection, model: ModelScore, mode: Mode) -> Comparison:
    """The model's and the corpus's log P of the selected pairs, the controls, and the example of each."""
    places = selection.places
    arrays = [
        model.log_prob[places],
        selection.log_prob,
        of_pairs.counts["y_documents"][places].astype(np.float64),
        model.num_tokens[places].astype(np.float64),
        of_pairs.counts["x_documents"][places].astype(np.float64),
    ]
    example, pair = of_pairs.example[places], of_pairs.pair[places]
    if mode.average_by_target:
        _, first, group = np.unique(of_pairs.target[places], return_index=True, return_inverse=True)
        arrays, example, pair = [_means(array, group) for array in arrays], example[first], of_pairs.answer[places][first]
    weights = np.ones(len(example))
    if mode.distinct_pairs:
        _, group, sizes = np.unique(pair, return_inverse=True, return_counts=True)
        arrays, weights = [_means(array, group)[group] for array in arrays], 1 / sizes[group]
    return Comparison(arrays, example, pair, weights)


def _means(array: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(group, array) / np.bincount(group)
