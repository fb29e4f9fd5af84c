"""The checker finds every kind of fault, and none in a right array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffixindex.suffix_sort.check import check_suffix_array, sample_check_suffix_array
from suffixindex.suffix_sort.sort import suffix_array

SEPARATOR = 0xFFFF


def documents(seed: int = 0, size: int = 2_000) -> np.ndarray:
    tokens = np.random.default_rng(seed).integers(0, 5, size).astype(np.uint16)
    tokens[9::10] = SEPARATOR
    tokens[100:200] = tokens[:100]
    return tokens


def test_right_arrays_pass() -> None:
    for size in (0, 1, 2, 2_000):
        tokens = documents(size=2_000)[:size]
        for separator in (None, SEPARATOR):
            array = suffix_array(tokens, separator=separator)
            for threads in (1, 3):
                assert check_suffix_array(tokens, array, separator, threads) == -1
            assert sample_check_suffix_array(tokens, array, separator, samples=500, seed=1) == -1


@given(st.integers(0, 1_998), st.booleans())
@settings(max_examples=50, deadline=None)
def test_finds_swapped_neighbours(rank: int, separated: bool) -> None:
    tokens = documents()
    separator = SEPARATOR if separated else None
    array = suffix_array(tokens, separator=separator)
    array[[rank, rank + 1]] = array[[rank + 1, rank]]
    assert check_suffix_array(tokens, array, separator, threads=2) >= 0


def test_finds_a_wrong_order_of_ties() -> None:
    tokens = np.array([1, 9, 1, 9], np.uint8)
    assert check_suffix_array(tokens, np.array([0, 2, 1, 3], np.uint32), separator=9) == -1
    assert check_suffix_array(tokens, np.array([2, 0, 3, 1], np.uint32), separator=9) == 3  # where the order is seen to break
    assert check_suffix_array(tokens, np.array([2, 0, 3, 1], np.uint32)) == -1
    assert sample_check_suffix_array(tokens, np.array([2, 0, 3, 1], np.uint32), 9, samples=20) in (1, 3)


@pytest.mark.parametrize("threads", [1, 2])
def test_finds_what_is_no_permutation(threads: int) -> None:
    tokens = documents()
    array = suffix_array(tokens, separator=SEPARATOR)
    duplicate = array.copy()
    duplicate[700] = duplicate[1_500]
    assert check_suffix_array(tokens, duplicate, SEPARATOR, threads) in (700, 1_500)
    outside = array.copy()
    outside[1_234] = len(tokens)
    assert check_suffix_array(tokens, outside, SEPARATOR, threads) == 1_234
    assert sample_check_suffix_array(tokens, outside, SEPARATOR, samples=50_000) in (1_234, 1_235)


def test_another_length_is_wrong_where_the_shorter_ends() -> None:
    tokens = documents()
    array = suffix_array(tokens, separator=SEPARATOR)
    assert check_suffix_array(tokens, array[:-1], SEPARATOR) == len(tokens) - 1
    assert sample_check_suffix_array(tokens[:-1], array, SEPARATOR) == len(tokens) - 1


def test_a_sample_is_seeded() -> None:
    tokens = documents()
    array = suffix_array(tokens, separator=SEPARATOR)
    array[[500, 501]] = array[[501, 500]]
    found = {sample_check_suffix_array(tokens, array, SEPARATOR, samples=200, seed=seed) for seed in range(30)}
    assert found <= {-1, 500, 501, 502}
    assert len(found) > 1
    assert sample_check_suffix_array(tokens, array, SEPARATOR, samples=200, seed=4) == sample_check_suffix_array(
        tokens, array, SEPARATOR, samples=200, seed=4
    )
