"""JSON that we wrote, read strictly: of the types and ranges that we write, or refused. A right hash says nothing of sense."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

MOST = 2**63 - 1
"""The largest size or number of anything."""


DEEPEST = 100
"""Lists and records within each other."""
TOO_DEEP = "it is nested too deeply"


class SchemaError(ValueError):
    """What is wrong with which field."""


def strict_json(content: bytes) -> Any:
    """JSON of distinct keys and finite numbers, not nested deeper than anything that we write.

    Raises
    ------
    ValueError
        It is none, or nested too deeply.
    """
    try:
        found = json.loads(content, object_pairs_hook=_distinct, parse_constant=_refuse)
    except RecursionError:
        raise SchemaError(TOO_DEEP) from None
    if _depth(found) > DEEPEST:
        raise SchemaError(TOO_DEEP)
    return found


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [inner for inner in level if isinstance(inner, (list, dict)) and inner]:
        depth += 1
        level = [one for inner in level for one in (inner.values() if isinstance(inner, dict) else inner)]
    return depth


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        names = [name for name, _ in pairs]
        raise SchemaError(f"{next(name for name in names if names.count(name) > 1)} is there twice")
    return entry


def _refuse(constant: str) -> NoReturn:
    raise SchemaError(f"it holds {constant}")


def number(entry: Mapping[str, Any], name: str, least: int = 0, most: int = MOST) -> int:
    """An integer of a range.

    Raises
    ------
    SchemaError
    """
    value = _there(entry, name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SchemaError(f"{name} is {_short(value)}, expected an integer from {least:,} to {most:,}")
    return value


def text(entry: Mapping[str, Any], name: str) -> str:
    """A string; raises as :func:`number`."""
    value = _there(entry, name)
    if not isinstance(value, str):
        raise SchemaError(f"{name} is {_short(value)}, expected text")
    return value


def record(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A record; raises as :func:`number`."""
    value = _there(entry, name)
    if not isinstance(value, dict):
        raise SchemaError(f"{name} is {_short(value)}, expected a record")
    return value


def records(entry: Mapping[str, Any], name: str) -> Sequence[dict[str, Any]]:
    """A list of records; raises as :func:`number`."""
    value = _there(entry, name)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise SchemaError(f"{name} is {_short(value)}, expected a list of records")
    return value


def _there(entry: Mapping[str, Any], name: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise SchemaError(f"{name} is missing")
    return entry[name]


def _short(value: Any) -> str:
    if isinstance(value, int) and abs(value) > MOST:
        return f"an integer of {value.bit_length()} bits"
    try:
        shown = ascii(value)
    except RecursionError:  # shown with a little less room than it was read with
        return f"a {type(value).__name__} nested too deeply"
    return shown if len(shown) <= 40 else f"{shown[:40]}…"
