"""The tasks' scores of what models say: exact match and its kin with aliases, final answers, BLEU, right choices."""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import ConfigError, MissingDependencyError, TableError
from analysis.models.language_model import LanguageModel, Output
from analysis.schemas import GENERATIONS

Metric = Literal[
    "exact_match",
    "contains",
    "token_f1",
    "final_answer",
    "bleu",
    "accuracy",
    "accuracy_characters",
    "accuracy_letter",
    "accuracy_sum",
]
Row = dict[str, Any]

OF_TEXT: tuple[Metric, ...] = ("exact_match", "contains", "token_f1")
"""Metrics of one and the same written text."""
OF_CHOICES: tuple[Metric, ...] = ("accuracy", "accuracy_characters", "accuracy_letter", "accuracy_sum")
"""Of the likeliest choice, by each reading of "likeliest": ``analysis.models.answers.choices``."""
RIGHT_OR_WRONG = frozenset({"exact_match", "contains", "final_answer", *OF_CHOICES})
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


def contains(output: str, target: str, aliases: Sequence[str] = ()) -> float:
    """1.0 if the output holds the target or an alias as words, all normalised, else 0.0; also where it is :func:`exact_match`."""
    held = f" {normalize_answer(output)} "
    names = (normalize_answer(answer) for answer in (target, *aliases))
    return float(any(name and f" {name} " in held for name in names) or exact_match(output, target, aliases))


def token_f1(output: str, target: str, aliases: Sequence[str] = ()) -> float:
    """The harmonic mean of precision and recall of words, normalised, of the best of the answers (SQuAD's; 2016)."""
    if exact_match(output, target, aliases):
        return 1.0
    written = Counter(normalize_answer(output).split())

    def of(answer: str) -> float:
        words = Counter(normalize_answer(answer).split())
        shared = (written & words).total()
        return 2 * shared / (written.total() + words.total()) if shared else 0.0

    return max(of(answer) for answer in (target, *aliases))


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


def score_generations(model: LanguageModel, examples: pa.Table, outputs: Sequence[str | Output | None], metric: Metric) -> pa.Table:
    """:func:`generations_table` of what a model wrote."""
    return generations_table(model.columns, examples, outputs, metric)


def generations_table(
    columns: Mapping[str, Any], examples: pa.Table, outputs: Sequence[str | Output | None], metric: Metric
) -> pa.Table:
    """GENERATIONS: what was written for each example, and its score; None, an example that was not read, has no row.

    Parameters
    ----------
    columns
        model, revision, num_parameters, step.
    metric
        "exact_match", "contains", "final_answer": 0 or 1; "token_f1": 0 … 1. "bleu": a sentence's, 0 … 100, in the language that
        ``subset`` ends with ("en-fr"). "accuracy" and the like: 1 where the output is the target, which must be a choice.

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
    rows = [row for row, _ in read]
    written = [output.text if isinstance(output, Output) else output for _, output in read]
    table = {column: [value] * len(rows) for column, value in columns.items()}
    table |= {
        "example_id": [row["example_id"] for row in rows],
        "output": written,
        "ended": [output.ended if isinstance(output, Output) else "" for _, output in read],
        "metric": [metric] * len(rows),
        "score": SCORES[metric](written, rows),
    }
    return pa.table({name: table[name] for name in GENERATIONS.names}, GENERATIONS)


def kin(metric: Metric) -> tuple[Metric, ...]:
    """The metrics of one and the same written text, the chosen one first."""
    return (metric, *(other for other in OF_TEXT if other != metric)) if metric in OF_TEXT else (metric,)


def _each(score: Callable[[str, Row], float]) -> Callable[[Sequence[str], Sequence[Row]], list[float]]:
    return lambda outputs, rows: [score(output, row) for output, row in zip(outputs, rows, strict=True)]


def _accuracy(output: str, row: Row) -> float:
    if row["target"] not in row["choices"]:
        raise TableError(f"example {row['example_id']!r}: its target {row['target']!r} is none of its choices")
    return float(output == row["target"])


SCORES: dict[str, Callable[[Sequence[str], Sequence[Row]], list[float]]] = {
    "exact_match": _each(lambda output, row: exact_match(output, row["target"], row["aliases"])),
    "contains": _each(lambda output, row: contains(output, row["target"], row["aliases"])),
    "token_f1": _each(lambda output, row: token_f1(output, row["target"], row["aliases"])),
    "final_answer": _each(lambda output, row: final_answer(output, row["target"])),
    "bleu": lambda outputs, rows: bleu_of_rows(outputs, rows).sentences.tolist(),
    **dict.fromkeys(OF_CHOICES, _each(_accuracy)),
}


def _numbers(text: str) -> list[Decimal]:
    return [Decimal(re.sub("[$,]", "", found[0])) for found in NUMBER.finditer(text)]
