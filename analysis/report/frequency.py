"""Figure and tables of how often a corpus must say a thing: the documents at which half of a model's answers are right."""

import math
from collections.abc import Sequence
from typing import Any

from analysis.report.by_size import lines_by_size
from analysis.report.listings import EXAMPLES, METRIC, MODEL, OVER, SIZE, TASK, Listing, N, P, Q, estimate, listing, text_column
from analysis.report.numbers import interval, number
from analysis.report.selection import METRICS, Row, distinct, named, picked
from analysis.report.style import MARKERS, PALETTE, legend_below, panels, shifts, size_axis, title

FREQUENCIES = {"pairs": "documents that hold an example's pairs", "planted": "documents planted with the fact"}
QUANTITIES = {"slope": "slope", "half": "documents at half"}
MOST = 10.0
"""Times the largest threshold of a panel: where bars end that have no upper bound."""
FARTHEST = 1e9
"""Documents: a threshold beyond is no number of documents, but the slope of a curve that hardly rises."""


def thresholds_by_size(rows: Sequence[Row]) -> Any:
    """A panel for each task, n and kind of frequency: the threshold against model size, a line a metric."""
    found = [row for row in picked(rows, quantity="half") if math.isfinite(row["estimate"])]
    order = distinct(rows, "task")
    wanted = sorted({(order.index(row["task"]), row["n"], row["frequency"]) for row in found})
    figure, axes = panels(len(wanted))
    metrics = distinct(found, "metric")
    for axis, (place, n, frequency) in zip(axes, wanted, strict=True):
        here = picked(found, task=order[place], n=n, frequency=frequency)
        shown = [row for row in here if row["estimate"] <= FARTHEST]
        least = min((max(row["estimate"], 0.1) for row in shown), default=1.0) / MOST
        most = max((row["estimate"] for row in shown), default=1.0) * MOST
        bounded = [row | {"low": max(row["low"], least), "high": min(row["high"], most)} for row in shown]
        axis.set_yscale("log")
        for shift, metric in zip(shifts(len(metrics)), metrics, strict=True):
            look: dict[str, Any] = {"colour": PALETTE[metrics.index(metric)], "marker": MARKERS[metrics.index(metric)]}
            lines_by_size(axis, picked(bounded, metric=metric), label=named(METRICS, metric), shift=shift, **look)
            beyond = [row["num_parameters"] for row in picked(here, metric=metric) if row["estimate"] > FARTHEST]
            if beyond:
                upper: dict[str, Any] = {"transform": axis.get_xaxis_transform(), "marker": "^", "linestyle": "none"}
                axis.plot(beyond, [0.96] * len(beyond), color=look["colour"], **upper)
        axis.set_ylim(least / 1.2, most * 1.2)
        size_axis(axis, sorted(set(distinct(here, "num_parameters"))))
        axis.set_ylabel("documents at which half are right")
        title(axis, f"{order[place]}, {'planted' if frequency == 'planted' else f'n = {n}'}", here)
    legend_below(figure, axes, found)
    return figure


def thresholds(rows: Sequence[Row]) -> Listing:
    """How many documents a model needs."""
    return listing(
        "The documents at which half of the answers are right, by a logistic curve over log₁₀(1 + documents), and its slope in "
        "logits for ten times the documents. A dash: too few right or wrong answers for a curve.",
        [
            TASK,
            N,
            text_column("documents", lambda row: "planted" if row["frequency"] == "planted" else "with an example's pairs"),
            MODEL,
            SIZE,
            METRIC,
            text_column("quantity", lambda row: QUANTITIES[row["quantity"]]),
            text_column("estimate [interval]", _estimate, True),
            P,
            Q,
            text_column("right", lambda row: f"{row['num_right']:,}", True),
            EXAMPLES,
        ],
        rows,
    )


def _estimate(row: Row) -> str:
    """Beyond any corpus the number says no more than that."""
    if row["quantity"] == "half" and math.isfinite(row["estimate"]) and row["estimate"] > FARTHEST:
        return f"> {number(FARTHEST)} [{number(row['low'])}, {number(row['high'])}]"
    return interval(row["estimate"], row["low"], row["high"])


def threshold_trends(rows: Sequence[Row]) -> Listing:
    """Whether larger models need fewer documents."""
    return listing(
        "Change of log₁₀ of the documents at which half are right, for ten times the parameters: below 0, larger ones need fewer.",
        [
            TASK,
            N,
            text_column("documents", lambda row: "planted" if row["frequency"] == "planted" else "with an example's pairs"),
            METRIC,
            estimate("slope [interval]"),
            P,
            Q,
            OVER,
            EXAMPLES,
        ],
        rows,
    )
