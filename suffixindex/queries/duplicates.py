"""Passages that a corpus repeats, over all shards.

A sieve of hashes finds, without comparing text, a superset of the windows of ``min_length`` tokens that occur twice. Only
the stretches that they cover are put together, suffix-sorted and searched for maximal repeats. That loses nothing: the
token before or after a stretch belongs to no window that occurs twice, so no other occurrence of the passage has it there,
and the stretch's end stands for it as a neighbour like no other.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import check_limits, check_positive
from suffixindex.queries.local import LocalShards
from suffixindex.results import Duplicate, Duplicates
from suffixindex.storage.shard import Shard
from suffixindex.system.parallel import in_pieces

Order = Literal["saved", "length"]

BASES = (0xD1342543DE82EF95, 0xAF251AF3B0F025B5, 0xB564EF22EC7AECE5)
"""Of the hashes of each round of the sieve. The first leaves some 10% of the windows that occur once, the third about none."""

SLOTS = 8  # a token, of two bits each
SPARSE = 32  # a window that is looked for
MAX_BYTES = 1 << 28  # of a thread's slots; a larger corpus is sieved in more parts


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
    O(tokens) for a sieve of hashes: 45 ns a token on one core, of which each of several cores takes 15; 1 byte a token, and 2 to 4
    a token but at most 256 MiB a thread for its slots. Then O(r log r) for the r tokens of windows that occur twice, however often
    they do: 100 ns and 10 to 20 bytes each, 24 more for each passage that is found, and 24 for each level of passages that begin
    alike, r of both at worst. r is the whole corpus if everything repeats, or if ``min_length`` is a few tokens. O(count log
    count) for each passage that is listed.
    """
    check_positive(min_length=min_length)
    check_limits(limit=limit, max_documents=max_documents)
    if order not in ("saved", "length"):
        raise QueryError(f"order is {order!r}: expected 'saved' or 'length'")
    shards, separator, pool, threads = local.shards, local.separator, local.pool, local.cores
    candidates = _sieve(shards, min_length, pool, threads, separator)
    stretches = _gather(shards, candidates, min_length, separator)
    del candidates
    if not len(stretches.tokens):
        return Duplicates([], 0, 0)
    from suffixindex.kernels.duplicates import count_repeated, find_repeats, permuted_lcp
    from suffixindex.suffix_sort.devices import suffix_array
    from suffixindex.system.memory import MAX_TOKENS

    if len(stretches.tokens) > MAX_TOKENS:
        raise _too_much(min_length, len(stretches.tokens))
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


