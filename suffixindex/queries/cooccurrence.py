"""Which documents hold several n-grams together: questions of clauses, planned by cost, answered shard by shard.

One question is answered by stamping the documents of each clause in turn, the rarest first, or by reading the documents
of the rarest where the other clauses are so frequent that this is less work. Many pairs share work: the documents of each
rarer clause are listed once, those of each more frequent one stamped once, for all pairs it is in.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Checked, Clause, NgramBatch, Query, aliases, join
from suffixindex.patterns import CheckedPattern
from suffixindex.queries.document_marks import Stamps
from suffixindex.query_checker import QueryChecker
from suffixindex.storage.shard import FEW, LOOK, Interval, Shard
from suffixindex.system.parallel import in_pieces
from suffixindex.system.patience import can_wait, few_enough

STAMPING = 2.5
"""Cost of stamping an occurrence, in tokens read; both are about nanoseconds (benchmarks/README.md)."""
ALONE = 20_000
"""What it costs to plan a pair alone, in tokens read."""
QUESTION = 100_000
"""What one question costs without compiled code, beside the looks at its occurrences, in ns."""
NEAR = 3  # cost of a place that is read near an occurrence, in occurrences that are listed
LISTED_DOCUMENTS = 1 << 26
"""Document numbers that a bulk call lists at a time: 256 MiB."""
NO_CLAUSE = "a co-occurrence needs at least one clause, and a clause at least one n-gram"


class Questions(NamedTuple):
    """Distinct clauses and what is asked of them."""

    ngrams: NgramBatch
    """The distinct n-grams."""
    members: NDArray[np.int64]
    """N-grams of clause after clause."""
    offsets: NDArray[np.int64]
    """Clause c is any of the n-grams ``members[offsets[c] : offsets[c + 1]]``."""
    pairs: NDArray[np.int64]
    """``[number of pairs, 2]``: clauses that must both hold; the same one twice if one clause is asked."""
    pair_places: NDArray[np.int64]
    """The question that each pair is."""
    longer: list[tuple[int, list[int]]]
    """(question, clauses) of questions with three clauses and more."""
    size: int
    """How many questions."""


def check_clauses(clauses: Iterable[Clause], checker: QueryChecker) -> list[list[Checked]]:
    """The n-grams of each clause of one question, checked.

    Raises
    ------
    QueryError
        No clause, a clause without n-grams, or a bad n-gram.
    """
    ngrams = [[checker.query(alias) for alias in aliases(clause)] for clause in clauses]
    if not ngrams or not all(ngrams):
        raise QueryError(NO_CLAUSE)
    return ngrams


def number_questions(questions: Iterable[Sequence[Clause]], checker: QueryChecker) -> Questions:
    """Number the distinct n-grams and clauses of all questions. About a microsecond a clause.

    Raises
    ------
    QueryError
        A question without clauses, a clause without n-grams, or a bad n-gram.
    """
    ngram_numbers: dict[Hashable, int] = {}
    clause_numbers: dict[Hashable, int] = {}
    ngrams: list[Checked] = []
    clauses: list[list[int]] = []
    pairs: list[tuple[int, int]] = []
    pair_places: list[int] = []
    longer: list[tuple[int, list[int]]] = []
    place = -1
    for place, question in enumerate(questions):
        if isinstance(question, str):
            raise QueryError("expected the n-grams of a pair, found one text: put it in a list")
        wanted: dict[int, None] = {}
        for clause in question:
            key = _key(clause)
            number = clause_numbers.get(key)
            if number is None:
                members = []
                for alias in aliases(clause):
                    checked = checker.query(alias)
                    key_of_it = checked if isinstance(checked, CheckedPattern) else checked.tobytes()
                    members.append(ngram_numbers.setdefault(key_of_it, len(ngrams)))
                    if members[-1] == len(ngrams):
                        ngrams.append(checked)
                if not members:
                    raise QueryError(NO_CLAUSE)
                number = clause_numbers[key] = len(clauses)
                clauses.append(members)
            wanted[number] = None
        if not wanted:
            raise QueryError(NO_CLAUSE)
        if len(wanted) > 2:
            longer.append((place, list(wanted)))
        else:
            numbers = list(wanted)
            pairs.append((numbers[0], numbers[-1]))
            pair_places.append(place)
    offsets = np.cumsum([0, *map(len, clauses)])
    members_of_all = np.array([number for clause in clauses for number in clause], np.int64)
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return Questions(join(ngrams), members_of_all, offsets, both, np.array(pair_places, np.int64), longer, place + 1)


def number_pairs(pairs: Any, ngrams: NgramBatch) -> Questions:
    """Pairs of numbers of n-grams as questions.

    Raises
    ------
    QueryError
        They are no pairs, or a number is no n-gram's.
    """
    array = np.asarray(pairs)
    if array.size == 0:
        array = np.empty((0, 2), np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise QueryError(f"pairs of n-grams' numbers are an integer array [pairs, 2], found {array.dtype} {list(array.shape)}")
    if array.size and not 0 <= array.min() <= array.max() < len(ngrams):
        raise QueryError(f"a pair holds number {array.min()} or {array.max()}: there are {len(ngrams):,} n-grams, from 0")
    each = np.arange(len(ngrams) + 1)
    return Questions(ngrams, each[:-1], each, array.astype(np.int64), np.arange(len(array)), [], len(array))


def number_matrix(rows: Iterable[Query], columns: Iterable[Query]) -> tuple[NDArray[np.int64], list[Query], tuple[int, int]]:
    """The pairs of each row with each column as numbers of n-grams, the n-grams, and the matrix's shape."""
    first, second = list(rows), list(columns)
    pairs = np.indices((len(first), len(second))).reshape(2, -1).T + np.array([0, len(first)])
    return pairs, [*first, *second], (len(first), len(second))


