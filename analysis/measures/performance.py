"""A task's score by how often the corpus holds an example's pairs (arXiv 2407.14985, section 4)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.pair_arrays import arrays_of_pairs, models_of, of_model
from analysis.models.answer_scores import RIGHT_OR_WRONG
from analysis.schemas import PERFORMANCE
from analysis.stats.correlations import MEAN
from analysis.stats.resampling import Interval, clustered_bootstrap
from analysis.tables import table_of

Spacing = Literal["log", "quantile"]


def performance(
    examples: pa.Table,
    pairs: pa.Table,
    counts: pa.Table,
    generations: pa.Table,
    *,
    bins: int = 8,
    spacing: Spacing = "quantile",
    least: int = 10,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    by_subset: bool = False,
) -> pa.Table:
    """The mean score of examples in bins of their frequency: the documents that hold a pair, mean over the example's pairs.

    Parameters
    ----------
    examples, pairs, counts, generations
        Tables EXAMPLES, PAIRS, COUNTS, GENERATIONS. Each metric of ``generations`` has rows of its own. Examples without a
        pair of n words have no frequency for that n and are left out; so are those that a model did not answer.
    bins
        How many at most. All models have the same bins, and so have all subsets of a task. Empty ones are left out.
    spacing
        "quantile": of about as many examples each; "log": [0, 1), where most pairs are in no document, and ``bins - 1`` of equal
        width in the logarithm up to the highest mean.
    least
        Examples of a bin of the whole task: one of fewer is joined to the next, the last to the one before it.
    confidence, resamples, seed
        Of the interval: Wilson's (1927) of exact_match, accuracy and final_answer, which are 0 or 1; it holds its confidence
        for few examples too. Else a bootstrap of the examples, see :func:`analysis.stats.resampling.clustered_bootstrap`.
    by_subset
        Rows for each subset too.

    Returns
    -------
    pa.Table
        PERFORMANCE, bins ascending.

    Raises
    ------
    ConfigError
        Fewer than two bins, an unknown spacing, or ``least`` below 1.
    TableError
        Tables that do not belong together.
    MeasureError
        No example has both a pair and a score, or a score is nan; the message says how many.
    """
    if bins < 2 or spacing not in ("log", "quantile") or least < 1:
        raise ConfigError(
            f"{bins} bins with spacing {spacing!r} of at least {least} examples: expected 2 or more, 'log' or 'quantile', and 1 or "
            "more"
        )
    scores = scores_of_models(generations)
    of_pairs = arrays_of_pairs(pairs, counts, examples)
    names = pairs["example_id"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    rows: list[dict[str, Any]] = []
    edges: dict[tuple[str, int], NDArray[np.float64]] = {}
    for task, subset, n, chosen in of_pairs.groups(by_subset):
        example, documents = of_pairs.example[chosen], of_pairs.counts["pair_documents"][chosen]
        numbers, of_pair = np.unique(example, return_inverse=True)
        means = np.bincount(of_pair, documents) / np.bincount(of_pair)
        within = edges.setdefault(
            (task, n), _joined(means, _edges(means, bins, spacing), least)
        )  # the whole task comes before its subsets
        of_task = {names[number]: mean for number, mean in zip(numbers.tolist(), means.tolist(), strict=True)}
        for columns, metric, found in scores:
            answered = [name for name in of_task if name in found]
            frequency, score = np.array([of_task[name] for name in answered]), np.array([found[name] for name in answered])
            for low, high in pairwise(within.tolist()):
                inside = score[(frequency >= low) & (frequency < high)]
                if len(inside):
                    interval = score_interval(inside, metric, confidence, resamples, seed)
                    about = {"task": task, "subset": subset, "metric": metric, "n": n, "bin_low": low, "bin_high": high}
                    rows.append(about | columns | interval._asdict() | {"num_examples": len(inside)})
    if not rows:
        raise MeasureError("no example has both a pair in the table of pairs and a score: are they of the same task?")
    return table_of(rows, PERFORMANCE)


def score_interval(scores: NDArray[np.float64], metric: str, confidence: float, resamples: int, seed: int) -> Interval:
    """The mean of independent scores: Wilson's interval of a metric that is right or wrong, else a bootstrap's."""
    if metric not in RIGHT_OR_WRONG:
        return clustered_bootstrap(MEAN, (scores,), np.arange(len(scores)), resamples=resamples, confidence=confidence, seed=seed)
    return share_interval(scores, confidence)


def share_interval(scores: NDArray[np.float64], confidence: float) -> Interval:
    """The mean of independent zeros and ones, with Wilson's interval (1927)."""
    from scipy.stats import binomtest

    found = binomtest(int(scores.sum()), len(scores)).proportion_ci(confidence, "wilson")
    return Interval(float(scores.mean()), float(found.low), float(found.high), confidence)


def scores_of_models(generations: pa.Table) -> list[tuple[dict[str, Any], str, dict[str, float]]]:
    """(columns of the model, metric, example -> score) of each model and metric of GENERATIONS.

    Raises
    ------
    TableError
        Several scores of one example.
    MeasureError
        A score is nan.
    """
    values = generations["score"].to_numpy()
    if (bad := ~np.isfinite(values)).any():
        raise MeasureError(f"{np.count_nonzero(bad):,} of {len(bad):,} scores are nan or infinite: score the outputs again")
    return list(_by_metric(generations))


def _by_metric(generations: pa.Table) -> Iterator[tuple[dict[str, Any], str, dict[str, float]]]:
    for columns in models_of(generations):
        of_one = of_model(generations, columns)
        for metric in sorted(of_one["metric"].unique().to_pylist()):
            part = of_one.filter(pc.equal(of_one["metric"], metric))
            found = dict(zip(part["example_id"].to_pylist(), part["score"].to_pylist(), strict=True))
            if len(found) < part.num_rows:
                raise TableError(f"{columns['model']} has several scores of one example by {metric}: generate again")
            yield columns, metric, found


def _edges(means: NDArray[np.float64], bins: int, spacing: Spacing) -> NDArray[np.float64]:
    """Ascending; every mean lies in a half-open bin between two."""
    beyond = max(np.nextafter(means.max(), np.inf), 1.0)
    if spacing == "quantile":
        edges = np.unique(np.quantile(means, np.linspace(0, 1, bins + 1)[:-1]))
        return np.append(edges, beyond)
    if beyond <= 1:
        return np.array([0.0, 1.0])
    edges = np.geomspace(1, max(beyond, 2), bins)
    edges[-1] = max(beyond, 2)  # which geomspace may round down
    return np.concatenate([[0.0], edges])


def _joined(means: NDArray[np.float64], edges: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """Edges without those that would leave a bin of fewer than ``least`` means; the two outer ones stay."""
    kept = [edges[0]]
    for low in edges[1:-1]:
        if np.count_nonzero((means >= kept[-1]) & (means < low)) >= least:
            kept.append(low)
    if len(kept) > 1 and np.count_nonzero(means >= kept[-1]) < least:
        kept.pop()
    return np.array([*kept, edges[-1]])
