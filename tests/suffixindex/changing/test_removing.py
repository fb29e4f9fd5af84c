"""Without some of its documents, an index answers as one that was built without them; readers and kills change nothing."""

import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex import lm
from suffixindex.building.folder import locked
from suffixindex.changing import filtered, removal
from suffixindex.queries import cooccurrence
from suffixindex.storage import shard
from suffixindex.storage.files import remove as remove_path
from suffixindex.storage.format import REMOVED_VERSION, SHARD_MARKER, Manifest
from tests.helpers import building, foreign_building, shell
from tests.helpers.killing import killed_at
from tests.helpers.questions import FIELD, Asked, asked, other_answers, records
from tests.helpers.strategies import Corpus, corpora
from tests.suffixindex.changing.test_appending import copy_by_links
from tests.suffixindex.storage.test_format import GOLDEN

Folder = Callable[[], Path]
FEWER = max(5, settings.default.max_examples // 4)
BUILD: dict[str, Any] = {"shard_tokens": 30, "progress": False, "threads": 1}
QUIET: dict[str, Any] = {"progress": False, "threads": 1}
TEXTS = ["the cat sat", "jane roe sat", "the dog sat", "a bird", "", "jane roe flew", "a dog flew over the bird"]


def write(folder: Path, texts: Sequence[str], name: str = "a.jsonl") -> Path:
    return building.write_jsonl(folder / name, texts, **{FIELD: [number % 3 for number in range(len(texts))]})


@pytest.fixture
def index(tmp_path: Path, no_fsync: None) -> Path:
    """Words, in shards of some documents each."""
    si.build(write(tmp_path, TEXTS), tmp_path / "index", tokenizer="words", **{**BUILD, "shard_tokens": 12})
    return tmp_path / "index"


# ---- answers -----------------------------------------------------------------------------------------------------


@st.composite
def corpora_and_removals(draw: st.DrawFn) -> tuple[Corpus, list[list[int]], Asked, int]:
    """A corpus, the numbers of documents that are removed from it at once or in turn, and questions about the rest."""
    corpus = draw(corpora().filter(lambda corpus: len(corpus.documents) > 1))
    rest, removals = corpus, []
    for _ in range(draw(st.integers(1, 2))):
        size = len(rest.documents)
        if size == 1:
            break
        removals.append(draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=size - 1, unique=True)))
        rest = rest._replace(documents=[one for number, one in enumerate(rest.documents) if number not in removals[-1]])
    return corpus, removals, draw(asked(rest)), draw(st.integers(1, 3))


@settings(max_examples=FEWER)
@given(drawn=corpora_and_removals(), purge=st.booleans())
def test_it_is_the_index_of_the_rest(
    new_folder: Folder, no_fsync: None, drawn: tuple[Corpus, list[list[int]], Asked, int], purge: bool
) -> None:
    corpus, removals, about, shards = drawn
    kinds: dict[str, Any] = {"vocabulary_size": corpus.vocabulary_size}
    everything = records(len(corpus.documents))
    folder = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, metadata=everything, shards=shards, **kinds
    ).path
    numbers = list(range(len(corpus.documents)))
    for chosen in removals:
        removed = si.remove(folder, chosen, again=True, purge=purge, **QUIET)
        going = [numbers[place] for place in chosen]
        numbers = [number for number in numbers if number not in going]
        assert removed.num_documents == len(going)
        assert removed.num_tokens == sum(len(corpus.documents[number]) for number in going)
        assert removed.total_documents == len(numbers)
    rest = [corpus.documents[number] for number in numbers]
    kept = [everything[number] for number in numbers]
    whole = building.write_index(new_folder(), rest, corpus.token_type, metadata=kept, shards=shards, **kinds)
    si.verify(folder, full=True)
    with si.open(folder) as found:
        assert (found.num_documents, found.num_tokens) == (whole.num_documents, whole.num_tokens)
        assert other_answers(found, whole, about) == []
        with mock.patch.object(shard, "FEW", 0), mock.patch.object(cooccurrence, "FEW", 0):
            assert other_answers(found, whole, about) == []
        if corpus.token_type == "u8" and any(rest):
            for text in about.texts:
                for ask in MODELS:
                    assert ask(found, text).tolist() == ask(whole, text).tolist()
    if shards == 1:  # the same shards, so the same bytes
        assert contents(folder) == contents(whole.path)


