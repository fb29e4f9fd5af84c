"""Texts against the corpus: the longest match at every position, and from it the ∞-gram context before every token.

A text's *reach* at position s is where the longest match from s ends; it never falls as s grows. So the longest context of
token i that the corpus holds begins at the first position that reaches i: one pass gives both.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import join
from suffixindex.storage.matches import ShardMatches, Texts

POSITIONS = 1 << 22
"""Positions times shards that are matched at a time: 128 MiB."""


def portions(texts: Sequence[NDArray[np.int64]], num_shards: int) -> Iterator[Texts]:
    """Texts in portions whose matches fit the memory for them; a text is never cut."""
    portion: list[NDArray[np.int64]] = []
    size = 0
    for text in texts:
        if portion and (size + len(text)) * num_shards > POSITIONS:
            yield _joined(portion)
            portion, size = [], 0
        portion.append(text)
        size += len(text)
    if portion:
        yield _joined(portion)


def _joined(texts: Sequence[NDArray[np.int64]]) -> Texts:
    batch = join(texts)
    return Texts(batch.ids, np.append(0, batch.stops))


class Matches:
    """The longest match in the whole corpus from every position of some texts."""

    def __init__(self, shards: Sequence[ShardMatches], texts: Texts) -> None:
        self.texts = texts
        self._shards = shards
        self.lengths: NDArray[np.int64] = np.max([matches.lengths for matches in shards], axis=0)

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """Occurrences of spans of the texts, none of them empty."""
        total: NDArray[np.int64] = np.sum([matches.counts(starts, stops) for matches in self._shards], axis=0)
        return total

    def match_counts(self) -> NDArray[np.int64]:
        """How often each position's longest match occurs; 0 where it has no token."""
        counts = np.zeros(len(self.lengths), np.int64)
        some = np.flatnonzero(self.lengths)
        counts[some] = self.counts(some, some + self.lengths[some])
        return counts

    def suffix_length(self) -> int:
        """Tokens of the longest end of the last text that occurs."""
        size = len(self.lengths)
        return size - int(np.searchsorted(np.arange(size) + self.lengths, size))

    def contexts(self, num_tokens: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """``(suffix_lengths, context_counts, ngram_counts)`` of every token: its longest context that occurs.

        The empty context, which every token has, occurs ``num_tokens`` times.
        """
        # a context for each gap between tokens: before each token of a text, and after its last
        offsets, size = self.texts.offsets, len(self.lengths)
        num_texts = len(offsets) - 1
        reach = np.arange(size) + self.lengths
        gap_starts = np.repeat(offsets[:-1], np.diff(offsets) + 1)  # of each gap's text
        gaps = np.arange(size + num_texts) - np.repeat(np.arange(num_texts), np.diff(offsets) + 1)
        starts = np.minimum(np.maximum(np.searchsorted(reach, gaps), gap_starts), gaps)
        counts = np.full(len(gaps), num_tokens, np.int64)
        some = np.flatnonzero(starts < gaps)
        counts[some] = self.counts(starts[some], gaps[some])
        before = np.delete(np.arange(len(gaps)), offsets[1:] + np.arange(num_texts))  # gaps before a token
        goes_on = starts[before + 1] == starts[before]
        return gaps[before] - starts[before], counts[before], np.where(goes_on, counts[before + 1], 0)
