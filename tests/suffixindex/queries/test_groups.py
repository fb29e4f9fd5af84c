"""Groups of documents and questions about some documents only, against brute force on these documents alone."""

import json
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
from suffixindex.queries import documents as by_groups
from suffixindex.queries import masked as restriction
from suffixindex.storage import metadata as lines
from suffixindex.storage import shard
from tests import oracle
from tests.helpers import building
from tests.helpers.strategies import Corpus, corpora, ngrams, questions

Folder = Callable[[], Path]
FEWER = max(5, settings.default.max_examples // 2)  # examples of many questions each
SHARDS = st.sampled_from([1, 2, 5])
VALUES = ["a", "b", "é", "", 1, 2, 3, 2.5, -1, True, False, None]


@contextmanager
def compiled() -> Iterator[None]:
    """Few are no reason to do without compiled code or threads, nor to read metadata at once."""
    with (
        mock.patch.object(shard, "FEW", 0),
        mock.patch.object(restriction, "FEW", 0),
        mock.patch.multiple(by_groups, FEW=0, SMALL=0),
        mock.patch.object(lines, "RECORD_BYTES", 1),
    ):
        yield


@st.composite
def described(draw: st.DrawFn) -> tuple[Corpus, list[list[int]], list[Any]]:
    """A corpus, n-grams, and a value for each document."""
    corpus = draw(corpora())
    asked = draw(st.lists(ngrams(corpus), min_size=1, max_size=5))
    values = st.sampled_from(draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4)))
    size = len(corpus.documents)
    return corpus, asked, draw(st.lists(values, min_size=size, max_size=size))


def records(values: list[Any], field: str = "set") -> list[dict[str, Any]]:
    """Lines of metadata: the value at a key, at a path, or, for None, perhaps nowhere."""
    lines = []
    for number, value in enumerate(values):
        metadata: dict[str, Any] = {"other": number}
        if value is not None or number % 2:
            metadata[field] = value
        lines.append({"path": f"file-{number % 2}", "line": number + 1, "metadata": metadata})
    return lines


def write(folder: Path, corpus: Corpus, values: list[Any], shards: int) -> si.SuffixIndex:
    return building.write_index(
        folder,
        corpus.documents,
        corpus.token_type,
        vocabulary_size=corpus.vocabulary_size,
        shards=shards,
        metadata=records(values),
    )


def in_order(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0] is None, isinstance(entry[0], str)))


# ---- counts by groups --------------------------------------------------------------------------------------------


@given(drawn=described(), shards=SHARDS)
@example(drawn=(Corpus("u8", 255, [1], [[], [1], []]), [[], [1], [255]], ["a", "b", None]), shards=2)
def test_counts_by(new_folder: Folder, drawn: tuple[Corpus, list[list[int]], list[Any]], shards: int) -> None:
    corpus, asked, values = drawn
    index = write(new_folder(), corpus, values, shards)
    if set(values) == {None}:
        with pytest.raises(si.QueryError, match="no document has a value in the field 'set'; documents have path, other"):
            index.counts_by(asked[0], "set")
        return
    for ngram in asked:
        expected = {
            unit: oracle.counts_by(corpus.documents, ngram, values, corpus.separator, unit) for unit in ("occurrences", "documents")
        }
        for unit in ("occurrences", "documents"):
            found = index.counts_by(ngram, "set", unit)  # type: ignore[arg-type]
            assert found == expected[unit]
            assert list(found.items()) == in_order(found)
            assert 0 not in found.values() and found["absent"] == 0
            with compiled():
                assert index.counts_by(ngram, "set", unit) == found  # type: ignore[arg-type]
        assert index.counts_by(ngram, "set").total() == index.count(ngram)
        assert index.counts_by(ngram, "set", "documents").total() == index.document_count(ngram)
        by_number = index.counts_by(ngram, "other")
        assert by_number == {number: len(offsets) for number, offsets in oracle.holding(corpus.documents, ngram, corpus.separator)}
    assert index.groups("set") == Counter(values)
    with compiled():
        assert si.open(index.path).groups("set") == Counter(values)
    assert index.groups("path") == Counter(f"file-{number % 2}" for number in range(len(values)))


