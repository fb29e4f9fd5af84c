"""The logistic fit against the maximum of its own definition, found by another method, and against a known truth."""

import numpy as np
import pytest
from scipy.optimize import minimize

from analysis.stats.logistic import logistic


def penalised(found: np.ndarray, x: np.ndarray, right: np.ndarray, weights: np.ndarray) -> float:
    """Minus Firth's log-likelihood: Σ w log P + ½ log |I|."""
    p = 1 / (1 + np.exp(-(found[0] + found[1] * x)))
    design = np.stack([np.ones_like(x), x], axis=1)
    information = design.T @ (design * (weights * p * (1 - p))[:, None])
    return float(-(weights * np.log(np.where(right == 1, p, 1 - p))).sum() - 0.5 * np.linalg.slogdet(information)[1])


@pytest.mark.parametrize("case", ["overlapping", "apart", "weighted"])
def test_the_fit_is_the_maximum_of_the_penalised_likelihood(case: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 4, 40)
    right = (x > 2.0).astype(float) if case == "apart" else (rng.random(40) < 1 / (1 + np.exp(3 - 2 * x))).astype(float)
    weights = rng.integers(0, 3, 40).astype(float) if case == "weighted" else np.ones(40)
    fit = logistic(x, right, weights[None])
    how = {"method": "Nelder-Mead", "options": {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}}
    slow = minimize(penalised, np.zeros(2), (x, right, weights), **how)
    assert (fit.intercept[0], fit.slope[0]) == pytest.approx(tuple(slow.x), abs=1e-4)
    p = 1 / (1 + np.exp(-(fit.intercept[0] + fit.slope[0] * x)))
    design = np.stack([np.ones_like(x), x], axis=1)
    assert fit.covariance[0] == pytest.approx(np.linalg.inv(design.T @ (design * (weights * p * (1 - p))[:, None])), rel=1e-4)


def test_resamples_are_fitted_each_by_itself() -> None:
    rng = np.random.default_rng(2)
    x, right = rng.random(30), rng.integers(0, 2, 30).astype(float)
    weights = rng.integers(0, 3, (5, 30)).astype(float)
    together = logistic(x, right, weights)
    for sample in range(5):
        alone = logistic(np.repeat(x, weights[sample].astype(int)), np.repeat(right, weights[sample].astype(int)))
        assert (together.intercept[sample], together.slope[sample]) == pytest.approx((alone.intercept[0], alone.slope[0]), abs=1e-6)


def test_it_finds_the_truth() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 4, 20_000)
    fit = logistic(x, (rng.random(len(x)) < 1 / (1 + np.exp(4 - 2 * x))).astype(float))
    assert (fit.intercept[0], fit.slope[0]) == pytest.approx((-4, 2), abs=0.15)