def count_together(
    shard: Shard,
    questions: Questions,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    stamps: Stamps,
    pool: Executor,
    threads: int,
) -> NDArray[np.int64]:
    """Documents of one shard that hold all clauses of each question: ``int64[questions.size]``.

    ``low`` and ``high`` are the intervals of the distinct n-grams in this shard.
    """
    occurrences = np.add.reduceat((high - low)[questions.members], questions.offsets[:-1]) if len(low) else low
    counts = np.zeros(questions.size, np.int64)

    def one(numbers: Sequence[int]) -> int:
        rows = [questions.members[questions.offsets[number] : questions.offsets[number + 1]] for number in numbers]
        ngrams = [[questions.ngrams.ngram(row) for row in of_one] for of_one in rows]
        return count_one(shard, ngrams, _intervals(low, high, rows), stamps)

    alone = _answered_alone(shard, questions, occurrences) | _few(questions, occurrences)
    singly = [*questions.longer, *zip(questions.pair_places[alone].tolist(), questions.pairs[alone].tolist(), strict=True)]
    for (place, _), count in zip(singly, pool.map(one, [numbers for _, numbers in singly]), strict=True):
        counts[place] = count
    if not alone.all():
        clauses = low[questions.members], high[questions.members], questions.offsets
        shared = _count_pairs(shard, questions.pairs[~alone], clauses, occurrences, stamps, pool, threads)
        counts[questions.pair_places[~alone]] = shared
    return counts


def documents_of_all(shard: Shard, clauses: Sequence[Sequence[Interval]]) -> NDArray[np.int64]:
    """Ascending documents that hold an n-gram of every clause, which is the intervals of its n-grams."""
    rarest, *others = sorted(clauses, key=lambda clause: sum(high - low for low, high in clause))
    found = shard.documents(rarest)
    for clause in others:
        if not len(found):
            break
        found = found[np.isin(found, shard.documents(clause), assume_unique=True)]
    return found


def documents_within(
    shard: Shard, clauses: Sequence[Sequence[Interval]], lengths: Sequence[Sequence[int]], window: int
) -> NDArray[np.int64]:
    """Ascending documents where some occurrence of every clause starts within ``window`` tokens of the others.

    A clause is the intervals of its n-grams, and their lengths. O(occurrences log occurrences): 30 ns each where they are many. Of
    clauses that are much more frequent than the rarest, only what lies near that is looked for: 10 ns a place.
    """
    sizes = [sum(high - low for low, high in clause) for clause in clauses]
    if not all(sizes):
        return np.empty(0, np.int64)
    rarest = sizes.index(min(sizes))
    first = shard.positions(clauses[rarest], lengths[rarest])
    starts = [
        first if number == rarest else _starts_near(shard, first, *of_clause, window)
        for number, of_clause in enumerate(zip(clauses, lengths, sizes, strict=True))
    ]
    if not all(map(len, starts)):
        return np.empty(0, np.int64)
    if few_enough(sum(map(len, starts)), FEW, LOOK * (1 + len(sizes))):
        return _few_within(shard, starts, window)
    from suffixindex.kernels.windows import documents_within

    positions = np.concatenate(starts)
    found = np.empty(min(shard.num_documents, *map(len, starts)), np.int64)
    asked = positions, shard.documents_at(positions), np.cumsum([0, *map(len, starts)]), min(window, shard.length)
    return found[: documents_within(*asked, np.empty(len(starts), np.int64), found)]


