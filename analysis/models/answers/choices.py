"""Which of the choices of an example a model finds likeliest: four readings of "likeliest", each a metric of its own.

=======================  ===============================================================================================
``accuracy``             by log P a token of the choice's text, so that long choices are not at a disadvantage
``accuracy_characters``  by log P a character: the same for all tokenizers (lm-evaluation-harness's ``acc_norm``)
``accuracy_sum``         by log P (its ``acc``)
``accuracy_letter``      by log P of the choice's letter, after a prompt that lists the choices (MMLU as its authors ask)
=======================  ===============================================================================================
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import ConfigError, TableError
from analysis.models.answer_scores import OF_CHOICES, Metric, Row, score_generations
from analysis.models.language_model import LanguageModel
from analysis.models.scoring import score_targets
from analysis.models.too_long import TooLong

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class ChoiceScores(NamedTuple):
    """log P of each choice of an example, and its tokens; nan: the example was left out as too long."""

    log_probs: NDArray[np.float64]
    num_tokens: NDArray[np.int64]


def choice_accuracy(
    model: LanguageModel,
    examples: pa.Table,
    *,
    metrics: Sequence[Metric] = ("accuracy",),
    batch_tokens: int = 8192,
    cache: Path | None = None,
    too_long: TooLong = "drop",
) -> pa.Table:
    """GENERATIONS with each example's choice by :func:`choose` as its output, score 1 where that is the target, for each metric."""
    how: dict[str, Any] = {"batch_tokens": batch_tokens, "cache": cache, "too_long": too_long}
    tables = [score_generations(model, examples, choose(model, examples, metric=metric, **how), metric) for metric in metrics]
    return pa.concat_tables(tables)


def choose(
    model: LanguageModel,
    examples: pa.Table,
    *,
    metric: Metric = "accuracy",
    batch_tokens: int = 8192,
    cache: Path | None = None,
    too_long: TooLong = "drop",
) -> list[str | None]:
    """The choice that a model finds likeliest after each example's prompt, the first among equals; None if it is left out.

    Parameters
    ----------
    metric
        Which reading of "likeliest", see above.
    batch_tokens, cache, too_long
        As for :func:`analysis.models.scoring.score_spans`. All choices of an example are read after the same prompt.

    Raises
    ------
    TableError
        An example without choices, or of the letters one whose prompt does not list them.
    ConfigError
        Another metric.
    ModelError
        As for :func:`analysis.models.scoring.score_targets`.
    """
    if metric not in OF_CHOICES:
        raise ConfigError(f"metric is {metric!r}: expected {', '.join(OF_CHOICES)}")
    rows = examples.select(["example_id", "prompt", "choices"]).to_pylist()
    if without := next((row["example_id"] for row in rows if not row["choices"]), None):
        raise TableError(f"example {without!r} has no choices, and accuracy needs them: choose another metric for this task")
    if metric == "accuracy_letter" and (unlisted := next((row for row in rows if not _lists_choices(row)), None)):
        raise TableError(
            f"the prompt of example {unlisted['example_id']!r} does not list its choices, and accuracy_letter needs that: take a "
            'template with {choices}, as template = "multiple-choice"'
        )
    texts = [_answers(row, metric) for row in rows]
    names = [f"choice {number} of example {row['example_id']!r}" for row in rows for number in range(len(row["choices"]))]
    of_example = [place for place, some in enumerate(texts) for _ in some]
    how: dict[str, Any] = {"names": names, "examples": of_example, "batch_tokens": batch_tokens, "cache": cache}
    asked = [(row["prompt"], text) for row, some in zip(rows, texts, strict=True) for text in some]
    found = score_targets(model, asked, too_long=too_long, **how)
    stops = np.cumsum([len(some) for some in texts])[:-1]
    each = map(ChoiceScores, np.split(found.log_probs, stops), np.split(found.num_tokens, stops))
    return [likeliest(row, scores, metric) for row, scores in zip(rows, each, strict=True)] if rows else []


def likeliest(row: Row, scores: ChoiceScores, metric: Metric) -> str | None:
    """The likeliest choice of an example by one reading; None where a score is nan."""
    values = scores.log_probs
    if metric == "accuracy":
        values = values / np.maximum(scores.num_tokens, 1)
    elif metric == "accuracy_characters":
        values = values / np.maximum([len(choice) for choice in row["choices"]], 1)
    return None if bool(np.isnan(values).any()) else str(row["choices"][int(values.argmax())])


def metrics_of_choices(examples: pa.Table, metric: Metric) -> tuple[Metric, ...]:
    """All readings that the examples allow, the chosen one first: letters only where all prompts list the choices."""
    rows = examples.select(["prompt", "choices"]).to_pylist()
    letters = all(_lists_choices(row) for row in rows)
    others = (other for other in OF_CHOICES if other != metric and (letters or other != "accuracy_letter"))
    return (metric, *others)


def _answers(row: Row, metric: Metric) -> list[str]:
    return list(LETTERS[: len(row["choices"])]) if metric == "accuracy_letter" else list(row["choices"])


def _lists_choices(row: Row) -> bool:
    """Whether a prompt holds a line of letter and text for each choice."""
    listed = zip(LETTERS, row["choices"], strict=False)
    return 0 < len(row["choices"]) <= len(LETTERS) and all(f"{letter}. {text}" in row["prompt"] for letter, text in listed)
