"""Passages that a corpus repeats, over all shards.

A sieve of hashes finds, without comparing text, a superset of the windows of ``min_length`` tokens that occur twice; where
windows are long it looks first for a part of each that occurs twice, one that neighbouring windows mostly have in common. Only
the stretches that they cover are put together, suffix-sorted and searched for maximal repeats. That loses nothing: the token
before or after a stretch belongs to no window that occurs twice, so no other occurrence of the passage has it there, and the
stretch's end stands for it as a neighbour like no other.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import check_limits, check_positive
from suffixindex.queries.local import LocalShards
from suffixindex.results import Duplicate, Duplicates
from suffixindex.storage.shard import Shard
from suffixindex.system.parallel import split_range

Order = Literal["saved", "length"]

BASES = (0xD1342543DE82EF95, 0xAF251AF3B0F025B5, 0xB564EF22EC7AECE5)
"""Of the hashes of each round of the sieve. The first leaves some 10% of the windows that occur once, the third about none."""

SLOTS = 8  # a token, of two bits each
MAX_BYTES = 1 << 28  # of a thread's slots; a larger corpus is sieved in more parts
SAMPLED = 16  # tokens of windows that are sieved by samples first
MOST_PARTS = 1 << 10  # of a window, one of which is its sample
ONCE, AT_ONCE = np.uint8(0b01010101), 1 << 20  # of slots that were taken; bytes of two tables that are put together at a time


class Sieved(Protocol):
    """Documents one after the other, each followed by a separator."""

    @property
    def tokens(self) -> NDArray[np.unsignedinteger[Any]]: ...

    @property
    def length(self) -> int: ...


class Stretches(NamedTuple):
    """Parts of documents one after the other, each followed by a separator."""

    tokens: NDArray[np.unsignedinteger[Any]]
    starts: NDArray[np.int64]
    documents: NDArray[np.int64]


def find_duplicates(local: LocalShards, min_length: int, limit: int | None, order: Order, max_documents: int | None) -> Duplicates:
    """Repeated passages: the maximal repeats of at least ``min_length`` tokens, in one document or several.

    A passage is a sequence of tokens without a separator that occurs at least twice, overlapping occurrences each, and that cannot
    be made longer without losing one: not all of its occurrences are followed by the same token, nor preceded by the same token,
    where a document's end or start is like no token and no other end or start. So a document that occurs twice is one passage,
    whatever lies in it, and a part of it is another one only if that occurs elsewhere too.

    Parameters
    ----------
    limit
        Passages to list; None: all. ``num_passages`` says how many there are.
    order
        "saved": by ``(count - 1) * length`` descending, then the longer first; "length": by length descending, then by count
        descending. Equal ones by ids ascending.
    max_documents
        Ids of documents to list for each passage, ascending; None: all. ``num_documents`` says how many there are.

    Raises
    ------
    QueryError
        A number is out of range, an unknown order, or more than 2**32 - 2 tokens that seem to repeat.

    Notes
    -----
    O(tokens) for a sieve of hashes: 20 to 40 ns a token on one core; 1 byte a token, and 2 to 4 a token but at most 256 MiB a
    thread for its slots. Then O(r log r) for the r tokens of windows that occur twice, however often
    they do: 100 ns and 10 to 20 bytes each, 24 more for each passage that is found, and 24 for each level of passages that begin
    alike, r of both at worst. r is the whole corpus if everything repeats, or if ``min_length`` is a few tokens. O(count log
    count) for each passage that is listed.
    """
    check_positive(min_length=min_length)
    check_limits(limit=limit, max_documents=max_documents)
    if order not in ("saved", "length"):
        raise QueryError(f"order is {order!r}: expected 'saved' or 'length'")
    shards, separator, pool, threads = local.shards, local.separator, local.pool, local.cores
    candidates = sieve_windows(shards, min_length, pool, threads, separator)
    stretches = _gather(shards, candidates, min_length, separator)
    del candidates
    if not len(stretches.tokens):
        return Duplicates([], 0, 0)
    from suffixindex.kernels.duplicates import count_repeated, find_repeats, permuted_lcp
    from suffixindex.suffix_sort.devices import suffix_array
    from suffixindex.system.memory import MAX_TOKENS

    if len(stretches.tokens) > MAX_TOKENS:
        raise too_much(min_length, len(stretches.tokens))
    ranked = suffix_array(stretches.tokens, separator=separator, threads=threads)
    plcp = np.zeros(len(ranked), np.uint32)
    longest = int(permuted_lcp(stretches.tokens, ranked, separator, plcp))
    num_tokens = int(count_repeated(ranked, plcp, min_length, np.zeros(len(ranked), bool)))
    stack = np.empty((3, max(longest - min_length, 0) + 1), np.int64)

    def repeats(room: int) -> tuple[int, list[NDArray[np.int64]]]:
        out = [np.empty(room, np.int64) for _ in range(3)]
        return int(find_repeats(stretches.tokens, ranked, plcp, separator, min_length, stack, *out)), out

    num_passages, _ = repeats(0)
    _, (lo, hi, lengths) = repeats(num_passages)
    count = hi - lo
    # equal lengths go by ranks, which is the order of ids
    keys = (lo, -lengths, -(count - 1) * lengths) if order == "saved" else (lo, -count, -lengths)
    chosen = np.lexsort(keys)[:limit]

    def passage(number: int) -> Duplicate:
        positions = ranked[lo[number] : hi[number]].astype(np.int64)
        documents = np.unique(stretches.documents[np.searchsorted(stretches.starts, positions, side="right") - 1])
        ids = stretches.tokens[positions[0] : positions[0] + lengths[number]].copy()
        return Duplicate(ids, int(count[number]), len(documents), documents[:max_documents].copy())

    return Duplicates([passage(number) for number in chosen.tolist()], num_passages, num_tokens)


def sieve_windows(texts: Sequence[Sieved], length: int, pool: Executor, threads: int, separator: int) -> list[NDArray[np.bool_]]:
    """Marks of the positions whose window may occur again, by text; none that does is missing."""
    from suffixindex.kernels.duplicates import sieve

    candidates = [np.zeros(text.length, bool) for text in texts]
    if length >= max(text.length for text in texts):
        return candidates
    sampled = length >= SAMPLED
    if sampled:
        _sieve_samples(texts, length, pool, threads, separator, candidates)
    for number, base in enumerate(BASES[1:] if sampled else BASES):
        everywhere = number == 0 and not sampled
        marked = [*zip(texts, candidates, strict=True)]
        num_windows = sum(text.length if everywhere else int(np.count_nonzero(marks)) for text, marks in marked)
        parts, size = _slots(4 * num_windows if sampled else num_windows, threads)
        looked_at = [_whole(text) if everywhere else stretches_of(marks, length) for text, marks in marked]

        asked = size, parts, hash_bases(base, length), looked_at, everywhere

        def work(part: int, asked: Any = asked) -> None:
            size, parts, hashed, looked_at, everywhere = asked
            seen = np.zeros(size, np.uint8)
            with np.errstate(over="ignore"):  # the hash wraps, of which uncompiled kernels would warn
                for keep in (False, True):
                    for text, marks, (lo, hi) in zip(texts, candidates, looked_at, strict=True):
                        windows = (lo, hi, everywhere, keep)
                        sieve(text.tokens, separator, length, *hashed, part, parts, *windows, seen, marks)

        list(pool.map(work, range(parts)))
    return candidates


def _sieve_samples(
    texts: Sequence[Sieved], length: int, pool: Executor, threads: int, separator: int, candidates: Sequence[NDArray[np.bool_]]
) -> None:
    """Mark the windows whose sample may occur again: a part of the text, which costs a random access for one in ten tokens."""
    from suffixindex.kernels.duplicates import sieve_samples

    hashed = sample_bases(length)
    width = hashed[0]
    parts, size = _slots(2 * sum(text.length for text in texts) // (length - width + 2), 1)
    for part in range(parts):

        def work(thread: int, keep: bool, seen: NDArray[np.uint8], part: int = part) -> NDArray[np.uint8]:
            with np.errstate(over="ignore"):
                for text, marks in zip(texts, candidates, strict=True):
                    lo, hi = np.array([split_range(text.length, threads)[thread]]).T.copy()
                    sieve_samples(text.tokens, lo, hi, separator, length, *hashed, part, parts, keep, seen, marks)
            return seen

        tables = list(pool.map(lambda thread, work=work: work(thread, False, np.zeros(size, np.uint8)), range(threads)))
        seen = tables.pop()
        for other in tables:
            for first in range(0, size, AT_ONCE):
                mine, theirs = seen[first : first + AT_ONCE], other[first : first + AT_ONCE]
                once_in_both = mine & theirs & ONCE
                mine |= theirs
                mine |= once_in_both << 1
        list(pool.map(lambda thread, work=work, seen=seen: work(thread, True, seen), range(threads)))


def sample_bases(length: int) -> tuple[int, np.uint64, np.uint64]:
    """The tokens of a sample of windows, and what the sieve needs of its hash."""
    width = max(length * 2 // 3, length - MOST_PARTS)
    return width, *hash_bases(BASES[0], width)


def _slots(num_windows: int, threads: int) -> tuple[int, int]:
    """In how many parts so many windows are sieved, and bytes of the slots of each."""
    wanted = SLOTS * num_windows // 4
    parts = max(threads, -(-wanted // MAX_BYTES))
    return parts, 1 << max(wanted // parts - 1, 0).bit_length()


def _whole(text: Sieved) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A text as one stretch."""
    return np.zeros(1, np.int64), np.array([text.length])


