"""Builds on a Dask cluster: the bytes of a build on one machine, whatever fails on the way.

The cluster runs inside this process; ``test_distributed_kills.py`` has one of processes that die.
"""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.building import parts, team
from suffixindex.building.budget import bytes_per_token
from suffixindex.building.writer import cut
from suffixindex.system.pipeline import Pipeline
from tests.suffixindex.building.test_resume import SHARD_TOKENS, content_of, write_corpus

distributed = pytest.importorskip("distributed", reason="the extra distributed is not installed")

TOKENIZERS = ["bytes", "words"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The scheduler of two workers in this process."""
    options: dict[str, Any] = {"processes": False, "dashboard_address": ":0", "silence_logs": "ERROR"}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 200)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def build(corpus: Any, index: Path, tokenizer: str = "words", **options: Any) -> Any:
    options = {"shard_tokens": SHARD_TOKENS.get(tokenizer, 300), "on_error": "skip", "progress": False, **options}
    return si.build(corpus, index, tokenizer=tokenizer, **options)


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """Workers import the package, not the script that asks for them: its lines run once."""
    corpus = write_corpus(tmp_path / "corpus", 8)
    build(corpus, tmp_path / "one", shard_tokens=SHARD_TOKENS["words"])
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, suffixindex as si\nprint('once')\n"
        f"si.build({str(corpus)!r}, {str(tmp_path / 'index')!r}, tokenizer='words', shard_tokens={SHARD_TOKENS['words']}, "
        "on_error='skip', workers=2, threads=2, progress=False)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "once\n", "")
    assert content_of(tmp_path / "index") == content_of(tmp_path / "one")


# ---- where documents go -------------------------------------------------------------------------------------------


def place(lengths: list[int], capacity: int) -> list[int]:
    """The shard of each document, one by one: the open one if it has room, else the next."""
    shards, filled = [0], 0
    for length in lengths:
        if filled + length > capacity:
            shards[-1] += 1
            filled = 0
        filled += length
        shards.append(shards[-1])
    return shards[:-1]


@given(st.data())
def test_documents_of_parts_go_where_those_of_one_stream_go(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=20))
    capacity = max(lengths) + data.draw(st.integers(0, 12))
    borders = data.draw(st.lists(st.integers(0, len(lengths)), max_size=4))
    found: list[int] = []
    shard = filled = 0
    for start, stop in pairwise(sorted({0, *borders, len(lengths)})):
        offsets = np.cumsum([0, *lengths[start:stop]])
        for first, last, fresh in cut(offsets, capacity, filled):
            assert last > first
            shard += fresh
            filled = int(offsets[last] - offsets[first]) + (0 if fresh else filled)
            found += [shard] * (last - first)
    assert found == place(lengths, capacity)


@given(st.lists(st.integers(1, 9), min_size=1), st.integers(0, 8))
def test_a_document_that_no_shard_can_hold_is_an_empty_range(lengths: list[int], filled: int) -> None:
    offsets = np.cumsum([0, *lengths, 100, 1])
    ranges = list(cut(offsets, 50, filled))
    assert ranges[-1][:2] == (len(lengths), len(lengths))
    assert all(last > first for first, last, _ in ranges[:-1])


# ---- the same bytes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("metadata", [True, False])
def test_the_bytes_of_one_machine(tmp_path: Path, address: str, tokenizer: str, metadata: bool) -> None:
    corpus = write_corpus(tmp_path / "corpus", 60)
    (corpus / "b0.jsonl").write_text('{"no": "text"}\n' * 30)  # a part without a document
    one = build(corpus, tmp_path / "one", tokenizer, metadata=metadata)
    many = build(corpus, tmp_path / "many", tokenizer, metadata=metadata, scheduler=address)
    assert many.num_shards > 2
    assert many.skipped == one.skipped == {"no field 'text'": 34}
    assert content_of(tmp_path / "many") == content_of(tmp_path / "one")
    si.verify(tmp_path / "many", full=True)


def test_a_vocabulary_too_large_for_a_byte_is_numbered_in_the_order_of_the_corpus(tmp_path: Path, address: str) -> None:
    corpus = write_corpus(tmp_path / "corpus", 1200)
    build(corpus, tmp_path / "one", shard_tokens=3000)
    report = build(corpus, tmp_path / "many", shard_tokens=3000, scheduler=address)
    assert report.token_type == "u16"
    assert content_of(tmp_path / "many") == content_of(tmp_path / "one")


def test_a_hugging_face_tokenizer(tmp_path: Path, address: str) -> None:
    pytest.importorskip("tokenizers", reason="the extra hf is not installed")
    from tests.suffixindex.tokenizers.test_huggingface import byte_level

    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_level()))
    corpus = write_corpus(tmp_path / "corpus", 80)
    build(corpus, tmp_path / "one", str(path))
    report = build(corpus, tmp_path / "many", str(path), scheduler=address)
    assert report.num_shards > 2
    assert content_of(tmp_path / "many") == content_of(tmp_path / "one")


def test_relative_paths_are_kept_as_they_were_given(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path / "corpus", 24)
    monkeypatch.chdir(tmp_path)
    build("corpus", Path("one"))
    build("corpus", Path("many"), scheduler=address)
    assert si.open("many").document(0).path == "corpus/a.jsonl"
    assert content_of(Path("many")) == content_of(Path("one"))


def test_a_cluster_of_this_machine(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 40)
    build(corpus, tmp_path / "one")
    build(corpus, tmp_path / "many", workers=1, threads=1)
    assert content_of(tmp_path / "many") == content_of(tmp_path / "one")


# ---- what is wrong with the input -----------------------------------------------------------------------------------


def test_a_machine_without_shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container whose /dev/shm is read-only: worker processes would wait for ever; threads need none."""
    refuse = mock.Mock(side_effect=OSError(errno.EROFS, "Read-only file system"))
    monkeypatch.setattr("multiprocessing.synchronize.Lock", refuse)
    corpus = write_corpus(tmp_path / "corpus", 3)
    with pytest.raises(si.ClusterError, match=r"/dev/shm: Read-only file system\): leave out --workers"):
        build(corpus, tmp_path / "index", "bytes", workers=2)
    assert build(corpus, tmp_path / "index", "bytes").num_documents


def test_a_document_that_no_shard_holds(tmp_path: Path, address: str) -> None:
    corpus = tmp_path / "long.jsonl"
    corpus.write_text(json.dumps({"text": "a " * 50}) + "\n")
    for where in ({}, {"scheduler": address}):
        with pytest.raises(si.SuffixIndexError, match=r"a document of 50 tokens .*--shard-tokens"):
            build(corpus, tmp_path / f"index-{len(where)}", shard_tokens=10, on_error="raise", **where)


def test_bad_input_is_the_sentence_of_one_machine(tmp_path: Path, address: str) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"no": "text"}\n')
    lame = tmp_path / "lame"  # one bad record: of several, a cluster names the first that any worker finds
    lame.mkdir()
    for number in range(4):
        (lame / f"{number}.jsonl").write_text('{"text": "a b c"}\n' * 30 + '{"no": "text"}\n' * (number == 2))
    wrong: list[tuple[Any, dict[str, Any]]] = [
        (lame, {"on_error": "raise"}),
        (empty, {}),
    ]
    for case, (inputs, options) in enumerate(wrong):
        with pytest.raises(si.SuffixIndexError) as here:
            build(inputs, tmp_path / f"one-{case}", **options)
        with pytest.raises(si.SuffixIndexError) as there:
            build(inputs, tmp_path / f"many-{case}", scheduler=address, **options)
        assert type(there.value) is type(here.value)
        kept = "; if the corpus or another setting is changed, start anew with --restart"  # of parts that are finished
        assert str(there.value).removesuffix(kept) == str(here.value)


