"""Anchors against their definition: what tells them, what they tell apart, and how they are numbered."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from suffixindex.kernels.jit import bit_count, kernel
from suffixindex.kernels.sort.anchors import WINDOW, anchor_number, told_apart
from suffixindex.kernels.sort.codes import RankedText
from suffixindex.kernels.sort.cover import MODULUS
from suffixindex.suffix_sort.induce import plan_induction
from suffixindex.suffix_sort.text import Workers, rank_text


@kernel
def read_bitmap(anchors, limits, numbers):
    """``told_apart`` and ``anchor_number`` of every position."""
    for position in range(len(limits)):
        limits[position] = told_apart(anchors, position)
        numbers[position] = anchor_number(anchors, position)


@kernel
def count_bits(word):
    return bit_count(word)


def planned(tokens: NDArray[np.unsignedinteger], separator: int, groups: int, threads: int) -> RankedText:
    with ThreadPoolExecutor(threads) as pool:
        workers = Workers(pool, threads)
        text = rank_text(tokens, separator, workers)
        plan_induction(text, len(tokens), groups, workers)
    return text


def marked(text: RankedText, size: int) -> NDArray[np.bool_]:
    return np.unpackbits(text.anchors[::2].astype("<u8").view(np.uint8), bitorder="little")[:size].astype(bool)


@given(st.integers(0, 2**32), st.sampled_from([3, 8, 200]), st.integers(1, 600), st.sampled_from([0.0, 0.01, 0.1]))
@settings(max_examples=60, deadline=None)
def test_anchors_are_told_by_the_tokens_that_follow(seed: int, alphabet: int, size: int, separators: float) -> None:
    random = np.random.default_rng(seed)
    tokens = random.integers(0, alphabet, size).astype(np.uint16)
    tokens[random.random(size) < separators] = 0xFFFF
    text = planned(tokens, 0xFFFF, 8, 1)
    assert np.array_equal(planned(tokens, 0xFFFF, 8, 3).anchors, text.anchors)
    if not text.anchors.any():
        return
    anchors = marked(text, size)
    assert anchors[tokens == 0xFFFF].all()
    told: dict[tuple[int, ...], bool] = {}
    for position in range(size):
        window = text.ranks[position : position + WINDOW].tolist()
        if text.separator in window:
            window = window[: window.index(text.separator) + 1]
        assert told.setdefault(tuple(window), bool(anchors[position])) == anchors[position]


@given(st.lists(st.integers(0, 400), max_size=20), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_bitmap_is_read_as_defined(places: list[int], size: int) -> None:
    is_anchor = np.zeros(size, bool)
    is_anchor[[place for place in places if place < size]] = True
    padded = np.zeros((size // 64 + 2) * 64, np.uint8)
    padded[:size] = is_anchor
    bitmap = np.zeros(len(padded) // 32, np.uint64)
    bitmap[::2] = np.packbits(padded, bitorder="little").view("<u8")
    bitmap[1::2] = np.r_[0, np.cumsum(padded.reshape(-1, 64).sum(axis=1, dtype=np.uint64))[:-1]]
    limits, numbers = np.zeros(size, np.int64), np.zeros(size, np.int64)
    read_bitmap(bitmap, limits, numbers)
    for position in range(size):
        following = np.flatnonzero(is_anchor[position:])
        distance = int(following[0]) if len(following) else 0
        assert limits[position] == (distance + WINDOW if 0 < distance <= MODULUS - WINDOW else MODULUS)
        assert numbers[position] == is_anchor[:position].sum()


@pytest.mark.parametrize("word", [0, 1, 2**63, 2**64 - 1, 0x5555_5555_5555_5555])
def test_bits_are_counted(word: int) -> None:
    assert count_bits(np.uint64(word)) == word.bit_count()


def test_random_text_has_anchors() -> None:
    tokens = np.random.default_rng(0).integers(0, 1000, 20_000).astype(np.uint16)
    text = planned(tokens, 0xFFFF, 16, 2)
    assert 200 < text.num_anchors == marked(text, len(tokens)).sum() < 2_000
