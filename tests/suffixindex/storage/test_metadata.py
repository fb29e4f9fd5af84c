"""A line of an index's metadata: a record with a path, a line and metadata, or an error; and many of them, read together."""

import json
from itertools import accumulate
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.storage import metadata
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.metadata import MetadataLines, our_record

WHOLE = {"path": "a.jsonl", "line": 1, "metadata": {}}
EXACT = {"number": 10**30}  # which a float would round


@pytest.mark.parametrize("value", [WHOLE, {**WHOLE, "path": None, "line": None}, {**WHOLE, "metadata": {"year": 1999}}])
def test_what_is_a_record(value: Any) -> None:
    assert our_record(value) == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        *({name: WHOLE[name] for name in WHOLE if name != lost} for lost in WHOLE),
        *({**WHOLE, name: 0.5} for name in WHOLE),
    ],
)
def test_what_lacks_a_field_is_none(value: Any) -> None:
    with pytest.raises(ValueError, match="no record"):
        our_record(value)


def lines_of(path: Path, written: list[bytes]) -> MetadataLines:
    path.write_bytes(b"".join(written))
    starts = np.array([0, *accumulate(map(len, written))][:-1], np.uint64)
    return MetadataLines(path, starts, path.stat().st_size, IndexFiles([path]), our_record, "restore it")


@given(data=st.data(), block=st.sampled_from([1, 60, 1 << 16]), gap=st.sampled_from([0, 50, 1 << 13]))
def test_some_records_are_those_of_each_document(tmp_path: Path, data: st.DataObject, block: int, gap: int) -> None:
    sizes = data.draw(st.lists(st.sampled_from([0, 0, 3, 200]), min_size=1, max_size=12))
    fields = [EXACT if size == 3 else {"text": "é" * size} for size in sizes]
    records = [{"path": None, "line": line, "metadata": field} for line, field in enumerate(fields)]
    lines = lines_of(tmp_path / "metadata.jsonl", [json.dumps(record).encode() + b"\n" for record in records])
    asked = sorted(data.draw(st.sets(st.integers(0, len(sizes) - 1))))
    with mock.patch.object(metadata, "RECORD_BYTES", block), mock.patch.object(metadata, "GAP", gap):
        assert lines.records_of(np.array(asked, np.int64)) == [records[document] for document in asked]
    assert [lines.record(document) for document in range(len(records))] == records


def test_of_some_records_the_damaged_one_is_named(tmp_path: Path) -> None:
    written = [json.dumps({**WHOLE, "line": line}).encode() + b"\n" for line in range(9)]
    lines = lines_of(tmp_path / "metadata.jsonl", [*written[:6], b"{}\n", *written[7:]])
    with pytest.raises(si.FormatError, match=r"metadata.jsonl, line 7: expected a record .* restore it"):
        lines.records_of(np.array([1, 6, 8]))
