"""A build that is killed, interrupted or out of space goes on, and ends with the very bytes of an undisturbed one.

Run as a program, this file is the process that gets killed: it imports once and forks a build for each experiment.
"""

import builtins
import contextlib
import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import zstandard

import suffixindex as si
from suffixindex.building import team
from suffixindex.corpus import lines as lines_module
from suffixindex.corpus import streams

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals")

TOKENIZERS = ["bytes", "words"]
SHARD_TOKENS = {"bytes": 700, "words": 120}
LONG_SHARD_TOKENS = 9000


def write_corpus(folder: Path, documents: int) -> Path:
    """Four files, compressed and not, with lines to skip."""
    import gzip

    folder.mkdir(parents=True)
    chosen = random.Random(documents)
    names = ["the", "of", "naïve", "Ὀδυσσεύς", *(f"w{i}" for i in range(max(40, documents)))]
    for number, (name, pack) in enumerate(
        [
            ("a.jsonl", bytes),
            ("b.jsonl.gz", gzip.compress),
            ("c.jsonl.zst", zstandard.ZstdCompressor().compress),
            ("d.jsonl", bytes),
        ]
    ):
        texts = [" ".join(chosen.choices(names, k=chosen.choice([0, 3, 20]))) for _ in range(documents // 4)]
        lines = [json.dumps({"text": text, "n": i, "file": number}) for i, text in enumerate(texts)]
        lines.insert(len(lines) // 2, '{"no": "text"}')
        (folder / name).write_bytes(pack("\n".join(lines).encode()))
    (folder / "e.txt").write_text("A file of text. " * 5, encoding="utf-8")
    return folder


def build(corpus: Path, index: Path, tokenizer: str, shard_tokens: int) -> Any:
    """The build of every experiment here: a checkpoint after each batch, and small batches."""
    options: dict[str, Any] = {"shard_tokens": shard_tokens, "on_error": "skip", "threads": 2, "progress": False}
    return si.build(corpus, index, tokenizer=tokenizer, checkpoint_seconds=0, **options)


def shrink(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "fsync", lambda descriptor: None)  # nothing here needs to outlive a real power cut
    patch.setattr(lines_module, "READ_BYTES", 400)
    patch.setattr(streams, "COMPRESSED_BYTES", 200)
    patch.setattr(team, "BATCH_BYTES", 1000)


def content_of(index: Path) -> dict[str, bytes]:
    """Every file but the one that says how it was made."""
    files = {str(path.relative_to(index)): path.read_bytes() for path in index.rglob("*") if path.is_file()}
    files.pop("provenance.json", None)
    return files


def opened(index: Path) -> str:
    """What opening says of a folder. What opens is compared with the undisturbed index later on."""
    try:
        si.open(index)
    except si.UnfinishedIndexError as error:
        assert "run the same suffixindex build command again" in str(error)
        return "unfinished"
    except si.NoIndexError:
        return "nothing"
    return "finished"


class Disk:
    """Counts every change to the disk below a folder, and calls ``stop(kind, halfway)`` in the place of number ``at``.

    ``kind`` is write | free | sync; ``halfway`` does half of a write, and nothing of any other change. Also knows what a
    power cut would leave: of each file that was written, only what was synced, and of what was made in a folder or renamed
    there since the folder was synced, nothing.
    """

    def __init__(self, folder: Path, at: int, stop: Callable[[str, Callable[[], object]], None]) -> None:
        self.folder = str(folder)
        self.at = at
        self.stop = stop
        self.steps = 0
        self.paths: dict[int, str] = {}
        self.durable: dict[str, int] = {}
        self.undo: dict[str, list[tuple[str, bytes | None]]] = {}
        """By folder: what appeared there since it was synced, and what stood in its place."""

    def step(self, kind: str, halfway: Callable[[], object] = lambda: None) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.stop(kind, halfway)

    def cut_power(self) -> None:
        for path, size in self.durable.items():
            if os.path.exists(path) and os.path.getsize(path) > size:
                os.truncate(path, size)
        for entries in list(self.undo.values()):
            for path, content in reversed(entries):
                if os.path.isdir(path):
                    shutil.rmtree(path)
                elif content is not None and os.path.isdir(os.path.dirname(path)):
                    Path(path).write_bytes(content)
                elif os.path.exists(path):
                    os.unlink(path)

    def appears(self, path: Any) -> None:
        """Remember what stood at a path, before something else does."""
        path = os.path.abspath(path)
        content = Path(path).read_bytes() if os.path.isfile(path) else None
        if not os.path.isdir(path):
            self.undo.setdefault(os.path.dirname(path), []).append((path, content))

    @contextlib.contextmanager
    def watched(self) -> Iterator["Disk"]:
        with pytest.MonkeyPatch.context() as patch:
            real_open, real_replace, open_descriptor, real_mkdir = builtins.open, os.replace, os.open, os.mkdir
            patch.setattr(builtins, "open", lambda *given, **named: self._open(real_open, *given, **named))
            patch.setattr(os, "fsync", self._fsync)
            patch.setattr(os, "replace", lambda source, target: self._replace(real_replace, source, target))
            patch.setattr(os, "open", lambda *given, **named: self._open_descriptor(open_descriptor, *given, **named))
            patch.setattr(os, "mkdir", lambda path, *given: self._mkdir(real_mkdir, path, *given))
            for name in ("unlink", "rmdir"):
                patch.setattr(os, name, self._counted("free", getattr(os, name)))
            yield self

    def _counted(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self.step(kind)
            return call(*given, **named)

        return counted

    def _open(self, real_open: Callable[..., Any], path: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        if not set(mode) & {"w", "+", "a"} or not str(path).startswith(self.folder):
            return real_open(path, mode, *given, **named)
        self.step("write")
        if not os.path.exists(path):
            self.appears(path)
        file = real_open(path, mode, *given, **named)
        self.paths[file.fileno()] = str(path)
        if "w" in mode:
            self.durable[str(path)] = 0
        else:
            self.durable.setdefault(str(path), os.path.getsize(path))
        return _File(self, file)

    def _open_descriptor(self, real_open: Callable[..., int], path: Any, *given: Any, **named: Any) -> int:
        descriptor = real_open(path, *given, **named)
        if not named and os.path.isdir(path):
            self.paths[descriptor] = os.path.abspath(path)
        return descriptor

    def _mkdir(self, real_mkdir: Callable[..., None], path: Any, *given: Any) -> None:
        self.step("write")
        self.appears(path)
        real_mkdir(path, *given)

    def _fsync(self, descriptor: int) -> None:
        self.step("sync")
        path = self.paths.get(descriptor, "")
        if os.path.isdir(path):
            self.undo.pop(path, None)
        elif descriptor in self.paths and os.path.exists(self.paths[descriptor]):
            self.durable[self.paths[descriptor]] = os.fstat(descriptor).st_size

    def _replace(self, real_replace: Callable[[Any, Any], None], source: Any, target: Any) -> None:
        self.step("write")
        self.appears(target)
        real_replace(source, target)
        self.durable[str(target)] = self.durable.pop(str(source))


class _File:
    """A file opened for writing whose writes are counted."""

    def __init__(self, disk: Disk, file: Any) -> None:
        self._disk = disk
        self._file = file

    def write(self, content: Any) -> Any:
        self._disk.step("write", lambda: (self._file.write(content[: len(content) // 2]), self._file.flush()))
        return self._file.write(content)

    def truncate(self, size: int) -> Any:
        self._disk.step("free")
        return self._file.truncate(size)

    def close(self) -> None:
        if not self._file.closed:
            self._disk.paths.pop(self._file.fileno(), None)
        self._file.close()

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def count_steps(corpus: Path, index: Path, tokenizer: str) -> int:
    with Disk(index, 0, lambda kind, halfway: None).watched() as disk:
        build(corpus, index, tokenizer, SHARD_TOKENS[tokenizer])
    return disk.steps


# ---- a crash at every step ---------------------------------------------------------------------------------------


def forked(work: Callable[[], None]) -> tuple[int, str]:
    """Do something in a fork: its exit code, and what it printed."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def crash_at_every_step(corpus: Path, folder: Path, tokenizer: str) -> None:
    """For each step: die there, try to open, die once more while going on, go on to the end, compare. Prints a summary."""
    patch = pytest.MonkeyPatch()
    shrink(patch)
    whole = folder / "whole"
    build(corpus, whole, tokenizer, SHARD_TOKENS[tokenizer])
    expected = content_of(whole)
    last = count_steps(corpus, folder / "counted", tokenizer)
    index = folder / "index"
    outcomes: Counter[str] = Counter()
    failures = []

    def crash(at: int) -> None:
        def die(kind: str, halfway: Callable[[], object]) -> NoReturn:
            halfway()
            if at % 2:
                disk.cut_power()
            os._exit(9)

        with Disk(index, at, die).watched() as disk:
            build(corpus, index, tokenizer, SHARD_TOKENS[tokenizer])

    def go_on() -> None:
        build(corpus, index, tokenizer, SHARD_TOKENS[tokenizer])
        found = content_of(index)
        different = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
        assert not different, f"different: {sorted(different)}"

    for at in range(1, last + 1):
        code, said = forked(lambda at=at: crash(at))  # type: ignore[misc]
        assert code == 9, said
        outcomes[opened(index)] += 1
        code, said = forked(lambda at=at: crash(random.Random(at).randint(1, 60)))  # type: ignore[misc]
        outcomes["again" if code == 9 else "finished meanwhile"] += 1
        outcomes[opened(index)] += 1
        code, said = forked(go_on)
        if code:
            failures.append(f"after a crash at step {at} of {last}: {said}")
        shutil.rmtree(index)
    print(json.dumps({"steps": last, "failures": failures[:3], "outcomes": outcomes}))  # noqa: T201


@pytest.mark.parametrize("tokenizer", ["bytes", pytest.param("words", marks=pytest.mark.long)])
def test_a_crash_at_any_step_costs_nothing_but_time(tmp_path: Path, tokenizer: str) -> None:
    corpus = write_corpus(tmp_path / "corpus", 24)
    command = [sys.executable, __file__, "crash", str(corpus), str(tmp_path), tokenizer]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    summary = json.loads(process.stdout)
    assert not summary["failures"]
    assert summary["steps"] > 100
    assert summary["outcomes"]["unfinished"] > 100
    assert summary["outcomes"]["again"] > 50
    assert summary["outcomes"]["finished"] > 0


# ---- kill -9 at random moments -----------------------------------------------------------------------------------


def serve_builds(corpus: Path, whole: Path) -> None:
    """Build once; then for each line ``TOKENIZER INDEX``: fork a build, print its process id, then its exit code and seconds."""
    shrink(pytest.MonkeyPatch())
    for tokenizer in TOKENIZERS:
        build(corpus, whole / tokenizer, tokenizer, LONG_SHARD_TOKENS)
    for line in sys.stdin:
        tokenizer, index = line.split()
        since = time.perf_counter()
        child = os.fork()
        if not child:
            code = 1
            try:
                build(corpus, Path(index), tokenizer, LONG_SHARD_TOKENS)
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)  # noqa: T201
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(code, time.perf_counter() - since, flush=True)  # noqa: T201


def test_twenty_kills_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)
    corpus = write_corpus(tmp_path / "corpus", 1600)
    chosen = random.Random(0)
    outcomes: Counter[str] = Counter()
    command = [sys.executable, __file__, "serve", str(corpus), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout

        def run(tokenizer: str, index: Path, kill_after: float | None) -> tuple[int, float]:
            assert server.stdin
            assert server.stdout
            server.stdin.write(f"{tokenizer} {index}\n")
            server.stdin.flush()
            child = int(server.stdout.readline())
            if kill_after is not None:
                time.sleep(kill_after)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            code, seconds = server.stdout.readline().split()
            return int(code), float(seconds)

        seconds = {}
        for tokenizer in TOKENIZERS:
            code, seconds[tokenizer] = run(tokenizer, tmp_path / f"again-{tokenizer}", None)
            assert code == 0
        whole = {tokenizer: content_of(tmp_path / tokenizer) for tokenizer in TOKENIZERS}
        for number in range(20):
            tokenizer = TOKENIZERS[number % 2]
            index = tmp_path / f"index-{number}"
            for _ in range(chosen.choice([1, 1, 2])):
                code, _ = run(tokenizer, index, chosen.uniform(0, seconds[tokenizer]))
                assert code in (-signal.SIGKILL, 0)
                outcomes[opened(index)] += 1
            report = build(corpus, index, tokenizer, LONG_SHARD_TOKENS)
            assert report.num_documents == 1601
            assert report.num_shards > 1
            assert report.skipped == {"no field 'text'": 4}
            assert content_of(index) == whole[tokenizer]
            shutil.rmtree(index)
        server.stdin.close()
    assert outcomes["unfinished"] >= 8


# ---- errors and interrupts in the process ------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_full_disk_at_any_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str) -> None:
    shrink(monkeypatch)
    corpus = write_corpus(tmp_path / "corpus", 20)
    build(corpus, tmp_path / "whole", tokenizer, SHARD_TOKENS[tokenizer])
    expected = content_of(tmp_path / "whole")
    last = count_steps(corpus, tmp_path / "counted", tokenizer)
    index = tmp_path / "index"
    outcomes: Counter[str] = Counter()

    def run_full(kind: str, halfway: Callable[[], object]) -> None:
        disk.at += 1  # it stays full: the next change fails too
        if kind != "free":
            halfway()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sentence = f"no space left for {index}: free some, then run the same command, it goes on from the last finished step"
    for at in range(1, last + 1):
        with Disk(index, at, run_full).watched() as disk:
            try:
                build(corpus, index, tokenizer, SHARD_TOKENS[tokenizer])
            except si.BuildError as error:
                outcomes["refused"] += 1
                assert str(error) in (sentence, f"{index} cannot be made: No space left on device")
        outcomes[opened(index)] += 1
        build(corpus, index, tokenizer, SHARD_TOKENS[tokenizer])
        assert content_of(index) == expected
        shutil.rmtree(index)
    assert outcomes["refused"] > 60
    assert outcomes["unfinished"] > 60


def test_the_first_error_is_the_one_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The permission is lost at some step and never comes back, so that nothing can be tidied up either."""
    shrink(monkeypatch)
    corpus = write_corpus(tmp_path / "corpus", 20)
    build(corpus, tmp_path / "whole", "words", SHARD_TOKENS["words"])
    expected = content_of(tmp_path / "whole")
    last = count_steps(corpus, tmp_path / "counted", "words")
    index = tmp_path / "index"
    failed = 0

    def refuse(kind: str, halfway: Callable[[], object]) -> None:
        disk.at += 1
        number = disk.steps - start
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), f"change {number}")

    for start in range(1, last + 1, 3):
        disk = Disk(index, start, refuse)
        with disk.watched():
            try:
                build(corpus, index, "words", SHARD_TOKENS["words"])
            except si.BuildError as error:
                failed += 1
                assert re.fullmatch(
                    r"change 0: Permission denied; .* kept|.*index cannot be (made|written): Permission denied", str(error)
                )
        build(corpus, index, "words", SHARD_TOKENS["words"])
        assert content_of(index) == expected
        shutil.rmtree(index)
    assert failed > 30


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    shrink(monkeypatch)
    corpus = write_corpus(tmp_path / "corpus", 20)
    build(corpus, tmp_path / "whole", "words", SHARD_TOKENS["words"])
    expected = content_of(tmp_path / "whole")
    last = count_steps(corpus, tmp_path / "counted", "words")
    index = tmp_path / "index"

    def interrupt(kind: str, halfway: Callable[[], object]) -> NoReturn:
        halfway()
        raise error

    for at in range(1 if error is KeyboardInterrupt else 2, last + 1, 2):
        with pytest.raises(error), Disk(index, at, interrupt).watched():
            build(corpus, index, "words", SHARD_TOKENS["words"])
        assert not list(tmp_path.rglob("*.tmp"))
        build(corpus, index, "words", SHARD_TOKENS["words"])
        assert content_of(index) == expected
        shutil.rmtree(index)


def test_an_interrupt_while_starting_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)
    corpus = write_corpus(tmp_path / "corpus", 8)
    build(corpus, tmp_path / "whole", "bytes", 400)
    expected = content_of(tmp_path / "whole")
    build(corpus, tmp_path / "old", "words", 60)
    index = tmp_path / "index"
    outcomes: Counter[str] = Counter()

    def start_anew(at: int) -> Disk:
        with Disk(index, at, interrupt).watched() as disk:
            si.build(corpus, index, tokenizer="bytes", shard_tokens=400, on_error="skip", restart=True, progress=False)
        return disk

    def interrupt(kind: str, halfway: Callable[[], object]) -> NoReturn:
        raise KeyboardInterrupt

    shutil.copytree(tmp_path / "old", index)
    last = start_anew(0).steps
    assert content_of(index) == expected
    for at in range(1, last + 1):
        shutil.rmtree(index)
        shutil.copytree(tmp_path / "old", index)
        with pytest.raises(KeyboardInterrupt):
            start_anew(at)
        outcomes[opened(index)] += 1
        start_anew(0)
        assert content_of(index) == expected
    assert outcomes["nothing"] > 10
    assert outcomes["unfinished"] > 10


def mounted(folder: Path, size: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return shutil.which("mount") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_disk_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str) -> None:
    corpus = write_corpus(tmp_path / "corpus", 2000)
    build(corpus, tmp_path / "whole", tokenizer, 20_000)
    expected = content_of(tmp_path / "whole")
    needed = sum(-(-len(content) // 4096) * 4096 for content in expected.values())
    disk = tmp_path / "disk"
    disk.mkdir()
    for share in (0.05, 0.3, 0.55, 0.8, 0.95):
        if not mounted(disk, int(needed * share)):
            pytest.skip("no file system can be mounted here")
        try:
            with pytest.raises(si.BuildError, match=r"^no space left for .*index: free some, then run the same command"):
                build(corpus, disk / "index", tokenizer, 20_000)
            with pytest.raises((si.UnfinishedIndexError, si.NoIndexError)):
                si.open(disk / "index")
            subprocess.run(["mount", "-o", f"remount,size={4 * needed}", str(disk)], check=True)
            build(corpus, disk / "index", tokenizer, 20_000)
            assert content_of(disk / "index") == expected
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)  # a traceback may still hold a map


def test_ctrl_c_on_the_command_line_is_a_sentence(tmp_path: Path) -> None:
    index = tmp_path / "index"
    command = [sys.executable, "-m", "suffixindex", "build", "-", "-o", str(index), "--tokenizer", "words"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a background job of a shell inherits deafness to it
    with subprocess.Popen(command, preexec_fn=heard, **pipes) as process:  # noqa: PLW1509 - no thread runs here
        assert process.stdin is not None
        process.stdin.write(b'{"text": "begun"}\n')
        process.stdin.flush()
        while not (index / "sources.jsonl").exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)  # until it waits for more input
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate()
    assert process.returncode == 1
    assert said == b""
    assert complaint.decode().strip() == "Error: interrupted: what is finished is kept, the same command goes on"
    with pytest.raises(si.UnfinishedIndexError):
        si.open(index)
    again = subprocess.run(command, input=b'{"text": "begun and done"}\n', capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    assert si.open(index).count("begun and done") == 1


if __name__ == "__main__":
    if sys.argv[1] == "crash":
        crash_at_every_step(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    else:
        serve_builds(Path(sys.argv[2]), Path(sys.argv[3]))
