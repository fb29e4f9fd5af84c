"""The report's tables of numbers: rows of a stage's table as text, each estimate with its interval."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from analysis.measures.output_flaws import SAID
from analysis.report.behaviour import edge, unit_label
from analysis.report.numbers import interval, number, p_value
from analysis.report.selection import CORPUS_MODELS, METRICS, PRIORS, STATISTICS, Row, model_label, named, task_label
from analysis.report.style import short

PAIR_SETS = {"common": "all", "own": "its own"}
"""Whose pairs an estimate is of: those that all models of the corpus score, or all that its own scores."""


class Listing(NamedTuple):
    """A table as it is printed: all cells are text; ``numeric`` says which columns stand to the right."""

    caption: str
    head: tuple[str, ...]
    numeric: tuple[bool, ...]
    body: list[tuple[str, ...]]


class Origin(NamedTuple):
    """How one table of the study was made."""

    stage: str
    file: str
    rows: int
    seconds: float
    sha256: str


Column = tuple[str, bool, Callable[[Row], str]]


def text_column(name: str, cell: Callable[[Row], Any], numeric: bool = False) -> Column:
    """A column's head, and what of a row stands in it."""
    return name, numeric, lambda row: str(cell(row))


TASK = text_column("task", task_label)
MODEL = text_column("model", model_label)
SIZE = text_column("parameters", lambda row: short(row["num_parameters"]) if row["num_parameters"] > 0 else "?", True)
N = text_column("n", lambda row: row["n"] or "any", True)
PAIRS = text_column("pairs", lambda row: f"{row['num_pairs']:,}", True)
CORPUS_MODEL = text_column("corpus model", lambda row: named(CORPUS_MODELS, row["corpus_model"]))
STATISTIC = text_column("statistic", lambda row: named(STATISTICS, row["statistic"]))
METRIC = text_column("metric", lambda row: named(METRICS, row["metric"]))
P = text_column("p", lambda row: p_value(row["p_value"]), True)
Q = text_column("q", lambda row: p_value(row.get("q_value", math.nan)), True)
OVER = text_column("over", lambda row: f"{row['num_models']} models{' of ' if row['family'] else ''}{row['family']}")
EXAMPLES = text_column("examples", lambda row: f"{row['num_examples']:,}", True)


def estimate(name: str) -> Column:
    """The column of an estimate with its interval."""
    return text_column(name, lambda row: interval(row["estimate"], row["low"], row["high"]), True)


def listing(caption: str, columns: Sequence[Column], rows: Sequence[Row]) -> Listing:
    """Rows through columns."""
    cells = [tuple(cell(row) for _, _, cell in columns) for row in rows]
    return Listing(caption, tuple(name for name, _, _ in columns), tuple(numeric for _, numeric, _ in columns), cells)


def failures(found: Sequence[tuple[str, str, bool]]) -> Listing:
    """Stages that failed or were left out, and why."""
    body: list[tuple[str, ...]] = [(stage, f"left out: {reason}" if left_out else reason) for stage, reason, left_out in found]
    return Listing("Stages that failed, and those left out since they read such a table.", ("stage", "why"), (False, False), body)


def correlations(rows: Sequence[Row]) -> Listing:
    """Distributional memorization of each task and model."""
    models, sets = list(CORPUS_MODELS), list(PAIR_SETS)

    def place(row: Row) -> tuple[Any, ...]:
        return row["task"], row["n"], sets.index(row["pair_set"]), models.index(row["corpus_model"]), row["num_parameters"]

    ordered = sorted(rows, key=place)
    return listing(
        "Distributional memorization: estimate, interval, and p of no association. Models of the corpus can be compared on the "
        "pairs that all of them score; a model's own pairs are listed where it scores others too.",
        [
            TASK,
            N,
            text_column("γ", lambda row: number(row["gamma"]), True),
            CORPUS_MODEL,
            text_column("pairs of", lambda row: PAIR_SETS[row["pair_set"]]),
            MODEL,
            SIZE,
            STATISTIC,
            estimate("estimate [interval]"),
            P,
            Q,
            PAIRS,
            EXAMPLES,
        ],
        ordered,
    )


def differences(rows: Sequence[Row]) -> Listing:
    """How much nearer the task-gram model is than another model of the corpus."""
    return listing(
        "The task-gram model's statistic less that of another model of the corpus, of the same pairs in the same resamples.",
        [
            TASK,
            N,
            text_column("less that of", lambda row: named(CORPUS_MODELS, row["against"])),
            MODEL,
            SIZE,
            STATISTIC,
            estimate("difference [interval]"),
            PAIRS,
            EXAMPLES,
        ],
        rows,
    )


def trends(rows: Sequence[Row]) -> Listing:
    """How memorization changes with size."""
    return listing(
        "Change of the statistic for ten times the parameters, over the models of a family, of the pairs that all models of the "
        "corpus score; p by exchange of the models' sizes.",
        [
            TASK,
            N,
            CORPUS_MODEL,
            STATISTIC,
            estimate("slope [interval]"),
            P,
            Q,
            OVER,
            PAIRS,
            EXAMPLES,
        ],
        rows,
    )


