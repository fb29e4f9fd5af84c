"""Commands that show documents: those that hold an n-gram, what stands around it there, and how many hold several."""

from typing import Any

import click

from suffixindex.cli.options import (
    as_ngrams,
    documents_where,
    emit,
    file_option,
    query_options,
    read_ngrams,
    typed,
    warn_of_boundaries,
    where_option,
    with_option,
)
from suffixindex.errors import QueryError


@click.command()
@query_options
@click.argument("ngram")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Documents to show.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Documents to pass over first.")
@click.option("--sample", type=click.IntRange(1), help="Show this many documents drawn at random instead.")
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
@click.option("--text", is_flag=True, help="Print each document's whole text too.")
@where_option
@with_option
@click.option("--window", type=click.IntRange(0), help="Only where these and NGRAM start within so many tokens of each other.")
def docs(
    index: str,
    ngram: str,
    limit: int,
    offset: int,
    sample: int | None,
    seed: int,
    text: bool,
    ids: bool,
    where: Any,
    together: tuple[str, ...],
    window: int | None,
    style: str | None,
) -> None:
    """The documents that hold NGRAM: where they came from and how often they say it.

    \b
    Example:
      suffixindex docs my-index "in the beginning" --limit 3
      suffixindex docs my-index "Alan Turing" --with "Enigma" --window 50
    """
    from suffixindex.index import SuffixIndex

    if window is not None and not together:
        raise click.UsageError("--window is between NGRAM and others: name them by --with")
    with SuffixIndex(index) as opened:
        asked, *others = as_ngrams([ngram, *together], ids)
        warn_of_boundaries(opened, [asked, *others])
        mask = documents_where(opened, where, others if window is None else [asked, *others], window)
        matches = opened.sample_documents(asked, sample, seed, mask) if sample else opened.documents(asked, limit, offset, mask)
        shown = [match.document_id for match in matches]
        beside = [_offsets(opened, other, shown) for other in others]
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
                    **({"text": opened.decode(opened.document(match.document_id).token_ids)} if text else {}),
                }
                for place, match in enumerate(matches)
            ],
            style,
        )


def _offsets(index: Any, ngram: Any, documents: list[int]) -> list[list[int]]:
    """Where an n-gram stands in each of some documents, ascending, that all hold it."""
    import numpy as np

    mask = np.zeros(index.num_documents, bool)
    mask[documents] = True
    return [match.offsets.tolist() for match in index.documents(ngram, None, where=mask)]


@click.command()
@query_options
@click.argument("ngram")
@click.option("--width", type=click.IntRange(0), default=8, show_default=True, help="Tokens to show on each side.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Occurrences to show.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Occurrences to pass over first.")
@where_option
@with_option
def concordance(
    index: str,
    ngram: str,
    width: int,
    limit: int,
    offset: int,
    ids: bool,
    where: Any,
    together: tuple[str, ...],
    style: str | None,
) -> None:
    """Occurrences of NGRAM in the order of the corpus, each with the text around it.

    \b
    Example:
      suffixindex concordance my-index "in the beginning" --width 12 --table
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        asked, *others = as_ngrams([ngram, *together], ids)
        warn_of_boundaries(opened, [asked, *others])
        lines = opened.concordance(asked, width, limit, offset, documents_where(opened, where, others))
        emit(
            [
                {
                    "document_id": line.document_id,
                    "offset": line.offset,
                    "left": opened.decode(line.left),
                    "match": opened.decode(line.match),
                    "right": opened.decode(line.right),
                }
                for line in lines
            ],
            style,
        )


@click.command()
@query_options
@file_option
@click.argument("ngrams", nargs=-1)
@click.option("--window", type=click.IntRange(0), help="Count only where they start within this many tokens of each other.")
@where_option
def cooccur(index: str, ngrams: tuple[str, ...], file: Any, window: int | None, ids: bool, where: Any, style: str | None) -> None:
    """How many documents hold all of NGRAMS together; docs --with shows which.

    A line of --file is a list of n-grams; a list in the place of an n-gram means any of its members: [["NLP", "language
    processing"], "Turing"].

    \b
    Example:
      suffixindex cooccur my-index "Alan Turing" "Enigma" --window 50
    """
    from suffixindex.index import SuffixIndex

    asked = read_ngrams(ngrams, file, ids)
    pairs = asked if file is not None else [asked]
    if any(not isinstance(pair, list) for pair in pairs):
        raise QueryError('each line of --file must be a list of n-grams, as ["Alan Turing", "Enigma"]')
    with SuffixIndex(index) as opened:
        warn_of_boundaries(opened, typed(ngrams, file, ids))
        numbers = opened.cooccurrences(pairs, window=window, where=documents_where(opened, where))
        records = [{"ngrams": pair, "documents": int(number)} for pair, number in zip(pairs, numbers, strict=True)]
        emit([{**record, "window": window} for record in records] if window is not None else records, style)
