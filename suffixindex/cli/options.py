"""What the commands share: the group that lists and ends them, the index, options, how n-grams are read."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import IO, TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from suffixindex.cli.streams import QueryFile, input_lines
from suffixindex.corpus.text import text_lines
from suffixindex.errors import NoIndexError, QueryError, UnaskableError
from suffixindex.system import exact_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from suffixindex.index import SuffixIndex
    from suffixindex.ngrams import Checked, Ngram, Query
    from suffixindex.results import NextTokens

SHOWN = 10
"""Values of a field that a message names."""
MOST = 2**32
"""The largest number of tokens or records that an option takes: a shard has fewer tokens."""

NUMBER = click.IntRange(1, MOST)
NUMBER_OR_NONE = click.IntRange(0, MOST)
THREADS = click.IntRange(1, 4096)
SEED = click.IntRange(0, 2**32 - 1)

Command = TypeVar("Command", bound=Callable[..., Any])
Options = ParamSpec("Options")


def with_index(command: "Callable[Concatenate[SuffixIndex, Options], None]") -> Callable[..., None]:
    """A command's first argument: the path of an index, or of several with ``+``, which is opened, handed on and closed."""

    @wraps(command)
    def opened(index: str, *arguments: Options.args, **options: Options.kwargs) -> None:
        from suffixindex.index import SuffixIndex

        with SuffixIndex(index_paths(index)) as handed:
            command(handed, *arguments, **options)

    return click.argument("index", type=click.Path())(opened)


def index_paths(text: str) -> list[str]:
    """The paths in ``a+b``. What is there under the whole name, or the longest beginning of it, is taken as it is.

    Raises
    ------
    NoIndexError
        There is nothing at the first of several.
    """
    if "+" not in text or os.path.exists(text):
        return [text]
    for cut in reversed([place for place, sign in enumerate(text) if sign == "+"]):
        if os.path.exists(text[:cut]):
            return [text[:cut], *index_paths(text[cut + 1 :])]
    raise NoIndexError(f"there is nothing at {text}, nor at what stands before a + in it: a+b asks the indexes a and b as one")


