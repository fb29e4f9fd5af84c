"""Stupid backoff: relative frequencies, and a fixed penalty for each token of context that is given up."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from suffixindex.deprecated import is_one_text, warn_renamed
from suffixindex.errors import FormatError, QueryError
from suffixindex.lm.base import num_outcomes
from suffixindex.ngrams import Ngram, NgramBatch, check_positive
from suffixindex.queries.texts import check_texts
from suffixindex.storage.checks import REMEDY

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex


class StupidBackoff:
    """Stupid backoff (Brants et al. 2007, EMNLP-CoNLL, equation 5): scores, which are no probabilities.

    The score of a token after up to ``order - 1`` tokens of context is its relative frequency after the longest part of the
    context after which it occurs, times ``alpha`` for each token that was given up. The score of a token without context is
    its share of all tokens and ends of documents. As the scores after a context do not add up to 1, there is no perplexity.

    Raises
    ------
    QueryError
        ``order`` is below 1, or ``alpha`` outside (0, 1].

    Examples
    --------
    >>> si.lm.StupidBackoff(index, order=3).score("the cat sat")  # doctest: +SKIP
    array([0.28571429, 0.5       , 0.33333333])
    """

    def __init__(self, index: "SuffixIndex", order: int, alpha: float = 0.4) -> None:
        check_positive(order=order)
        if not 0 < alpha <= 1:
            raise QueryError(f"alpha is {alpha}: expected a number above 0 and up to 1")
        self.index = index
        self.order = order
        self.alpha = alpha
        self._checker = index.checker

    def score(self, text: Ngram) -> NDArray[np.float64]:
        """Score of each token of a text after the tokens before it: ``float64[tokens]``; 0 for one that the corpus lacks.

        Two bulk look-ups for each n up to ``order``, of those tokens alone that are not scored yet; about 1 µs each.

        Raises
        ------
        QueryError
            The text holds a separator or an id outside the vocabulary.
        """
        return self._score(self._checker.text(text))

    def scores(self, texts: Iterable[Ngram]) -> list[NDArray[np.float64]]:
        """:meth:`score` of many texts."""
        if is_one_text(texts):
            warn_renamed("scores of one text", "score")
            return self.score(texts)  # type: ignore[arg-type, return-value]
        return [self._score(ids) for ids in check_texts(texts, self._checker)]

    def _score(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        scores = np.zeros(len(ids))
        waiting = np.arange(len(ids))
        for length in range(min(self.order, len(ids)) - 1, 0, -1):
            chosen = waiting[waiting >= length]
            counts = self.index.counts(NgramBatch(ids, chosen - length, chosen + 1))
            chosen, counts = chosen[counts > 0], counts[counts > 0]
            given_up = np.minimum(self.order - 1, chosen) - length
            contexts = self.index.counts(NgramBatch(ids, chosen - length, chosen))
            if not contexts.all():
                raise FormatError(f"{self.index.path}: a context does not occur, and what follows it does; {REMEDY}")
            scores[chosen] = self.alpha**given_up * counts / contexts
            waiting = np.setdiff1d(waiting, chosen, assume_unique=True)
        shares = self.index.counts(NgramBatch(ids, waiting, waiting + 1)) / self._total
        scores[waiting] = self.alpha ** np.minimum(self.order - 1, waiting) * shares
        return scores

    def next_scores(self, context: Ngram) -> NDArray[np.float64]:
        """Score of each token after a context, and last of the document's end: ``float64[vocabulary_size + 1]``.

        O(occurrences) of the context's last tokens.

        Raises
        ------
        QueryError
            As for :meth:`score`.
        """
        ids = self._checker.text(context)
        longest = min(self.order - 1, len(ids))
        unigrams = self.index.next_distribution([])
        scores = np.zeros(num_outcomes(self.index))
        scores[unigrams.token_ids] = unigrams.counts / self._total
        scores[-1] = self.index.num_documents / self._total
        scores *= self.alpha**longest
        for length in range(1, longest + 1):
            found = self.index.next_distribution(ids[len(ids) - length :])
            scores[np.minimum(found.token_ids, len(scores) - 1)] = self.alpha ** (longest - length) * found.probs
        return scores

    def perplexity(self, texts: object) -> NoReturn:
        """Always refused: stupid backoff has no probabilities."""
        raise QueryError("stupid backoff gives scores, not probabilities, so it has no perplexity: take KneserNey")

    @property
    def _total(self) -> int:
        return self.index.num_tokens + self.index.num_documents
