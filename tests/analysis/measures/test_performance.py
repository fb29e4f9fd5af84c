"""Scores by frequency, and responses by planted dose, against plain loops and closed forms."""

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from analysis.causes.dose import dose_response, dose_trends, monotone_trend
from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.performance import performance
from analysis.schemas import DOSE_RESPONSE, DOSE_TRENDS, PERFORMANCE
from tests.helpers.analysis_study import Study, generations_table, model_columns


def answers(study: Study, seed: int = 0) -> list[dict[str, Any]]:
    """Every example but the last answered by two models: one metric of 0 and 1, one of real numbers."""
    rng = np.random.default_rng(seed)
    ids = list(dict.fromkeys(row["example_id"] for row in study.rows))[:-1]
    return [
        {"example_id": name, "metric": metric, "score": float(score), **model_columns(model)}
        for name in ids
        for model in ("a", "b")
        for metric, score in (("exact_match", rng.integers(2)), ("bleu", 100 * rng.random()))
    ]


def wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson (1927), from the formula."""
    z = stats.norm.ppf(0.975)
    centre, half = (k + z * z / 2) / (n + z * z), z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    return centre - half, centre + half


@pytest.mark.parametrize("spacing", ["log", "quantile"])
def test_scores_by_frequency(spacing: str) -> None:
    study = Study(num_examples=60, tasks=("qa", "mt"), ns=(2, 3))
    rows = answers(study)
    tables = study.examples(), study.pairs(), study.counts(), generations_table(rows)
    table = performance(*tables, bins=5, spacing=spacing, least=1, resamples=50, by_subset=True)
    assert table.schema.names == PERFORMANCE.names
    found = table.to_pylist()
    edges: dict[Any, set[float]] = {}
    for row in found:
        scores = []
        for answer in rows:
            if (answer["model"], answer["metric"]) != (row["model"], row["metric"]):
                continue
            documents = [
                pair["pair_documents"]
                for pair in study.rows
                if (pair["example_id"], pair["task"], pair["n"]) == (answer["example_id"], row["task"], row["n"])
                and row["subset"] in ("", pair["subset"])
            ]
            if documents and row["bin_low"] <= np.mean(documents) < row["bin_high"]:
                scores.append(answer["score"])
        assert row["num_examples"] == len(scores)
        assert row["estimate"] == pytest.approx(np.mean(scores))
        if row["metric"] == "exact_match":
            assert (row["low"], row["high"]) == pytest.approx(wilson(int(sum(scores)), len(scores)), abs=1e-9)
        elif len(scores) > 1:
            assert min(scores) - 1e-9 <= row["low"] <= row["high"] <= max(scores) + 1e-9
        edges.setdefault((row["task"], row["n"]), set()).update((row["bin_low"], row["bin_high"]))
    assert all(len(some) <= 6 for some in edges.values())  # all models, metrics and subsets have the same bins
    whole = [row for row in found if (row["subset"], row["model"], row["metric"], row["n"]) == ("", "a", "bleu", 2)]
    assert sum(row["num_examples"] for row in whole) == 60 + 59  # the last example was not answered
    if spacing == "quantile":
        assert max(row["num_examples"] for row in whole) <= 13


def test_a_bin_holds_at_least_so_many_examples() -> None:
    study = Study(num_examples=60)
    given = study.examples(), study.pairs(), study.counts()
    every = [{"example_id": f"qa-{number}", "score": 1.0} for number in range(60)]
    for spacing, least in (("log", 10), ("log", 25), ("quantile", 10), ("quantile", 40)):
        found = performance(*given, generations_table(every), bins=8, spacing=spacing, least=least).to_pylist()
        sizes = [row["num_examples"] for row in found]
        assert sum(sizes) == 60 and min(sizes) >= least
        assert all(row["bin_high"] == after["bin_low"] for row, after in pairwise(found))


def test_log_bins() -> None:
    study = Study(num_examples=40)
    for place, row in enumerate(study.rows):
        row["pair_documents"] = 0 if place % 2 else 1000
    tables = study.examples(), study.pairs(), study.counts(), generations_table(answers(study))
    found = performance(*tables, bins=4, spacing="log", least=1).to_pylist()
    edges = sorted({row["bin_low"] for row in found} | {row["bin_high"] for row in found})
    assert all(np.isclose(edge, [0, 1, 10, 100, 1000]).any() for edge in edges)
    assert edges[-1] > 1000
    for row in study.rows:
        row["pair_documents"] = 0
    found = performance(study.examples(), study.pairs(), study.counts(), generations_table(answers(study))).to_pylist()
    assert {(row["bin_low"], row["bin_high"]) for row in found} == {(0, 1)}


def test_what_performance_refuses() -> None:
    study = Study()
    rows = answers(study)
    about = study.examples(), study.pairs(), study.counts()
    with pytest.raises(ConfigError, match="1 bins"):
        performance(*about, generations_table(rows), bins=1)
    with pytest.raises(MeasureError, match="no example has both"):
        performance(*about, generations_table([{"example_id": "elsewhere"}]))
    with pytest.raises(TableError, match="several scores of one example by bleu"):
        performance(*about, generations_table([*rows, rows[1]]))
    rows[3]["score"] = float("nan")
    with pytest.raises(MeasureError, match=r"1 of \d+ scores are nan"):
        performance(*about, generations_table(rows))


# ---- dose and response -------------------------------------------------------------------------------------------

DOSES = [0, 1, 3, 3, 9, 27, 27, 81]


def planted() -> pa.Table:
    facts = [
        {"task": "facts", "example_id": f"e{dose}-{i}", "n": 1, "x": f"x{place} {i}", "y": "y", "documents": dose}
        for place, dose in enumerate(DOSES)
        for i in range(6)
    ]
    return pa.Table.from_pylist(facts)


def scored(rising: float, seed: int = 0) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Facts, their pairs with some that were not planted, and scores that rise with the log dose."""
    rng = np.random.default_rng(seed)
    facts = planted()
    rows = facts.to_pylist()
    pairs = [{"row": row, **{name: fact[name] for name in ("example_id", "x", "y")}} for row, fact in enumerate(rows)]
    pairs += [{"row": len(rows) + i, "example_id": rows[i]["example_id"], "x": "other", "y": "y"} for i in range(5)]
    scores = [
        {"row": pair["row"], **model_columns("m"), "num_tokens": 1,
         "log_prob": rising * np.log1p(rows[pair["row"] % len(rows)]["documents"]) + rng.standard_normal()}
        for pair in pairs
    ]  # fmt: skip
    return facts, pa.Table.from_pylist(pairs), pa.Table.from_pylist(scores)


