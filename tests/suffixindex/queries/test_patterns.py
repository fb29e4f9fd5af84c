"""Patterns, which have holes, against brute force from the definition of an occurrence; and what is refused."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.queries import patterns as planned
from tests import oracle
from tests.helpers import building
from tests.helpers import foreign_building as other
from tests.helpers.questions import as_query
from tests.helpers.strategies import Corpus, corpora, patterns

Folder = Callable[[], Path]
FEWER = max(5, settings.default.max_examples // 3)
Pattern = list[Any]
SMALL = Corpus("u8", 255, [1, 2], [[1, 1, 2, 1, 2], [], [2], [1, 2, 2, 2, 1, 1]])


def is_context(corpus: Corpus, pattern: Pattern) -> bool:
    return all(element[0] == "gap" or [corpus.separator] not in element for element in pattern)


def found_by_oracle(corpus: Corpus, pattern: Pattern) -> list[tuple[int, int, int]]:
    """(document, start, end) of every occurrence."""
    return [
        (number, start, end)
        for number, document in enumerate(corpus.documents)
        for start, end in oracle.stretches(document, pattern, corpus.separator)
    ]


def check_answers(index: si.SuffixIndex, corpus: Corpus, pattern: Pattern, mask: np.ndarray) -> None:
    """All that is asked of a pattern alone, of all documents and of some."""
    everywhere = found_by_oracle(corpus, pattern)
    asked = as_query(pattern)
    for where, found in ((None, everywhere), (mask, [one for one in everywhere if mask[one[0]]])):
        holding = sorted({document for document, _, _ in found})
        assert index.count(asked, where) == len(found)
        assert index.document_count(asked, where) == len(holding)
        assert index.document_ids(asked, where=where).tolist() == holding
        lines = index.concordance(asked, 2, None, where=where)
        assert [(line.document_id, line.offset, line.offset + len(line.match)) for line in lines] == found
        for line in lines:
            text = [*corpus.documents[line.document_id], corpus.separator]
            assert line.match.tolist() == text[line.offset : line.offset + len(line.match)]
        matches = index.documents(asked, None, where=where)
        assert [match.document_id for match in matches] == holding
        assert [offset for match in matches for offset in match.offsets] == [start for _, start, _ in found]
        if is_context(corpus, pattern):
            texts = [[*document, corpus.separator] for document in corpus.documents]
            expected = Counter(texts[document][end] for document, _, end in found)
            following = index.next_distribution(asked, where)
            assert dict(zip(following.token_ids.tolist(), following.counts.tolist(), strict=True)) == expected
            assert following.token_ids.tolist() == sorted(expected)
            assert following.context_count == len(found) == following.counts.sum()


@st.composite
def drawn_patterns(draw: st.DrawFn, token_types: tuple[str, ...] = ("u8", "u16")) -> tuple[Corpus, list[Pattern], np.ndarray]:
    """Kernels are compiled for each token type, and of another engine's files for each width of its pointers too."""
    corpus = draw(corpora(token_types=token_types))
    size = len(corpus.documents)
    mask = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    return corpus, draw(st.lists(patterns(corpus), min_size=1, max_size=3)), mask


@contextmanager
def planned_as(joined: bool, block: int = 1 << 16) -> Iterator[None]:
    """Whether all parts are joined or the text is read around one, and how much goes together."""
    prices = {"SORTED": 0, "JOINED": 0} if joined else {"SORTED": 10**9}
    with mock.patch.multiple(planned, BLOCK=block, **prices):
        yield


@given(drawn=drawn_patterns(), shards=st.sampled_from([1, 2, 5]), block=st.sampled_from([1, 2, 1 << 16]), joined=st.booleans())
@example(
    drawn=(SMALL, [[("gap", 1, 1)], [("gap", 2, 3)], [("gap", 0, 2), [[255]]]], np.array([True, False, True, True])),
    shards=1,
    block=2,
    joined=False,
)
@example(
    drawn=(SMALL, [[[[1], [1, 2]], ("gap", 0, 2), [[2]]], [("gap", 0, 1), [[2]], [[255]]]], np.ones(4, bool)),
    shards=2,
    block=1,
    joined=True,
)
def test_patterns(
    new_folder: Folder, drawn: tuple[Corpus, list[Pattern], np.ndarray], shards: int, block: int, joined: bool
) -> None:
    corpus, asked, mask = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    with planned_as(joined, block):
        for pattern in asked:
            check_answers(index, corpus, pattern, mask)
    assert index.counts([as_query(pattern) for pattern in asked]).tolist() == [len(found_by_oracle(corpus, one)) for one in asked]