def hash_bases(base: int, length: int) -> tuple[np.uint64, np.uint64]:
    """What the sieve needs of a hash."""
    return np.uint64(base), np.uint64(-pow(base, length, 2**64) % 2**64)


def _gather(shards: Sequence[Shard], candidates: list[NDArray[np.bool_]], length: int, separator: int) -> Stretches:
    """The text that windows of candidates cover, which is a small part of a corpus that does not repeat itself."""
    bounds = [stretches_of(marks, length) for marks in candidates]
    starts = np.concatenate([[0], *(hi - lo + 1 for lo, hi in bounds)]).cumsum()
    tokens = np.empty(int(starts[-1]), shards[0].tokens.dtype)
    documents = np.empty(len(starts) - 1, np.int64)
    firsts = np.cumsum([0, *(len(lo) for lo, _ in bounds)]).tolist()
    base = 0
    for shard, (lo, hi), (first, last) in zip(shards, bounds, pairwise(firsts), strict=True):
        shard.copy_stretches(lo, hi, separator, starts[first:last], tokens)
        documents[first:last] = base + shard.documents_at(lo)
        base += shard.num_documents
    return Stretches(tokens, starts[:-1], documents)


def too_much(length: int, num_tokens: int) -> QueryError:
    from suffixindex.system.memory import MAX_TOKENS

    return QueryError(
        f"passages of {length} tokens and more cover {num_tokens:,} tokens, at most {MAX_TOKENS:,} can be compared at once: ask "
        "for longer ones"
    )


def stretches_of(marks: NDArray[np.bool_], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``[lo, hi)`` of the text that windows of candidates cover."""
    from suffixindex.kernels.duplicates import find_stretches

    room = len(marks) // (length + 1) + 1  # none touches another
    lo, hi = np.empty(room, np.int64), np.empty(room, np.int64)
    found = find_stretches(marks, marks[: len(marks) // 8 * 8].view(np.uint64), length, lo, hi)
    return lo[:found], hi[:found]
