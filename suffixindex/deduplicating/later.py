"""What a corpus said before: the windows of so many tokens that occur earlier in it, among all or among some that are new."""

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import NgramBatch
from suffixindex.queries.duplicates import BASES, SAMPLED, hash_bases, sample_bases, sieve_windows, stretches_of, too_much
from suffixindex.storage.shard import Shard
from suffixindex.system.memory import total_memory
from suffixindex.system.parallel import RANGES_PER_THREAD, in_pieces, split_range

SPARSE = 32  # slots for a window that is looked for
SEARCH = 128  # tokens of the corpus that are sieved while one window is searched
SEARCHED = 1 << 14  # windows that are searched at a time
MEMORY_SHARE = 2  # of memory, a half for a copy of a shard's text and a number a token, where its suffix array is read


class DocumentText(NamedTuple):
    """Some documents one after the other, each followed by a separator."""

    tokens: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]
    """The first token of each, then the length."""
    documents: NDArray[np.int64]
    """Which they are, ascending."""
    fresh: NDArray[np.bool_] | None = None
    """Positions whose window is to be looked for; None in all texts: every one."""
    stale: NDArray[np.bool_] | None = None
    """By document: those that another text has in their place."""
    shard: Shard | None = None
    """Of which they are all, as they are."""

    @property
    def length(self) -> int:
        return len(self.tokens)

    def fresh_windows(self, length: int) -> NDArray[np.bool_]:
        """Marks of the windows that are to be looked for, each of one document."""
        marks = np.zeros(self.length, bool)
        positions = np.flatnonzero(self.fresh) if self.fresh is not None else np.empty(0, np.int64)
        ends = self.offsets[np.searchsorted(self.offsets, positions, side="right")] - 1
        marks[positions[positions + length <= ends]] = True
        return marks

    def origin(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The documents of positions, and where they lie in these."""
        place = np.searchsorted(self.offsets, positions, side="right") - 1
        return self.documents[place], positions - self.offsets[place]

    def live(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``[lo, hi)`` of the documents that are not stale."""
        live = ~self.stale if self.stale is not None else np.ones(len(self.documents), bool)
        return self.offsets[:-1][live], self.offsets[1:][live]


class Later(NamedTuple):
    """Parts of documents, ascending, in tokens from the document's start."""

    documents: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    first_documents: NDArray[np.int64]
    """Which hold the first occurrence of what each part begins with."""
    first_starts: NDArray[np.int64]


class Covered(NamedTuple):
    """Stretches ``[begins, ends)`` of a text, ascending, and where what each begins with occurs first."""

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    sources: NDArray[np.int64]


def find_later(texts: Sequence[DocumentText], length: int, pool: Executor, threads: int, separator: int) -> Later:
    """What lies in windows of ``length`` tokens that occur earlier: in an earlier document, or further to the left in the same one.

    Where a window overlaps its first occurrence, only what lies beyond that. A shard alone that fits into memory is looked through
    by its suffix array, which costs 10 ns a token on one core. Else it costs what :func:`find_duplicates` costs; where only
    some windows are looked for, 8 ns a token.

    Raises
    ------
    FormatError
        The suffix array is damaged.
    QueryError
        More than 2**32 - 2 tokens seem to repeat.
    """
    if all(text.fresh is None for text in texts):
        whole = texts[0].shard
        if len(texts) == 1 and whole is not None and _fits(whole):
            return _later(texts[0], _covered_in_shard(texts[0], whole, length, pool, threads))
        found = _gather_documents(texts, sieve_windows(texts, length, pool, threads, separator), length, separator)
    else:
        like_fresh = _gather_documents(texts, _like_fresh(texts, length, pool, threads, separator), length, separator)
        (marks,) = sieve_windows([like_fresh], length, pool, threads, separator)
        found = like_fresh.part(*stretches_of(marks, length), separator)
    if not found.length:
        return Later(*(np.empty(0, np.int64) for _ in range(5)))
    return _later(found, _covered(found.tokens, length, separator, threads))


def _later(text: "DocumentText | _Passages", covered: Covered) -> Later:
    documents, starts = text.origin(covered.begins)
    return Later(documents, starts, starts + covered.ends - covered.begins, *text.origin(covered.sources))


def _fits(shard: Shard) -> bool:
    """Whether memory holds what is read and written in no order."""
    return shard.length * (shard.tokens.itemsize + np.dtype(shard.position_type).itemsize) <= total_memory() // MEMORY_SHARE


def _covered_in_shard(text: DocumentText, shard: Shard, length: int, pool: Executor, threads: int) -> Covered:
    """As :func:`_covered`, of a whole shard."""
    from suffixindex.kernels.duplicates import first_windows, later_stretches

    firsts = np.zeros(text.length, shard.position_type)
    memory = np.array(shard.tokens).view(np.uint8)  # a copy has larger pages than a file, which random reads gain from

    def look(low: int, high: int) -> int:
        asked = length, low, high, firsts
        overlapping: int = shard.run(first_windows, memory, shard.tokens.itemsize, shard.suffix_array, *asked)
        return overlapping

    overlapping = sum(pool.map(look, *zip(*split_range(text.length, RANGES_PER_THREAD * threads), strict=True)))
    room = text.length // (length + 1) + 1 + overlapping  # stretches: of those of whole windows, none touches another
    columns = [np.empty(room, np.int64) for _ in range(3)]
    found = later_stretches(firsts, text.offsets, length, *columns)
    return Covered(*(column[:found] for column in columns))


class _Passages(NamedTuple):
    """Stretches of documents, each followed by a separator, in the order of the documents and of their places in these."""

    tokens: NDArray[np.unsignedinteger[Any]]
    starts: NDArray[np.int64]
    documents: NDArray[np.int64]
    within: NDArray[np.int64]
    """Where each begins in its document."""

    @property
    def length(self) -> int:
        return len(self.tokens)

    def origin(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The documents of positions, and where they lie in these."""
        stretch = np.searchsorted(self.starts, positions, side="right") - 1
        return self.documents[stretch], self.within[stretch] + positions - self.starts[stretch]

    def part(self, lo: NDArray[np.int64], hi: NDArray[np.int64], separator: int) -> "_Passages":
        """Stretches of these stretches."""
        return _copied([(self.tokens, lo, hi, *self.origin(lo))], separator)


def _copied(
    parts: Sequence[tuple[Any, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]], separator: int
) -> _Passages:
    """Stretches ``[lo, hi)`` of several texts, of which documents and places are given, in order."""
    from suffixindex.kernels.duplicates import copy_stretches

    sources = np.repeat(np.arange(len(parts)), [len(lo) for _, lo, *_ in parts])
    lo, hi, documents, within = (np.concatenate([part[column] for part in parts]) for column in range(1, 5))
    order = np.lexsort((within, documents))
    sources, lo, hi = sources[order], lo[order], hi[order]
    starts = np.cumsum(np.append(0, hi - lo + 1))
    tokens = np.empty(int(starts[-1]), parts[0][0].dtype)
    for number, (source, *_) in enumerate(parts):
        here = sources == number
        copy_stretches(source, lo[here], hi[here], separator, starts[:-1][here], tokens)
    tokens.flags.writeable = False  # as those that are mapped, for which the sieve is compiled
    return _Passages(tokens, starts[:-1], documents[order], within[order])


def _gather_documents(
    texts: Sequence[DocumentText], candidates: Sequence[NDArray[np.bool_]], length: int, separator: int
) -> _Passages:
    """The text that windows of candidates cover."""
    parts = []
    for text, marks in zip(texts, candidates, strict=True):
        lo, hi = stretches_of(marks, length)
        place = np.searchsorted(text.offsets, lo, side="right") - 1
        parts.append((text.tokens, lo, hi, text.documents[place], lo - text.offsets[place]))
    return _copied(parts, separator)


def _like_fresh(
    texts: Sequence[DocumentText], length: int, pool: Executor, threads: int, separator: int
) -> list[NDArray[np.bool_]]:
    """Marks of the windows that may be equal to a fresh one, itself among them; of the others, few. None is stale."""
    candidates = [np.zeros(text.length, bool) for text in texts]
    with_fresh = [text for text in texts if text.fresh is not None]
    fresh = _gather_documents(with_fresh, [text.fresh_windows(length) for text in with_fresh], length, separator)
    if not fresh.length:
        return candidates
    few = fresh.length * SEARCH < sum(text.length for text in texts)
    sieved = []
    for text, marks in zip(texts, candidates, strict=True):
        if few and text.shard is not None:
            _search(text, text.shard, fresh, length, pool, threads, marks)
        else:
            sieved.append((text, marks))
    _sieve_like(fresh, sieved, length, pool, threads, separator)
    return candidates


def _sieve_like(
    fresh: _Passages,
    texts: Sequence[tuple[DocumentText, NDArray[np.bool_]]],
    length: int,
    pool: Executor,
    threads: int,
    separator: int,
) -> None:
    """Mark the windows of texts that may be equal to one of some passages: by samples if they are long, then by themselves."""
    from suffixindex.kernels.duplicates import sieve, sieve_samples

    size = 1 << max(SPARSE * fresh.length // 4 - 1, 0).bit_length()
    of_fresh = np.zeros(1, np.int64), np.array([fresh.length])
    nowhere = np.zeros(0, bool)
    for number, base in enumerate(BASES[:2]):

        def ask(
            tokens: Any, lo: Any, hi: Any, keep: bool, marks: Any, number: int = number, base: int = base, seen: Any = None
        ) -> None:
            with np.errstate(over="ignore"):
                if number == 0 and length >= SAMPLED:
                    sieve_samples(tokens, lo, hi, separator, length, *sample_bases(length), 0, 1, keep, seen, marks)
                else:
                    everywhere = number == 0 or not keep
                    sieve(tokens, separator, length, *hash_bases(base, length), 0, 1, lo, hi, everywhere, keep, seen, marks)

        ask = partial(ask, seen=np.zeros(size, np.uint8))
        for _ in range(2):  # noted twice, a window is as one that occurs again
            ask(fresh.tokens, *of_fresh, False, nowhere)
        for text, marks in texts:
            lo, hi = text.live() if number == 0 else stretches_of(marks, length)

            def look_up(first: int, last: int, ask: Any = ask, tokens: Any = text.tokens, asked: Any = (lo, hi, marks)) -> None:
                lo, hi, marks = asked
                ask(tokens, lo[first:last], hi[first:last], True, marks)

            in_pieces(look_up, hi - lo, pool, threads)


def _search(
    text: DocumentText, shard: Shard, fresh: _Passages, length: int, pool: Executor, threads: int, marks: NDArray[np.bool_]
) -> None:
    """Mark where a shard holds the windows of some passages: a search for each."""
    sizes = np.diff(np.append(fresh.starts, fresh.length)) - length
    starts = np.repeat(fresh.starts - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
    for first in range(0, len(starts), SEARCHED):
        some = starts[first : first + SEARCHED]
        ids = fresh.tokens[some[:, None] + np.arange(length)].astype(np.int64)
        ends = np.arange(1, len(some) + 1) * length
        low, high = shard.intervals(NgramBatch(ids.ravel(), ends - length, ends), pool, threads)
        for here in np.flatnonzero(high > low).tolist():
            marks[shard.positions_at(int(low[here]), int(high[here]))] = True
    for document in np.flatnonzero(text.stale) if text.stale is not None else ():
        marks[text.offsets[document] : text.offsets[document + 1]] = False


def _covered(tokens: NDArray[np.unsignedinteger[Any]], length: int, separator: int, threads: int) -> Covered:
    """What lies in windows that occur further to the left, and beyond their first occurrence."""
    from suffixindex.kernels.duplicates import permuted_lcp
    from suffixindex.suffix_sort.devices import suffix_array
    from suffixindex.system.memory import MAX_TOKENS

    if len(tokens) > MAX_TOKENS:
        raise too_much(length, len(tokens))
    ranked = suffix_array(tokens, separator=separator, threads=threads)
    plcp = np.zeros(len(ranked), np.uint32)
    permuted_lcp(tokens, ranked, separator, plcp)
    same = np.append(plcp[ranked] >= length, False)  # as the rank before
    same[0] = False
    members = same[1:] | same[:-1]
    positions = ranked[members].astype(np.int64)
    groups = np.flatnonzero(~same[:-1][members])
    if not len(groups):
        return Covered(groups, groups, groups)
    first = np.repeat(np.minimum.reduceat(positions, groups), np.diff(np.append(groups, len(positions))))
    later = positions != first
    positions, first = positions[later], first[later]
    opened = np.maximum(positions, first + length)
    size = len(tokens) + 1
    windows = np.bincount(opened, minlength=size)
    windows -= np.bincount(positions + length, minlength=size)
    covered = np.cumsum(windows, out=windows) > 0
    edges = np.flatnonzero(covered[1:] != covered[:-1]) + 1  # the first token and the last separator are not covered
    begins, ends = edges[::2], edges[1::2]
    starting = np.zeros(len(tokens), bool)
    starting[begins] = True
    openers = np.flatnonzero(starting[opened])
    openers = openers[np.lexsort((-positions[openers], opened[openers]))]
    openers = openers[np.flatnonzero(np.diff(opened[openers], prepend=-1))]  # of several, that which begins there
    return Covered(begins, ends, (first + opened - positions)[openers])