@settings(max_examples=FEWER)
@given(drawn=drawn_patterns(("u16",)), mirrored=st.booleans(), joined=st.booleans())
def test_patterns_in_the_files_of_another_engine(
    new_folder: Folder, drawn: tuple[Corpus, list[Pattern], np.ndarray], mirrored: bool, joined: bool
) -> None:
    corpus, asked, mask = drawn
    half = len(corpus.documents) // 2
    parts = [part for part in (corpus.documents[:half], corpus.documents[half:]) if part]
    folder = other.write_infinigram(new_folder(), parts, corpus.token_type, mirrored=mirrored, pointer_bytes=5)
    index = si.open(folder, reversed=mirrored, token_type=corpus.token_type)
    with planned_as(joined, 3):
        for pattern in asked:
            check_answers(index, corpus, pattern, mask)


@settings(max_examples=FEWER)
@given(data=st.data())
def test_patterns_beside_ngrams(new_folder: Folder, data: st.DataObject) -> None:
    """In one call, in clauses, within windows."""
    corpus = data.draw(corpora(token_types=("u16",)))
    pattern = data.draw(patterns(corpus).filter(lambda one: is_context(corpus, one)))
    token = data.draw(st.sampled_from(corpus.alphabet))
    mask = np.array([number % 2 == 0 for number in range(len(corpus.documents))])
    index = building.write_index(
        new_folder(),
        corpus.documents,
        corpus.token_type,
        vocabulary_size=corpus.vocabulary_size,
        shards=2,
        metadata=[{"path": "a", "line": number, "metadata": {"half": number % 2}} for number in range(len(corpus.documents))],
    )
    asked = as_query(pattern)
    found = found_by_oracle(corpus, pattern)
    starts = {number: [start for document, start, _ in found if document == number] for number in range(len(mask))}
    tokens = {number: [i for i, one in enumerate(document) if one == token] for number, document in enumerate(corpus.documents)}

    def together(window: int | None, chosen: np.ndarray) -> list[int]:
        near = {
            number: bool(starts[number] and tokens[number])
            if window is None
            else any(abs(one - two) <= window for one in starts[number] for two in tokens[number])
            for number in range(len(mask))
        }
        return [number for number in range(len(mask)) if near[number] and chosen[number]]

    for where in (None, mask):
        chosen = np.ones(len(mask), bool) if where is None else where
        for window in (None, 0, 2):
            expected = together(window, chosen)
            assert index.cooccurrence(asked, [token], window=window, where=where) == len(expected)
            assert index.document_ids([token], asked, window=window, where=where).tolist() == expected
            assert (
                index.cooccurrences([(asked, [token]), ([token], asked)], window=window, where=where).tolist()
                == [len(expected)] * 2
            )
    either = sum(bool(starts[number] or tokens[number]) for number in range(len(mask)))
    assert index.cooccurrence([asked, [token]]) == either
    assert index.cooccurrence_matrix([asked], [[token], asked]).tolist() == [
        [len(together(None, np.ones(len(mask), bool))), index.document_count(asked)]
    ]
    contexts = [[token], asked, [], asked]
    for where in (None, mask):
        assert index.next_distributions(contexts, where) == [index.next_distribution(one, where) for one in contexts]
        assert index.counts(contexts, where).tolist() == [index.count(one, where) for one in contexts]
        assert index.document_counts(contexts, where).tolist() == [index.document_count(one, where) for one in contexts]
    halves = Counter(document % 2 for document, _, _ in found)
    assert index.counts_by(asked, "half") == halves
    assert [one.document_id for one in index.sample_documents(asked, 99, seed=0)] == sorted({one for one, _, _ in found})


@settings(max_examples=FEWER)
@given(data=st.data())
def test_what_follows_is_what_a_longer_pattern_counts(new_folder: Folder, data: st.DataObject) -> None:
    """The chain rule, and that a wider gap never counts less."""
    corpus = data.draw(corpora(token_types=("u16",)))
    pattern = data.draw(patterns(corpus).filter(lambda one: is_context(corpus, one)))
    index = building.write_index(new_folder(), corpus.documents, vocabulary_size=corpus.vocabulary_size)
    following = index.next_distribution(as_query(pattern))
    for token, count in zip(following.token_ids.tolist(), following.counts.tolist(), strict=True):
        assert index.count(as_query([*pattern, [[token]]])) == count
    wider = [("gap", one[1], one[2] + 1) if one[0] == "gap" else one for one in pattern]
    assert index.count(as_query(wider)) >= index.count(as_query(pattern))


def test_the_examples_of_the_definition(letters: str) -> None:
    with si.open(letters) as index:
        everything = "\n".join(index.text(number) for number in range(index.num_documents))
        assert index.count(["t", si.ANY, "e"]) == sum(
            everything[i] == "t" and everything[i + 2] == "e" and "\n" not in everything[i : i + 3]
            for i in range(len(everything) - 2)
        )
        assert index.count([["the", "The"], si.gap(0, 0), " "]) == index.count("the ") + index.count("The ")


# ---- the plan ----------------------------------------------------------------------------------------------------


