"""What a question costs before it runs: its n-grams are counted, which is exact and cheap, and times a known number of ns.

The figures are those of the methods' docstrings, of one core and warm memory. A price is no promise: it keeps a question that
takes minutes from holding a worker that others wait for.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from suffixindex.index import SuffixIndex
from suffixindex.ngrams import Clause, NgramBatch, Queries, Query, aliases
from suffixindex.patterns import CheckedPattern
from suffixindex.queries.occurrences import is_read
from suffixindex.queries.patterns import work

LOOK = 50e-9
"""A place at which a part of a pattern is looked for."""
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
READ = 1e-9
"""A token that is read to find an n-gram."""
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

    def sizes(self, queries: Queries) -> NDArray[np.int64]:
        """How often each n-gram occurs; of a pattern, which is not looked for yet, at how many places it will be."""
        batch = self.index.checker.queries(queries)
        sizes = self.index.counts(NgramBatch(batch.ids, batch.starts, batch.stops))
        for place, pattern in batch.patterns:
            sizes[place] = self._work(pattern)
        return sizes

    def occurrences(self, queries: Iterable[Query]) -> int:
        """:meth:`sizes` of some together."""
        checked = map(self.index.checker.query, queries)
        return sum(self._work(one) if isinstance(one, CheckedPattern) else self.index.count(one) for one in checked)

    def call(self, *queries: Query) -> float:
        """Any question about some n-grams or patterns; these are looked for."""
        checked = map(self.index.checker.query, queries)
        return CALL + LOOK * sum(self._work(one) for one in checked if isinstance(one, CheckedPattern))

    def _work(self, pattern: CheckedPattern) -> int:
        return sum(work(shard, pattern) for shard in self.index.shards)

    def listed(self, clauses: Iterable[Clause]) -> int:
        """How often the n-grams of some clauses occur together."""
        return self.occurrences(ngram for clause in clauses for ngram in aliases(clause))

    def page(self, ngram: Query, occurrences: int, last: int, per_occurrence: float) -> float:
        """Of its occurrences, or documents, up to the ``last``: all are listed, or tokens are read until these are found."""
        num_tokens = self.index.num_tokens
        if not isinstance(self.index.checker.query(ngram), CheckedPattern) and is_read(occurrences, last, num_tokens):
            return READ * last * num_tokens / occurrences
        return per_occurrence * occurrences

    def fields(self, names: Iterable[str]) -> float:
        return sum(FIELD for name in names if name not in self.known_fields) * self.index.num_documents

    def mask(self, fields: Sequence[str], holding: Sequence[Clause], window: int | None) -> float:
        """Of a ``where``."""
        cost = self.fields(fields) + MASK * self.index.num_documents * (1 + len(fields))
        return cost + (self.together(holding, window) if holding else 0.0)

    def together(self, clauses: Sequence[Clause], window: int | None) -> float:
        """Of the documents that hold all clauses."""
        asked = self.call(*(ngram for clause in clauses for ngram in aliases(clause)))
        return asked + self.listed(clauses) * (LIST if window is None else NEAR)

    def following(self, occurrences: int) -> float:
        return CALL + FOLLOW * min(occurrences, self.index.vocabulary_size + 1)

    def bulk_following(self, ngrams: Queries) -> float:
        batch = self.index.checker.queries(ngrams)
        sizes = self.sizes(batch)
        looked = LOOK * sum(int(sizes[place]) for place, _ in batch.patterns)
        return float(FOLLOW * np.minimum(sizes, self.index.vocabulary_size + 1).sum() + CALL * len(sizes) + looked)

    def bulk(self, ngrams: Sequence[Query] | NgramBatch, per_occurrence: float) -> float:
        """Of many n-grams whose occurrences are read."""
        batch = self.index.checker.queries(ngrams)
        if not per_occurrence and not batch.patterns:
            return SEARCH * len(batch)
        sizes = self.sizes(batch)
        looked = LOOK * sum(int(sizes[place]) for place, _ in batch.patterns)
        return SEARCH * len(batch) + per_occurrence * int(sizes.sum()) + looked

    def text(self, num_tokens: int) -> float:
        return CALL + TOKEN * num_tokens * self.index.num_shards

    def corpus(self, per_token: float) -> float:
        return per_token * self.index.num_tokens