def test_responses_by_dose() -> None:
    facts, pairs, scores = scored(0.5)
    generations = generations_table(
        [{"example_id": row["example_id"], "score": float(row["documents"] > 5)} for row in facts.to_pylist()]
    )
    table = dose_response(facts, scores=scores, pairs=pairs, generations=generations, resamples=50)
    assert table.schema.names == DOSE_RESPONSE.names
    rows = table.to_pylist()
    values = dict(zip(scores["row"].to_pylist(), scores["log_prob"].to_pylist(), strict=True))
    for response in ("log_prob", "exact_match"):
        some = [row for row in rows if row["response"] == response]
        assert [row["documents"] for row in some] == sorted(set(DOSES))
        for row in some:
            of_dose = [place for place, fact in enumerate(facts.to_pylist()) if fact["documents"] == row["documents"]]
            expected = np.mean([values[place] for place in of_dose]) if response == "log_prob" else float(row["documents"] > 5)
            assert row["estimate"] == pytest.approx(expected)
            assert row["low"] <= row["estimate"] <= row["high"]
            assert (row["task"], row["num_examples"]) == ("facts", len({facts["example_id"][place].as_py() for place in of_dose}))
    octaves = dose_response(facts, scores=scores, pairs=pairs, octaves=True, resamples=10)["documents"].to_pylist()
    assert octaves == [0, 1, 2, 8, 16, 64]


def test_what_x_adds_is_a_response_of_the_models_that_have_a_prior() -> None:
    """A score that rises with the dose by its prior alone does so less its prior no more; pairs that were not read are left out."""
    facts, pairs, scores = scored(0.7)
    noise = np.random.default_rng(3).standard_normal(scores.num_rows)
    log_prob = scores.schema.get_field_index("log_prob")
    told = scores["log_prob"].to_numpy()
    neutral = scores.set_column(log_prob, "log_prob", pa.array([None, *(told + noise)[1:]], pa.float64()))
    other = scores.set_column(scores.schema.get_field_index("model"), "model", pa.array(["other"] * scores.num_rows))
    given: dict[str, Any] = {"scores": pa.concat_tables([scores, other]), "pairs": pairs, "neutral_scores": neutral}
    rows = dose_trends(facts, **given, resamples=100, permutations=199).to_pylist()
    found = {(row["model"], row["response"]): row for row in rows}
    assert found.keys() == {("m", "log_prob"), ("other", "log_prob"), ("m", "pmi")}
    assert found["m", "log_prob"]["low"] > 0.3 and found["m", "log_prob"]["num_pairs"] == 48
    doses = facts["documents"].to_numpy()
    expected = stats.spearmanr(doses[1:], -noise[1 : len(doses)]).statistic
    assert found["m", "pmi"]["estimate"] == pytest.approx(expected) and found["m", "pmi"]["num_pairs"] == 47
    means = [row for row in dose_response(facts, **given, resamples=20).to_pylist() if row["response"] == "pmi"]
    assert [row["documents"] for row in means] == sorted(set(DOSES))
    assert means[-1]["estimate"] == pytest.approx(-noise[42:48].mean())


