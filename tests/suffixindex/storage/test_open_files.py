"""Files of an open index: what they cost, that they are given back, and that no other files take their place."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

import suffixindex as si
from suffixindex.storage import identity
from suffixindex.storage.format import shard_folder
from tests.helpers import building

LINUX = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counts in /proc")
DOCUMENTS = [[1, 2, 3], [1, 2], [3, 1], [2]]
MANY = """
import resource, sys
import suffixindex as si
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
index = si.open(sys.argv[1])
print(index.count([1]), index.counts([[1]] * 300)[0], index.document_count([1]), index.document(0).token_ids.tolist())
"""


def _held(folder: Path) -> tuple[int, int]:
    """Descriptors, and maps of files below a folder."""
    return len(os.listdir("/proc/self/fd")), Path("/proc/self/maps").read_text().count(str(folder))


@LINUX
def test_shards_need_no_descriptors(tmp_path: Path) -> None:
    """As many shards as would need 353 descriptors and more, where 64 are allowed."""
    index = building.write_index(tmp_path / "index", [[1, 2]] * 120, "u16", shards=120)
    assert index.num_shards == 120
    done = subprocess.run([sys.executable, "-c", MANY, str(index.path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("120 120 120 [1, 2]\n", 0), done.stderr


@LINUX
def test_an_index_that_is_closed_holds_nothing(tmp_path: Path) -> None:
    path = building.write_index(tmp_path / "index", DOCUMENTS, "u16", shards=2).path
    before = _held(path)
    for turn in range(2000):
        with si.open(path, threads=1) as index:
            assert index.count([1, 2]) == 2
            if turn % 100 == 0:
                assert index.document_counts([[1]] * 300)[0] == 3
                assert _held(path)[1] > before[1]
        assert turn % 100 or _held(path) == before


@LINUX
def test_closing_gives_back_at_once_whoever_still_holds_the_index(tmp_path: Path) -> None:
    path = building.write_index(tmp_path / "index", DOCUMENTS, "u16", shards=2).path
    before = _held(path)
    index = si.open(path)
    index.top_ngrams(2, 3)
    index.cooccurrence([1], [2])
    shards = index.shards
    index.close()
    assert _held(path) == before and len(shards) == 2


def test_questions_during_a_close_are_answered_or_refused(tmp_path: Path) -> None:
    path = building.write_index(tmp_path / "index", DOCUMENTS * 50, "u16", shards=2).path
    for _ in range(20):
        index = si.open(path, threads=2)
        wrong: list[object] = []

        def ask(index: si.SuffixIndex = index, wrong: list[object] = wrong) -> None:
            try:
                while True:
                    found = [index.count([1, 2]), index.counts([[1, 2]] * 300)[0], index.document_count([1, 2])]
                    if found != [100, 100, 100]:
                        wrong.append(found)
            except si.QueryError as error:
                if "closed" not in str(error):
                    wrong.append(error)
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        index.count([1])
        index.close()
        for thread in threads:
            thread.join()
        assert wrong == []


QUESTIONS = {
    "count": lambda index: index.count([1, 2]),
    "documents": lambda index: [match.document_id for match in index.documents([1])],
    "document": lambda index: index.document(0).token_ids.tolist(),
    "counts_by": lambda index: dict(index.counts_by([1], "set")),
}


@pytest.mark.parametrize("asked", [(), ("count",), ("count", "documents"), ("count", "document", "counts_by")])
@pytest.mark.parametrize("how", ["another folder", "over it", "removed"])
def test_an_index_that_is_replaced_gives_old_answers_or_one_error(tmp_path: Path, how: str, asked: tuple[str, ...]) -> None:
    def write(name: str, documents: list[list[int]]) -> Path:
        records: list[dict[str, object]] = [{"path": name, "line": i, "metadata": {"set": name}} for i in range(len(documents))]
        return building.write_index(tmp_path / name, documents, "u16", shards=2, metadata=records).path

    path, other = write("old", DOCUMENTS), write("new", [[2, 1, 1], [2, 2], [3, 2], [1]])
    with si.open(path) as index:
        old = {name: ask(index) for name, ask in QUESTIONS.items()}
    index = si.open(path)
    for name in asked:
        assert QUESTIONS[name](index) == old[name]
    if how == "over it":
        for file in sorted(other.rglob("*")):
            if file.is_file():
                target = path / file.relative_to(other)
                target.unlink()
                shutil.copyfile(file, target)
    else:
        shutil.rmtree(path)
        if how == "another folder":
            shutil.copytree(other, path)
    refused = 0
    for name, ask in QUESTIONS.items():
        try:
            assert ask(index) == old[name]
        except si.FormatError as error:
            assert "since the index was opened: open the index again" in str(error)
            refused += 1
    assert refused or len(asked) == 3


def test_a_vocabulary_that_is_replaced_is_refused(tmp_path: Path) -> None:
    for name, text in (("old", "the cat sat"), ("new", "a dog ran")):
        si.build(building.write_jsonl(tmp_path / f"{name}.jsonl", [text]), tmp_path / name, tokenizer="words", progress=False)
    index = si.open(tmp_path / "old")
    for file in (tmp_path / "new").glob("vocabulary*"):
        (tmp_path / "old" / file.name).unlink()
        shutil.copyfile(file, tmp_path / "old" / file.name)
    with pytest.raises(si.FormatError, match="since the index was opened"):
        index.count("cat")


SEEN = 5 * identity.EVERY
MAPPED = ["tokens.u16", "suffix_array.u32", "search_tree.u64", "document_offsets.u64", "document_blocks.u32"]


@pytest.mark.parametrize("name", MAPPED)
def test_what_is_written_into_a_mapped_file_is_said(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied over, into the same file: every kind of question refuses, from the next look at the files on."""
    monkeypatch.setattr("suffixindex.storage.shard.SHORT_DOCUMENTS", 0)  # that document blocks are used
    records: list[dict[str, object]] = [{"path": "a", "line": i, "metadata": {"set": i % 2}} for i in range(len(DOCUMENTS) * 100)]
    path = building.write_index(tmp_path / "index", DOCUMENTS * 100, "u16", shards=2, metadata=records).path
    with si.open(path) as index:
        questions: list[Callable[[si.SuffixIndex], object]] = [
            *QUESTIONS.values(),
            lambda index: index.counts([[1, 2]] * 300).tolist(),
            lambda index: index.document_count([1]),
            lambda index: index.next_distribution([1]).counts.tolist(),
            lambda index: index.top_ngrams(2, 3),
        ]
        expected = [ask(index) for ask in questions]
        assert [ask(index) for ask in questions] == expected
        file = shard_folder(path, 1) / name
        content = file.read_bytes()
        with open(file, "r+b") as opened:
            opened.write(content[::-1])
        time.sleep(SEEN)
        for ask in questions:
            for _ in range(2):
                with pytest.raises(si.FormatError, match=rf"{name} was replaced or changed since the index was opened"):
                    ask(index)


