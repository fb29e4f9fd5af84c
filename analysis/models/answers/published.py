"""Answers and scores that somebody has published, in place of running the model: files of JSON lines.

Two kinds of records are read, and told apart by their fields:

==========================  =============================================================================================
lm-evaluation-harness       ``samples_*.jsonl``: ``doc``, ``arguments``, ``resps``. The example is the one whose input is among
                            the texts of ``doc``, and whose choices are, if it has any; or that has the id of ``doc``. Written
                            text is an answer; log-probabilities of choices choose one, and that of the right choice scores it
plain                       ``id`` (or ``example_id``), or else ``input`` (or ``question``), which name the example; ``output``,
                            what was written; ``log_prob``, of the whole target; ``choice_log_probs``, in the choices' order
==========================  =============================================================================================

Of several records of one example (filters, repeats) the first counts. Examples without a record are left out and counted.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from analysis.errors import ModelError
from analysis.models.answer_scores import OF_CHOICES, Metric, generations_table, kin
from analysis.models.answers.choices import LETTERS, ChoiceScores, likeliest
from analysis.ngrams import word_spans
from analysis.schemas import MODEL_SCORES

NAMES = ("id", "example_id", "question_id", "qid", "idx")
INPUTS = ("input", "question", "query", "problem")
SHOWN = 3


class Record(NamedTuple):
    """What a file says of one example."""

    output: str | None
    """What was written."""
    log_prob: float | None
    """Of the whole target."""
    choices: tuple[float, ...] | None
    """log P of the text of each choice."""
    letters: tuple[float, ...] | None
    """log P of the letter of each choice."""


def read_published(files: Sequence[Path], examples: pa.Table) -> list[Record | None]:
    """What files say of each example; None: nothing.

    Raises
    ------
    ModelError
        There is no file, a line is no such record, or no record is of any of the examples.
    """
    if not files:
        raise ModelError("no file of answers is there: expected samples_*.jsonl of lm-evaluation-harness, or plain JSON lines")
    rows = examples.select(["example_id", "input", "target", "choices"]).to_pylist()
    known = _Examples(rows)
    found: dict[str, Record] = {}
    read = 0
    for place, fields in _lines(files):
        read += 1
        for row in known.of(fields):
            if row["example_id"] not in found:
                found[row["example_id"]] = _record(place, fields, row)
    if not found:
        named = ", ".join(str(file.name) for file in files[:SHOWN])
        raise ModelError(
            f"none of {read:,} records of {named} is of one of the {len(rows):,} examples, such as {rows[0]['input'][:60]!r}: "
            "expected their input, or their id, in each record"
        )
    return [found.get(row["example_id"]) for row in rows]


def target_scores(columns: Mapping[str, Any], records: Sequence[Record | None], examples: pa.Table, pairs: pa.Table) -> pa.Table:
    """MODEL_SCORES of the pairs whose y is the whole target, as files have it; null for all others.

    ``num_tokens`` is the number of words of y, since files do not say tokens.

    Raises
    ------
    ModelError
        No pair has a log-probability.
    """
    known = {
        name: (" ".join(word_spans(target).words), record)
        for name, target, record in zip(examples["example_id"].to_pylist(), examples["target"].to_pylist(), records, strict=True)
    }
    found: list[tuple[float | None, int]] = []
    for name, y in zip(pairs["example_id"].to_pylist(), pairs["y"].to_pylist(), strict=True):
        whole, record = known[name]
        value = record.log_prob if record is not None and y == whole else None
        found.append((value, 0 if value is None else len(y.split())))
    if pairs.num_rows and all(value is None for value, _ in found):
        raise ModelError(
            "no pair has a log-probability in the files: they hold those of whole answers, so mine whole answers "
            '(target = "whole") or let the model score; answers that were written have none'
        )
    table = {column: [value] * len(found) for column, value in columns.items()}
    table |= {"row": pairs["row"].to_pylist(), "log_prob": [value for value, _ in found], "num_tokens": [size for _, size in found]}
    return pa.table({name: table[name] for name in MODEL_SCORES.names}, MODEL_SCORES)


def published_answers(
    columns: Mapping[str, Any], records: Sequence[Record | None], examples: pa.Table, metric: Metric, stop: Sequence[str]
) -> pa.Table:
    """GENERATIONS of what files hold: written text by each metric of its kind, or the likeliest choice by each that they allow.

    Parameters
    ----------
    columns
        model, revision, num_parameters, step.
    metric
        The task's: it comes first, and must be one that the files allow.
    stop
        Where a written text ends, as if it were written now.

    Raises
    ------
    ModelError
        The files hold nothing that the metric scores.
    """
    found = _chosen(records, examples, metric) if metric in OF_CHOICES else {each: _written(records, stop) for each in kin(metric)}
    if not any(output is not None for output in found.get(metric, ())):
        allowed = ", ".join(name for name, outputs in found.items() if any(output is not None for output in outputs))
        raise ModelError(
            f"the files hold nothing that {metric} scores{f', but what {allowed} does' if allowed else ''}: choose another metric "
            "for this task, or let the model answer"
        )
    return pa.concat_tables([generations_table(columns, examples, outputs, each) for each, outputs in found.items()])


def _written(records: Sequence[Record | None], stop: Sequence[str]) -> list[str | None]:
    outputs = [None if record is None or record.output is None else record.output.strip(" ") for record in records]
    return [None if text is None else min((text.partition(end)[0] for end in stop), key=len, default=text) for text in outputs]


def _chosen(records: Sequence[Record | None], examples: pa.Table, metric: Metric) -> dict[Metric, list[str | None]]:
    """The likeliest choices by each reading; by tokens none, since files do not say tokens."""
    rows = examples.select(["choices"]).to_pylist()
    found: dict[Metric, list[str | None]] = {}
    for each in (metric, *(other for other in OF_CHOICES if other != metric)):
        values = [None if record is None else record.letters if each == "accuracy_letter" else record.choices for record in records]
        if each == "accuracy" or all(value is None for value in values):
            continue
        found[each] = [
            None if value is None else likeliest(row, ChoiceScores(np.array(value), np.ones(len(value), np.int64)), each)
            for row, value in zip(rows, values, strict=True)
        ]
    return found


def _lines(files: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in files:
        try:
            lines = file.read_bytes().splitlines()
        except OSError as error:
            raise ModelError(f"{file} cannot be read: {error}") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{file.name}, line {number}"
            try:
                fields = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise ModelError(f"{place} is not JSON: {error}") from error
            if not isinstance(fields, dict):
                raise ModelError(f"{place} is {type(fields).__name__}: expected an object with fields")
            yield place, fields


class _Examples:
    """The examples, to be found by a record."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._by_name = {row["example_id"]: row for row in rows}
        self._by_input: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            self._by_input.setdefault(row["input"].strip(), []).append(row)

    def of(self, fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Those that a record is of: by an id, else by a text that is their input."""
        doc = fields.get("doc", fields)
        if not isinstance(doc, Mapping):
            return []
        for name in NAMES:
            if (row := self._by_name.get(str(doc.get(name)))) is not None:
                return [row]
        texts = [str(doc.get(name, "")) for name in INPUTS] + (list(_texts(doc)) if "doc" in fields else [])
        asked = next((self._by_input[text.strip()] for text in texts if text.strip() in self._by_input), [])
        if len(asked) < 2:
            return asked
        held = {text.strip() for text in _texts(doc)}
        return [row for row in asked if held.issuperset(choice.strip() for choice in row["choices"])] or asked


def _texts(value: Any) -> Iterator[str]:
    """All texts of a record, in it and below."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _record(place: str, fields: Mapping[str, Any], row: Mapping[str, Any]) -> Record:
    try:
        return _harness(fields, row) if "resps" in fields else _plain(fields, row)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        what = "doc, arguments and resps of lm-evaluation-harness" if "resps" in fields else "output, log_prob or choice_log_probs"
        raise ModelError(f"{place} cannot be read ({type(error).__name__}: {error}): expected {what}") from error


def _plain(fields: Mapping[str, Any], row: Mapping[str, Any]) -> Record:
    output, log_prob, choices = (fields.get(name) for name in ("output", "log_prob", "choice_log_probs"))
    if output is None and log_prob is None and choices is None:
        raise ValueError("none of these fields")
    values = None if choices is None else tuple(_number(value) for value in choices)
    if values is not None and len(values) != len(row["choices"]):
        raise ValueError(f"{len(values)} log-probabilities for {len(row['choices'])} choices")
    target = None if log_prob is None else _number(log_prob)
    return Record(None if output is None else str(output), _of_target(values, row) if target is None else target, values, None)


def _harness(fields: Mapping[str, Any], row: Mapping[str, Any]) -> Record:
    first = [resps[0] if isinstance(resps, list) else resps for resps in fields["resps"]]
    if all(isinstance(each, str) for each in first) and len(first) == 1:
        return Record(first[0], None, None, None)
    values = tuple(_number(each[0]) for each in first)
    texts = [text.strip() for text in _continuations(fields["arguments"])]
    if len(texts) != len(values):
        raise ValueError(f"{len(values)} responses to {len(texts)} requests")
    choices = [choice.strip() for choice in row["choices"]]
    if choices and texts == list(LETTERS[: len(choices)]):
        return Record(None, None, None, values)
    if choices and texts == choices:
        return Record(None, _of_target(values, row), values, None)
    if texts == [row["target"].strip()]:
        return Record(None, values[0], None, None)
    raise ValueError(f"the requests {texts[:SHOWN]} are neither the choices {choices[:SHOWN]}, nor their letters, nor the target")


def _continuations(arguments: Any) -> list[str]:
    """The second part of each request: lists of two, or ``gen_args_0: {arg_0, arg_1}``."""
    listed = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
    return [str(each["arg_1"] if isinstance(each, Mapping) else each[1]) for each in listed]


def _of_target(values: Sequence[float] | None, row: Mapping[str, Any]) -> float | None:
    return None if values is None or row["target"] not in row["choices"] else values[row["choices"].index(row["target"])]


def _number(value: Any) -> float:
    """A log-probability, which older files hold as text."""
    found = float(value)
    if math.isnan(found) or found > 0:
        raise ValueError(f"{value!r} is no log-probability")
    return found
