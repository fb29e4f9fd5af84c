"""What queries return: values that carry their evidence, compare whole, arrays included, and unpack in their fields' order."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class Result:
    """A frozen record. ``a, b = result`` unpacks it; ``result == other`` compares every field, a tuple like its fields too."""

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        """A result of the values of all its fields, in a third of the time that its ``__init__`` takes: for a million of them."""
        made = cls.__new__(cls)
        vars(made).update(values)
        return made

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (type(self), tuple)):
            return NotImplemented
        mine, others = tuple(self), tuple(other)
        return len(mine) == len(others) and all(map(_equal, mine, others))

    def __repr__(self) -> str:
        """As a dataclass's own, which each class would compile when it is imported: half of what it costs."""
        return f"{type(self).__qualname__}({', '.join(f'{field.name}={getattr(self, field.name)!r}' for field in fields(self))})"  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __len__(self) -> int:
        return len(fields(self))  # type: ignore[arg-type]

    def __getitem__(self, place: int | slice) -> Any:
        """As when results were tuples."""
        warnings.warn("results have no places: take a field by its name", DeprecationWarning, stacklevel=2)
        return tuple(self)[place]


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(value, other, equal_nan=np.asarray(value).dtype.kind == "f")
    return bool(value == other)


@dataclass(frozen=True, eq=False, repr=False)
class TokenCount(Result):
    """One continuation of a context."""

    token_id: int
    count: int
    prob: float


@dataclass(frozen=True, eq=False, repr=False)
class NextTokens(Result):
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

    def dense(self, vocabulary_size: int) -> NDArray[np.float64]:
        """``probs`` of every id and, last, of the document's end: ``float64[vocabulary_size + 1]``; nan without a context."""
        dense = np.full(vocabulary_size + 1, np.nan if not self.context_count else 0.0)
        dense[np.minimum(self.token_ids, vocabulary_size)] = self.probs
        return dense

    def top(self, k: int) -> list[TokenCount]:
        """The k most frequent continuations, the smaller id first among equals."""
        order = np.lexsort((self.token_ids, -self.counts))[:k]
        probs = self.probs
        return [TokenCount(int(self.token_ids[i]), int(self.counts[i]), float(probs[i])) for i in order]


@dataclass(frozen=True, eq=False, repr=False)
class Document(Result):
    """One document of the corpus: its ids without the separator, and where it came from."""

    document_id: int
    token_ids: NDArray[np.unsignedinteger[Any]]
    path: str | None
    line: int | None
    metadata: dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class DocumentMatch(Result):
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


@dataclass(frozen=True, eq=False, repr=False)
class Concordance(Result):
    """One occurrence of an n-gram with the tokens around it, which never cross the document's ends."""

    document_id: int
    offset: int
    left: NDArray[np.unsignedinteger[Any]]
    match: NDArray[np.unsignedinteger[Any]]
    right: NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class NgramCount(Result):
    """An n-gram of the corpus and how often it occurs."""

    token_ids: tuple[int, ...]
    count: int


@dataclass(frozen=True, eq=False, repr=False)
class NgramStatistics(Result):
    """How many n-grams a corpus has, none of them with a separator: a row for each n of ``n``, which counts from 1.

    ``num_ngrams`` counts occurrences, ``num_distinct`` different n-grams; ``count_of_counts[i, c - 1]`` of these occur
    exactly c times.
    """

    n: NDArray[np.int64]
    num_ngrams: NDArray[np.int64]
    num_distinct: NDArray[np.int64]
    count_of_counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Novelty(Result):
    """For each n of ``n``, the n-grams of a text, and those of them (each occurrence) that occur nowhere in the corpus."""

    n: NDArray[np.int64]
    num_ngrams: NDArray[np.int64]
    num_novel: NDArray[np.int64]

    @property
    def share(self) -> NDArray[np.float64]:
        """``num_novel / num_ngrams``; nan where the text is shorter than n."""
        share = np.full(len(self.n), np.nan)
        np.divide(self.num_novel, self.num_ngrams, out=share, where=self.num_ngrams > 0)
        return share


@dataclass(frozen=True, eq=False, repr=False)
class Duplicate(Result):
    """A repeated passage: its ids, its occurrences, its documents, and the first of these in ascending order."""

    token_ids: NDArray[np.unsignedinteger[Any]]
    count: int
    num_documents: int
    document_ids: NDArray[np.int64]

    @property
    def saved_tokens(self) -> int:
        """Tokens of all occurrences but one, those of overlapping ones counted each: ``(count - 1) * length``."""
        return (self.count - 1) * len(self.token_ids)


@dataclass(frozen=True, eq=False, repr=False)
class Duplicates(Result):
    """Repeated passages; how many there are, listed or not; and the tokens of the corpus that lie in one of them."""

    passages: list[Duplicate]
    num_passages: int
    num_tokens: int


@dataclass(frozen=True, eq=False, repr=False)
class Variant(Result):
    """A spelling of a text and its ids."""

    text: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class VariantCount(Result):
    """A spelling of a text, its occurrences, and the documents that hold it."""

    text: str
    token_ids: tuple[int, ...]
    count: int
    num_documents: int


@dataclass(frozen=True, eq=False, repr=False)
class VariantCounts(Result):
    """Every spelling of a text, the occurrences of any of them, and the documents that hold any of them.

    An occurrence that holds another one, as that of " cat" does where "cat" has the same ids after a space's, is none of its
    own: so ``count`` is at most the sum of the variants' counts.
    """

    variants: list[VariantCount]
    count: int
    num_documents: int


@dataclass(frozen=True, eq=False, repr=False)
class NgramProb(Result):
    """A token's ∞-gram probability: how often it follows the longest suffix of the context that occurs."""

    prob: float
    """``ngram_count / context_count``."""
    suffix_length: int
    """Tokens of the context that occur."""
    context_count: int
    ngram_count: int


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Result):
    """The ∞-gram model's account of a text, token by token."""

    suffix_lengths: NDArray[np.int64]
    """Tokens of the longest context that occurs."""
    context_counts: NDArray[np.int64]
    ngram_counts: NDArray[np.int64]
    """How often the token follows that context; may be 0."""

    @property
    def probs(self) -> NDArray[np.float64]:
        return self.ngram_counts / np.maximum(self.context_counts, 1)

    @property
    def log_probs(self) -> NDArray[np.float64]:
        """Natural logarithms; -inf where the token never follows."""
        with np.errstate(divide="ignore"):
            return np.log(self.probs)


@dataclass(frozen=True, eq=False, repr=False)
class TextMatches(Result):
    """Matching statistics of a text: the longest match in the corpus that begins at each position."""

    lengths: NDArray[np.int64]
    """Tokens; 0 where the corpus lacks even the first."""
    counts: NDArray[np.int64]
    """How often that match occurs; 0 for no token."""


@dataclass(frozen=True, eq=False, repr=False)
class Span(Result):
    """A part ``[start, stop)`` of a text that occurs in the corpus, and in no longer part that does."""

    start: int
    stop: int
    count: int
    documents: list[DocumentMatch]
    """Some of the documents that hold it, by ascending id."""