def test_doses_by_example() -> None:
    """Whole targets' scores by example, a mapping of doses; an example of two facts has the lesser dose."""
    scores = pa.Table.from_pylist(
        [{**model_columns("m"), "example_id": name, "log_prob": -float(i)} for i, name in enumerate("abc")]
    )
    rows = dose_response({"a": 4, "b": 4, "c": 1, "d": 9}, scores=scores).to_pylist()
    assert [(row["documents"], row["estimate"], row["num_examples"]) for row in rows] == [(1, -2.0, 1), (4, -0.5, 2)]
    two = pa.table({"example_id": ["a", "a", "b"], "documents": [9, 2, 5]})
    rows = dose_response(two, scores=scores).to_pylist()
    assert [(row["documents"], row["estimate"]) for row in rows] == [(2, 0.0), (5, -1.0)]


def test_trend() -> None:
    facts, pairs, scores = scored(0.7)
    (row,) = dose_trends(facts, scores=scores, pairs=pairs, resamples=100, permutations=199).to_pylist()
    assert list(row) == DOSE_TRENDS.names
    doses, values = facts["documents"].to_numpy(), scores["log_prob"].to_numpy()[: facts.num_rows]
    assert row["estimate"] == pytest.approx(stats.spearmanr(doses, values).statistic)
    assert row["p_value"] == 1 / 200
    assert (row["num_doses"], row["num_pairs"]) == (6, 48)
    falling = monotone_trend(doses, -values, np.arange(48), resamples=50, permutations=99)
    assert falling.p_value > 0.9
    assert falling.isotonic_share < 0.1
    flat = scored(0.0, seed=5)
    (row,) = dose_trends(flat[0], scores=flat[2], pairs=flat[1], resamples=100, permutations=199).to_pylist()
    assert row["low"] < 0 < row["high"]
    assert 0.01 < row["p_value"] < 0.99


def test_trend_by_hand() -> None:
    """Means 1, 4, 2, 5 of as many responses: the nearest rising ones are 1, 3, 3, 5."""
    doses = np.repeat([1, 2, 4, 8], 2)
    values = np.array([0.5, 1.5, 4, 4, 1, 3, 5, 5])
    trend = monotone_trend(doses, values, np.arange(8), resamples=20, permutations=4000)
    assert trend.isotonic.tolist() == [1, 3, 3, 5]
    assert trend.largest_fall == 2
    assert trend.isotonic_share == pytest.approx(1 - 2 * 2 / (2 * (4 + 1 + 1 + 4)))

    def jonckheere(order: Any) -> float:
        return sum((order[j] > order[i]) + (order[j] == order[i]) / 2 for i in range(8) for j in range(8) if doses[i] < doses[j])

    rng = np.random.default_rng(0)
    drawn = [jonckheere(rng.permutation(values)) >= jonckheere(values) for _ in range(4000)]
    assert trend.p_value == pytest.approx(np.mean(drawn), abs=0.02)
    constant = monotone_trend(doses, np.ones(8), np.arange(8), resamples=20, permutations=9)
    assert np.isnan([constant.spearman.estimate, constant.isotonic_share, constant.p_value]).all()


def test_what_dose_refuses() -> None:
    facts, pairs, scores = scored(1.0)
    with pytest.raises(ConfigError, match="give scores, generations or both"):
        dose_response(facts)
    with pytest.raises(ConfigError, match="scores by row need the pairs"):
        dose_response(facts, scores=scores)
    with pytest.raises(TableError, match="lacks the column documents"):
        dose_response(facts.drop_columns("documents"), scores=scores, pairs=pairs)
    with pytest.raises(MeasureError, match="no planted fact has a response"):
        dose_response({"elsewhere": 3}, generations=generations_table([{"example_id": "e0-0"}]))
    bad = scores.set_column(scores.schema.get_field_index("log_prob"), "log_prob", pa.array([np.nan] * scores.num_rows))
    with pytest.raises(MeasureError, match=r"48 of 48 responses \(log_prob of m\) are nan"):
        dose_response(facts, scores=bad, pairs=pairs)
