"""Memorization in every mode against plain loops over the rows, scipy's statistics, and cases worked by hand."""

from math import log
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.chosen_pairs import taskgram_score
from analysis.measures.correlate import correlate, left_out
from analysis.measures.differences import difference_of, differences
from analysis.measures.modes import MODES, SWITCHES, find_mode
from analysis.measures.pair_arrays import arrays_of_pairs
from analysis.measures.size_trend import size_trend
from analysis.schemas import CORRELATIONS, DIFFERENCES, DROPS, MODEL_SCORES, SIZE_TRENDS
from analysis.stats.correlations import PARTIAL_SPEARMAN, STATISTICS
from analysis.stats.resampling import cluster_weights
from analysis.tables import table_of
from tests.helpers.analysis_study import Study, model_columns

FAST = {"resamples": 20, "permutations": 19}


def tables(study: Study, **models: Any) -> list[pa.Table]:
    return [study.pairs(), study.counts(), study.corpus_scores(), study.model_scores(**models), study.examples()]


def scored(row: dict[str, Any], mode: str, corpus_model: str) -> bool:
    """Whether a model of the corpus gives a pair a probability."""
    pair = min(row["x_documents"], row["y_documents"]) if mode == "reference-code" else row["pair_documents"]
    if pair == 0 and (mode != "strict" or corpus_model == "taskgram"):
        return False
    return not (corpus_model == "infgram" and row["skipped"] and mode == "strict")


def slow(study: Study, mode: str, task: str, n: int, gamma: float, corpus_model: str, place: int, pair_set: str) -> dict[str, Any]:
    """One estimate from the definitions: a loop over the rows."""
    reference = mode == "reference-code"
    kept: list[tuple[Any, float, float, list[float]]] = []
    for row in study.rows:
        if row["task"] != task or row["n"] != n:
            continue
        if not (100 * row["similarity"] > 0.2 if reference else row["similarity"] > gamma):
            continue
        if not all(scored(row, mode, name) for name in ([corpus_model] if pair_set == "own" else ["taskgram", "infgram"])):
            continue
        pair = min(row["x_documents"], row["y_documents"]) if reference else row["pair_documents"]
        by_corpus = row["infgram"]
        if corpus_model == "taskgram":
            by_corpus = log(pair / (row["x_occurrences"] if reference else row["x_documents"]))
        controls = [row["y_documents"], row["num_tokens"], row["x_documents"]]
        group = (row["example_id"], row["y"]) if reference else (row["example_id"], len(kept))
        kept.append((group, study.log_prob(row, place), by_corpus, controls))
    groups: dict[Any, list[Any]] = {}
    for group, *values in kept:
        groups.setdefault(group, []).append(values)
    model, corpus = ([float(np.mean([each[side] for each in some])) for some in groups.values()] for side in (0, 1))
    controls = np.array([np.mean([each[2] for each in some], axis=0) for some in groups.values()])
    ranks = [stats.rankdata(column) for column in (model, corpus, *controls.T)]
    design = np.stack([np.ones(len(model)), *ranks[2:]], axis=1)
    left = [rank - design @ np.linalg.lstsq(design, rank, rcond=None)[0] for rank in ranks[:2]]
    return {
        "spearman": stats.spearmanr(model, corpus).statistic,
        "pearson": stats.pearsonr(model, corpus).statistic,
        "kendall_distance": (1 - stats.kendalltau(model, corpus).statistic) / 2,
        "partial_spearman": stats.pearsonr(*left).statistic,
        "num_pairs": len(groups),
        "num_examples": len({group[0] for group in groups}),
    }


@pytest.mark.parametrize("mode", MODES)
def test_estimates(mode: str) -> None:
    study = Study(tasks=("qa", "mt"), ns=(2, 3))
    found = correlate(*tables(study), mode=mode, gammas=[0.2, 0.5], **FAST).to_pylist()
    gammas = [0.002] if mode == "reference-code" else [0.2, 0.5]
    assert len(found) == 2 * 2 * len(gammas) * 2 * 2 * 4 * 2  # tasks, n, γ, corpus models, models, statistics, sets of pairs
    for row in found:
        place = ["small", "large"].index(row["model"])
        expected = slow(study, mode, row["task"], row["n"], row["gamma"], row["corpus_model"], place, row["pair_set"])
        assert row["estimate"] == pytest.approx(expected[row["statistic"]], abs=1e-9), row
        assert (row["num_pairs"], row["num_examples"]) == (expected["num_pairs"], expected["num_examples"])
        assert row["low"] <= row["high"]
        assert 0.05 <= row["p_value"] <= 1
        assert (row["mode"], row["subset"], row["confidence"]) == (mode, "", 0.95)
        assert row["gamma"] in gammas


