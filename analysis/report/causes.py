"""Figures of causes: influence of documents, planted doses; and the bars of what was dropped."""

from collections.abc import Callable, Sequence
from typing import Any

from analysis.pairs import counting, mining
from analysis.report.selection import (
    ALL_STATES,
    METRICS,
    ModelChoice,
    Row,
    StudyChoices,
    distinct,
    final,
    model_label,
    named,
    picked,
    task_label,
    trajectory,
    whole,
)
from analysis.report.style import (
    HATCHES,
    LINES,
    MARKERS,
    PALETTE,
    frame,
    is_few,
    legend_below,
    line,
    panels,
    series_colours,
    shifts,
    short,
    title,
)

REASONS = tuple(reason for reason in (*mining.REASONS, *counting.REASONS) if reason != "kept")
GROUPS = {"pair": "documents with x and y", "output_only": "documents with y alone", "difference": "the first less the second"}


def summed(rows: Sequence[Row], study: StudyChoices) -> list[Row]:
    """Influence as the paper sums it: over all states of a model; of a model with one state, that."""
    shown = whole(rows)
    with_sum = {row["model"] for row in shown if row["revision"] == ALL_STATES}
    return [row for row in shown if row["revision"] == ALL_STATES or row["model"] not in with_sum]


def influence_by_group(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a model: mean influence of both groups of documents, three bars a task: both groups, and their difference."""
    shown = summed(rows, study)
    labels = distinct([{"label": model_label(row)} for row in shown], "label")
    figure, axes = panels(len(labels))
    for axis, label in zip(axes, labels, strict=True):
        here = [row for row in shown if model_label(row) == label]
        tasks = list(dict.fromkeys(task_label(row) for row in here))
        for i, group in enumerate(GROUPS):
            for row in picked(here, group=group):
                at = tasks.index(task_label(row)) + (i - 1) * 0.27
                look = {"color": "white", "edgecolor": PALETTE[i]} if is_few(row) else {"color": PALETTE[i], "edgecolor": "white"}
                axis.bar(at, row["estimate"], 0.25, hatch=HATCHES[i], label=GROUPS[group], **look)
                axis.vlines(at, row["low"], row["high"], color="black", linewidth=0.9)
        axis.axhline(0, color="#444444", linewidth=0.7)
        axis.set_xticks(range(len(tasks)), tasks)
        axis.set_ylabel("influence")
        frame(axis, here, 0.0)
        title(axis, label, here)
    legend_below(figure, axes, shown)
    return figure


def dose_by_size(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and response: the response against planted documents, a line a model."""
    return _doses(final(rows, study), lambda row: short(row["num_parameters"]), "model", "parameters")


def dose_by_step(rows: Sequence[Row], study: StudyChoices, model: ModelChoice) -> Any:
    """The same for the states of one model along its training."""
    return _doses(
        trajectory(rows, model), lambda row: f"{row['step']:,}" if row["step"] >= 0 else "last", "revision", "training step"
    )


def _doses(rows: Sequence[Row], label: Callable[[Row], str], series: str, heading: str) -> Any:
    wanted = [(task, response) for task in distinct(rows, "task") for response in distinct(picked(rows, task=task), "response")]
    figure, axes = panels(len(wanted), columns=2)
    members = distinct(rows, series)
    for axis, (task, response) in zip(axes, wanted, strict=True):
        here = picked(rows, task=task, response=response)
        for i, member in enumerate(members):
            ordered = sorted(picked(here, **{series: member}), key=lambda row: row["documents"])
            if ordered:
                look: dict[str, Any] = {"colour": series_colours(len(members))[i], "marker": MARKERS[i % 10], "style": LINES[i % 4]}
                at = [row["documents"] for row in ordered]
                line(axis, at, ordered, label=label(ordered[0]), shift=shifts(len(members))[i], **look)
        dose_axis(axis, sorted(set(distinct(here, "documents"))))
        axis.set_xlabel("documents planted with the fact")
        axis.set_ylabel(named(METRICS, response))
        frame(axis, here)
        title(axis, task, here)
    legend_below(figure, axes, rows, title=heading)
    return figure


def told_by_dose(rows: Sequence[Row]) -> Any:
    """A panel a task: log P by dose, of models that were told a fact and of those that were not; and the difference in another."""
    wanted = [(task, some) for task in distinct(rows, "task") for some in (("told", "untold"), ("memorization",))]
    figure, axes = panels(len(wanted), columns=2)
    names = {"told": "models that were told", "untold": "models that were not", "memorization": "told less untold"}
    for axis, (task, responses) in zip(axes, wanted, strict=True):
        here = picked(rows, task=task, response=frozenset(responses))
        for shift, response in zip(shifts(len(responses)), responses, strict=True):
            some = sorted(picked(here, response=response), key=lambda row: row["documents"])
            i = list(names).index(response)
            look: dict[str, Any] = {"colour": PALETTE[i], "marker": MARKERS[i], "style": LINES[i], "shift": shift}
            line(axis, [row["documents"] for row in some], some, label=names[response], **look)
        dose_axis(axis, sorted(set(distinct(here, "documents"))))
        axis.set_xlabel("documents planted with the fact")
        axis.set_ylabel("log P(y | prompt)" if len(responses) > 1 else "difference of log P")
        frame(axis, here, 0.0 if len(responses) == 1 else None)
        title(axis, task, here)
    legend_below(figure, axes, rows)
    return figure


def dose_axis(axis: Any, doses: Sequence[int]) -> None:
    """A logarithmic axis of documents with 0 at its left end, and a tick at each dose."""
    axis.set_xscale("symlog", linthresh=1, linscale=0.4)
    axis.set_xticks(doses, [short(dose) for dose in doses], rotation=45 if len(doses) > 4 else 0)
    axis.set_xticks([], minor=True)


def with_pairs(rows: Sequence[Row], task: str) -> list[Row]:
    """Rows of a task that count any pair: where texts are too short for n words there is none to show."""
    return [row for row in picked(rows, task=task) if row["num_pairs"]]


def drop_bars(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: how many pairs each reason took, and how many were kept."""
    wanted = [(task.name, n) for task in study.tasks for n in sorted(distinct(with_pairs(rows, task.name), "n"))]
    figure, axes = panels(len(wanted), columns=2, height=0.7 + 0.13 * len(distinct(rows, "reason")))
    for axis, (task, n) in zip(axes, wanted, strict=True):
        here = sorted((row for row in picked(rows, task=task, n=n) if row["num_pairs"]), key=_in_order)
        for i, row in enumerate(here):
            kept = row["reason"] == "kept"
            axis.barh(
                i, row["num_pairs"], color=PALETTE[2] if kept else PALETTE[1], hatch="" if kept else "////", edgecolor="white"
            )
            axis.annotate(f" {row['num_pairs']:,}", (row["num_pairs"], i), va="center", fontsize=6)
        axis.set_yticks(range(len(here)), [_reason(row) for row in here])
        axis.invert_yaxis()
        axis.set_xscale("symlog", linthresh=1)
        axis.margins(x=0.18)
        axis.grid(axis="y", visible=False)
        axis.set_title(f"{task}, n = {n}" if n else task, loc="left")
        axis.set_xlabel("pairs (logarithmic)")
    return figure


def _in_order(row: Row) -> tuple[bool, int]:
    """Reasons as they are met, what is kept at the end; those of other stages between."""
    return row["reason"] == "kept", REASONS.index(row["reason"]) if row["reason"] in REASONS else len(REASONS)


def _reason(row: Row) -> str:
    return f"{row['stage']}: {row['reason']}".replace("below_gamma", "below γ").replace("_", " ")
