"""A scheduler, workers and drivers as commands of their own, some of them killed or cut off: the build ends in the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import suffixindex as si
from tests.suffixindex.building.test_resume import SHARD_TOKENS, content_of, write_corpus

pytest.importorskip("distributed", reason="the extra distributed is not installed")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

PRELOAD = """
import os, time
from pathlib import Path
from suffixindex.building import parts
parts.PART_BYTES = 200
real = vars(parts).setdefault("real_sort_shard", parts.sort_shard)  # Dask runs this file twice
def held(folder, *given, **named):
    (Path({folder!r}) / f"{{os.getpid()}}-sorts").touch()
    while not (Path({folder!r}) / "go").exists():
        time.sleep(0.05)
    return real(folder, *given, **named)
parts.sort_shard = held
"""


class Commands:
    """Each process may run on a host of its own, a network namespace; each worker waits in mid-shard until ``go`` is there."""

    def __init__(self, folder: Path, host: str | None = None, address: str = "127.0.0.1") -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir()
        (folder / "preload.py").write_text(PRELOAD.format(folder=str(folder)))
        self.scheduler_file = folder / "scheduler.json"
        self.dask(host, "dask_scheduler", "--host", address, "--port", "0", "--no-dashboard")

    def start(self, host: str | None, *command: str) -> subprocess.Popen[bytes]:
        inside = ["ip", "netns", "exec", host] if host else []
        environment = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "15s"}
        with open(self.folder / f"log-{len(self.processes)}", "wb") as log:
            process = subprocess.Popen([*inside, sys.executable, "-m", *command], stdout=log, stderr=log, env=environment)
        self.processes.append(process)
        return process

    def dask(self, host: str | None, name: str, *options: str) -> subprocess.Popen[bytes]:
        return self.start(host, f"distributed.cli.{name}", *options, "--scheduler-file", str(self.scheduler_file))

    def worker(self, host: str | None = None, address: str = "127.0.0.1") -> subprocess.Popen[bytes]:
        options = ["--nthreads", "1", "--no-nanny", "--memory-limit", "2GiB", "--no-dashboard", "--host", address]
        local = ["--local-directory", str(self.folder), "--preload", str(self.folder / "preload.py")]
        return self.dask(host, "dask_worker", *options, *local)

    def driver(self, corpus: Path, index: Path, tokenizer: str, host: str | None = None) -> subprocess.Popen[bytes]:
        options = ["--tokenizer", tokenizer, "--shard-tokens", str(SHARD_TOKENS[tokenizer]), "--on-error", "skip"]
        command = ["suffixindex", "build", str(corpus), "-o", str(index), *options]
        self.wait_for(self.scheduler_file.exists)
        return self.start(host, *command, "--scheduler", str(self.scheduler_file))

    def wait_for(self, there: Callable[[], bool]) -> None:
        while not there():
            assert self.processes[0].poll() is None, self.logs()
            time.sleep(0.05)

    def sorting(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.logs()
        return (self.folder / f"{process.pid}-sorts").exists()

    def let_go(self) -> None:
        (self.folder / "go").touch()

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("log-*")))

    def __enter__(self) -> "Commands":
        return self

    def __exit__(self, *error: Any) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def build_here(corpus: Path, index: Path, tokenizer: str) -> dict[str, bytes]:
    si.build(corpus, index, tokenizer=tokenizer, shard_tokens=SHARD_TOKENS[tokenizer], on_error="skip", progress=False)
    return content_of(index)


@pytest.mark.parametrize("tokenizer", ["bytes", "words"])
def test_workers_and_the_driver_killed_in_mid_shard(tmp_path: Path, tokenizer: str) -> None:
    corpus, index = write_corpus(tmp_path / "corpus", 60), tmp_path / "many"
    expected = build_here(corpus, tmp_path / "one", tokenizer)
    with Commands(tmp_path / "cluster") as commands:
        first, second = commands.worker(), commands.worker()
        driver = commands.driver(corpus, index, tokenizer)
        commands.wait_for(lambda: commands.sorting(first) and commands.sorting(second))
        first.kill()
        driver.kill()
        driver.wait()
        assert (index / "build.json").exists()
        driver = commands.driver(corpus, index, tokenizer)
        third = commands.worker()
        commands.wait_for(lambda: commands.sorting(third))
        second.kill()
        third.kill()  # no worker is left, the build waits for one
        fourth = commands.worker()
        commands.wait_for(lambda: commands.sorting(fourth))
        commands.let_go()
        assert driver.wait() == 0, commands.logs()
    assert content_of(index) == expected
    assert sorted(os.listdir(index)) == sorted(os.listdir(tmp_path / "one"))


# ---- several hosts ------------------------------------------------------------------------------------------------


def ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def hosts() -> Iterator[list[tuple[str, str]]]:
    """(namespace, address) of three hosts on one switch."""
    if shutil.which("ip") is None:
        pytest.skip("needs the command ip")
    tag = f"si{os.getpid()}"
    with ExitStack() as undo:
        if not ip("netns", "add", f"{tag}s"):
            pytest.skip("no network namespace can be made here")
        undo.callback(ip, "netns", "del", f"{tag}s")
        switch = ["-n", f"{tag}s"]
        if not ip(*switch, "link", "add", "switch", "type", "bridge"):
            pytest.skip("no bridge can be made here")
        ip(*switch, "link", "set", "switch", "up")
        made = []
        for number in range(3):
            host, address = f"{tag}h{number}", f"10.77.0.{number + 1}"
            assert ip("netns", "add", host)
            undo.callback(ip, "netns", "del", host)
            assert ip(*switch, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", host)
            assert ip(*switch, "link", "set", f"to{number}", "master", "switch", "up")
            assert ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            assert ip("-n", host, "link", "set", "eth0", "up")
            assert ip("-n", host, "link", "set", "lo", "up")
            made.append((host, address))
        yield made


@pytest.mark.long  # waits until a scheduler gives up a host
def test_a_host_that_is_cut_off_in_mid_shard(tmp_path: Path, hosts: list[tuple[str, str]]) -> None:
    corpus, index = write_corpus(tmp_path / "corpus", 60), tmp_path / "many"
    expected = build_here(corpus, tmp_path / "one", "words")
    with Commands(tmp_path / "cluster", *hosts[0]) as commands:
        lost, kept = commands.worker(*hosts[1]), commands.worker(*hosts[2])
        driver = commands.driver(corpus, index, "words", hosts[0][0])
        commands.wait_for(lambda: commands.sorting(lost) and commands.sorting(kept))
        assert ip("-n", hosts[1][0], "link", "set", "eth0", "down")
        commands.wait_for(lambda: "Remove worker addr: tcp://10.77.0.2" in commands.logs())
        commands.let_go()  # to the lost one too, whose shard nobody waits for
        assert driver.wait() == 0, commands.logs()
    assert content_of(index) == expected
