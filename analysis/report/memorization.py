"""Figures of distributional memorization: against model size, γ, n, mode, control and training step."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.pairs.similarities import SHARES
from analysis.report.by_size import lines_by_size, size_label
from analysis.report.selection import (
    CORPUS_MODELS,
    LOOKS,
    PRIORS,
    STATISTICS,
    Row,
    StudyChoices,
    TaskChoice,
    at_gamma,
    distinct,
    final,
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
    frame,
    legend_below,
    line,
    nothing_here,
    panels,
    series_colours,
    shifts,
    size_axis,
    step_axis,
    title,
)


def by_model_size(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the main statistic against model size, a line for each model of the corpus.

    All lines of a panel are of the same pairs, those that every model of the corpus scores.
    """
    rows = picked(rows, pair_set="common")
    wanted = [(task, n) for task in tasks_of(rows, study) for n in task.gamma if picked(main_rows(rows, study, task), n=n)]
    names = {name: CORPUS_MODELS[name] for name in CORPUS_MODELS if name in distinct(rows, "corpus_model")}
    drawn = [
        (f"{task.name}, n = {n}", picked(main_rows(rows, study, task), n=n), named(STATISTICS, task.statistic))
        for task, n in wanted
    ]
    return _by_size(drawn, "corpus_model", names)


