"""What the commands share: options, how n-grams are read, how records are printed, how errors end."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import click

from suffixindex.corpus.text import text_lines
from suffixindex.errors import QueryError, SuffixIndexError
from suffixindex.storage import exact

SHOWN = 10
"""Values of a field that a message names."""

Command = TypeVar("Command", bound=Callable[..., Any])


class Group(click.Group):
    """Prints a library error as one sentence, exit code 1; click itself exits with 2 for wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SuffixIndexError as error:
            raise click.ClickException(str(error)) from error


def output_options(command: Command) -> Command:
    command = click.option("--csv", "style", flag_value="csv", help="Print CSV with a header.")(command)
    return click.option("--table", "style", flag_value="table", help="Print an aligned table.")(command)


def query_options(command: Command) -> Command:
    command = output_options(command)
    command = click.option("--ids", is_flag=True, help="N-grams are token ids: '510 3967'.")(command)
    return click.argument("index", type=click.Path())(command)


def file_option(command: Command) -> Command:
    return click.option("-f", "--file", type=click.File("rb"), help="Read them from a file of JSON lines (- for stdin).")(command)


def where_option(command: Command) -> Command:
    return click.option(
        "--where",
        multiple=True,
        metavar="FIELD=VALUE",
        callback=lambda context, option, conditions: parse_where(conditions),
        help="Only documents with this value in a field of their metadata; FIELD=A..B: an integer from A on, below B. "
        "Give it again for another field, or for another value that will do.",
    )(command)


def with_option(command: Command) -> Command:
    return click.option(
        "--with",
        "together",
        multiple=True,
        metavar="NGRAM",
        help="Only documents that hold this n-gram too. Give it again for another.",
    )(command)


def parse_where(conditions: Sequence[str]) -> dict[str, list[Any]]:
    """What each field may hold. A value is text, and also the number, true, false or null that it reads as."""
    where: dict[str, list[Any]] = {}
    for condition in conditions:
        field, equals, value = condition.partition("=")
        if not field or not equals:
            raise click.BadParameter(f"expected FIELD=VALUE, as year=1999 or step=0..1000, found {condition!r}")
        where.setdefault(field, []).extend(_values(value))
    return where


def _values(text: str) -> list[Any]:
    if match := re.fullmatch(r"(-?\d{1,18})\.\.(-?\d{1,18})", text):
        return [range(int(match[1]), int(match[2]))]
    try:
        value = exact.loads(text)
    except ValueError:
        return [text]
    return [value] if isinstance(value, str) else [text] if isinstance(value, (list, dict)) else [value, text]


def documents_where(index: Any, where: dict[str, list[Any]], holding: Sequence[Any] = (), window: int | None = None) -> Any:
    """The documents that --where asks for and that hold n-grams; None for all. Says so if none meets --where, and what there is."""
    mask = index.mask(where) if where else None
    if mask is not None and not mask.any():
        there = "; ".join(f"{field}: {_some(index.groups(field))}" for field in where)
        click.echo(f"no document meets --where; there are {there}", err=True)
    return index.holding(*holding, window=window, where=mask) if holding else mask


def _some(values: Iterable[Any]) -> str:
    """The first of the most frequent values."""
    listed = [exact.dumps(value, ensure_ascii=False) for value in values]
    return ", ".join(listed[:SHOWN]) + (", …" if len(listed) > SHOWN else "")


def warn_of_boundaries(index: Any, ngrams: Iterable[Any]) -> None:
    """Say of each text that has other ids inside a longer one."""
    for ngram in ngrams:
        if isinstance(ngram, str) and (warning := index.boundary_warning(ngram)):
            click.echo(f"note: {warning}", err=True)


def typed(ngrams: Sequence[str], file: Any, ids: bool) -> Sequence[str]:
    """The texts that stand on the command line itself."""
    return () if ids or file is not None or tuple(ngrams) == ("-",) else ngrams


def emit(records: list[dict[str, Any]], style: str | None) -> None:
    """Print records as JSON lines, CSV or a table, numbers to the right."""
    if style is None:
        for record in records:
            _print(exact.dumps(record, ensure_ascii=False))
        return
    if not records:
        return
    names = list(records[0])
    rows = [names, *([_cell(record[name]) for name in names] for record in records)]
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
    click.echo(line.encode(errors="backslashreplace"))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else exact.dumps(value, ensure_ascii=False)


def read_ngrams(ngrams: Sequence[str], file: Any, ids: bool) -> list[Any]:
    """N-grams of the command line, of standard input (a line each, for ``-``), or of a file of JSON strings and id lists."""
    if file is not None:
        if ngrams:
            raise click.UsageError("give n-grams on the command line or by --file, not both")
        return list(_json_lines(file))
    if not ngrams:
        raise click.UsageError("no n-gram given: write it after INDEX, '-' to read lines from stdin, or use --file")
    if tuple(ngrams) == ("-",):
        ngrams = [line for _, line in text_lines(sys.stdin.buffer, "standard input", QueryError)]
    return as_ngrams(ngrams, ids)


def _json_lines(file: Any) -> Iterator[Any]:
    for number, line in text_lines(file, file.name, QueryError):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise QueryError(f"{file.name}, line {number}: malformed JSON ({error})") from error


def as_ngrams(texts: Sequence[str], ids: bool) -> list[Any]:
    """Texts of the command line as n-grams: with --ids, the ids that they list."""
    return [parse_ids(text) for text in texts] if ids else list(texts)


def parse_ids(text: str) -> list[int]:
    try:
        return [int(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise click.UsageError(f"with --ids an n-gram is integers, as '510 3967': {error}") from error


def described(index: Any, ngram: Any) -> dict[str, Any]:
    """An n-gram as the answers show it: what was asked, its ids and what each id stands for."""
    ids = index.encode(ngram).tolist() if isinstance(ngram, str) else list(ngram)
    return {"ngram": ngram if isinstance(ngram, str) else index.decode(ids), "ids": ids, "pieces": index.pieces(ids)}


def continuations(index: Any, following: Any, k: int, **evidence: int) -> list[dict[str, Any]]:
    """A record for each of the k most frequent next tokens."""
    top = following.top(k)
    pieces = index.pieces([token.token_id for token in top])
    return [
        {"piece": piece, "id": token.token_id, "count": token.count, "prob": token.prob, **evidence}
        for piece, token in zip(pieces, top, strict=True)
    ]
