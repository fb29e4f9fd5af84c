"""Processes encode what threads would: the same bytes, errors and counts; and a build goes on when any of them was killed."""

import gzip
import json
import math
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import suffixindex as si
from suffixindex.building import team
from suffixindex.building.budget import PROCESS_BYTES, encoding_processes, fixed_bytes
from suffixindex.corpus import lines
from suffixindex.system.pipeline import POSSIBLE, Pipeline
from suffixindex.tokenizers.encoders import BytesEncoder, WordEncoder
from tests.helpers.building import write_tokenizer

pytestmark = [pytest.mark.skipif(not POSSIBLE, reason="no processes that inherit pipes"), pytest.mark.usefixtures("no_fsync")]

TEXTS = [f"The {number}. cat sat on mat {number % 7}; ein daſz\u180e {'naïve ' * (number % 5)}中文。" for number in range(120)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small corpus counts as a large one, of which threads encode nothing while processes start."""
    monkeypatch.setattr(team, "MUCH_BYTES", 0)
    monkeypatch.setattr(Pipeline, "ready", True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines, packed lines, a table, a text, an empty file: and records that are none."""
    folder = tmp_path_factory.mktemp("several")
    records = [json.dumps({"text": text, "number": number, "share": 0.1}) for number, text in enumerate(TEXTS)]
    (folder / "a.jsonl").write_text("\n".join([*records[:50], "{", "", '{"no": 1}', *records[50:70]]) + "\n")
    with gzip.open(folder / "b.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(records[60:]))
    (folder / "c.csv").write_text("text,number\n" + "".join(f'"{text}",{number}\n' for number, text in enumerate(TEXTS[:9])))
    (folder / "d.txt").write_text("\n".join(TEXTS[:30]))
    (folder / "e.jsonl").write_bytes(b"")
    return folder


def files_of(index: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(index)): path.read_bytes()
        for path in sorted(index.rglob("*"))
        if path.is_file() and path.name not in ("provenance.json", "build.lock")
    }


def build(corpus: Path, index: Path, tokenizer: str, processes: int, **options: Any) -> si.BuildReport:
    options = {"shard_tokens": 4000, "on_error": "skip", "progress": False} | options
    return si.build(corpus, index, tokenizer=tokenizer, threads=processes, **options)


@pytest.mark.parametrize("kind", ["bytes", "words", "huggingface"])
def test_any_number_of_processes_makes_the_same_bytes(
    corpus: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = str(write_tokenizer(tmp_path, " ".join(TEXTS), size=400)) if kind == "huggingface" else kind
    monkeypatch.setattr(team, "LARGE_BATCH_BYTES", 1)  # in the process that reads it is what it was
    reports = [build(corpus, tmp_path / str(processes), tokenizer, processes) for processes in (1, 2)]
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")
    assert reports[0].skipped == reports[1].skipped and len(reports[0].skipped) == 2
    assert reports[1].peak_memory_bytes > reports[0].peak_memory_bytes + (60 << 20)  # of three processes more


def test_errors_name_their_place_and_the_build_goes_on(corpus: Path, tmp_path: Path) -> None:
    messages = []
    for processes in (1, 2):
        with pytest.raises(si.CorpusError, match=r"a\.jsonl, line 51: malformed JSON") as caught:
            build(corpus, tmp_path / str(processes), "bytes", processes, on_error="raise")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    build(corpus, tmp_path / "2", "bytes", 2)
    build(corpus, tmp_path / "3", "bytes", 1)
    assert files_of(tmp_path / "2") == files_of(tmp_path / "3")


SCRIPT = """
import sys
import suffixindex as si
from suffixindex.building import team
from suffixindex.corpus import lines
from suffixindex.system.pipeline import Pipeline

team.MUCH_BYTES = 0
Pipeline.ready = True
si.build(sys.argv[1], sys.argv[2], tokenizer="words", shard_tokens=40_000, progress=False, threads=2, checkpoint_seconds=0)
"""


@pytest.fixture(scope="module")
def long_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 16 batches of processes."""
    path = tmp_path_factory.mktemp("long") / "a.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(300):
            file.write(json.dumps({"text": f"{number} " + " ".join(TEXTS) * 14}) + "\n")
    return path


def run(path: Path, index: Path) -> "subprocess.Popen[str]":
    """A script without a main guard."""
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(path), str(index)], stderr=subprocess.PIPE, text=True)


@pytest.mark.long
@pytest.mark.parametrize("whom", ["parent", "child"])
def test_killed_at_any_moment_it_goes_on(long_corpus: Path, tmp_path: Path, whom: str) -> None:
    whole = run(long_corpus, tmp_path / "whole")
    assert whole.wait() == 0, whole.communicate()[1]
    expected = files_of(tmp_path / "whole")
    kills = 0
    for attempt in range(12):
        process = run(long_corpus, tmp_path / "index")
        children: list[psutil.Process] = []
        while process.poll() is None and not children:
            children = psutil.Process(process.pid).children()
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.15 * attempt)
        if process.poll() is not None:
            process.communicate()
            continue
        children = psutil.Process(process.pid).children(recursive=True)
        if not children:  # it sorts
            process.kill()
            process.communicate()
            continue
        victim = process.pid if whom == "parent" else children[attempt % len(children)].pid
        os.kill(victim, signal.SIGKILL)
        kills += 1
        said = process.communicate()[1]
        if whom == "child" and process.returncode:
            assert "a process of this build was killed, as the system does when its memory runs out" in said
        _, alive = psutil.wait_procs(children, 10)
        assert not alive
        if (tmp_path / "index" / "manifest.json").exists():
            break
    last = run(long_corpus, tmp_path / "index")
    assert last.wait() == 0, last.communicate()[1]
    assert kills > 1
    assert files_of(tmp_path / "index") == expected


def test_the_budget_says_how_many_processes_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert encoding_processes("1TiB", 16) == 16
    assert encoding_processes("520MiB", 16) == 1
    for budget in ("2GiB", "4GiB", "8GiB"):
        processes = encoding_processes(budget, 64)
        gib = int(budget[0]) << 30
        assert 1 < processes < 64
        assert fixed_bytes(1) + (processes + 1) * PROCESS_BYTES <= gib < fixed_bytes(1) + (processes + 2) * PROCESS_BYTES


@pytest.mark.parametrize("tokenizer", ["words", "bytes"])
def test_texts_read_as_utf8_make_the_same_bytes(tmp_path: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    long = [" ".join(TEXTS[number : number + 30]) + " ΟΔΟΣ İ" * (number % 2) for number in range(60)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"n": number, "text": text}) + "\n" for number, text in enumerate(long)))
    for utf8_from in (0, math.inf):
        for encoder in (BytesEncoder, WordEncoder):
            monkeypatch.setattr(encoder, "utf8_from", utf8_from)
        for processes in (1, 2):
            build(path, tmp_path / f"{utf8_from}-{processes}", tokenizer, processes, shard_tokens=100_000)
    expected = files_of(tmp_path / "inf-1")
    assert all(files_of(tmp_path / name) == expected for name in ("inf-2", "0-1", "0-2"))


def test_how_much_text_there_seems_to_be() -> None:
    from suffixindex.corpus.sources import Source

    sources = [Source("a.jsonl", "jsonl", 1000), Source("a.jsonl.zst", "jsonl", 250), Source("-", "jsonl")]
    assert [team._text_bytes([source]) for source in sources] == [1000, 1000, 0]


@pytest.mark.parametrize("tokenizer", ["words", "bytes"])
def test_more_text_than_there_seemed_to_be(tmp_path: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads begin, processes go on where they are."""
    records = [json.dumps({"text": " ".join(TEXTS[number:]), "number": number}) for number in range(100)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(records).encode()))
    build(path, tmp_path / "1", tokenizer, 1)
    monkeypatch.setattr(team, "MUCH_BYTES", 4 * path.stat().st_size + 4)
    monkeypatch.setattr(team, "BATCH_BYTES", 5000)
    batches = ways(monkeypatch)
    build(path, tmp_path / "2", tokenizer, 2)
    assert set(batches) == {"_by_threads", "results"} and batches == sorted(batches)
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")


def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By which way each batch of a build to come is encoded."""
    batches: list[str] = []
    for kind, way in ((team.Team, "_by_threads"), (Pipeline, "results")):
        really = getattr(kind, way)
        monkeypatch.setattr(
            kind, way, lambda *given, really=really, way=way: (batches.append(way) or batch for batch in really(*given))
        )
    return batches


@pytest.mark.parametrize("tokenizer", ["words", "bytes"])
@pytest.mark.parametrize("first", [1, 3, 11, 1000])
def test_threads_encode_while_processes_start(
    corpus: Path, tmp_path: Path, tokenizer: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes go on at the record where threads are, in whatever file that is; or threads do all."""
    build(corpus, tmp_path / "1", tokenizer, 1)
    monkeypatch.setattr(team, "BATCH_BYTES", 500)
    monkeypatch.setattr(lines, "READ_BYTES", 300)
    asked: list[bool] = []
    monkeypatch.setattr(Pipeline, "ready", property(lambda self: asked.append(True) or len(asked) > first))
    batches = ways(monkeypatch)
    build(corpus, tmp_path / "2", tokenizer, 2)
    assert batches.count("_by_threads") == min(first, len(batches)) and batches == sorted(batches)
    assert ("results" in batches) == (first < 1000)
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")