def test_models_of_the_corpus_are_compared_on_the_same_pairs() -> None:
    """A figure said "the same pairs" of lines that rested on 140 pairs and on 8: the rows of ``common`` are of the same ones."""
    study = Study(num_examples=60)
    given = tables(study)
    found = [row for row in correlate(*given, statistics=["spearman"], **FAST).to_pylist() if row["model"] == "large"]
    sizes = {(row["pair_set"], row["corpus_model"]): row["num_pairs"] for row in found}
    own = {name: {row["row"] for row in study.rows if scored(row, "strict", name)} for name in ("taskgram", "infgram")}
    assert sizes["own", "taskgram"] == len(own["taskgram"]) and sizes["own", "infgram"] == len(own["infgram"])
    assert sizes["common", "taskgram"] == sizes["common", "infgram"] == len(own["taskgram"] & own["infgram"]) < len(own["taskgram"])


@pytest.mark.parametrize("name", STATISTICS)
def test_differences_are_of_the_same_pairs_and_the_same_resamples(name: str) -> None:
    study = Study(num_examples=25)
    found = differences(*tables(study), statistics=[name], resamples=30, seed=4)
    assert found.schema.names == DIFFERENCES.names
    rows = [row for row in study.rows if scored(row, "strict", "taskgram") and scored(row, "strict", "infgram")]
    for place, row in enumerate(found.to_pylist()):
        values = [slow(study, "strict", "qa", 2, -1.0, model, place, "common")[name] for model in ("taskgram", "infgram")]
        assert row["estimate"] == pytest.approx(values[0] - values[1])
        assert (row["corpus_model"], row["against"], row["num_pairs"]) == ("taskgram", "infgram", len(rows))
        assert row["low"] < row["high"]
    # one resample by hand: the rows of the drawn examples, copied as often as they were drawn
    example = np.unique([row["example_id"] for row in rows], return_inverse=True)[1]
    (weights,) = cluster_weights(np.random.default_rng(0), int(example.max()) + 1, 1)[:, example]
    taskgram = [log(row["pair_documents"]) - log(row["x_documents"]) for row in rows]
    arrays = [np.array(each) for each in ([study.log_prob(row, 1) for row in rows], taskgram, [row["infgram"] for row in rows])]
    controls = [np.array([float(row["y_documents"]) for row in rows])] if name == PARTIAL_SPEARMAN.name else []
    statistic, less = STATISTICS[name], difference_of(STATISTICS[name])
    copied = [np.repeat(array, weights.astype(int)) for array in (*arrays, *controls)]
    once = np.ones((1, len(copied[0])))
    one, other = (statistic.compute(statistic.prepare(copied[0], copied[which], *copied[3:]), once)[0] for which in (1, 2))
    assert less.compute(less.prepare(*arrays, *controls), weights[None])[0] == pytest.approx(one - other)


def test_a_difference_is_known_better_than_what_it_is_of() -> None:
    """Two models of the corpus that agree: their correlations are uncertain, their difference is not."""
    study = Study(num_examples=40)
    for row in study.rows:
        row |= {"pair_documents": max(row["pair_documents"], 1), "skipped": False}
        row["infgram"] = float(np.log(row["pair_documents"] / row["x_documents"]))
    given = tables(study)
    for row in differences(*given, resamples=50).to_pylist():
        assert (row["estimate"], row["low"], row["high"]) == (0, 0, 0)
    assert all(row["high"] - row["low"] > 0.1 for row in correlate(*given, statistics=["spearman"], **FAST).to_pylist())


def test_subsets_and_gammas_of_each_n() -> None:
    study = Study(ns=(2, 3))
    found = correlate(
        *tables(study), statistics=["spearman"], gammas={2: [0.3], 3: [0.1, 0.6], 5: [0.9]}, by_subset=True, **FAST
    ).to_pylist()
    keys = {(row["subset"], row["n"], row["gamma"]) for row in found}
    assert keys == {(subset, n, gamma) for subset in ("", "a", "b") for n, gamma in ((2, 0.3), (3, 0.1), (3, 0.6))}
    sizes = {(row["subset"], row["n"], row["gamma"], row["corpus_model"], row["pair_set"]): row["num_pairs"] for row in found}
    for (subset, *others), size in sizes.items():
        if not subset:
            assert size == sizes["a", *others] + sizes["b", *others]
    everything = correlate(*tables(study), statistics=["spearman"], **FAST)
    assert everything.schema.names == CORRELATIONS.names
    assert set(everything["gamma"].to_pylist()) == {-1.0}


