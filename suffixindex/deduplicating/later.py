"""What a corpus said before: the windows of so many tokens that occur earlier in it, among all or among some that are new."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import NgramBatch
from suffixindex.queries.duplicates import BASES, SAMPLED, hash_bases, sample_bases, sieve_windows, stretches_of, too_much
from suffixindex.storage.shard import Shard
from suffixindex.system.memory import MAX_TOKENS, total_memory
from suffixindex.system.parallel import RANGES_PER_THREAD, in_pieces, split_range

SPARSE = 32  # slots for a window that is looked for
SEARCH = 128  # tokens of the corpus that are sieved while one n-gram is searched, and one for 8 of its tokens
LONG = 1 << 10  # bytes of windows that are not compared, since many may be equal
MEMORY_SHARE, WINDOW_BYTES = 2, 16  # of memory a half where a suffix array is read; what a window takes while they are sorted

Ranges = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Half-open intervals of positions, ascending."""


class DocumentText(NamedTuple):
    """Some documents one after the other, each followed by a separator."""

    tokens: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]
    """The first token of each, then the length."""
    documents: NDArray[np.int64]
    """Which they are, ascending."""
    fresh: Ranges | None = None
    """Where the windows begin that are to be looked for; None in all texts: every one."""
    own: Ranges | None = None
    """Where those begin that lie in no shard as they lie here."""
    stale: NDArray[np.bool_] | None = None
    """By document: those that another text has in their place."""
    shard: Shard | None = None
    """Of which they are all, as they are."""

    @property
    def length(self) -> int:
        return len(self.tokens)

    def origin(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The documents of positions, and where they lie in these."""
        place = np.searchsorted(self.offsets, positions, side="right") - 1
        return self.documents[place], positions - self.offsets[place]

    def live(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``[lo, hi)`` of the documents that are not stale."""
        live = ~self.stale if self.stale is not None else np.ones(len(self.documents), bool)
        return self.offsets[:-1][live], self.offsets[1:][live]


Ask = Callable[[Any, NDArray[np.int64], NDArray[np.int64], bool, NDArray[np.bool_]], None]
"""Of tokens and stretches of these: note what windows they hold, or (true) look up which were noted, and mark these."""

NOTHING: Ranges = (np.empty(0, np.int64), np.empty(0, np.int64))


class Later(NamedTuple):
    """Parts of documents, ascending, in tokens from the document's start."""

    documents: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    first_documents: NDArray[np.int64]
    """Which hold the first occurrence of what each part begins with."""
    first_starts: NDArray[np.int64]


def find_later(texts: Sequence[DocumentText], length: int, pool: Executor, threads: int, separator: int) -> Later:
    """What lies in windows of ``length`` tokens that occur earlier: in an earlier document, or further to the left in the same one.

    Where a window overlaps its first occurrence, only what lies beyond that. A shard alone that fits into memory is looked through
    by its suffix array, unless windows are long: 10 ns a token on one core. Else it costs what :func:`find_duplicates` costs; where
    only some windows are looked for, up to 8 ns a token.

    Raises
    ------
    FormatError
        The suffix array is damaged.
    QueryError
        More than 2**32 - 2 tokens seem to repeat.
    """
    if all(text.fresh is None for text in texts):
        whole = texts[0].shard
        if len(texts) == 1 and whole is not None and _fits(whole) and length * whole.tokens.itemsize < LONG:
            return _later(texts[0], whole.suffix_array, np.empty(0, np.uint32), length, pool, threads, whole.run)
        marked = sieve_windows(texts, length, pool, threads, separator)
        found = _gather_documents(texts, [stretches_of(marks, length) for marks in marked], separator)
    else:
        marked = _like_fresh(texts, length, pool, threads, separator)
        like_fresh = _gather_documents(texts, [stretches_of(marks, length) for marks in marked], separator)
        (marks,) = sieve_windows([like_fresh], length, pool, threads, separator)
        found = like_fresh.part(*stretches_of(marks, length), separator)
    if not found.length:
        return Later(*(np.empty(0, np.int64) for _ in range(5)))
    if found.length > MAX_TOKENS:
        raise too_much(length, found.length)
    from suffixindex.kernels.duplicates import permuted_lcp
    from suffixindex.suffix_sort.devices import suffix_array

    ranked = suffix_array(found.tokens, separator=separator, threads=threads)
    ranked.flags.writeable = False  # as one that is mapped
    plcp = np.zeros(found.length if length * found.tokens.itemsize >= LONG else 0, np.uint32)
    if len(plcp):
        permuted_lcp(found.tokens, ranked, separator, plcp)
    return _later(found, ranked, plcp, length, pool, threads, lambda kernel, *arguments: kernel(*arguments))


def _fits(shard: Shard) -> bool:
    """Whether memory holds what is read in no order, and all windows, if each is a later one."""
    return shard.length * (shard.tokens.itemsize + WINDOW_BYTES) <= total_memory() // MEMORY_SHARE


def _later(
    text: "DocumentText | _Passages",
    ranked: NDArray[Any],
    plcp: NDArray[np.uint32],
    length: int,
    pool: Executor,
    threads: int,
    run: Callable[..., Any],
) -> Later:
    """As :func:`find_later`, of a text whose suffix array is there, and its ``plcp`` or nothing; ``run`` calls a kernel."""
    from suffixindex.kernels.duplicates import later_stretches, later_windows

    memory = np.array(text.tokens).view(np.uint8)  # a copy has larger pages than a file, which random reads gain from

    def look(low: int, high: int) -> NDArray[np.uint64]:
        room, number = 0, high - low
        while room < number:  # mostly once
            room = number
            found = np.empty(room, np.uint64)
            number = run(later_windows, memory, text.tokens.itemsize, ranked, plcp, length, low, high, found)
        return found[:number].copy()

    ranges = split_range(text.length, min(RANGES_PER_THREAD * threads, text.length))
    windows = np.concatenate([*pool.map(look, *zip(*ranges, strict=True))])
    windows.sort()
    columns = [np.empty(len(windows), np.int64) for _ in range(3)]
    number = later_stretches(windows, text.offsets, length, *columns)
    begins, ends, sources = (column[:number] for column in columns)
    documents, starts = text.origin(begins)
    return Later(documents, starts, starts + ends - begins, *text.origin(sources))


class _Passages(NamedTuple):
    """Stretches of documents, each followed by a separator, in the order of the documents and of their places in these."""

    tokens: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]
    """The first token of each, then the length."""
    documents: NDArray[np.int64]
    within: NDArray[np.int64]
    """Where each begins in its document."""

    @property
    def length(self) -> int:
        return len(self.tokens)

    def origin(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The documents of positions, and where they lie in these."""
        stretch = np.searchsorted(self.offsets, positions, side="right") - 1
        return self.documents[stretch], self.within[stretch] + positions - self.offsets[stretch]

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
    offsets = np.cumsum(np.append(0, hi - lo + 1))
    tokens = np.empty(int(offsets[-1]), parts[0][0].dtype)
    for number, (source, *_) in enumerate(parts):
        here = sources == number
        copy_stretches(source, lo[here], hi[here], separator, offsets[:-1][here], tokens)
    tokens.flags.writeable = False  # as those that are mapped, for which the sieve is compiled
    return _Passages(tokens, offsets, documents[order], within[order])


def _gather_documents(texts: Sequence[DocumentText], stretches: Sequence[Ranges], separator: int) -> _Passages:
    """Stretches of documents of each text."""
    return _copied([(text.tokens, lo, hi, *text.origin(lo)) for text, (lo, hi) in zip(texts, stretches, strict=True)], separator)


def _like_fresh(
    texts: Sequence[DocumentText], length: int, pool: Executor, threads: int, separator: int
) -> list[NDArray[np.bool_]]:
    """Marks of the windows that may be equal to a fresh one, itself among them; of the others, few. None is stale."""
    candidates = [np.zeros(text.length, bool) for text in texts]
    with_fresh = [(text, *text.fresh) for text in texts if text.fresh is not None]
    fresh = _gather_documents([text for text, _, _ in with_fresh], [(lo, hi + length - 1) for _, lo, hi in with_fresh], separator)
    if not fresh.length:
        return candidates
    looked_at = [text.live() for text in texts]
    searched = _search_shards(texts, fresh, length, pool, threads)
    if searched is not None:
        again = []
        for place, (text, positions) in enumerate(zip(texts, searched, strict=True)):
            if text.shard is None:
                continue
            looked_at[place] = NOTHING
            document = np.searchsorted(text.offsets, positions, side="right") - 1
            stale = text.stale[document] if text.stale is not None else np.zeros(len(document), bool)
            candidates[place][positions[~stale]] = True
            again.append(text.documents[document[stale]])
        holding = np.unique(np.concatenate(again))
        for place, text in enumerate(texts):
            if text.shard is None and text.own is not None:
                here = np.isin(text.documents, holding)
                lo, hi = text.own
                looked_at[place] = (
                    np.append(text.offsets[:-1][here], lo),
                    np.append(text.offsets[1:][here], hi + length - 1),
                )
    _sieve_like(fresh, [*zip(texts, candidates, looked_at, strict=True)], length, pool, threads, separator)
    return candidates


def _sieve_like(
    fresh: _Passages,
    texts: Sequence[tuple[DocumentText, NDArray[np.bool_], Ranges]],
    length: int,
    pool: Executor,
    threads: int,
    separator: int,
) -> None:
    """Mark the windows of stretches that may be equal to one of some passages: by samples if they are long, then by themselves."""
    from suffixindex.kernels.duplicates import sieve, sieve_samples

    whole = np.zeros(1, np.int64), np.array([fresh.length])

    def noting(number: int) -> Ask:
        sampled = number == 0 and length >= SAMPLED
        bases = sample_bases(length) if sampled else (length, *hash_bases(BASES[number], length))
        noted = 2 * fresh.length // (length - bases[0] + 2)
        seen = np.zeros(1 << max(SPARSE * noted // 4 - 1, 0).bit_length(), np.uint8)

        def ask(tokens: Any, lo: NDArray[np.int64], hi: NDArray[np.int64], keep: bool, marks: NDArray[np.bool_]) -> None:
            with np.errstate(over="ignore"):
                if sampled:
                    sieve_samples(tokens, lo, hi, separator, length, *bases, 0, 1, keep, seen, marks)
                else:
                    sieve(tokens, separator, *bases, 0, 1, lo, hi, number == 0 or not keep, keep, seen, marks)

        for _ in range(2):  # noted twice, a window is as one that occurs again
            ask(fresh.tokens, *whole, False, np.zeros(fresh.length, bool))
        return ask

    for number, ask in enumerate([*pool.map(noting, range(2))]):
        for text, marks, stretches in texts:
            lo, hi = stretches if number == 0 else stretches_of(marks, length)

            def look_up(first: int, last: int, ask: Ask = ask, asked: Any = (text.tokens, lo, hi, marks)) -> None:
                tokens, lo, hi, marks = asked
                ask(tokens, lo[first:last], hi[first:last], True, marks)

            in_pieces(look_up, hi - lo, pool, threads)


def _search_shards(
    texts: Sequence[DocumentText], fresh: _Passages, length: int, pool: Executor, threads: int
) -> list[NDArray[np.int64]] | None:
    """Where each text's shard holds the windows of some passages, of stale documents too; None if many would have to be searched.

    Windows next to each other have a part in common, which is searched first: where it does not occur, nor do they; else one half
    of them is looked for, and the other. Those of a passage of ``2 * length`` tokens and more mostly occur, one by one.
    """
    most = sum(text.length for text in texts) // max(SEARCH + length // 8, 1)
    sizes = np.diff(fresh.offsets) - length
    parts = np.where(sizes < 2 * length, 2, sizes)
    if int(parts.sum()) > most:
        return None
    ids = fresh.tokens.astype(np.int64)
    places = np.arange(int(parts.sum())) - np.repeat(np.cumsum(parts) - parts, parts)
    starts, sizes, parts = (np.repeat(column, parts) for column in (fresh.offsets[:-1], sizes, parts))
    first_lo, first_hi = starts + sizes * places // parts, starts + sizes * (places + 1) // parts
    found = []
    for text in texts:
        positions = [np.empty(0, np.int64)]
        lo, hi = first_lo[first_lo < first_hi], first_hi[first_lo < first_hi]
        while text.shard is not None and len(lo):
            if len(lo) > most:
                return None
            low, high = text.shard.intervals(NgramBatch(ids, hi - 1, lo + length), pool, threads)
            single = (low < high) & (hi - lo == 1)
            positions.append(_positions(text.shard, low[single], high[single]))
            several = (low < high) & ~single
            lo, hi = lo[several], hi[several]
            middle = (lo + hi) // 2
            lo, hi = np.append(lo, middle), np.append(middle, hi)
        found.append(np.concatenate(positions))
    return found


def _positions(shard: Shard, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where n-grams of one length occur, each listed once, given the ranks of each."""
    first, chosen = np.unique(low, return_index=True)
    sizes = high[chosen] - first
    stops = np.cumsum(sizes)
    positions: NDArray[Any] = shard.suffix_array[np.repeat(first - stops + sizes, sizes) + np.arange(int(sizes.sum()))]
    if len(positions) and int(positions.max()) >= shard.length:
        raise shard.damage()
    return positions.astype(np.int64)
