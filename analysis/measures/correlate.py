"""Distributional memorization: does a language model find likely what the corpus holds often? (arXiv 2407.14985, section 3)

``Mem_n`` is Spearman's ρ of log P(y | x) by a model of the corpus and by the language model, over the pairs of a task. Each
estimate comes with the interval of a bootstrap over examples and pairs and the p-value of a permutation of examples; what is
left of it when y's frequency and length and x's frequency are held fixed is ``partial_spearman``.
"""

import logging
from collections.abc import Sequence
from itertools import chain
from math import nan
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from analysis.errors import ConfigError, MeasureError
from analysis.measures.chosen_pairs import LEAST_PAIRS, PAIR_SETS, Comparison, Gammas, Selection, comparison, read_by_all, select
from analysis.measures.modes import Mode, find_mode
from analysis.measures.pair_arrays import arrays_of_corpus_scores, arrays_of_model_scores, arrays_of_pairs
from analysis.schemas import CORRELATIONS, DROPS
from analysis.stats.correlations import PARTIAL_SPEARMAN, STATISTICS
from analysis.stats.resampling import Interval, clustered_bootstrap, permutation_p
from analysis.tables import table_of

log = logging.getLogger(__name__)


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
        See :func:`analysis.stats.resampling.clustered_bootstrap`; examples are resampled whole, and pairs that several hold.
    permutations
        See :func:`analysis.stats.resampling.permutation_p`: examples exchange the corpus's scores. None: as ``resamples``; 0: no
        test, nan.
    by_subset
        Rows for each subset too.

    Returns
    -------
    pa.Table
        CORRELATIONS, each row of ``common`` pairs, those that all models of the corpus score, before that of its ``own``. Where
        fewer than three pairs are left the estimate is nan, and ``num_pairs`` says how many there are.

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
    corpus = arrays_of_corpus_scores(pairs, corpus_scores)
    selections = list(chain.from_iterable(select(of_pairs, corpus, chosen_mode, gammas, by_subset)))
    if not any(len(selection.places) for selection in selections):
        raise MeasureError(_nothing_left(selections))
    permutations = resamples if permutations is None else permutations
    how: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "permutations": permutations, "seed": seed}
    for selection in tqdm(selections, desc=f"correlations, {chosen_mode.name}", disable=None):
        for model in models:
            about = {column: getattr(selection, column) for column in ("task", "subset", "corpus_model", "n", "gamma")}
            about |= {"mode": chosen_mode.name, **model.columns}
            own = read_by_all(selection, [model])
            known: dict[int, list[dict[str, Any]]] = {}  # by the number of pairs: the common ones are some of its own
            for pair_set in PAIR_SETS:
                chosen = own.of(pair_set)
                if len(chosen.places) not in known:
                    compared = comparison(of_pairs, chosen, model, chosen_mode)
                    known[len(chosen.places)] = [_estimate(compared, name, **how) for name in statistics]
                rows += [{**about, "pair_set": pair_set, **estimate} for estimate in known[len(chosen.places)]]
        log.info("correlated %s %s n=%d γ=%g: %s", *selection[:4], selection.corpus_model)
    return table_of(rows, CORRELATIONS)


def _estimate(
    compared: Comparison, name: str, *, confidence: float, resamples: int, permutations: int, seed: int
) -> dict[str, Any]:
    """One statistic of some pairs."""
    statistic, interval, p_value = STATISTICS[name], Interval(nan, nan, nan, confidence), nan
    used = compared.arrays if statistic is PARTIAL_SPEARMAN else compared.arrays[:2]
    if compared.size["num_pairs"] >= LEAST_PAIRS:
        how: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
        interval = clustered_bootstrap(statistic, used, **compared.clusters, **how)
        if permutations:
            exchanged: dict[str, Any] = {"weights": compared.weights, "permutations": permutations, "seed": seed}
            p_value = permutation_p(statistic, used, compared.example, **exchanged)
    return {"statistic": name, "p_value": p_value, **interval._asdict(), **compared.size}


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
    no probability), ``not_common`` (it does, and another does not) and ``kept``, which add up to the pairs of the task, subset
    and n. A model's own pairs are those kept and those not common. Errors as for :func:`correlate`.
    """
    chosen_mode = find_mode(mode)
    of_pairs = arrays_of_pairs(pairs, counts)
    rows = []
    corpus = arrays_of_corpus_scores(pairs, corpus_scores)
    for selection in chain.from_iterable(select(of_pairs, corpus, chosen_mode, gammas, True)):
        parted = of_pairs.task == selection.task
        if not selection.subset and of_pairs.subset[parted].any():
            continue  # the whole task is the sum of its subsets
        stage = f"correlate {chosen_mode.name} γ={selection.gamma:g} {selection.corpus_model}"
        left = {"below_gamma": selection.dissimilar, "zero": selection.zero}
        left |= {"not_common": selection.places[~selection.shared], "kept": selection.places[selection.shared]}
        for reason, places in left.items():
            size = {"num_pairs": len(places), "num_examples": len(np.unique(of_pairs.example[places]))}
            group = {"task": selection.task, "subset": selection.subset, "n": selection.n}
            rows.append({**group, "reason": reason, "stage": stage, **size})
    return table_of(rows, DROPS)


def _nothing_left(selections: Sequence[Selection]) -> str:
    if not selections:
        return "no pair is left: no γ was given for any n of the pairs"
    dissimilar = max(len(selection.dissimilar) for selection in selections)
    zero = max(len(selection.zero) for selection in selections)
    return (
        f"no pair is left to correlate: up to {dissimilar:,} are not above γ, and up to {zero:,} others have no probability by "
        "the counts; lower γ, smooth, or take a larger corpus"
    )