def test_smoothing_keeps_pairs_that_no_document_holds() -> None:
    study = Study()
    pairs, counts, corpus_scores, *others = tables(study)
    corpus = [log(row["pair_documents"] + 0.5) - log(row["x_documents"] + 1) for row in study.rows]
    columns = {"row": pairs["row"], "corpus_model": ["taskgram_smoothed"] * len(corpus), "log_prob": corpus}
    smoothed = pa.table({**columns, "zero": [False] * len(corpus)}, schema=corpus_scores.schema)
    for mode in ("strict", "paper"):
        scores = pa.concat_tables([corpus_scores, smoothed])
        rows = correlate(pairs, counts, scores, *others, mode=mode, statistics=["spearman"], **FAST).to_pylist()
        named = ("taskgram_smoothed", "large", "own")
        (found,) = (row for row in rows if (row["corpus_model"], row["model"], row["pair_set"]) == named)
        model = [study.log_prob(row, 1) for row in study.rows]
        assert found["num_pairs"] == len(study.rows) > rows[0]["num_pairs"]
        assert found["estimate"] == pytest.approx(stats.spearmanr(corpus, model).statistic)


def test_difficulty_is_no_memorization() -> None:
    """A model that knows nothing of pairs, and only says frequent words: ρ is large, and partial ρ about none."""
    study = Study(num_examples=150)
    rng = np.random.default_rng(3)
    for row in study.rows:
        row["x_documents"] = 400
        row["pair_documents"] = int(rng.binomial(row["y_documents"], 0.9))
    scores = [
        {"row": row["row"], **model_columns("m"), "log_prob": log(row["y_documents"]) + 0.3 * row["noise"], "num_tokens": 2}
        for row in study.rows
    ]
    found = correlate(
        study.pairs(), study.counts(), study.corpus_scores(), table_of(scores, MODEL_SCORES), study.examples(),
        statistics=["spearman", "partial_spearman"], resamples=200, permutations=99,
    ).to_pylist()  # fmt: skip
    plain, partial = (row for row in found if row["corpus_model"] == "taskgram" and row["pair_set"] == "own")
    assert plain["estimate"] > 0.8
    assert plain["p_value"] == 0.01
    assert abs(partial["estimate"]) < 0.15
    assert partial["low"] < 0 < partial["high"]
    assert partial["p_value"] > 0.05


@pytest.mark.parametrize("mode", ["strict", "paper", "reference-code-average_by_target"])
def test_drops_add_up(mode: str) -> None:
    study = Study(tasks=("qa", "mt"), ns=(2, 3))
    for row in study.rows:
        row["subset"] = row["subset"] if row["task"] == "qa" else ""
    pairs, counts, scores, _, _ = tables(study)
    found = left_out(pairs, counts, scores, mode=mode, gammas=[0.5])
    assert found.schema.names == DROPS.names
    rows = found.to_pylist()
    for stage in {row["stage"] for row in rows}:
        for subset, n in ((subset, n) for subset in ("", "a", "b") for n in (2, 3)):
            some = [row for row in rows if (row["stage"], row["subset"], row["n"]) == (stage, subset, n)]
            assert [row["reason"] for row in some] == ["below_gamma", "zero", "not_common", "kept"]
            assert sum(row["num_pairs"] for row in some) == sum((row["subset"], row["n"]) == (subset, n) for row in study.rows)
    measured = correlate(*tables(study), mode=mode, gammas=[0.5], statistics=["spearman"], **FAST).to_pylist()
    for row in measured:
        stage = f"correlate {mode} γ={row['gamma']:g} {row['corpus_model']}"
        about = (row["task"], row["n"], stage)
        reasons = {"kept"} if row["pair_set"] == "common" else {"kept", "not_common"}
        of_row = [drop for drop in rows if (drop["task"], drop["n"], drop["stage"]) == about]
        assert sum(drop["num_pairs"] for drop in of_row if drop["reason"] in reasons) == row["num_pairs"]


