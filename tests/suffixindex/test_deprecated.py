"""Old names go on working and say the new one."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import suffixindex as si
from tests.helpers import building


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    documents = [[1, 2, 3, 1, 2], [2, 1, 2], []]
    return building.write_index(tmp_path_factory.mktemp("old") / "index", documents, "u16", vocabulary_size=100, shards=2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (lambda i: i.next_tokens([1]), lambda i: i.next_distribution([1]), "next_tokens is called next_distribution now"),
        (lambda i: i.next_tokens([]), lambda i: i.next_distribution([]), "next_distribution"),
        (lambda i: i.bulk_next_tokens([[1], [2]]), lambda i: i.next_distributions([[1], [2]]), "next_distributions"),
        (lambda i: i.text_matches([[1, 2, 9]]), lambda i: i.matches([[1, 2, 9]]), "text_matches is called matches now"),
        (lambda i: i.matches([1, 2, 9]), lambda i: i.match([1, 2, 9]), "matches of one text is called match now"),
        (lambda i: i.matches(np.array([1, 2])), lambda i: i.match([1, 2]), "match now"),
        (lambda i: i.next_distribution([1])[1].tolist(), lambda i: i.next_distribution([1]).counts.tolist(), "by its name"),
    ],
)
def test_methods(
    index: si.SuffixIndex, old: Callable[[si.SuffixIndex], object], new: Callable[[si.SuffixIndex], object], message: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = new(index)
    with pytest.warns(DeprecationWarning, match=message) as told:
        assert old(index) == expected
    assert [warning.filename for warning in told] == [__file__]  # the caller is named


def test_language_models(index: si.SuffixIndex) -> None:
    with pytest.warns(DeprecationWarning, match="InfgramModel is called Infgram now"):
        assert si.lm.InfgramModel is si.lm.Infgram
    model = si.lm.StupidBackoff(index, 2)
    with pytest.warns(DeprecationWarning, match="scores of one text is called score now"):
        assert np.array_equal(model.scores([1, 2]), model.score([1, 2]))
    assert [scores.tolist() for scores in model.scores([[1, 2], [3]])] == [model.score([1, 2]).tolist(), model.score([3]).tolist()]


def test_the_type_of_tokens(tmp_path: Path) -> None:
    np.array([1, 2, 1], "<u2").tofile(tmp_path / "a.bin")
    np.array([2, 0, 1], "<u8").tofile(tmp_path / "a.idx")
    with pytest.warns(DeprecationWarning, match="token_dtype is called token_type now") as told:
        assert si.open(tmp_path / "a.bin", token_dtype="u16").count([1]) == 2
    assert [warning.filename for warning in told] == [__file__]
    with pytest.raises(si.QueryError, match="give one of them"):
        si.open(tmp_path / "a.bin", token_dtype="u16", token_type="u16")


def test_results_compare_and_unpack(index: si.SuffixIndex) -> None:
    one, other = index.next_distribution([1]), index.next_distribution([2])
    assert one == index.next_distribution([1])
    assert one != other
    assert (one == "text") is False
    token_ids, counts, context_count, separator = one
    assert (token_ids.tolist(), counts.tolist(), context_count, separator) == ([2], [3], 3, 65535)
    lengths, match_counts = index.match([1, 2, 9])
    assert (lengths.tolist(), match_counts.tolist()) == ([2, 1, 0], [3, 4, 0])
    assert index.top_ngrams(1, 2) == [si.NgramCount((2,), 4), si.NgramCount((1,), 3)]
    assert index.documents([1]) == index.documents([1])
    assert len({*index.top_ngrams(1, 2), *index.top_ngrams(1, 2)}) == 2
    with pytest.raises(AttributeError):
        one.context_count = 4  # type: ignore[misc]


def test_new_names(index: si.SuffixIndex) -> None:
    assert index.num_shards == len(index.shards) == 2
