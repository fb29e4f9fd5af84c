"""What queries return: NamedTuples that carry their evidence."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class TokenCount(NamedTuple):
    """One continuation of a context."""

    token_id: int
    count: int  # type: ignore[assignment] # hides tuple.count, which nobody wants here
    prob: float


class NextTokens(NamedTuple):
    """Everything that follows a context in the corpus, exactly, in the order of token ids.

    ``counts.sum() == context_count``: where a document ends after the context, the continuation is the
    separator (the last id of ``token_ids`` then), counted like any other.
    """

    token_ids: NDArray[np.int64]
    counts: NDArray[np.int64]
    context_count: int
    separator: int

    @property
    def document_ends(self) -> int:
        """Occurrences of the context at the very end of a document."""
        return int(self.counts[self.token_ids == self.separator].sum())

    @property
    def probs(self) -> NDArray[np.float64]:
        """``counts / context_count``; empty if the context does not occur."""
        return self.counts / max(self.context_count, 1)

    def top(self, k: int) -> list[TokenCount]:
        """The k most frequent continuations, the smaller id first among equals."""
        order = np.lexsort((self.token_ids, -self.counts))[:k]
        probs = self.probs
        return [TokenCount(int(self.token_ids[i]), int(self.counts[i]), float(probs[i])) for i in order]


class Document(NamedTuple):
    """One document of the corpus: its ids without the separator, and where it came from."""

    document_id: int
    token_ids: NDArray[np.unsignedinteger[Any]]
    path: str | None
    line: int | None
    metadata: dict[str, Any]


class DocumentMatch(NamedTuple):
    """A document that holds an n-gram, and the offsets at which it does (tokens from the document's start)."""

    document_id: int
    offsets: NDArray[np.int64]
    num_tokens: int
    path: str | None
    line: int | None
    metadata: dict[str, Any]

    @property
    def ngram_count(self) -> int:
        """Occurrences of the n-gram in this document, overlapping ones each."""
        return len(self.offsets)


class Concordance(NamedTuple):
    """One occurrence of an n-gram with the tokens around it, which never cross the document's ends."""

    document_id: int
    offset: int
    left: NDArray[np.unsignedinteger[Any]]
    match: NDArray[np.unsignedinteger[Any]]
    right: NDArray[np.unsignedinteger[Any]]
