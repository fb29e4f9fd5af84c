"""Commands that show documents: those that hold an n-gram, what stands around it there, and how many hold several."""

from typing import IO, TYPE_CHECKING, Any

import click

from suffixindex.cli.options import (
    NUMBER,
    NUMBER_OR_NONE,
    SEED,
    are_typed,
    as_queries,
    askable,
    documents_where,
    file_option,
    limit_option,
    parse_queries,
    pattern_option,
    query_options,
    read_ngrams,
    say_what_is_left,
    warn_of_spellings,
    where_option,
    with_index,
    with_option,
)
from suffixindex.cli.streams import emit
from suffixindex.errors import QueryError
from suffixindex.ngrams import aliases

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex
    from suffixindex.ngrams import Clause, Query


@click.command(short_help="The documents that hold an n-gram.")
@with_index
@query_options
@pattern_option
@click.argument("ngram")
@limit_option("documents", 10)
@click.option("--offset", type=NUMBER_OR_NONE, default=0, help="Documents to pass over first.")
@click.option("--sample", type=NUMBER, help="Show this many documents drawn at random instead.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the sample.")
@click.option("--text", is_flag=True, help="Print each document's whole text too.")
@where_option
@with_option
@click.option("--window", type=NUMBER_OR_NONE, help="Only where these and NGRAM start within so many tokens of each other.")
def docs(
    index: "SuffixIndex",
    ngram: str,
    limit: int | None,
    offset: int,
    sample: int | None,
    seed: int,
    text: bool,
    ids: bool,
    pattern: bool,
    where: dict[str, list[Any]],
    together: tuple[str, ...],
    window: int | None,
    style: str | None,
) -> None:
    """The documents that hold NGRAM: where they came from and how often they say it.

    \b
    Example:
      suffixindex docs my-index "in the beginning" --limit 3
      suffixindex docs my-index "Alan Turing" --with "Enigma" --window 50
      suffixindex docs my-index --pattern "Alan *{0,2} Turing"
    """
    if window is not None and not together:
        raise click.UsageError("--window is between NGRAM and others: name them by --with")
    asked, *others = parse_queries(index, [ngram, *together], ids, pattern)
    warn_of_spellings(index, [asked, *others])
    mask = documents_where(index, where, others if window is None else [asked, *others], window)
    matches = index.sample_documents(asked, sample, seed, mask) if sample else index.documents(asked, limit, offset, mask)
    shown = [match.document_id for match in matches]
    beside = [_offsets(index, other, shown) for other in others]
    emit(
        [
            {
                "document_id": match.document_id,
                "path": match.path,
                "line": match.line,
                "count": match.ngram_count,
                "tokens": match.num_tokens,
                "offsets": match.offsets.tolist(),
                **({"with": {other: found[place] for other, found in zip(together, beside, strict=True)}} if together else {}),
                "metadata": match.metadata,
                **({"text": index.decode(index.document(match.document_id).token_ids)} if text else {}),
            }
            for place, match in enumerate(matches)
        ],
        style,
    )
    if not sample:
        say_what_is_left(len(matches), lambda: len(index.document_ids(asked, where=mask)), "documents")


def _offsets(index: "SuffixIndex", ngram: "Query", documents: list[int]) -> list[list[int]]:
    """Where an n-gram stands in each of some documents, ascending, that all hold it."""
    import numpy as np

    mask = np.zeros(index.num_documents, bool)
    mask[documents] = True
    return [match.offsets.tolist() for match in index.documents(ngram, None, where=mask)]


