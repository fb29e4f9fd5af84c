"""Lookup tables: a search that they lead ends where one over everything does, whatever their spacing."""

from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.kernels.next_tokens import halve_runs, scan_runs
from suffixindex.kernels.occurrences import documents_at
from suffixindex.kernels.search import find_interval, find_intervals
from suffixindex.queries import cooccurrence, masked
from suffixindex.queries import documents as documents_queries
from suffixindex.storage import shard, tables
from suffixindex.storage.checks import check_tree
from suffixindex.storage.shard import Shard
from suffixindex.system import parallel
from tests.helpers import building, questions
from tests.helpers.strategies import corpora

FEWER = max(4, settings.default.max_examples // 12)
WIDTHS = {"u8": 255, "u16": 50_000, "u32": 180_000}


def documents(seed: int, size: int, alphabet: list[int]) -> list[list[int]]:
    """Documents of skewed tokens, so that some keys are of many leaves and some of none."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, 40, size)
    return [np.array(alphabet)[np.minimum(generator.geometric(0.5, n), len(alphabet)) - 1].tolist() for n in lengths]


def asked(corpus: list[list[int]], separator: int, seed: int) -> list[list[int]]:
    """N-grams of up to ten tokens that occur, that nearly do, and that end a document."""
    generator = np.random.default_rng(seed)
    flat = list(chain.from_iterable([*document, separator] for document in corpus))
    found = []
    for start in generator.integers(0, len(flat), 200).tolist():
        ngram = flat[start : start + int(generator.integers(1, 11))]
        ngram = ngram[: ngram.index(separator) + 1] if separator in ngram else ngram
        if generator.random() < 0.3 and ngram[-1] != separator:
            ngram[-1] = (
                int(generator.choice([token for token in flat if token != separator]))
                if generator.random() < 0.5
                else max(ngram[-1] - 1, 0)
            )
        if separator not in ngram[:-1]:
            found.append(ngram)
    return found


def plain_interval(part: Shard, ngram: list[int]) -> tuple[int, int]:
    """By counting the suffixes that are below the n-gram, and that begin with it."""
    prefixes = [part.tokens[start : start + len(ngram)].tolist() for start in part.suffix_array.tolist()]
    return sum(prefix < ngram for prefix in prefixes), sum(prefix <= ngram for prefix in prefixes)


@pytest.mark.parametrize("spacing", [1, 2, 7, 64])
@pytest.mark.parametrize("token_type", WIDTHS)
def test_a_led_search_finds_what_a_plain_one_does(tmp_path: Path, token_type: str, spacing: int) -> None:
    size = WIDTHS[token_type]
    corpus = documents(7, 60, [0, size - 1, size // 2, 1, size - 2])
    index = building.write_index(tmp_path / "index", corpus, token_type, vocabulary_size=size)
    part = index.shards[0]
    tree = tables.grow_search_tree(part.tokens, part.suffix_array, size, spacing)
    plain = tables.grow_search_tree(part.tokens, part.suffix_array, size, spacing, compiled=False)
    assert plain.keys.tolist() == tree.keys.tolist()
    assert (len(tree.levels) > 2) == (part.length / spacing > tables.FANOUT)
    part.search_tree = tree
    ngrams = asked(corpus, index.separator, 3)
    batch = index.checker.batch(ngrams)
    low, high = np.empty(len(batch), np.int64), np.empty(len(batch), np.int64)
    find_intervals(part.tokens, part.suffix_array, *tree, *batch[:3], 0, len(batch), low, high)
    for number, ngram in enumerate(ngrams):
        expected = plain_interval(part, ngram)
        assert part._interval_uncompiled(ngram) == expected
        assert find_interval(part.tokens, part.suffix_array, *tree, np.array(ngram)) == expected
        assert (low[number], high[number]) == expected


def test_an_index_without_tables_answers_the_same(tmp_path: Path) -> None:
    corpus = documents(9, 50, [3, 200, 7])
    with_tables = building.write_index(tmp_path / "with", corpus, "u8", shards=2)
    without = building.write_index(tmp_path / "without", corpus, "u8", shards=2, tables=False)
    ngrams = asked(corpus, 255, 4)
    pairs = list(zip(ngrams, ngrams[::-1], strict=True))
    for few in (0, 10**6):
        with mock.patch.object(shard, "FEW", few):
            assert [with_tables.count(ngram) for ngram in ngrams] == [without.count(ngram) for ngram in ngrams]
            assert with_tables.counts(ngrams).tolist() == without.counts(ngrams).tolist()
            assert with_tables.document_counts(ngrams).tolist() == without.document_counts(ngrams).tolist()
            assert with_tables.cooccurrences(pairs).tolist() == without.cooccurrences(pairs).tolist()
    assert si.verify(without.path, full=True).full


@settings(max_examples=FEWER)
@given(data=st.data())
def test_documents_that_marks_lead_to_answer_as_those_of_blocks(
    new_folder: Callable[[], Path], no_fsync: None, data: st.DataObject
) -> None:
    corpus = data.draw(corpora())
    about = data.draw(questions.asked(corpus))
    size = corpus.vocabulary_size
    kept = questions.records(len(corpus.documents))
    path = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=size, metadata=kept, shards=2
    ).path
    with (
        mock.patch.object(shard, "FEW", 0),
        mock.patch.object(documents_queries, "FEW", 0),
        mock.patch.object(masked, "FEW", 0),
        si.open(path) as by_marks,
        si.open(path) as by_blocks,
    ):
        assert {len(part.postings.offsets) for part in by_marks.shards} == {1}
        with mock.patch.object(shard, "SHORT_DOCUMENTS", 0):
            assert all(len(part.postings.offsets) == part.num_documents + 1 for part in by_blocks.shards)
        assert questions.other_answers(by_marks, by_blocks, about) == []


def test_the_tables_take_the_bytes_that_they_promise() -> None:
    keys = 8 * int(tables.level_offsets(10**8)[-1])
    blocks = 4 * len(tables.document_blocks(np.array([0, 10**8], np.uint64)))
    assert keys + blocks == pytest.approx(tables.TABLE_BYTES * 10**8, rel=0.001)
    assert tables.TABLE_BYTES < 0.3


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 3))
def test_every_position_has_its_document(lengths: list[int], scale: int) -> None:
    offsets = np.cumsum([0, *[length * scale + 1 for length in lengths]]).astype(np.uint64)
    blocks = tables.document_blocks(offsets)
    for start, document in zip(range(0, int(offsets[-1]), 128), blocks.tolist(), strict=True):
        assert offsets[document] <= start < offsets[document + 1]


@given(st.lists(st.integers(0, 70), min_size=1, max_size=40), st.sampled_from([1, 3, 1 << 20]))
def test_marks_say_where_documents_begin(lengths: list[int], at_a_time: int) -> None:
    offsets = np.cumsum([0, *[length + 1 for length in lengths]]).astype(np.uint64)
    with mock.patch.object(tables, "MARKED", at_a_time):
        marks = tables.document_marks(offsets).reshape(-1, 2).tolist()
    starts = offsets[:-1].tolist()
    assert len(marks) == -(-int(offsets[-1]) // 32)
    for word, (bits, before) in enumerate(marks):
        assert bits == sum(1 << start % 32 for start in starts if start // 32 == word)
        assert before == sum(start < 32 * word for start in starts)


@given(lengths=st.lists(st.integers(0, 300), min_size=1, max_size=40))
@settings(deadline=None)
def test_marks_lead_to_the_documents_that_blocks_lead_to(lengths: list[int]) -> None:
    offsets = np.cumsum([0, *[length + 1 for length in lengths]]).astype(np.uint64)
    positions = np.arange(int(offsets[-1]), dtype=np.uint32)
    expected = np.repeat(np.arange(len(lengths)), np.diff(offsets.astype(np.int64)))
    for led_by in ((tables.document_blocks(offsets), offsets), (tables.document_marks(offsets), offsets[-1:])):
        found = np.empty(len(positions), np.int64)
        documents_at(positions, *led_by, found)
        assert found.tolist() == expected.tolist()


@given(
    runs=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 60)), min_size=1, max_size=60, unique_by=lambda run: run[0])
)
@settings(deadline=None)
def test_halving_finds_the_runs_that_a_scan_does(runs: list[tuple[int, int]]) -> None:
    tokens = np.repeat(np.array([token for token, _ in sorted(runs)], np.uint32), [size for _, size in sorted(runs)])
    ranks = np.arange(len(tokens), dtype=np.uint32)
    scanned, halved = np.empty(len(runs), np.uint64), np.empty(len(runs), np.uint64)
    assert scan_runs(tokens, ranks, 0, len(tokens), 0, scanned) == len(runs)
    assert halve_runs(tokens, ranks, 0, len(tokens), 0, halved) == len(runs)
    assert scanned.tolist() == sorted(halved.tolist())


@pytest.mark.parametrize("alone", [0, 10**9])  # pairs planned alone wherever that pays, or never
@pytest.mark.parametrize("listed", [1, 100, 1 << 26])
def test_many_pairs_get_what_each_gets(tmp_path: Path, alone: int, listed: int) -> None:
    corpus = documents(11, 80, [3, 200, 7, 9])
    index = building.write_index(tmp_path / "index", corpus, "u8", shards=2)
    ngrams = asked(corpus, 255, 6)
    generator = np.random.default_rng(1)
    pairs = generator.integers(0, len(ngrams), (500, 2))
    held = [{number for number, document in enumerate(corpus) if _occurs(ngram, [*document, 255])} for ngram in ngrams]
    expected = [len(held[a] & held[b]) for a, b in pairs]
    limits = {"ALONE": alone, "LISTED_DOCUMENTS": listed}
    with mock.patch.multiple(cooccurrence, **limits), mock.patch.object(parallel, "SMALL", 0):
        assert index.cooccurrences(pairs, ngrams).tolist() == expected
        assert index.cooccurrences([(ngrams[a], ngrams[b]) for a, b in pairs]).tolist() == expected
        matrix = index.cooccurrence_matrix(ngrams[:9], ngrams[5:20])
        assert matrix.tolist() == [[len(a & b) for b in held[5:20]] for a in held[:9]]
    for stamping in (0, 10**9):  # by stamping only, by reading only
        with mock.patch.object(cooccurrence, "STAMPING", stamping):
            assert [index.cooccurrence(ngrams[a], ngrams[b]) for a, b in pairs[:40]] == expected[:40]


def test_pairs_of_numbers_are_checked(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2], [2]])
    assert index.cooccurrences([], []).tolist() == []
    assert index.cooccurrences(np.array([[0, 1], [1, 1]]), [[1], [2]]).tolist() == [1, 2]
    for bad in ([[0, 2]], [[-1, 0]], [[0, 1, 1]], [0, 1], [[0.5, 1]]):
        with pytest.raises(si.QueryError, match="pair"):
            index.cooccurrences(bad, [[1], [2]])


def _occurs(ngram: list[int], text: list[int]) -> bool:
    return any(text[i : i + len(ngram)] == ngram for i in range(len(text)))


@pytest.mark.parametrize("size", [1, 15, 16, 17, 40, 255, 256, 257, 300])
def test_no_descent_leaves_a_tree_that_was_checked(size: int) -> None:
    """Every single key of a tree, lowered: a check refuses it, or the way down stays among the nodes of each level."""
    levels = tables.level_offsets(size, 1)
    whole = np.full(levels[-1], tables.PADDING)
    whole[levels[-2] : levels[-2] + size] = np.arange(10, 10 + size)
    for level in range(len(levels) - 3, -1, -1):
        greatest = whole[levels[level + 1] : levels[level + 2]].reshape(-1, 16)[:, -1]
        whole[levels[level] : levels[level] + len(greatest)] = greatest
    check_tree(Path("tree"), tables.search_tree(whole, size, 5, 1))
    refused = 0
    for place in range(len(whole)):
        keys = whole.copy()
        keys[place] = 0
        try:
            check_tree(Path("tree"), tables.search_tree(keys, size, 5, 1))
        except si.FormatError:
            refused += 1
            continue
        for target in (0, 1, 9, 10, 10 + size // 2, 10 + size, 2**64 - 1):
            node = 0
            for start, stop in pairwise(levels.tolist()):
                assert start + 16 * node + 16 <= stop
                node = 16 * node + int((keys[start + 16 * node : start + 16 * node + 16] < np.uint64(target)).sum())
    assert refused >= len(levels) - 1