def test_the_paper_s_pairs_are_a_set() -> None:
    """By definition: the distinct (x, y), each with the mean over its examples of what a model says there."""
    study = Study(num_examples=40, seed=2)
    for place, row in enumerate(study.rows):  # every third pair is one of another example too
        if place % 3 == 0 and place:
            same = ("x", "y", *(name for name in row if name.endswith(("_documents", "_occurrences"))))
            row |= {name: study.rows[place - 1][name] for name in same}
    for mode in ("paper", "strict+distinct_pairs"):
        found = correlate(*tables(study), mode=mode, statistics=list(STATISTICS), **FAST).to_pylist()
        for row in (row for row in found if row["pair_set"] == "own"):
            kept: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for each in study.rows:
                if scored(each, mode.partition("+")[0], row["corpus_model"]):
                    kept.setdefault((each["x"], each["y"]), []).append(each)
            place = ["small", "large"].index(row["model"])
            model = [np.mean([study.log_prob(each, place) for each in some]) for some in kept.values()]
            corpus = [
                np.mean([each["infgram"] for each in some])
                if row["corpus_model"] == "infgram"
                else log(some[0]["pair_documents"]) - log(some[0]["x_documents"])
                for some in kept.values()
            ]
            assert row["num_pairs"] == len(kept)
            assert row["num_examples"] == len({each["example_id"] for some in kept.values() for each in some})
            if row["statistic"] == "spearman":
                assert row["estimate"] == pytest.approx(stats.spearmanr(corpus, model).statistic)
            elif row["statistic"] == "kendall_distance":
                assert row["estimate"] == pytest.approx((1 - stats.kendalltau(corpus, model).statistic) / 2)
            elif row["statistic"] == "pearson":
                assert row["estimate"] == pytest.approx(stats.pearsonr(corpus, model).statistic)
    strict = correlate(*tables(study), statistics=["spearman"], **FAST).to_pylist()
    assert strict[1]["num_pairs"] > found[1]["num_pairs"]


# ---- switches ----------------------------------------------------------------------------------------------------


def two_pairs(mode: str) -> list[tuple[float, float]]:
    """Log P by corpus and model of the rows that a mode keeps of three pairs, two of which share their target."""
    from analysis.measures.chosen_pairs import comparison, select
    from analysis.measures.pair_arrays import arrays_of_corpus_scores, arrays_of_model_scores, arrays_of_pairs

    study = Study(num_examples=1, seed=1)
    study.rows = [dict(study.rows[0], row=i, x=f"x{i}", y=f"y{i // 2}", similarity=0.5) for i in range(3)]
    sizes = [(2, 8, 10, 4), (0, 5, 5, 7), (3, 6, 12, 3)]
    for row, (pair, x_documents, x_occurrences, y_documents) in zip(study.rows, sizes, strict=True):
        row |= {"pair_documents": pair, "x_documents": x_documents, "x_occurrences": x_occurrences, "y_documents": y_documents}
    pairs, counts, scores, model, _ = tables(study)
    of_pairs = arrays_of_pairs(pairs, counts)
    chosen = find_mode(mode)
    selection, *_ = next(select(of_pairs, arrays_of_corpus_scores(pairs, scores), chosen, [0.4], False))
    assert selection.corpus_model == "taskgram"
    by_model, by_corpus, *_ = comparison(of_pairs, selection, arrays_of_model_scores(pairs, model)[0], chosen).arrays
    assert len(by_model) == len(by_corpus)
    return sorted(np.exp(by_corpus).tolist())


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("strict", [2 / 8, 3 / 6]),
        ("paper", [2 / 8, 3 / 6]),
        ("strict+minimum_count", [4 / 8, 3 / 6, 5 / 5]),
        ("strict+mixed_units", [2 / 10, 3 / 12]),
        ("strict+minimum_count+average_by_target", [(4 / 8 * 5 / 5) ** 0.5, 3 / 6]),
        ("reference-code", [(4 / 10 * 5 / 5) ** 0.5, 3 / 12]),
        ("reference-code-average_by_target", [4 / 10, 5 / 5, 3 / 12]),
        ("reference-code-minimum_count-mixed_units", [2 / 8, 3 / 6]),
    ],
)
def test_switches_by_hand(mode: str, expected: list[float]) -> None:
    assert two_pairs(mode) == pytest.approx(sorted(expected))
    assert find_mode(mode).name == mode


