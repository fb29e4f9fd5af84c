"""JSON whose numbers keep every digit: integers of any size, and decimals that a double does not hold."""

import json
import re
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

import orjson

_MARK = "\0number:"
_MARKED = re.compile(r'"\\u0000number:([^"]*)"')
_KINDS = bytes(
    ord("0" if chr(byte) in "0123456789." else {"e": "e", "E": "e", "-": "-"}.get(chr(byte), " ")) for byte in range(256)
)
_LONG, _TINY = b"0" * 16, b"0e-000"


def loads(content: bytes | str) -> Any:
    """JSON as Python values; a number that no int or float holds as written is a ``Decimal``, NaN and infinity are None.

    Raises
    ------
    ValueError, RecursionError
        As ``json.loads``.

    >>> loads('[12345678901234567890123, 0.1, 0.30000000000000000001]')
    [12345678901234567890123, 0.1, Decimal('0.30000000000000000001')]
    """
    return json.loads(content, parse_int=_integer, parse_float=_decimal, parse_constant=_nothing)


def loads_as_written(content: bytes | str) -> Any:
    """JSON for orjson to write again: what it would round stays as it was written."""
    return json.loads(content, parse_int=_written_integer, parse_float=_written_decimal, parse_constant=_nothing)


def dumps(value: Any, **options: Any) -> str:
    """``json.dumps`` that also writes decimals, as numbers with all their digits.

    >>> dumps({"price": Decimal("0.30000000000000000001")})
    '{"price": 0.30000000000000000001}'
    """
    marked = False

    def mark(number: Any) -> str:
        nonlocal marked
        if not isinstance(number, Decimal):
            raise TypeError(f"{type(number).__name__} is no JSON")
        marked = True
        return f"{_MARK}{number}"

    text = json.dumps(value, default=mark, **options)
    return _MARKED.sub(r"\1", text) if marked else text


def may_round(content: bytes) -> bool:
    """Whether JSON may hold a number that a double rounds: one of 16 digits or more, or of an exponent of 3. 3 ns a byte."""
    kinds = content.translate(_KINDS)
    return _LONG in kinds or _TINY in kinds


def is_exact(literal: str) -> bool:
    """Whether a double says the same as a decimal number: its shortest name is equal to it."""
    value = float(literal)
    if repr(value) == literal:
        return True
    try:
        return isfinite(value) and Decimal(literal) == Decimal(repr(value))
    except InvalidOperation:  # an exponent beyond decimals
        return False


def _integer(literal: str) -> int | Decimal:
    try:
        return int(literal)
    except ValueError:  # Python refuses more than 4,300 digits
        return Decimal(literal)


def _decimal(literal: str) -> float | Decimal | str:
    if is_exact(literal):
        return float(literal)
    try:
        return Decimal(literal)
    except InvalidOperation:
        return literal


def _written_integer(literal: str) -> Any:
    return int(literal) if len(literal) < 19 else orjson.Fragment(literal)


def _written_decimal(literal: str) -> Any:
    return float(literal) if is_exact(literal) else orjson.Fragment(literal)


def _nothing(constant: str) -> None:
    """NaN and the infinities, which JSON does not have."""
    return
