"""After any error of a build, what its sentence advises ends in an index: here each is done as it says."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import suffixindex as si
from suffixindex.building import team
from suffixindex.corpus import lines
from suffixindex.storage.format import BUILD_STATE, MANIFEST
from tests.helpers.building import write_jsonl
from tests.suffixindex.building.test_resume import content_of

TEXTS = ["the cat sat", "the dog", "a b c d e f g", "", "on the mat"]


def build(corpus: Any, index: Path, **options: Any) -> None:
    si.build(corpus, index, **{"tokenizer": "words", "progress": False, "checkpoint_seconds": 0, **options})


@pytest.fixture(params=["before the first checkpoint", "after one"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build whose error comes early or late: in the first batch, or after a batch of which a checkpoint was made."""
    if request.param == "after one":
        monkeypatch.setattr(lines, "READ_BYTES", 30)
        monkeypatch.setattr(team, "BATCH_BYTES", 1)


def broken_record(folder: Path) -> tuple[list[Path], Callable[[], None]]:
    path = write_jsonl(folder / "a.jsonl", TEXTS)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"text": \n')
    return [path], lambda: path.write_bytes(whole) and None


def cut_short(folder: Path) -> tuple[list[Path], Callable[[], None]]:
    first = write_jsonl(folder / "a.jsonl", TEXTS)
    path, whole = folder / "b.jsonl.gz", gzip.compress(first.read_bytes())
    path.write_bytes(whole[:-9])
    return [first, path], lambda: path.write_bytes(whole) and None


def followed(error: BaseException, corpus: Any, index: Path, **options: Any) -> None:
    """Run the command again as advised, from the start where that is said; the index is that of an undisturbed build."""
    build(corpus, index, restart="--restart" in str(error), **options)
    build(corpus, index.with_name("fresh"), **options)
    assert content_of(index) == content_of(index.with_name("fresh"))


@pytest.mark.usefixtures("small", "no_fsync")
@pytest.mark.parametrize("prepare", [broken_record, cut_short])
def test_an_input_is_mended_or_fetched_again(tmp_path: Path, prepare: Callable[[Path], Any]) -> None:
    corpus, mend = prepare(tmp_path)
    with pytest.raises(si.CorpusError, match=r"mend it|fetch it again") as caught:
        build(corpus, tmp_path / "index")
    mend()
    followed(caught.value, corpus, tmp_path / "index")


@pytest.mark.usefixtures("small", "no_fsync")
def test_bad_records_are_skipped(tmp_path: Path) -> None:
    corpus, _ = broken_record(tmp_path)
    with pytest.raises(si.CorpusError, match=r"or pass over such records with --on-error skip"):
        build(corpus, tmp_path / "index")
    build(corpus, tmp_path / "index", on_error="skip")  # what is encoded is kept: the rest of the sentence is of other changes
    build(corpus, tmp_path / "fresh", on_error="skip")
    assert content_of(tmp_path / "index") == content_of(tmp_path / "fresh")


@pytest.mark.usefixtures("small", "no_fsync")
def test_shards_are_made_larger(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "a.jsonl", TEXTS)
    with pytest.raises(si.BuildError, match=r"does not fit a shard of 6.*: raise --memory or --shard-tokens, and") as caught:
        build(corpus, tmp_path / "index", shard_tokens=6)
    followed(caught.value, corpus, tmp_path / "index", shard_tokens=8)


@pytest.mark.usefixtures("small", "no_fsync")
def test_more_memory_is_not_answered_with_the_shards_that_were_too_small(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "a.jsonl", TEXTS)
    with pytest.raises(si.BuildError, match=r"does not fit") as caught:
        build(corpus, tmp_path / "index", shard_tokens=6)
    build(corpus, tmp_path / "index", memory="2GiB", restart="--restart" in str(caught.value))
    assert si.open(tmp_path / "index").num_documents == len(TEXTS)


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("options", [{"separator": 9}, {"tokenizer": "none"}])
def test_ids_get_their_separator_or_tokenizer(tmp_path: Path, options: dict[str, Any]) -> None:
    """300 is no byte of UTF-8: another tokenizer made the ids, or the separator was not named."""
    path = tmp_path / "a.bin"
    np.array([7, 300, 9, 8, 9], "<u2").tofile(path)
    said = {"input_format": "u16", "tokenizer": "bytes", "separator": 9}
    with pytest.raises(si.CorpusError, match=r"outside the vocabulary of 255: it was made by another tokenizer") as caught:
        build(path, tmp_path / "index", **said)
    followed(caught.value, path, tmp_path / "index", **{**said, "tokenizer": "none", **options})


