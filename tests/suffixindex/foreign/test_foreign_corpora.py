"""Corpora that are ids already: Megatron's datasets and raw files, built and asked; counts up to a training step."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from tests import oracle
from tests.helpers import foreign_building as other

SEPARATOR = 65_535
FEWER = max(5, settings.default.max_examples // 5)


def build(path: Path, index: Path, **settings: object) -> si.SuffixIndex:
    memory = None if "shard_tokens" in settings else "1GiB"
    si.build(path, index, tokenizer="none", memory=memory, threads=1, progress=False, **settings)  # type: ignore[arg-type]
    return si.open(index)


def test_sequences_that_straddle_files_and_counts_up_to_a_training_step(tmp_path: Path) -> None:
    """Three files cut inside sequences, as Pythia's are cut at 5 GB."""
    generator = np.random.default_rng(0)
    sequences = generator.choice([1, 2, 300], (64, 9)).tolist()
    path = other.write_megatron(tmp_path / "document", sequences, documents=[0, 64], cuts=[100, 104 + 9 * 20])
    assert len(list(tmp_path.glob("*.bin"))) == 3
    index = build(path, tmp_path / "index", sequences_per_step=16)
    assert index.num_documents == 64 and index.document(20).token_ids.tolist() == sequences[20]
    assert index.document(33).metadata == {"step": 2} and index.groups("step") == {0: 16, 1: 16, 2: 16, 3: 16}
    for ngram in ([1], [1, 2], [300, 1, 2], [2, SEPARATOR], [2, 2, 2, 2]):
        for step in range(5):
            expected = oracle.count(sequences[: 16 * step], ngram, SEPARATOR)
            assert index.count(ngram, where={"step": range(step)}) == expected
        assert index.count(ngram) == oracle.count(sequences, ngram, SEPARATOR)


@settings(max_examples=FEWER)
@given(
    sequences=st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=8),
    dtype=st.sampled_from(["|u1", "<u2", "<i4", "<i8"]),
    data=st.data(),
)
def test_documents_of_a_dataset(
    new_folder: Callable[[], Path], sequences: list[list[int]], dtype: str, data: st.DataObject
) -> None:
    edges = sorted(data.draw(st.sets(st.integers(1, len(sequences) - 1)))) if len(sequences) > 1 else []
    edges = [0, *edges, len(sequences)]
    length = sum(map(len, sequences))
    cuts = sorted(data.draw(st.sets(st.integers(1, length - 1), max_size=2))) if length > 1 else []
    folder = new_folder()
    path = other.write_megatron(folder / "x", sequences, dtype, documents=edges, cuts=cuts)
    documents = [[token for sequence in sequences[first:last] for token in sequence] for first, last in pairwise(edges)]
    if not any(documents):
        return
    index = build(path, folder / "index")
    assert [index.document(i).token_ids.tolist() for i in range(index.num_documents)] == documents
    assert index.document(0).line == 1 and index.count([1]) == oracle.count(documents, [1], index.separator)


@pytest.mark.parametrize(("name", "dtype"), [("u8", "u1"), ("u16", "<u2"), ("u32", "<u4")])
def test_raw_ids(tmp_path: Path, name: str, dtype: str) -> None:
    documents = [[1, 2, 3], [], [2, 2], [3]]
    tokens = [token for document in documents for token in [*document, 0]]
    np.array(tokens, dtype).tofile(tmp_path / "ids.bin")
    index = build(tmp_path / "ids.bin", tmp_path / "index", input_format=name, separator=0)
    assert index.dtype == np.dtype(dtype)
    assert [index.document(i).token_ids.tolist() for i in range(index.num_documents)] == documents
    assert index.next_distribution([2]).token_ids.tolist() == [2, 3, index.separator]
    whole = build(tmp_path / "ids.bin", tmp_path / "whole", input_format=name)
    assert whole.num_documents == 1 and whole.count([3, 0, 0, 2]) == 1


@pytest.mark.parametrize("metadata", [True, False])
def test_a_file_that_is_laid_out_as_ours_is_linked_and_not_copied(tmp_path: Path, metadata: bool) -> None:
    documents = [[1, 2, 3], [], [2, 2], [3]]
    np.array(oracle.with_separators(documents, SEPARATOR), "<u2").tofile(tmp_path / "ids.bin")
    settings: dict[str, object] = {"input_format": "u16", "separator": SEPARATOR, "metadata": metadata}
    index = build(tmp_path / "ids.bin", tmp_path / "index", **settings)
    assert (tmp_path / "ids.bin").samefile(tmp_path / "index" / "shards" / "00000" / "tokens.u16")
    assert [index.document(i).token_ids.tolist() for i in range(index.num_documents)] == documents
    assert index.document(2).line == (3 if metadata else None)
    assert si.verify(tmp_path / "index", full=True).tokens == 6
    cut = build(tmp_path / "ids.bin", tmp_path / "cut", **settings, shard_tokens=5)
    assert len(cut.shards) > 1 and cut.counts([[2], [3, SEPARATOR]]).tolist() == [3, 2]


def test_the_tokenizer_that_made_the_ids_answers_text(tmp_path: Path) -> None:
    path = other.write_megatron(tmp_path / "x", [list(b"the cat"), list(b"a cat")], "|u1")
    si.build(path, tmp_path / "index", tokenizer="bytes", memory="1GiB", threads=1, progress=False)
    assert si.open(tmp_path / "index").count("cat") == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "x.bin").unlink(), "no tokens beside it"),
        (lambda folder: (folder / "x.bin").write_bytes(b"\0\0"), "cut short or is missing"),
        (lambda folder: (folder / "x.idx").write_bytes((folder / "x.idx").read_bytes()[:-3]), "it was cut short"),
        (lambda folder: (folder / "x.idx").write_bytes(b"something else"), "no Megatron index"),
    ],
)
def test_a_damaged_dataset_is_refused(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    path = other.write_megatron(tmp_path / "x", [[1, 2], [3]])
    damage(tmp_path)
    with pytest.raises(si.CorpusError, match=message):
        build(path, tmp_path / "index")


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    path = other.write_megatron(tmp_path / "x", [[1, 2], [300]])
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(si.CorpusError, match="id 300, outside the vocabulary of 255"):
        si.build(path, tmp_path / "index", tokenizer="bytes", memory="1GiB", progress=False)
    with pytest.raises(si.CorpusError, match="text and ids at once"):
        si.build([path, tmp_path / "a.txt"], tmp_path / "other", tokenizer="none", memory="1GiB")
    with pytest.raises(si.TokenizerError, match="needs a tokenizer"):
        si.build(tmp_path / "a.txt", tmp_path / "other", tokenizer="none", memory="1GiB")
    with pytest.raises(si.CorpusError, match="separator is named for files of ids"):
        si.build(path, tmp_path / "other", tokenizer="none", separator=0, memory="1GiB")
