"""Shares of outputs that are empty, cut or repeated, against a count by hand, and what is said of them."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.measures.output_flaws import LEAST, LOOPS, is_repeated, output_flaws, worries
from analysis.schemas import OUTPUT_FLAWS
from tests.helpers.analysis_study import examples_table, generations_table

WORDS = st.lists(st.sampled_from("ab"), max_size=14)


def loops(words: list[str]) -> bool:
    """By definition: the end of the text is a part of some words said again and again, three times and six words at least."""
    for size in range(1, len(words) + 1):
        for tail in (words[-length:] for length in range(max(LOOPS * size, LEAST), len(words) + 1)):
            if all(tail[place] == tail[place + size] for place in range(len(tail) - size)):
                return True
    return False


@given(WORDS)
def test_loops(words: list[str]) -> None:
    assert is_repeated(" ".join(words)) == loops(words)


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("", False),
        ("no, no, no", False),
        ("no no no no no no", True),
        ("the cat sat on the mat, and the other cat sat on the mat", False),
        ("It is. I think it is. I think it is. I think it", True),
        ("2 + 2 = 4, so 2 + 3 = 5", False),
    ],
)
def test_examples_of_loops(text: str, repeated: bool) -> None:
    assert is_repeated(text) == repeated


def test_shares(caplog: pytest.LogCaptureFixture) -> None:
    examples = examples_table([{"example_id": str(number), "subset": "ab"[number % 2]} for number in range(20)])
    texts = ["", "  "] + ["so it goes and so it goes and so it goes and so"] + ["Paris"] * 17
    rows = [
        {"example_id": str(number), "output": text, "ended": "length" if number < 3 else "stop", "metric": metric}
        for number, text in enumerate(texts)
        for metric in ("exact_match", "contains")  # an output counts once
    ]
    with caplog.at_level(logging.WARNING):
        table = output_flaws(examples, generations_table(rows), by_subset=True)
    assert table.schema == OUTPUT_FLAWS
    found = {(row["subset"], row["flaw"]): row for row in table.to_pylist()}
    assert {key: row["estimate"] for key, row in found.items()} == {
        ("", "empty"): 0.1, ("a", "empty"): 0.1, ("b", "empty"): 0.1,
        ("", "cut"): 0.15, ("a", "cut"): 0.2, ("b", "cut"): 0.1,
        ("", "repeated"): 0.05, ("a", "repeated"): 0.1, ("b", "repeated"): 0.0,
    }  # fmt: skip
    whole = found["", "empty"]
    assert whole["num_examples"] == 20 and whole["low"] < 0.1 < whole["high"] and whole["confidence"] == 0.95
    assert [record.message for record in caplog.records] == [
        "qa: 15% of 20 answers of m were cut at max_tokens: raise max_tokens, or set a stop that ends an answer"
    ]
    of_tasks = [
        {"task": task, "model": model, "revision": "", "flaw": flaw, "estimate": share}
        for task, model, flaw, share in (("qa", "m", "cut", 0.5), ("qa", "k", "cut", 0.25), ("mt", "m", "cut", 0.125),
                                         ("mt", "m", "empty", 0.1))
    ]  # fmt: skip
    assert worries(of_tasks) == [
        "Many answers were cut at max_tokens (qa 50% of m, 25% of k; mt 12% of m): raise max_tokens, or set a stop that ends an "
        "answer"
    ]


def test_of_files_it_is_not_known_how_outputs_ended() -> None:
    examples = examples_table([{"example_id": "a"}])
    table = output_flaws(examples, generations_table([{"example_id": "a", "output": "x"}]))
    assert table["flaw"].to_pylist() == ["empty", "repeated"]