class Limit(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """How many records are shown at most: a number, or ``all``, which is None."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        return None if value in (None, "all") else NUMBER_OR_NONE.convert(value, param, ctx)

    def get_metavar(self, *_: Any, **__: Any) -> str:
        return self.name


def limit_option(noun: str, default: int) -> Callable[[Command], Command]:
    """``--limit``, which means the same everywhere: how many records are printed at most."""
    return click.option(
        "--limit", type=Limit(), default=str(default), show_default=True, help=f"{noun.capitalize()} to show at most, or all."
    )


def say_what_is_left(shown: int, total: Callable[[], int], noun: str) -> None:
    """Say that there are more records than were shown, unless the user chose how many."""
    context = click.get_current_context()
    if context.get_parameter_source("limit") is not click.core.ParameterSource.DEFAULT or shown < int(context.params["limit"]):
        return
    there = total()
    if context.params["offset"] + shown < there:
        click.echo(f"{shown:,} of {there:,} {noun}: --limit N shows so many, --limit all every one", err=True)


def output_options(command: Command) -> Command:
    command = click.option("--csv", "style", flag_value="csv", help="Print CSV with a header.")(command)
    return click.option("--table", "style", flag_value="table", help="Print an aligned table, long lists cut.")(command)


def query_options(command: Command) -> Command:
    command = output_options(command)
    return click.option("--ids", is_flag=True, help="N-grams are token ids: '510 3967'.")(command)


def pattern_option(command: Command) -> Command:
    return click.option(
        "--pattern",
        is_flag=True,
        help="N-grams have holes: 'the * of' any token, 'the *{0,3} of' up to three, '(a|the) * of' either; \\* is a plain one.",
    )(command)


def file_option(command: Command) -> Command:
    return click.option("-f", "--file", type=QueryFile(), help="Read them from a file of JSON lines (- for stdin).")(command)


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
        value = exact_json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    return [value] if isinstance(value, str) else [text] if isinstance(value, (list, dict)) else [value, text]


def documents_where(
    index: "SuffixIndex", where: dict[str, list[Any]], holding: "Sequence[Ngram]" = (), window: int | None = None
) -> "NDArray[np.bool_] | None":
    """The documents that --where asks for and that hold n-grams; None for all. Says so if none meets --where, and what there is."""
    mask = index.mask(where) if where else None
    if mask is not None and not mask.any():
        there = "; ".join(f"{field}: {_some(index.groups(field))}" for field in where)
        click.echo(f"no document meets --where; there are {there}", err=True)
    return index.holding(*holding, window=window, where=mask) if holding else mask


def _some(values: Iterable[Any]) -> str:
    """The first of the most frequent values."""
    listed = [exact_json.dumps(value, ensure_ascii=False) for value in values]
    return ", ".join(listed[:SHOWN]) + (", …" if len(listed) > SHOWN else "")


def warn_of_spellings(index: "SuffixIndex", ngrams: "Iterable[Query]") -> None:
    """Say of each text that it has other ids inside a longer one, and in which other form of Unicode the corpus writes it too."""
    from suffixindex.patterns import Pattern

    for given in ngrams:
        ngram = given.elements[0] if isinstance(given, Pattern) else given  # the others are encoded as they stand in a text
        if not isinstance(ngram, str):
            continue
        if warning := index.boundary_warning(ngram):
            click.echo(f"note: {warning}", err=True)
        if not ngram.isascii() and index.tokenizer.lost(ngram) is None and len(index.encode(ngram)):
            _, *others = index.variants(ngram, ["unicode"])
            for other, count in zip(others, index.counts([other.token_ids for other in others]).tolist(), strict=True):
                if count:
                    same = f"{json.dumps(other.text)} looks the same, and occurs {plural(count, 'time')}"
                    click.echo(f"note: {same}: count --variants unicode counts both", err=True)


def askable(index: "SuffixIndex", ngrams: "Sequence[Query]") -> "dict[int, Checked]":
    """The n-grams and patterns that can be looked up, by their places; says why the others cannot, which count 0."""
    asked = {}
    for place, ngram in enumerate(ngrams):
        try:
            asked[place] = index.checker.query(ngram)
        except UnaskableError as error:
            click.echo(f"note: {error}", err=True)
    return asked


def are_typed(ngrams: Sequence[str], file: IO[bytes] | None, ids: bool) -> bool:
    """Whether texts stand on the command line itself."""
    return not ids and file is None and tuple(ngrams) != ("-",)


def read_ngrams(ngrams: Sequence[str], file: IO[bytes] | None, ids: bool) -> list[Any]:
    """N-grams of the command line, of standard input (a line each, for ``-``), or of a file of JSON strings and id lists."""
    if file is not None:
        if ngrams:
            raise click.UsageError("give n-grams on the command line or by --file, not both")
        return list(_json_lines(file))
    if not ngrams:
        raise click.UsageError("no n-gram given: write it after INDEX, '-' to read lines from stdin, or use --file")
    if tuple(ngrams) == ("-",):
        ngrams = [line for _, line in text_lines(input_lines(), "standard input", QueryError)]
    return as_ngrams(ngrams, ids)


def _json_lines(file: IO[bytes]) -> Iterator[Any]:
    name = getattr(file, "name", "standard input")
    for number, line in text_lines(file, name, QueryError):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else error
            raise QueryError(f"{name}, line {number}: malformed JSON ({what})") from error


def as_ngrams(texts: Sequence[str], ids: bool) -> "list[Ngram]":
    """Texts of the command line as n-grams: with --ids, the ids that they list."""
    return [parse_ids(text) for text in texts] if ids else list(texts)


def as_queries(index: "SuffixIndex", given: Sequence[Any], ids: bool, pattern: bool) -> list[Any]:
    """What was read as n-grams, texts as patterns with --pattern; what comes from JSON may be a pattern in any case.

    Raises
    ------
    QueryError
        Text that is no pattern, or an object that is none.
    """
    from suffixindex.patterns import from_json, parse_pattern

    if not pattern:
        return list(map(from_json, given))
    keep = index.tokenizer.kind == "bytes"
    return [parse_pattern(one, ids=ids, keep_spaces=keep) if isinstance(one, str) else from_json(one) for one in given]


def read_queries(index: "SuffixIndex", ngrams: Sequence[str], file: IO[bytes] | None, ids: bool, pattern: bool) -> list[Any]:
    """N-grams as :func:`read_ngrams` reads them, or patterns."""
    return as_queries(index, read_ngrams(ngrams, file, ids and not pattern), ids, pattern)


def parse_queries(index: "SuffixIndex", texts: Sequence[str], ids: bool, pattern: bool) -> list[Any]:
    """Texts of the command line as n-grams, or as patterns."""
    return as_queries(index, as_ngrams(texts, ids and not pattern), ids, pattern)


def parse_ids(text: str) -> list[int]:
    try:
        return [int(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise click.UsageError(f"with --ids an n-gram is integers, as '510 3967': {error}") from error


def described(index: "SuffixIndex", ngram: "Query") -> dict[str, Any]:
    """An n-gram as the answers show it: what was asked, its ids and what each id stands for.

    Of a pattern a hole stands between these, as ``*`` or ``*{0,3}``, and a list of lists in the place of alternatives.
    """
    from suffixindex.patterns import CheckedPattern, as_pattern

    if (given := as_pattern(ngram)) is not None:
        try:
            checked = index.checker.query(given)
        except UnaskableError:
            return {"ngram": str(given), "ids": [], "pieces": []}
        if isinstance(checked, CheckedPattern):
            return {"ngram": str(given), "ids": checked.layout(list), "pieces": checked.layout(index.pieces)}
        return {"ngram": str(given), "ids": checked.tolist(), "pieces": index.pieces(checked)}
    ids = index.encode(ngram).tolist() if isinstance(ngram, str) else [int(token) for token in ngram]  # type: ignore[arg-type, union-attr]
    return {"ngram": ngram if isinstance(ngram, str) else index.decode(ids), "ids": ids, "pieces": index.pieces(ids)}


def continuations(index: "SuffixIndex", following: "NextTokens", k: int, **evidence: int) -> list[dict[str, Any]]:
    """A record for each of the k most frequent next tokens."""
    top = following.top(k)
    pieces = index.pieces([token.token_id for token in top])
    return [
        {"piece": piece, "id": token.token_id, "count": token.count, "prob": token.prob, **evidence}
        for piece, token in zip(pieces, top, strict=True)
    ]


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
