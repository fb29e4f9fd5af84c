"""Correlations against scipy and against the definitions; intervals and tests against simulations with dependent rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.errors import MeasureError
from analysis.stats.correlations import (
    KENDALL_DISTANCE,
    MEAN,
    PARTIAL_SPEARMAN,
    PEARSON,
    RATIO,
    SPEARMAN,
    STATISTICS,
    kendall_distance,
    partial_spearman,
    pearson,
    spearman,
)
from analysis.stats.resampling import Statistic, _Exchange, _strata, cluster_weights, clustered_bootstrap, permutation_p
from tests.helpers import building

ROWS = st.integers(3, 25).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(0, 5), min_size=size, max_size=size) for _ in range(4)])
)


def slow_tau(a: list[float], b: list[float]) -> float:
    """τ_b from its definition: every pair of rows."""
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in pairs]
    untied = [sum(sign[side] != 0 for sign in signs) for side in (0, 1)]
    return sum(first * second for first, second in signs) / np.sqrt(untied[0] * untied[1])


def slow_partial(a: list[float], b: list[float], controls: list[list[float]]) -> float:
    """Residuals of a least-squares regression of ranks on the controls' ranks."""
    ranks = [stats.rankdata(column) for column in (a, b, *controls)]
    design = np.stack([np.ones(len(a)), *ranks[2:]], axis=1)
    left = [rank - design @ np.linalg.lstsq(design, rank, rcond=None)[0] for rank in ranks[:2]]
    if min(np.abs(residual).max() for residual in left) < 1e-8:
        return float("nan")
    return float(left[0] @ left[1] / np.sqrt((left[0] @ left[0]) * (left[1] @ left[1])))


# ---- correlations ------------------------------------------------------------------------------------------------


@given(rows=ROWS)
def test_correlations_are_scipys(rows: tuple[list[int], ...]) -> None:
    a, b, *controls = rows
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert np.isnan([spearman(a, b), pearson(a, b), kendall_distance(a, b), partial_spearman(a, b, controls)]).all()
        return
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    assert pearson(a, b) == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-12)
    assert kendall_distance(a, b) == pytest.approx((1 - stats.kendalltau(a, b).statistic) / 2, abs=1e-12)
    assert kendall_distance(a, b) == pytest.approx((1 - slow_tau(a, b)) / 2, abs=1e-12)
    assert partial_spearman(a, b, controls) == pytest.approx(slow_partial(a, b, controls), abs=1e-6, nan_ok=True)


def test_by_hand() -> None:
    # ranks 1.5 1.5 3 4 and 1 3 2 4: Σ of products of the deviations -1 -1 .5 1.5 and -1.5 .5 -.5 1.5 is 3
    assert spearman([7, 7, 8, 9], [10, 30, 20, 40]) == pytest.approx(3 / np.sqrt(4.5 * 5))
    # of six pairs one is tied in a, four agree, one (30, 20) does not: τ_b = 3 / √(5 · 6)
    assert kendall_distance([7, 7, 8, 9], [10, 30, 20, 40]) == pytest.approx((1 - 3 / np.sqrt(30)) / 2)
    assert pearson([0, 0, 3], [0, 1, 2]) == pytest.approx(np.sqrt(3) / 2)
    assert kendall_distance([1, 2, 3], [3, 2, 1]) == 1
    assert kendall_distance([1, 2, 3], [1, 2, 3]) == 0
    # r_ab = .8, r_ac = .4, r_bc = 0: r_ab.c = (.8 - 0) / √(1 - .16)
    a, b, c = [1, 2, 3, 4], [1, 3, 2, 4], [3, 1, 2, 4]
    r_ab, r_ac, r_bc = spearman(a, b), spearman(a, c), spearman(b, c)
    expected = (r_ab - r_ac * r_bc) / np.sqrt((1 - r_ac**2) * (1 - r_bc**2))
    assert partial_spearman(a, b, [c]) == pytest.approx(expected)


def test_controls_that_say_nothing_or_everything() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, 50))
    assert partial_spearman(a, b, []) == pytest.approx(spearman(a, b))
    assert partial_spearman(a, b, [np.ones(50)]) == pytest.approx(spearman(a, b))
    assert partial_spearman(a, b, [c, 2 * c, np.exp(c)]) == pytest.approx(partial_spearman(a, b, [c]))
    assert np.isnan(partial_spearman(a, b, [np.exp(a)]))
    assert permutation_p(PARTIAL_SPEARMAN, (a, b, np.ones(50)), np.arange(50), seed=0, permutations=99) > 0


