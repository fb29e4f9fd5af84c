"""Correlations of what a corpus says with what a model says, as statistics that can be resampled.

Rank statistics give tied values their mean rank. Those of one value only have no correlation: nan.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.resampling import Columns, Reals, Statistic, evaluate

NEGLIGIBLE = 1e-12  # of a variance: what rounding leaves of zero


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's ρ: the correlation of ranks, mean ranks for ties. O(n log n).

    Raises
    ------
    MeasureError
        No rows, arrays of several lengths, or nan among them.

    Examples
    --------
    >>> spearman([1, 2, 3, 4], [1, 3, 2, 4])
    0.8
    """
    return evaluate(SPEARMAN, a, b)


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's r. O(n). Errors as for :func:`spearman`."""
    return evaluate(PEARSON, a, b)


def kendall_distance(a: ArrayLike, b: ArrayLike) -> float:
    """The normalised Kendall distance ``(1 - τ_b) / 2``: 0 for the same order, 1 for the reverse, ½ for independence.

    Without ties the share of pairs that stand in opposite orders. The paper's measure of distributional generalization.
    O(n log n). Errors as for :func:`spearman`.

    Examples
    --------
    >>> kendall_distance([1, 2, 3, 4], [1, 3, 2, 4]) # one pair of six
    0.16666666666666669
    """
    return evaluate(KENDALL_DISTANCE, a, b)


def partial_spearman(a: ArrayLike, b: ArrayLike, controls: Sequence[ArrayLike]) -> float:
    """The correlation of the ranks of a and b that the ranks of the controls do not explain (linearly).

    Pearson's correlation of the residuals of both after a regression on the ranks of the controls; a control of one value
    only explains nothing, and one that repeats another nothing more. nan if the controls explain a or b altogether.
    O(n log n + n · controls²). Errors as for :func:`spearman`.
    """
    return evaluate(PARTIAL_SPEARMAN, a, b, *controls)


# ---- how they are computed: columns and weights [samples, rows] -> values [samples] -------------------------------


def _as_they_are(*arrays: Reals) -> Columns:
    return arrays


def _codes(*arrays: Reals) -> Columns:
    """Each value's number among the distinct ones of its array, ascending: sorted once, ranked often."""
    return tuple(np.unique(array, return_inverse=True)[1].reshape(-1) for array in arrays)


def _ranks(codes: NDArray[np.int64], weights: Reals) -> Reals:
    """Mean ranks where each row counts as often as its weight says, up to a constant. O(rows + distinct values)."""
    samples, size = weights.shape[0], int(codes.max()) + 1
    places = codes + (np.arange(samples) * size)[:, None]
    counts = np.bincount(places.ravel(), np.ascontiguousarray(weights).ravel(), samples * size).reshape(samples, size)
    ranks: Reals = (counts.cumsum(axis=1) - counts / 2).ravel()[places]
    return ranks


def _centred(values: NDArray[np.float64], weights: Reals) -> tuple[Reals, Reals]:
    """Values less their weighted mean, and Σ w (x - mean)²: exactly 0 where no more than rounding is left of one value."""
    total = weights.sum(axis=1)
    means = np.einsum("sr,sr->s", np.broadcast_to(values, weights.shape), weights) / total
    centred: Reals = values - means[:, None]
    squares = np.einsum("sr,sr,sr->s", weights, centred, centred)
    return centred, np.where(squares > NEGLIGIBLE**2 * total * means**2, squares, 0.0)


def _ratio(numerator: Reals, denominator: Reals) -> Reals:
    ratio: Reals = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _pearson(columns: Columns, weights: Reals) -> Reals:
    (a, of_a), (b, of_b) = (_centred(column, weights) for column in columns)
    return np.clip(_ratio(np.einsum("sr,sr,sr->s", weights, a, b), np.sqrt(of_a * of_b)), -1.0, 1.0)


def _spearman(columns: Columns, weights: Reals) -> Reals:
    return _pearson(tuple(_ranks(column, weights) for column in columns), weights)


