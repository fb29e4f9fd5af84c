"""Commands that put whole texts beside the corpus, and the one that times an index."""

import math
from typing import Any

import click

from suffixindex.cli.options import continuations, emit, file_option, output_options, parse_ids, query_options, read_ngrams


@click.command()
@query_options
@click.argument("context")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Continuations to show, the most frequent first.")
def infgram(index: str, context: str, k: int, ids: bool, style: str | None) -> None:
    """What follows the longest end of CONTEXT that the corpus holds: the ∞-gram model's next tokens.

    \b
    Example:
      suffixindex infgram my-index "the zebra sat on the" -k 5 --table
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        asked = opened.encode(context) if not ids else parse_ids(context)
        suffix_length = opened.suffix_length(asked)
        following = opened.next_distribution(asked[len(asked) - suffix_length :])
        evidence = {"suffix_length": suffix_length, "context_count": following.context_count}
        emit(continuations(opened, following, k, **evidence), style)


@click.command()
@query_options
@file_option
@click.argument("texts", nargs=-1)
@click.option("--tokens", is_flag=True, help="Show every token with its probability and evidence, not a line a text.")
def score(index: str, texts: tuple[str, ...], file: Any, tokens: bool, ids: bool, style: str | None) -> None:
    """The ∞-gram model's account of TEXTS (- reads lines from stdin): log-probabilities, and how far the corpus goes along.

    Probabilities of 0 are counted apart: log_prob and perplexity are of the other tokens.

    \b
    Example:
      suffixindex score my-index "To be, or not to be" --tokens --table
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        asked = read_ngrams(texts, file, ids)
        records: list[dict[str, Any]] = []
        for number, (text, scores) in enumerate(zip(asked, opened.scores(asked), strict=True)):
            token_ids = opened.encode(text).tolist() if isinstance(text, str) else list(text)
            if tokens:
                columns = (token_ids, opened.pieces(token_ids), scores.probs, *scores)
                names = ("id", "piece", "prob", "suffix_length", "context_count", "ngram_count")
                rows = zip(*(column if isinstance(column, list) else column.tolist() for column in columns), strict=True)
                records += [{"text": number, **dict(zip(names, row, strict=True))} for row in rows]
                continue
            possible = scores.log_probs[scores.ngram_counts > 0]
            records.append(
                {
                    "text": text if isinstance(text, str) else opened.decode(token_ids),
                    "tokens": len(token_ids),
                    "zero_prob_tokens": len(token_ids) - len(possible),
                    "log_prob": float(possible.sum()),
                    "perplexity": math.exp(-possible.mean()) if len(possible) else None,
                    "mean_suffix_length": float(scores.suffix_lengths.mean()) if len(token_ids) else None,
                }
            )
        emit(records, style)


@click.command()
@query_options
@click.argument("text")
@click.option("--min-length", type=click.IntRange(1), default=5, show_default=True, help="Tokens of the shortest spans.")
@click.option("--limit", type=click.IntRange(0), default=3, show_default=True, help="Documents to list for each span.")
def spans(index: str, text: str, min_length: int, limit: int, ids: bool, style: str | None) -> None:
    """The parts of TEXT that the corpus says too, none inside a longer one, and documents that say them.

    \b
    Example:
      suffixindex spans my-index "$(cat answer.txt)" --min-length 8
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        asked = parse_ids(text) if ids else opened.encode(text)
        emit(
            [
                {
                    "start": span.start,
                    "tokens": span.stop - span.start,
                    "text": opened.decode(asked[span.start : span.stop]),
                    "count": span.count,
                    "documents": [match.document_id for match in span.documents],
                }
                for span in opened.spans(asked, min_length, limit)
            ],
            style,
        )


@click.command()
@click.argument("index", type=click.Path())
@output_options
@click.option("--seed", default=0, show_default=True, help="Of the questions, which are drawn from the corpus.")
def bench(index: str, seed: int, style: str | None) -> None:
    """How long questions to this index take here, in microseconds each, after a first round that warms it.

    \b
    Example:
      suffixindex bench my-index --table
    """
    from suffixindex.cli.latency import measure
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        emit([timing._asdict() for timing in measure(opened, seed)], style)
