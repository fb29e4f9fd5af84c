"""Commands that put whole texts beside the corpus."""

import math
from typing import IO, TYPE_CHECKING, Any

import click

from suffixindex.cli.options import (
    NUMBER,
    NUMBER_OR_NONE,
    continuations,
    file_option,
    parse_ids,
    query_options,
    read_ngrams,
    with_index,
)
from suffixindex.cli.streams import emit

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex


@click.command(short_help="What follows the longest end that the corpus holds.")
@with_index
@query_options
@click.argument("context")
@click.option("-k", type=NUMBER, default=10, show_default=True, help="Continuations to show, the most frequent first.")
def infgram(index: "SuffixIndex", context: str, k: int, ids: bool, style: str | None) -> None:
    """What follows the longest end of CONTEXT that the corpus holds: the ∞-gram model's next tokens.

    \b
    Example:
      suffixindex infgram my-index "the zebra sat on the" -k 5 --table
    """
    asked = index.encode(context) if not ids else parse_ids(context)
    suffix_length = index.suffix_length(asked)
    following = index.next_distribution(asked[len(asked) - suffix_length :])
    evidence = {"suffix_length": suffix_length, "context_count": following.context_count}
    emit(continuations(index, following, k, **evidence), style)


@click.command(short_help="Log-probabilities of texts by the ∞-gram model.")
@with_index
@query_options
@file_option
@click.argument("texts", nargs=-1)
@click.option("--tokens", is_flag=True, help="Show every token with its probability and evidence, not a line a text.")
def score(index: "SuffixIndex", texts: tuple[str, ...], file: IO[bytes] | None, tokens: bool, ids: bool, style: str | None) -> None:
    """The ∞-gram model's account of TEXTS (- reads lines from stdin): log-probabilities, and how far the corpus goes along.

    Probabilities of 0 are counted apart: log_prob and perplexity are of the other tokens.

    \b
    Example:
      suffixindex score my-index "To be, or not to be" --tokens --table
    """
    asked = read_ngrams(texts, file, ids)
    records: list[dict[str, Any]] = []
    for number, (text, scores) in enumerate(zip(asked, index.scores(asked), strict=True)):
        token_ids = index.encode(text).tolist() if isinstance(text, str) else list(text)
        if tokens:
            columns = (token_ids, index.pieces(token_ids), scores.probs, *scores)
            names = ("id", "piece", "prob", "suffix_length", "context_count", "ngram_count")
            rows = zip(*(column if isinstance(column, list) else column.tolist() for column in columns), strict=True)
            records += [{"text": number, **dict(zip(names, row, strict=True))} for row in rows]
            continue
        possible = scores.log_probs[scores.ngram_counts > 0]
        records.append(
            {
                "text": text if isinstance(text, str) else index.decode(token_ids),
                "tokens": len(token_ids),
                "zero_prob_tokens": len(token_ids) - len(possible),
                "log_prob": float(possible.sum()),
                "perplexity": math.exp(-possible.mean()) if len(possible) else None,
                "mean_suffix_length": float(scores.suffix_lengths.mean()) if len(token_ids) else None,
            }
        )
    emit(records, style)


@click.command(short_help="The parts of a text that the corpus says too.")
@with_index
@query_options
@click.argument("text")
@click.option("--min-length", type=NUMBER, default=5, show_default=True, help="Tokens of the shortest spans.")
@click.option("--max-documents", type=NUMBER_OR_NONE, default=3, show_default=True, help="Documents to list for each span.")
@click.option("--limit", type=NUMBER_OR_NONE, hidden=True, help="The old name of --max-documents.")
def spans(
    index: "SuffixIndex", text: str, min_length: int, max_documents: int, limit: int | None, ids: bool, style: str | None
) -> None:
    """The parts of TEXT that the corpus says too, none inside a longer one, and documents that say them.

    \b
    Example:
      suffixindex spans my-index "$(cat answer.txt)" --min-length 8
    """
    if limit is not None:
        click.echo("note: --limit of spans is called --max-documents now", err=True)
        max_documents = limit
    asked = parse_ids(text) if ids else index.encode(text)
    emit(
        [
            {
                "start": span.start,
                "tokens": span.stop - span.start,
                "text": index.decode(asked[span.start : span.stop]),
                "count": span.count,
                "documents": [match.document_id for match in span.documents],
            }
            for span in index.spans(asked, min_length, max_documents)
        ],
        style,
    )
