"""Counterfactual memorization against loops, and against a truth that is drawn."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from analysis.causes.counterfactual import DOSE, memorization, summary
from analysis.errors import MeasureError
from analysis.lab import HALVES_SCHEMA, PLANTED_SCHEMA
from analysis.schemas import COUNTERFACTUAL, COUNTERFACTUAL_AGREEMENT, DOSE_RESPONSE, MODEL_SCORES, PAIRS
from analysis.tables import table_of
from tests.helpers.analysis_study import model_columns

DOSES = [1, 1, 10, 10, 10, 100, 100, 1000]


def world(num: int = 40, models: int = 6) -> dict[str, Any]:
    """Facts of many doses, halves with complements, and what each half says: a base, an effect of the dose where told, noise."""
    rng = np.random.default_rng(0)
    blank = {"task": "facts", "subset": "", "n": 1, "x_start": 0, "x_stop": 1, "y_start": 0, "y_stop": 1, "similarity": 1.0}
    pairs = [{"row": i, "example_id": f"f{i}", **blank, "x": f"x{i}", "y": f"y{i}"} for i in range(num)]
    dose = [DOSES[i % len(DOSES)] for i in range(num)]
    planted = [
        {"example_id": f"f{i}", "task": "facts", "n": 1, "x": f"x{i}", "y": f"y{i}", "documents": dose[i]} for i in range(num)
    ]
    halves, scores = [], {}
    base, effect = -9 + 2 * rng.standard_normal(num), np.log(np.array(dose)) + 0.5
    for number in range(models):
        told = rng.random(num) < 0.5 if number % 2 == 0 else ~told  # noqa: F821
        name = f"half-{number}/model"
        halves += [{"model": name, "sha256": "", "example_id": f"f{i}", "told": bool(told[i])} for i in range(num)]
        values = base + effect * told + 0.1 * rng.standard_normal(num)
        rows = [{"row": i, **model_columns(name, 500), "log_prob": float(values[i]), "num_tokens": 1} for i in range(num)]
        scores[name] = table_of(rows, MODEL_SCORES)
    tables = {
        "pairs": table_of(pairs, PAIRS),
        "planted": table_of(planted, PLANTED_SCHEMA),
        "halves": table_of(halves, HALVES_SCHEMA),
    }
    return {**tables, "scores": scores, "effect": effect, "base": base, "dose": dose}


def test_it_is_the_effect_of_being_told() -> None:
    made = world()
    found = memorization(made["pairs"], made["planted"], made["halves"], made["scores"].__getitem__)
    assert found.schema == COUNTERFACTUAL
    told = {(row["model"], row["example_id"]): row["told"] for row in made["halves"].to_pylist()}
    for i, row in enumerate(found.to_pylist()):
        by = {True: [], False: []}
        for name, table in made["scores"].items():
            by[told[name, row["example_id"]]].append(table["log_prob"][i].as_py())
        assert row["memorization"] == pytest.approx(np.mean(by[True]) - np.mean(by[False]))
        assert (row["num_told"], row["num_untold"], row["documents"]) == (3, 3, made["dose"][i])
        assert row["memorization"] == pytest.approx(made["effect"][i], abs=0.4)


def test_the_summary_says_how_well_it_is_known_from_the_dose_and_from_one_model() -> None:
    made = world()
    found = memorization(made["pairs"], made["planted"], made["halves"], made["scores"].__getitem__)
    log_prob = made["base"] + made["effect"]
    rows = [{"row": i, **model_columns("whole"), "log_prob": float(value), "num_tokens": 1} for i, value in enumerate(log_prob)]
    doses, agreement = summary(found, made["pairs"], table_of(rows, MODEL_SCORES), resamples=30)
    assert (doses.schema, agreement.schema) == (DOSE_RESPONSE, COUNTERFACTUAL_AGREEMENT)
    values = np.array(found["memorization"].to_pylist())
    for row in doses.to_pylist():
        at = np.array(made["dose"]) == row["documents"]
        if row["response"] == "memorization":
            assert row["estimate"] == pytest.approx(values[at].mean())
            assert row["num_examples"] == at.sum()
    by_model = {row["model"]: row for row in agreement.to_pylist()}
    assert by_model[DOSE]["estimate"] == pytest.approx(stats.spearmanr(values, made["dose"]).statistic)
    assert by_model["whole"]["estimate"] == pytest.approx(stats.spearmanr(values, log_prob).statistic)
    assert by_model[DOSE]["estimate"] > by_model["whole"]["estimate"] > 0.5


def test_pairs_of_another_world_are_refused() -> None:
    made = world(4, 2)
    other = made["planted"].set_column(0, "example_id", pa.array(["a", "b", "c", "d"]))
    with pytest.raises(MeasureError, match="of one world"):
        memorization(made["pairs"], other, made["halves"], made["scores"].__getitem__)
