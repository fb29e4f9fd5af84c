"""What every language model of an index answers: probabilities of texts and of next tokens, perplexity, samples."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Ngram, check_not_negative
from suffixindex.tokenizers.words import Words

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex


MOST_OUTCOMES = 1 << 30
"""Ids that get a number each: 8 GiB. No tokenizer has as many."""


def num_outcomes(index: "SuffixIndex") -> int:
    """Tokens that may follow a context, the end of the document one of them.

    Raises
    ------
    QueryError
        Nothing is known of the vocabulary but the type of its ids, and that allows too many.
    """
    if index.vocabulary_size >= MOST_OUTCOMES:
        ours = index.kind == "suffixindex"
        advice = "build it anew with the tokenizer that made them" if ours else "open it with vocabulary_size=…, its tokenizer's"
        raise QueryError(
            f"the ids of {index.path} may be any below {index.vocabulary_size:,}, too many for a number each: {advice}"
        )
    return index.vocabulary_size + 1


def forgotten_ids(index: "SuffixIndex") -> NDArray[np.int64]:
    """Ids that are no outcomes: of `words` that only documents held which were removed."""
    if index.manifest.tokenizer["kind"] != "words":
        return np.empty(0, np.int64)
    tokenizer = index.tokenizer
    assert isinstance(tokenizer, Words)
    return tokenizer.forgotten()


class Perplexity(NamedTuple):
    """``exp`` of the mean negative log-probability over all tokens of all texts.

    Infinite as soon as one token has probability zero; ``num_zero`` of the ``num_tokens`` have.
    """

    perplexity: float
    num_tokens: int
    num_zero: int


class LanguageModel(ABC):
    """A probability for each token after any context of tokens, from the counts of an index.

    A text is one document from its start, its end left out. After a context comes a token of the vocabulary or the end of
    the document, the last of the ``vocabulary_size + 1`` outcomes.
    """

    def __init__(self, index: "SuffixIndex") -> None:
        self.index = index
        self._checker = index.checker

    @abstractmethod
    def _score(self, texts: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
        """Natural logarithms of the probabilities of checked texts, all at once so that they share their contexts."""

    @abstractmethod
    def _next(self, context: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities of what follows a checked context."""

    def log_probs(self, text: Ngram) -> NDArray[np.float64]:
        """Natural logarithm of each token's probability given all tokens before it in the text: ``float64[tokens]``.

        The first token is given the empty context. A probability of zero is -inf.

        Raises
        ------
        QueryError
            The text holds a separator or an id outside the vocabulary.
        """
        return self._score([self._checker.text(text)])[0]

    def next_probs(self, context: Ngram) -> NDArray[np.float64]:
        """Probability of each token after a context, and last of the document's end: ``float64[vocabulary_size + 1]``.

        Raises
        ------
        QueryError
            As for :meth:`log_probs`.
        """
        return self._next(self._checker.text(context))

    def perplexity(self, texts: Iterable[Ngram]) -> Perplexity:
        """Perplexity over the tokens of several texts, each a document; their ends are not scored.

        Raises
        ------
        QueryError
            No texts, or none that holds a token; or as for :meth:`log_probs`.
        """
        if isinstance(texts, str):
            raise QueryError("expected a list of texts, found one text: put it in a list")
        scores = np.concatenate([np.empty(0), *self._score([self._checker.text(text) for text in texts])])
        if not len(scores):
            raise QueryError("perplexity of no tokens: give at least one text that is not empty")
        num_zero = int(np.isneginf(scores).sum())
        return Perplexity(np.inf if num_zero else float(np.exp(-scores.mean())), len(scores), num_zero)

    def sample(self, context: Ngram, max_tokens: int, seed: int, temperature: float = 1.0) -> NDArray[np.int64]:
        """Tokens drawn one by one after a context, up to ``max_tokens``: ``int64[tokens]``, the context left out.

        Fewer if the document ends there. The same seed gives the same tokens.

        Parameters
        ----------
        temperature
            Above 0: probabilities are taken to the power of its inverse. Small ones keep to the most probable tokens.

        Raises
        ------
        QueryError
            ``max_tokens`` is negative, a temperature of 0 or less; or as for :meth:`log_probs`.
        """
        check_not_negative(max_tokens=max_tokens)
        if not 0 < temperature < np.inf:
            raise QueryError(f"temperature is {temperature}: expected a number above 0")
        ids = self._checker.text(context)
        rng = np.random.default_rng(seed)
        drawn: list[int] = []
        for _ in range(max_tokens):
            probs = self._next(np.concatenate([ids, np.array(drawn, np.int64)]))
            token = draw(probs, temperature, rng)
            if token == self.index.vocabulary_size:
                break
            drawn.append(token)
        return np.array(drawn, np.int64)


def draw(probs: NDArray[np.float64], temperature: float, rng: np.random.Generator) -> int:
    """One outcome; those of probability zero are never drawn."""
    possible = np.flatnonzero(probs)
    logs = np.log(probs[possible]) / temperature
    weights: NDArray[Any] = np.cumsum(np.exp(logs - logs.max()))
    return int(possible[np.searchsorted(weights, rng.random() * weights[-1], side="right")])