def test_a_rare_part_is_all_that_is_looked_around(tmp_path: Path) -> None:
    documents = [[1] * 50 + [2] + [1] * 50] * 3 + [[1] * 100] * 20
    index = building.write_index(tmp_path / "index", documents, "u8")
    asked = index.checker.query([1, si.ANY, 2, si.gap(0, 3), 1])
    assert planned.plan(index.shards[0], asked).size == 3  # type: ignore[arg-type]
    assert index.count([1, si.ANY, 2, si.gap(0, 3), 1]) == 12
    mostly_one = index.checker.query([1, si.gap(0, 3), 1, si.ANY, 1])
    assert planned.plan(index.shards[0], mostly_one).nearest == 0  # type: ignore[arg-type] # equal parts: the first, without a sort


def test_frequent_parts_far_from_each_other_are_joined(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2] * 200, [2, 1] * 200], "u8")
    for most, joined in ((3, False), (200, True)):
        asked = index.checker.query([1, si.gap(0, most), 2])
        assert (planned.plan(index.shards[0], asked).joining is not None) == joined  # type: ignore[arg-type]
        expected = oracle.stretches([1, 2] * 200, [[[1]], ("gap", 0, most), [[2]]], 255)
        expected += oracle.stretches([2, 1] * 200, [[[1]], ("gap", 0, most), [[2]]], 255)
        assert index.count(asked) == len(expected)


def test_beginnings_of_each_other_are_one_pivot(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2, 3, 1, 2]], "u8")
    asked = index.checker.query([[[1], [1, 2], [1, 2, 3]], si.ANY])
    assert planned.plan(index.shards[0], asked).size == 2  # type: ignore[arg-type]
    assert index.count([[[1], [1, 2], [1, 2, 3]], si.ANY]) == 4  # 1 2, 1 2 3, 1 2 3 1, 1 2


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(words: str) -> si.SuffixIndex:
    return si.open(words)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["the", "cat"], "found a list of texts: ask the plural question"),
        (["the", si.ANY, ""], "element 2 of the pattern: the tokenizer makes no token"),
        (["the", si.ANY, [10**6]], "element 2 of the pattern: id 1000000 is outside the vocabulary"),
        ([["the", 3.5], "cat"], "element 0 of the pattern: "),
        (si.pattern(), "may be of no token at all"),
        ([si.gap(0, 3)], "may be of no token at all"),
        ([si.ANY, [[], "cat"]], "without tokens in a pattern must stand beside another"),
        (["the", si.gap(0, 6_000), "cat", si.gap(0, 6_000)], "the pattern may have 12,002 tokens: expected at most 10,000"),
    ],
)
def test_a_pattern_that_is_none(index: si.SuffixIndex, asked: Any, sentence: str) -> None:
    with pytest.raises(si.QueryError, match=sentence):
        index.count(asked)
    with pytest.raises(si.QueryError, match=sentence):
        index.counts(["the", asked])


def test_the_separator_stands_last_or_nowhere(index: si.SuffixIndex) -> None:
    end = index.separator
    assert index.count(["the", si.ANY, [end]]) >= 0
    for asked in ([[end], si.ANY], ["the", [end], si.ANY], ["the", si.ANY, [end], "cat"], [[[end], [end, end]], si.ANY]):
        with pytest.raises(si.QueryError, match="separator"):
            index.count(asked)
    for ask in (index.next_distribution, lambda asked: index.next_distributions(["the", asked])):
        with pytest.raises(si.QueryError, match="nothing follows a document's end"):
            ask(["the", si.ANY, [end]])


@pytest.mark.parametrize(("least", "most"), [(-1, 2), (3, 2), (0, 10_001), (0.5, 1), (True, 2), (0, None)])
def test_a_gap_that_is_none(least: Any, most: Any) -> None:
    with pytest.raises(si.QueryError, match="a gap has from"):
        si.gap(least, most)


def test_questions_that_take_no_pattern_say_so(index: si.SuffixIndex) -> None:
    asked: Any = ["the", si.ANY, "of"]
    for ask in (
        lambda: index.infgram(asked, 0),
        lambda: index.suffix_length(asked),
        lambda: index.score(asked),
        lambda: index.scores([asked]),
        lambda: index.match(asked),
        lambda: index.matches([asked]),
        lambda: index.spans(asked),
        lambda: index.novelty(asked, 2),
        lambda: si.lm.KneserNey(index, 2).log_probs(asked),
        lambda: index.infgram(si.pattern("the", "cat"), 0),  # type: ignore[arg-type]
    ):
        with pytest.raises(si.QueryError, match="takes n-grams"):
            ask()
    with pytest.raises(si.QueryError, match="only text has variants"):
        index.count_variants(asked)


def test_an_optional_word(index: si.SuffixIndex) -> None:
    assert index.count([["the", []], "cat"]) == index.count("cat") + index.count("the cat")


def test_patterns_are_values() -> None:
    assert si.pattern("a", [1, 2], np.array([3]), si.ANY) == si.pattern("a", [1, 2], [3], si.gap(1, 1))
    assert len({si.pattern(["a", "b"], si.ANY), si.pattern(["a", "b"], si.ANY)}) == 1
    assert repr(si.pattern("a", si.ANY, si.gap(0, 2))) == "pattern('a', ANY, gap(0, 2))"
