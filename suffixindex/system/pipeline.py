"""Processes for work that holds Python's interpreter, which threads would share: one makes items, others work on them.

Items go from the source to the workers in turn and their results come here in turn, so that they keep their order and this
process does no more than take them. A worker may keep what is large of a result until it is told where to put it. What waits
anywhere is bounded: a few items for each worker.
"""

import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from io import BufferedReader
from itertools import cycle
from threading import Thread
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from suffixindex.errors import BuildError
from suffixindex.system.child import Answer, Done, End, pour
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
    """``source`` makes an iterator of items, ``work`` a function of an item. A context: leaving it ends the processes.

    A source that is an iterator itself is one of this process, on a thread. The function returns a result, or a
    :class:`suffixindex.system.child.Later` for one that is to be replied to.
    """

    def __init__(
        self, source: Made | Iterator[Any], work: Made, workers: int, environment: Mapping[str, str] | None = None
    ) -> None:
        given = {**os.environ, "PYTHONPATH": import_path(), **(environment or {})}
        self._workers: list[subprocess.Popen[bytes]] = []
        self._source: subprocess.Popen[bytes] | None = None
        self._results: list[IO[bytes]] = []
        self._replies: list[IO[bytes]] = []
        self._owed = [0] * workers  # replies that are not done yet
        self._early: list[deque[Answer | End]] = [deque() for _ in range(workers)]  # read while waiting for these
        self._turn = 0
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
                told, reply = os.pipe()
                theirs.append(told)
                self._replies.append(open(reply, "wb", 0))  # noqa: SIM115 - closed by close
                answers, giving = os.pipe()
                theirs.append(giving)
                self._results.append(BufferedReader(open(answers, "rb", 0)))  # noqa: SIM115 - closed by close
                for pipe in (feed, reply, giving):
                    widen(pipe)
                self._workers.append(_start("worker", [taken, told, giving], given))
                while theirs:
                    os.close(theirs.pop())
            if isinstance(source, Made):
                self._source = _start("source", feeds, given)
                _tell(self._source, source)
            else:
                Thread(target=_pour, args=(feeds.copy(), source), daemon=True, name="source").start()
                feeds.clear()
            for worker in self._workers:
                _tell(worker, work)
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
        """What the items became, in their order; at the end all replies are done.

        Raises
        ------
        BuildError
            A process ended unasked: out of memory, killed.
        Exception
            What making or working on an item raised, in its place; what a reply led to, at some later place.
        """
        turns = cycle(range(len(self._workers)))
        while isinstance(answer := self._next(next(turns)), Answer):
            if answer.error is not None:
                raise answer.error
            yield answer.result
        ends = [answer, *(self._next(next(turns)) for _ in self._workers[1:])]
        self.peak_memory_bytes = sum(end.peak_memory_bytes for end in ends if isinstance(end, End))
        self._finished = True

    def reply(self, content: Any) -> None:
        """Tell the worker of the result that was taken last what it is to do with the rest.

        Raises
        ------
        BuildError
            It is gone.
        """
        worker = self._turn
        try:
            send(self._replies[worker], content)
        except BrokenPipeError:
            raise self._died(worker) from None
        self._owed[worker] += 1

    def settle(self) -> None:
        """Wait until all replies are done.

        Raises
        ------
        BuildError, Exception
            As :meth:`results`.
        """
        for worker, early in enumerate(self._early):
            while self._owed[worker]:
                if (answer := self._receive(worker)) is not None:
                    early.append(answer)

    def close(self) -> None:
        """End the processes, whatever they are at."""
        everyone = self._everyone()
        if not self._finished:
            for process in everyone:
                process.kill()
        for file in (*self._results, *self._replies):
            file.close()
        for process in everyone:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _everyone(self, first: int = 0) -> "list[subprocess.Popen[bytes]]":
        """All processes, a worker first."""
        return [*self._workers[first : first + 1], *([] if self._source is None else [self._source]), *self._workers]

    def _next(self, worker: int) -> Answer | End:
        self._turn = worker
        answer = self._early[worker].popleft() if self._early[worker] else self._receive(worker)
        while answer is None:
            answer = self._receive(worker)
        return answer

    def _receive(self, worker: int) -> Answer | End | None:
        """What a worker says next; None if it is that a reply is done."""
        try:
            answer: Answer | End | Done = receive(self._results[worker], writable=True)
        except EOFError:
            raise self._died(worker) from None
        if isinstance(answer, Done):
            self._owed[worker] -= 1
            if answer.error is not None:
                raise answer.error
            return None
        if isinstance(answer, Answer):
            for name, level, message in answer.logged:
                logging.getLogger(name).log(level, "%s", message)
        return answer

    def _died(self, worker: int) -> BuildError:
        code = 0
        for process in self._everyone(worker):
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


def _pour(pipes: list[int], items: Iterator[Any]) -> None:
    """Be the source on a thread, until there is no more or the workers are gone."""
    with ExitStack() as stack, suppress(BrokenPipeError):
        pour([stack.enter_context(open(pipe, "wb", 0)) for pipe in pipes], lambda: items, lambda: 0)


def _tell(process: "subprocess.Popen[bytes]", made: Made) -> None:
    """Say what it is to make: when all are started, since it waits until the process reads."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:  # its results will tell that it is gone
        send(process.stdin, tuple(made))