def priors(rows: Sequence[Row]) -> Listing:
    """Memorization with each side held against its own prior."""
    return listing(
        "Correlation of corpus and model: of log P(y | x), of what x adds to log P(y) (PMI), and of log P(y); the same pairs.",
        [
            TASK,
            N,
            MODEL,
            SIZE,
            text_column("of", lambda row: PRIORS[row["compared"]]),
            STATISTIC,
            estimate("estimate [interval]"),
            P,
            Q,
            PAIRS,
            EXAMPLES,
        ],
        rows,
    )


def task_scores(rows: Sequence[Row]) -> Listing:
    """Scores of whole tasks."""
    return listing(
        "Task score of all examples.",
        [
            TASK,
            MODEL,
            SIZE,
            METRIC,
            estimate("score [interval]"),
            EXAMPLES,
        ],
        rows,
    )


def performance(rows: Sequence[Row]) -> Listing:
    """Task scores in bins."""
    return listing(
        "Task score in bins of pair counts.",
        [
            TASK,
            N,
            MODEL,
            SIZE,
            METRIC,
            text_column("documents", lambda row: f"[{edge(row['bin_low'])}, {edge(row['bin_high'])})", True),
            estimate("score [interval]"),
            EXAMPLES,
        ],
        rows,
    )


def novelty(rows: Sequence[Row]) -> Listing:
    """Shares of new n-grams."""
    return listing(
        "Share of generated n-grams and pairs that the corpus does not hold.",
        [
            TASK,
            text_column("of", lambda row: unit_label(row["unit"])),
            N,
            MODEL,
            SIZE,
            estimate("share [interval]"),
            text_column("n-grams", lambda row: f"{row['num_ngrams']:,}", True),
            EXAMPLES,
        ],
        rows,
    )


def contamination(rows: Sequence[Row]) -> Listing:
    """Shares of contaminated examples."""
    return listing(
        "Share of examples that share an n-gram with the corpus.",
        [TASK, N, text_column("part", lambda row: row["part"]), estimate("share [interval]"), EXAMPLES],
        rows,
    )


def traces(rows: Sequence[Row]) -> Listing:
    """Spans of answers, with documents."""
    return listing(
        "Spans of answers, and documents that hold them.",
        [
            TASK,
            text_column("span of the answer", lambda row: row["output"][row["start"] : row["stop"]]),
            text_column("words", lambda row: row["num_words"], True),
            text_column("occurrences", lambda row: f"{row['occurrences']:,}", True),
            text_column("in a document", lambda row: f"… {row['left']} ⟨…⟩ {row['right']} …"),
            text_column(
                "which", lambda row: f"{row['path'] or 'document'}:{row['line'] if row['line'] >= 0 else row['document_id']}"
            ),
        ],
        rows,
    )


def drops(rows: Sequence[Row], caption: str) -> Listing:
    """Reasons and numbers."""
    return listing(
        caption,
        [
            TASK,
            N,
            text_column("stage", lambda row: row["stage"]),
            text_column("reason", lambda row: row["reason"].replace("_", " ")),
            PAIRS,
            EXAMPLES,
        ],
        rows,
    )


def models(rows: Sequence[Row]) -> Listing:
    """Models and their states."""
    columns = [
        MODEL,
        SIZE,
        text_column("states scored", lambda row: row["num_states"], True),
        text_column("writes answers", lambda row: "yes" if row["generate"] else "no"),
        text_column("reads first", lambda row: row["begins"]),
        text_column("asked", lambda row: row["asked"]),
    ]
    return listing("The models, small to large, what each reads before a text, and how it is asked.", columns, rows)


def doubts(rows: Sequence[Row]) -> Listing:
    """What should be known of how models were asked before their numbers are trusted."""
    body: list[tuple[str, ...]] = [(model_label(row), doubt) for row in rows for doubt in row["doubts"]]
    return Listing("To be answered before the numbers are trusted.", ("model", "doubt"), (False, False), body)


def output_flaws(rows: Sequence[Row]) -> Listing:
    """Shares of outputs that say nothing, were cut, or repeat themselves."""
    columns = [
        TASK,
        MODEL,
        SIZE,
        text_column("answers that", lambda row: SAID[row["flaw"]]),
        estimate("share [interval]"),
        EXAMPLES,
    ]
    return listing("What is wrong with answers whatever the task.", columns, rows)


def origins(made: Sequence[Origin]) -> Listing:
    """Every table of the study, and its making."""
    rows = [origin._asdict() for origin in made]
    columns = [
        text_column("stage", lambda row: row["stage"]),
        text_column("file", lambda row: row["file"]),
        text_column("rows", lambda row: f"{row['rows']:,}", True),
        text_column("seconds", lambda row: f"{row['seconds']:,.1f}", True),
        text_column("sha256", lambda row: row["sha256"][:16]),
    ]
    return listing("Every table of the study.", columns, rows)


def inputs(read: Sequence[tuple[str, str]]) -> Listing:
    """What the study read and did not make."""
    rows = [{"input": name, "sha256": sha256} for name, sha256 in read]
    columns = [text_column("input", lambda row: row["input"]), text_column("sha256", lambda row: row["sha256"])]
    return listing("What the study read.", columns, rows)
