"""Ranges cover what they cut, once; calls are answered in order, and no further ahead than allowed."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Lock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffixindex.system import parallel
from suffixindex.system.parallel import Workers, in_order, in_pieces, split_range


@given(st.integers(0, 1000), st.integers(1, 20))
def test_a_range_is_split_into_nearly_equal_parts(size: int, parts: int) -> None:
    found = split_range(size, parts)
    assert [i for lo, hi in found for i in range(lo, hi)] == list(range(size))
    assert len(found) == parts
    assert {hi - lo for lo, hi in found} <= {size // parts, size // parts + 1}


@given(st.lists(st.integers(0, 10**6), max_size=50), st.integers(1, 4))
def test_pieces_cover_everything_once(costs: list[int], threads: int) -> None:
    lock = Lock()
    seen: list[tuple[int, int]] = []

    def work(first: int, last: int) -> None:
        with lock:
            seen.append((first, last))

    with ThreadPoolExecutor(threads) as pool:
        in_pieces(work, np.array(costs, np.int64), pool, threads)
    seen.sort()
    assert [seen[0][0], seen[-1][1]] == [0, len(costs)]
    assert all(before[1] == after[0] for before, after in pairwise(seen))
    assert len(seen) <= parallel.RANGES_PER_THREAD * threads
    if sum(costs) < parallel.SMALL:
        assert len(seen) == 1


@given(st.integers(0, 30), st.integers(0, 5))
def test_answers_come_in_order_and_not_too_early(size: int, ahead: int) -> None:
    begun = taken = 0

    def items() -> "list[int]":
        nonlocal begun
        for item in range(size):
            begun += 1
            assert begun - taken <= ahead + 1
            yield item

    with ThreadPoolExecutor(2) as pool:
        for item, answer in enumerate(in_order(pool, lambda item: item * item, items(), ahead)):
            assert answer == item * item
            taken += 1
    assert taken == size


def test_an_error_comes_in_its_place_and_cancels_what_waits() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        done.append(item)
        return 1 // (3 - item)

    with ThreadPoolExecutor(1) as pool:
        answers = in_order(pool, work, iter(range(1000)), 10)
        assert [next(answers), next(answers), next(answers)] == [0, 0, 1]
        with pytest.raises(ZeroDivisionError):
            next(answers)
    assert len(done) < 20


def test_workers_answer_in_order_and_say_how_far_they_are() -> None:
    said: list[float] = []
    with ThreadPoolExecutor(3) as pool:
        workers = Workers(pool, 3, said.append)
        assert workers.run(pow, [(2, 3), (3, 2)]) == [8, 9]
        assert list(workers.stream(divmod, zip([7, 9], [2, 2], strict=True))) == [(3, 1), (4, 1)]
        assert workers.blocks(7) == [(0, 2), (2, 4), (4, 7)]
        workers.progress(0.5)
        Workers(pool, 3).progress(1.0)
    assert said == [0.5]
