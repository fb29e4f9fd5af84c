"""Distributional memorization: does a language model find likely what the corpus holds often? (arXiv 2407.14985, section 3)

``Mem_n`` is Spearman's ρ of log P(y | x) by a model of the corpus and by the language model, over the pairs of a task. Each
estimate comes with the interval of a bootstrap over examples and the p-value of a permutation of examples; what is left of
it when y's frequency and length and x's frequency are held fixed is ``partial_spearman``.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import ConfigError, MeasureError
from analysis.measures.modes import Mode, find_mode
from analysis.measures.pair_arrays import (
    CorpusScore,
    ModelScore,
    PairArrays,
    arrays_of_corpus_scores,
    arrays_of_model_scores,
    arrays_of_pairs,
)
from analysis.schemas import CORRELATIONS, DROPS
from analysis.stats.correlations import PARTIAL_SPEARMAN, STATISTICS
from analysis.stats.resampling import Interval, clustered_bootstrap, permutation_p
from analysis.tables import table_of

log = logging.getLogger(__name__)

TASKGRAM = "taskgram"
SMOOTHED = "taskgram_smoothed"
"""Gives every pair a probability, so that those which no document holds are not left out."""
ALL_MINED = -1.0
"""As γ: no threshold, every pair of the table."""
LEAST_PAIRS = 3

Gammas = Sequence[float] | Mapping[int, Sequence[float]] | None


class Selection(NamedTuple):
    """The pairs that one model of the corpus is measured on, and its log P(y | x) of them."""

    task: str
    subset: str
    n: int
    gamma: float
    corpus_model: str
    places: NDArray[np.int64]
    log_prob: NDArray[np.float64]
    dissimilar: NDArray[np.int64]
    zero: NDArray[np.int64]
    """Places left out: by γ, and of those that pass it the ones without a probability."""


def correlate(
    pairs: pa.Table,
    counts: pa.Table,
    corpus_scores: pa.Table,
    model_scores: pa.Table,
    examples: pa.Table,
    *,
    mode: str | Mode = "strict",
    gammas: Gammas = None,
    statistics: Sequence[str] = tuple(STATISTICS),
    confidence: float = 0.95,
    resamples: int = 2000,
    permutations: int | None = None,
    seed: int = 0,
    by_subset: bool = False,
) -> pa.Table:
    """Correlations of what the corpus says with what each model says: for each task, n, γ and model of the corpus.

    Parameters
    ----------
    pairs, counts, corpus_scores, model_scores, examples
        Tables PAIRS, COUNTS, CORPUS_SCORES, MODEL_SCORES, EXAMPLES. The task-gram model is computed from ``counts``, as the
        mode wants it; the others are those of ``corpus_scores``.
    mode
        See :mod:`analysis.measures.modes`.
    gammas
        Thresholds of the similarity to look at, for all n or for each; None: every mined pair, γ is then given as -1.
    statistics
        Of ``spearman``, ``kendall_distance``, ``pearson``, ``partial_spearman``. The last is Spearman's with the documents
        that hold y, the tokens of y and the documents that hold x held fixed.
    confidence, resamples, seed
        See :func:`analysis.stats.resampling.clustered_bootstrap`; examples are resampled whole.
    permutations
        See :func:`analysis.stats.resampling.permutation_p`: examples exchange the corpus's scores. None: as ``resamples``; 0: no
        test, nan.
    by_subset
        Rows for each subset too.

    Returns
    -------
    pa.Table
        CORRELATIONS. Where fewer than three pairs are left the estimate is nan, and ``num_pairs`` says how many there are.

    Raises
    ------
    ConfigError
        An unknown mode or statistic.
    TableError
        Tables that do not belong together.
    MeasureError
        No pair is left anywhere, or a log-probability is nan; the message says how many.

    Notes
    -----
    O(rows of the result · resamples · pairs): 0.3 s a row for 500 pairs and 2,000 resamples.
    """
    chosen_mode = find_mode(mode)
    if unknown := sorted(set(statistics) - STATISTICS.keys()):
        raise ConfigError(f"unknown statistic {unknown[0]!r}: expected {', '.join(STATISTICS)}")
    of_pairs = arrays_of_pairs(pairs, counts, examples)
    models = arrays_of_model_scores(pairs, model_scores)
    rows = []
    selections = list(select(of_pairs, arrays_of_corpus_scores(pairs, corpus_scores), chosen_mode, gammas, by_subset))
    if not any(len(selection.places) for selection in selections):
        raise MeasureError(_nothing_left(selections))
    permutations = resamples if permutations is None else permutations
    for selection in selections:
        for model in models:
            arrays, example = comparison(of_pairs, read_by_all(selection, [model]), model, chosen_mode)
            size = {"num_pairs": len(example), "num_examples": len(np.unique(example))}
            for name in statistics:
                statistic, interval, p_value = STATISTICS[name], Interval(nan, nan, nan, confidence), nan
                used = arrays if statistic is PARTIAL_SPEARMAN else arrays[:2]
                if len(example) >= LEAST_PAIRS:
                    interval = clustered_bootstrap(statistic, used, example, resamples=resamples, confidence=confidence, seed=seed)
                    if permutations:
                        p_value = permutation_p(statistic, used, example, permutations=permutations, seed=seed)
                row = {column: getattr(selection, column) for column in ("task", "subset", "corpus_model", "n", "gamma")}
                row |= {"statistic": name, "mode": chosen_mode.name, "p_value": p_value, **interval._asdict()}
                rows.append(row | size | model.columns)
        log.info("correlated %s %s n=%d γ=%g: %s", *selection[:4], selection.corpus_model)
    return table_of(rows, CORRELATIONS)


def left_out(
    pairs: pa.Table,
    counts: pa.Table,
    corpus_scores: pa.Table,
    *,
    mode: str | Mode = "strict",
    gammas: Gammas = None,
) -> pa.Table:
    """What :func:`correlate` leaves out: a table of DROPS.

    ``stage`` is ``correlate MODE γ=GAMMA CORPUS_MODEL``; reasons are ``below_gamma``, ``zero`` (the model of the corpus gives
    no probability) and ``kept``, which add up to the pairs of the task, subset and n. Errors as for :func:`correlate`.
    """
    chosen_mode = find_mode(mode)
    of_pairs = arrays_of_pairs(pairs, counts)
    rows = []
    for selection in select(of_pairs, arrays_of_corpus_scores(pairs, corpus_scores), chosen_mode, gammas, True):
        parted = of_pairs.task == selection.task
        if not selection.subset and of_pairs.subset[parted].any():
            continue  # the whole task is the sum of its subsets
        stage = f"correlate {chosen_mode.name} γ={selection.gamma:g} {selection.corpus_model}"
        for reason, places in (("below_gamma", selection.dissimilar), ("zero", selection.zero), ("kept", selection.places)):
            size = {"num_pairs": len(places), "num_examples": len(np.unique(of_pairs.example[places]))}
            group = {"task": selection.task, "subset": selection.subset, "n": selection.n}
            rows.append({**group, "reason": reason, "stage": stage, **size})
    return table_of(rows, DROPS)


def select(
    of_pairs: PairArrays,
    corpus: Mapping[str, CorpusScore],
    mode: Mode,
    gammas: Gammas,
    by_subset: bool,
) -> Iterator[Selection]:
    """The pairs of each task, subset, n, γ and model of the corpus."""
    scores = {TASKGRAM: taskgram_score(of_pairs, mode), **{name: corpus[name] for name in corpus if name != TASKGRAM}}
    pair_counts, _ = mode.pair_counts(of_pairs.counts)
    for task, subset, n, of_group in of_pairs.groups(by_subset):
        listed = gammas.get(n, ()) if isinstance(gammas, Mapping) else gammas
        for gamma in [ALL_MINED] if listed is None else sorted({mode.threshold(gamma) for gamma in listed}):
            similar = np.ones(len(of_group), bool) if listed is None else of_pairs.similarity > gamma
            for name, (log_prob, zero) in scores.items():
                without = ~np.isfinite(log_prob) | (zero & ~mode.skip_zero_tokens if name != TASKGRAM else zero)
                if mode.nonzero_pairs and name != SMOOTHED:
                    without |= pair_counts == 0
                places = np.flatnonzero(of_group & similar & ~without)
                left_out = np.flatnonzero(of_group & ~similar), np.flatnonzero(of_group & similar & without)
                yield Selection(task, subset, n, gamma, name, places, log_prob[places], *left_out)


def taskgram_score(of_pairs: PairArrays, mode: Mode) -> CorpusScore:
    """log C(pair) - log C(x) of each pair: P_{n,D} of the paper."""
    pair, context = (counts.astype(np.float64) for counts in mode.pair_counts(of_pairs.counts))
    zero = (pair == 0) | (context == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return CorpusScore(np.where(zero, -np.inf, np.log(pair) - np.log(context)), zero)


def read_by_all(selection: Selection, models: Sequence[ModelScore]) -> Selection:
    """Those of the selected pairs that every one of the models has read."""
    read = np.logical_and.reduce([model.read[selection.places] for model in models])
    return selection._replace(places=selection.places[read], log_prob=selection.log_prob[read])


def comparison(
    of_pairs: PairArrays, selection: Selection, model: ModelScore, mode: Mode
) -> tuple[list[NDArray[np.float64]], NDArray[np.int64]]:
    """The model's and the corpus's log P of the selected pairs, the controls, and the example of each."""
    places = selection.places
    arrays = [
        model.log_prob[places],
        selection.log_prob,
        of_pairs.counts["y_documents"][places].astype(np.float64),
        model.num_tokens[places].astype(np.float64),
        of_pairs.counts["x_documents"][places].astype(np.float64),
    ]
    if not mode.average_by_target:
        return arrays, of_pairs.example[places]
    _, first, group, sizes = np.unique(of_pairs.target[places], return_index=True, return_inverse=True, return_counts=True)
    return [np.bincount(group, array) / sizes for array in arrays], of_pairs.example[places][first]


def _nothing_left(selections: Sequence[Selection]) -> str:
    if not selections:
        return "no pair is left: no γ was given for any n of the pairs"
    dissimilar = max(len(selection.dissimilar) for selection in selections)
    zero = max(len(selection.zero) for selection in selections)
    return (
        f"no pair is left to correlate: up to {dissimilar:,} are not above γ, and up to {zero:,} others have no probability by "
        "the counts; lower γ, smooth, or take a larger corpus"
    )
