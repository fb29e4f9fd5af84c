"""Standard input and output: how records are printed, how queries are read, and how a command ends if it cannot."""

import csv
import errno
import io
import os
import sys
from contextlib import suppress
from typing import IO, Any, NoReturn

import click

from suffixindex.errors import SuffixIndexError
from suffixindex.system.exact_json import dumps

LISTED = 12
"""Entries of a list that a table shows whole; of a longer one it shows half as many, and says how many there are."""


class Group(click.Group):
    """Lists its commands in the order in which they were added, and ends with one sentence.

    Exit code 1 for an error of the library, or of the files at the other end of a pipe; click exits with 2 for wrong usage.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.MissingParameter as error:
            takes = getattr(error.param, "help", None)
            raise click.MissingParameter(takes, error.ctx, error.param, error.param_hint, error.param_type) from None
        except SuffixIndexError as error:
            raise click.ClickException(str(error)) from error

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            try:
                return super().main(*arguments, **options)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as error:
            _end(error)
        finally:
            try:
                if sys.stderr is not None:
                    sys.stderr.flush()
            except OSError:  # talk that nobody takes says nothing of the work
                _give_up(sys.stderr)


def _give_up(file: IO[str]) -> None:
    """Lose what a stream does not take: at exit that would fail once more, with an exit code of Python's own."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


def _end(error: OSError) -> NoReturn:
    """Exit with a sentence; without one if nobody reads what is printed, as after ``| head``."""
    _give_up(sys.stdout)
    if error.errno != errno.EPIPE:
        where = os.fsdecode(error.filename) if error.filename else "standard output"
        with suppress(OSError):
            click.echo(f"Error: {where}: {error.strerror or error}", err=True)
    sys.exit(1)


class QueryFile(click.File):
    """A file to read text from, or ``-`` for standard input."""

    def __init__(self) -> None:
        super().__init__("rb")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "-":
            input_lines()
        return super().convert(value, param, ctx)


def input_lines() -> IO[bytes]:
    """The lines of standard input."""
    if sys.stdin is None:
        raise click.ClickException("standard input is closed: there is nothing to read from -")
    return sys.stdin.buffer


def emit(records: list[dict[str, Any]], style: str | None) -> None:
    """Print records as JSON lines, CSV or a table, numbers to the right; long lists are whole but in a table."""
    if style is None:
        for record in records:
            _print(dumps(record, ensure_ascii=False))
        return
    if not records:
        return
    names = list(records[0])
    shown = _cell if style == "csv" else _short_cell
    rows = [names, *([shown(record[name]) for name in names] for record in records)]
    if style == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        _print(text.getvalue().removesuffix("\n"))
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pads = [str.rjust if isinstance(records[0][name], (int, float)) else str.ljust for name in names]
    for row in rows:
        _print("  ".join(pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)).rstrip())


def _print(line: str) -> None:
    """UTF-8 whatever the terminal says; half a surrogate pair, as in a path that is not UTF-8, as its JSON escape."""
    if sys.stdout is None:
        raise click.ClickException("standard output is closed: there is nowhere to print the answer")
    click.echo(line.encode(errors="backslashreplace"))


def _short_cell(value: Any) -> str:
    if isinstance(value, list) and len(value) > LISTED:
        return f"{_cell(value[: LISTED // 2])[:-1]}, … {len(value):,} in all]"
    return _cell(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)