LEAF = st.sampled_from(["x", 1, None])
RECORD = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", "b.c", "a.b.c"]), LEAF, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "a.b", "c"]), st.one_of(LEAF, inner), max_size=3),
    max_leaves=6,
)


@given(drawn=st.lists(RECORD, min_size=1, max_size=6), field=st.sampled_from(["a", "a.b", "a.b.c", "b.c", "c"]), shards=SHARDS)
@example(drawn=[{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 2}}, {"a": 3}], field="a.b", shards=1)
def test_fields_are_keys_or_dotted_paths(new_folder: Folder, drawn: list[dict[str, Any]], field: str, shards: int) -> None:
    lines = [{"path": "p", "line": 1, "metadata": record} for record in drawn]
    index = building.write_index(new_folder(), [[1]] * len(drawn), "u8", shards=shards, metadata=lines)
    expected = [oracle.field_value(record, field) for record in drawn]
    if any(isinstance(value, dict) for value in expected):
        with pytest.raises(si.QueryError, match=f"the field '{field}' holds a record in document "):
            index.groups(field)
    elif set(expected) == {None}:
        with pytest.raises(si.QueryError, match="no document has a value"):
            index.groups(field)
    else:
        assert index.groups(field) == Counter(expected)


def test_bad_fields_are_a_sentence(tmp_path: Path) -> None:
    lines = records(["a", ["b"], {"name": 1}])
    index = building.write_index(tmp_path / "index", [[1], [1], [1]], "u8", metadata=lines)
    with pytest.raises(si.QueryError, match=r"the field 'set' holds a list in document 1 \(file-1, line 2\)"):
        index.counts_by([1], "set")
    with pytest.raises(si.QueryError, match="unit is 'tokens': expected 'occurrences' or 'documents'"):
        index.counts_by([1], "other", "tokens")  # type: ignore[arg-type]
    with pytest.raises(si.QueryError, match="outside the vocabulary"):
        index.counts_by([300], "other")
    without = building.write_index(tmp_path / "without", [[1]], "u8")
    for ask in (lambda: without.groups("path"), lambda: without.count([1], where={"set": "a"})):
        with pytest.raises(si.QueryError, match="the index keeps no metadata"):
            ask()


def test_metadata_that_only_a_lenient_parser_reads(tmp_path: Path) -> None:
    lines = [{"path": "caf\udce9", "line": 1, "metadata": {"n": value}} for value in (float("nan"), 1, None)]
    index = building.write_index(tmp_path / "index", [[1], [1, 1], [1]], "u8", metadata=lines)
    assert index.counts_by([1], "n") == {1: 2, None: 2}
    assert index.counts_by([1], "path") == {"caf\udce9": 4}


# ---- some documents only -----------------------------------------------------------------------------------------


def answers(index: si.SuffixIndex, asked: list[list[int]], question: list[list[list[int]]], where: Any) -> dict[str, Any]:
    """Everything that takes ``where``, as plain data."""
    contexts = [ngram for ngram in asked if ngram[-1:] != [index.separator]]
    following = [index.next_distribution(context, where) for context in contexts]
    bulk = index.next_distributions(contexts, where)

    def places(lines: list[si.Concordance]) -> list[tuple[int, int]]:
        return [(line.document_id, line.offset) for line in lines]

    return {
        "count": [index.count(ngram, where) for ngram in asked],
        "counts": index.counts(asked, where).tolist(),
        "document_count": [index.document_count(ngram, where) for ngram in asked],
        "document_counts": index.document_counts(asked, where).tolist(),
        "bulk": [(found.token_ids.tolist(), found.counts.tolist(), found.context_count) for found in bulk],
        "next": [(found.token_ids.tolist(), found.counts.tolist(), found.context_count) for found in following],
        "documents": [[match.document_id for match in index.documents(ngram, None, where=where)] for ngram in asked],
        "page": [[match.document_id for match in index.documents(ngram, 2, 1, where)] for ngram in asked],
        "ids": [index.document_ids([ngram], where=where).tolist() for ngram in asked],
        "sample": [[match.document_id for match in index.sample_documents(ngram, 99, 0, where)] for ngram in asked],
        "cooccurrence": index.cooccurrence(*question, where=where),
        "pairs": index.cooccurrences([question, [[asked[0]], [asked[-1]]], question[:2]] * 2, where=where).tolist(),
        "within": index.cooccurrence(*question, window=2, where=where),
        "together": index.document_ids(*question, where=where).tolist(),
        "near": np.flatnonzero(index.holding(*question, window=2, where=where)).tolist(),
        "lines": [places(index.concordance(ngram, 1, None, where=where)) for ngram in asked],
        "lines of a page": [places(index.concordance(ngram, 1, 2, 1, where)) for ngram in asked],
        "matrix": index.cooccurrence_matrix(asked, asked[:2], where).tolist(),
    }


