"""Tables of Megatron's ``.idx``: every entry is held against the others and the tokens; newer kinds are told apart."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.corpus.megatron import HEADER_BYTES, open_megatron
from suffixindex.corpus.readers import RecordOptions, parse, read_records
from suffixindex.corpus.sources import resolve
from tests.helpers import foreign_building as other

SEQUENCES = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def dataset(folder: Path, change: Callable[[np.ndarray, np.ndarray, np.ndarray], object] = lambda *tables: None) -> Path:
    """Three u16 sequences of 3 tokens, with a change in the tables of sizes, pointers, documents."""
    path = other.write_megatron(folder / "x", SEQUENCES)
    content = bytearray(path.read_bytes())
    sizes = np.frombuffer(content, "<i4", 3, HEADER_BYTES)
    pointers = np.frombuffer(content, "<i8", 3, HEADER_BYTES + 12)
    documents = np.frombuffer(content, "<i8", 4, HEADER_BYTES + 36)
    change(sizes, pointers, documents)
    path.write_bytes(content)
    return path


def texts(path: Path, steps: int | None = None) -> list[list[int]]:
    sources = resolve([path], sequences_per_step=steps)
    return [ids.tolist() for ids in parse(list(read_records(sources)), sources, RecordOptions()).texts]


@pytest.mark.parametrize(
    ("table", "entry", "value", "message"),
    [
        (1, 1, 6 - 2**32, "sequence 1 begins at byte -4,294,967,290, expected a multiple of 2"),
        (1, 1, 7, "sequence 1 begins at byte 7, expected a multiple of 2"),
        (1, 1, 4, "sequence 1 begins at byte 4, before the end of the one before it, 6"),
        (1, 0, 12, "sequence 1 begins at byte 6, before the end of the one before it, 18"),
        (1, 1, 12, "sequence 2 begins at byte 12, before the end of the one before it, 18"),
        (1, 2, 2**62, "up to the end of sequence 2; its .bin files hold 9"),
        (1, 2, 14, "tells of 10 tokens, up to the end of sequence 2"),
        (0, 0, -1, "sequence 0 has -1 tokens, expected 0 or more"),
        (0, 2, 2**31 - 1, "up to the end of sequence 2"),
        (0, 0, 4, "sequence 1 begins at byte 6, before the end"),
        (2, 0, 1, "its table goes from 1 to 3, expected 0 to 3; take sequences as documents, with --sequences-per-step"),
        (2, 3, 2, "its table goes from 0 to 2, expected 0 to 3"),
        (2, 1, 3, "document 2 begins with sequence 2, the one before it with 3"),
        (2, 1, -5, "document 1 begins with sequence -5"),
        (2, 1, 2**40, "document 2 begins with sequence 2, the one before it with 1,099,511,627,776"),
    ],
)
def test_an_entry_that_is_wrong_is_named(tmp_path: Path, table: int, entry: int, value: int, message: str) -> None:
    def change(*tables: np.ndarray) -> None:
        tables[table][entry] = value

    path = dataset(tmp_path, change)
    with pytest.raises(si.CorpusError, match=r"x\.idx") as caught:
        texts(path)
    assert message in str(caught.value)
    if table == 2:  # as the message advises
        assert texts(path, steps=1) == SEQUENCES


@given(st.integers(0, 2), st.data())
def test_any_change_is_refused_or_read_as_it_says(new_folder: Callable[[], Path], table: int, data: st.DataObject) -> None:
    entry = data.draw(st.integers(0, 3 if table == 2 else 2))
    value = data.draw(st.one_of(st.integers(-3, 20), st.integers(-(2**31), 2**31 - 1)))

    def change(*tables: np.ndarray) -> None:
        tables[table][entry] = value

    path = dataset(new_folder(), change)
    ids = [token for sequence in SEQUENCES for token in sequence]
    try:
        found = texts(path)
    except si.CorpusError:
        return
    read = open_megatron(path)
    sequences = [ids[start : start + size] for start, size in zip(read.starts.tolist(), read.sizes.tolist(), strict=True)]
    edges = read.documents.tolist()
    assert found == [[token for sequence in sequences[first:last] for token in sequence] for first, last in pairwise(edges)]


def test_a_dataset_with_modes_is_read_if_all_is_text(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    plain = path.read_bytes()
    path.write_bytes(plain + bytes(3))
    assert texts(path) == SEQUENCES
    path.write_bytes(plain + b"\0\1\0")
    with pytest.raises(si.CorpusError, match=r"multimodal dataset: sequence 1 is of mode 1, expected text alone"):
        texts(path)
    path.write_bytes(plain + bytes(8))
    with pytest.raises(si.CorpusError, match=r"110 bytes, expected 102, or 105 with a mode for each of its 3 sequences: it was"):
        texts(path)


def test_other_members_of_the_format_are_refused_for_what_they_are(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    content = path.read_bytes()
    path.write_bytes(b"TNTIDX\0\0" + content[8:])
    with pytest.raises(si.CorpusError, match=r"fairseq's older kind \(TNTIDX\): make it anew with --dataset-impl mmap"):
        texts(path)
    for code, name in ((6, "float64"), (7, "float32")):
        path.write_bytes(content[:17] + bytes([code]) + content[18:])
        with pytest.raises(si.CorpusError, match=rf"type {code} \({name}\): expected version 1 and ids"):
            texts(path)
    path.write_bytes(content)
    (tmp_path / "x.bin").write_bytes((tmp_path / "x.bin").read_bytes() + b"\0")
    with pytest.raises(si.CorpusError, match=r"x\.bin has 19 bytes, expected a multiple of 2"):
        texts(path)


def test_tokens_that_are_cut_short_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suffixindex.corpus.megatron.CHUNK_TOKENS", 2)
    path = dataset(tmp_path)
    pieces = read_records(resolve([path]))
    next(pieces)
    (tmp_path / "x.bin").write_bytes(b"\1\0")
    with pytest.raises(si.CorpusError, match=r"x\.bin changed while it was read"):
        list(pieces)
    path = dataset(tmp_path)
    pieces = read_records(resolve([path]))
    (tmp_path / "x.bin").write_bytes(bytes(18) + b"\1\0")
    with pytest.raises(si.CorpusError, match=r"x\.idx, or a \.bin file of it, changed while it was read"):
        list(pieces)
