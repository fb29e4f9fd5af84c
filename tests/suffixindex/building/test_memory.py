"""Sizes as people write them, limits as systems set them, and a build that stays within its budget."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.building.budget import shard_capacity
from suffixindex.system import memory
from suffixindex.system.memory import MAX_TOKENS, cpu_count, parse_count, parse_size, peak_memory, total_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16GiB", 16 * 2**30),
        ("16G", 16 * 2**30),
        ("16g", 16 * 2**30),
        ("16GB", 16 * 10**9),
        ("500MB", 500 * 10**6),
        ("512MiB", 512 * 2**20),
        ("1.5 TiB", 3 * 2**39),
        (" 64 kib ", 64 * 2**10),
        ("64K", 64 * 2**10),
        ("123", 123),
        ("123B", 123),
        ("0.5GB", 5 * 10**8),
        (4096, 4096),
        ("9" * 400, 2**63),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "16 gigs", "-1GiB", "1,5GiB", "16PiB", "1e9", "0x10", "16GiBs", "٣GiB", "nan", "inf"])
def test_texts_that_are_no_size(text: str) -> None:
    with pytest.raises(si.BuildError, match="is no size: write it as 16GiB, 500MB or a number of bytes"):
        parse_size(text)


@given(st.integers(0, 2**50), st.sampled_from(["", "k", "M", "g", "T"]))
def test_sizes_of_whole_numbers_are_exact(number: int, unit: str) -> None:
    power = " kmgt".index(unit.lower() or " ")
    assert parse_size(f"{number % 2**20}{unit}iB") == number % 2**20 * 1024**power if unit else parse_size(str(number)) == number


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("500M", 500 * 10**6),
        ("2G", 2 * 10**9),
        ("2B", 2 * 10**9),
        ("1.5k", 1500),
        ("1e9", 10**9),
        ("2.5e3", 2500),
        ("7", 7),
        (7, 7),
        ("1e999", 2**63),
    ],
)
def test_counts(text: str | int, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "M", "0", "0.5", -1, 0, "-5M", "500MiB", "many", "1e", "nan", "1_000"])
def test_texts_that_are_no_count(text: str | int) -> None:
    with pytest.raises(si.BuildError, match="is no number of tokens: write it as 500M, 2G or a number"):
        parse_count(text)


def test_a_limit_of_the_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = psutil.virtual_memory().total
    (tmp_path / "memory").mkdir()
    files = [tmp_path / "memory.max", tmp_path / "memory" / "memory.limit_in_bytes"]
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    assert total_memory() == installed
    files[0].write_text("max\n")
    assert total_memory() == installed
    files[1].write_text("9223372036854771712\n")
    assert total_memory() == installed
    files[0].write_text(f"{2**30}\n")
    assert total_memory() == 2**30
    files[1].write_text(f"{2**29}\n")
    assert total_memory() == 2**29


def test_half_of_a_small_container_is_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text(str(2 * 2**30))
    (tmp_path / "a.txt").write_text("a")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    capacities = []
    for name, budget in (("given", "1GiB"), ("half", None), ("less", "600MiB")):
        si.build(tmp_path / "a.txt", tmp_path / name, tokenizer="bytes", memory=budget, progress=False)
        capacities.append(json.loads((tmp_path / name / "manifest.json").read_text())["settings"]["shard_capacity"])
    assert capacities[0] == capacities[1] > capacities[2] >= 1 << 20
    (tmp_path / "memory.max").write_text(str(2**29))
    with pytest.raises(si.BuildError, match="memory"):
        si.build(tmp_path / "a.txt", tmp_path / "none", tokenizer="bytes", progress=False)


def test_the_peak_only_grows() -> None:
    before = peak_memory()
    assert before >= 2**20
    block = bytearray(os.urandom(1 << 20) * 64)
    assert peak_memory() >= before
    assert len(block) <= peak_memory()


def test_the_peak_is_not_that_of_the_parent() -> None:
    block = bytearray(os.urandom(1 << 20) * 256)
    code = "from suffixindex.system.memory import peak_memory; print(peak_memory())"
    peak = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert 1 << 20 < peak < len(block)


def test_cores_that_this_process_may_use() -> None:
    assert 1 <= cpu_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [("max", 100_000, 64), (100_000, 100_000, 1), (150_000, 100_000, 2), (1000, 100_000, 1), (10**9, 100_000, 64), (-1, 5, 64)],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_quota_of_cores_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: int | str, period: int, cores: int, version: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    (tmp_path / "cpu").mkdir()
    if version == 2:
        (tmp_path / "cpu.max").write_text(f"{quota} {period}\n")
    else:
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        (tmp_path / "cpu" / "cpu.cfs_period_us").write_text(f"{period}\n")
    assert cpu_count() == cores


def test_limits_of_the_groups_around_this_process_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "OWN_CGROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("4:memory:/slurm/job/step\n0::/slurm/job/step\n")
    for group, limit in (("slurm", 2**31), ("slurm/job", 2**29), ("slurm/job/step", "max")):
        (tmp_path / "cgroup" / group).mkdir(parents=True)
        (tmp_path / "cgroup" / group / "memory.max").write_text(f"{limit}\n")
    assert total_memory() == 2**29
    (tmp_path / "cgroup" / "memory" / "slurm").mkdir(parents=True)
    (tmp_path / "cgroup" / "memory" / "slurm" / "memory.limit_in_bytes").write_text(f"{2**28}\n")
    assert total_memory() == 2**28


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"), reason="millions of tokens are for compiled kernels")
@pytest.mark.parametrize("tokenizer", ["bytes", "words"])
def test_a_build_stays_within_its_budget(tmp_path: Path, tokenizer: str) -> None:
    """Several shards, each as large as the budget allows; the peak is that of a process which did nothing else."""
    chosen = random.Random(0)
    budget = 520 << 20
    names = [f"{chosen.getrandbits(24):x}" for _ in range(5000)]
    with (tmp_path / "a.jsonl").open("w") as file:
        for _ in range(4500 if tokenizer == "bytes" else 7000):
            file.write(json.dumps({"text": " ".join(chosen.choices(names, k=200 if tokenizer == "bytes" else 1000))}) + "\n")
    command = [
        sys.executable,
        "-m",
        "suffixindex",
        "build",
        "a.jsonl",
        "-o",
        "index",
        "-t",
        tokenizer,
        "--memory",
        str(budget),
        "--threads",
        "2",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    info = si.open(tmp_path / "index").info()
    assert info["num_shards"] >= 2
    assert info["provenance"]["peak_memory_bytes"] <= budget


@pytest.mark.parametrize("asked", [{"memory": "1000TiB", "shard_tokens": None}, {"memory": None, "shard_tokens": "1e12"}])
def test_no_shard_is_longer_than_the_sort_takes(asked: dict[str, Any]) -> None:
    assert shard_capacity(**asked, token_type="u16", threads=2) == MAX_TOKENS < 2**32


@pytest.mark.parametrize("threads", [0, -1])
def test_an_estimate_needs_a_thread(tmp_path: Path, threads: int) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(si.BuildError, match=f"threads is {threads}: expected 1 or more"):
        si.estimate_build(tmp_path / "a.txt", tokenizer="bytes", threads=threads)
