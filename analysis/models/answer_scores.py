"""The tasks' scores of what models say: exact match with aliases, final answers, BLEU, accuracy over choices."""

import re
import string
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import ConfigError, MissingDependencyError, TableError
from analysis.models.open import CausalModel
from analysis.models.scoring import score_targets
from analysis.models.too_long import TooLong
from analysis.schemas import GENERATIONS

Metric = Literal["exact_match", "final_answer", "bleu", "accuracy"]
Normalise = Literal["mean", "sum"]
Row = dict[str, Any]

RIGHT_OR_WRONG = frozenset({"exact_match", "final_answer", "accuracy"})
"""Metrics of which a score is 1 or 0."""
PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))
ARTICLES = re.compile(r"\b(a|an|the)\b")
NUMBER = re.compile(r"(?:(?<![\w)\].])-)?\$?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\d)\.\d+")
BLEU_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}  # sacrebleu's; others 13a


class Bleu(NamedTuple):
    """BLEU of 100, of sentences; what they add to the corpus's."""

    sentences: NDArray[np.float64]
    """Of each alone, with effective order, since short sentences lack 4-grams."""
    statistics: NDArray[np.float64]
    """``[sentences, 10]``: 1- to 4-grams that match, those of the output, and the lengths of output and reference."""

    @property
    def corpus(self) -> float:
        """Of all sentences together."""
        return corpus_bleu(self.statistics.sum(axis=0))


def normalize_answer(text: str) -> str:
    """Lower case, punctuation to spaces, without a, an and the, single spaces: TriviaQA's own (Joshi et al., 2017)."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(output: str, target: str, aliases: Sequence[str] = ()) -> float:
    """1.0 if the output is the target or an alias, both normalised, else 0.0.

    An answer of which normalising leaves nothing ("The The", "!") is compared as it is, in lower case.
    """

    def same(answer: str) -> bool:
        normal = normalize_answer(answer)
        return normalize_answer(output) == normal if normal else output.strip().lower() == answer.strip().lower()

    return float(any(same(answer) for answer in (target, *aliases)))


def final_number(text: str) -> Decimal | None:
    """The number after the first ``####`` that has one (GSM8K's mark), else the last number; None without any.

    Thousands' commas and a dollar sign are no part of it. A minus after a digit, a letter or a bracket subtracts.
    """
    for part in text.split("####")[1:]:
        if found := _numbers(part):
            return found[0]
    found = _numbers(text)
    return found[-1] if found else None


def final_answer(output: str, target: str) -> float:
    """1.0 if the output's final number is the target's, as numbers ("18.00" is "18"), else 0.0.

    Raises
    ------
    TableError
        The target has no number.
    """
    expected = final_number(target)
    if expected is None:
        raise TableError(f"the target {target[:60]!r} has no number, which final_answer compares: choose another metric")
    return float(final_number(output) == expected)


def bleu(outputs: Sequence[str], references: Sequence[str], language: str = "") -> Bleu:
    """BLEU by sacrebleu, with its tokenizer for the language of the target ("zh", "ja", "ko"; else 13a, its default).

    Raises
    ------
    TableError
        No outputs, or as many references as there are not outputs.
    MissingDependencyError
        sacrebleu is not installed, or what it needs for this language.
    """
    if not outputs or len(outputs) != len(references):
        raise TableError(f"{len(outputs)} outputs and {len(references)} references: BLEU needs as many of each, and at least one")
    try:
        metric = _bleu_class()(tokenize=BLEU_TOKENIZERS.get(language, "13a"), effective_order=True)
    except (ImportError, RuntimeError) as error:
        raise _no_sacrebleu(error) from error
    each = [metric.sentence_score(output, [reference]) for output, reference in zip(outputs, references, strict=True)]
    return Bleu(
        np.array([one.score for one in each], np.float64),
        np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in each], np.float64),
    )


def corpus_bleu(statistics: NDArray[np.float64]) -> float:
    """BLEU of 100 from the sum of :attr:`Bleu.statistics` over sentences: sacrebleu's for a corpus, smoothed exponentially."""
    sums = np.rint(statistics).astype(int).tolist()
    return float(_bleu_class().compute_bleu(sums[:4], sums[4:8], *sums[8:], smooth_method="exp").score)


def bleu_of_rows(outputs: Sequence[str], rows: Sequence[Row]) -> Bleu:
    """BLEU of what a model wrote for some examples, each in the language that its ``subset`` ends with ("en-fr")."""
    languages = [row["subset"].rpartition("-")[2] for row in rows]
    found = Bleu(np.empty(len(rows)), np.empty((len(rows), 10)))
    for language in dict.fromkeys(languages):
        chosen = [number for number, other in enumerate(languages) if other == language]
        part = bleu([outputs[number] for number in chosen], [rows[number]["target"] for number in chosen], language)
        found.sentences[chosen], found.statistics[chosen] = part
    return found


@cache
def _bleu_class() -> Any:
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise _no_sacrebleu(error) from error
    return BLEU


def _no_sacrebleu(error: Exception) -> MissingDependencyError:
    return MissingDependencyError(f"BLEU needs sacrebleu ({error}): pip install 'suffixindex[analysis]'")


