"""Do intervals hold the truth as often as they say, and do tests reject a true null hypothesis as seldom as they say?

    python -m benchmarks.intervals [--simulations 1000] [--check | --table]

Draws examples whose pairs depend on each other (half of the variance is the example's), of 1 to some 15 pairs each, with and
without ties. The truth is scipy's statistic of a million pairs. ``clustered`` is what ``analysis.stats.correlations`` does;
``rows`` forgets the examples and draws single pairs. Writes ``benchmarks/results/intervals.json`` and the table of ``README.md``:
some four minutes of one core for 1,000 simulations.
"""

import argparse
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.measures.differences import difference_of
from analysis.stats.correlations import KENDALL_DISTANCE, MEAN, PARTIAL_SPEARMAN, PEARSON, SPEARMAN
from analysis.stats.resampling import Statistic, clustered_bootstrap, permutation_p
from benchmarks.tables import ROOT, insert, load, markdown, save

NOMINAL = 0.95
RESAMPLES = 400
PERMUTATIONS = 199
TRUTH_CLUSTERS = 250_000
DIFFERENCE = difference_of(SPEARMAN)
"""Of a and b less that of a and the control: as Mem_n less Mem_∞, of two models of the corpus that depend on each other."""
STATISTICS = (SPEARMAN, KENDALL_DISTANCE, PEARSON, PARTIAL_SPEARMAN, DIFFERENCE, MEAN)


class World(NamedTuple):
    """How pairs are drawn."""

    clusters: int
    correlation: float  # of the normal variables behind a and b
    ties: bool  # a, b and the control rounded to some five values
    equal_sizes: bool = False

    def draw(self, rng: np.random.Generator, clusters: int) -> tuple[list[NDArray[np.float64]], NDArray[np.int64]]:
        """a, b and a control that both depend on, and the example of each row."""
        sizes = np.full(clusters, 4) if self.equal_sizes else rng.geometric(0.25, clusters)
        example = np.repeat(np.arange(clusters), sizes)
        a, noise, third = (
            np.sqrt(0.5) * rng.standard_normal(clusters)[example] + np.sqrt(0.5) * rng.standard_normal(len(example))
            for _ in range(3)
        )
        b = self.correlation * a + np.sqrt(1 - self.correlation**2) * noise
        control = 0.4 * a + 0.4 * b + third
        return [np.floor(2 * x) / 2 if self.ties else x for x in (a, b, control)], example


WORLDS = (
    World(20, 0.0, ties=False),
    World(20, 0.6, ties=True),
    World(50, 0.4, ties=False),
    World(50, 0.4, ties=True),
    World(200, 0.0, ties=True),
    World(200, 0.6, ties=False),
)
NULL_WORLDS = tuple(World(clusters, 0.0, True, equal) for clusters in (20, 100) for equal in (True, False))


def truth(world: World, statistic: Statistic) -> float:
    """The statistic of very many pairs, by scipy."""
    (a, b, control), _ = world.draw(np.random.default_rng(20), TRUTH_CLUSTERS)
    if statistic is MEAN:
        return float(a.mean())
    if statistic is KENDALL_DISTANCE:
        return float(1 - stats.kendalltau(a, b).statistic) / 2
    if statistic is PEARSON:
        return float(stats.pearsonr(a, b).statistic)
    if statistic is SPEARMAN:
        return float(stats.spearmanr(a, b).statistic)
    if statistic is DIFFERENCE:
        return float(stats.spearmanr(a, b).statistic - stats.spearmanr(a, control).statistic)
    ranks = [stats.rankdata(x) for x in (a, b, control)]
    left = [y - np.polyval(np.polyfit(ranks[2], y, 1), ranks[2]) for y in ranks[:2]]
    return float(stats.pearsonr(*left).statistic)


