"""Bulk questions in blocks: the answers are those of one call."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import progress
from analysis.progress import in_blocks


@given(st.lists(st.integers(0, 9)), st.integers(1, 7))
def test_answers_are_those_of_one_question_in_their_order(items: list[int], size: int) -> None:
    asked: list[list[int]] = []

    def squares(block: list[int]) -> list[int]:
        asked.append(block)
        return [item * item for item in block]

    assert list(in_blocks(items, squares, desc="squares", unit="items", size=size)) == [item * item for item in items]
    assert [item for block in asked for item in block] == items
    assert all(len(block) == size for block in asked[:-1]) and all(0 < len(block) <= size for block in asked)
    array = np.array(items, np.int64)
    assert list(in_blocks(array, lambda block: 2 * block, desc="doubles", unit="items", size=size)) == [2 * item for item in items]


def test_a_bar_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[tuple[int, int]] = []

    class Bar:
        def __init__(self, *, total: int, desc: str, unit: str, disable: None) -> None:
            self.total, self.at = total, 0
            assert (desc, unit, disable) == ("counting", " pairs", None)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None: ...

        def update(self, number: int) -> None:
            self.at += number
            reached.append((self.at, self.total))

    monkeypatch.setattr(progress, "tqdm", Bar)
    assert len(list(in_blocks(range(10), list, desc="counting", unit="pairs", size=4))) == 10
    assert reached == [(4, 10), (8, 10), (10, 10)]