@given(drawn=described(), data=st.data(), shards=SHARDS)
@settings(max_examples=FEWER)
def test_where_is_the_corpus_of_these_documents(
    new_folder: Folder, drawn: tuple[Corpus, list[list[int]], list[Any]], data: st.DataObject, shards: int
) -> None:
    corpus, asked, values = drawn
    question = data.draw(questions(corpus))
    chosen = data.draw(st.lists(st.sampled_from(VALUES), max_size=3))
    index = write(new_folder(), corpus, [*values[:-1], "z"], shards)  # never without the field
    values = [*values[:-1], "z"]
    kept = [number for number, value in enumerate(values) if value in chosen]
    part, separator = [corpus.documents[number] for number in kept], corpus.separator
    found = answers(index, asked, question, {"set": chosen})
    assert found["count"] == found["counts"] == [oracle.count(part, ngram, separator) for ngram in asked]
    holding = [[kept[number] for number, _ in oracle.holding(part, ngram, separator)] for ngram in asked]
    assert found["documents"] == found["ids"] == found["sample"] == holding
    assert found["page"] == [documents[1:3] for documents in holding]
    assert found["document_count"] == found["document_counts"] == list(map(len, holding))
    contexts = [ngram for ngram in asked if ngram[-1:] != [separator]]
    assert found["bulk"] == found["next"]
    for (ids, counts, total), context in zip(found["next"], contexts, strict=True):
        assert dict(zip(ids, counts, strict=True)) == oracle.next_tokens(part, context, separator)
        assert ids == sorted(ids) and total == sum(counts)
    together = oracle.cooccurrence(part, question, separator)
    first_two = oracle.cooccurrence(part, question[:2], separator)
    pair = oracle.cooccurrence(part, [[asked[0]], [asked[-1]]], separator)
    assert (found["cooccurrence"], found["pairs"]) == (together, [together, pair, first_two] * 2)
    assert found["within"] == oracle.cooccurrence(part, question, separator, 2)
    assert found["together"] == [kept[number] for number in oracle.together(part, question, separator)]
    assert found["near"] == [kept[number] for number in oracle.together(part, question, separator, 2)]
    lines = [[(kept[line[0]], line[1]) for line in oracle.concordance(part, ngram, 1, separator)] for ngram in asked]
    assert (found["lines"], found["lines of a page"]) == (lines, [of_one[1:3] for of_one in lines])
    assert found["matrix"] == [[oracle.cooccurrence(part, [[a], [b]], separator) for b in asked[:2]] for a in asked]
    with compiled():
        assert answers(si.open(index.path), asked, question, {"set": chosen}) == found
    # the same documents otherwise said
    mask = np.array([value in chosen for value in values])
    assert index.mask({"set": chosen}).tolist() == mask.tolist()
    assert answers(index, asked, question, mask) == found
    assert answers(index, asked, question, {"set": lambda value: value in chosen}) == found
    # all documents are no restriction
    everything = answers(index, asked, question, None)
    assert answers(index, asked, question, {}) == everything
    assert answers(index, asked, question, {"set": values}) == everything
    assert sum(index.count(asked[0], {"set": value}) for value in dict.fromkeys(values)) == index.count(asked[0])
    for ngram in asked:
        by = index.counts_by(ngram, "set")
        assert index.counts_by(ngram, "set", where=mask) == {value: by[value] for value in by if value in chosen}


