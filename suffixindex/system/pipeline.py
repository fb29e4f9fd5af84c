"""Processes for work that holds Python's interpreter, which threads would share: one makes items, others work on them.

Items go from the source to the workers in turn and their results come here in turn, so that they keep their order and this
process does no more than take them. What waits anywhere is bounded: a few items for each worker.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from io import BufferedReader
from itertools import cycle
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from suffixindex.errors import BuildError
from suffixindex.system.child import Answer, End
from suffixindex.system.frames import receive, send, widen

STOP_SECONDS = 20.0
PROGRAM = "import sys; from suffixindex.system.child import main; main(sys.argv[1], *map(int, sys.argv[2:]))"
POSSIBLE = os.name == "posix" and bool(sys.executable)
"""Whether processes can be started that inherit pipes."""


class Made(NamedTuple):
    """``make(*arguments)``, called in another process, where ``make`` is found by its name."""

    make: Callable[..., Any]
    arguments: tuple[Any, ...]


class Pipeline:
    """``source`` makes an iterator of items, ``work`` a function of an item. A context: leaving it ends the processes."""

    def __init__(self, source: Made, work: Made, workers: int, environment: Mapping[str, str] | None = None) -> None:
        given = {**os.environ, "PYTHONPATH": import_path(), **(environment or {})}
        self._workers: list[subprocess.Popen[bytes]] = []
        self._source: subprocess.Popen[bytes] | None = None
        self._results: list[IO[bytes]] = []
        self._finished = False
        self.peak_memory_bytes = 0
        """Of the processes together, when all is done."""
        feeds: list[int] = []
        theirs: list[int] = []
        try:
            for _ in range(workers):
                taken, feed = os.pipe()
                feeds.append(feed)
                theirs.append(taken)
                answers, giving = os.pipe()
                theirs.append(giving)
                self._results.append(BufferedReader(open(answers, "rb", 0)))  # noqa: SIM115 - closed by close
                widen(feed)
                widen(giving)
                self._workers.append(_start("worker", [taken, giving], given))
                while theirs:
                    os.close(theirs.pop())
            self._source = _start("source", feeds, given)
            for process, made in [(self._source, source), *((worker, work) for worker in self._workers)]:
                _tell(process, made)
        except BaseException:  # no more descriptors, or processes: those that were started would wait for ever
            self.close()
            raise
        finally:
            for pipe in (*feeds, *theirs):
                os.close(pipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def results(self) -> Generator[Any, None, None]:
        """What the items became, in their order.

        Raises
        ------
        BuildError
            A process ended unasked: out of memory, killed.
        Exception
            What making or working on an item raised, in its place.
        """
        turns = cycle(range(len(self._workers)))
        try:
            while isinstance(answer := self._next(worker := next(turns)), Answer):
                if answer.error is not None:
                    raise answer.error
                yield answer.result
            ends = [answer, *(self._next(next(turns)) for _ in self._workers[1:])]
            self.peak_memory_bytes = sum(end.peak_memory_bytes for end in ends if isinstance(end, End))
        except EOFError:
            raise self._died(worker) from None
        self._finished = True

    def close(self) -> None:
        """End the processes, whatever they are at."""
        everyone = [*self._workers, *([] if self._source is None else [self._source])]
        if not self._finished:
            for process in everyone:
                process.kill()
        for file in self._results:
            file.close()
        for process in everyone:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _next(self, worker: int) -> Answer | End:
        answer: Answer | End = receive(self._results[worker], writable=True)
        if isinstance(answer, Answer):
            for name, level, message in answer.logged:
                logging.getLogger(name).log(level, "%s", message)
        return answer

    def _died(self, worker: int) -> BuildError:
        code = 0
        assert self._source is not None
        for process in (self._workers[worker], self._source, *self._workers):
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(STOP_SECONDS)
            if code:
                break
        if code == -getattr(signal, "SIGKILL", 9):
            why = "was killed, as the system does when its memory runs out"
        else:
            why = f"was ended by the signal {-code}" if code < 0 else f"ended with the exit status {code}"
        return BuildError(
            f"a process of this build {why}: free memory, or give it fewer --threads, and run the same command, it goes on"
        )


def import_path() -> str:
    """This process's ``sys.path``, as ``PYTHONPATH`` gives it to another."""
    return os.pathsep.join(entry or os.getcwd() for entry in sys.path)


def _start(role: str, pipes: list[int], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PROGRAM, role, *map(str, pipes)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, bufsize=0, pass_fds=pipes)


def _tell(process: "subprocess.Popen[bytes]", made: Made) -> None:
    """Say what it is to make: when all are started, since it waits until the process reads."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:  # its results will tell that it is gone
        send(process.stdin, tuple(made))
