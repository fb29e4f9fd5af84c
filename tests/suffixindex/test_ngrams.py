"""What users give as n-grams becomes flat, checked arrays, whatever shape it came in."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from suffixindex.errors import QueryError
from suffixindex.ngrams import NgramChecker, aliases

SEPARATOR = 255


def spell(text: str) -> np.ndarray:
    """A tokenizer of a few letters: a is 0, b is 1."""
    return np.array([ord(letter) - ord("a") for letter in text], np.uint8)


CHECKER = NgramChecker(spell, 20, SEPARATOR)
IDS = st.lists(st.integers(0, 19), max_size=5)
SHAPES = [
    list,
    tuple,
    np.array,
    lambda ids: [np.int16(i) for i in ids],
    lambda ids: np.array(ids, np.uint64),
    lambda ids: "".join(chr(ord("a") + i) for i in ids) or [],  # of no ids, text is no n-gram
]


@given(batch=st.lists(st.tuples(IDS, st.sampled_from(SHAPES)), max_size=8))
@example(batch=[])
@example(batch=[([], list)])
@example(batch=[([], np.array), ([], tuple), ([], SHAPES[-1])])
def test_a_batch_is_its_ngrams_one_after_the_other(batch: list) -> None:
    found = CHECKER.batch([shape(ids) for ids, shape in batch])
    assert len(found) == len(batch)
    assert found.ids.dtype == found.starts.dtype == found.stops.dtype == np.int64
    for number, (ids, shape) in enumerate(batch):
        assert found.ngram(number).tolist() == CHECKER.ngram(shape(ids)).tolist() == ids


def spell_all(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return spell("".join(texts)), np.array([len(text) for text in texts])


@pytest.mark.parametrize("bad", ["", "abz", None])
def test_many_texts_are_encoded_at_once_and_a_bad_one_is_named(bad: str | None) -> None:
    at_once = NgramChecker(spell, 20, SEPARATOR, None, spell_all)
    texts = ["a", "bc", "tab", "a"] * 20
    if bad is None:
        found, expected = at_once.batch(texts), CHECKER.batch(texts)
        assert [part.tolist() for part in found[:3]] == [part.tolist() for part in expected[:3]]
        return
    texts[70] = bad
    with pytest.raises(QueryError) as expected_error:
        CHECKER.batch(texts)
    with pytest.raises(QueryError) as error:
        at_once.batch(texts)
    assert str(error.value) == str(expected_error.value)
    assert str(error.value).startswith("n-gram 70: ")


@given(
    ids=st.lists(st.sampled_from([0, 1, 19, 20, 254, SEPARATOR, 256, -1, 2**63, -(2**70)]), max_size=4),
    before=st.lists(IDS, max_size=3),
)
def test_an_ngram_is_taken_or_refused_alone_as_in_a_batch(ids: list[int], before: list[list[int]]) -> None:
    legal = all(0 <= i < 20 for i in ids[:-1]) and all(0 <= i < 20 or i == SEPARATOR for i in ids[-1:])
    if legal:
        assert CHECKER.ngram(ids).tolist() == ids
        assert CHECKER.batch([*before, ids]).ngram(len(before)).tolist() == ids
        return
    with pytest.raises(QueryError):
        CHECKER.ngram(ids)
    with pytest.raises(QueryError):
        CHECKER.batch([*before, ids])
    with pytest.raises(QueryError):
        CHECKER.batch([*map(np.array, before), ids])


def test_the_ngram_after_an_empty_one_is_checked() -> None:
    with pytest.raises(QueryError, match="n-gram 2: the separator 255 may only be the last"):
        CHECKER.batch([[1, SEPARATOR], [], [SEPARATOR, 1], []])
    assert CHECKER.batch([[1, SEPARATOR], [], [SEPARATOR], []]).ids.tolist() == [1, SEPARATOR, SEPARATOR]


def test_a_clause_is_one_ngram_or_several() -> None:
    one = ["ab", [1, 2], (1,), np.array([1, 2]), [np.int64(1)], range(2)]
    assert all(len(aliases(clause)) == 1 and aliases(clause)[0] is clause for clause in one)
    several = [["ab", "c"], [[1, 2]], ([1], (2, 3)), [[]], ["a", [1]]]
    assert all(aliases(clause) is clause for clause in several)
    assert len(aliases([])) == len(aliases(())) == 0