def test_what_a_cluster_cannot_do_is_said(tmp_path: Path, address: str) -> None:
    corpus = write_corpus(tmp_path / "corpus", 24)
    refused: list[tuple[str, dict[str, Any]]] = [
        ("give one", {"scheduler": address, "workers": 2}),
        ("dask worker --nthreads", {"scheduler": address, "threads": 2}),
        ("expected 1 or more", {"workers": 0}),
    ]
    for sentence, options in refused:
        with pytest.raises(si.BuildError, match=sentence):
            build(corpus, tmp_path / "index", **options)
    with pytest.raises(si.BuildError, match="- is no file: workers of a cluster cannot read it"):
        build("-", tmp_path / "index", scheduler=address)
    with pytest.raises(si.BuildError, match=r"shard \d takes .* MiB to sort, the largest worker has 0 MiB for it"):
        build_with_little_memory(corpus, tmp_path / "little")


def build_with_little_memory(corpus: Path, index: Path) -> None:
    options: dict[str, Any] = {"processes": False, "dashboard_address": ":0", "silence_logs": "ERROR"}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, resources={"suffixindex_memory": 100}, **options) as cluster:
        build(corpus, index, scheduler=cluster.scheduler_address)


def test_a_build_of_one_machine_and_one_of_a_cluster_do_not_take_each_other_up(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path / "corpus", 24)
    build(corpus, tmp_path / "whole")
    from suffixindex.building import job

    def fail(*given: Any, **named: Any) -> Any:
        raise RuntimeError("no sorting today")

    with monkeypatch.context() as patch:
        patch.setattr(parts, "sort_shard", fail)
        patch.setattr(job, "sort_shard", fail)
        with pytest.raises(RuntimeError):
            build(corpus, tmp_path / "one")
        with pytest.raises(si.BuildError):
            build(corpus, tmp_path / "many", scheduler=address)
    with pytest.raises(si.BuildError, match="unfinished build of one machine: go on without --scheduler"):
        build(corpus, tmp_path / "one", scheduler=address)
    with pytest.raises(si.BuildError, match="a cluster left unfinished: go on with --scheduler"):
        build(corpus, tmp_path / "many")
    build(corpus, tmp_path / "one")
    build(corpus, tmp_path / "many", scheduler=address)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "many") == content_of(tmp_path / "whole")
    with pytest.raises(si.BuildError), monkeypatch.context() as patch:
        patch.setattr(parts, "sort_shard", fail)
        build(corpus, tmp_path / "many", scheduler=address, restart=True)
    build(corpus, tmp_path / "many", restart=True)
    assert content_of(tmp_path / "many") == content_of(tmp_path / "whole")


