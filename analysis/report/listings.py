"""The report's tables of numbers: rows of a stage's table as text, each estimate with its interval."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from analysis.measures.output_flaws import SAID
from analysis.report.behaviour import edge, unit_label
from analysis.report.causes import GROUPS
from analysis.report.selection import CORPUS_MODELS, METRICS, STATISTICS, Row, model_label, named, task_label
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


def _column(name: str, cell: Callable[[Row], Any], numeric: bool = False) -> Column:
    return name, numeric, lambda row: str(cell(row))


_TASK = _column("task", task_label)
_MODEL = _column("model", model_label)
_SIZE = _column("parameters", lambda row: short(row["num_parameters"]) if row["num_parameters"] > 0 else "?", True)
_N = _column("n", lambda row: row["n"] or "any", True)
_PAIRS = _column("pairs", lambda row: f"{row['num_pairs']:,}", True)
_EXAMPLES = _column("examples", lambda row: f"{row['num_examples']:,}", True)


def _estimate(name: str) -> Column:
    return _column(name, lambda row: interval(row["estimate"], row["low"], row["high"]), True)


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
            _TASK,
            _N,
            _column("γ", lambda row: number(row["gamma"]), True),
            _column("corpus model", lambda row: named(CORPUS_MODELS, row["corpus_model"])),
            _column("pairs of", lambda row: PAIR_SETS[row["pair_set"]]),
            _MODEL,
            _SIZE,
            _column("statistic", lambda row: named(STATISTICS, row["statistic"])),
            _estimate("estimate [interval]"),
            _column("p", lambda row: p_value(row["p_value"]), True),
            _PAIRS,
            _EXAMPLES,
        ],
        ordered,
    )


def differences(rows: Sequence[Row]) -> Listing:
    """How much nearer the task-gram model is than another model of the corpus."""
    return listing(
        "The task-gram model's statistic less that of another model of the corpus, of the same pairs in the same resamples.",
        [
            _TASK,
            _N,
            _column("less that of", lambda row: named(CORPUS_MODELS, row["against"])),
            _MODEL,
            _SIZE,
            _column("statistic", lambda row: named(STATISTICS, row["statistic"])),
            _estimate("difference [interval]"),
            _PAIRS,
            _EXAMPLES,
        ],
        rows,
    )


def trends(rows: Sequence[Row]) -> Listing:
    """How memorization changes with size."""
    return listing(
        "Change of the statistic for ten times the parameters, over all models, of the pairs that all models of the corpus score; "
        "p by exchange of the models' sizes.",
        [
            _TASK,
            _N,
            _column("corpus model", lambda row: named(CORPUS_MODELS, row["corpus_model"])),
            _column("statistic", lambda row: named(STATISTICS, row["statistic"])),
            _estimate("slope [interval]"),
            _column("p", lambda row: p_value(row["p_value"]), True),
            _column("models", lambda row: row["num_models"], True),
            _PAIRS,
            _EXAMPLES,
        ],
        rows,
    )


def task_scores(rows: Sequence[Row]) -> Listing:
    """Scores of whole tasks."""
    return listing(
        "Task score of all examples.",
        [
            _TASK,
            _MODEL,
            _SIZE,
            _column("metric", lambda row: named(METRICS, row["metric"])),
            _estimate("score [interval]"),
            _EXAMPLES,
        ],
        rows,
    )


def performance(rows: Sequence[Row]) -> Listing:
    """Task scores in bins."""
    return listing(
        "Task score in bins of pair counts.",
        [
            _TASK,
            _N,
            _MODEL,
            _SIZE,
            _column("metric", lambda row: named(METRICS, row["metric"])),
            _column("documents", lambda row: f"[{edge(row['bin_low'])}, {edge(row['bin_high'])})", True),
            _estimate("score [interval]"),
            _EXAMPLES,
        ],
        rows,
    )


def novelty(rows: Sequence[Row]) -> Listing:
    """Shares of new n-grams."""
    return listing(
        "Share of generated n-grams and pairs that the corpus does not hold.",
        [
            _TASK,
            _column("of", lambda row: unit_label(row["unit"])),
            _N,
            _MODEL,
            _SIZE,
            _estimate("share [interval]"),
            _column("n-grams", lambda row: f"{row['num_ngrams']:,}", True),
            _EXAMPLES,
        ],
        rows,
    )


def doses(rows: Sequence[Row]) -> Listing:
    """Responses to planted doses."""
    return listing(
        "What the models say of planted facts.",
        [
            _TASK,
            _MODEL,
            _SIZE,
            _column("planted documents", lambda row: f"{row['documents']:,}", True),
            _column("response", lambda row: named(METRICS, row["response"])),
            _estimate("mean [interval]"),
            _EXAMPLES,
        ],
        rows,
    )


def dose_trends(rows: Sequence[Row]) -> Listing:
    """Whether responses rise with the dose."""
    return listing(
        "Whether the response rises with the dose: rank correlation, p of no rise (Jonckheere and Terpstra), how much of the "
        "variance between doses a rising curve explains, and the largest fall from a dose to a higher one.",
        [
            _TASK,
            _MODEL,
            _SIZE,
            _column("response", lambda row: named(METRICS, row["response"])),
            _estimate("Spearman ρ [interval]"),
            _column("p", lambda row: p_value(row["p_value"]), True),
            _column("rising", lambda row: number(row["isotonic_share"]), True),
            _column("fall", lambda row: number(row["largest_fall"]), True),
            _column("doses", lambda row: row["num_doses"], True),
            _EXAMPLES,
        ],
        rows,
    )


def influence(rows: Sequence[Row]) -> Listing:
    """Influence by group of documents."""
    return listing(
        "Mean influence on the pairs.",
        [
            _TASK,
            _MODEL,
            _column("documents", lambda row: named(GROUPS, row["group"])),
            _estimate("influence [interval]"),
            _PAIRS,
            _column("documents drawn", lambda row: f"{row['num_documents']:,}", True),
        ],
        rows,
    )


def prompts(rows: Sequence[Row]) -> Listing:
    """Each goal's first prompt and those that were accepted."""
    shown = [row for row in rows if row["accepted"] or row["iteration"] == 0]
    return listing(
        "The first prompt and each that was better than those before it.",
        [
            _TASK,
            _column("goal", lambda row: row["goal"]),
            _column("iteration", lambda row: row["iteration"], True),
            _column("mean count", lambda row: number(row["score"]), True),
            _column("prompt", lambda row: row["prompt"]),
        ],
        shown,
    )


