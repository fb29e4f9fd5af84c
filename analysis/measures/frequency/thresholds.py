"""How many documents must say a thing until a model is right about it (Kandpal et al. 2023; Merullo et al. 2025).

Kandpal et al. show accuracy rising with the documents that hold a question's entity and its answer's; Merullo et al. find that a
capability comes about beyond a frequency that differs between models. Here both are one curve, of an example whose pairs stand in
c documents on average:

    P(right) = 1 / (1 + exp(-(a + b log₁₀(1 + c))))

``slope`` is b, in logits for ten times the documents; ``half`` is the c at which half of the answers are right,
10^(-a / b) - 1. Its interval is Fieller's (1954) for a ratio of estimates that depend on each other: unbounded where the slope
could be zero, for then nobody knows where half is.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import inf, log10, nan
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from analysis.errors import MeasureError
from analysis.measures.pair_arrays import arrays_of_pairs
from analysis.measures.performance import scores_of_models
from analysis.measures.size_trend import ladders, trend_p, trends
from analysis.models.answer_scores import RIGHT_OR_WRONG
from analysis.schemas import THRESHOLD_TRENDS, THRESHOLDS
from analysis.stats.logistic import LogisticFit, logistic
from analysis.stats.resampling import Columns, Interval, Reals, Statistic, clustered_bootstrap
from analysis.tables import table_of

NOT_RIGHT_OR_WRONG = f"no metric of these answers is right or wrong: thresholds need one of {', '.join(sorted(RIGHT_OR_WRONG))}"
LEAST = 3
"""Right answers, and wrong ones, without which there is no curve."""


class Answered(NamedTuple):
    """How often each example's answer is told, and whether a model gave it."""

    about: dict[str, Any]
    """Columns of the table: task, subset, metric, n, frequency, and those of the model."""
    documents: NDArray[np.float64]
    right: NDArray[np.float64]
    example: NDArray[np.str_]


class Thresholds(NamedTuple):
    """The tables THRESHOLDS and THRESHOLD_TRENDS."""

    models: pa.Table
    trends: pa.Table


