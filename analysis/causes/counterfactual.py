"""Counterfactual memorization: what models say of a fact that they were told, less what others say (Zhang et al. 2023).

    mem(x) = mean over models whose corpus tells x of log P(y | prompt) - mean over those whose corpus does not.

Both kinds of model read the same corpus otherwise, so the difference has no cause but the documents that tell x. It is what the
other measures estimate from one model; the lab can say how well they do.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import MeasureError
from analysis.measures.pair_arrays import models_of, of_model
from analysis.schemas import COUNTERFACTUAL, COUNTERFACTUAL_AGREEMENT, DOSE_RESPONSE
from analysis.stats.correlations import MEAN, SPEARMAN
from analysis.stats.resampling import clustered_bootstrap, permutation_p
from analysis.tables import table_of

DOSE = "planted documents"
QUANTITIES = ("told", "untold", "memorization")


def memorization(pairs: pa.Table, planted: pa.Table, halves: pa.Table, score: Callable[[str], pa.Table]) -> pa.Table:
    """The counterfactual memorization of each planted pair.

    Parameters
    ----------
    pairs
        PAIRS of the planted facts.
    planted
        PLANTED_SCHEMA of :mod:`analysis.lab`.
    halves
        HALVES_SCHEMA of :mod:`analysis.lab`: which model was told what.
    score
        A model's name in ``halves`` -> its MODEL_SCORES of ``pairs``.

    Returns
    -------
    pa.Table
        COUNTERFACTUAL, a row for each pair that some models were told and others were not.

    Raises
    ------
    MeasureError
        There is no such pair.
    """
    doses = {(row["example_id"], row["x"], row["y"]): row["documents"] for row in planted.to_pylist()}
    was_told: dict[str, dict[str, bool]] = {}
    for row in halves.to_pylist():
        was_told.setdefault(row["model"], {})[row["example_id"]] = row["told"]
    found: dict[int, tuple[list[float], list[float]]] = {}
    examples = dict(zip(pairs["row"].to_pylist(), pairs["example_id"].to_pylist(), strict=True))
    columns: dict[str, Any] = {}
    for model, told in was_told.items():
        scores = score(model)
        columns = columns or {name: scores[name][0].as_py() for name in ("num_parameters", "step")}
        for row, log_prob in zip(scores["row"].to_pylist(), scores["log_prob"].to_pylist(), strict=True):
            if examples[row] in told and log_prob is not None:
                found.setdefault(row, ([], []))[0 if told[examples[row]] else 1].append(log_prob)
    rows = []
    for pair in pairs.to_pylist():
        told_by, untold_by = found.get(pair["row"], ([], []))
        dose = doses.get((pair["example_id"], pair["x"], pair["y"]))
        if told_by and untold_by and dose is not None:
            means = {"told": float(np.mean(told_by)), "untold": float(np.mean(untold_by))}
            about = {name: pair[name] for name in ("example_id", "task", "n", "x", "y")} | columns
            numbers = {"num_told": len(told_by), "num_untold": len(untold_by)}
            rows.append(about | {"documents": dose, **means, "memorization": means["told"] - means["untold"]} | numbers)
    if not rows:
        raise MeasureError("no planted pair was told to some of the models and not to others: are pairs and halves of one world?")
    return table_of(rows, COUNTERFACTUAL)


class Summary(NamedTuple):
    """The tables DOSE_RESPONSE, whose responses are ``QUANTITIES``, and COUNTERFACTUAL_AGREEMENT."""

    doses: pa.Table
    agreement: pa.Table


def summary(
    found: pa.Table, pairs: pa.Table, scores: pa.Table, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Summary:
    """Counterfactual memorization by dose, and how well it is known from the dose and from what one model says.

    Parameters
    ----------
    found
        COUNTERFACTUAL.
    pairs, scores
        PAIRS, and MODEL_SCORES of the study's own models: what is observed without halves.
    confidence, resamples, seed
        Of intervals and p-values, over examples.
    """
    rows = found.to_pylist()
    how: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
    example = np.array([row["example_id"] for row in rows])
    memorized = np.array([row["memorization"] for row in rows])
    dose = np.array([row["documents"] for row in rows], np.float64)
    halves = {"model": "models of halves", "revision": "", "num_parameters": rows[0]["num_parameters"], "step": rows[0]["step"]}
    doses = []
    for level in np.unique(dose).tolist():
        for quantity in QUANTITIES:
            at = dose == level
            values = np.array([row[quantity] for row in rows])[at]
            interval = clustered_bootstrap(MEAN, (values,), example[at], **how)
            about = {"task": rows[0]["task"], **halves, "documents": int(level), "response": quantity}
            doses.append(about | interval._asdict() | {"num_examples": len(np.unique(example[at]))})
    against = [(halves | {"model": DOSE}, dose), *_observed(rows, pairs, scores)]
    agreement = []
    for columns, other in against:
        read = np.isfinite(other)
        interval = clustered_bootstrap(SPEARMAN, (memorized[read], other[read]), example[read], **how)
        p_value = permutation_p(SPEARMAN, (memorized[read], other[read]), example[read], permutations=resamples, seed=seed)
        size = {"num_pairs": int(read.sum()), "num_examples": len(np.unique(example[read]))}
        agreement.append({"task": rows[0]["task"], **columns, **interval._asdict(), "p_value": p_value, **size})
    return Summary(table_of(doses, DOSE_RESPONSE), table_of(agreement, COUNTERFACTUAL_AGREEMENT))


def _observed(
    rows: Sequence[dict[str, Any]], pairs: pa.Table, scores: pa.Table
) -> list[tuple[dict[str, Any], NDArray[np.float64]]]:
    """log P of each pair by each model of the study; nan where it was not read."""
    number = {(pair["example_id"], pair["x"], pair["y"]): pair["row"] for pair in pairs.to_pylist()}
    found = []
    for columns in models_of(scores):
        of_one = of_model(scores, columns)
        known = dict(zip(of_one["row"].to_pylist(), of_one["log_prob"].to_pylist(), strict=True))
        values = [known.get(number[row["example_id"], row["x"], row["y"]]) for row in rows]
        found.append((columns, np.array([np.nan if value is None else value for value in values])))
    return found