def test_names_of_modes() -> None:
    assert find_mode("strict") is MODES["strict"]
    assert not any(getattr(MODES["strict"], switch) for switch in SWITCHES)
    assert {switch for switch in SWITCHES if not getattr(MODES["reference-code"], switch)} == {"distinct_pairs"}
    assert find_mode("paper+mask_to_end").mask_to_end
    assert find_mode("reference-code").threshold(0.8) == pytest.approx(0.002)
    assert find_mode("paper").threshold(0.8) == 0.8
    for wrong, why in (("loose", "unknown mode"), ("strict+speed", "unknown switch 'speed'"), ("paper+", "unknown switch ''"),
                       ("strict-mixed_units", "off already"), ("reference-code+mixed_units", "on already")):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            find_mode(wrong)


# ---- what cannot be measured ---------------------------------------------------------------------------------------


def test_nothing_left() -> None:
    study = Study()
    with pytest.raises(MeasureError, match=r"no pair is left to correlate: up to \d+ are not above γ, and up to 0 others"):
        correlate(*tables(study), gammas=[1.0])
    with pytest.raises(MeasureError, match="no γ was given"):
        correlate(*tables(study), gammas={7: [0.5]})
    pairs, *others = tables(study)
    with pytest.raises(MeasureError, match="table of pairs is empty"):
        correlate(pairs.slice(0, 0), *others)
    few = correlate(*tables(study), gammas=[sorted(row["similarity"] for row in study.rows)[-3]], **FAST).to_pylist()
    assert max(row["num_pairs"] for row in few) <= 2
    assert all(np.isnan([row[name] for name in ("estimate", "low", "high", "p_value")]).all() for row in few)


def test_nan_is_counted() -> None:
    study = Study()
    pairs, counts, scores, _, examples = tables(study)
    study.rows[4]["noise"] = study.rows[9]["noise"] = float("nan")
    with pytest.raises(MeasureError, match=r"2 of \d+ log-probabilities of the model small are nan or infinite.*row 4"):
        correlate(pairs, counts, scores, study.model_scores(), examples)
    with pytest.raises(MeasureError, match=r"1 of \d+ log-probabilities of the corpus model infgram are nan"):
        study.rows[4]["noise"] = study.rows[9]["noise"] = 0.0
        study.rows[7]["infgram"] = float("nan")
        correlate(pairs, counts, study.corpus_scores(), study.model_scores(), examples)


def test_tables_that_do_not_belong_together() -> None:
    study = Study()
    pairs, counts, scores, model, examples = tables(study)
    with pytest.raises(TableError, match=r"1 of \d+ pairs have no counts"):
        correlate(pairs, counts.slice(1), scores, model, examples)
    with pytest.raises(TableError, match="several rows for one pair"):
        correlate(pairs, pa.concat_tables([counts, counts.slice(0, 1)]), scores, model, examples)
    with pytest.raises(TableError, match="corpus model infgram has no score of 1 of"):
        correlate(pairs, counts, scores.slice(1), model, examples)
    with pytest.raises(TableError, match="the model large has no score of 2 of"):
        correlate(pairs, counts, scores, model.slice(0, model.num_rows - 2), examples)
    with pytest.raises(TableError, match="several scores of one pair"):
        correlate(pairs, counts, scores, pa.concat_tables([model, model.slice(0, 1)]), examples)
    with pytest.raises(TableError, match="unknown examples"):
        correlate(pairs, counts, scores, model, examples.slice(1))
    with pytest.raises(ConfigError, match="unknown statistic 'cosine'"):
        correlate(pairs, counts, scores, model, examples, statistics=["cosine"])


# ---- the trend over models -----------------------------------------------------------------------------------------

LADDER = tuple((f"m{place}", 10 ** (6 + place)) for place in range(5))


def test_size_trend() -> None:
    study = Study(num_examples=80)
    for row in study.rows:
        row["noise"] *= 2
    rows = tables(study, models=LADDER)
    found = size_trend(*rows, statistics=["spearman", "partial_spearman"], resamples=100)
    assert found.schema.names == SIZE_TRENDS.names
    memorization = correlate(*rows, statistics=["spearman", "partial_spearman"], **FAST).to_pylist()
    for row in found.to_pylist():
        values = [
            each["estimate"]
            for each in memorization
            if all(each[name] == row[name] for name in ("corpus_model", "statistic", "pair_set"))
        ]
        fitted = stats.linregress(range(5), values)
        assert row["estimate"] == pytest.approx(fitted.slope if row["trend"] == "slope" else fitted.rvalue)
        exact = stats.permutation_test((values,), lambda x: stats.linregress(range(5), x).slope, permutation_type="pairings")
        assert row["p_value"] == pytest.approx(exact.pvalue)
        assert (row["num_models"], row["num_examples"] <= 80) == (5, True)
        if (row["trend"], row["corpus_model"], row["statistic"], row["pair_set"]) == ("slope", "taskgram", "spearman", "own"):
            assert 0 < row["low"] < row["estimate"] < row["high"]


