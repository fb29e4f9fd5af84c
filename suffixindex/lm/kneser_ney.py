"""Interpolated modified Kneser-Ney with true continuation counts, looked up context by context."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.lm.base import LanguageModel, forgotten_ids, num_outcomes
from suffixindex.lm.continuations import CorpusCounts, Followers, corpus_counts, followers
from suffixindex.ngrams import NgramBatch, check_positive

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex

CHUNK = 1 << 20  # occurrences of contexts that a thread goes through at a time, of 16 bytes each
FALLBACK = 0.5, 1.0, 1.5  # of KenLM's --discount_fallback


class ContextSums(NamedTuple):
    """For each of many contexts, the sum of its continuations' counts, and how many of these have count 1, 2, 3 or more."""

    total: NDArray[np.int64]
    ones: NDArray[np.int64]
    twos: NDArray[np.int64]
    more: NDArray[np.int64]


class KneserNey(LanguageModel):
    """Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, TR-10-98, section 4.1.6) of n-grams up to ``order``.

    The probability of a token after a context of n - 1 tokens is its discounted count there, and what the discounts leave
    is given to the context that is one token shorter::

        P(w | h) = (c(hw) - D(c(hw)) + (D1 N1(h) + D2 N2(h) + D3 N3+(h)) P(w | h')) / sum of c(hv) over all v

    c is the number of occurrences for n = ``order``; for shorter n-grams, the number of different tokens before them, where
    the start of a document is one more token, the same for all documents (the analogue of KenLM's ``<s>``, which is no part
    of an n-gram here). The end of a document is an outcome like any token. N1, N2, N3+ are the continuations of h with
    c = 1, 2, 3 or more. A context that does not occur leaves all to the shorter one; the shortest is the uniform
    distribution over the vocabulary and the end. No probability is zero, but of words that only documents held which were removed
    from the index, and those after a context add up to 1.

    Near a text's start the context is what there is, and the model that of shorter n-grams: what KenLM answers with
    ``bos=False``. With KenLM's discounts, which count n-grams that begin with ``<s>`` too, the probabilities are KenLM's.

    The three discounts of each n come from n1 … n4, how many n-grams have count 1 … 4: Di = i - (i + 1) Y n(i+1) / n(i),
    with Y = n1 / (n1 + 2 n2). Where n1, n2 or n3 is zero, or a discount does not lie in (0, i], as happens in small or made
    corpora, the discounts of that n are 0.5, 1 and 1.5, as with KenLM's ``--discount_fallback``.

    Notes
    -----
    The first question counts the corpus's continuation counts in one pass, O(order) a token, and keeps 8 bytes for each
    id of the vocabulary. A text costs a random read for each occurrence of each different context in it, once a call: the
    more texts in a call, the less each. Any number of shards gives the same probabilities.

    Raises
    ------
    QueryError
        ``order`` is below 1.

    Examples
    --------
    >>> model = si.lm.KneserNey(index, order=5)                    # doctest: +SKIP
    >>> model.perplexity(["the cat sat on the dog"])               # doctest: +SKIP
    Perplexity(perplexity=4.717716058530902, num_tokens=6, num_zero=0)
    """

    def __init__(self, index: "SuffixIndex", order: int) -> None:
        check_positive(order=order)
        super().__init__(index)
        self.order = order

    @cached_property
    def _corpus(self) -> CorpusCounts:
        return corpus_counts(self.index.local, self.order, num_outcomes(self.index) - 1)

    @cached_property
    def discounts(self) -> NDArray[np.float64]:
        """What is taken off a count of 1, 2, and 3 or more, for n = 1 … order: ``float64[order, 3]``."""
        return np.array([estimate_discounts(*row) for row in self._corpus.count_of_counts.tolist()])

    @cached_property
    def _forgotten(self) -> NDArray[np.int64]:
        return forgotten_ids(self.index)

    @property
    def _uniform(self) -> float:
        """Probability of each outcome where nothing is known."""
        return 1 / (self.index.vocabulary_size + 1 - len(self._forgotten))

    @cached_property
    def _unigrams(self) -> tuple[Followers, ContextSums]:
        tokens = np.flatnonzero(self._corpus.unigrams)
        found = Followers(tokens, self._corpus.unigrams[tokens])
        return found, _sums(found, 1, self.index.vocabulary_size + 1)

    def _score(self, texts: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
        ids = np.concatenate([np.empty(0, np.int64), *texts])
        lengths = np.array([len(text) for text in texts], np.int64)
        ends = lengths.cumsum()
        before = np.arange(len(ids)) - np.repeat(ends - lengths, lengths)  # tokens of context
        probs = np.where(np.isin(ids, self._forgotten), 0.0, self._uniform)
        places = np.arange(len(ids))
        contexts = np.zeros(len(ids), np.int64)  # a number for the context of each place, of the length reached so far
        for length in range(self.order):
            places = places[before[places] >= length]
            if not len(places):
                break
            if length:
                codes = contexts[places] * self.index.vocabulary_size + ids[places - length]
                _, first, contexts[places] = np.unique(codes, return_index=True, return_inverse=True)
                batch = NgramBatch(ids, places[first] - length, places[first])
                counts, sums = self._look_up(batch, length, contexts[places], ids[places])
            else:
                counts, sums = self._corpus.unigrams[ids], self._unigrams[1]
            found = sums.total[contexts[places]] > 0
            places, counts = places[found], counts[found]
            total, left = sums.total[contexts[places]], self._left(sums, length)[contexts[places]]
            probs[places] = (self._discounted(counts, length) + left * probs[places]) / total
        with np.errstate(divide="ignore"):  # of a forgotten word
            return np.split(np.log(probs), ends[:-1])

    def _next(self, context: NDArray[np.int64]) -> NDArray[np.float64]:
        outcomes = num_outcomes(self.index)
        probs = np.full(outcomes, self._uniform)
        probs[self._forgotten] = 0
        for length in range(min(self.order - 1, len(context)) + 1):
            if length:
                ids = np.ascontiguousarray(context[len(context) - length :])
                intervals = list(self.index.local.intervals(NgramBatch(ids, np.array([0]), np.array([length]))))
                found = self._followers(intervals, length)
                sums = _sums(found, 1, len(probs))
            else:
                found, sums = self._unigrams
            if not sums.total[0]:
                break
            probs *= self._left(sums, length)[0]
            probs[found.keys] += self._discounted(found.counts, length)
            probs /= sums.total[0]
        return probs

    def _discounted(self, counts: NDArray[np.int64], length: int) -> NDArray[np.float64]:
        discounts = np.append(0.0, self.discounts[length])
        return np.asarray(counts - discounts[np.minimum(counts, 3)])

    def _left(self, sums: ContextSums, length: int) -> NDArray[np.float64]:
        """What the discounts take off the counts after each context."""
        one, two, more = self.discounts[length]
        return np.asarray(one * sums.ones + two * sums.twos + more * sums.more)

    def _followers(self, intervals: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], length: int) -> Followers:
        distinct = length < self.order - 1
        return followers(self.index.shards, intervals, length, self.index.vocabulary_size, distinct=distinct)

    def _look_up(
        self, batch: NgramBatch, length: int, contexts: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], ContextSums]:
        """Counts of (context, token) pairs, and the sums of the contexts, which are those of the batch."""
        outcomes = self.index.vocabulary_size + 1
        intervals = list(self.index.local.intervals(batch))
        occurrences = np.sum([high - low for low, high in intervals], axis=0).cumsum()
        cuts = np.unique(np.searchsorted(occurrences, np.arange(0, occurrences[-1] + CHUNK, CHUNK), side="right"))
        cuts = np.unique(np.concatenate([[0], cuts, [len(batch)]]))
        order = np.argsort(contexts, kind="stable")
        bounds = np.searchsorted(contexts[order], cuts)
        counts = np.zeros(len(contexts), np.int64)

        def chunk(part: int) -> ContextSums:
            first, last = cuts[part], cuts[part + 1]
            found = self._followers([(low[first:last], high[first:last]) for low, high in intervals], length)
            asked = order[bounds[part] : bounds[part + 1]]
            keys = (contexts[asked] - first) * outcomes + tokens[asked]
            place = np.searchsorted(found.keys, keys)
            there = np.flatnonzero(np.append(found.keys, -1)[place] == keys)
            counts[asked[there]] = found.counts[place[there]]
            return _sums(found, last - first, outcomes)

        parts = list(self.index.local.pool.map(chunk, range(len(cuts) - 1)))
        return counts, ContextSums(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _sums(found: Followers, num_contexts: int, outcomes: int) -> ContextSums:
    contexts = found.keys // outcomes
    starts = np.searchsorted(contexts, np.arange(num_contexts + 1))
    running = [np.append(0, np.cumsum(values)) for values in (found.counts, *(found.counts == c for c in (1, 2)), found.counts > 2)]
    return ContextSums(*(np.diff(values[starts]) for values in running))


def estimate_discounts(n1: int, n2: int, n3: int, n4: int) -> tuple[float, float, float]:
    """The discounts of counts 1, 2, and 3 or more (Chen and Goodman 1998, equation 26), or the fallback."""
    if not (n1 and n2 and n3):
        return FALLBACK
    share = n1 / (n1 + 2 * n2)
    one, two, more = (i - (i + 1) * share * after / now for i, (now, after) in enumerate([(n1, n2), (n2, n3), (n3, n4)], 1))
    return (one, two, more) if 0 < one <= 1 and 0 < two <= 2 and 0 < more <= 3 else FALLBACK