def contamination(rows: Sequence[Row]) -> Listing:
    """Shares of contaminated examples."""
    return listing(
        "Share of examples that share an n-gram with the corpus.",
        [_TASK, _N, _column("part", lambda row: row["part"]), _estimate("share [interval]"), _EXAMPLES],
        rows,
    )


def drops(rows: Sequence[Row], caption: str) -> Listing:
    """Reasons and numbers."""
    return listing(
        caption,
        [
            _TASK,
            _N,
            _column("stage", lambda row: row["stage"]),
            _column("reason", lambda row: row["reason"].replace("_", " ")),
            _PAIRS,
            _EXAMPLES,
        ],
        rows,
    )


def tasks(rows: Sequence[Row]) -> Listing:
    """Tasks and how much there is of each: name, examples, pairs, distinct, n and γ, metric."""
    columns = [
        _TASK,
        _EXAMPLES,
        _column("pairs mined", lambda row: f"{row['num_pairs']:,}", True),
        _column("of these distinct", lambda row: f"{row['num_distinct']:,}", True),
        _column("n: γ", lambda row: ", ".join(f"{n}: {number(gamma)}" for n, gamma in row["gamma"].items())),
        _column("score", lambda row: named(METRICS, row["metric"]) if row["metric"] else "–"),
    ]
    return listing("The tasks.", columns, rows)


def models(rows: Sequence[Row]) -> Listing:
    """Models and their states."""
    columns = [
        _MODEL,
        _SIZE,
        _column("states scored", lambda row: row["num_states"], True),
        _column("writes answers", lambda row: "yes" if row["generate"] else "no"),
        _column("reads first", lambda row: row["begins"]),
        _column("asked", lambda row: row["asked"]),
    ]
    return listing("The models, small to large, what each reads before a text, and how it is asked.", columns, rows)


def doubts(rows: Sequence[Row]) -> Listing:
    """What should be known of how models were asked before their numbers are trusted."""
    body: list[tuple[str, ...]] = [(model_label(row), doubt) for row in rows for doubt in row["doubts"]]
    return Listing("To be answered before the numbers are trusted.", ("model", "doubt"), (False, False), body)


def output_flaws(rows: Sequence[Row]) -> Listing:
    """Shares of outputs that say nothing, were cut, or repeat themselves."""
    columns = [
        _TASK,
        _MODEL,
        _SIZE,
        _column("answers that", lambda row: SAID[row["flaw"]]),
        _estimate("share [interval]"),
        _EXAMPLES,
    ]
    return listing("What is wrong with answers whatever the task.", columns, rows)


def origins(made: Sequence[Origin]) -> Listing:
    """Every table of the study, and its making."""
    rows = [origin._asdict() for origin in made]
    columns = [
        _column("stage", lambda row: row["stage"]),
        _column("file", lambda row: row["file"]),
        _column("rows", lambda row: f"{row['rows']:,}", True),
        _column("seconds", lambda row: f"{row['seconds']:,.1f}", True),
        _column("sha256", lambda row: row["sha256"][:16]),
    ]
    return listing("Every table of the study.", columns, rows)


def inputs(read: Sequence[tuple[str, str]]) -> Listing:
    """What the study read and did not make."""
    rows = [{"input": name, "sha256": sha256} for name, sha256 in read]
    columns = [_column("input", lambda row: row["input"]), _column("sha256", lambda row: row["sha256"])]
    return listing("What the study read.", columns, rows)


def interval(estimate: float, low: float, high: float) -> str:
    """An estimate with its interval; a dash where there is none."""
    if math.isnan(estimate):
        return "–"
    if math.isnan(low) or math.isnan(high):
        return f"{number(estimate)} [–]"
    return f"{number(estimate)} [{number(low)}, {number(high)}]"


def number(value: float) -> str:
    """Digits that mean something at the number's size, with a real minus sign."""
    size = abs(value)
    if math.isnan(value):
        return "–"
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 0.01 or size == 0 else 3
    text = f"{value:,.{digits}f}" if size >= 0.0005 or size == 0 else f"{value:.1e}"
    return text.replace("-", "−")


def p_value(value: float) -> str:
    return "–" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
