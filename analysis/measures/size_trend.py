"""Does memorization grow with the size of the model? A trend over models, with the uncertainty of the examples."""

import re
from collections.abc import Callable, Sequence
from itertools import chain, permutations, product
from math import factorial, nan
from pathlib import PurePath
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from analysis.errors import ConfigError
from analysis.measures.chosen_pairs import LEAST_PAIRS, PAIR_SETS, Gammas, comparison, read_by_all, select
from analysis.measures.modes import Mode, find_mode
from analysis.measures.pair_arrays import arrays_of_corpus_scores, arrays_of_model_scores, arrays_of_pairs
from analysis.schemas import SIZE_TRENDS
from analysis.stats.correlations import PARTIAL_SPEARMAN, STATISTICS
from analysis.stats.resampling import Columns, Interval, Reals, Statistic, clustered_bootstrap
from analysis.tables import table_of

Trend = Literal["slope", "correlation"]
TRENDS: tuple[Trend, ...] = ("slope", "correlation")
LEAST_MODELS = 3
MAX_ORDERS = 50_000  # of models, that are all tried
SIZE = re.compile(r"(?i)[-_. ]?(?<![a-z\d])\d+(?:[._]\d+)?[kmbt](?![a-z\d])")  # 14m, 1.4b, 270M of a model's name
ALL_FAMILIES = ""
Of = TypeVar("Of")


def family(model: str) -> str:
    """The family of a model, whose members differ by size: its name without that (pythia-1.4b: pythia).

    >>> family("HuggingFaceTB/SmolLM2-135M-Instruct"), family("ladder/14m")
    ('SmolLM2-Instruct', 'ladder')
    """
    path = PurePath(model)
    return SIZE.sub("", path.name).strip("-_. ") or path.parent.name or model


def ladders(models: Sequence[Of], columns: Callable[[Of], dict[str, Any]]) -> dict[tuple[str, str], list[Of]]:
    """The models that a trend over sizes is of, by family and revision: three sizes at least, which nothing else tells apart.

    Where no name has a size in it (gpt2, gpt2-medium, …), all models of a revision are one ladder, ``ALL_FAMILIES``.

    Parameters
    ----------
    columns
        A model -> its ``model``, ``revision`` and ``num_parameters``.
    """
    apart = any(SIZE.search(PurePath(columns(model)["model"]).name) for model in models)
    grouped: dict[tuple[str, str], list[Of]] = {}
    for model in models:
        told = columns(model)
        grouped.setdefault((family(told["model"]) if apart else ALL_FAMILIES, told["revision"]), []).append(model)
    return {
        key: some
        for key, some in sorted(grouped.items())
        if len({columns(model)["num_parameters"] for model in some}) >= LEAST_MODELS
    }