def _kendall_distance(columns: Columns, weights: Reals) -> Reals:
    """τ_b with (P - Q) from Knight's sort-based count, by samples; a row of weight w is w rows that tie with each other."""
    from analysis.stats.concordance import concordance

    a, b = columns
    order = np.argsort(a, kind="stable")
    below = np.empty(int(b.max()) + 2)
    found = np.full(len(weights), np.nan)
    for sample, weight in enumerate(weights):
        codes = b if b.ndim == 1 else b[sample]
        untied = [(weight.sum() ** 2 - (np.bincount(column, weight) ** 2).sum()) / 2 for column in (a, codes)]
        if min(untied) > 0:
            tau = concordance(order, a, codes, np.ascontiguousarray(weight), below) / np.sqrt(untied[0] * untied[1])
            found[sample] = (1 - tau) / 2
    return found


def _partial(columns: Columns, weights: Reals) -> Reals:
    """Pearson's correlation of the first two columns after a regression of both on the others."""
    centred = [_centred(column, weights)[0] for column in columns]
    covariance = np.empty((len(weights), len(columns), len(columns)))
    for i, first in enumerate(centred):
        weighted = weights * first
        for j in range(i + 1):
            covariance[:, i, j] = covariance[:, j, i] = np.einsum("sr,sr->s", weighted, centred[j])
    ab, controls = covariance[:, :2, 2:], covariance[:, 2:, 2:]
    left = covariance[:, :2, :2] - ab @ np.linalg.pinv(controls, rcond=1e-10, hermitian=True) @ ab.transpose(0, 2, 1)
    kept = np.diagonal(left, axis1=1, axis2=2)
    kept = np.where(kept > 1e-10 * np.diagonal(covariance, axis1=1, axis2=2)[:, :2], kept, 0.0)
    return np.clip(_ratio(left[:, 0, 1], np.sqrt(kept[:, 0] * kept[:, 1])), -1.0, 1.0)


def _partial_spearman(columns: Columns, weights: Reals) -> Reals:
    return _partial(tuple(_ranks(column, weights) for column in columns), weights)


def _freedman_lane(columns: Columns, weights: Reals) -> tuple[Statistic, Columns]:
    """Ranks, and in place of b's what the controls leave of them: this is what may be exchanged under the null hypothesis."""
    once, root = weights[None], np.sqrt(weights)
    a, b, *controls = (_centred(_ranks(column, once), once)[0][0] for column in columns)
    if controls:
        matrix = np.stack(controls, axis=1)
        b = b - matrix @ np.linalg.lstsq(matrix * root[:, None], b * root, rcond=1e-5)[0]
    return Statistic("partial", _as_they_are, _partial), (a, b, *controls)


def _mean(columns: Columns, weights: Reals) -> Reals:
    return _ratio(weights @ columns[0], weights.sum(axis=1))


def _share(columns: Columns, weights: Reals) -> Reals:
    return _ratio(weights @ columns[0], weights @ columns[1])


SPEARMAN = Statistic("spearman", _codes, _spearman, least=-1.0, most=1.0)
PEARSON = Statistic("pearson", _as_they_are, _pearson, least=-1.0, most=1.0)
KENDALL_DISTANCE = Statistic("kendall_distance", _codes, _kendall_distance, null=0.5, least=0.0, most=1.0)
PARTIAL_SPEARMAN = Statistic("partial_spearman", _codes, _partial_spearman, residual=_freedman_lane, least=-1.0, most=1.0)
"""Its arrays are a, b and the controls."""

MEAN = Statistic("mean", _as_they_are, _mean)
RATIO = Statistic("ratio", _as_they_are, _share)
"""Σ first / Σ second: of counts by example, a share over all examples."""

STATISTICS = {each.name: each for each in (SPEARMAN, KENDALL_DISTANCE, PEARSON, PARTIAL_SPEARMAN)}
"""The correlations by name."""