def _starts_near(
    shard: Shard, first: NDArray[np.int64], clause: Sequence[Interval], lengths: Sequence[int], size: int, window: int
) -> NDArray[np.int64]:
    """Ascending starts of a clause's n-grams, or where these are many, of those within ``window`` tokens of some positions."""
    if NEAR * len(first) * (2 * window + 1) >= size or not all(lengths) or shard.mirrored:
        return shard.positions(clause, lengths)
    places = np.unique(np.clip(first[:, None] + np.arange(-window, window + 1), 0, shard.length - 1))
    found = np.zeros(len(places), bool)
    for (low, high), length in zip(clause, lengths, strict=True):
        there = np.flatnonzero(places + length <= shard.length)
        for start in shard.positions_at(low, min(low + 1, high)).tolist():  # of one, which says its tokens
            for shift, token in enumerate(shard.read(start, start + length)):
                there = there[shard.tokens[places[there] + shift] == token]
            found[there] = True
    return places[found]


def _few_within(shard: Shard, starts: Sequence[NDArray[np.int64]], window: int) -> NDArray[np.int64]:
    """The same without compiled code, given where each clause starts.

    The leftmost of such occurrences starts a span of at most ``window``: from each on, the next one of every clause is looked up.
    """
    candidates = np.unique(np.concatenate(starts))
    reach = np.minimum(
        candidates + min(window, shard.length), shard.document_offsets[shard.documents_at(candidates) + 1].astype(np.int64) - 1
    )
    ok = np.ones(len(candidates), bool)
    for found in starts:
        following = np.searchsorted(found, candidates)
        ok &= following < len(found)
        ok &= found[np.minimum(following, len(found) - 1)] <= reach
    return np.unique(shard.documents_at(candidates[ok]))


def count_within(
    shard: Shard, questions: Questions, low: NDArray[np.int64], high: NDArray[np.int64], window: int, pool: Executor
) -> NDArray[np.int64]:
    """As :func:`count_together`, where some occurrences of all clauses start within ``window`` tokens of each other."""
    lengths = questions.ngrams.stops - questions.ngrams.starts

    def one(numbers: Sequence[int]) -> int:
        rows = [questions.members[questions.offsets[number] : questions.offsets[number + 1]] for number in numbers]
        return len(documents_within(shard, _intervals(low, high, rows), [lengths[of_one].tolist() for of_one in rows], window))

    counts = np.zeros(questions.size, np.int64)
    asked = [*questions.longer, *zip(questions.pair_places.tolist(), questions.pairs.tolist(), strict=True)]
    for (place, _), count in zip(asked, pool.map(one, [numbers for _, numbers in asked]), strict=True):
        counts[place] = count
    return counts


def _intervals(low: NDArray[np.int64], high: NDArray[np.int64], rows: Sequence[NDArray[np.int64]]) -> list[list[Interval]]:
    """The intervals of the n-grams of each clause."""
    return [list(zip(low[of_one].tolist(), high[of_one].tolist(), strict=True)) for of_one in rows]