@pytest.mark.usefixtures("no_fsync")
def test_an_empty_corpus_gets_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"no": "text"}\n')
    with pytest.raises(si.CorpusError, match=r"the corpus is empty: 1 inputs hold no document; skipped 1") as caught:
        build(path, tmp_path / "index", on_error="skip")
    followed(caught.value, [path, write_jsonl(tmp_path / "b.jsonl", TEXTS)], tmp_path / "index", on_error="skip")


def damaged_state(index: Path) -> None:
    (index / BUILD_STATE).write_text("{")


def short_file(index: Path) -> None:
    os.truncate(index / "shards" / "00000" / "tokens.u32", 3)


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("damage", [damaged_state, short_file])
def test_what_is_damaged_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]) -> None:
    monkeypatch.setattr(lines, "READ_BYTES", 30)
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    corpus, mend = broken_record(tmp_path)
    with pytest.raises(si.CorpusError):
        build(corpus, tmp_path / "index", on_error="raise")
    damage(tmp_path / "index")
    with pytest.raises((si.FormatError, si.BuildError), match=r"start anew with --restart$") as caught:
        build(corpus, tmp_path / "index", on_error="skip")
    mend()
    followed(caught.value, corpus, tmp_path / "index")


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("finished", [True, False])
def test_another_build_takes_the_folder_or_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool) -> None:
    monkeypatch.setattr(lines, "READ_BYTES", 30)
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    corpus, mend = broken_record(tmp_path)
    if finished:
        build(corpus, tmp_path / "index", on_error="skip")
    else:
        with pytest.raises(si.CorpusError):
            build(corpus, tmp_path / "index")
    mend()
    with pytest.raises(si.BuildError, match=r"choose another folder, or throw it away with --restart$") as caught:
        build(corpus, tmp_path / "index", tokenizer="bytes")
    build(corpus, tmp_path / "another", tokenizer="bytes")
    followed(caught.value, corpus, tmp_path / "index", tokenizer="bytes")


@pytest.mark.usefixtures("no_fsync")
def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "a.jsonl", TEXTS)
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "mine").write_text("mine")
    for restart in (False, True):
        with pytest.raises(si.BuildError, match=r"choose another folder$"):
            build(corpus, tmp_path / "index", restart=restart)
    build(corpus, tmp_path / "another")
    assert (tmp_path / "another" / MANIFEST).exists()


@pytest.mark.usefixtures("no_fsync")
def test_engines_that_differ_are_replaced_by_the_reference(tmp_path: Path) -> None:
    from tests.helpers.building import write_tokenizer

    pytest.importorskip("fastokens")
    from suffixindex.tokenizers.batches import BatchTokenizer

    tokenizer = str(write_tokenizer(tmp_path, " ".join(TEXTS), size=300))
    corpus = write_jsonl(tmp_path / "a.jsonl", TEXTS)
    fast = mock.Mock()
    fast.encode_batch_flat = lambda texts: (b"", np.zeros(len(texts) + 1, "<u8").tobytes())
    differ = pytest.raises(si.TokenizerError, match=r"build anew with --restart --tokenizer-engine tokenizers")
    with mock.patch.object(BatchTokenizer, "_choose", lambda self: (fast, None)), differ as caught:
        build(corpus, tmp_path / "index", tokenizer=tokenizer)
    followed(caught.value, corpus, tmp_path / "index", tokenizer=tokenizer, engine="tokenizers")
