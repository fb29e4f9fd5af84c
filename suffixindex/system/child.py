"""What the processes of a :class:`suffixindex.system.pipeline.Pipeline` run: the source of its items, or a worker.

They import nothing of the script that asked for them, so that one without a main guard is not run again. What is printed goes
to standard error. A process ends when the pipes do that it reads from or writes to, so none outlives the others for long.
"""

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from queue import Queue
from typing import IO, Any, NamedTuple

from suffixindex.errors import SuffixIndexError
from suffixindex.system.frames import receive, send
from suffixindex.system.memory import peak_memory


class Answer(NamedTuple):
    """What an item became, or an error; and what was logged meanwhile."""

    result: Any
    error: BaseException | None
    logged: list[tuple[str, int, str]]


class End(NamedTuple):
    """There is no more; and the peak memory of the process that says so, with that of the source in one of them."""

    peak_memory_bytes: int


class _Failed(NamedTuple):
    """An error in the place of an item."""

    error: Exception


class _Kept(logging.Handler):
    """Keeps what is logged, for the process that asked to say it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[tuple[str, int, str]] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append((record.name, record.levelno, record.getMessage()))

    def taken(self) -> list[tuple[str, int, str]]:
        taken, self.records = self.records, []
        return taken


def main(role: str, *pipes: int) -> None:
    """Be the ``source``, which writes to several pipes in turn, or a ``worker``, between one pipe and the next.

    Standard input says what to make.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the one that asks decides
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):  # one of the others is gone
        with os.fdopen(os.dup(0), "rb") as file:
            make, arguments = receive(file)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if role == "source":
            _pour([os.fdopen(pipe, "wb", 0) for pipe in pipes], lambda: make(*arguments))
        else:
            taken, given = pipes
            _work(os.fdopen(taken, "rb"), os.fdopen(given, "wb", 0), lambda: make(*arguments))
    sys.stderr.flush()
    os._exit(0)  # a thread that waits for an item would hold the process up


def _pour(pipes: list[IO[bytes]], make: Callable[[], Iterator[Any]]) -> None:
    turns = cycle(pipes)
    try:
        for item in make():
            send(next(turns), item)
    except BrokenPipeError:
        raise
    except Exception as error:
        send(next(turns), _Failed(_noted(error)))
    peak = peak_memory()
    for _ in pipes:
        send(next(turns), End(peak))
        peak = 0


def _work(taken: IO[bytes], given: IO[bytes], make: Callable[[], Callable[[Any], Any]]) -> None:
    """Take an item in and give an answer out while another is worked on."""
    kept = _Kept()
    items: Queue[Any] = Queue(1)
    answers: Queue[Any] = Queue(1)
    gone = End(-1)

    def take_in() -> None:
        try:
            while not isinstance(item := receive(taken), End):
                items.put(item)
            items.put(item)
        except (EOFError, OSError):
            items.put(gone)

    def give_out() -> None:
        try:
            while (answer := answers.get()) is not gone:
                send(given, answer)
        except OSError:
            os._exit(0)

    threads = [threading.Thread(target=call, daemon=True) for call in (take_in, give_out)]
    for thread in threads:
        thread.start()
    try:
        function = make()
    except Exception as error:
        function = _raising(error)
    while not isinstance(item := items.get(), End):
        try:
            answer = Answer((_raising(item.error) if isinstance(item, _Failed) else function)(item), None, kept.taken())
        except Exception as error:
            answer = Answer(None, _noted(error), kept.taken())
        answers.put(answer)
    if item is not gone:
        answers.put(End(peak_memory() + item.peak_memory_bytes))
    answers.put(gone)
    threads[1].join()


def _raising(error: Exception) -> Callable[[Any], Any]:
    def fail(item: Any) -> Any:
        raise error

    return fail


def _noted(error: Exception) -> Exception:
    """An error of the program with where it was raised, which does not go through a pipe."""
    if not isinstance(error, SuffixIndexError) and not hasattr(error, "__notes__"):
        error.add_note("".join(traceback.format_exception(error)))
    return error
