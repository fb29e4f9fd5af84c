"""The first process of a :class:`suffixindex.system.pipeline.Pipeline`: it makes the workers' function, forks them, is the source.

So what takes long to load is loaded once. Nothing is imported of the script that asked, so that one without a main guard is not
run again. What is printed goes to standard error. All end when the one that asked does, so none outlives it.
"""

import gc
import os
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import cycle
from threading import Lock, Thread
from typing import IO, Any, NoReturn

from suffixindex.system.frames import receive, send, widen
from suffixindex.system.memory import peak_memory
from suffixindex.system.worker import End, Failed, Kept, Worker, noted, raising

READY, STARTED, REFUSED = b"=", b"+", b"-"
"""What is said: that a source may be named; then of each worker that its pipes come with this, or an error behind it."""


def main(control: int, workers: int) -> None:
    """Make what a socket says, fork the workers when it names a source, hand over their pipes, and be the source if asked to.

    Of each worker that ends is told then ``(number, exit code)``; that of a signal is negative.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the one that asks decides
    os.dup2(2, 1)
    logged = Kept()
    with suppress(EOFError, ConnectionError):  # one of the others is gone
        asking = socket.socket(fileno=control)
        asked = asking.makefile("rb")
        make, arguments = receive(asked)
        try:
            function = make(*arguments)
        except Exception as error:
            function = raising(error)
        asking.sendall(READY)
        source = receive(asked)
        gc.freeze()  # what is there is shared; collecting it would copy it
        children = _Children(asking, logged)
        for _ in range(workers):
            children.fork(function, fed=source is not None)
        logged.close()
        waiting = Thread(target=children.wait)
        waiting.start()
        Thread(target=_end_with, args=(asked, children, waiting), daemon=True).start()
        if source is not None:
            with suppress(BrokenPipeError):
                pour(children.feeds, lambda: source[0](*source[1]), peak_memory)
            for file in children.feeds:
                file.close()
        waiting.join()
    _leave()


class _Children:
    """The workers, for as long as they live, and the pipes in which items go to them."""

    def __init__(self, asking: socket.socket, logged: Kept) -> None:
        self._asking = asking
        self._logged = logged
        self._alive: dict[int, int] = {}
        self._lock = Lock()
        self.feeds: list[IO[bytes]] = []

    def fork(self, function: Callable[[Any], Any], *, fed: bool) -> None:
        """Start the next worker; one that is not ``fed`` from here gets its items from the one that asks."""
        number = len(self._alive)
        try:
            (taken, feed), (told, reply), (answers, giving) = os.pipe(), os.pipe(), os.pipe()
            with warnings.catch_warnings(action="ignore"):  # of threads that libraries may have: a worker needs none of them
                process = os.fork()
        except OSError as error:  # no more descriptors, or processes
            self._asking.sendall(REFUSED)
            send(self._asking.makefile("wb", 0), error)
            _leave(1)
        theirs, others = (taken, told, giving), (feed, reply, answers)
        if not process:
            for pipe in (self._asking.fileno(), *(file.fileno() for file in self.feeds), *others):
                os.close(pipe)
            if number:
                self._logged.taken()  # which the first tells
            _be_worker(theirs, function, self._logged)
        self._alive[process] = number
        for pipe in (feed, reply, giving):
            widen(pipe)
        socket.send_fds(self._asking, [STARTED], [reply, answers] if fed else [reply, answers, feed])
        for pipe in theirs + others[fed:]:
            os.close(pipe)
        if fed:
            self.feeds.append(open(feed, "wb", 0))  # noqa: SIM115 - closed by main

    def wait(self) -> None:
        """Tell of each that it has ended. Returns when all have."""
        telling = self._asking.makefile("wb", 0)
        while self._alive:
            process, status = os.wait()
            with self._lock:
                number = self._alive.pop(process)
            with suppress(OSError):  # nobody asks any more
                send(telling, (number, os.waitstatus_to_exitcode(status)))

    def kill(self) -> None:
        with self._lock:
            for process in self._alive:
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(process, signal.SIGKILL)


def _be_worker(pipes: tuple[int, int, int], function: Callable[[Any], Any], logged: Kept) -> NoReturn:
    taken, told, given = pipes
    try:
        Worker(os.fdopen(taken, "rb"), os.fdopen(told, "rb"), os.fdopen(given, "wb", 0), logged).run(function)
    except BaseException:
        traceback.print_exc()
        _leave(1)
    _leave()


def _end_with(asked: IO[bytes], children: _Children, waiting: Thread) -> None:
    """End all when the one that asks ends, or wants it."""
    with suppress(ConnectionError):
        asked.read()
    children.kill()
    waiting.join()
    _leave()


def _leave(code: int = 0) -> NoReturn:
    sys.stderr.flush()
    os._exit(code)  # a thread that waits for an item would hold the process up


def pour(pipes: list[IO[bytes]], make: Callable[[], Iterable[Any]], peak: Callable[[], int]) -> None:
    """Send items to pipes in turn, an error in the place of one, and to each that there is no more."""
    turns = cycle(pipes)
    try:
        for item in make():
            send(next(turns), item)
    except BrokenPipeError:
        raise
    except Exception as error:
        send(next(turns), Failed(noted(error)))
    for number, _ in enumerate(pipes):
        send(next(turns), End(0 if number else peak()))
