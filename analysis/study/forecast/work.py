"""What a row of a forecast says, and how rows are printed."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

SECONDS_OF_TABLE, BYTES_OF_TABLE = 0.05, 8e3
"""Of any table, however small, with its provenance."""
LONGEST_NAME = 32


class Work(NamedTuple):
    """What one model, one encoder or the corpus has to do in one command, or what an index takes."""

    command: str
    model: str
    """Of an index, its tokenizer; of mining, the encoder; "" of what only counts."""
    texts: int | None
    """That are read or written: of ``mine`` n-grams, of what follows from them pairs. None: nobody knows; 0: none."""
    tokens: int | None
    """None: the index's sources do not say how large they are."""
    seconds: float | None
    """None: nobody knows how large the model is, or it runs on a server."""
    memory: float | None
    """Bytes on its device, the GPU where there is one; of an index in this machine's memory; 0: no device but the processor."""
    download: float
    """Bytes of weights that are not on this machine."""
    kept: float | None
    """Bytes that it leaves on disk beside them."""


def told(work: Sequence[Work]) -> list[str]:
    """The forecast as lines of a table, and its sum."""
    lines = [f"{'stage':<15}{'model':<34}{'texts':>11}{'tokens':>16}{'time':>8}{'memory':>9}{'download':>10}{'disk':>9}"]
    for one in work:
        size = f"{_number(one.texts):>11}{_number(one.tokens):>16}{_time(one.seconds):>8}{_bytes(one.memory):>9}"
        lines.append(f"{one.command:<15}{_short(one.model):<34}{size}{_bytes(one.download):>10}{_bytes(one.kept):>9}")
    total = sum(one.seconds or 0.0 for one in work)
    unknown = sum(one.seconds is None for one in work)
    disk = _bytes(sum(one.download + (one.kept or 0.0) for one in work))
    beside = f", and {unknown} of unknown size" if unknown else ""
    note = "; texts of mine are n-grams, of what follows from them pairs" if any(one.command == "mine" for one in work) else ""
    lines.append(f"about {_time(total)} and {disk} of disk in all{beside}; memory is the device's{note}; nothing was written")
    return lines


def _short(name: str) -> str:
    """A name without its owner where it is long."""
    return (name if len(name) <= LONGEST_NAME else PurePath(name).name[:LONGEST_NAME]) or "–"


def _number(number: int | None) -> str:
    return "?" if number is None else f"{number:,}" if number else "–"


def _bytes(number: float | None) -> str:
    if number is None:
        return "?"
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e3:.0f} kB" if number else "–"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
