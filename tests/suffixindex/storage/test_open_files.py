"""Files of an open index: what they cost, that they are given back, and that no other files take their place."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import suffixindex as si
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