def test_models_share_resamples() -> None:
    """Models that say the same have slope 0 in every resample, however uncertain each of them is."""
    study = Study()
    scores = study.model_scores((("a", 10), ("b", 100), ("c", 1000)))
    noise = pa.array([row["noise"] for row in study.rows] * 3)
    same = scores.set_column(scores.schema.get_field_index("log_prob"), "log_prob", noise)
    pairs, counts, corpus, _, examples = tables(study)
    for row in size_trend(pairs, counts, corpus, same, examples, resamples=50).to_pylist():
        if row["trend"] == "slope":
            assert [row["estimate"], row["low"], row["high"]] == pytest.approx([0, 0, 0], abs=1e-12)
            assert row["p_value"] == 1
    assert size_trend(*tables(study)).num_rows == 0  # two sizes are no trend


def test_a_trend_is_of_one_family() -> None:
    """A model of another family, however large, changes nothing of a ladder's trend; names that tell nothing are one ladder."""
    study = Study()
    ladder = tuple((f"ours/{10**place}m", 10 ** (6 + place)) for place in range(3))
    alone = size_trend(*tables(study, models=ladder), resamples=50).to_pylist()
    assert {(row["family"], row["num_models"]) for row in alone} == {("ours", 3)}
    assert size_trend(*tables(study, models=(*ladder, ("theirs-135m", 10**9))), resamples=50).to_pylist() == alone
    both = (*ladder, *((f"theirs/{10**place}m", 10 ** (6 + place)) for place in range(3)))
    assert {row["family"] for row in size_trend(*tables(study, models=both), resamples=20).to_pylist()} == {"ours", "theirs"}
    assert {row["family"] for row in size_trend(*tables(study, models=LADDER[:3]), resamples=20).to_pylist()} == {""}
    few = (*ladder[:2], ("theirs-1b", 10**9))
    assert size_trend(*tables(study, models=few), resamples=20).num_rows == 0


def test_pairs_that_a_model_did_not_read_are_left_out_of_its_rows_alone() -> None:
    study = Study(seed=3)
    pairs, counts, corpus_scores, model_scores, examples = tables(study, models=(("a", 10**6), ("b", 10**7), ("c", 10**8)))
    lost = {row["row"] for row in study.rows if row["example_id"] in ("qa-1", "qa-4")}
    rows = [
        {**row, "log_prob": None, "num_tokens": 0} if row["model"] == "b" and row["row"] in lost else row
        for row in model_scores.to_pylist()
    ]
    given = [pairs, counts, corpus_scores, table_of(rows, MODEL_SCORES), examples]
    by_model = correlate(*given, statistics=["spearman"], **FAST).to_pylist()
    found = {row["model"]: row for row in by_model if row["corpus_model"] == "taskgram" and row["pair_set"] == "own"}
    study.rows = [row for row in study.rows if row["row"] not in lost]
    without = correlate(*tables(study, models=(("a", 10**6), ("b", 10**7))), statistics=["spearman"], **FAST).to_pylist()
    (alone,) = [row for row in without if (row["model"], row["corpus_model"], row["pair_set"]) == ("b", "taskgram", "own")]
    assert found["b"] == alone and found["a"]["num_pairs"] == found["c"]["num_pairs"] > alone["num_pairs"]
    trends = size_trend(*given, resamples=20).to_pylist()  # of one and the same pairs, those that every model has read
    own = {row["num_pairs"] for row in trends if (row["corpus_model"], row["pair_set"]) == ("taskgram", "own")}
    assert own == {alone["num_pairs"]}


def test_equal_probabilities_tie() -> None:
    """1 of 3 documents and 10 of 30: their logarithms' differences are not equal numbers, and broke the tie by rounding."""
    study = Study(num_examples=30)
    for place, row in enumerate(study.rows):
        factor = 1 + place % 7
        row |= {"pair_documents": factor * (1 + place % 2), "x_documents": 3 * factor}
    of_pairs = arrays_of_pairs(study.pairs(), study.counts())
    assert len(np.unique(taskgram_score(of_pairs, find_mode("strict")).log_prob)) == 2
