"""Whole texts against the corpus: ∞-gram probabilities, matching statistics, maximal spans."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Ngram, NgramChecker, check_limits, check_positive
from suffixindex.queries.matching import Matches, portions
from suffixindex.queries.shard_set import ShardSet
from suffixindex.queries.variants import minimal
from suffixindex.results import DocumentMatch, NgramProb, Scores, Span, TextMatches, Variant, VariantCount, VariantCounts


def check_texts(texts: Iterable[Ngram], checker: NgramChecker) -> list[NDArray[np.int64]]:
    """The ids of many texts.

    Raises
    ------
    QueryError
        One text instead of many, or a text is no text.
    """
    if isinstance(texts, str):
        raise QueryError("expected a list of texts, found one: put it in a list")
    return [checker.text(text) for text in texts]


def match(shard_set: ShardSet, texts: Sequence[NDArray[np.int64]], num_shards: int) -> Iterator[Matches]:
    """The longest matches of texts, portion by portion."""
    for portion in portions(texts, num_shards):
        yield shard_set.matches(portion)


def suffix_length(shard_set: ShardSet, context: NDArray[np.int64]) -> int:
    """Tokens of the longest end of a context that occurs in the corpus."""
    (matches,) = match(shard_set, [context], 1)
    return matches.suffix_length()


def infgram(shard_set: ShardSet, context: NDArray[np.int64], token: int) -> NgramProb:
    """The ∞-gram probability of a token: see :meth:`suffixindex.SuffixIndex.infgram`."""
    length = suffix_length(shard_set, context)
    suffix = context[len(context) - length :]
    context_count, ngram_count = shard_set.count(suffix, None), shard_set.count(np.append(suffix, token), None)
    return NgramProb(ngram_count / max(context_count, 1), length, context_count, ngram_count)


def scores(shard_set: ShardSet, texts: Sequence[NDArray[np.int64]], num_shards: int, num_tokens: int) -> list[Scores]:
    """∞-gram scores of many texts: see :meth:`suffixindex.SuffixIndex.scores`."""
    answers: list[Scores] = []
    for matches in match(shard_set, texts, num_shards):
        columns = matches.contexts(num_tokens)
        answers += [Scores(*(column[start:stop] for column in columns)) for start, stop in matches.texts.bounds()]
    return answers


def text_matches(shard_set: ShardSet, texts: Sequence[NDArray[np.int64]], num_shards: int) -> list[TextMatches]:
    """Matching statistics of many texts: see :meth:`suffixindex.SuffixIndex.matches`."""
    answers: list[TextMatches] = []
    for matches in match(shard_set, texts, num_shards):
        counts = matches.match_counts()
        answers += [TextMatches(matches.lengths[start:stop], counts[start:stop]) for start, stop in matches.texts.bounds()]
    return answers


def spans(
    matches: TextMatches, documents_of: Callable[[int, int], list[DocumentMatch]], min_length: int, limit: int | None
) -> list[Span]:
    """The maximal parts of a text that occur, from its matching statistics; ``documents_of(start, stop)`` looks some up."""
    check_positive(min_length=min_length)
    check_limits(limit=limit)
    reach = np.arange(len(matches.lengths)) + matches.lengths
    maximal = np.flatnonzero((matches.lengths >= min_length) & (reach > np.append(0, reach[:-1])))
    return [
        Span(start, int(reach[start]), int(matches.counts[start]), documents_of(start, int(reach[start])))
        for start in maximal.tolist()
    ]


def sum_variants(
    spellings: Sequence[Variant], counts: Sequence[int], documents: Sequence[int], count_holding: Callable[[list[list[int]]], int]
) -> VariantCounts:
    """The counts of each spelling, and of any; ``count_holding(ngrams)`` counts the documents that hold one of several."""
    each = [
        VariantCount(spelling.text, spelling.token_ids, *both) for spelling, *both in zip(spellings, counts, documents, strict=True)
    ]
    chosen = minimal(spellings)
    total = sum(one.count for spelling, one in zip(spellings, each, strict=True) if spelling in chosen)
    return VariantCounts(each, total, count_holding([list(spelling.token_ids) for spelling in chosen]))
