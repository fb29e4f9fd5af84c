"""Fields by column answer as the lines of metadata do, whatever these hold."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.storage import metadata as lines
from suffixindex.storage.fields import writing as columns
from suffixindex.storage.files import hash_file
from suffixindex.storage.format import FIELD_CODES, FIELD_VALUES, FIELDS, SHARD_MARKER, FileEntry, Manifest
from tests import oracle
from tests.helpers import building
from tests.helpers.killing import killed_at

Folder = Callable[[], Path]

HUGE = 12345678901234567890123456789
SCALAR = st.sampled_from(["a", "b", "é", "", "\ud800", "\0number:1", 0, 1, 2, -1, True, False, 1.0, 2.5, -0.0, 1e300, HUGE, None])
VALUE = st.one_of(SCALAR, SCALAR, SCALAR, st.lists(SCALAR, max_size=2))
KEYS = ["a", "b", "c", "a.b", "b.c", "a.b.c", "path", "", "."]
METADATA_OF_ONE = st.dictionaries(
    st.sampled_from(KEYS),
    st.one_of(
        VALUE, st.recursive(VALUE, lambda inner: st.dictionaries(st.sampled_from(KEYS[:4]), inner, max_size=3), max_leaves=4)
    ),
    max_size=4,
)
FIELDS_ASKED = [*KEYS, "a.a", "a.c", "a.b.b", "b.a", "absent", "path.a", ".a"]


@contextmanager
def by_column(chunk: int = 1, spilled: int = 2, **limits: int) -> Iterator[None]:
    """Every shard is worth columns, however few its documents; some are spilled between others."""
    changed: Mapping[str, int] = {"FEWEST_DOCUMENTS": 0, "SPILLED": spilled, **limits}
    with mock.patch.multiple(columns, **changed), mock.patch.object(lines, "RECORD_BYTES", chunk):
        yield


def write(folder: Path, metadata: Sequence[dict[str, Any]], shards: int) -> si.SuffixIndex:
    records = [{"path": f"{number % 2}.txt", "line": number, "metadata": record} for number, record in enumerate(metadata)]
    return building.write_index(folder, [[1, 2]] * len(records), "u8", shards=shards, metadata=records)


def answer(index: si.SuffixIndex, field: str) -> Any:
    """The groups of a field with the values as they are written, or the sentence of what is wrong."""
    try:
        groups = index.groups(field)
    except si.QueryError as error:
        return str(error).partition("; documents have")[0]
    masks = [index.mask({field: condition}).tolist() for condition in ([None], ["a", 1], range(1, 3), lambda value: value == 2.5)]
    return [(repr(value), count) for value, count in groups.items()], index.counts_by([1], field), masks


@given(
    metadata=st.lists(METADATA_OF_ONE, min_size=1, max_size=8),
    shards=st.sampled_from([1, 2]),
    chunk=st.sampled_from([1, 100, 10**6]),
    limits=st.fixed_dictionaries(
        {},
        optional={
            "MOST_VALUES": st.integers(1, 3),
            "MOST_FIELDS": st.integers(0, 3),
            "MOST_NAME": st.just(1),
            "DICTIONARY_BYTES": st.integers(0, 500),
        },
    ),
)
@example(metadata=[{"a.b": None, "a": {"b": 2}}, {"a": {"b": 3}}], shards=1, chunk=1, limits={})
@example(metadata=[{"a": {"b": n, "c": {"a": "x"}}, "c": n} for n in range(3)], shards=1, chunk=10**6, limits={})
@example(metadata=[{"a": {"b.c": n, "b": {"c": 2}}} for n in range(3)], shards=1, chunk=10**6, limits={})
@example(metadata=[{"a": {"b": n}} if n else {"a": None} for n in range(3)], shards=1, chunk=10**6, limits={})
@example(metadata=[{}, {"a": True}, {"a": 1}, {"b": ["x"]}], shards=2, chunk=10**6, limits={})
@example(metadata=[{"a": 1}, {"a": {"b": 1}}, {"a": [1]}], shards=2, chunk=1, limits={})
def test_columns_answer_as_lines_do(
    new_folder: Folder, metadata: list[dict[str, Any]], shards: int, chunk: int, limits: dict[str, int]
) -> None:
    plain = write(new_folder(), metadata, shards)
    assert FIELDS not in plain.shards[0].files
    with by_column(chunk, **limits):
        index = write(new_folder(), metadata, shards)
    for shard in index.shards:
        assert FIELDS in shard.files
    for field in FIELDS_ASKED:
        expected = answer(plain, field)
        assert answer(index, field) == expected
        values = [oracle.field_value(record, field) for record in metadata]
        if field != "path" and not isinstance(expected, str):
            assert index.groups(field) == Counter(values)
    assert si.verify(index.path, full=True).shards == len(index.shards)


def test_which_fields_have_a_column(tmp_path: Path) -> None:
    size = 2000
    metadata: list[dict[str, Any]]
    metadata = [{"id": f"id-{n}", "year": n % 300, "pair": f"{n // 2}", "lang": {"code": "en"}} for n in range(size)]
    metadata[500]["late"] = ["x"]
    metadata[501]["rare"] = True
    with by_column(10**4, 64, MOST_VALUES=1500):
        index = write(tmp_path / "index", metadata, 1)
    listed = json.loads((index.shards[0].folder / FIELDS).read_bytes())
    assert listed["complete"] is True
    types = {field["name"]: field["type"] for field in listed["fields"]}
    assert types == {
        "path": "u8",
        "id": None,
        "year": "u16",
        "pair": None,
        "lang": None,
        "lang.code": "u8",
        "late": None,
        "rare": "u8",
    }
    with mock.patch.object(lines.MetadataLines, "records", side_effect=AssertionError("the lines are read")):
        assert index.groups("year") == {year: 7 if year < 200 else 6 for year in range(300)}
        assert index.groups("lang.code") == {"en": size} and index.groups("rare") == {None: size - 1, True: 1}
        assert index.count([1], where={"year": range(10), "rare": None}) == 70
        with pytest.raises(si.QueryError, match=r"field 'yeer'; documents have path, id, year, pair, lang\.code"):
            index.groups("yeer")
        with pytest.raises(AssertionError, match="the lines are read"):
            index.groups("id")
    assert index.groups("id").total() == size
    with pytest.raises(si.QueryError, match=r"the field 'late' holds a list in document 500 \(0.txt, line 500\)"):
        index.groups("late")


def test_bytes_do_not_depend_on_where_numbers_are_spilled(tmp_path: Path) -> None:
    metadata = [{"a": number % 7, **({"b": "x"} if number > 20 else {})} for number in range(50)]
    written = []
    for spilled in (1, 3, 1000):
        with by_column(100, spilled):
            index = write(tmp_path / str(spilled), metadata, 1)
        names = (FIELDS, FIELD_VALUES, FIELD_CODES["u8"])
        written.append([(index.shards[0].folder / name).read_bytes() for name in names])
    assert written[0] == written[1] == written[2]


def test_columns_are_merged_and_appended(tmp_path: Path) -> None:
    values: list[list[Any]] = [["x", 1, None], [1.0, "y", "x"]]
    corpora = [building.write_jsonl(tmp_path / f"{n}.jsonl", ["a b", "c", "a"], field=some) for n, some in enumerate(values)]
    with by_column():
        for n, corpus in enumerate(corpora):
            si.build(corpus, tmp_path / f"{n}", tokenizer="bytes", progress=False)
        si.merge([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
        si.append(tmp_path / "1", corpora[0], progress=False)
    for path in ("merged", "1"):
        assert si.verify(tmp_path / path, full=True).shards == 2
        with si.open(tmp_path / path) as opened, mock.patch.object(lines.MetadataLines, "records", side_effect=AssertionError):
            assert opened.groups("field") == {"x": 2, 1: 2, None: 1, "y": 1}
            assert opened.count("a", where={"field": ["x"]}) == {"merged": 2, "1": 2}[path]


@pytest.mark.usefixtures("no_fsync")
def test_a_build_killed_while_it_writes_columns_goes_on(tmp_path: Path) -> None:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", ["a b", "c", "a"], field=["x", 1, ["z"]])

    def build(folder: str) -> dict[str, bytes]:
        with by_column():
            si.build(corpus, tmp_path / folder, tokenizer="bytes", progress=False)
        shard = tmp_path / folder / "shards" / "00000"
        return {path.name: path.read_bytes() for path in sorted(shard.iterdir())}

    expected = build("whole")
    assert {FIELDS, FIELD_VALUES, FIELD_CODES["u8"]} <= expected.keys() and "field_codes.tmp" not in expected
    step = 0
    while killed_at(step, lambda: build(str(step))):
        assert build(str(step)) == expected
        step += 3
    assert step > 9


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with by_column():
        return write(tmp_path / "index", [{"a": "x"}, {"a": "y"}, {}], 1).path


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        (FIELDS, b'"u8"', b'"u9"', "type is 'u9', expected u8 or u16"),
        (FIELDS, b'"u8"', b"null", "field_values.jsonl has 33 bytes, expected 0"),
        (FIELDS, b'"u8"', b'"u16"', "field_codes.u8 has 6 bytes, expected 0"),
        (FIELDS, b'"values": 3', b'"values": 4', "expected a list of 4 distinct values"),
        (FIELDS, b'"name": "a"', b'"name": "path"', "'path' is there twice"),
        (FIELDS, b'"complete": true', b'"complete": 1', "complete is neither true nor false"),
        (FIELD_VALUES, b'"y"', b'"x"', "expected a list of 3 distinct values"),
        (FIELD_VALUES, b'"y"', b"[1]", "expected a list of 3 distinct values"),
        (FIELD_CODES["u8"], b"\x00\x01\x02", b"\x00\x01\x03", "has 3 values, and a number beyond them"),
    ],
)
def test_damage_is_a_sentence(index: Path, name: str, old: bytes, new: bytes, what: str) -> None:
    folder = index / "shards" / "00000"
    rewrite(folder / name, old, new)
    relist(index, list(Manifest.read(index).shards[0].files))
    with si.open(index) as opened, pytest.raises(si.FormatError, match=what):
        opened.groups("a")


def relist(index: Path, names: Sequence[str]) -> None:
    """List files of the only shard as they are now."""
    manifest, folder = Manifest.read(index), index / "shards" / "00000"
    entry = replace(manifest.shards[0], files={name: FileEntry(*hash_file(folder / name)) for name in names})
    (folder / SHARD_MARKER).write_text(json.dumps(entry.to_json()))
    replace(manifest, shards=(entry,)).write(index)


def test_verification_holds_columns_against_the_lines(index: Path) -> None:
    folder = index / "shards" / "00000"
    rewrite(folder / FIELD_CODES["u8"], b"\x00\x01\x02", b"\x00\x02\x01")
    relist(index, list(Manifest.read(index).shards[0].files))
    with pytest.raises(si.FormatError, match="column of 'a' does not fit"):
        si.verify(index)


def test_columns_without_metadata_are_no_index(index: Path) -> None:
    relist(index, [name for name in Manifest.read(index).shards[0].files if name != FIELD_VALUES])
    with pytest.raises(si.FormatError, match=f"{FIELD_VALUES} of shard 0 is not listed"):
        si.open(index)