def arrays_of(statistic: Statistic, drawn: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    return drawn[: {MEAN.name: 1, PARTIAL_SPEARMAN.name: 3, DIFFERENCE.name: 3}.get(statistic.name, 2)]


def coverage(simulations: int) -> Iterator[dict[str, object]]:
    """A row for each world and statistic: the share of simulations whose interval holds the truth."""
    for number, world in enumerate(WORLDS):
        for statistic in STATISTICS:
            rng = np.random.default_rng([number, 1])
            value = truth(world, statistic)
            held, below, widths, held_rows = 0, 0, 0.0, 0
            for seed in range(simulations):
                drawn, example = world.draw(rng, world.clusters)
                arrays = arrays_of(statistic, drawn)
                found = clustered_bootstrap(statistic, arrays, example, resamples=RESAMPLES, confidence=NOMINAL, seed=seed)
                held += found.low <= value <= found.high
                below += value < found.low
                widths += found.high - found.low
                if statistic is SPEARMAN:
                    rows = np.arange(len(example))
                    found = clustered_bootstrap(statistic, arrays, rows, resamples=RESAMPLES, confidence=NOMINAL, seed=seed)
                    held_rows += found.low <= value <= found.high
            row = {"clusters": world.clusters, "correlation": world.correlation, "ties": world.ties, "statistic": statistic.name}
            row |= {"truth": round(value, 4), "clustered": held / simulations, "truth_below": below / simulations}
            row["width"] = round(widths / simulations, 4)
            if statistic is SPEARMAN:
                row["rows"] = held_rows / simulations
            yield row


def rejections(simulations: int) -> Iterator[dict[str, object]]:
    """A row for each world without correlation: the share of tests with p ≤ 0.05."""
    for number, world in enumerate(NULL_WORLDS):
        for statistic in (SPEARMAN, PARTIAL_SPEARMAN):
            rng = np.random.default_rng([number, 2])
            rejected, rejected_rows = 0, 0
            for seed in range(simulations):
                (a, b, _), example = world.draw(rng, world.clusters)
                third = 0.5 * b + rng.standard_normal(len(b))  # explains b, and leaves a alone
                arrays = [a, b, third] if statistic is PARTIAL_SPEARMAN else [a, b]
                rejected += permutation_p(statistic, arrays, example, permutations=PERMUTATIONS, seed=seed) <= 0.05
                rows = np.arange(len(example))
                rejected_rows += permutation_p(statistic, arrays, rows, permutations=PERMUTATIONS, seed=seed) <= 0.05
            row = {"clusters": world.clusters, "equal_sizes": world.equal_sizes, "statistic": statistic.name}
            yield row | {"clustered": rejected / simulations, "rows": rejected_rows / simulations}


def table() -> str:
    """Shares in percent: what intervals hold and tests reject, by number of examples."""
    results = load("intervals")
    percent = "{:.1f}".format
    header = ["examples", "r", "ties", *(statistic.name for statistic in STATISTICS), "spearman, single pairs"]
    worlds = {(row["clusters"], row["correlation"], row["ties"]): {} for row in results["intervals"]}
    for row in results["intervals"]:
        held = worlds[row["clusters"], row["correlation"], row["ties"]]
        held[row["statistic"]] = percent(100 * row["clustered"])
        if "rows" in row:
            held["rows"] = percent(100 * row["rows"])
    intervals = markdown(
        header,
        [
            [clusters, r, "yes" if ties else "no", *(held[statistic.name] for statistic in STATISTICS), held["rows"]]
            for (clusters, r, ties), held in worlds.items()
        ],
    )
    tests = markdown(
        ["examples", "pairs of each", "statistic", "examples exchanged", "single pairs exchanged"],
        [
            [row["clusters"], "4" if row["equal_sizes"] else "1 to 15", row["statistic"]]
            + [percent(100 * row[name]) for name in ("clustered", "rows")]
            for row in results["tests"]
        ],
    )
    note = (
        f"{results['simulations']:,} simulations of each, {results['resamples']} resamples, {results['permutations']} permutations."
    )
    return f"{intervals}\n\n{tests}\n\n{note}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--check", action="store_true", help="keep no figures")
    parser.add_argument("--table", action="store_true", help="only write the table of the figures that are kept")
    options = parser.parse_args()
    if options.table:
        insert(ROOT / "benchmarks" / "README.md", "intervals", table())
        return
    started = time.perf_counter()
    intervals, tests = [], []
    for row in coverage(options.simulations):
        print(row, flush=True)
        intervals.append(row)
    for row in rejections(options.simulations):
        print(row, flush=True)
        tests.append(row)
    kept = {"nominal": NOMINAL, "simulations": options.simulations, "resamples": RESAMPLES, "permutations": PERMUTATIONS}
    kept["seconds"] = round(time.perf_counter() - started)
    if not options.check:
        save("intervals", {**kept, "intervals": intervals, "tests": tests})
        insert(ROOT / "benchmarks" / "README.md", "intervals", table())


if __name__ == "__main__":
    main()
