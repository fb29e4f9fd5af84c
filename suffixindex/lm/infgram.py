"""The ∞-gram: what follows the longest suffix of the context that the corpus holds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.lm.base import LanguageModel, num_outcomes


class Infgram(LanguageModel):
    """The ∞-gram language model (infini-gram, Liu et al. 2024, arXiv 2401.17377).

    The context is cut to its longest suffix that occurs in the corpus; a token's probability is the share of that suffix's
    occurrences that it follows. Not smoothed: a token that never follows has probability 0, and after the empty context a
    document cannot end. Samples repeat the corpus as soon as a suffix occurs once.

    Examples
    --------
    >>> model = si.lm.Infgram(index)                          # doctest: +SKIP
    >>> model.log_probs("the cat sat")                             # doctest: +SKIP
    array([-1.15267951, -0.69314718, -1.09861229])
    """

    def _score(self, texts: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
        return [scores.log_probs for scores in self.index.scores(texts)]

    def _next(self, context: NDArray[np.int64]) -> NDArray[np.float64]:
        found = self.index.next_distribution(context[len(context) - self.index.suffix_length(context) :])
        if not found.context_count:
            raise QueryError("the corpus holds no token, so nothing has a probability")
        probs = np.zeros(num_outcomes(self.index))
        probs[np.minimum(found.token_ids, self.index.vocabulary_size)] = found.probs
        return probs