MODELS: list[Callable[[si.SuffixIndex, list[int]], Any]] = [
    lambda index, text: lm.KneserNey(index, order=3).log_probs(text),
    lambda index, text: lm.KneserNey(index, order=2).next_probs(text),
    lambda index, text: lm.Infgram(index).log_probs(text),
    lambda index, text: lm.StupidBackoff(index, order=3).score(text),
]


def contents(index: Path) -> list[dict[str, bytes]]:
    """The files of the shards, and what their markers say."""
    folders = Manifest.read(index).shard_folders(index)
    return [{path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != SHARD_MARKER} for folder in folders]


WORD = st.sampled_from(["a", "b", "c", "dd", "e"])


@settings(max_examples=FEWER)
@example(texts=TEXTS, going={1, 5}, more=["jane dd"])
@given(
    texts=st.lists(st.lists(WORD, max_size=6).map(" ".join), min_size=2, max_size=6),
    going=st.sets(st.integers(0, 5), min_size=1, max_size=3),
    more=st.lists(st.lists(WORD, max_size=4).map(" ".join), max_size=2),
)
def test_words_that_go_are_unknown(new_folder: Folder, no_fsync: None, texts: list[str], going: set[int], more: list[str]) -> None:
    """Ids are those of the index, so answers are compared by what they stand for; with documents that are appended afterwards."""
    corpus, folder, rest_folder = new_folder(), new_folder(), new_folder()
    corpus.mkdir()
    going = {number for number in going if number < len(texts)}
    rest = [text for number, text in enumerate(texts) if number not in going]
    si.build(write(corpus, texts), folder, tokenizer="words", **BUILD)
    if not rest:
        with pytest.raises(si.BuildError, match="one at least"):
            si.remove(folder, sorted(going), **QUIET)
        return
    si.remove(folder, sorted(going), **QUIET)
    if more:
        si.append(folder, write(corpus, more, "more.jsonl"), **QUIET)
    si.build(write(corpus, rest + more, "rest.jsonl"), rest_folder, tokenizer="words", **BUILD)
    si.verify(folder, full=True)
    with si.open(folder) as found, si.open(rest_folder) as whole:
        assert [found.text(number) for number in range(found.num_documents)] == rest + more
        for ask in ANSWERS:
            assert ask(found) == ask(whole)
        assert all(found.encode(f"#{number}").tolist() == whole.encode(str(number)).tolist() for number in range(20))


ASKED_FOR = ["jane", "roe", "a", "b", "c", "dd", "e", "the", "a b", "jane roe", "b c dd"]
ANSWERS: list[Callable[[si.SuffixIndex], Any]] = [
    lambda index: index.counts(ASKED_FOR).tolist(),
    lambda index: index.document_counts(ASKED_FOR).tolist(),
    lambda index: [index.encode(text).tolist() == [0] for text in ASKED_FOR],
    lambda index: [following(index, text) for text in ("a", "roe", "the")],
    lambda index: index.distinct_ngrams(3).tolist(),
    lambda index: index.count_of_counts(2, 3).tolist(),
    lambda index: sorted((index.decode(top.token_ids), top.count) for top in index.top_ngrams(1, 100)),
    lambda index: index.cooccurrences([("a", "b"), ("jane", "a")]).tolist(),
    lambda index: [match.lengths.tolist() for match in index.matches(["a b jane roe a", "c dd"])],
    lambda index: lm.StupidBackoff(index, order=3).score("a b jane roe a dd").tolist(),
    lambda index: lm.KneserNey(index, order=3).log_probs("a b jane roe a dd").tolist(),
    lambda index: [prob for prob in sorted(lm.KneserNey(index, order=2).next_probs("a").tolist()) if prob],
]
"""Answers that do not show ids."""


