"""q-values against the procedure as Benjamini and Hochberg word it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import MeasureError
from analysis.stats.false_discovery import adjusted


@given(st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.2, 0.2, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=12))
def test_q_is_the_least_level_at_which_the_procedure_calls_a_test(p_values: list[float]) -> None:
    """Of m tests in order of p, the largest k with p_(k) ≤ k α / m, and all before it: so q is the least m p_(k) / k from it on."""
    m, ordered = len(p_values), sorted(p_values)
    expected = [min(1.0, *(m * p / (k + 1) for k, p in enumerate(ordered) if p >= mine)) for mine in p_values]
    assert adjusted(p_values).tolist() == pytest.approx(expected)


def test_what_was_not_tested_is_not_counted() -> None:
    assert adjusted([0.01, float("nan"), 0.04]).tolist() == pytest.approx([0.02, float("nan"), 0.04], nan_ok=True)
    assert adjusted([]).tolist() == []


def test_no_probability() -> None:
    with pytest.raises(MeasureError, match="outside"):
        adjusted([1.5])