def thresholds(
    examples: pa.Table,
    pairs: pa.Table,
    counts: pa.Table,
    generations: pa.Table,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    by_subset: bool = False,
) -> Thresholds:
    """The curve of each model over the documents that hold an example's pairs, mean over its pairs of n words.

    Parameters
    ----------
    examples, pairs, counts, generations
        Tables EXAMPLES, PAIRS, COUNTS, GENERATIONS; of the last the metrics that are right or wrong.
    confidence, resamples, seed
        Of the intervals; resamples of those of the trend.
    by_subset
        Rows for each subset too.

    Raises
    ------
    MeasureError
        No metric is right or wrong; or as for :func:`analysis.measures.performance.performance`.
    """
    of_pairs = arrays_of_pairs(pairs, counts, examples)
    names = pairs["example_id"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    scores = [found for found in scores_of_models(generations) if found[1] in RIGHT_OR_WRONG]
    if not scores:
        raise MeasureError(NOT_RIGHT_OR_WRONG)
    answered = []
    for task, subset, n, chosen in of_pairs.groups(by_subset):
        numbers, of_pair = np.unique(of_pairs.example[chosen], return_inverse=True)
        means = np.bincount(of_pair, of_pairs.counts["pair_documents"][chosen]) / np.bincount(of_pair)
        for columns, metric, found in scores:
            known = [(names[number], mean) for number, mean in zip(numbers.tolist(), means.tolist(), strict=True)]
            told = [(name, mean, found[name]) for name, mean in known if name in found]
            about = {"task": task, "subset": subset, "metric": metric, "n": n, "frequency": "pairs", **columns}
            answered.append(of_rows(about, told))
    return thresholds_of(answered, confidence=confidence, resamples=resamples, seed=seed)


def of_rows(about: dict[str, Any], rows: Iterable[tuple[str, float, float]]) -> Answered:
    """Of (example, documents, right or wrong)."""
    listed = list(rows)
    example = np.array([name for name, _, _ in listed], np.str_)
    documents, right = (np.array([row[place] for row in listed], np.float64) for place in (1, 2))
    return Answered(about, documents, right, example)


def thresholds_of(answered: Sequence[Answered], *, confidence: float, resamples: int, seed: int) -> Thresholds:
    """The curve of each, and over the sizes of models how the threshold changes; see :func:`thresholds`."""
    rows = [row for one in answered for row in _curve(one, confidence)]
    over_sizes = []

    def group(one: Answered) -> tuple[Any, ...]:
        return tuple(one.about[name] for name in ("task", "subset", "metric", "n", "frequency"))

    grouped = [list(some) for _, some in groupby(sorted(answered, key=group), group)]
    for some in tqdm(grouped, desc="thresholds over sizes", disable=None):
        for (of_family, _), ladder in ladders(some, lambda one: one.about).items():
            over_sizes.append({"family": of_family, **_trend(ladder, confidence, resamples, seed)})
    return Thresholds(table_of(rows, THRESHOLDS), table_of(over_sizes, THRESHOLD_TRENDS))


def predictor(documents: NDArray[np.float64]) -> NDArray[np.float64]:
    """log₁₀(1 + c): documents of none are its zero."""
    return np.log10(1 + documents)


def _curve(one: Answered, confidence: float) -> list[dict[str, Any]]:
    about = {**one.about, "num_examples": len(one.right), "num_right": int(one.right.sum())}
    slope = half = Interval(nan, nan, nan, confidence)
    p_value = nan
    x = predictor(one.documents)
    if min(one.right.sum(), (1 - one.right).sum()) >= LEAST and len(np.unique(x)) > 1:
        from scipy.stats import chi2, norm

        fit = logistic(x, one.right)
        z, error = float(norm.ppf((1 + confidence) / 2)), float(np.sqrt(fit.covariance[0, 1, 1]))
        slope = Interval(float(fit.slope[0]), float(fit.slope[0]) - z * error, float(fit.slope[0]) + z * error, confidence)
        p_value = float(chi2.sf((fit.slope[0] / error) ** 2, 1))
        half = half_of(fit, z, confidence)
    return [
        {**about, "quantity": "slope", **slope._asdict(), "p_value": p_value},
        {**about, "quantity": "half", **half._asdict(), "p_value": nan},
    ]


def half_of(fit: LogisticFit, z: float, confidence: float) -> Interval:
    """The documents at which half are right, with Fieller's interval; (0, ∞) where the slope could be zero or falls."""
    a, b, covariance = float(fit.intercept[0]), float(fit.slope[0]), fit.covariance[0]
    if b <= 0:
        return Interval(inf, 0.0, inf, confidence)
    estimate = _documents(-a / b)
    quadratic = b * b - z * z * covariance[1, 1]
    if quadratic <= 0:
        return Interval(estimate, 0.0, inf, confidence)
    linear, constant = 2 * (a * b - z * z * covariance[0, 1]), a * a - z * z * covariance[0, 0]
    root = np.sqrt(max(linear * linear - 4 * quadratic * constant, 0.0))
    low, high = ((-linear - root) / (2 * quadratic), (-linear + root) / (2 * quadratic))
    return Interval(estimate, _documents(low), _documents(high), confidence)


def _documents(place: float) -> float:
    """The inverse of :func:`predictor`; no fewer than none, and beyond all numbers infinitely many."""
    return max(10.0**place - 1, 0.0) if place < 300 else inf


def _trend(ladder: Sequence[Answered], confidence: float, resamples: int, seed: int) -> dict[str, Any]:
    """How the logarithm of the threshold changes for ten times the parameters, over the examples that all models answered."""
    common = sorted(set.intersection(*(set(one.example.tolist()) for one in ladder)))
    places = [np.argsort(one.example)[np.searchsorted(np.sort(one.example), common)] for one in ladder]
    sizes = np.array([log10(one.about["num_parameters"]) for one in ladder])
    about = {name: ladder[0].about[name] for name in ("task", "subset", "metric", "n", "frequency", "revision")}
    about |= {"num_models": len(ladder), "num_examples": len(common)}
    rights = [one.right[place] for one, place in zip(ladder, places, strict=True)]
    interval, p_value = Interval(nan, nan, nan, confidence), nan
    if common and all(min(right.sum(), (1 - right).sum()) >= LEAST for right in rights):
        x = predictor(ladder[0].documents[places[0]])
        statistic = _slope_of_thresholds(sizes, float(x.max()) + 1)
        how: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
        interval = clustered_bootstrap(statistic, [x, *rights], np.arange(len(common)), **how)
        values = _halves((x, *rights), np.ones((1, len(common))), float(x.max()) + 1)[0]
        p_value = trend_p(values, sizes, seed)
    return about | interval._asdict() | {"p_value": p_value}


def _slope_of_thresholds(sizes: NDArray[np.float64], most: float) -> Statistic:
    def compute(columns: Columns, weights: Reals) -> Reals:
        return trends(_halves(columns, weights, most), sizes, "slope")

    return Statistic("slope of thresholds", lambda *arrays: arrays, compute)


def _halves(columns: Columns, weights: Reals, most: float) -> Reals:
    """log₁₀ of the threshold of each resample and model, between 0 and ``most``, a decade beyond all counts: as good as none."""
    x, *rights = columns
    found = []
    for right in rights:
        fit = logistic(x, right, weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.where(fit.slope > 0, np.clip(-fit.intercept / fit.slope, 0.0, most), most))
    return np.stack(found, axis=1)