def by_difference(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the task-gram model's main statistic less each other's, against model size."""
    shown = [row for task in tasks_of(rows, study) for row in picked(at_gamma(rows, task), statistic=task.statistic)]
    wanted = [(task, n) for task in tasks_of(shown, study) for n in task.gamma if picked(shown, task=task.name, n=n)]
    names = {name: f"less that of {CORPUS_MODELS[name]}" for name in CORPUS_MODELS if name in distinct(shown, "against")}
    drawn = [
        (f"{task.name}, n = {n}", picked(shown, task=task.name, n=n), f"difference of {_symbol(task.statistic)}")
        for task, n in wanted
    ]
    return _by_size(drawn, "against", names)


def by_prior(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the correlation of both sides as they are, less their priors, and of the priors alone."""
    shown = final(whole(rows), study)
    drawn = []
    for task in tasks_of(shown, study):
        for n in sorted(task.gamma):
            if here := picked(at_gamma(shown, task), n=n):
                drawn.append((f"{task.name}, n = {n}", here, named(STATISTICS, here[0]["statistic"])))
    return _by_size(drawn, "compared", PRIORS)


def by_control(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: each statistic of the task-gram model, of its own pairs, against size, at the task's first n."""
    rows = picked(rows, pair_set="own")
    names = {name: STATISTICS[name] for name in STATISTICS if name in distinct(rows, "statistic") and name != "kendall_distance"}
    drawn = []
    for task in tasks_of(rows, study):
        shown = picked(at_gamma(final(whole(rows), study), task), mode=study.mode, corpus_model="taskgram", n=min(task.gamma))
        drawn.append((f"{task.name}, n = {min(task.gamma)}", picked(shown, statistic=set(names)), "correlation"))
    return _by_size(drawn, "statistic", names)


def by_mode(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the main statistic under each reading of the definitions, at the task's first n.

    Modes after the first are computed at the study's γ only, and one that has a γ of its own says that instead. The pairs are
    the task-gram model's own, which differ between modes.
    """
    rows = picked(rows, pair_set="own")
    names = {mode: f"mode {mode}" for mode in distinct(rows, "mode")}
    drawn = []
    for task in tasks_of(rows, study):
        here = picked(
            final(whole(rows), study), task=task.name, corpus_model="taskgram", n=min(task.gamma), statistic=task.statistic
        )
        shown = [row for row in here if row["mode"] != study.mode or same(row["gamma"], task.gamma[row["n"]])]
        drawn.append((f"{task.name}, n = {min(task.gamma)}", shown, named(STATISTICS, task.statistic)))
    return _by_size(drawn, "mode", names)


def by_gamma(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel for each task and n: the main statistic against γ, a line a model; the study's γ is the upright line."""
    rows = picked(rows, pair_set="own")
    shown = picked(final(whole(rows), study), mode=study.mode, corpus_model="taskgram")
    wanted = [
        (task, n)
        for task in tasks_of(rows, study)
        for n in task.gamma
        if len(set(distinct(picked(shown, task=task.name, n=n, statistic=task.statistic), "gamma"))) > 1
    ]
    figure, axes = panels(len(wanted))
    models = distinct(shown, "model")
    drawn: list[Row] = []
    for axis, (task, n) in zip(axes, wanted, strict=True):
        here = picked(shown, task=task.name, n=n, statistic=task.statistic)
        for i, model in enumerate(models):
            _draw_model(axis, sorted(picked(here, model=model), key=lambda row: row["gamma"]), "gamma", i, models)
        axis.axvline(task.gamma[n], color="#666666", linewidth=0.8, linestyle=(0, (1, 1)), label="γ of the study")
        axis.set_xlabel("γ")
        _labelled(axis, f"{task.name}, n = {n}", named(STATISTICS, task.statistic), here)
        drawn += here
    legend_below(figure, axes, drawn)
    return figure


def kept_by_gamma(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the share of the compared pairs that each γ keeps, a line an n; the study's γ is a larger mark."""
    tasks = tasks_of(rows, study)
    figure, axes = panels(len(tasks))
    ns = sorted({n for task in tasks for n in task.gamma})
    for axis, task in zip(axes, tasks, strict=True):
        for n in sorted(task.gamma):
            i = ns.index(n)
            some = [row for row in picked(rows, task=task.name, n=n) if row["num_above"]]
            shown = [(row["gamma"], row["num_above"] / row["num_pairs"]) for row in some]
            axis.plot(*zip(*shown, strict=True), color=PALETTE[i % 6], linestyle=LINES[i % 4], label=f"n = {n}")
            at = [(gamma, share) for gamma, share in shown if gamma <= task.gamma[n] + 1e-6][-1:]
            axis.plot(*zip(*at, strict=True), color=PALETTE[i % 6], marker=MARKERS[i % 10], linestyle="none", markersize=6)
        for share in SHARES:
            axis.axhline(share, color="#888888", linewidth=0.6, linestyle=(0, (1, 1)))
            axis.annotate(f"{share:.0%}", (1, share), xycoords=("axes fraction", "data"), fontsize=6, ha="right", va="bottom")
        axis.set_yscale("log")
        axis.set_xlabel("γ")
        axis.set_ylabel("share of compared pairs above γ")
        title(axis, task.name, [])
    axes[0].plot([], [], color="#444444", marker="o", linestyle="none", markersize=6, label="γ of the study")
    legend_below(figure, axes)
    return figure


def by_n(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the task-gram model's main statistic, of its own pairs, against n, a line a model."""
    rows = picked(rows, pair_set="own", corpus_model="taskgram")
    tasks = [task for task in tasks_of(rows, study) if len(task.gamma) > 1]
    figure, axes = panels(len(tasks))
    drawn: list[Row] = []
    for axis, task in zip(axes, tasks, strict=True):
        shown = main_rows(rows, study, task)
        models = distinct(shown, "model")
        for i, model in enumerate(models):
            _draw_model(axis, sorted(picked(shown, model=model), key=lambda row: row["n"]), "n", i, models)
        axis.set_xticks(sorted(task.gamma))
        axis.set_xlabel("n, words")
        _labelled(axis, task.name, named(STATISTICS, task.statistic), shown)
        drawn += shown
    legend_below(figure, axes, drawn)
    return figure


def by_step(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the task-gram model's main statistic along training, a line a model, at the task's first n."""
    rows = picked(rows, pair_set="own")
    tasks = tasks_of(rows, study)
    figure, axes = panels(len(tasks))
    models = [model for model in study.models if model.checkpoints]
    drawn: list[Row] = []
    for axis, task in zip(axes, tasks, strict=True):
        shown = picked(
            at_gamma(whole(rows), task), mode=study.mode, corpus_model="taskgram", n=min(task.gamma), statistic=task.statistic
        )
        paths = [[row for row in trajectory(shown, model) if row["step"] >= 0] for model in models]
        for i, path in enumerate(paths):
            _draw_model(axis, path, "step", i, [model.name for model in models])
        here = [row for path in paths for row in path]
        step_axis(axis, sorted({row["step"] for row in here}))
        _labelled(axis, f"{task.name}, n = {min(task.gamma)}", named(STATISTICS, task.statistic), here)
        drawn += here
    legend_below(figure, axes, drawn)
    return figure


def by_step_and_corpus_model(rows: Sequence[Row], study: StudyChoices) -> Any:
    """A panel a task: the main statistic of every model of the corpus along the training of the largest model that has states."""
    shown = picked(rows, pair_set="common", mode=study.mode)
    model = [model for model in study.models if model.checkpoints][-1]
    tasks = tasks_of(shown, study)
    figure, axes = panels(len(tasks))
    names = [name for name in CORPUS_MODELS if name in distinct(shown, "corpus_model")]
    drawn: list[Row] = []
    for axis, task in zip(axes, tasks, strict=True):
        here = picked(at_gamma(whole(shown), task), n=min(task.gamma), statistic=task.statistic)
        path = [row for row in trajectory(here, model) if row["step"] >= 0]
        for shift, name in zip(shifts(len(names)), names, strict=True):
            i, some = LOOKS.index(name), picked(path, corpus_model=name)
            look: dict[str, Any] = {"colour": PALETTE[i], "marker": MARKERS[i], "style": LINES[i % 4], "shift": shift}
            line(axis, [row["step"] for row in some], some, label=CORPUS_MODELS[name], **look)
        step_axis(axis, sorted({row["step"] for row in path}))
        _labelled(axis, f"{task.name}, n = {min(task.gamma)}", named(STATISTICS, task.statistic), path)
        drawn += path
    legend_below(figure, axes, drawn)
    return figure


def main_rows(rows: Sequence[Row], study: StudyChoices, task: TaskChoice) -> list[Row]:
    """Rows of the task's main statistic in the main mode at the study's γ, of all corpus models."""
    return picked(at_gamma(final(whole(rows), study), task), mode=study.mode, statistic=task.statistic)


def has_several_gammas(rows: Sequence[Row], study: StudyChoices) -> bool:
    """Whether the main mode was computed at another γ than the study's."""
    main = picked(rows, mode=study.mode)
    of_tasks = [(task, row) for task in study.tasks for row in main if row["task"] == task.name and row["n"] in task.gamma]
    return any(not same(row["gamma"], task.gamma[row["n"]]) for task, row in of_tasks)


def tasks_of(rows: Sequence[Row], study: StudyChoices) -> list[TaskChoice]:
    """The study's tasks that have rows."""
    present = set(distinct(rows, "task"))
    return [task for task in study.tasks if task.name in present]


def _by_size(drawn: Sequence[tuple[str, Sequence[Row], str]], column: str, names: Mapping[str, str]) -> Any:
    """Panels (heading, rows, statistic) against model size, a line for each value of a column that ``names`` calls."""
    known = [row for _, rows, _ in drawn for row in rows if row["estimate"] == row["estimate"]]
    figure, axes = panels(len(drawn) if known else 0)
    for axis, (heading, rows, statistic) in zip(axes, drawn, strict=True):
        present = [name for name in names if picked(rows, **{column: name})]
        for shift, name in zip(shifts(len(present)), present, strict=True):
            place = (LOOKS if name in LOOKS else list(names)).index(name)
            look = {"colour": PALETTE[place % len(PALETTE)], "marker": MARKERS[place % 10]}
            lines_by_size(axis, picked(rows, **{column: name}), label=names[name], shift=shift, **look)
        if rows:
            size_axis(axis, sorted(set(distinct(rows, "num_parameters"))))
        _labelled(axis, heading, statistic, rows)
    legend_below(figure, axes, [row for _, rows, _ in drawn for row in rows])
    return figure


def _draw_model(axis: Any, rows: Sequence[Row], column: str, number: int, models: Sequence[str]) -> None:
    """The ``number``-th of the models along a column."""
    if rows:
        of = len(models)
        look: dict[str, Any] = {"colour": series_colours(of)[number], "marker": MARKERS[number % 10], "style": LINES[number % 4]}
        line(axis, [row[column] for row in rows], rows, label=size_label(rows[0], models), shift=shifts(of)[number], **look)


def _labelled(axis: Any, heading: str, statistic: str, rows: Sequence[Row]) -> None:
    axis.set_ylabel(statistic)
    null = 0.5 if statistic.startswith("Kendall") else 0.0
    axis.axhline(null, color="#444444", linewidth=0.7, label="no association")
    frame(axis, rows, null)
    title(axis, heading, rows)
    if not any(row["estimate"] == row["estimate"] for row in rows):
        nothing_here(axis)


def _symbol(statistic: str) -> str:
    return {"spearman": "ρ", "partial_spearman": "partial ρ", "pearson": "r", "kendall_distance": "distance"}[statistic]
