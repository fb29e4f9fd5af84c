"""The whole corpus at once: its n-grams, and what it repeats."""

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Ngram, check_not_negative, check_positive
from suffixindex.queries import statistics
from suffixindex.queries.duplicates import Order, find_duplicates
from suffixindex.queries.texts import TextQueries
from suffixindex.results import (
    Duplicates,
    NgramCount,
    NgramStatistics,
    Novelty,
)


class CorpusQueries(TextQueries):
    """Questions about everything."""

    def top_ngrams(self, n: int, k: int) -> list[NgramCount]:
        """The k most frequent n-grams of exactly n tokens, by count descending, equal ones by ids ascending.

        None holds a separator; fewer than k if the corpus has fewer. One pass over the suffix arrays, O(n) a token: 15 ns a
        token on one core for n = 5, another 20 ns for each doubling of the shards, and some 10 MiB a thread, whatever the
        corpus.

        Raises
        ------
        QueryError
            n or k is below 1.

        Examples
        --------
        >>> index.top_ngrams(2, 3)                                 # doctest: +SKIP
        [NgramCount(token_ids=(1, 2), count=3), NgramCount(token_ids=(1, 5), count=2), NgramCount(token_ids=(3, 4), count=2)]
        """
        check_positive(n=n, k=k)
        return statistics.top_ngrams(self.shards, n, k, self.separator, self._pool, self._cores)

    def ngram_statistics(self, max_n: int, max_count: int = 1) -> NgramStatistics:
        """For n = 1 … max_n: how many n-grams there are, how many are distinct, and how many occur c times, c up to max_count.

        No n-gram holds a separator. One pass over the suffix arrays for all n together, O(max_n) a token: 35 ns a token on
        one core for max_n = 8, another 20 ns for each doubling of the shards, and some 10 MiB a thread, whatever the corpus.

        Raises
        ------
        QueryError
            max_n or max_count is below 1.
        """
        check_positive(max_n=max_n, max_count=max_count)
        return statistics.ngram_statistics(self.shards, max_n, max_count, self.separator, self._pool, self._cores)

    def distinct_ngrams(self, max_n: int) -> NDArray[np.int64]:
        """Distinct n-grams for n = 1 … max_n: ``int64[max_n]``. See :meth:`ngram_statistics`."""
        return self.ngram_statistics(max_n).num_distinct

    def count_of_counts(self, max_n: int, max_count: int) -> NDArray[np.int64]:
        """Distinct n-grams that occur exactly c times, at ``[n - 1, c - 1]``: ``int64[max_n, max_count]``.

        What the discounts of Good-Turing and Kneser-Ney smoothing are estimated from. See :meth:`ngram_statistics`.
        """
        return self.ngram_statistics(max_n, max_count).count_of_counts

    def novelty(self, text: Ngram, max_n: int) -> Novelty:
        """How much of a text is new to the corpus: for n = 1 … max_n its n-grams, and those that occur nowhere in the corpus.

        Each occurrence in the text counts. The n-gram at a position is new if the longest match there is shorter.

        Raises
        ------
        QueryError
            max_n is below 1, or the text holds a separator or an id outside the vocabulary.

        Examples
        --------
        >>> index.novelty("the cat sat on the dog", 3).share       # doctest: +SKIP
        array([0.  , 0.  , 0.25])
        """
        check_positive(max_n=max_n)
        (matches,) = self._matching([text])
        return statistics.novelty(matches.lengths, max_n)

    def duplicates(
        self, min_length: int, *, limit: int | None = 20, order: Order = "saved", max_documents: int | None = 10
    ) -> Duplicates:
        """Repeated passages: the maximal repeats of at least ``min_length`` tokens, in one document or several.

        A passage is a sequence of tokens without a separator that occurs at least twice, overlapping occurrences each, and
        that cannot be made longer without losing one: not all of its occurrences are followed by the same token, nor
        preceded by the same token, where a document's end or start is like no token and no other end or start. So a
        document that occurs twice is one passage, whatever lies in it, and a part of it is another one only if that occurs
        elsewhere too.

        Parameters
        ----------
        min_length
            Tokens. 50 is usual for language models' corpora (Lee et al., 2022, arXiv 2107.06499).
        limit
            Passages to list; None: all. ``num_passages`` says how many there are.
        order
            "saved": by ``(count - 1) * length`` descending, then the longer first; "length": by length descending, then by
            count descending. Equal ones by ids ascending.
        max_documents
            Ids of documents to list for each passage, ascending; None: all. ``num_documents`` says how many there are.

        Returns
        -------
        Duplicates
            The passages; how many there are; and how many tokens of the corpus lie in one of them, each counted once.

        Raises
        ------
        QueryError
            A number is out of range, an unknown order, or more than 2**32 - 2 tokens that seem to repeat.

        Notes
        -----
        O(tokens) for a sieve of hashes: 45 ns a token on one core, of which each of several cores takes 15; 1 byte a token,
        and 2 to 4 a token but at most 256 MiB a thread for its slots. Then O(r log r) for the r tokens of windows that occur
        twice, however often they do: 100 ns and 10 to 20 bytes each, 24 more for each passage that is found, and 24 for
        each level of passages that begin alike, r of both at worst. r is the whole corpus if everything repeats, or if
        ``min_length`` is a few tokens. O(count log count) for each passage that is listed.

        Examples
        --------
        >>> found = index.duplicates(50, limit=1)                  # doctest: +SKIP
        >>> found.num_passages, found.num_tokens                   # doctest: +SKIP
        (2144, 316094)
        """
        check_positive(min_length=min_length)
        check_not_negative(limit=limit, max_documents=max_documents)
        if order not in ("saved", "length"):
            raise QueryError(f"order is {order!r}: expected 'saved' or 'length'")
        chosen = min_length, limit, order, max_documents
        return find_duplicates(self.shards, *chosen, self.separator, self._pool, self._cores)