def following(index: si.SuffixIndex, text: str) -> dict[str, int]:
    found = index.next_distribution(text)
    return dict(zip(index.pieces(found.token_ids), found.counts.tolist(), strict=True))


# ---- of any kind -------------------------------------------------------------------------------------------------


def test_what_an_index_says_of_a_removal(index: Path) -> None:
    removed = si.remove(index, holding="jane roe", reason="ticket 7", **QUIET)
    assert (removed.num_documents, removed.num_tokens, removed.num_shards, removed.forgotten_words) == (2, 6, 2, 2)
    assert removed.left_bytes > 0
    with si.open(index) as opened:
        info = opened.info()
    assert info["format_version"] == REMOVED_VERSION
    [entry] = info["settings"]["removed"]
    assert (entry["num_documents"], entry["num_tokens"], entry["by"], entry["reason"]) == (2, 6, ["holding"], "ticket 7")
    assert entry["time"].endswith("+00:00") and "purged" not in entry
    assert info["left_bytes"] == removed.left_bytes
    assert f"{removed.left_bytes:,} bytes of what was removed or replaced lie beside it" in str(si.verify(index))
    si.remove(index, purge=True)
    with si.open(index) as opened:
        info = opened.info()
    assert info["settings"]["removed"][0]["purged"] >= entry["time"]
    assert info["left_bytes"] == 0
    assert len(info["provenance"]["removed"]) == 1
    assert "beside" not in str(si.verify(index))


def text_in(folder: Path, *words: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and any(word in path.read_bytes() for word in words)]


@pytest.mark.parametrize("tokenizer", ["words", "bytes"])
def test_what_is_purged_is_gone_from_the_disk(tmp_path: Path, no_fsync: None, tokenizer: str) -> None:
    texts = ["the cat sat", "xyzzy sat", "plugh", "the dog"]
    corpus = building.write_jsonl(tmp_path / "a.jsonl", texts, who=["a", "xyzzy", "plugh", "b"])
    index = tmp_path / "index"
    si.build(corpus, index, tokenizer=tokenizer, **BUILD)
    with pytest.raises(si.CorpusError):  # of an append under way, which has a vocabulary of its own
        si.append(index, building.write_jsonl(tmp_path / "b.jsonl", ["more"] * 3 + [7]), checkpoint_seconds=0, **QUIET)  # type: ignore[list-item]
    shell.run("remove", str(index), "--holding", "xyzzy", "--holding", "plugh")
    assert text_in(index, b"xyzzy", b"plugh")
    si.remove(index, purge=True)
    assert text_in(index, b"xyzzy", b"plugh") == []
    assert {path.name for path in index.iterdir()} & {"removed", "append"} == set()
    si.verify(index, full=True)
    assert si.open(index).counts(["the", "xyzzy", "plugh"]).tolist() == [2, 0, 0]
    with pytest.raises(si.BuildError, match="is purged"):
        si.restore(index)


