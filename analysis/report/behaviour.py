"""Figures of what models write: task score by pair counts, and what is new in it."""

import math
from collections.abc import Sequence
from typing import Any

from analysis.report.by_size import lines_by_size, size_label
from analysis.report.selection import METRICS, Row, StudyChoices, by_size, distinct, final, named, picked, whole
from analysis.report.style import (
    LINES,
    MARKERS,
    PALETTE,
    frame,
    legend_below,
    line,
    panels,
    series_colours,
    shifts,
    short,
    size_axis,
    title,
)

UNITS = {
    "pair": "pairs",
    "fluent_pair": "pairs of known n-grams",
    "ngram": "n-grams",
    "fluent_ngram": "n-grams of known parts",
}
"""What is counted, written so that a reader knows the fluency control from the bare share."""
REFERENCE = "reference_"


def score_by_size(rows: Sequence[Row]) -> Any:
    """A panel for each task: its score against model size, a line a metric; of a choice, the score of chance."""
    tasks = distinct(rows, "task")
    figure, axes = panels(len(tasks))
    metrics = distinct(rows, "metric")
    for axis, task in zip(axes, tasks, strict=True):
        here = picked(rows, task=task)
        present = [metric for metric in metrics if picked(here, metric=metric)]
        for shift, metric in zip(shifts(len(present)), present, strict=True):
            i = metrics.index(metric)
            look: dict[str, Any] = {"colour": PALETTE[i % 6], "marker": MARKERS[i % 10]}
            lines_by_size(axis, picked(here, metric=metric), label=named(METRICS, metric), shift=shift, **look)
        size_axis(axis, sorted(set(distinct(here, "num_parameters"))))
        axis.set_ylabel("score")
        frame(axis, here, chance_line(axis, here))
        title(axis, task, here)
    legend_below(figure, axes, rows)
    return figure


def chance_line(axis: Any, rows: Sequence[Row]) -> float | None:
    """A line at the mean score of guessing, where the rows have one."""
    known = [row["chance"] for row in rows if not math.isnan(row.get("chance", math.nan))]
    if not known:
        return None
    axis.axhline(known[0], color="#444444", linewidth=0.8, linestyle=(0, (4, 2)), label="chance")
    return float(known[0])


def score_by_counts(rows: Sequence[Row], study: StudyChoices, scores: Sequence[Row]) -> Any:
    """A panel for each task and n: the score in each bin of pair counts, a line a model, small to large."""
    shown = final(whole(rows), study)
    wanted = [(task, n) for task in distinct(shown, "task") for n in sorted(distinct(picked(shown, task=task), "n"))]
    figure, axes = panels(len(wanted))
    models = distinct(shown, "model")
    for axis, (task, n) in zip(axes, wanted, strict=True):
        here = picked(shown, task=task, n=n)
        bins = sorted({(row["bin_low"], row["bin_high"]) for row in here})
        for i, model in enumerate(models):
            ordered = sorted(picked(here, model=model), key=lambda row: row["bin_low"])
            if ordered:
                at = [bins.index((row["bin_low"], row["bin_high"])) for row in ordered]
                look: dict[str, Any] = {"colour": series_colours(len(models))[i], "marker": MARKERS[i % 10], "style": LINES[i % 4]}
                line(axis, at, ordered, label=size_label(ordered[0], models), shift=shifts(len(models))[i], **look)
        axis.set_xticks(range(len(bins)), [edge(low) for low, _ in bins], rotation=45 if len(bins) > 5 else 0)
        axis.set_xlabel("mean documents of a pair, from")
        metrics = distinct(here, "metric")
        axis.set_ylabel(" / ".join(named(METRICS, metric) for metric in metrics))
        frame(axis, here, chance_line(axis, picked(scores, task=task, metric=set(metrics))))
        title(axis, f"{task}, n = {n}", here)
    legend_below(figure, axes, shown)
    return figure


def novelty_by_size(rows: Sequence[Row], task: str) -> Any:
    """A panel for each unit: the share that the corpus does not hold against model size, a line an n.

    The same share of the right answers is a dotted line of the same colour without markers.
    """
    shown = picked(rows, task=task)
    wanted = [unit for unit in UNITS if picked(shown, unit=unit)]
    figure, axes = panels(len(wanted), columns=2)
    ns = sorted(distinct(shown, "n"))
    for axis, unit in zip(axes, wanted, strict=True):
        here = picked(shown, unit=unit)
        models, references = set(distinct(here, "model")), []
        for i, n in enumerate(ns):
            colour, ordered = PALETTE[i % 6], picked(here, n=n)
            if ordered:
                lines_by_size(axis, ordered, colour=colour, marker=MARKERS[i % 10], label=f"n = {n}", shift=shifts(len(ns))[i])
            right = picked(by_size(picked(shown, unit=REFERENCE + unit, n=n)), model=models)
            shares = [row["estimate"] for row in right]
            if len(set(shares)) == 1:
                axis.axhline(shares[0], color=colour, linewidth=0.8, linestyle=":")
            else:
                axis.plot([row["num_parameters"] for row in right], shares, color=colour, linewidth=0.8, linestyle=":")
            references += right
        if references:
            axis.plot([], [], color="#444444", linewidth=0.8, linestyle=":", label="right answers, the same n")
        size_axis(axis, sorted(set(distinct(here, "num_parameters"))))
        axis.set_ylabel("share not in the corpus")
        frame(axis, [*here, *references])
        title(axis, UNITS[unit], here)
    legend_below(figure, axes, picked(shown, unit=set(wanted)))
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
