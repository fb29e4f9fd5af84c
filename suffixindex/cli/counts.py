"""Commands that count n-grams and what follows them: by groups of documents, spelling by spelling, token by token."""

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from suffixindex.cli.options import (
    NUMBER,
    are_typed,
    askable,
    continuations,
    described,
    documents_where,
    file_option,
    parse_queries,
    pattern_option,
    query_options,
    read_queries,
    warn_of_spellings,
    where_option,
    with_index,
    with_option,
)
from suffixindex.cli.streams import emit
from suffixindex.errors import QueryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from suffixindex.index import SuffixIndex
    from suffixindex.ngrams import Query

    Mask = NDArray[np.bool_] | None


@click.command(short_help="How often the corpus says each n-gram.")
@with_index
@query_options
@pattern_option
@file_option
@click.argument("ngrams", nargs=-1)
@click.option("--documents", is_flag=True, help="Also count the documents that hold each.")
@click.option("--by", metavar="FIELD", help="Count for each value of a field of the documents' metadata, as meta.source.")
@click.option("--variants", metavar="KINDS", help="Count other spellings too, each and then all: some of space,case,unicode.")
@where_option
@with_option
def count(
    index: "SuffixIndex",
    ngrams: tuple[str, ...],
    file: IO[bytes] | None,
    ids: bool,
    pattern: bool,
    documents: bool,
    by: str | None,
    variants: str | None,
    where: dict[str, list[Any]],
    together: tuple[str, ...],
    style: str | None,
) -> None:
    """How often the corpus says each of NGRAMS (- reads lines from stdin).

    Leading space and case matter to most tokenizers: the answer shows the pieces that were looked up.

    \b
    Example:
      suffixindex count my-index " language model" " language models"
      suffixindex count my-index " language model" --by meta.source --where year=2019
      suffixindex count my-index "language model" --variants space,case
      suffixindex count my-index --pattern "the * of the" "the *{0,3} (model|models)"
    """
    if by is not None and variants is not None:
        raise click.UsageError("--by and --variants do not go together: count each spelling --by its own")
    asked = read_queries(index, ngrams, file, ids, pattern)
    others = parse_queries(index, together, ids, pattern)
    mask = documents_where(index, where, others)
    warn_of_spellings(index, others)
    if variants is not None:
        emit(counted_variants(index, asked, variants, documents, mask), style)
        return
    warn_of_spellings(index, asked if are_typed(ngrams, file, ids) else ())
    rows = counted(index, asked, documents, mask) if by is None else counted_by(index, asked, by, documents, mask)
    emit(rows, style)


@click.command("next", short_help="What follows a context, with counts and probabilities.")
@with_index
@query_options
@pattern_option
@click.argument("context")
@click.option("-k", type=NUMBER, default=10, show_default=True, help="Continuations to show, the most frequent first.")
@where_option
@with_option
def next_command(
    index: "SuffixIndex",
    context: str,
    k: int,
    ids: bool,
    pattern: bool,
    where: dict[str, list[Any]],
    together: tuple[str, ...],
    style: str | None,
) -> None:
    """What follows CONTEXT, exactly: each continuation with its count and probability.

    \b
    Example:
      suffixindex next my-index "the president of the" -k 5 --table
      suffixindex next my-index --pattern "the * of" -k 5 --table
    """
    asked, *others = parse_queries(index, [context, *together], ids, pattern)
    warn_of_spellings(index, [asked, *others])
    following = index.next_distribution(asked, documents_where(index, where, others))
    emit(continuations(index, following, k, context_count=following.context_count), style)


def counted(index: "SuffixIndex", ngrams: "Sequence[Query]", documents: bool, where: "Mask") -> list[dict[str, Any]]:
    """A record for each n-gram; 0 for one that cannot be looked up."""
    asked = askable(index, ngrams)
    records = [{**described(index, ngram), "count": 0, **({"documents": 0} if documents else {})} for ngram in ngrams]
    for place, count in zip(asked, index.counts(asked.values(), where).tolist(), strict=True):
        records[place]["count"] = count
    if documents:
        for place, number in zip(asked, index.document_counts(asked.values(), where).tolist(), strict=True):
            records[place]["documents"] = number
    return records


def counted_by(index: "SuffixIndex", ngrams: "Sequence[Query]", field: str, documents: bool, where: "Mask") -> list[dict[str, Any]]:
    """A record for each n-gram and value of a field under which it occurs."""
    records = []
    for place, token_ids in askable(index, ngrams).items():
        counts = index.counts_by(token_ids, field, where=where)
        holding = index.counts_by(token_ids, field, "documents", where) if documents else {}
        asked = {**described(index, ngrams[place]), "field": field}
        records += [
            {**asked, "value": value, "count": count, **({"documents": holding[value]} if documents else {})}
            for value, count in counts.items()
        ]
    return records


def counted_variants(
    index: "SuffixIndex", ngrams: "Sequence[Query]", kinds: str, documents: bool, where: "Mask"
) -> list[dict[str, Any]]:
    """A record for each spelling of each text, then one for all of them together, whose variant is null."""
    if not all(isinstance(text, str) for text in ngrams):
        raise QueryError("--variants takes text: token ids and patterns have no spellings")
    records = []
    asked = askable(index, ngrams)
    for place, text in enumerate(ngrams):
        if place not in asked:
            records.append({**described(index, text), "variant": None, "count": 0, **({"documents": 0} if documents else {})})
            continue
        assert isinstance(text, str)
        found = index.count_variants(text, kinds.split(","), where)
        rows = [(one.text, one.token_ids, index.pieces(one.token_ids), one.count, one.num_documents) for one in found.variants]
        for variant, ids, pieces, count, num_documents in [*rows, (None, None, None, found.count, found.num_documents)]:
            record = {"ngram": text, "variant": variant, "ids": ids, "pieces": pieces, "count": count}
            records.append({**record, "documents": num_documents} if documents else record)
    return records
