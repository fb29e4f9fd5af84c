"""Appended in any number of steps, an index answers as one that was built at once; readers and kills in between change nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.changing import appending
from suffixindex.queries import cooccurrence
from suffixindex.storage import shard
from suffixindex.storage.files import remove
from suffixindex.storage.format import GROWN_VERSION
from tests.helpers import building, shell
from tests.helpers.killing import killed_at
from tests.helpers.questions import FIELD, Asked, asked, other_answers
from tests.helpers.strategies import Corpus

Folder = Callable[[], Path]
FEWER = max(5, settings.default.max_examples // 4)
STEPS = [["the cat sat", "the dog sat"], ["a bird", "the cat flew", ""], ["a dog flew over the bird"]]
BUILD: dict[str, Any] = {"shard_tokens": 30, "progress": False, "threads": 1}
APPEND: dict[str, Any] = {"progress": False, "threads": 1}
LINE = b'{"text": "one more"}\n'


def write(folder: Path, steps: list[list[str]]) -> list[Path]:
    """A file of the corpus for each step."""
    folder.mkdir()
    numbers = iter(range(100))
    return [
        building.write_jsonl(folder / f"{i}.jsonl", texts, **{FIELD: [next(numbers) % 3 for _ in texts]})
        for i, texts in enumerate(steps)
    ]


def grow(index: Path, files: list[Path], tokenizer: str) -> Path:
    """An index of the first file, to which the others are appended."""
    si.build(files[0], index, tokenizer=tokenizer, **BUILD)
    for file in files[1:]:
        si.append(index, file, **APPEND)
    return index


# ---- answers -----------------------------------------------------------------------------------------------------

TEXT = st.lists(st.sampled_from(["a", "b", "c", "dd", "e"]), max_size=8).map(" ".join)


@settings(max_examples=FEWER)
@example(steps=STEPS, tokenizer="words", data=None)
@given(
    steps=st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=2, max_size=4),
    tokenizer=st.sampled_from(["words", "words", "bytes"]),
    data=st.data(),
)
def test_steps_are_one_build(
    new_folder: Folder, no_fsync: None, steps: list[list[str]], tokenizer: str, data: st.DataObject | None
) -> None:
    files = write(new_folder(), steps)
    one, many = new_folder(), new_folder()
    si.build(files, one, tokenizer=tokenizer, **BUILD)
    grow(many, files, tokenizer)
    si.verify(many, full=True)
    with si.open(one) as whole, si.open(many) as grown:
        documents = [whole.document(number).token_ids.tolist() for number in range(whole.num_documents)]
        size = whole.vocabulary_size
        corpus = Corpus(whole.manifest.token_type, size, [min(1, size - 1), size - 1, 0], documents)
        if data is None:
            ngrams = [[1], [size - 1], [1, size - 1], [0], [2, 3], [], [size - 1, corpus.separator]]
            about = Asked(ngrams, ngrams[:-1], ngrams[:-1], [[[[1]], [[size - 1], [2]]]], np.arange(len(documents)) % 2 == 0)
        else:
            about = data.draw(asked(corpus))
        assert (grown.vocabulary_size, grown.num_tokens) == (size, whole.num_tokens)
        assert other_answers(grown, whole, about) == []
        with mock.patch.object(shard, "FEW", 0), mock.patch.object(cooccurrence, "FEW", 0):
            assert other_answers(grown, whole, about) == []
        for text in ("a dd e", "bird cat"):
            assert grown.encode(text).tolist() == whole.encode(text).tolist()


def test_what_an_index_that_grew_says_of_itself(tmp_path: Path, no_fsync: None) -> None:
    files = write(tmp_path / "corpus", STEPS)
    index = grow(tmp_path / "index", files, "words")
    with si.open(index) as grown:
        info = grown.info()
        assert info["format_version"] == GROWN_VERSION
        assert info["tokenizer"]["generation"] == 2
        assert [entry["num_documents"] for entry in info["settings"]["appended"]] == [3, 1]
        assert len(info["provenance"]["appended"]) == 2
        assert grown.pieces(range(1, grown.vocabulary_size)) == ["the", "cat", "sat", "dog", "a", "bird", "flew", "over"]
    names = {path.name for path in index.iterdir()}
    assert {"sources.jsonl", "sources.1.jsonl", "sources.2.jsonl", "vocabulary.1.txt", "vocabulary.2.txt"} <= names
    assert not names & {"vocabulary.txt", "append", "build.lock", "build.json"}
    si.merge([index, grow(tmp_path / "other", files, "words")], tmp_path / "merged")
    si.verify(tmp_path / "merged", full=True)
    assert si.open(tmp_path / "merged").count("bird") == 4
    with pytest.raises(si.BuildError, match="of other settings"):
        si.build(files, index, tokenizer="words", **BUILD)
    si.build(files, index, tokenizer="words", restart=True, **BUILD)
    assert si.open(index).info()["format_version"] == 2


def test_an_index_without_new_words_is_of_the_version_it_was(tmp_path: Path, no_fsync: None) -> None:
    index = grow(tmp_path / "index", write(tmp_path / "corpus", [["a b", "c"], ["b a c"]]), "words")
    assert si.open(index).info()["format_version"] == 2
    assert si.open(index).count("b a c") == 1


def test_ids_are_appended_to_ids(tmp_path: Path, no_fsync: None) -> None:
    for name, ids in (("a", [1, 2, 9, 3, 9]), ("b", [1, 2, 9])):
        np.array(ids, np.uint16).tofile(tmp_path / f"{name}.bin")
    how: dict[str, Any] = {"input_format": "u16", "separator": 9, "progress": False}
    si.build(tmp_path / "a.bin", tmp_path / "index", tokenizer="none", **how)
    si.append(tmp_path / "index", tmp_path / "b.bin", **how)
    assert si.open(tmp_path / "index").counts([[1, 2], [3]]).tolist() == [2, 1]
    si.verify(tmp_path / "index", full=True)
    with pytest.raises(si.BuildError, match="was made of ids, and the corpus is text"):
        si.append(tmp_path / "index", building.write_jsonl(tmp_path / "text.jsonl", ["a"]), **APPEND)


def test_a_hugging_face_tokenizer_is_that_of_the_index(tmp_path: Path, no_fsync: None) -> None:
    tokenizer = building.write_tokenizer(tmp_path, "the cat sat on the mat", size=300)
    files = write(tmp_path / "corpus", STEPS)
    si.build(files[0], tmp_path / "index", tokenizer=str(tokenizer), **BUILD)
    tokenizer.unlink()
    si.append(tmp_path / "index", files[1:], **APPEND)
    assert si.open(tmp_path / "index").count(" cat") == 2
    si.verify(tmp_path / "index", full=True)


# ---- readers -----------------------------------------------------------------------------------------------------


def test_readers_of_the_old_state_go_on(tmp_path: Path, no_fsync: None) -> None:
    files = write(tmp_path / "corpus", STEPS)
    index = grow(tmp_path / "index", files[:1], "words")
    with si.open(index) as asking, si.open(index) as waiting:
        assert asking.count("the cat") == 1
        si.append(index, files[1], **APPEND)
        for old in (asking, waiting):  # one has read nothing yet
            assert old.num_documents == 2
            assert old.counts(["the cat", "bird", "the"]).tolist() == [1, 0, 2]
            assert old.text(1) == "the dog sat"
            assert old.groups(FIELD) == {0: 1, 1: 1}
    with si.open(index) as new:
        assert new.counts(["the cat", "bird", "the"]).tolist() == [2, 1, 3]


# ---- what is refused, and what is done twice ---------------------------------------------------------------------


def test_the_same_inputs_are_not_appended_twice(tmp_path: Path, no_fsync: None, caplog: pytest.LogCaptureFixture) -> None:
    files = write(tmp_path / "corpus", STEPS)
    index = grow(tmp_path / "index", files, "bytes")
    before = (index / "manifest.json").read_bytes()
    for file in files:
        assert si.append(index, file, **APPEND).num_documents == 0
        assert "holds these inputs already" in caplog.text
        caplog.clear()
    assert (index / "manifest.json").read_bytes() == before
    for _ in range(2):
        shell.run("append", str(index), "-", stdin=LINE)
    assert si.open(index).count("one more") == 2


def test_standard_input_is_not_appended_again_after_a_kill_at_the_end(tmp_path: Path, no_fsync: None) -> None:
    index = grow(tmp_path / "index", write(tmp_path / "corpus", STEPS)[:1], "bytes")
    with mock.patch.object(appending, "read_provenance", side_effect=KeyboardInterrupt):  # published, and not cleared
        shell.run("append", str(index), "-", stdin=LINE, code=1)
    shell.run("append", str(index), "-", stdin=LINE)
    assert si.open(index).count("one more") == 1


def test_a_vocabulary_that_outgrows_its_ids_is_refused(tmp_path: Path, no_fsync: None) -> None:
    files = write(tmp_path / "corpus", [["a b"], [" ".join(f"w{i}" for i in range(300))]])
    index = tmp_path / "index"
    si.build(files[0], index, tokenizer="words", progress=False)
    before = sorted(path.name for path in index.rglob("*"))
    with pytest.raises(si.BuildError, match="would have 303 words, more than its u8 ids can number"):
        si.append(index, files[1], **APPEND)
    assert sorted(path.name for path in index.rglob("*")) == before


def test_what_is_no_index_of_ours_does_not_grow(tmp_path: Path, no_fsync: None, letters: str) -> None:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", ["a"])
    with pytest.raises(si.NoIndexError, match="does not exist"):
        si.append(tmp_path / "nothing", corpus)
    si.export(letters, tmp_path / "v4_foreign", format="infini-gram")
    with pytest.raises(si.BuildError, match="no index of ours"):
        si.append(tmp_path / "v4_foreign", corpus)
    with pytest.raises(si.CorpusError):
        si.append(letters, tmp_path / "nothing.jsonl")


def test_a_bad_record_leaves_the_index_as_it_was(tmp_path: Path, no_fsync: None) -> None:
    files = write(tmp_path / "corpus", STEPS)
    index = grow(tmp_path / "index", files[:1], "words")
    (tmp_path / "bad.jsonl").write_text('{"text": "cat"}\n{"text": 1}\n')
    assert "bad.jsonl" in shell.sentence("append", str(index), str(tmp_path / "bad.jsonl"))
    assert si.open(index).num_documents == 2
    si.verify(index, full=True)
    said = shell.run("append", str(index), str(files[1]), "--restart").stderr
    assert "3 documents, 5 tokens, 1 shard more, 3 new words; 5 documents, 11 tokens now" in said


# ---- kill -9 -----------------------------------------------------------------------------------------------------


def check_kills(tmp_path: Path, every: int) -> None:
    """Kill an append at every so many of its changes to the disk: the old index is there or the new one, and it can go on."""
    files = write(tmp_path / "corpus", STEPS)
    base, index = grow(tmp_path / "base", files[:2], "words"), tmp_path / "index"
    expected = json.loads((grow(tmp_path / "whole", files, "words") / "manifest.json").read_text())
    outcomes: list[int] = []
    died = True
    while died:
        remove(index)
        copy_by_links(base, index)
        died = killed_at(every * len(outcomes), lambda: si.append(index, files[2], **APPEND))
        outcomes.append(si.open(index).num_documents)
        si.verify(index, full=True)
        si.append(index, files[2], **APPEND)
        si.verify(index, full=True)
        assert json.loads((index / "manifest.json").read_text())["shards"] == expected["shards"]
        assert not (index / "append").exists()
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {5, 6} and len(outcomes) > 50 // every


def copy_by_links(source: Path, target: Path) -> Path:
    """A copy, of links: no file is ever written into."""
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir()
        for name in names:
            os.link(Path(folder) / name, there / name)
    return target


def test_an_append_killed_anywhere_is_done_or_not(tmp_path: Path, no_fsync: None) -> None:
    check_kills(tmp_path, 9)


@pytest.mark.long
def test_an_append_killed_at_every_change(tmp_path: Path, no_fsync: None) -> None:
    check_kills(tmp_path, 1)
