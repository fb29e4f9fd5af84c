"""Logistic regression of one predictor, of many resamples at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.resampling import Reals, checked

MOST_STEPS = 100
LARGEST_STEP = 4.0  # of a standardised coefficient: Newton's method started far off may overshoot


class LogisticFit(NamedTuple):
    """P(y = 1) = 1 / (1 + exp(-(a + b x))) of each resample."""

    intercept: NDArray[np.float64]
    slope: NDArray[np.float64]
    covariance: NDArray[np.float64]
    """``[samples, 2, 2]``, of intercept and slope: the inverse of Fisher's information."""


def logistic(x: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> LogisticFit:
    """Fit by likelihood times Jeffreys' prior (Firth 1993), which has a maximum where right and wrong do not overlap too.

    Plain maximum likelihood has none there, and a ladder of models meets such data: a small one that is right of the commonest
    facts alone (Heinze and Schemper 2002).

    Parameters
    ----------
    x, right
        Of each row: the predictor, and 1 or 0.
    weights
        How often each row counts: ``[samples, rows]``; once each by default.

    Raises
    ------
    MeasureError
        No rows, or arrays of several lengths, or nan among them.

    Notes
    -----
    Newton's method, O(samples · rows) a step, about ten steps.
    """
    given, outcome = checked((x, right))
    counts = np.ones((1, len(given))) if weights is None else np.asarray(weights, np.float64)
    centre, scale = given.mean(), given.std() or 1.0
    design = np.stack([np.ones(len(given)), (given - centre) / scale])
    found = np.zeros((len(counts), 2))
    for _ in range(MOST_STEPS):
        gradient, information = _derivatives(design, outcome, counts, found)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        step *= np.minimum(1.0, LARGEST_STEP / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-300))
        found = found + step
        if np.abs(step).max() < 1e-10:
            break
    information = _derivatives(design, outcome, counts, found)[1]
    back = np.array([[1.0, -centre / scale], [0.0, 1 / scale]])  # from the standardised predictor to the one given
    intercept, slope = (found @ back.T).T
    return LogisticFit(intercept, slope, back @ np.linalg.inv(information) @ back.T)


def _probabilities(design: Reals, found: Reals) -> Reals:
    from scipy.special import expit

    return np.asarray(expit(found @ design), np.float64)


def _derivatives(design: Reals, outcome: Reals, counts: Reals, found: Reals) -> tuple[Reals, Reals]:
    """Firth's modified score, and Fisher's information."""
    p = _probabilities(design, found)
    spread = counts * np.maximum(p * (1 - p), 1e-12)
    information = np.einsum("ir,sr,jr->sij", design, spread, design)
    leverage = spread * np.einsum("ir,sij,jr->sr", design, np.linalg.inv(information), design)
    return (counts * (outcome - p) + leverage * (0.5 - p)) @ design.T, information
