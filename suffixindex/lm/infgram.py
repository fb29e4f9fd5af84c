"""The ∞-gram: what follows the longest suffix of the context that the corpus holds."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.lm.base import LanguageModel

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex


class InfgramScores(NamedTuple):
    """Of each token of a text: its ∞-gram log-probability, the tokens of context that were found, and the two counts."""

    log_probs: NDArray[np.float64]
    suffix_lengths: NDArray[np.int64]
    context_counts: NDArray[np.int64]
    ngram_counts: NDArray[np.int64]


class InfgramModel(LanguageModel):
    """The ∞-gram language model (infini-gram, Liu et al. 2024, arXiv 2401.17377).

    The context is cut to its longest suffix that occurs in the corpus; a token's probability is the share of that suffix's
    occurrences that it follows. Not smoothed: a token that never follows has probability 0, and after the empty context a
    document cannot end. Samples repeat the corpus as soon as a suffix occurs once.

    Examples
    --------
    >>> model = si.lm.InfgramModel(index)                          # doctest: +SKIP
    >>> model.log_probs("the cat sat")                             # doctest: +SKIP
    array([-1.15267951, -0.69314718, -1.09861229])
    """

    def _score(self, texts: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
        return [_infgram_scores(self.index, text).log_probs for text in texts]

    def _next(self, context: NDArray[np.int64]) -> NDArray[np.float64]:
        """O(context · log context) to find the suffix, and its next tokens."""
        dropped = bisect_left(range(len(context)), 1, key=lambda start: self.index.count(context[start:]))
        found = self.index.next_tokens(context[dropped:])
        if not found.context_count:
            raise QueryError("the corpus holds no token, so nothing has a probability")
        probs = np.zeros(self.index.vocabulary_size + 1)
        probs[np.minimum(found.token_ids, self.index.vocabulary_size)] = found.probs
        return probs


def _infgram_scores(index: "SuffixIndex", ids: NDArray[np.int64]) -> InfgramScores:
    """The ∞-gram of each token of a text. A suffix that is found grows by one token at most from a position to the next."""
    lengths, contexts, ngrams = (np.zeros(len(ids), np.int64) for _ in range(3))
    length = 0
    for place in range(len(ids)):
        while length and not index.count(ids[place - length : place]):
            length -= 1
        lengths[place] = length
        contexts[place], ngrams[place] = index.count(ids[place - length : place]), index.count(ids[place - length : place + 1])
        length += 1
    log_probs = np.full(len(ids), -np.inf)
    np.log(ngrams / np.maximum(contexts, 1), out=log_probs, where=ngrams > 0)
    return InfgramScores(log_probs, lengths, contexts, ngrams)
