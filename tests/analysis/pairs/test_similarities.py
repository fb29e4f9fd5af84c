"""What each γ keeps, counted one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.pairs.similarities import Similarities
from analysis.schemas import SIMILARITIES

COSINES = st.sampled_from([-1.0, -0.5, 0.0, 0.18, 0.3, 0.31, 0.7, 1.0]) | st.floats(-1, 1, width=32)


@given(st.lists(st.lists(COSINES, min_size=1, max_size=6), min_size=1, max_size=3))
def test_so_many_are_above_each_gamma(parts: list[list[float]]) -> None:
    found = Similarities()
    for part in parts:
        found.add("t", 2, np.array(part, np.float32)[None])
    values = [round(float(np.float32(value)), 6) for part in parts for value in part]
    table = found.table()
    assert table.schema == SIMILARITIES
    rows = table.to_pylist()
    assert all(row["num_pairs"] == len(values) for row in rows)
    assert {row["gamma"]: row["num_above"] for row in rows} == {
        row["gamma"]: sum(value > row["gamma"] for value in values) for row in rows
    }
    assert rows[-1]["num_above"] == 0


def test_the_advice_keeps_what_it_says() -> None:
    found = Similarities()
    found.add("t", 3, np.arange(100)[None] / 100)
    assert found.advice() == "n = 3: at most 1% above 0.98, 5% above 0.94, 10% above 0.89"
    assert Similarities().advice() == ""