def test_conditions(tmp_path: Path) -> None:
    values = [1, 2, 3.0, 2.5, "2", None, True, "z", -4]
    index = building.write_index(tmp_path / "index", [[1]] * len(values), "u8", shards=2, metadata=records(values))

    def kept(**where: Any) -> list[int]:
        return np.flatnonzero(index.mask(where)).tolist()

    assert kept(set=2) == kept(set=np.int64(2)) == kept(set=[2]) == kept(set=np.array([2])) == [1]
    assert kept(set="2") == [4]
    assert kept(set=None) == kept(set=[None]) == [5]
    assert kept(set=1) == [0, 6]  # true is 1, as in Python
    assert kept(set=range(2, 4)) == [1, 2]
    assert kept(set=range(10**12)) == [0, 1, 2, 6]
    assert kept(set=range(-4, 10, 2)) == [1, 8]
    assert kept(set=[range(2, 4), "z", None]) == [1, 2, 5, 7]
    assert kept(set={"z", "2"}) == kept(set=(value for value in ("z", "2"))) == [4, 7]
    assert kept(set=lambda value: isinstance(value, str)) == [4, 7]
    assert kept(set=range(4), other=range(2, 5)) == [2]
    assert kept(set="z", path="file-0") == []
    assert kept(set="nowhere") == kept(set=[]) == []
    assert index.count([1], {"set": "nowhere"}) == 0
    assert index.next_distribution([1], {"set": "nowhere"}).counts.tolist() == []
    assert index.documents([1], where={"set": "nowhere"}) == []
    assert not index.mask({"set": 2}).flags.writeable
    mine = np.ones(len(values), bool)
    assert index.count([1], mine) == len(values)
    assert mine.flags.writeable
    assert index.count([1], np.repeat([True, False], len(values))[::2][: len(values)]) == 5


def test_what_is_no_condition_is_a_sentence(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1], [2]], "u8", metadata=records([1, 2]))
    cases = {
        "no document has a value in the field 'sett'; documents have path, other, set": {"sett": 1},
        r"where is an array int64 \[2\]: expected bool \[2\]": np.array([0, 1]),
        r"where is an array bool \[3\]: expected bool \[2\]": np.ones(3, bool),
        "where is str: expected a condition for each field": "set=1",
        "where is list: expected": [True, False],
        "condition for the field 'set' is bytes": {"set": b"1"},
        "condition for the field 'set' is dict": {"set": {"a": 1}},
        "collection for the field 'set' holds a list": {"set": [[1]]},
    }
    for said, where in cases.items():
        with pytest.raises(si.QueryError, match=said):
            index.count([1], where)  # type: ignore[arg-type]


def test_an_index_of_the_first_format_answers_the_same(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    documents = [generator.integers(0, 3, 80).tolist() for _ in range(60)]
    values = [number % 7 for number in range(60)]
    found = []
    for tables in (True, False):
        index = building.write_index(tmp_path / str(tables), documents, "u8", shards=2, metadata=records(values), tables=tables)
        found.append([answers(index, [[1], [1, 2]], [[[1]], [[2, 2]]], {"set": [3, 4]}), index.counts_by([1], "set")])
    assert found[0] == found[1]
    assert found[0][0]["count"][0] == sum(documents[i].count(1) for i in range(60) if values[i] in (3, 4)) > shard.FEW


def test_groups_of_a_real_build(tmp_path: Path) -> None:
    rows = [{"text": "a b a", "meta": {"set": "x"}}, {"text": "a", "meta": {"set": "y"}}, {"text": "b a"}]
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    si.build([str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl")], tmp_path / "index", tokenizer="words", progress=False)
    with si.open(tmp_path / "index") as index:
        assert list(index.counts_by("a", "meta.set").items()) == [("x", 4), ("y", 2), (None, 2)]
        assert index.counts_by("a", "path") == {str(tmp_path / f"{name}.jsonl"): 4 for name in ("one", "two")}
        assert index.counts_by("b", "meta.set", "documents") == {"x": 2, None: 2}
        assert index.cooccurrence("a", "b", where={"meta.set": None}) == 2
