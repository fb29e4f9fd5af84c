"""The report of a study: its tables gathered, its choices, and where everything came from."""

import math
from collections.abc import Sequence
from pathlib import Path

from analysis.config import Config, Task
from analysis.errors import TableError
from analysis.model_settings import Model
from analysis.report import ModelChoice, Origin, StudyChoices, Tables, TaskChoice, listings, rows_of, write_report
from analysis.report.selection import Row, whole
from analysis.stats.false_discovery import adjusted
from analysis.study.pipeline import Failure, Stage
from analysis.study.plan.task_stages import metric_of
from analysis.tables import provenance, versions

OWN = ("kept", "not_common")
"""What becomes of pairs at the study's γ that the task-gram model scores, whether or not others do too."""


def report_study(config: Config, stages: Sequence[Stage], settings: str, failures: Sequence[Failure] = ()) -> Path:
    """Write the report of the stages that are finished; return the page's path.

    Parameters
    ----------
    settings
        The configuration's text, printed as it is.
    failures
        Stages that failed: what an earlier run left of them is not shown, and the page says why.

    Raises
    ------
    TableError
        No stage that the report shows is finished.
    """
    failed = {failure.stage for failure in failures}
    finished = [stage for stage in stages if stage.is_readable and stage.name not in failed]
    tables = tables_of(finished)
    if not tables:
        raise TableError(f"{config.folder} holds no table that a report shows: run the study first, python -m analysis run")
    return write_report(
        tables,
        study_of(config),
        config.folder / "report",
        glance=[_glance(task, finished, tables) for task in config.tasks],
        overview=[
            *([listings.failures(failures)] if failures else []),
            listings.models(_models(config, tables)),
            *([listings.doubts(doubtful)] if (doubtful := [row for row in tables.get("models", ()) if row["doubts"]]) else []),
        ],
        origins=[_origin(stage, config.folder) for stage in finished],
        inputs=_inputs(finished, config),
        versions=list(versions().items()),
        settings=settings,
    )


def tables_of(finished: Sequence[Stage]) -> dict[str, list[Row]]:
    """The rows that a report shows, by kind of table, with q beside each p over all of them."""
    tables: dict[str, list[Row]] = {}
    for stage in finished:
        if stage.kind:
            tables.setdefault(stage.kind, []).extend(rows_of(stage.read()))
    _add_q_values(tables)
    return tables


def study_of(config: Config) -> StudyChoices:
    """What leads a reader through the tables."""
    return StudyChoices(
        config.study.title,
        tuple(TaskChoice(task.name, task.gamma, task.statistic) for task in config.tasks),
        tuple(ModelChoice(model.called, model.revision, model.checkpoints) for model in config.models),
        config.correlate.modes[0],
        config.study.confidence,
        _mining(config),
    )


def _mining(config: Config) -> str:
    """Which pairs the study looks at, in a sentence."""
    mining = config.mining
    dropped = [
        what
        for what, so in (
            ("n-grams of stop words alone", mining.stop_words),
            ("pairs of which one n-gram holds the other", not mining.keep_nested),
            ("pairs that share a word of the text with a more similar one", mining.disjoint),
        )
        if so
    ]
    named = f"{', '.join(dropped[:-1])} and {dropped[-1]}" if len(dropped) > 1 else "".join(dropped)
    return f"Mining dropped identical n-grams{f', {named}' if len(dropped) > 1 else f' and {named}' if named else ''}."


def _add_q_values(tables: Tables) -> None:
    """q beside each p of the report, over all of them."""
    rows = [row for some in tables.values() for row in some if "p_value" in row]
    for row, q_value in zip(rows, adjusted([row["p_value"] for row in rows]).tolist(), strict=True):
        row["q_value"] = q_value


def _glance(task: Task, finished: Sequence[Stage], tables: Tables) -> Row:
    """How much there is of a task."""

    def of_task(kind: str) -> list[Row]:
        return [row for row in whole(tables.get(kind, ())) if row["task"] == task.name]

    rows = {stage.name: provenance(stage.output)["rows"] for stage in finished}
    drops = of_task("drops")
    at_gamma = [row for row in of_task("left_out") if row["stage"].endswith(" taskgram") and row["reason"] in OWN]
    kept = {}
    for n in sorted({row["n"] for row in drops if row["n"]}):
        of_n = [row for row in drops if row["n"] == n]
        left = [row for row in (at_gamma or of_n) if row["n"] == n and row["reason"] in OWN]
        kept[n] = (sum(row["num_pairs"] for row in left), sum(row["num_pairs"] for row in of_n))
    contamination = of_task("contamination")
    least = min((row["n"] for row in contamination), default=0)
    empty = [row["estimate"] for row in of_task("output_flaws") if row["flaw"] == "empty"]
    scores = [row for row in of_task("task_scores") if row["metric"] == metric_of(task)]
    return {
        "task": task.name,
        "num_examples": rows.get(f"examples {task.name}", 0),
        "kept": kept,
        "score": scores[-1] if scores else None,
        "empty": empty[-1] if empty else math.nan,
        "most_empty": max(empty, default=math.nan),
        "contamination": [row for row in contamination if row["n"] == least and row["part"] != "both"],
    }


def _models(config: Config, tables: Tables) -> list[Row]:
    told = {(row["model"], row["revision"]): row for row in tables.get("models", ())}
    sizes = {row["model"]: row["num_parameters"] for kind in ("correlations", "task_scores") for row in tables.get(kind, ())}
    return [
        {
            "model": model.called,
            "revision": model.revision,
            "num_parameters": sizes.get(model.called, -1),
            "num_states": 1 + len(model.checkpoints),
            "generate": model.generate,
            **_asked(model, told.get((model.called, model.revision))),
        }
        for model in config.models
    ]


def _asked(model: Model, told: Row | None) -> dict[str, str]:
    """What a model reads first and how it is asked, in words."""
    if told is None:
        return {"begins": "?", "asked": "not at all: its answers are of files"}
    chat = "in its chat template" if told["chat"] else "raw, though it has a chat template" if told["has_template"] else "raw"
    return {"begins": f"{told['begins'] or 'nothing'} (bos = {told['bos']})", "asked": chat}


def _origin(stage: Stage, folder: Path) -> Origin:
    told = provenance(stage.output)
    return Origin(stage.name, str(stage.output.relative_to(folder)), told["rows"], told["seconds"], told["sha256"])


def _inputs(stages: Sequence[Stage], config: Config) -> list[tuple[str, str]]:
    """What the study read and did not make: (path, from the configuration's folder where it is there; sha256), each once."""
    found: dict[str, str] = {}
    for stage in stages:
        known = provenance(stage.output)["made_from"]["inputs"]
        for role, path in stage.inputs.items():
            if config.folder not in path.parents and role in known:
                found[str(path.relative_to(config.base) if path.is_relative_to(config.base) else path)] = known[role]
    return sorted(found.items())
