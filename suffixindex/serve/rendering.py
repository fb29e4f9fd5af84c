"""Answers as bytes: JSON, JSON lines, CSV."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

RISKY = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet."""


def to_json(answer: Any) -> bytes:
    """Plain data and arrays as JSON, in ASCII where orjson has no way (half surrogate pairs, integers of over 64 bits)."""
    try:
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY, default=_plain)
    except TypeError:
        return json.dumps(answer, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON")


def to_csv(answer: dict[str, Any], rows: str | None) -> bytes:
    """The records of ``rows`` as a table; else the columns of an answer, or its single values as one record."""
    records: Sequence[dict[str, Any]]
    columns = {name: _plain_list(value) for name, value in answer.items() if isinstance(value, (list, tuple, np.ndarray))}
    if rows is not None and answer.get(rows) is not None:
        records = answer[rows]
    elif columns:
        records = [dict(zip(columns, row, strict=False)) for row in zip(*columns.values(), strict=False)]
    else:
        records = [answer]
    text = io.StringIO()
    writer = csv.writer(text)
    names = list(dict.fromkeys(name for record in records for name in record)) or list(columns)
    writer.writerow(names)
    writer.writerows([_cell(record.get(name)) for name in names] for record in records)
    return text.getvalue().encode(errors="backslashreplace")


def _plain_list(value: Any) -> list[Any]:
    return value.tolist() if isinstance(value, np.ndarray) else list(value)


def _cell(value: Any) -> Any:
    """A cell of CSV: text that a spreadsheet would take for a formula has an apostrophe before it."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if isinstance(value, str):
        return f"'{value}" if value.startswith(RISKY) else value
    return to_json(value).decode()