def _sieve(texts: Sequence[Sieved], length: int, pool: Executor, threads: int, separator: int) -> list[NDArray[np.bool_]]:
    """Marks of the positions whose window may occur again, by text; none that does is missing."""
    from suffixindex.kernels.duplicates import sieve

    candidates = [np.zeros(text.length, bool) for text in texts]
    wanted = SLOTS * sum(text.length for text in texts) // 4
    parts = max(threads, -(-wanted // MAX_BYTES))
    size = 1 << max(wanted // parts - 1, 0).bit_length()
    for number, base in enumerate(BASES):
        hashed = _hashed(base, length)

        def work(part: int, first: bool = number == 0, hashed: tuple[np.uint64, np.uint64] = hashed) -> None:
            seen = np.zeros(size, np.uint8)
            with np.errstate(over="ignore"):  # the hash wraps, of which uncompiled kernels would warn
                for keep in (False, True):
                    for text, marks in zip(texts, candidates, strict=True):
                        sieve(text.tokens, separator, length, *hashed, part, parts, first, keep, seen, marks)

        list(pool.map(work, range(parts)))
    return candidates


def _hashed(base: int, length: int) -> tuple[np.uint64, np.uint64]:
    """What the sieve needs of a hash."""
    return np.uint64(base), np.uint64(-pow(base, length, 2**64) % 2**64)


def _gather(shards: Sequence[Shard], candidates: list[NDArray[np.bool_]], length: int, separator: int) -> Stretches:
    """The text that windows of candidates cover, which is a small part of a corpus that does not repeat itself."""
    bounds = [_stretches(marks, length) for marks in candidates]
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


def _too_much(length: int, num_tokens: int) -> QueryError:
    from suffixindex.system.memory import MAX_TOKENS

    return QueryError(
        f"passages of {length} tokens and more cover {num_tokens:,} tokens, at most {MAX_TOKENS:,} can be compared at once: ask "
        "for longer ones"
    )


def _stretches(marks: NDArray[np.bool_], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``[lo, hi)`` of the text that windows of candidates cover."""
    from suffixindex.kernels.duplicates import find_stretches

    nowhere = np.empty(0, np.int64)
    room = int(find_stretches(marks, length, nowhere, nowhere))
    lo, hi = np.empty(room, np.int64), np.empty(room, np.int64)
    find_stretches(marks, length, lo, hi)
    return lo, hi


# ---- later occurrences ---------------------------------------------------------------------------------------------


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

    @property
    def length(self) -> int:
        return len(self.tokens)


class Later(NamedTuple):
    """Parts of documents, ascending, in tokens from the document's start."""

    documents: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def find_later(texts: Sequence[DocumentText], length: int, pool: Executor, threads: int, separator: int) -> Later:
    """What lies in windows of ``length`` tokens that occur earlier: in an earlier document, or further to the left in the same one.

    Where a window overlaps its first occurrence, only what lies beyond that. Costs what :func:`find_duplicates` costs; where only
    some windows are looked for, 10 ns a token on one core.

    Raises
    ------
    QueryError
        More than 2**32 - 2 tokens seem to repeat.
    """
    if all(text.fresh is None for text in texts):
        found = _gather_documents(texts, _sieve(texts, length, pool, threads, separator), length, separator)
    else:
        like_fresh = _gather_documents(texts, _like_fresh(texts, length, pool, threads, separator), length, separator)
        (marks,) = _sieve([like_fresh], length, pool, threads, separator)
        found = like_fresh.part(*_stretches(marks, length), separator)
    if not found.length:
        return Later(*(np.empty(0, np.int64) for _ in range(3)))
    covered = _covered(found.tokens, length, separator, threads)
    edges = np.flatnonzero(covered[1:] != covered[:-1]) + 1  # the first token and the last separator are not covered
    begins, ends = edges[::2], edges[1::2]
    documents, within = found.origin(begins)
    return Later(documents, within, within + ends - begins)


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
        lo, hi = _stretches(marks, length)
        place = np.searchsorted(text.offsets, lo, side="right") - 1
        parts.append((text.tokens, lo, hi, text.documents[place], lo - text.offsets[place]))
    return _copied(parts, separator)


def _like_fresh(
    texts: Sequence[DocumentText], length: int, pool: Executor, threads: int, separator: int
) -> list[NDArray[np.bool_]]:
    """Marks of the windows that may be equal to a fresh one, itself among them; of the others, one in a thousand. None is stale."""
    from suffixindex.kernels.duplicates import sieve

    candidates = [np.zeros(text.length, bool) for text in texts]
    fresh = [(text.tokens, text.fresh) for text in texts if text.fresh is not None]
    num_fresh = sum(int(np.count_nonzero(marks)) for _, marks in fresh)
    for number, base in enumerate(BASES[:2]):
        seen = np.zeros(1 << max(SPARSE * num_fresh // 4 - 1, 0).bit_length(), np.uint8)
        asked = separator, length, *_hashed(base, length), 0, 1
        with np.errstate(over="ignore"):
            for tokens, marks in 2 * fresh:  # noted twice, a window is as one that occurs again
                sieve(tokens, *asked, False, False, seen, marks)

        def look_up(
            text: DocumentText, marks: NDArray[np.bool_], first: int, last: int, everywhere: bool, asked: Any, seen: Any
        ) -> None:
            start, stop = text.offsets[first], text.offsets[last]
            with np.errstate(over="ignore"):
                sieve(text.tokens[start:stop], *asked, everywhere, True, seen, marks[start:stop])
            for document in first + np.flatnonzero(text.stale[first:last]) if text.stale is not None else ():
                marks[text.offsets[document] : text.offsets[document + 1]] = False

        for text, marks in zip(texts, candidates, strict=True):
            work = partial(look_up, text, marks, everywhere=number == 0, asked=asked, seen=seen)
            in_pieces(work, np.diff(text.offsets), pool, threads)
    return candidates


def _covered(tokens: NDArray[np.unsignedinteger[Any]], length: int, separator: int, threads: int) -> NDArray[np.bool_]:
    """Whether each token lies in a window that occurs further to the left, and beyond its first occurrence."""
    from suffixindex.kernels.duplicates import permuted_lcp
    from suffixindex.suffix_sort.devices import suffix_array
    from suffixindex.system.memory import MAX_TOKENS

    if len(tokens) > MAX_TOKENS:
        raise _too_much(length, len(tokens))
    ranked = suffix_array(tokens, separator=separator, threads=threads)
    plcp = np.zeros(len(ranked), np.uint32)
    permuted_lcp(tokens, ranked, separator, plcp)
    same = np.append(plcp[ranked] >= length, False)  # as the rank before
    same[0] = False
    members = same[1:] | same[:-1]
    positions = ranked[members].astype(np.int64)
    groups = np.flatnonzero(~same[:-1][members])
    beyond = np.zeros(len(tokens) + 1, np.int32)
    if len(groups):
        first = np.repeat(np.minimum.reduceat(positions, groups), np.diff(np.append(groups, len(positions))))
        later = positions != first
        np.add.at(beyond, np.maximum(positions, first + length)[later], 1)
        np.add.at(beyond, positions[later] + length, -1)
    return np.cumsum(beyond[:-1]) > 0