def size_trend(
    pairs: pa.Table,
    counts: pa.Table,
    corpus_scores: pa.Table,
    model_scores: pa.Table,
    examples: pa.Table,
    *,
    mode: str | Mode = "strict",
    gammas: Gammas = None,
    statistics: Sequence[str] = ("spearman",),
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    by_subset: bool = False,
) -> pa.Table:
    """How the correlation of corpus and model changes with the logarithm of the model's parameters.

    ``slope``: change of the statistic for ten times the parameters (least squares). ``correlation``: Pearson's r of the
    statistic and log parameters. All models answer the same resample of examples, so what the examples share cancels: the
    slope's interval is narrower than the models' own intervals suggest. Noise in single estimates draws r, not the slope,
    towards 0, in resamples more than in the data; so prefer the slope.

    ``p_value``: two-sided, by exchange of the models' sizes (all orders of up to 8 models, else 50,000 drawn); with 3 models
    it cannot be below 1/3, with 5 not below 1/60. It asks about models, the interval about examples.

    Parameters
    ----------
    pairs, …, by_subset
        As for :func:`analysis.measures.correlate.correlate`. Models are compared with those of their family and revision alone,
        see :func:`ladders`.

    Returns
    -------
    pa.Table
        SIZE_TRENDS; empty where no family has three sizes.

    Raises
    ------
    ConfigError, TableError, MeasureError
        As for ``correlate``.
    """
    chosen_mode = find_mode(mode)
    if unknown := sorted(set(statistics) - STATISTICS.keys()):
        raise ConfigError(f"unknown statistic {unknown[0]!r}: expected {', '.join(STATISTICS)}")
    of_pairs = arrays_of_pairs(pairs, counts, examples)
    compared_by_size = ladders(list(arrays_of_model_scores(pairs, model_scores)), lambda model: model.columns)
    rows: list[dict[str, Any]] = []
    corpus = arrays_of_corpus_scores(pairs, corpus_scores)
    selections = list(chain.from_iterable(select(of_pairs, corpus, chosen_mode, gammas, by_subset)))
    for selection in tqdm(selections, desc="trends over sizes", disable=None):
        for ((of_family, revision), some), pair_set in product(compared_by_size.items(), PAIR_SETS):
            sizes = np.log10([model.columns["num_parameters"] for model in some])
            of_all = read_by_all(selection.of(pair_set), some)
            compared = [comparison(of_pairs, of_all, model, chosen_mode) for model in some]
            about = {column: getattr(selection, column) for column in ("task", "subset", "corpus_model", "n", "gamma")}
            about |= {"family": of_family, "revision": revision, "mode": chosen_mode.name, "num_models": len(some)}
            about |= {"pair_set": pair_set, **compared[0].size}
            for name in statistics:
                used = [each.arrays if name == PARTIAL_SPEARMAN.name else each.arrays[:2] for each in compared]
                for trend in TRENDS:
                    interval, p_value = Interval(nan, nan, nan, confidence), nan
                    if compared[0].size["num_pairs"] >= LEAST_PAIRS:
                        over_models = trend_statistic(STATISTICS[name], sizes, len(used[0]), trend)
                        arrays = [array for of_model in used for array in of_model]
                        how: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
                        interval = clustered_bootstrap(over_models, arrays, **compared[0].clusters, **how)
                        p_value = trend_p(values_of(STATISTICS[name], used, compared[0].weights), sizes, seed)
                    rows.append(about | {"statistic": name, "trend": trend, "p_value": p_value, **interval._asdict()})
    return table_of(rows, SIZE_TRENDS)


def trend_statistic(statistic: Statistic, sizes: NDArray[np.float64], num_arrays: int, trend: Trend) -> Statistic:
    """The trend over models of a statistic of each: its arrays are those of the first model, then those of the next …"""

    def compute(columns: Columns, weights: Reals) -> Reals:
        of_models = [
            statistic.compute(columns[start : start + num_arrays], weights) for start in range(0, len(columns), num_arrays)
        ]
        return trends(np.stack(of_models, axis=1), sizes, trend)

    return Statistic(f"{trend} of {statistic.name}", statistic.prepare, compute)


def trends(values: Reals, sizes: NDArray[np.float64], trend: Trend) -> Reals:
    """Slope or correlation of each row of ``values[samples, models]`` over the sizes."""
    deviation, values = sizes - sizes.mean(), values - values.mean(axis=1, keepdims=True)
    products, squares = values @ deviation, np.sqrt((values**2).sum(axis=1))
    if trend == "slope":
        slope: Reals = products / (deviation @ deviation)
        return slope
    r: Reals = np.full(len(products), np.nan)
    np.divide(products, squares * np.sqrt(deviation @ deviation), out=r, where=squares > 1e-12)
    return np.clip(r, -1.0, 1.0)


def values_of(
    statistic: Statistic, arrays: Sequence[Sequence[NDArray[np.float64]]], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The statistic of each model."""
    return np.array([statistic.compute(statistic.prepare(*of), weights[None])[0] for of in arrays])


def trend_p(values: NDArray[np.float64], sizes: NDArray[np.float64], seed: int) -> float:
    """Share of the orders of models whose trend is as far from 0 as the observed one, which is among them."""
    if np.isnan(values).any():
        return nan
    if factorial(len(values)) <= MAX_ORDERS:
        orders = np.array(list(permutations(range(len(values)))))
    else:
        drawn = np.random.default_rng(seed).permuted(np.tile(np.arange(len(values)), (MAX_ORDERS, 1)), axis=1)
        orders = np.concatenate([np.arange(len(values))[None], drawn])
    slopes = np.abs(trends(values[orders], sizes, "slope"))
    return float(np.mean(slopes >= slopes[0] - 1e-12))
