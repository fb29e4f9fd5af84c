"""What the own API answers, typed. Arrays of one answer that stand side by side have the same length."""

from typing import Any

from pydantic import BaseModel

Scalar = str | bool | int | float | None


class Described(BaseModel):
    """An n-gram as it was looked up: its text, its ids, and what each id stands for.

    Of a pattern a hole stands between these, as `*` or `*{0,3}`, and a list of lists in the place of alternatives.
    """

    text: str
    token_ids: list[int | str | list[list[int]]]
    pieces: list[str | list[list[str]]]


class IndexInfo(BaseModel):
    name: str
    kind: str
    """``suffixindex``, or the engine that made it."""
    tokenizer: dict[str, Any]
    vocabulary_size: int
    separator: int
    stored_separator: int | None
    """An id of another engine's files that no n-gram may hold."""
    token_type: str
    num_documents: int
    num_tokens: int
    num_shards: int
    num_bytes: int
    bytes_per_token: float
    skipped: dict[str, Any]
    fields: list[str]
    """Fields of the metadata that the first documents have."""


class Indexes(BaseModel):
    indexes: list[IndexInfo]


class Counted(BaseModel):
    ngram: Described
    count: int


class Counts(BaseModel):
    counts: list[int]


class Together(BaseModel):
    count: int


class NextToken(BaseModel):
    token_id: int
    piece: str
    count: int
    prob: float


class Following(BaseModel):
    """``token_ids`` ascending and their ``counts``, all of them; or, with ``top``, the most frequent ones as ``tokens``."""

    ngram: Described
    context_count: int
    separator: int
    num_distinct: int
    document_ends: int
    token_ids: list[int] | None = None
    counts: list[int] | None = None
    tokens: list[NextToken] | None = None


class Distribution(BaseModel):
    context_count: int
    separator: int
    token_ids: list[int]
    counts: list[int]


class Distributions(BaseModel):
    distributions: list[Distribution]


class Stretch(BaseModel):
    token_ids: list[int]
    pieces: list[str]
    text: str


class Line(BaseModel):
    """One occurrence, with the text around it; its document's origin if asked for."""

    document_id: int
    offset: int
    left: Stretch
    match: Stretch
    right: Stretch
    path: str | None = None
    line: int | None = None
    metadata: dict[str, Any] | None = None


class Lines(BaseModel):
    ngram: Described
    total: int
    """Occurrences in all."""
    lines: list[Line]
    next_cursor: str | None


class Snippet(BaseModel):
    left: str
    match: str
    right: str


class Match(BaseModel):
    document_id: int
    ngram_count: int
    offsets: list[int]
    num_tokens: int
    path: str | None
    line: int | None
    metadata: dict[str, Any]
    snippet: Snippet | None = None


class Matches(BaseModel):
    ngram: Described
    documents: list[Match]
    next_cursor: str | None = None


class Segment(BaseModel):
    text: str
    highlight: int | None
    """Which of the n-grams to mark this is an occurrence of."""


class WholeDocument(BaseModel):
    document_id: int
    num_tokens: int
    start: int
    stop: int
    token_ids: list[int]
    text: str
    segments: list[Segment]
    """The text again, cut at the n-grams to mark."""
    path: str | None
    line: int | None
    metadata: dict[str, Any]


class DocumentIds(BaseModel):
    total: int
    document_ids: list[int]
    next_cursor: str | None


class Matrix(BaseModel):
    counts: list[list[int]]


class GroupCount(BaseModel):
    value: Scalar
    count: int


class GroupCounts(BaseModel):
    field: str
    groups: list[GroupCount]


class Mask(BaseModel):
    num_documents: int
    """Documents of the index."""
    count: int
    """Documents that are meant."""
    mask: str


class Probability(BaseModel):
    prob: float
    suffix_length: int
    context_count: int
    ngram_count: int


class Length(BaseModel):
    suffix_length: int


class Scored(BaseModel):
    suffix_lengths: list[int]
    context_counts: list[int]
    ngram_counts: list[int]


class ScoredText(Scored):
    token_ids: list[int]
    pieces: list[str]


class ManyScored(BaseModel):
    scores: list[Scored]


class Matched(BaseModel):
    lengths: list[int]
    counts: list[int]


class MatchedText(Matched):
    token_ids: list[int]
    pieces: list[str]


class ManyMatched(BaseModel):
    matches: list[Matched]


class SpanFound(BaseModel):
    start: int
    stop: int
    count: int
    text: str
    documents: list[Match]


class Spans(BaseModel):
    token_ids: list[int]
    pieces: list[str]
    lengths: list[int]
    """Tokens of the longest match that begins at each position."""
    num_covered: int
    """Tokens that lie in a span."""
    spans: list[SpanFound]


class Novelty(BaseModel):
    n: list[int]
    num_ngrams: list[int]
    num_novel: list[int]


class Spelling(BaseModel):
    text: str
    token_ids: list[int]


class Spellings(BaseModel):
    variants: list[Spelling]


class CountedSpelling(Spelling):
    count: int
    num_documents: int


class CountedSpellings(BaseModel):
    variants: list[CountedSpelling]
    count: int
    num_documents: int


class Warned(BaseModel):
    warning: str | None


class Encoded(BaseModel):
    token_ids: list[int]
    pieces: list[str]


class Decoded(BaseModel):
    text: str
    pieces: list[str]


class FrequentNgram(BaseModel):
    token_ids: list[int]
    text: str
    count: int


class FrequentNgrams(BaseModel):
    ngrams: list[FrequentNgram]


class Statistics(BaseModel):
    n: list[int]
    num_ngrams: list[int]
    num_distinct: list[int]
    count_of_counts: list[list[int]]


class Passage(BaseModel):
    token_ids: list[int]
    text: str
    count: int
    num_documents: int
    document_ids: list[int]


class Passages(BaseModel):
    passages: list[Passage]
    num_passages: int
    num_tokens: int


class Price(BaseModel):
    """What a question would cost, and what this server spends on one."""

    price_seconds: float
    budget_seconds: float
    answered: bool
