"""What the report shows of the tables: rows are picked and put in order here, and nothing is computed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import pyarrow as pa

Row = dict[str, Any]


class TaskChoice(NamedTuple):
    """What the main figures show of a task."""

    name: str
    gamma: Mapping[int, float]
    """n -> γ."""
    statistic: str


class ModelChoice(NamedTuple):
    """Which states of a model the main figures show, and which the trajectories."""

    name: str
    revision: str
    checkpoints: tuple[str, ...]


class StudyChoices(NamedTuple):
    """The choices that lead a reader through the tables."""

    title: str
    tasks: tuple[TaskChoice, ...]
    models: tuple[ModelChoice, ...]
    mode: str
    """Of the correlations in main figures."""
    confidence: float
    mining: str = ""
    """A sentence on which pairs were mined."""


Tables = Mapping[str, Sequence[Row]]
"""Kind of table -> its rows, of all tasks and models; a kind that this run has not is absent."""


ALL_STATES = "all"
"""The revision of rows that sum over a model's states."""


def rows_of(table: pa.Table) -> list[Row]:
    """The rows as records; null numbers are nan."""
    columns = {
        field.name: [
            float("nan") if value is None and pa.types.is_floating(field.type) else value for value in table[field.name].to_pylist()
        ]
        for field in table.schema
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def picked(rows: Iterable[Row], **equal: Any) -> list[Row]:
    """Rows in which each named column has the given value, or one of the given set."""
    return [
        row
        for row in rows
        if all(row[name] in want if isinstance(want, (set, frozenset)) else row[name] == want for name, want in equal.items())
    ]


def distinct(rows: Iterable[Row], column: str) -> list[Any]:
    """The values of a column in their first order."""
    return list(dict.fromkeys(row[column] for row in rows))


def final(rows: Iterable[Row], study: StudyChoices) -> list[Row]:
    """Rows of the states that main figures show, smallest model first."""
    states = {(model.name, model.revision) for model in study.models}
    return by_size(row for row in rows if (row["model"], row["revision"]) in states)


def trajectory(rows: Iterable[Row], model: ModelChoice) -> list[Row]:
    """Rows of all states of one model, by training step, the last state at the end."""
    order = [*model.checkpoints, model.revision]
    return sorted(
        (row for row in rows if row["model"] == model.name and row["revision"] in order),
        key=lambda row: order.index(row["revision"]),
    )


def at_gamma(rows: Iterable[Row], task: TaskChoice) -> list[Row]:
    """Rows of the task at the γ that the study sets for their n."""
    return [row for row in rows if row["task"] == task.name and row["n"] in task.gamma and same(row["gamma"], task.gamma[row["n"]])]


def same(a: float, b: float) -> bool:
    """Whether two thresholds are one, written as float32 or not."""
    return abs(a - b) < 1e-6


def by_size(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["num_parameters"], row["model"]))


def whole(rows: Iterable[Row]) -> list[Row]:
    """Rows of whole tasks; of a task that has only rows of subjects or language pairs, those."""
    listed = list(rows)
    summed = {row["task"] for row in listed if row["subset"] == ""}
    return [row for row in listed if row["subset"] == "" or row["task"] not in summed]


def task_label(row: Row) -> str:
    """A task, with its subset if the row is of one."""
    return f"{row['task']} {row.get('subset', '')}".strip()


def model_label(row: Row) -> str:
    """A model's own name, without the folder or owner, and its revision."""
    name = PurePath(row["model"]).name
    if row["revision"] == ALL_STATES:
        return f"{name}, all states"
    return f"{name} @ {row['revision']}" if row["revision"] else name


CORPUS_MODELS = {
    "taskgram": "task-gram",
    "taskgram_smoothed": "task-gram, smoothed",
    "infgram": "∞-gram",
    "kneser_ney": "Kneser–Ney",
    "stupid_backoff": "stupid backoff",
    "unigram": "unigram",
}
STATISTICS = {
    "spearman": "Spearman ρ",
    "pearson": "Pearson r",
    "kendall_distance": "Kendall distance (1 − τ)/2",
    "partial_spearman": "partial Spearman ρ",
}
LOOKS = ("taskgram", "infgram", "unigram", "taskgram_smoothed", "kneser_ney", "stupid_backoff", "partial_spearman")
"""Whose colour and mark are which, in every figure: models of the corpus, and the partial correlation of the first."""
PRIORS = {"conditional": "log P(y | x)", "pmi": "less the priors (PMI)", "prior": "the priors, log P(y)"}
"""What is compared of both sides."""
METRICS = {
    "exact_match": "exact match",
    "contains": "answer contained",
    "token_f1": "F1 of words",
    "accuracy": "accuracy by tokens",
    "accuracy_characters": "accuracy by characters",
    "accuracy_letter": "accuracy by letter",
    "accuracy_sum": "accuracy by log P",
    "bleu": "BLEU of sentences",
    "corpus_bleu": "BLEU of the corpus",
    "final_answer": "final answer right",
    "log_prob": "log P of the answer",
    "pmi": "log P less its prior (PMI)",
    "counterfactual": "log P, told less untold",
}


def named(names: Mapping[str, str], key: str) -> str:
    """A reader's name of a code."""
    return names.get(key, key.replace("_", " "))