def test_what_cannot_be_measured() -> None:
    with pytest.raises(MeasureError, match="no rows are left"):
        spearman([], [])
    with pytest.raises(MeasureError, match="2 of 3 rows hold nan or infinity, the first of them row 1"):
        pearson([1, np.nan, 3], [1, 2, np.inf])
    with pytest.raises(MeasureError, match="one value a row"):
        kendall_distance([1, 2], [1, 2, 3])
    with pytest.raises(MeasureError, match="3 clusters for 2 rows"):
        clustered_bootstrap(MEAN, ([1, 2],), [1, 2, 3], seed=0)
    with pytest.raises(MeasureError, match="0 resamples"):
        clustered_bootstrap(MEAN, ([1, 2],), [1, 2], resamples=0, seed=0)
    with pytest.raises(MeasureError, match="0 permutations"):
        permutation_p(SPEARMAN, ([1, 2], [1, 2]), [1, 2], permutations=0, seed=0)
    assert np.isnan(pearson([0.1] * 7, range(7)))  # the mean of seven 0.1 is not quite 0.1


# ---- resampling --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", [*STATISTICS.values(), MEAN, RATIO], ids=lambda statistic: statistic.name)
@given(rows=ROWS, data=st.data())
def test_weights_are_copies(statistic: Statistic, rows: tuple[list[int], ...], data: st.DataObject) -> None:
    """What a bootstrap computes of weights is the statistic of the rows that the weights stand for."""
    arrays = [np.array(row, float) for row in rows]
    if statistic in (MEAN, RATIO):
        arrays = arrays[: 1 + (statistic is RATIO)]
    elif statistic is not PARTIAL_SPEARMAN:
        arrays = arrays[:2]
    size = len(rows[0])
    weights = np.array(data.draw(st.lists(st.lists(st.integers(0, 3), min_size=size, max_size=size), min_size=1, max_size=3)))
    weights[:, 0] += 1
    found = statistic.compute(statistic.prepare(*arrays), weights.astype(float))
    for value, weight in zip(found, weights, strict=True):
        copied = [np.repeat(array, weight) for array in arrays]
        once = statistic.compute(statistic.prepare(*copied), np.ones((1, weight.sum())))[0]
        assert value == pytest.approx(once, abs=1e-7, nan_ok=True)


def test_bootstrap_is_of_clusters() -> None:
    """Of the means of resamples of clusters {0, 0, 0} and {1}, by hand: 0, 1/4 (twice as likely) and 1."""
    drawn = MEAN.compute(MEAN.prepare(np.array([0.0, 0, 0, 1])), np.array([[2.0, 2, 2, 0], [1, 1, 1, 1], [0, 0, 0, 2]]))
    assert drawn.tolist() == [0, 0.25, 1]
    found = clustered_bootstrap(MEAN, ([0, 0, 0, 1],), ["a", "a", "a", "b"], resamples=200, confidence=0.9, seed=0)
    assert found == (0.25, 0, 1, 0.9)
    alone = clustered_bootstrap(MEAN, ([1, 2, 3],), ["a"] * 3, seed=0)
    assert alone.estimate == 2
    assert np.isnan([alone.low, alone.high]).all()