@click.command(short_help="Occurrences of an n-gram, each in its context.")
@with_index
@query_options
@pattern_option
@click.argument("ngram")
@click.option("--width", type=NUMBER_OR_NONE, default=8, show_default=True, help="Tokens to show on each side.")
@limit_option("occurrences", 10)
@click.option("--offset", type=NUMBER_OR_NONE, default=0, help="Occurrences to pass over first.")
@where_option
@with_option
def concordance(
    index: "SuffixIndex",
    ngram: str,
    width: int,
    limit: int | None,
    offset: int,
    ids: bool,
    pattern: bool,
    where: dict[str, list[Any]],
    together: tuple[str, ...],
    style: str | None,
) -> None:
    """Occurrences of NGRAM in the order of the corpus, each with the text around it.

    \b
    Example:
      suffixindex concordance my-index "in the beginning" --width 12 --table
      suffixindex concordance my-index --pattern "(color|colour) of *{1,3} sky"
    """
    asked, *others = parse_queries(index, [ngram, *together], ids, pattern)
    warn_of_spellings(index, [asked, *others])
    mask = documents_where(index, where, others)
    lines = index.concordance(asked, width, limit, offset, mask)
    emit(
        [
            {
                "document_id": line.document_id,
                "offset": line.offset,
                "left": index.decode(line.left),
                "match": index.decode(line.match),
                "right": index.decode(line.right),
            }
            for line in lines
        ],
        style,
    )
    say_what_is_left(len(lines), lambda: index.count(asked, mask), "occurrences")


@click.command(short_help="How many documents hold several n-grams together.")
@with_index
@query_options
@pattern_option
@file_option
@click.argument("ngrams", nargs=-1)
@click.option("--window", type=NUMBER_OR_NONE, help="Count only where they start within this many tokens of each other.")
@where_option
def cooccur(
    index: "SuffixIndex",
    ngrams: tuple[str, ...],
    file: IO[bytes] | None,
    window: int | None,
    ids: bool,
    pattern: bool,
    where: dict[str, list[Any]],
    style: str | None,
) -> None:
    """How many documents hold all of NGRAMS together; docs --with shows which.

    A line of --file is a list of n-grams; a list in the place of an n-gram means any of its members: [["NLP", "language
    processing"], "Turing"]. A list with a hole is a pattern: [["Alan", {"gap": [0, 2]}, "Turing"], "Enigma"].

    \b
    Example:
      suffixindex cooccur my-index "Alan Turing" "Enigma" --window 50
    """
    asked = read_ngrams(ngrams, file, ids and not pattern)
    given = asked if file is not None else [asked]
    if any(not isinstance(pair, list) for pair in given):
        raise QueryError('each line of --file must be a list of n-grams, as ["Alan Turing", "Enigma"]')
    pairs = [as_queries(index, pair, ids, pattern) for pair in given]
    warn_of_spellings(index, pairs[0] if are_typed(ngrams, file, ids) else ())
    texts = list(dict.fromkeys(text for pair in pairs for clause in pair for text in aliases(clause) if isinstance(text, str)))
    unaskable = {*texts} - {texts[place] for place in askable(index, texts)}
    records = [{"ngrams": pair, "documents": 0} for pair in given]
    possible: dict[int, list[Clause]] = {}
    for place, pair in enumerate(pairs):
        if not any(_holds_nowhere(clause, unaskable) for clause in pair):
            possible[place] = [_without(clause, unaskable) for clause in pair] if unaskable else pair
    counts = index.cooccurrences(possible.values(), window=window, where=documents_where(index, where))
    for place, number in zip(possible, counts.tolist(), strict=True):
        records[place]["documents"] = number
    emit([{**record, "window": window} for record in records] if window is not None else records, style)


def _holds_nowhere(clause: "Clause", unaskable: set[str]) -> bool:
    """Whether a clause has only texts that cannot be looked up."""
    members = aliases(clause)
    return bool(members) and all(_is_one_of(member, unaskable) for member in members)


def _without(clause: "Clause", unaskable: set[str]) -> "Clause":
    members = aliases(clause)
    others = [member for member in members if not _is_one_of(member, unaskable)]
    return clause if len(others) == len(members) else others


def _is_one_of(member: "Query", unaskable: set[str]) -> bool:
    return isinstance(member, str) and member in unaskable
