"""The guard of a build: excerpts of what the fast engine encoded, encoded again by the reference, for a bounded share of the time.

The reference takes fifty times as long, so whole documents would cost more than all the rest. Excerpts are drawn evenly over the
characters of a batch; at the beginning as many as ``FIRST_SECONDS`` allow, then as many as ``SHARE`` of the encoding time pays.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.system.threads import ForkLock
from suffixindex.tokenizers.batches import BatchTokenizer
from suffixindex.tokenizers.cuts import Cuts

SHARE = 0.01  # of the seconds that encoding took
FIRST_SECONDS = 0.05  # besides, in each process
EXCERPT = 512  # characters, and on to the next place where a cut is exact
EXCERPT_SECONDS = 1e-3  # what one takes, as long as none was measured


class _Excerpt(NamedTuple):
    text: int
    start: int
    stop: int


class Guard:
    """Compares the engines of a tokenizer on what it encodes. Thread-safe."""

    def __init__(self, tokenizer: BatchTokenizer, clock: Callable[[], float] = time.perf_counter) -> None:
        self._tokenizer = tokenizer
        self._clock = clock
        self._lock = ForkLock()
        self.earned = 0.0
        """Seconds that checks may take in all."""
        self.spent = 0.0
        self.checked = 0
        """Excerpts."""

    def encode(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """As :meth:`BatchTokenizer.encode_batch`, of documents some of whose ids are checked.

        Raises
        ------
        TokenizerError
            The fast engine and the reference differ on an excerpt.
        """
        started = self._clock()
        ids, lengths = self._tokenizer.encode_batch(texts)
        before = self._clock()
        with self._lock:
            self.earned += SHARE * (before - started)
            left = FIRST_SECONDS + self.earned - self.spent
            number = int(left / (self.spent / self.checked if self.checked else EXCERPT_SECONDS))
        if number > 0 and not self._tokenizer.fallback_reason:
            ends = np.cumsum(lengths)
            for excerpt in self._drawn(texts, number):
                stop = int(ends[excerpt.text])
                self._check(texts[excerpt.text], ids[stop - int(lengths[excerpt.text]) : stop], excerpt)
                now = self._clock()
                with self._lock:
                    self.spent += now - before
                    self.checked += 1
                    before = now
                    if self.spent >= FIRST_SECONDS + self.earned:
                        break
        return ids, lengths

    def _drawn(self, texts: list[str], number: int) -> Iterator[_Excerpt]:
        """Up to ``number`` excerpts, evenly over all characters; where they begin follows from the texts."""
        offsets = np.cumsum([0, *map(len, texts)])
        size = int(offsets[-1])
        step = max(size / number, min(size, EXCERPT), 1)
        seed = zlib.crc32("".join(text[:64] for text in texts[:4]).encode())
        done = -1
        for place in np.arange(seed % 1024 / 1024 * step, size, step).astype(np.int64).tolist():
            text = int(np.searchsorted(offsets, place, side="right")) - 1
            if len(texts[text]) <= 2 * EXCERPT:
                if text > done:
                    yield _Excerpt(text, 0, len(texts[text]))
            else:
                start = place - int(offsets[text])
                yield _Excerpt(text, start if start >= EXCERPT else 0, min(start + EXCERPT, len(texts[text])))
            done = text

    def _check(self, text: str, ids: NDArray[np.uint32], excerpt: _Excerpt) -> None:
        """Hold the ids of a document against the reference's of an excerpt.

        Between exact cuts these stand in the document's, one after the other. Where no cut is exact, both engines encode the
        excerpt by itself.
        """
        start, stop = excerpt.start, excerpt.stop
        whole = [text], ids, np.array([len(ids)])
        cuts = self._tokenizer.cuts
        if stop - start == len(text):
            self._tokenizer.check_sample(*whole)
            return
        if cuts is not None:
            start = cuts.cut_after(text, start, start + EXCERPT) if start else 0
            stop = cuts.cut_after(text, stop, stop + EXCERPT)
        if cuts is not None and start < stop and _is_end(text, start, cuts) and _is_end(text, stop, cuts):
            if not _holds(ids, self._tokenizer.encode(text[start:stop])):
                self._tokenizer.check_sample(*whole)  # which says where they differ
        else:
            part = text[excerpt.start : excerpt.stop]
            self._tokenizer.check_sample([part], *self._tokenizer.encode_batch([part]))


def _is_end(text: str, place: int, cuts: Cuts) -> bool:
    return place in (0, len(text)) or cuts.exact(text[place - 1], text[place])


def _holds(ids: NDArray[Any], wanted: NDArray[np.uint32]) -> bool:
    """Whether ids stand in others one after the other."""
    content, width = ids.astype("<u4", copy=False).tobytes(), 4
    part = wanted.astype("<u4", copy=False).tobytes()
    place = content.find(part)
    while place % width and place >= 0:
        place = content.find(part, place + 1)
    return place >= 0
