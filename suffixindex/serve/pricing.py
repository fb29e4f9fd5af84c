"""What a question costs before it runs: its n-grams are counted, which is exact and cheap, and times a known number of ns.

The figures are those of the methods' docstrings, of one core and warm memory. A price is no promise: it keeps a question that
takes minutes from holding a worker that others wait for.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from suffixindex.index import SuffixIndex
from suffixindex.ngrams import Clause, NgramBatch, Queries, Query, aliases

CALL = 30e-6
"""Any question: its text encoded, one search."""
SEARCH = 2e-6
"""One of many n-grams."""
FILTER = 8e-9
"""An occurrence, in or out of the documents of ``where``."""
STAMP = 2.5e-9
"""An occurrence whose document is marked."""
LIST = 10e-9
"""An occurrence whose document is listed."""
SORT = 80e-9
"""An occurrence whose position is put in order."""
NEAR = 40e-9
"""An occurrence whose neighbours within a window are looked for."""
FOLLOW = 70e-9
"""An occurrence, of at most a vocabulary of them, whose continuation is read."""
GROUP = 5e-9
"""An occurrence that is counted by its document's value."""
DOCUMENT = 60e-6
"""A document that is shown: its origin is read from disk."""
FIELD = 1e-6
"""A document whose metadata is parsed, at the first question about a field."""
MASK = 3e-9
"""A document in a mask."""
TOKEN = 3e-6
"""A token of a text, and shard."""
TOP, STATISTIC, DUPLICATE = 15e-9, 35e-9, 250e-9
"""A token of the corpus."""


class Pricing:
    """Prices, in seconds, of questions about one index."""

    def __init__(self, index: SuffixIndex) -> None:
        self.index = index
        self.known_fields: set[str] = set()
        """Fields whose values are in memory already."""

    def occurrences(self, ngrams: Iterable[Query]) -> int:
        """How often some n-grams occur together."""
        return sum(self.index.count(ngram) for ngram in ngrams)

    def listed(self, clauses: Iterable[Clause]) -> int:
        """How often the n-grams of some clauses occur together."""
        return self.occurrences(ngram for clause in clauses for ngram in aliases(clause))

    def fields(self, names: Iterable[str]) -> float:
        return sum(FIELD for name in names if name not in self.known_fields) * self.index.num_documents

    def mask(self, fields: Sequence[str], holding: Sequence[Clause], window: int | None) -> float:
        """Of a ``where``."""
        cost = self.fields(fields) + MASK * self.index.num_documents * (1 + len(fields))
        return cost + (self.together(holding, window) if holding else 0.0)

    def together(self, clauses: Sequence[Clause], window: int | None) -> float:
        """Of the documents that hold all clauses."""
        return CALL + self.listed(clauses) * (LIST if window is None else NEAR)

    def following(self, occurrences: int) -> float:
        return CALL + FOLLOW * min(occurrences, self.index.vocabulary_size + 1)

    def bulk_following(self, ngrams: Queries) -> float:
        counts = self.index.counts(ngrams)
        return float(FOLLOW * np.minimum(counts, self.index.vocabulary_size + 1).sum() + CALL * len(counts))

    def bulk(self, ngrams: Sequence[Query] | NgramBatch, per_occurrence: float) -> float:
        """Of many n-grams whose occurrences are read."""
        occurrences = int(self.index.counts(ngrams).sum()) if per_occurrence else 0
        return SEARCH * len(ngrams) + per_occurrence * occurrences

    def text(self, num_tokens: int) -> float:
        return CALL + TOKEN * num_tokens * self.index.num_shards

    def corpus(self, per_token: float) -> float:
        return per_token * self.index.num_tokens