def test_a_file_that_another_one_replaces_stays_mapped(tmp_path: Path) -> None:
    path = building.write_index(tmp_path / "index", DOCUMENTS * 100, "u16").path
    with si.open(path) as index:
        assert index.count([1, 2]) == 200
        file = shard_folder(path, 0) / "tokens.u16"
        (tmp_path / "new").write_bytes(bytes(file.stat().st_size))
        os.replace(tmp_path / "new", file)
        time.sleep(SEEN)
        assert index.count([1, 2]) == 200
        file.unlink()
        assert index.counts([[1, 2]] * 300).tolist() == [200] * 300


def test_files_are_looked_at_seldom(tmp_path: Path) -> None:
    check_mapped = identity.IndexFiles.check_mapped
    path = building.write_index(tmp_path / "index", DOCUMENTS * 100, "u16").path
    with si.open(path) as index:
        index.count([1])
        with mock.patch.object(identity.IndexFiles, "check_mapped", autospec=True, side_effect=check_mapped) as looked:
            began = time.monotonic()
            for _ in range(1000):
                index.count([1])
            took = time.monotonic() - began
        assert looked.call_count <= 1 + took / identity.EVERY


def test_words_that_are_written_over_are_said(tmp_path: Path) -> None:
    si.build(building.write_jsonl(tmp_path / "a.jsonl", ["the cat sat"]), tmp_path / "a", tokenizer="words", progress=False)
    with si.open(tmp_path / "a") as index:
        assert index.count("cat") == 1
        with open(tmp_path / "a" / "vocabulary.txt", "r+b") as file:
            file.write(b"\nsat\ncat\n")
        time.sleep(SEEN)
        with pytest.raises(si.FormatError, match=r"vocabulary.txt was replaced or changed"):
            index.count("cat")
