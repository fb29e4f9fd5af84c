"""Figures of what models write: task score by pair counts, and what is new in it."""

import math
from collections.abc import Sequence
from typing import Any

from analysis.report.selection import METRICS, Row, StudyChoices, by_size, distinct, final, named, picked, whole
from analysis.report.style import LINES, MARKERS, PALETTE, legend_below, line, panels, series_colours, short, size_axis

UNITS = {
    "pair": "pairs",
    "fluent_pair": "pairs of known n-grams",
    "ngram": "n-grams",
    "fluent_ngram": "n-grams of known parts",
}
"""What is counted, written so that a reader knows the fluency control from the bare share."""
REFERENCE = "reference_"


def score_by_size(rows: Sequence[Row]) -> Any:
    """A panel for each task: its score against model size, a line a metric."""
    tasks = distinct(rows, "task")
    figure, axes = panels(len(tasks), share_y=False)
    metrics = distinct(rows, "metric")
    for axis, task in zip(axes, tasks, strict=True):
        here = picked(rows, task=task)
        for i, metric in enumerate(metrics):
            if ordered := by_size(picked(here, metric=metric)):
                at = [row["num_parameters"] for row in ordered]
                name = named(METRICS, metric)
                line(axis, at, ordered, colour=PALETTE[i % 6], marker=MARKERS[i % 10], style=LINES[i % 4], label=name)
        size_axis(axis, sorted(set(distinct(here, "num_parameters"))))
        axis.set_title(task)
        axis.set_ylabel("score")
    legend_below(figure, axes, columns=4)
    return figure


def score_by_counts(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the score in each bin of pair counts, a line a model, small to large."""
    shown = final(whole(rows), study)
    wanted = [(task, n) for task in distinct(shown, "task") for n in sorted(distinct(picked(shown, task=task), "n"))]
    figure, axes = panels(len(wanted), share_y=False)
    models = distinct(shown, "model")
    for axis, (task, n) in zip(axes, wanted, strict=True):
        here = picked(shown, task=task, n=n)
        bins = sorted({(row["bin_low"], row["bin_high"]) for row in here})
        for i, model in enumerate(models):
            ordered = sorted(picked(here, model=model), key=lambda row: row["bin_low"])
            if ordered:
                at = [bins.index((row["bin_low"], row["bin_high"])) for row in ordered]
                colour = series_colours(len(models))[i]
                line(
                    axis,
                    at,
                    ordered,
                    colour=colour,
                    marker=MARKERS[i % 10],
                    style=LINES[i % 4],
                    label=short(ordered[0]["num_parameters"]),
                )
        axis.set_xticks(range(len(bins)), [edge(low) for low, _ in bins], rotation=45 if len(bins) > 5 else 0)
        axis.set_xlabel("documents that hold a pair, from")
        axis.set_title(f"{task}, n = {n}")
        axis.set_ylabel(" / ".join(named(METRICS, metric) for metric in distinct(here, "metric")))
    legend_below(figure, axes, title="parameters", columns=8)
    return figure


def novelty_by_size(rows: Sequence[Row], task: str) -> Any:
    """A panel for each unit: the share that the corpus does not hold against model size, a line an n.

    The same share of the right answers is a thin line of the same colour without markers.
    """
    shown = picked(rows, task=task)
    wanted = [unit for unit in UNITS if picked(shown, unit=unit)]
    figure, axes = panels(len(wanted), columns=2)
    ns = sorted(distinct(shown, "n"))
    for axis, unit in zip(axes, wanted, strict=True):
        here = picked(shown, unit=unit)
        for i, n in enumerate(ns):
            colour, ordered = PALETTE[i % 6], by_size(picked(here, n=n))
            if ordered:
                at = [row["num_parameters"] for row in ordered]
                line(axis, at, ordered, colour=colour, marker=MARKERS[i % 10], style="-", label=f"n = {n}")
            right = by_size(picked(shown, unit=REFERENCE + unit, n=n))
            axis.plot(
                [row["num_parameters"] for row in right],
                [row["estimate"] for row in right],
                color=colour,
                linewidth=0.8,
                linestyle=":",
            )
        size_axis(axis, sorted(set(distinct(here, "num_parameters"))))
        axis.set_title(UNITS[unit])
        axis.set_ylabel("share not in the corpus")
    legend_below(figure, axes, columns=8)
    return figure


def unit_label(unit: str) -> str:
    """What a row of novelty is a share of."""
    bare = unit.removeprefix(REFERENCE)
    return UNITS.get(bare, bare) + (" of right answers" if bare != unit else "")


def edge(value: float) -> str:
    """The edge of a bin, as a reader says it."""
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    return short(value) if value >= 1000 or float(value).is_integer() else f"{value:.3g}"