def test_a_worker_takes_no_more_shards_at_once_than_its_memory_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus(tmp_path / "corpus", 60)
    build(corpus, tmp_path / "one")
    needed = SHARD_TOKENS["words"] * bytes_per_token("u8")
    real, under_way, most = parts.sort_shard, [], []

    def watched(folder: Path, *given: Any, **named: Any) -> Any:
        under_way.append(folder)
        most.append(len(under_way))
        time.sleep(0.2)
        under_way.remove(folder)
        return real(folder, *given, **named)

    monkeypatch.setattr(parts, "sort_shard", watched)
    for at_once in (1, 2):
        most.clear()
        options: dict[str, Any] = {"processes": False, "dashboard_address": ":0", "silence_logs": "ERROR"}
        options["resources"] = {"suffixindex_memory": int((at_once + 0.5) * needed)}
        with distributed.LocalCluster(n_workers=1, threads_per_worker=4, **options) as cluster:
            build(corpus, tmp_path / f"many-{at_once}", scheduler=cluster.scheduler_address)
        assert max(most) == at_once
        assert content_of(tmp_path / f"many-{at_once}") == content_of(tmp_path / "one")


def test_a_task_gets_the_cores_that_no_other_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers of two threads on one machine, which encode with processes too."""
    corpus = write_corpus(tmp_path / "corpus", 60)
    build(corpus, tmp_path / "one", shard_tokens=10_000)
    real, threads, teams = parts.sort_shard, [], []

    def watched(folder: Path, size: Any, token_type: str, vocabulary_size: int, given: int, *more: Any, **named: Any) -> Any:
        threads.append(given)
        return real(folder, size, token_type, vocabulary_size, given, *more, **named)

    class Watched(parts.Team):
        def __init__(self, given: int, spread: Any) -> None:
            teams.append((given, spread.processes))
            super().__init__(given, spread)

    monkeypatch.setattr(parts, "sort_shard", watched)
    monkeypatch.setattr(parts, "Team", Watched)
    monkeypatch.setattr(parts, "PART_BYTES", 1 << 30)
    monkeypatch.setattr(team, "MUCH_BYTES", 0)
    monkeypatch.setattr(Pipeline, "ready", True)
    options: dict[str, Any] = {"processes": False, "dashboard_address": ":0", "silence_logs": "ERROR"}
    options["resources"] = {"suffixindex_memory": 4 << 30}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, **options) as cluster:
        build(corpus, tmp_path / "many", scheduler=cluster.scheduler_address, shard_tokens=10_000)
    assert threads == [4]
    assert teams == [(4, 4)]
    assert content_of(tmp_path / "many") == content_of(tmp_path / "one")


# ---- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["sort_shard", "encode_corpus"])
def test_a_task_that_fails_is_tried_three_times(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    corpus = write_corpus(tmp_path / "corpus", 60)
    build(corpus, tmp_path / "one")
    real = getattr(parts, step)
    tried: list[int] = []

    def unlucky(*given: Any, **named: Any) -> Any:
        tried.append(1)
        if len(tried) <= bad:
            raise ValueError("the disk hums")
        return real(*given, **named)

    monkeypatch.setattr(parts, step, unlucky)
    bad = 2
    build(corpus, tmp_path / "many", scheduler=address)
    assert content_of(tmp_path / "many") == content_of(tmp_path / "one")
    bad = 10**9
    tried.clear()
    name = "shard" if step == "sort_shard" else "part"
    sentence = rf"^{name} \d+ failed 3 times, the last time on inproc://.*: ValueError: the disk hums$"
    with pytest.raises(si.BuildError, match=sentence):
        build(corpus, tmp_path / "again", scheduler=address)
    assert 3 <= len(tried) <= 6
    with pytest.raises(si.UnfinishedIndexError):
        si.open(tmp_path / "again")
    bad = 0
    build(corpus, tmp_path / "again", scheduler=address)
    assert content_of(tmp_path / "again") == content_of(tmp_path / "one")


def test_what_is_finished_is_not_done_again(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus(tmp_path / "corpus", 60)
    whole = build(corpus, tmp_path / "one")
    real, sorted_shards = parts.sort_shard, []

    def counted(folder: Path, *given: Any, **named: Any) -> Any:
        sorted_shards.append(folder)
        if len(sorted_shards) > 2 and stopping:
            raise si.CorpusError("stop here")  # which no other worker would mend, so the build stops at once
        return real(folder, *given, **named)

    monkeypatch.setattr(parts, "sort_shard", counted)
    stopping = True
    with pytest.raises(si.CorpusError, match="stop here"):
        build(corpus, tmp_path / "many", scheduler=address)
    stopping = False
    sorted_shards.clear()
    monkeypatch.setattr(parts, "encode_corpus", None)
    build(corpus, tmp_path / "many", scheduler=address)
    assert len(sorted_shards) == whole.num_shards - 2
    assert content_of(tmp_path / "many") == content_of(tmp_path / "one")


def test_attempts_that_were_given_up_do_no_harm(tmp_path: Path, address: str) -> None:
    """The first of two attempts at a shard stays; one whose build is over finds no place."""
    corpus = write_corpus(tmp_path / "corpus", 24)
    build(corpus, tmp_path / "one")
    index = tmp_path / "index"
    parts.make_room(index)
    with parts._attempt(index, index / "shards" / "00000", "shard.json") as slow:
        with parts._attempt(index, index / "shards" / "00000", "shard.json") as fast:
            (fast / "shard.json").write_text("fast")
        (slow / "shard.json").write_text("slow")
    assert (index / "shards" / "00000" / "shard.json").read_text() == "fast"
    with pytest.raises(FileNotFoundError), parts._attempt(index, index / "shards" / "00001", "shard.json") as late:
        parts.clear_room(index)
        (late / "shard.json").write_text("late")
    assert os.listdir(index) == ["shards"]
    assert os.listdir(index / "shards") == ["00000"]