def test_conditions_are_met_together(index: Path) -> None:
    def number(**conditions: Any) -> int:
        return si.remove(index, dry_run=True, **conditions).num_documents

    assert number(holding=["jane", "bird"]) == 4
    assert number(holding=["jane", "bird"], where={FIELD: [0, 1]}) == 3
    assert number(holding=["jane", "bird"], where={FIELD: [0, 1]}, documents=[3, 4]) == 1
    assert number(where=np.arange(7) > 3) == 3
    assert number(documents=[]) == number(holding="unicorn") == 0
    assert number(documents=np.array([1, 1, 2], np.uint8)) == 2
    for conditions, message in (
        ({"documents": [7]}, "document 7 is outside the corpus of 7 documents"),
        ({"documents": [-1]}, "document -1 is outside"),
        ({"documents": [1.5]}, "expected a list of their numbers"),
        ({"documents": np.ones(7, bool)}, "give a mask as where"),
        ({"documents": ["0"]}, "expected a list"),
        ({"documents": 0}, "expected a list"),
        ({"documents": [2**70]}, "expected a list"),
        ({"holding": []}, "holding names no n-gram"),
        ({"holding": [[]]}, "the empty n-gram is held by every document"),
        ({"where": {"nothing": 1}}, "no document has a value in the field 'nothing'"),
        ({"where": np.ones(3, bool)}, r"expected bool \[7\]"),
    ):
        with pytest.raises(si.QueryError, match=message):
            si.remove(index, **conditions)
    with pytest.raises(si.BuildError, match="nothing says which documents to remove"):
        si.remove(index)
    with pytest.raises(si.BuildError, match="would hold no document any more"):
        si.remove(index, range(7))
    assert si.open(index).num_documents == 7 and not (index / "removed").exists()


def test_shards_of_which_nothing_is_left_are_gone(index: Path) -> None:
    with si.open(index) as opened:
        first = opened.shards[0].num_documents
        rest = [opened.text(number) for number in range(first, 7)]
    assert si.remove(index, range(first), **QUIET).num_shards == 1
    assert Manifest.read(index).shards[0].folder == "00001"
    si.append(index, write(index.parent, ["jane roe is back"], "b.jsonl"), **QUIET)
    si.remove(index, [1], **QUIET)
    si.verify(index, full=True)
    with si.open(index) as opened:
        assert [opened.text(number) for number in range(opened.num_documents)] == [rest[0], *rest[2:], "jane roe is back"]
    merged = si.merge([index, copy_by_links(index, index.parent / "copy")], index.parent / "merged", copy=True)
    si.verify(merged.path, full=True)
    assert len(si.open(merged.path).info()["settings"]["removed"]) == 4


def test_an_index_that_was_merged_is_told_of(index: Path, tmp_path: Path) -> None:
    si.build(write(tmp_path, ["jane"], "b.jsonl"), tmp_path / "other", tokenizer="bytes", **BUILD)
    si.build(write(tmp_path, ["roe", "jane roe"], "c.jsonl"), tmp_path / "more", tokenizer="bytes", **BUILD)
    si.merge([tmp_path / "other", tmp_path / "more"], tmp_path / "merged")
    assert si.remove(tmp_path / "merged", holding="jane", purge=True, **QUIET).linked_files > 0
    assert si.open(tmp_path / "merged").count("jane") == 0
    assert si.open(tmp_path / "more").count("jane") == 1
    si.verify(tmp_path / "more", full=True)
    said = shell.run("remove", str(tmp_path / "more"), "--documents", "-", "--purge", stdin="1\n").stderr
    assert "have another name" not in said  # of the merged index, the shard was written anew


# ---- readers, restoring, doing it twice --------------------------------------------------------------------------


def test_readers_of_the_old_state_go_on(index: Path) -> None:
    with si.open(index) as asking, si.open(index) as waiting:
        assert asking.count("jane roe") == 2
        si.remove(index, holding="jane", **QUIET)
        for old in (asking, waiting):  # one has read nothing yet
            assert old.num_documents == 7
            assert old.counts(["jane roe", "sat"]).tolist() == [2, 3]
            assert old.text(1) == "jane roe sat"
    with si.open(index) as new:
        assert new.counts(["jane roe", "sat"]).tolist() == [0, 2]