def choose(
    model: CausalModel,
    examples: pa.Table,
    *,
    normalise: Normalise = "mean",
    batch_tokens: int = 8192,
    cache: Path | None = None,
    too_long: TooLong = "drop",
) -> list[str | None]:
    """The choice that a model finds likeliest after each example's prompt, the first among equals; None if it is left out.

    Parameters
    ----------
    normalise
        "mean": log P a token, so that long choices are not at a disadvantage; "sum": log P.
    batch_tokens, cache, too_long
        As for :func:`analysis.models.scoring.score_spans`. All choices of an example are read after the same prompt.

    Raises
    ------
    TableError
        An example without choices.
    ModelError
        As for :func:`analysis.models.scoring.score_targets`.
    """
    if normalise not in ("mean", "sum"):
        raise ConfigError(f"normalise is {normalise!r}: expected 'mean' or 'sum'")
    rows = examples.select(["example_id", "prompt", "choices"]).to_pylist()
    if without := next((row["example_id"] for row in rows if not row["choices"]), None):
        raise TableError(f"example {without!r} has no choices, and accuracy needs them: choose another metric for this task")
    texts = [(row["prompt"], choice) for row in rows for choice in row["choices"]]
    names = [f"choice {number} of example {row['example_id']!r}" for row in rows for number in range(len(row["choices"]))]
    examples_of = [place for place, row in enumerate(rows) for _ in row["choices"]]
    how: dict[str, Any] = {"names": names, "examples": examples_of, "batch_tokens": batch_tokens, "cache": cache}
    found = score_targets(model, texts, too_long=too_long, **how)
    values = found.log_probs / np.maximum(found.num_tokens, 1) if normalise == "mean" else found.log_probs
    chosen: list[str | None] = []
    stop = 0
    for row in rows:
        start, stop = stop, stop + len(row["choices"])
        left_out = bool(np.isnan(values[start:stop]).any())
        chosen.append(None if left_out else str(row["choices"][int(values[start:stop].argmax())]))
    return chosen


def choice_accuracy(
    model: CausalModel,
    examples: pa.Table,
    *,
    normalise: Normalise = "mean",
    batch_tokens: int = 8192,
    cache: Path | None = None,
    too_long: TooLong = "drop",
) -> pa.Table:
    """GENERATIONS with each example's choice by :func:`choose` as its output, score 1 where that is the target, else 0."""
    outputs = choose(model, examples, normalise=normalise, batch_tokens=batch_tokens, cache=cache, too_long=too_long)
    return score_generations(model, examples, outputs, "accuracy")


def score_generations(model: CausalModel, examples: pa.Table, outputs: Sequence[str | None], metric: Metric) -> pa.Table:
    """GENERATIONS: what a model wrote for each example, and its score; None, an example that it did not read, has no row.

    Parameters
    ----------
    metric
        "exact_match", "final_answer": 0 or 1. "bleu": a sentence's, 0 … 100, in the language that ``subset`` ends with
        ("en-fr"). "accuracy": 1 where the output is the target, which must be one of the choices.

    Raises
    ------
    TableError
        Another number of outputs than examples, or a target that the metric cannot compare.
    ConfigError
        An unknown metric.
    """
    rows = examples.to_pylist()
    if len(rows) != len(outputs):
        raise TableError(f"{len(outputs)} outputs for {len(rows)} examples: expected one each")
    if metric not in SCORES:
        raise ConfigError(f"metric is {metric!r}: expected {', '.join(SCORES)}")
    read = [(row, output) for row, output in zip(rows, outputs, strict=True) if output is not None]
    rows, written = [row for row, _ in read], [output for _, output in read]
    scores = SCORES[metric](written, rows)
    columns = {column: [value] * len(rows) for column, value in model.columns.items()}
    columns |= {
        "example_id": [row["example_id"] for row in rows],
        "output": written,
        "metric": [metric] * len(rows),
        "score": scores,
    }
    return pa.table({name: columns[name] for name in GENERATIONS.names}, GENERATIONS)


def _each(score: Callable[[str, Row], float]) -> Callable[[Sequence[str], Sequence[Row]], list[float]]:
    return lambda outputs, rows: [score(output, row) for output, row in zip(outputs, rows, strict=True)]


def _accuracy(output: str, row: Row) -> float:
    if row["target"] not in row["choices"]:
        raise TableError(f"example {row['example_id']!r}: its target {row['target']!r} is none of its choices")
    return float(output == row["target"])


SCORES: dict[str, Callable[[Sequence[str], Sequence[Row]], list[float]]] = {
    "exact_match": _each(lambda output, row: exact_match(output, row["target"], row["aliases"])),
    "final_answer": _each(lambda output, row: final_answer(output, row["target"])),
    "bleu": lambda outputs, rows: bleu_of_rows(outputs, rows).sentences.tolist(),
    "accuracy": _each(_accuracy),
}


def _numbers(text: str) -> list[Decimal]:
    return [Decimal(re.sub("[$,]", "", found[0])) for found in NUMBER.finditer(text)]
