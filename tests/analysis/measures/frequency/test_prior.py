"""Prior-aware memorization against loops over the definition, and against the two ways in which a correlation comes about."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.frequency.prior import neutral_examples, prior_aware
from analysis.schemas import MODEL_SCORES, PRIOR_AWARE
from analysis.tables import table_of
from tests.helpers.analysis_study import Study, examples_table, model_columns

FAST = {"resamples": 20}


def scores(study: Study, values: dict[int, float]) -> pa.Table:
    rows = [
        {"row": row["row"], **model_columns("m"), "log_prob": values[row["row"]], "num_tokens": row["num_tokens"]}
        for row in study.rows
    ]
    return table_of(rows, MODEL_SCORES)


def given(study: Study, conditional: dict[int, float], neutral: dict[int, float]) -> list[pa.Table]:
    made = [study.pairs(), study.counts(), study.corpus_scores(), scores(study, conditional), scores(study, neutral)]
    return [*made, study.examples()]


def test_each_row_is_its_definition() -> None:
    study = Study(num_examples=40)
    rng = np.random.default_rng(0)
    conditional = {row["row"]: float(-rng.exponential(5)) for row in study.rows}
    neutral = {row["row"]: float(-rng.exponential(8)) for row in study.rows}
    table = prior_aware(*given(study, conditional, neutral), gammas={2: [0.3]}, **FAST)
    assert table.schema.names == PRIOR_AWARE.names
    kept = [row for row in study.rows if row["similarity"] > 0.3 and row["pair_documents"]]
    expected: dict[str, Any] = {"conditional": [], "pmi": [], "prior": []}
    for row in kept:
        both, x, y = (row[name] for name in ("pair_documents", "x_documents", "y_documents"))
        expected["conditional"].append((conditional[row["row"]], np.log(both / x)))
        expected["pmi"].append((conditional[row["row"]] - neutral[row["row"]], np.log(both / (x * y))))
        expected["prior"].append((neutral[row["row"]], np.log(y)))
    rows = {row["compared"]: row for row in table.to_pylist()}
    assert set(rows) == set(expected)
    for name, pairs in expected.items():
        assert rows[name]["estimate"] == pytest.approx(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
        assert rows[name]["num_pairs"] == len(kept)


def test_a_model_that_knows_frequent_answers_alone_has_no_pmi() -> None:
    """Its log P(y | x) is log P(y): conditional correlation by the prior, none beyond it; and one that knows pairs has both."""
    study = Study(num_examples=150, seed=3)
    rng = np.random.default_rng(1)
    for row in study.rows:
        row["y_documents"] = int(10 ** rng.uniform(1, 4))
        row["x_documents"] = int(10 ** rng.uniform(2, 3))
        row["pair_documents"] = max(1, int(row["x_documents"] * min(row["y_documents"] / 2e4 * 10 ** rng.uniform(-0.5, 0.5), 1)))
    by_prior = {row["row"]: float(np.log(row["y_documents"]) + 0.3 * rng.standard_normal()) for row in study.rows}
    parrot = {row: value + 0.3 * rng.standard_normal() for row, value in by_prior.items()}
    knows = {row["row"]: float(np.log(row["pair_documents"] / row["x_documents"])) for row in study.rows}
    found = {}
    for name, conditional in (("parrot", parrot), ("knows", knows)):
        rows = prior_aware(*given(study, conditional, by_prior), **FAST).to_pylist()
        found[name] = {row["compared"]: row["estimate"] for row in rows}
    assert found["parrot"]["conditional"] > 0.5 and abs(found["parrot"]["pmi"]) < 0.2 and found["parrot"]["prior"] > 0.8
    assert found["knows"]["conditional"] > 0.9 and found["knows"]["pmi"] > 0.5


def test_the_neutral_prompt_says_all_but_the_input() -> None:
    shot = "Question: Who?\nAnswer: Ann\n\n"
    examples = examples_table([{"example_id": "a", "input": "Who?", "prompt": f"{shot}Question: Who?\nAnswer: "}])
    assert neutral_examples(examples)["prompt"].to_pylist() == [f"{shot}Question: \nAnswer: "]
    assert neutral_examples(examples, "Say: ")["prompt"].to_pylist() == ["Say: "]
    other = examples_table([{"example_id": "a", "input": "Who?", "prompt": "Question: WHO?"}])
    with pytest.raises(MeasureError, match=r"example 'a' does not hold its input .*\[prior\] prompt"):
        neutral_examples(other)


def test_refusals() -> None:
    study = Study()
    values = {row["row"]: 0.0 for row in study.rows}
    tables = given(study, values, values)
    with pytest.raises(ConfigError, match="'partial_spearman' of prior-aware"):
        prior_aware(*tables, statistic="partial_spearman")
    with pytest.raises(TableError, match="m has no scores after the neutral prompt"):
        prior_aware(*tables[:4], study.model_scores([("other", 10)]), tables[5])
