"""What a set of shards answers together, whether they are mapped here or lie with the workers of a cluster."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import Checked, NgramBatch
from suffixindex.queries.cooccurrence import Questions
from suffixindex.queries.matching import Matches
from suffixindex.results import NextTokens
from suffixindex.storage.matches import Texts

Mask = NDArray[np.bool_]
"""A boolean for each document of the corpus: the documents that a question is about."""

Clauses = Sequence[Sequence[Checked]]
"""Checked n-grams and patterns: every clause must hold, and any n-gram of it makes it hold."""


class ShardSet(Protocol):
    """The typed interface between the index and its shards. N-grams are checked, and may be patterns.

    Without a mask all documents are meant.
    """

    def count(self, ngram: Checked, mask: Mask | None) -> int:
        """Occurrences of an n-gram."""

    def counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        """Occurrences of each n-gram: ``int64[len(ngrams)]``."""

    def document_count(self, ngram: Checked, mask: Mask | None) -> int:
        """Documents that hold an n-gram."""

    def document_counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        """Documents that hold each n-gram: ``int64[len(ngrams)]``."""

    def document_ids(self, clauses: Clauses, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        """Ascending ids of the documents that hold every clause, within ``window`` tokens of each other if one is given."""

    def cooccurrence(self, clauses: Clauses) -> int:
        """How many documents hold every clause."""

    def cooccurrences(self, questions: Questions, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        """How many documents hold every clause, for each question: ``int64[questions.size]``."""

    def next_tokens(self, context: Checked, mask: Mask | None) -> NextTokens:
        """What follows a context."""

    def next_tokens_of(self, contexts: NgramBatch, mask: Mask | None) -> list[NextTokens]:
        """What follows each context."""

    def matches(self, texts: Texts) -> Matches:
        """The longest match in the corpus from every position of some texts."""

    def close(self) -> None:
        """Give back threads and connections."""
