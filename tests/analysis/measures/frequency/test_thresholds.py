"""Thresholds against a truth that is drawn: the documents at which half are right, and how they fall with size."""

from typing import Any

import numpy as np
import pytest

from analysis.causes.dose_thresholds import dose_thresholds
from analysis.errors import MeasureError
from analysis.measures.frequency.thresholds import half_of, of_rows, thresholds, thresholds_of
from analysis.schemas import THRESHOLD_TRENDS, THRESHOLDS
from analysis.stats.logistic import LogisticFit, logistic
from tests.helpers.analysis_study import Study, generations_table, model_columns

HALVES = {"small": 1000.0, "middle": 100.0, "large": 10.0}
SIZES = {"small": 10**6, "middle": 10**7, "large": 10**8}
STEEP = 4.0


def drawn(half: float, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    documents = np.floor(10 ** rng.uniform(0, 4, num))
    return documents, answered_right(documents, half, rng)


def answered_right(documents: np.ndarray, half: float, rng: np.random.Generator) -> np.ndarray:
    odds = STEEP * (np.log10(1 + documents) - np.log10(1 + half))
    return (rng.random(len(documents)) < 1 / (1 + np.exp(-odds))).astype(float)


def about(model: str) -> dict[str, Any]:
    told = {"task": "qa", "subset": "", "metric": "exact_match", "n": 2, "frequency": "pairs"}
    return told | model_columns(model, SIZES[model])


def test_the_threshold_is_the_one_that_answers_were_drawn_by() -> None:
    rng = np.random.default_rng(0)
    answered = []
    documents = np.floor(10 ** rng.uniform(0, 4, 1500))
    for model, half in HALVES.items():
        right = answered_right(documents, half, rng)
        answered.append(of_rows(about(model), zip(map(str, range(1500)), documents, right, strict=True)))
    found = thresholds_of(answered, confidence=0.99, resamples=200, seed=0)
    assert (found.models.schema, found.trends.schema) == (THRESHOLDS, THRESHOLD_TRENDS)
    rows = {(row["model"], row["quantity"]): row for row in found.models.to_pylist()}
    for model, half in HALVES.items():
        row = rows[model, "half"]
        assert row["low"] < half < row["high"] < 3 * half
        assert rows[model, "slope"]["low"] < STEEP < rows[model, "slope"]["high"]
        assert rows[model, "slope"]["p_value"] < 1e-6
    (trend,) = found.trends.to_pylist()
    assert trend["low"] < -1 < trend["high"] < 0  # a tenth of the documents for ten times the parameters
    assert trend["p_value"] == pytest.approx(2 / 6)
    assert (trend["num_models"], trend["num_examples"]) == (3, 1500)


def test_fieller_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(300):
        documents, right = drawn(100.0, 120, rng)
        found = half_of(logistic(np.log10(1 + documents), right), 1.959964, 0.95)
        held += found.low <= 100.0 <= found.high
    assert 0.91 <= held / 300 <= 0.985


def test_a_slope_that_may_be_zero_bounds_nothing() -> None:
    flat = LogisticFit(np.array([-1.0]), np.array([0.5]), np.array([[[0.1, 0.0], [0.0, 0.2]]]))
    assert half_of(flat, 1.96, 0.95)[:3] == (pytest.approx(99.0), 0.0, np.inf)
    falling = flat._replace(slope=np.array([-0.5]))
    assert half_of(falling, 1.96, 0.95)[:3] == (np.inf, 0.0, np.inf)


def test_examples_stand_at_the_mean_of_their_pairs() -> None:
    study = Study(num_examples=60)
    ids = list(dict.fromkeys(row["example_id"] for row in study.rows))
    rng = np.random.default_rng(5)
    means = {name: np.mean([row["pair_documents"] for row in study.rows if row["example_id"] == name]) for name in ids}
    scores = {name: float(rng.random() < (0.8 if means[name] > 40 else 0.2)) for name in ids}
    answers = [{"example_id": name, "score": score} for name, score in scores.items()]
    found = thresholds(study.examples(), study.pairs(), study.counts(), generations_table(answers), resamples=20)
    x = np.log10(1 + np.array([means[name] for name in ids]))
    fit = logistic(x, np.array([scores[name] for name in ids]))
    rows = {row["quantity"]: row for row in found.models.to_pylist()}
    assert rows["half"]["estimate"] == pytest.approx(10 ** (-fit.intercept[0] / fit.slope[0]) - 1)
    assert rows["slope"]["num_examples"] == 60 and rows["slope"]["num_right"] == sum(scores.values())
    assert found.trends.num_rows == 0  # of one model


def test_planted_doses_have_a_threshold_too() -> None:
    rng = np.random.default_rng(6)
    documents, right = drawn(100.0, 400, rng)
    facts = {str(i): int(number) for i, number in enumerate(documents)}
    answers = generations_table([{"example_id": str(i), "score": value} for i, value in enumerate(right)])
    rows = {row["quantity"]: row for row in dose_thresholds(facts, answers, confidence=0.999, resamples=20).models.to_pylist()}
    assert rows["half"]["low"] < 100 < rows["half"]["high"]
    assert rows["half"]["frequency"] == "planted"


def test_too_few_right_answers_are_no_curve_and_other_metrics_none() -> None:
    rows = [("a", 1.0, 0.0), ("b", 2.0, 0.0), ("c", 3.0, 1.0), ("d", 4.0, 1.0)]
    found = thresholds_of([of_rows(about("small"), rows)], confidence=0.95, resamples=10, seed=0)
    assert all(np.isnan(row["estimate"]) for row in found.models.to_pylist())
    study = Study()
    answers = generations_table([{"example_id": study.rows[0]["example_id"], "metric": "bleu"}])
    with pytest.raises(MeasureError, match="no metric of these answers is right or wrong"):
        thresholds(study.examples(), study.pairs(), study.counts(), answers)
