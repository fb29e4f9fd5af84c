"""Processes for work that holds Python's interpreter, which threads would share: one makes items, others work on them.

Items go from the source to the workers in turn and their results come here in turn, so that they keep their order and this
process does no more than take them. A worker may keep what is large of a result until it is told where to put it. What waits
anywhere is bounded: a few items for each worker.
"""

import errno
import logging
import os
import select
import signal
import socket
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
from suffixindex.system.child import READY, REFUSED, STARTED, pour
from suffixindex.system.frames import PIPE_BYTES, receive, send
from suffixindex.system.worker import Answer, Done, End

STOP_SECONDS = 20.0
PROGRAM = "import sys; from suffixindex.system.child import main; main(*map(int, sys.argv[1:]))"
POSSIBLE = os.name == "posix" and bool(sys.executable)
"""Whether processes can be started that inherit a socket, and fork."""


class Made(NamedTuple):
    """``make(*arguments)``, called in another process, where ``make`` is found by its name."""

    make: Callable[..., Any]
    arguments: tuple[Any, ...]


class Pipeline:
    """``work`` makes a function, and the items of a source become what it makes of each. A context: leaving it ends the processes.

    One process makes the function and forks the workers. The function returns a result, or a
    :class:`suffixindex.system.worker.Later` for one that is to be replied to.
    """

    def __init__(self, work: Made, workers: int, environment: Mapping[str, str] | None = None) -> None:
        self._results: list[IO[bytes]] = []
        self._replies: list[IO[bytes]] = []
        self._owed = [0] * workers  # replies that are not done yet
        self._early: list[deque[Answer | End]] = [deque() for _ in range(workers)]  # read while waiting for these
        self._turn = 0
        self._finished = False
        self.peak_memory_bytes = 0
        """Of the processes together, when all is done."""
        given = {**os.environ, "PYTHONPATH": import_path(), **(environment or {})}
        self._control, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _start(theirs.fileno(), workers, given)
            except BaseException:
                self._control.close()
                raise
        with suppress(ConnectionError), self._control.makefile("wb", 0) as file:  # that it is gone will be seen
            send(file, tuple(work))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        """Whether the function is made, so that workers begin at once."""
        return bool(select.select([self._control], [], [], 0)[0])

    def results(self, source: Made | Iterator[Any]) -> Generator[Any, None, None]:
        """What the items of a source became, in their order; at the end all replies are done. To be called once.

        ``source`` makes an iterator, in the process that made the function, or is one of this process, read on a thread.

        Raises
        ------
        BuildError
            A process ended unasked: out of memory, killed.
        Exception
            What making or working on an item raised, in its place; what a reply led to, at some later place.
        """
        self._begin(source)
        turns = cycle(range(len(self._results)))
        while isinstance(answer := self._next(next(turns)), Answer):
            if answer.error is not None:
                raise answer.error
            yield answer.result
        ends = [answer, *(self._next(next(turns)) for _ in self._results[1:])]
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
        self._control.close()
        for file in self._replies:
            file.close()
        if not self._results:  # it is still making what it is to fork
            self._kill()
        if not self._finished and not all(map(_drained, self._results)):
            self._kill()
        for file in self._results:
            file.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()

    def _kill(self) -> None:
        if self._process.returncode is None:  # its number is its group's
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _begin(self, source: Made | Iterator[Any]) -> None:
        """Name the source and take the pipes of the workers."""
        made = isinstance(source, Made)
        feeds: list[IO[bytes]] = []
        self._said(READY)
        with self._control.makefile("wb", 0) as file:
            send(file, tuple(source) if isinstance(source, Made) else None)
        for _ in self._owed:
            pipes = self._said(STARTED, 2 if made else 3)
            self._replies.append(open(pipes[0], "wb", 0))  # noqa: SIM115 - closed by close
            self._results.append(BufferedReader(open(pipes[1], "rb", 0)))  # noqa: SIM115 - closed by close
            feeds += [open(pipe, "wb", 0) for pipe in pipes[2:]]  # noqa: SIM115 - closed by the source
        if not isinstance(source, Made):
            Thread(target=_pour, args=(feeds, source), daemon=True, name="source").start()

    def _said(self, expected: bytes, pipes: int = 0) -> list[int]:
        """Take what the first process says next, with pipes of a worker."""
        try:
            said, found, _, _ = socket.recv_fds(self._control, 1, pipes)
        except ConnectionError:
            said, found = b"", []
        if said == REFUSED:
            with self._control.makefile("rb") as file:
                raise receive(file)
        if said != expected:
            raise self._died(0)
        if len(found) < pipes:
            for pipe in found:
                os.close(pipe)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return found

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
        codes: dict[int, int] = {}
        try:
            with self._control.makefile("rb") as file:
                while worker not in codes:
                    codes.update([receive(file)])
            code = next(filter(None, codes.values()), 0)  # of one that ended before
        except (EOFError, ConnectionError):  # nobody is there to tell it
            code = next(filter(None, codes.values()), 0) or self._process.wait()
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


def _start(control: int, workers: int, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PROGRAM, str(control), str(workers)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, pass_fds=[control], process_group=0)


def _pour(pipes: list[IO[bytes]], items: Iterator[Any]) -> None:
    """Be the source on a thread, until there is no more or the workers are gone."""
    with ExitStack() as stack, suppress(BrokenPipeError):
        pour([stack.enter_context(pipe) for pipe in pipes], lambda: items, lambda: 0)


def _drained(file: IO[bytes]) -> bool:
    """Pass over what a process that is to end still writes; False if it does not end."""
    while select.select([file], [], [], STOP_SECONDS)[0]:
        if not os.read(file.fileno(), PIPE_BYTES):
            return True
    return False
