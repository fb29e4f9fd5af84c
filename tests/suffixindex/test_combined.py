"""Several indexes of one tokenizer: asked as one, and merged into one, they answer as an index of all their documents."""

import json
import os
import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.storage import files
from tests.helpers import building, shell
from tests.helpers.killing import killed_at
from tests.helpers.questions import asked, every_question_is_here, other_answers, records
from tests.helpers.strategies import corpora

Folder = Callable[[], Path]
FEWER = max(5, settings.default.max_examples // 4)
TEXTS = ["the cat sat on the mat", "the dog sat", "", "a cat and a dog", "the cat", "dogs"]


@pytest.fixture
def three(tmp_path: Path, no_fsync: None) -> list[Path]:
    """Bytes: two documents each."""
    return [build(tmp_path / name, TEXTS[2 * i : 2 * i + 2], year=[1999 + i] * 2) for i, name in enumerate("abc")]


def build(folder: Path, texts: list[str], tokenizer: str = "bytes", **fields: list[object]) -> Path:
    corpus = building.write_jsonl(folder.with_suffix(".jsonl"), texts, **fields)
    si.build(corpus, folder, tokenizer=tokenizer, shard_tokens=40, progress=False)
    return folder


# ---- as one ------------------------------------------------------------------------------------------------------


def test_no_question_is_forgotten() -> None:
    assert every_question_is_here()


@settings(max_examples=FEWER)
@given(data=st.data())
def test_several_answer_as_the_whole(new_folder: Folder, no_fsync: None, data: st.DataObject) -> None:
    corpus = data.draw(corpora())
    about = data.draw(asked(corpus))
    size = len(corpus.documents)
    cuts = [0, *sorted(data.draw(st.sets(st.integers(1, size - 1), max_size=3)) if size > 1 else ()), size]
    kinds = corpus.token_type, records(size)
    whole = building.write_index(
        new_folder(), corpus.documents, kinds[0], vocabulary_size=corpus.vocabulary_size, metadata=kinds[1], shards=2
    )
    parts = [
        building.write_index(
            new_folder(),
            corpus.documents[first:last],
            kinds[0],
            vocabulary_size=corpus.vocabulary_size,
            metadata=kinds[1][first:last],
            shards=data.draw(st.integers(1, 2)),
        ).path
        for first, last in pairwise(cuts)
    ]
    with si.open(parts) as joined:
        assert joined.num_documents == size
        assert joined.num_tokens == whole.num_tokens
        assert other_answers(joined, whole, about) == []
    if len(parts) > 1:
        folder = new_folder()
        assert si.merge(parts, folder).copied_bytes == 0
        si.verify(folder, full=True)
        with si.open(folder) as merged:
            assert other_answers(merged, whole, about) == []


def test_the_name_of_its_index_is_a_field_of_a_document(three: list[Path]) -> None:
    with si.open(three) as index:
        assert index.groups("index") == {"a": 2, "b": 2, "c": 2}
        assert index.counts_by("cat", "index") == {"a": 1, "b": 1, "c": 1}
        assert index.count("cat", where={"index": ["a", "c"]}) == 2
        assert index.count("cat", where={"index": "b", "year": 2000}) == 1
        assert [match.document_id for match in index.documents("cat")] == [0, 3, 4]
        assert index.text(3) == TEXTS[3]
    with si.open(three[0]) as alone, pytest.raises(si.QueryError, match="no document has a value in the field 'index'"):
        alone.groups("index")


def test_two_of_one_name_have_their_paths(tmp_path: Path, no_fsync: None) -> None:
    paths = [tmp_path / name / "index" for name in ("x", "y")]
    for path in paths:
        path.parent.mkdir()
        build(path, ["cat"])
    with si.open(paths) as index:
        assert index.groups("index") == {str(path): 1 for path in paths}


def test_an_index_without_metadata_has_its_name_all_the_same(three: list[Path], tmp_path: Path) -> None:
    si.build(tmp_path / "a.jsonl", tmp_path / "bare", tokenizer="bytes", metadata=False, progress=False)
    with si.open([*three, tmp_path / "bare"]) as index:
        assert index.counts_by("cat", "index")["bare"] == 1
        with pytest.raises(si.QueryError, match="keeps no metadata"):
            index.groups("year")


def test_as_an_object(three: list[Path]) -> None:
    with si.open(three) as index:
        assert repr(index).startswith(f"SuffixIndex('{three[0]}+{three[1]}+{three[2]}': bytes tokenizer, 6 documents")
        info = index.info()
        assert info["indexes"]["b"] == {"path": str(three[1]), "num_documents": 2, "num_tokens": 15, "num_shards": 1}
        assert info["num_bytes"] == sum(si.open(path).info()["num_bytes"] for path in three)
        assert info["provenance"].keys() == {"a", "b", "c"}
        json.dumps(info)
        with pickle.loads(pickle.dumps(index)) as again:
            assert again.count("cat") == 3
            assert again.groups("index") == index.groups("index")
    with pytest.raises(si.QueryError, match="closed"):
        index.count("cat")
    with si.open(three, shards=(1, 3)) as some:
        assert some.groups("index") == si.open(three[1:]).groups("index")
    with pytest.raises(si.QueryError, match="make one index of them with suffixindex merge"):
        si.open(three, scheduler="tcp://127.0.0.1:1")


# ---- what is not one ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [si.open, lambda paths: si.merge(paths, paths[0].parent / "out")], ids=["open", "merge"])
def test_what_is_not_one_index_is_refused(
    three: list[Path], words: str, tmp_path: Path, no_fsync: None, ask: Callable[[list[Path]], object]
) -> None:
    def refused(paths: list[Path], what: str) -> None:
        with pytest.raises(si.FormatError, match=what):
            ask(paths)
        assert not list(tmp_path.glob("out*"))

    refused([three[0], Path(words)], "not of one tokenizer: one is by bytes, the other by words: ask them one by one")
    refused([Path(words), build(tmp_path / "others", ["dogs"], "words")], "each numbers its own words")
    refused([three[0], three[1], three[0]], "is given 2 times: its documents would count as often")
    si.export(three[0], tmp_path / "v4_foreign", format="infini-gram")
    refused([three[0], tmp_path / "v4_foreign"], "v4_foreign is no index of ours")
    numbers = [building.write_index(tmp_path / f"{size}", [[1]], "u16", vocabulary_size=size).path for size in (10, 11)]
    refused(numbers, "other types of ids")
    with pytest.raises(si.NoIndexError, match="nowhere does not exist"):
        ask([three[0], tmp_path / "nowhere"])


# ---- merged ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["link", "copy", "other disk"])
def test_a_merge_keeps_files_and_checksums(three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "other disk":
        monkeypatch.setattr(files.os, "link", lambda *_: (_ for _ in ()).throw(OSError("another disk")))
    out = tmp_path / "new" / "all"
    merged = si.merge(three, out, copy=how == "copy")
    assert merged[:4] == (out, 6, si.open(three).num_tokens, 3)
    assert (merged.copied_bytes > 0) == (how != "link")
    entries = [json.loads((path / "manifest.json").read_text()) for path in [*three, out]]
    assert entries[-1]["shards"] == [shard for entry in entries[:-1] for shard in entry["shards"]]
    for number, path in enumerate(three):
        name = "tokens.u8"
        assert os.path.samefile(path / "shards/00000" / name, out / f"shards/{number:05d}" / name) == (how == "link")
    assert (out / "sources.jsonl").read_bytes() == b"".join((path / "sources.jsonl").read_bytes() for path in three)
    assert [one["path"] for one in si.open(out).info()["provenance"]["merged"]] == [str(path) for path in three]
    assert sorted(path.name for path in out.parent.iterdir()) == ["all"]
    si.verify(out, full=True)


def test_words_of_one_vocabulary_are_merged(tmp_path: Path, no_fsync: None) -> None:
    paths = [build(tmp_path / name, texts, "words") for name, texts in (("x", ["a b"]), ("y", ["a", "b"]))]
    si.merge(paths, tmp_path / "both")
    with si.open(tmp_path / "both") as index:
        assert index.counts(["a", "b", "a b", "c"]).tolist() == [2, 2, 1, 0]


def test_a_merge_writes_over_nothing(three: list[Path], tmp_path: Path) -> None:
    with pytest.raises(si.BuildError, match="not empty"):
        si.merge(three[:2], three[2])
    with pytest.raises(si.BuildError, match="two indexes or more"):
        si.merge(three[:1], tmp_path / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(si.BuildError, match="choose another folder"):
        si.merge(three, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert si.merge(three, tmp_path / "empty").num_shards == 3


def test_a_merge_killed_anywhere_leaves_all_or_nothing(three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    there: list[bool] = []
    while killed_at(len(there), lambda: si.merge(three[:2], out)):
        there.append(out.exists())
        if out.exists():
            si.verify(out, full=True)
            files.remove(out)
    assert there == sorted(there)
    assert True in there
    assert len(there) > 25
    assert not list(tmp_path.glob("out.merging"))
    si.verify(out, full=True)


def test_a_full_disk_leaves_nothing(three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(files.shutil, "copyfile", full)
    with pytest.raises(si.BuildError, match="no space is left"):
        si.merge(three, tmp_path / "out", copy=True)
    assert not list(tmp_path.glob("out*"))


# ---- from the shell ----------------------------------------------------------------------------------------------


def test_several_from_the_shell(three: list[Path], tmp_path: Path) -> None:
    several = "+".join(map(str, three))
    assert shell.rows("count", several, "cat")[0]["count"] == 3
    by = shell.rows("count", several, "cat", "--by", "index")
    assert [(row["value"], row["count"]) for row in by] == [("a", 1), ("b", 1), ("c", 1)]
    assert [row["document_id"] for row in shell.rows("docs", several, "cat", "--where", "index=c")] == [4]
    assert shell.rows("info", several)[0]["indexes"].keys() == {"a", "b", "c"}
    said = shell.run("merge", *map(str, three), "-o", str(tmp_path / "a+b")).stderr
    assert f"{tmp_path / 'a+b'}: 6 documents" in said
    assert "all by links" in said
    assert shell.rows("count", f"{tmp_path / 'a+b'}", "cat")[0]["count"] == 3  # a name of its own goes first
    assert "is given 2 times" in shell.sentence("count", f"{three[2]}+{three[2]}", "cat")
    assert "nowhere does not exist" in shell.sentence("count", f"{three[0]}+{tmp_path}/nowhere", "cat")
    assert "asks the indexes a and b as one" in shell.sentence("count", f"{tmp_path}/no+where", "cat")