def crossed(rng: np.random.Generator, examples: int, pairs: int, rows: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Rows whose two values have an effect of their example and one of their pair; examples and pairs meet at random."""
    example, pair = rng.integers(0, examples, rows), rng.integers(0, pairs, rows)
    effects = rng.standard_normal((2, examples))[:, example] + 1.5 * rng.standard_normal((2, pairs))[:, pair]
    return list(effects + 0.3 * rng.standard_normal((2, rows))), example, pair


@pytest.mark.parametrize("statistic", [MEAN, SPEARMAN], ids=lambda statistic: statistic.name)
def test_two_ways_of_clustering_by_definition(statistic: Statistic) -> None:
    """The variance of resamples of examples, plus that of pairs, less that of both: rows copied as often as they are drawn."""
    arrays, example, pair = crossed(np.random.default_rng(0), 9, 7, 60)
    arrays = arrays[: 1 if statistic is MEAN else 2]
    found = clustered_bootstrap(statistic, arrays, example, also=pair, resamples=60, seed=3)
    alone = clustered_bootstrap(statistic, arrays, example, resamples=60, seed=3)

    def resampled(labels: list[object], seed: object) -> float:
        names = sorted(set(labels))
        place = np.array([names.index(label) for label in labels])
        weights = cluster_weights(np.random.default_rng(seed), len(names), 60).astype(int)
        values = []
        for counts in weights:
            copied = [np.repeat(array, counts[place]) for array in arrays]
            values.append(statistic.compute(statistic.prepare(*copied), np.ones((1, len(copied[0]))))[0])
        return float(np.var(values))

    both = list(zip(example.tolist(), pair.tolist(), strict=True))
    by_example, by_pair, by_both = resampled(example.tolist(), 3), resampled(pair.tolist(), [3, 1]), resampled(both, [3, 2])
    wider = np.sqrt(max(by_example, by_pair, by_example + by_pair - by_both) / by_example)
    assert wider > 1
    assert found.estimate == alone.estimate
    assert found.low == pytest.approx(found.estimate - wider * (alone.estimate - alone.low))
    assert found.high == pytest.approx(found.estimate + wider * (alone.high - alone.estimate))


def test_pairs_of_one_example_each_change_nothing() -> None:
    rng = np.random.default_rng(0)
    a, b, pair = rng.standard_normal(40), rng.standard_normal(40), np.arange(40)
    plain = clustered_bootstrap(SPEARMAN, (a, b), pair // 3, resamples=30, seed=1)
    assert clustered_bootstrap(SPEARMAN, (a, b), pair // 3, also=pair, resamples=30, seed=1) == plain
    assert clustered_bootstrap(SPEARMAN, (a, b), pair // 3, weights=np.ones(40), resamples=30, seed=1) == plain
    with pytest.raises(MeasureError, match="expected a number above 0 for each row"):
        clustered_bootstrap(SPEARMAN, (a, b), pair // 3, weights=np.zeros(40), seed=1)


def test_intervals_of_both_ways_hold_the_truth() -> None:
    """Of the mean of crossed effects, whose truth is 0; intervals that forget the pairs are far too narrow."""
    held = {"both": 0, "examples": 0}
    for seed in range(200):
        (values, _), example, pair = crossed(np.random.default_rng(seed), 40, 30, 400)
        for name, also in (("both", pair), ("examples", None)):
            found = clustered_bootstrap(MEAN, (values,), example, also=also, resamples=100, seed=seed)
            held[name] += found.low <= 0 <= found.high
    assert 184 <= held["both"] <= 199
    assert held["examples"] < 150


def test_resamples_without_a_value_widen_nothing() -> None:
    found = clustered_bootstrap(SPEARMAN, ([1, 2, 3, 4], [1, 1, 1, 1]), [0, 0, 1, 1], also=[0, 1, 0, 1], resamples=20, seed=0)
    assert np.isnan(found[:3]).all()


@pytest.mark.parametrize("name", STATISTICS)
def test_weights_that_share_a_row_are_that_row(name: str) -> None:
    """A row split into two that count one half each: the same estimate and, the clusters kept, the same resamples."""
    rng = np.random.default_rng(5)
    arrays = rng.integers(0, 6, (4 if name == "partial_spearman" else 2, 24)).astype(float)
    example, twice = np.arange(24) // 2, np.repeat(np.arange(24), 2)
    whole = clustered_bootstrap(STATISTICS[name], arrays, example, resamples=40, seed=2)
    halves = clustered_bootstrap(STATISTICS[name], arrays[:, twice], example[twice], weights=np.full(48, 0.5), resamples=40, seed=2)
    np.testing.assert_allclose(halves, whole, atol=1e-9)


def test_same_seed_same_answer() -> None:
    rng = np.random.default_rng(1)
    a, b, example = rng.standard_normal(60), rng.standard_normal(60), rng.integers(0, 12, 60)
    for statistic in (SPEARMAN, KENDALL_DISTANCE, PEARSON):
        first, again, other = (clustered_bootstrap(statistic, (a, b), example, resamples=100, seed=seed) for seed in (5, 5, 6))
        assert first == again != other
        order = rng.permutation(60)
        moved = clustered_bootstrap(statistic, (a[order], b[order]), example[order], resamples=100, seed=5)
        np.testing.assert_allclose(moved, first, atol=1e-12)
        tests = [permutation_p(statistic, (a, b), example, permutations=99, seed=3) for _ in range(2)]
        assert tests[0] == tests[1]


def test_resamples_without_a_value(caplog: pytest.LogCaptureFixture) -> None:
    found = clustered_bootstrap(SPEARMAN, ([1, 2, 3], [1, 3, 2]), [0, 1, 2], resamples=50, seed=0)
    assert found.low == -1
    assert "no value in" in caplog.text
    found = clustered_bootstrap(SPEARMAN, ([1, 1, 1, 1, 2], [1, 2, 3, 4, 5]), [0, 0, 0, 0, 1], resamples=50, seed=0)
    assert np.isnan([found.low, found.high]).all()  # half of the resamples hold one value of a


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_examples_exchange_whole(sizes: list[int], seed: int) -> None:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(seed)
    clusters = clusters[rng.permutation(len(clusters))]
    source = _Exchange(clusters).draw(rng)
    givers = []
    for cluster, size in enumerate(sizes):
        taken = source[clusters == cluster]
        (giver,) = set(clusters[taken].tolist())  # all from one example
        givers.append(giver)
        own = np.flatnonzero(clusters == giver)
        assert taken.tolist() == [own[place % len(own)] for place in range(size)]  # in its order
        if sizes.count(size) >= 10:
            assert sizes[giver] == size
    assert sorted(givers) == list(range(len(sizes)))
    assert sorted(np.concatenate(_strata(np.array(sizes))).tolist()) == list(range(len(sizes)))


def test_permutation_p_of_all_arrangements() -> None:
    """Ten examples of a row each: the share of all 10! arrangements that are as far, near enough by 20,000 of them."""
    a = np.arange(10)
    b = np.array([0, 3, 1, 2, 5, 9, 4, 6, 8, 7])
    arranged = np.random.default_rng(1).permuted(np.tile(b, (20_000, 1)), axis=1)
    rho = 1 - 6 * ((arranged - a) ** 2).sum(axis=1) / (10 * 99)
    exact = np.mean(np.abs(rho) >= abs(stats.spearmanr(a, b).statistic) - 1e-12)
    found = permutation_p(SPEARMAN, (a, b), a, permutations=5000, seed=0)
    assert found == pytest.approx(exact, abs=0.01)
    assert permutation_p(SPEARMAN, (a, a), a, permutations=999, seed=0) == 1 / 1000
    assert permutation_p(SPEARMAN, (a, -a), a, permutations=999, seed=0) == 1 / 1000
    assert permutation_p(KENDALL_DISTANCE, (a, a), a, permutations=199, seed=0) == 1 / 200
    assert permutation_p(SPEARMAN, (a, b), np.zeros(10), permutations=99, seed=0) == 1  # one example has none to exchange with
    assert np.isnan(permutation_p(SPEARMAN, (a, np.ones(10)), a, permutations=99, seed=0))


# ---- do they hold what they promise? (benchmarks/intervals.py does it at length) -------------------------------------

SIMULATIONS = 400 if building.COMPILED else 40


def dependent(rng: np.random.Generator, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """A variable of which an example explains half, and the example of each of its 1 to some 15 rows."""
    example = np.repeat(np.arange(clusters), rng.geometric(0.25, clusters))
    return rng.standard_normal(clusters)[example] + rng.standard_normal(len(example)), example


def test_coverage() -> None:
    """Of 95 % intervals about 95 % hold the truth (0, by symmetry); those that forget the examples hold it far too seldom."""
    rng = np.random.default_rng(11)
    held = {"spearman": 0, "mean": 0, "rows": 0}
    for seed in range(SIMULATIONS):
        a, example = dependent(rng, 40)
        b = rng.standard_normal(40)[example] + rng.standard_normal(len(a))
        for statistic, arrays in ((SPEARMAN, (a, b)), (MEAN, (a,))):
            found = clustered_bootstrap(statistic, arrays, example, resamples=199, seed=seed)
            held[statistic.name] += found.low <= 0 <= found.high
        found = clustered_bootstrap(SPEARMAN, (a, b), np.arange(len(a)), resamples=199, seed=seed)
        held["rows"] += found.low <= 0 <= found.high
    assert held["spearman"] / SIMULATIONS == pytest.approx(0.95, abs=0.02 if SIMULATIONS >= 400 else 0.08)
    assert held["mean"] / SIMULATIONS == pytest.approx(0.95, abs=0.02 if SIMULATIONS >= 400 else 0.08)
    assert held["rows"] / SIMULATIONS < 0.88


def test_false_alarms() -> None:
    """A true null hypothesis is rejected at 5 % about that often; rows by themselves exchanged, far more often."""
    rng = np.random.default_rng(12)
    rejected = {"examples": 0, "rows": 0}
    for seed in range(SIMULATIONS):
        a, example = dependent(rng, 40)
        b = rng.standard_normal(40)[example] + rng.standard_normal(len(a))
        rejected["examples"] += permutation_p(SPEARMAN, (a, b), example, permutations=99, seed=seed) <= 0.05
        rejected["rows"] += permutation_p(SPEARMAN, (a, b), np.arange(len(a)), permutations=99, seed=seed) <= 0.05
    assert rejected["examples"] / SIMULATIONS < 0.08
    assert rejected["rows"] / SIMULATIONS > 0.1