def test_removals_are_undone_one_by_one(index: Path) -> None:
    states = [(index / "manifest.json").read_bytes()]
    for text in ("bird", "jane", "dog"):
        si.remove(index, holding=text, **QUIET)
        states.append((index / "manifest.json").read_bytes())
    for state in reversed(states[:-1]):
        restored = si.restore(index)
        assert restored.total_documents == si.open(index).num_documents
        assert (index / "manifest.json").read_bytes() == state
        si.verify(index, full=True)
    with pytest.raises(si.BuildError, match="nothing was removed"):
        si.restore(index)
    assert si.open(index).counts(["jane roe", "bird"]).tolist() == [2, 2]
    si.remove(index, holding="jane", **QUIET)
    si.verify(index, full=True)
    si.append(index, write(index.parent, ["jane roe"], "b.jsonl"), **QUIET)
    with pytest.raises(si.BuildError, match="was appended to since"):
        si.restore(index)
    assert si.open(index).count("jane roe") == 1


def test_the_same_numbers_are_not_removed_twice(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A call that was killed at its very end is made again, and other documents have these numbers then."""
    assert si.remove(index, [1, 5], **QUIET).num_documents == 2
    assert si.remove(index, np.array([5, 1]), **QUIET).num_documents == 0
    assert "others have them now" in caplog.text
    with pytest.raises(si.QueryError, match="document 5 is outside"):
        si.remove(index, [1, 5], again=True, **QUIET)
    assert si.remove(index, [1], **QUIET).num_documents == 1
    assert si.remove(index, [1], again=True, **QUIET).num_documents == 1
    assert [si.open(index).text(number) for number in range(3)] == ["the cat sat", "", "a dog flew over the bird"]


def test_who_builds_again_is_told_of_what_was_removed(index: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = tmp_path / "a.jsonl"
    si.remove(index, holding=["jane roe"], **QUIET)
    with pytest.raises(si.BuildError, match=r"or throw it away with --restart, which brings back the documents that were removed"):
        si.build(corpus, index, tokenizer="words", **BUILD)
    si.build(corpus, tmp_path / "bytes", tokenizer="bytes", **BUILD)
    si.remove(tmp_path / "bytes", holding=["jane roe"], **QUIET)
    si.build(corpus, tmp_path / "bytes", tokenizer="bytes", **BUILD)
    assert "--restart builds it anew, which brings back the documents that were removed from it" in caplog.text
    assert si.open(tmp_path / "bytes").count("jane") == 0


def test_inputs_do_not_bring_back_what_was_removed(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    si.remove(index, holding="jane", **QUIET)
    si.append(index, index.parent / "a.jsonl", **QUIET)
    assert "holds these inputs already" in caplog.text
    with pytest.raises(si.BuildError, match=r"or throw it away with --restart"):
        si.build(index.parent / "a.jsonl", index, tokenizer="words", **{**BUILD, "shard_tokens": 12})
    assert si.open(index).count("jane") == 0


# ---- what is refused, damaged, killed ----------------------------------------------------------------------------


KINDS = ["infini-gram", "infini-gram, reversed", "tokengrams", "ours"]


@settings(max_examples=FEWER)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_an_index_of_the_rest_elsewhere(new_folder: Folder, no_fsync: None, data: st.DataObject, kind: str) -> None:
    """Of any index: which stays as it is, to the byte."""
    drawn = data.draw(corpora(token_types=("u16",)).filter(lambda corpus: len(corpus.documents) > 1))
    documents, size = drawn.documents, len(drawn.documents)
    going = data.draw(st.sets(st.integers(0, size - 1), max_size=size - 1))
    numbers = [number for number in range(size) if number not in going]
    corpus = drawn._replace(documents=[documents[number] for number in numbers], vocabulary_size=drawn.separator)
    about = data.draw(asked(corpus))
    folder, rest = new_folder(), new_folder()
    metadata: list[dict[str, Any]] | None = records(size)
    if kind == "ours":
        building.write_index(folder, documents, shards=2, metadata=metadata)
    elif kind == "tokengrams":
        ids = [token for document in documents for token in [*document, drawn.separator]]
        foreign_building.write_tokengrams(folder / "a", ids)
        si.open(folder, separator=drawn.separator).close()
        metadata = None
    else:
        lines = [[{"path": one["path"], "linenum": one["line"], "metadata": one["metadata"]} for one in records(size)]]
        mirrored = kind.endswith("reversed")
        foreign_building.write_infinigram(folder, [documents], mirrored=mirrored, metadata=lines)
        si.open(folder, reversed=mirrored, token_type="u16").close()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    removed = si.remove(folder, sorted(going), output=rest, reason="why", **QUIET)
    assert (removed.num_documents, removed.total_documents, removed.left_bytes) == (len(going), len(numbers), 0)
    assert before.items() <= {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}.items()
    si.verify(rest, full=True)
    kept = metadata and [metadata[number] for number in numbers]
    whole = building.write_index(new_folder(), corpus.documents, metadata=kept)
    without = frozenset() if kept else frozenset(NEED_METADATA)
    with si.open(rest) as found:
        assert other_answers(found, whole, about, without) == []
        assert [entry["reason"] for entry in found.info()["settings"].get("removed", [])] in (["why"], [])


NEED_METADATA = {"counts", "groups", "counts_by", "mask"}


def test_the_folder_of_the_rest(index: Path, tmp_path: Path) -> None:
    said = shell.run("remove", str(index), "--holding", "jane", "-o", str(tmp_path / "rest")).stderr
    assert f"{tmp_path / 'rest'}: 2 documents" in said and "--purge" not in said
    assert si.open(index).count("jane") == 2 and text_in(tmp_path / "rest", b"jane") == []
    assert "not empty" in shell.sentence("remove", str(index), "--documents", "-", "-o", str(tmp_path / "rest"), stdin="1")
    with pytest.raises(si.QueryError):
        si.remove(index, [99], output=tmp_path / "other")
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "index", "rest"}


def test_a_tokenizer_goes_with_the_rest(tmp_path: Path, no_fsync: None) -> None:
    tokenizer = building.write_tokenizer(tmp_path, "the cat sat on the mat", size=300)
    si.build(write(tmp_path, ["the cat", "the mat"]), tmp_path / "own", tokenizer=str(tokenizer), **BUILD)
    si.export(tmp_path / "own", tmp_path / "v4_own", format="infini-gram")
    si.open(tmp_path / "v4_own", tokenizer=str(tokenizer)).close()
    assert si.remove(tmp_path / "v4_own", holding=" cat", dry_run=True).num_documents == 1
    si.remove(tmp_path / "v4_own", holding=" cat", output=tmp_path / "rest", **QUIET)
    with si.open(tmp_path / "rest") as rest:
        assert (rest.text(0), rest.count(" mat"), rest.count("the")) == ("the mat", 1, 1)
        assert rest.document(0).metadata == {FIELD: 1}
    si.append(tmp_path / "rest", write(tmp_path, ["the cat"], "b.jsonl"), text_field="text", **QUIET)
    assert si.open(tmp_path / "rest").count("the cat") == 1


def test_what_is_no_index_of_ours_loses_nothing(tmp_path: Path, no_fsync: None, letters: str) -> None:
    with pytest.raises(si.NoIndexError, match="does not exist"):
        si.remove(tmp_path / "nothing", [0])
    si.export(letters, tmp_path / "v4_foreign", format="infini-gram")
    for call in (lambda path: si.remove(path, [0]), si.restore):
        with pytest.raises(si.BuildError, match="no index of ours"):
            call(tmp_path / "v4_foreign")
        assert not (tmp_path / "nothing").exists()


def test_one_writes_at_a_time(index: Path) -> None:
    with locked(index):
        for call in (lambda: si.remove(index, [0]), lambda: si.remove(index, purge=True), lambda: si.restore(index)):
            with pytest.raises(si.BuildError, match="another build is writing to"):
                call()
        assert si.remove(index, [0], dry_run=True).num_documents == 1


@pytest.mark.parametrize("name", ["v1-words", "v1-bytes", "v3-words"])
def test_older_formats(tmp_path: Path, no_fsync: None, name: str) -> None:
    index = copy_by_links(GOLDEN / name, tmp_path / "index")
    kept = [si.open(index).text(number) for number in (0, 3, 5)]
    si.remove(index, [1, 2, 4], **QUIET)
    si.verify(index, full=True)
    with si.open(index) as opened:
        assert [opened.text(number) for number in range(3)] == kept
        assert opened.counts(["merrily", "stream"]).tolist() == [0, 3]


@pytest.mark.parametrize("name", ["tokens.u8", "suffix_array.u32", "metadata.jsonl"])
def test_damage_is_not_given_a_new_hash(index: Path, name: str) -> None:
    path = index / "shards" / "00000" / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.unlink()
    path.write_bytes(content)
    before = (index / "manifest.json").read_bytes()
    with pytest.raises(si.FormatError, match=rf"{name} (has sha256|:).*"):
        si.remove(index, [0], **QUIET)
    assert (index / "manifest.json").read_bytes() == before


def test_a_state_that_is_damaged_can_be_thrown_away(index: Path) -> None:
    si.remove(index, [0], **QUIET)
    (index / "removed" / "1" / "manifest.json").write_text("{")
    with pytest.raises(si.FormatError, match=r"throw these away with suffixindex remove .* --purge"):
        si.remove(index, [1], **QUIET)
    si.remove(index, purge=True)
    assert si.remove(index, [1], **QUIET).total_documents == 5


def check_kills(tmp_path: Path, every: int) -> None:
    """Kill a removal and a purge at every so many changes to the disk: the old index is there or the new one, and it can go on."""
    corpus = write(tmp_path, TEXTS)
    si.build(corpus, tmp_path / "base", tokenizer="words", **{**BUILD, "shard_tokens": 12})
    si.remove(tmp_path / "base", [3], **QUIET)
    remove_both = lambda index: si.remove(index, [1, 4], purge=True, **QUIET)  # noqa: E731 - jane roe twice
    remove_both(copy_by_links(tmp_path / "base", tmp_path / "whole"))
    expected = shards_of(tmp_path / "whole")
    outcomes: list[int] = []
    index, died = tmp_path / "index", True
    while died:
        remove_path(index)
        copy_by_links(tmp_path / "base", index)
        died = killed_at(every * len(outcomes), lambda: remove_both(index))
        si.verify(index, full=True)
        with si.open(index) as opened:
            outcomes.append(opened.num_documents)
            assert opened.count("jane") == (2 if opened.num_documents == 6 else 0)
        remove_both(index)
        si.verify(index, full=True)
        assert shards_of(index) == expected
        assert sorted(path.name for path in index.iterdir()) == sorted(path.name for path in (tmp_path / "whole").iterdir())
        assert text_in(index, b"jane", b"roe") == []
    assert outcomes == sorted(outcomes, reverse=True)
    assert set(outcomes) == {6, 4} and len(outcomes) > 50 // every


def shards_of(index: Path) -> Any:
    return json.loads((index / "manifest.json").read_text())["shards"]


def test_a_removal_killed_anywhere_is_done_or_not(tmp_path: Path, no_fsync: None) -> None:
    check_kills(tmp_path, 9)


@pytest.mark.long
def test_a_removal_killed_at_every_change(tmp_path: Path, no_fsync: None) -> None:
    check_kills(tmp_path, 1)


def test_an_index_of_the_rest_is_there_whole_or_not_at_all(index: Path, tmp_path: Path) -> None:
    step, died, target = 0, True, tmp_path / "rest"
    while died:
        died = killed_at(step, lambda: si.remove(index, [1], output=target, **QUIET))
        step += 17
        assert si.verify(index, full=True).left_bytes == 0
        if target.exists():
            si.verify(target, full=True)
            remove_path(target)
    si.remove(index, [1], output=target, **QUIET)
    assert si.open(target).num_documents == 6
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "index", "rest"}


@pytest.mark.parametrize("name", ["tokens.u8", "suffix_array.u32", "search_tree.u64"])
def test_a_full_disk(index: Path, name: str) -> None:
    before = (index / "manifest.json").read_bytes()

    def fill(path: Path, *others: Any) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real[path.name in ("document_offsets.u64", "metadata_offsets.u64", "search_tree.u64")](path, *others)

    real = filtered.write_blocks, filtered.write_array
    with (
        mock.patch.object(filtered, "write_blocks", fill),
        mock.patch.object(filtered, "write_array", fill),
        pytest.raises(si.BuildError, match=r"no space left for .*: free some, then run the same command"),
    ):
        si.remove(index, holding="jane", **QUIET)
    assert (index / "manifest.json").read_bytes() == before
    assert si.remove(index, holding="jane", **QUIET).num_documents == 2
    si.verify(index, full=True)


def test_a_removal_goes_on_after_the_last_whole_shard(index: Path) -> None:
    real, written = removal.filter_shard, []

    def filter_one(shard: Any, kept: Any, folder: Path, *others: Any) -> Any:
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(folder.name)
        return real(shard, kept, folder, *others)

    def filter_another(shard: Any, kept: Any, folder: Path, *others: Any) -> Any:
        written.append(folder.name)
        return real(shard, kept, folder, *others)

    with mock.patch.object(removal, "filter_shard", filter_one), pytest.raises(KeyboardInterrupt):
        si.remove(index, holding="jane", **QUIET)
    assert si.open(index).count("jane") == 2
    with mock.patch.object(removal, "filter_shard", filter_another):
        si.remove(index, holding="jane", **QUIET)
    assert len(written) == len(set(written)) == 2
    si.verify(index, full=True)


# ---- in the shell ------------------------------------------------------------------------------------------------


def test_the_documents_that_docs_shows(index: Path) -> None:
    shown = shell.run("docs", str(index), "jane roe", "--limit", "all").stdout
    dry = shell.rows("remove", str(index), "--documents", "-", "--dry-run", stdin=shown)[0]
    assert (dry["num_documents"], dry["num_tokens"], dry["num_shards"], dry["total_documents"]) == (2, 6, 2, 5)
    assert si.open(index).num_documents == 7
    said = shell.run("remove", str(index), "--documents", "-", stdin=shown).stderr
    assert "2 documents, 6 tokens removed from 2 shards, 2 words forgotten; 5 documents, 14 tokens now" in said
    assert "--purge deletes them" in said
    assert "2 documents, 6 tokens are back; 7 documents" in shell.run("restore", str(index)).stderr
    said = shell.run("remove", str(index), "--where", f"{FIELD}=0", "--holding", "bird", "--purge").stderr
    assert "2 documents" in said and "--purge" not in said


def test_ids_and_bad_lines(index: Path, tmp_path: Path) -> None:
    ids = " ".join(map(str, si.open(index).encode("jane roe").tolist()))
    assert shell.rows("remove", str(index), "--holding", ids, "--ids", "--dry-run")[0]["num_documents"] == 2
    assert shell.rows("remove", str(index), "--holding", "jane * (sat|slept)", "--pattern", "--dry-run")[0]["num_documents"] == 1
    for line, message in (
        ("six", "'six': write the number of a document"),
        ('{"document": 1}', "'{\"document\": 1}': write the number"),
        ("7", "document 7 is outside the corpus of 7 documents"),
        ("1.0", "'1.0': write the number"),
        ("true", "'true': write the number"),
    ):
        (tmp_path / "list").write_text(f"0\n\n{line}\n")
        said = shell.sentence("remove", str(index), "--documents", str(tmp_path / "list"))
        assert f"{tmp_path / 'list'}, line 3: {message}" in said
    assert "nothing says which documents" in shell.sentence("remove", str(index))
    assert "year" not in shell.run("remove", str(index), "--where", f"{FIELD}=9").stderr
    assert si.open(index).num_documents == 7
