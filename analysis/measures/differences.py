"""Is the task-gram model nearer to the language model than another model of the corpus is? Both on the same pairs, paired."""

from collections.abc import Sequence
from itertools import product
from math import nan
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from analysis.errors import ConfigError
from analysis.measures.chosen_pairs import LEAST_PAIRS, TASKGRAM, Gammas, comparison, read_by_all, select
from analysis.measures.modes import Mode, find_mode
from analysis.measures.pair_arrays import arrays_of_corpus_scores, arrays_of_model_scores, arrays_of_pairs
from analysis.schemas import DIFFERENCES
from analysis.stats.correlations import PARTIAL_SPEARMAN, STATISTICS
from analysis.stats.resampling import Columns, Interval, Reals, Statistic, clustered_bootstrap
from analysis.tables import table_of


def differences(
    pairs: pa.Table,
    counts: pa.Table,
    corpus_scores: pa.Table,
    model_scores: pa.Table,
    examples: pa.Table,
    *,
    mode: str | Mode = "strict",
    gammas: Gammas = None,
    statistics: Sequence[str] = ("spearman",),
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    by_subset: bool = False,
) -> pa.Table:
    """The statistic of the task-gram model less that of each other model of the corpus: Mem_n - Mem_∞, Mem_n - unigram …

    Both are computed of the same pairs, those that every model of the corpus scores, and in each resample of examples of the
    same examples. So what the two have in common cancels, and the interval is that of the difference, which two intervals
    that overlap say little of.

    Parameters
    ----------
    pairs, …, by_subset
        As for :func:`analysis.measures.correlate.correlate`.

    Returns
    -------
    pa.Table
        DIFFERENCES. Of ``kendall_distance``, which is smaller where corpus and model agree, a difference below 0 says that the
        task-gram model agrees more; of the other statistics one above 0.

    Raises
    ------
    ConfigError, TableError, MeasureError
        As for ``correlate``; pairs that are too few for an estimate have nan.
    """
    chosen_mode = find_mode(mode)
    if unknown := sorted(set(statistics) - STATISTICS.keys()):
        raise ConfigError(f"unknown statistic {unknown[0]!r}: expected {', '.join(STATISTICS)}")
    of_pairs = arrays_of_pairs(pairs, counts, examples)
    models = arrays_of_model_scores(pairs, model_scores)
    rows: list[dict[str, Any]] = []
    chosen = list(select(of_pairs, arrays_of_corpus_scores(pairs, corpus_scores), chosen_mode, gammas, by_subset))
    for selections in tqdm(chosen, desc="differences", disable=None):
        common = {selection.corpus_model: selection.of("common") for selection in selections}
        for model, against in product(models, [name for name in common if name != TASKGRAM]):
            first, second = (
                comparison(of_pairs, read_by_all(common[name], [model]), model, chosen_mode) for name in (TASKGRAM, against)
            )
            by_model, by_first, *controls = first.arrays
            about = {column: getattr(selections[0], column) for column in ("task", "subset", "n", "gamma")}
            about |= {"mode": chosen_mode.name, "corpus_model": TASKGRAM, "against": against, **model.columns, **first.size}
            for name in statistics:
                arrays = [by_model, by_first, second.arrays[1], *(controls if name == PARTIAL_SPEARMAN.name else [])]
                interval = Interval(nan, nan, nan, confidence)
                if first.size["num_pairs"] >= LEAST_PAIRS:
                    how: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
                    interval = clustered_bootstrap(difference_of(STATISTICS[name]), arrays, **first.clusters, **how)
                rows.append(about | {"statistic": name, **interval._asdict()})
    return table_of(rows, DIFFERENCES)


def difference_of(statistic: Statistic) -> Statistic:
    """The statistic of a and b less that of a and c: its arrays are a, b, c and the controls."""

    def compute(columns: Columns, weights: Reals) -> Reals:
        a, b, c, *controls = columns
        less: Reals = statistic.compute((a, b, *controls), weights) - statistic.compute((a, c, *controls), weights)
        return less

    return Statistic(f"difference of {statistic.name}", statistic.prepare, compute)
