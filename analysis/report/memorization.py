"""Figures of distributional memorization: against model size, γ, n, mode, control and training step."""

from collections.abc import Sequence
from typing import Any

from analysis.report.selection import (
    CORPUS_MODELS,
    STATISTICS,
    Row,
    StudyChoices,
    TaskChoice,
    at_gamma,
    by_size,
    distinct,
    final,
    model_label,
    named,
    picked,
    same,
    trajectory,
    whole,
)
from analysis.report.style import (
    LINES,
    MARKERS,
    PALETTE,
    legend_below,
    line,
    nothing_here,
    panels,
    series_colours,
    short,
    size_axis,
    step_axis,
)


def by_model_size(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the main statistic against model size, a line for each model of the corpus.

    All lines of a panel are of the same pairs, those that every model of the corpus scores.
    """
    rows = picked(rows, pair_set="common")
    wanted = [(task, n) for task in _tasks_of(rows, study) for n in task.gamma if picked(main_rows(rows, study, task), n=n)]
    figure, axes = panels(len(wanted), share_y=len({task.statistic for task, _ in wanted}) == 1)
    names = [name for name in CORPUS_MODELS if name in distinct(rows, "corpus_model")]
    for axis, (task, n) in zip(axes, wanted, strict=True):
        shown = picked(main_rows(rows, study, task), n=n)
        for i, name in enumerate(names):
            _draw(axis, picked(shown, corpus_model=name), PALETTE[i], MARKERS[i], LINES[i % 4], CORPUS_MODELS[name])
        _finish(axis, f"{task.name}, n = {n}", shown, named(STATISTICS, task.statistic))
    legend_below(figure, axes)
    return figure


def by_difference(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the task-gram model's main statistic less each other's, against model size."""
    shown = [row for task in _tasks_of(rows, study) for row in picked(at_gamma(rows, task), statistic=task.statistic)]
    wanted = [(task, n) for task in _tasks_of(shown, study) for n in task.gamma if picked(shown, task=task.name, n=n)]
    figure, axes = panels(len(wanted), share_y=False)
    names = list(CORPUS_MODELS)
    for axis, (task, n) in zip(axes, wanted, strict=True):
        here = picked(shown, task=task.name, n=n)
        for name in (name for name in names if name in distinct(shown, "against")):
            i = names.index(name)
            _draw(axis, picked(here, against=name), PALETTE[i], MARKERS[i], LINES[i % 4], f"less that of {CORPUS_MODELS[name]}")
        _finish(axis, f"{task.name}, n = {n}", here, f"difference of {named(STATISTICS, task.statistic)}")
    legend_below(figure, axes)
    return figure


def by_control(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: each statistic of the task-gram model, of its own pairs, against size, at the task's first n."""
    rows = picked(rows, pair_set="own")
    tasks = _tasks_of(rows, study)
    figure, axes = panels(len(tasks))
    names = [name for name in STATISTICS if name in distinct(rows, "statistic") and name != "kendall_distance"]
    for axis, task in zip(axes, tasks, strict=True):
        shown = picked(at_gamma(final(whole(rows), study), task), mode=study.mode, corpus_model="taskgram", n=min(task.gamma))
        for i, name in enumerate(names):
            _draw(axis, picked(shown, statistic=name), PALETTE[i], MARKERS[i], LINES[i], STATISTICS[name])
        _finish(axis, f"{task.name}, n = {min(task.gamma)}", picked(shown, statistic=set(names)), "correlation")
    legend_below(figure, axes)
    return figure


def by_mode(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the main statistic under each reading of the definitions, at the task's first n.

    Modes after the first are computed at the study's γ only, and one that has a γ of its own says that instead. The pairs are
    the task-gram model's own, which differ between modes.
    """
    rows = picked(rows, pair_set="own")
    tasks = _tasks_of(rows, study)
    figure, axes = panels(len(tasks), share_y=len({task.statistic for task in tasks}) == 1)
    modes = distinct(rows, "mode")
    for axis, task in zip(axes, tasks, strict=True):
        here = picked(
            final(whole(rows), study), task=task.name, corpus_model="taskgram", n=min(task.gamma), statistic=task.statistic
        )
        shown = [row for row in here if row["mode"] != study.mode or same(row["gamma"], task.gamma[row["n"]])]
        for i, mode in enumerate(modes):
            _draw(axis, picked(shown, mode=mode), PALETTE[i], MARKERS[i], LINES[i % 4], f"mode {mode}")
        _finish(axis, f"{task.name}, n = {min(task.gamma)}", shown, named(STATISTICS, task.statistic))
    legend_below(figure, axes)
    return figure


def by_gamma(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the main statistic against γ, a line a model; the study's γ is the upright line."""
    rows = picked(rows, pair_set="own")
    shown = picked(final(whole(rows), study), mode=study.mode, corpus_model="taskgram")
    wanted = [
        (task, n)
        for task in _tasks_of(rows, study)
        for n in task.gamma
        if len(set(distinct(picked(shown, task=task.name, n=n, statistic=task.statistic), "gamma"))) > 1
    ]
    figure, axes = panels(len(wanted), columns=3, share_y=False)
    models = distinct(shown, "model")
    for axis, (task, n) in zip(axes, wanted, strict=True):
        here = picked(shown, task=task.name, n=n, statistic=task.statistic)
        for i, model in enumerate(models):
            ordered = sorted(picked(here, model=model), key=lambda row: row["gamma"])
            _draw_model(axis, ordered, "gamma", i, len(models), LINES[i % 4])
        axis.axvline(task.gamma[n], color="#666666", linewidth=0.8, linestyle=(0, (1, 1)))
        axis.set_xlabel("γ")
        _labelled(axis, f"{task.name}, n = {n}", named(STATISTICS, task.statistic), here)
    legend_below(figure, axes, title="parameters")
    return figure


def by_n(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the task-gram model's main statistic, of its own pairs, against n, a line a model."""
    rows = picked(rows, pair_set="own")
    tasks = [task for task in _tasks_of(rows, study) if len(task.gamma) > 1]
    figure, axes = panels(len(tasks), share_y=False)
    for axis, task in zip(axes, tasks, strict=True):
        shown = main_rows(rows, study, task)
        models = distinct(shown, "model")
        for i, model in enumerate(models):
            ordered = sorted(picked(shown, model=model, corpus_model="taskgram"), key=lambda row: row["n"])
            _draw_model(axis, ordered, "n", i, len(models), "-")
        axis.set_xticks(sorted(task.gamma))
        axis.set_xlabel("n, words")
        _labelled(axis, task.name, named(STATISTICS, task.statistic), shown)
    legend_below(figure, axes, title="parameters")
    return figure


def by_step(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the task-gram model's main statistic along training, a line a model, at the task's first n."""
    rows = picked(rows, pair_set="own")
    tasks = _tasks_of(rows, study)
    figure, axes = panels(len(tasks), share_y=len({task.statistic for task in tasks}) == 1)
    models = [model for model in study.models if model.checkpoints]
    for axis, task in zip(axes, tasks, strict=True):
        shown = picked(
            at_gamma(whole(rows), task), mode=study.mode, corpus_model="taskgram", n=min(task.gamma), statistic=task.statistic
        )
        for i, model in enumerate(models):
            path = [row for row in trajectory(shown, model) if row["step"] >= 0]
            _draw_model(axis, path, "step", i, len(models), LINES[i % 4])
        step_axis(axis, sorted({row["step"] for row in shown if row["step"] >= 0}))
        _labelled(axis, task.name, named(STATISTICS, task.statistic), shown)
    legend_below(figure, axes, title="parameters")
    return figure


def main_rows(rows: Sequence[Row], study: StudyChoices, task: TaskChoice) -> list[Row]:
    """Rows of the task's main statistic in the main mode at the study's γ, of all corpus models."""
    return picked(at_gamma(final(whole(rows), study), task), mode=study.mode, statistic=task.statistic)


def has_several_gammas(rows: Sequence[Row], study: StudyChoices) -> bool:
    """Whether the main mode was computed at another γ than the study's."""
    main = picked(rows, mode=study.mode)
    of_tasks = [(task, row) for task in study.tasks for row in main if row["task"] == task.name and row["n"] in task.gamma]
    return any(not same(row["gamma"], task.gamma[row["n"]]) for task, row in of_tasks)


def _tasks_of(rows: Sequence[Row], study: StudyChoices) -> list[TaskChoice]:
    present = set(distinct(rows, "task"))
    return [task for task in study.tasks if task.name in present]


def _draw(axis: Any, rows: Sequence[Row], colour: Any, marker: str, style: str, label: str) -> None:
    ordered = by_size(rows)
    if ordered:
        line(axis, [row["num_parameters"] for row in ordered], ordered, colour=colour, marker=marker, style=style, label=label)


def _draw_model(axis: Any, rows: Sequence[Row], column: str, number: int, of: int, style: Any) -> None:
    """The ``number``-th of so many models along a column."""
    if rows:
        colour, marker = series_colours(of)[number], MARKERS[number % 10]
        line(axis, [row[column] for row in rows], rows, colour=colour, marker=marker, style=style, label=_size(rows[0]))


def _finish(axis: Any, title: str, rows: Sequence[Row], statistic: str) -> None:
    if rows:
        size_axis(axis, sorted(set(distinct(rows, "num_parameters"))))
    _labelled(axis, title, statistic, rows)


def _labelled(axis: Any, title: str, statistic: str, rows: Sequence[Row]) -> None:
    axis.set_title(title)
    axis.set_ylabel(statistic)
    axis.axhline(0.5 if statistic.startswith("Kendall") else 0.0, color="#444444", linewidth=0.7)
    if not any(row["estimate"] == row["estimate"] for row in rows):
        nothing_here(axis)


def _size(row: Row) -> str:
    return short(row["num_parameters"]) if row["num_parameters"] > 0 else model_label(row)