def _answered_alone(shard: Shard, questions: Questions, occurrences: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pairs for which reading the documents of the rarer clause is less work than stamping the more frequent one for all."""
    rare, frequent = _by_frequency(questions.pairs, occurrences)
    length = shard.length / shard.num_documents
    read = ALONE + np.minimum(occurrences[rare], shard.num_documents) * length * np.diff(questions.offsets)[frequent]
    of_groups = np.bincount(frequent, read, len(occurrences))
    return (of_groups < STAMPING * occurrences)[frequent]


def _few(questions: Questions, occurrences: NDArray[np.int64]) -> bool:
    """Whether the documents of each question's clauses are listed without compiled code."""
    if not can_wait(questions.size * QUESTION):
        return False
    looks = occurrences[questions.pairs].sum() + sum(occurrences[numbers].sum() for _, numbers in questions.longer)
    return can_wait(questions.size * QUESTION + int(looks) * LOOK)


def _by_frequency(pairs: NDArray[np.int64], occurrences: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rarer clause of each pair, and the more frequent one."""
    swapped = occurrences[pairs[:, 0]] > occurrences[pairs[:, 1]]
    return np.where(swapped, pairs[:, 1], pairs[:, 0]), np.where(swapped, pairs[:, 0], pairs[:, 1])


def count_one(
    shard: Shard, clauses: Sequence[Sequence[NDArray[np.int64]]], intervals: Sequence[Sequence[Interval]], stamps: Stamps
) -> int:
    """Documents of one shard that hold an n-gram of every clause, given the interval of each."""
    sizes = [sum([high - low for low, high in clause]) for clause in intervals]
    if can_wait(sum(sizes) * LOOK):
        return len(documents_of_all(shard, intervals))
    kernels = _kernels()
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    rarest, others = order[0], order[1:]
    if not sizes[rarest]:
        return 0
    listed = min(sizes[rarest], shard.num_documents)
    ngrams = [ngram for clause in others for ngram in clauses[clause]]
    to_read = listed * shard.length / shard.num_documents * len(ngrams)
    if to_read < STAMPING * (sum(sizes) - sizes[rarest]) and all(map(len, ngrams)):
        documents = shard.documents(intervals[rarest]).astype(np.uint32)
        of_clauses = np.cumsum([0, *(len(clauses[clause]) for clause in others)])
        return int(
            kernels.count_reading(
                shard.tokens, shard.document_offsets, documents, *join([shard.as_stored(ngram) for ngram in ngrams])[:3], of_clauses
            )
        )
    ranks = np.array([interval for clause in order for interval in intervals[clause]])
    of_clauses = np.array([0, *accumulate(len(intervals[clause]) for clause in order)])
    return int(shard.run(kernels.count_holding_all, *shard.postings, ranks, of_clauses, stamps.array, stamps.take(len(order))))


@cache
def _kernels() -> Any:
    """The kernels of one question, loaded with the first: an import statement is a microsecond of each."""
    from suffixindex.kernels import occurrences

    return occurrences


def _count_pairs(
    shard: Shard,
    pairs: NDArray[np.int64],
    clauses: tuple[NDArray[np.int64], ...],
    occurrences: NDArray[np.int64],
    stamps: Stamps,
    pool: Executor,
    threads: int,
) -> NDArray[np.int64]:
    """Documents that hold both clauses of each pair: ``int64[len(pairs)]``."""
    from suffixindex.kernels.occurrences import Clauses, Lists, count_pairs, list_documents

    asked_of = Clauses(*clauses)
    rare, frequent = _by_frequency(pairs, occurrences)
    counts = np.zeros(len(pairs), np.int64)
    for part in _parts(rare, np.minimum(occurrences, shard.num_documents)):
        order = part[np.lexsort((rare[part], frequent[part]))]
        listed, partners = np.unique(rare[order], return_inverse=True)
        room = np.minimum(occurrences[listed], shard.num_documents)
        ends = np.cumsum(room)
        lists = Lists(np.empty(int(ends[-1]), np.uint32), ends - room, np.empty(len(listed), np.int64))

        def fill(first: int, last: int, listed: NDArray[np.int64] = listed, lists: Lists = lists) -> None:
            stamp = stamps.take(last - first)
            shard.run(list_documents, shard.postings, asked_of, listed, first, last, stamps.array, stamp, lists)

        in_pieces(fill, occurrences[listed], pool, threads)
        groups = np.append(np.flatnonzero(np.diff(frequent[order], prepend=-1)), len(order))
        of_groups = frequent[order[groups[:-1]]]
        answers = np.empty(len(order), np.int64)
        asked = (of_groups, groups, partners, lists)

        def count(first: int, last: int, asked: Any = asked, answers: NDArray[np.int64] = answers) -> None:
            stamp = stamps.take(last - first)
            shard.run(count_pairs, shard.postings, asked_of, *asked, first, last, stamps.array, stamp, answers)

        looked_through = np.add.reduceat((lists.stops - lists.starts)[partners], groups[:-1])
        in_pieces(count, STAMPING * occurrences[of_groups] + looked_through, pool, threads)
        counts[order] = answers
    return counts


def _parts(rare: NDArray[np.int64], room: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Places of the pairs whose rarer clause occurs, in parts whose lists of documents fit the memory for them."""
    alive = np.flatnonzero(room[rare] > 0)
    listed = np.unique(rare[alive])
    part = np.zeros(len(room), np.int64)
    part[listed] = np.cumsum(room[listed]) // LISTED_DOCUMENTS
    of_pairs = part[rare[alive]]
    for number in np.unique(of_pairs):
        yield alive[of_pairs == number]


def _key(clause: Any) -> Hashable:
    """Something hashable that equal clauses share."""
    if isinstance(clause, str):
        return clause
    if isinstance(clause, np.ndarray):
        clause = clause.tolist()
    if isinstance(clause, (list, tuple)):
        try:
            key = tuple(clause)
            hash(key)
        except TypeError:
            return tuple(_key(part) for part in clause)
        return key
    return clause if isinstance(clause, Hashable) else object()
