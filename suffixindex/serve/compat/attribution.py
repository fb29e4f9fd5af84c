"""``POST /{index}/attribution``: the parts of a model's answer that a corpus holds, as AI2's infinigram-api tells them (OLMoTrace).

From each token that begins a word, the longest match, cut at delimiters and back to the end of a word; those that occur seldom
enough and lie in no earlier one; of these the best by rank, a share of the answer's tokens; for each some documents.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from suffixindex.index import SuffixIndex
from suffixindex.ngrams import NgramBatch
from suffixindex.results import DocumentMatch
from suffixindex.serve import pricing
from suffixindex.serve.table import Served

SEED = 42
"""Of the documents that are drawn."""


class AskAttribution(BaseModel):
    """What is asked; fields in camelCase or with underscores."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    response: str
    delimiters: list[str] = []
    allow_spans_with_partial_words: bool = False
    minimum_span_length: int = Field(1, ge=1)
    maximum_frequency: int = Field(10, ge=1)
    maximum_span_density: float = Field(0.05, ge=0, le=1)
    span_ranking_method: Literal["length", "unigram_logprob_sum"] = "length"
    maximum_documents_per_span: int = Field(10, ge=0, le=1000)
    maximum_context_length: int = Field(250, ge=0, le=10_000)
    maximum_context_length_long: int = Field(100, ge=0, le=10_000)
    maximum_context_length_snippet: int = Field(40, ge=0, le=10_000)


@dataclass(frozen=True, order=True)
class Span:
    """Tokens ``[start, stop)`` of the response."""

    start: int
    stop: int
    count: int
    log_prob: float
    """Sum of the logarithms of its tokens' shares of the corpus."""


def find_spans(index: SuffixIndex, ids: NDArray[np.int64], asked: AskAttribution) -> list[Span]:
    """The spans of a response that are shown, in its order."""
    pieces = index.pieces(ids)
    words = _word_starts(index, pieces)
    delimiting = [any(delimiter in piece for delimiter in asked.delimiters if delimiter) for piece in pieces]
    lengths = index.match(ids).lengths.tolist()
    cut = len(ids)
    ends: list[tuple[int, int]] = []
    for start in range(len(ids) - 1, -1, -1):
        cut = start if delimiting[start] else cut
        stop = min(start + lengths[start], cut)
        if not asked.allow_spans_with_partial_words:
            while stop > start and not words[stop]:
                stop -= 1
        if stop - start >= asked.minimum_span_length and (asked.allow_spans_with_partial_words or words[start]):
            ends.append((start, stop))
    return _best(index, ids, ends[::-1], asked)


def _best(index: SuffixIndex, ids: NDArray[np.int64], ends: list[tuple[int, int]], asked: AskAttribution) -> list[Span]:
    bounds = np.array(ends, np.int64).reshape(-1, 2)
    counts = index.counts(NgramBatch(ids, bounds[:, 0].copy(), bounds[:, 1].copy())).tolist()
    shares = index.counts([[token] for token in ids.tolist()]) / max(index.num_tokens, 1)
    with np.errstate(divide="ignore"):
        sums = np.concatenate([[0.0], np.cumsum(np.log(shares, where=shares > 0, out=np.zeros(len(ids))))])
    found: list[Span] = []
    reach = 0
    for (start, stop), count in zip(ends, counts, strict=True):
        if 0 < count <= asked.maximum_frequency and stop > reach:
            found.append(Span(start, stop, count, float(sums[stop] - sums[start])))
            reach = stop
    ranks = {
        "length": lambda span: (span.start - span.stop, span.log_prob, span.start),
        "unigram_logprob_sum": lambda span: (span.log_prob, span.start - span.stop, span.start),
    }
    most = math.ceil(asked.maximum_span_density * len(ids))
    return sorted(sorted(found, key=ranks[asked.span_ranking_method])[:most])


def _word_starts(index: SuffixIndex, pieces: Sequence[str]) -> list[bool]:
    """Whether a word begins at each token, and at the end: not between two letters or digits of a text without words."""
    if index.tokenizer.kind == "words":
        return [True] * (len(pieces) + 1)
    inside = [left[-1:].isalnum() and right[:1].isalnum() for left, right in pairwise(pieces)]
    return [True, *(not one for one in inside), True] if pieces else [True]


def attribute(served: Served, asked: AskAttribution) -> dict[str, Any]:
    """The answer, and the spans' documents."""
    index = served.index
    ids = index.checker.text(asked.response)
    spans = []
    for span in find_spans(index, ids, asked):
        part = ids[span.start : span.stop]
        documents = index.sample_documents(part, asked.maximum_documents_per_span, SEED) if asked.maximum_documents_per_span else []
        spans.append(
            {
                "left": span.start,
                "right": span.stop,
                "length": span.stop - span.start,
                "count": span.count,
                "unigramLogprobSum": span.log_prob,
                "text": index.decode(part),
                "tokenIds": part.tolist(),
                "documents": [_document(index, match, len(part), asked) for match in documents],
            }
        )
    return {"spans": spans, "inputTokens": index.pieces(ids)}


def _document(index: SuffixIndex, match: DocumentMatch, size: int, asked: AskAttribution) -> dict[str, Any]:
    """A document around its first occurrence of a span, with three widths of context."""
    ids, needle = index.document(match.document_id).token_ids, int(match.offsets[0])

    def window(context: int) -> tuple[NDArray[Any], int]:
        first = max(0, needle - context)
        return ids[first : needle + size + context], needle - first

    shown, offset = window(asked.maximum_context_length)
    long, long_offset = window(asked.maximum_context_length_long)
    snippet, snippet_offset = window(asked.maximum_context_length_snippet)
    return {
        "documentIndex": match.document_id,
        "documentLength": match.num_tokens,
        "displayLength": len(shown),
        "needleOffset": offset,
        "metadata": {"path": match.path, "linenum": match.line, "metadata": match.metadata},
        "tokenIds": shown.tolist(),
        "text": index.decode(shown),
        "blocked": False,
        "displayLengthLong": len(long),
        "needleOffsetLong": long_offset,
        "textLong": index.decode(long),
        "displayOffsetSnippet": len(snippet),  # a length, under the name that clients know
        "needleOffsetSnippet": snippet_offset,
        "textSnippet": index.decode(snippet),
    }


def price(served: Served, asked: AskAttribution) -> float:
    """The spans are looked for, which is cheap, and their documents counted."""
    index = served.index
    cost = served.pricing.text(len(asked.response))
    if cost > 1.0 or not asked.maximum_documents_per_span:  # what is dear already need not be priced further
        return cost
    found = find_spans(index, index.checker.text(asked.response), asked)
    shown = sum(min(span.count, asked.maximum_documents_per_span) for span in found)
    return 2 * cost + (pricing.LIST + pricing.SORT) * sum(span.count for span in found) + 2 * pricing.DOCUMENT * shown
