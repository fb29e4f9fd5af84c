"""What a worker of a :class:`suffixindex.system.pipeline.Pipeline` does with the items that come to it, and what it answers."""

import logging
import os
import threading
import traceback
from collections.abc import Callable
from queue import Queue, SimpleQueue
from typing import IO, Any, NamedTuple

from suffixindex.errors import SuffixIndexError
from suffixindex.system.frames import receive, send
from suffixindex.system.memory import peak_memory

KEPT = 2  # results of a worker that may wait for their replies


class Later(NamedTuple):
    """A result that leaves something to do in the worker, ``finish(reply)``, when whoever takes the result has replied."""

    result: Any
    finish: Callable[[Any], None]


class Answer(NamedTuple):
    """What an item became, or an error; and what was logged meanwhile."""

    result: Any
    error: BaseException | None
    logged: list[tuple[str, int, str]]


class Done(NamedTuple):
    """What a reply asked for is done, or ended in an error."""

    error: BaseException | None


class End(NamedTuple):
    """There is no more; and the peak memory of the process that says so, with that of the source in one of them."""

    peak_memory_bytes: int


GONE = End(-1)
"""The other side is gone."""


class Failed(NamedTuple):
    """An error in the place of an item."""

    error: Exception


class Kept(logging.Handler):
    """Keeps what is logged, for the process that asked to say it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[tuple[str, int, str]] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append((record.name, record.levelno, record.getMessage()))

    def close(self) -> None:
        logging.getLogger().removeHandler(self)
        super().close()

    def taken(self) -> list[tuple[str, int, str]]:
        taken, self.records = self.records, []
        return taken


class Worker:
    """Takes an item in, gives an answer out and does what a reply asks for while another item is worked on.

    Replies are read at once, so that nobody who sends one waits for a worker that waits to be read itself.
    """

    def __init__(self, taken: IO[bytes], told: IO[bytes], given: IO[bytes], logged: Kept) -> None:
        self._taken, self._told, self._given = taken, told, given
        self._items: Queue[Any] = Queue(1)
        self._answers: Queue[Any] = Queue(1)
        self._kept: Queue[Later] = Queue(KEPT)
        self._replies: SimpleQueue[Any] = SimpleQueue()
        self._logged = logged

    def run(self, function: Callable[[Any], Any]) -> None:
        """Answer with what a function makes of each item, until there is no more."""
        calls = (self._take_in, self._take_replies, self._finish, self._give_out)
        threads = [threading.Thread(target=call, daemon=True) for call in calls]
        for thread in threads:
            thread.start()
        while not isinstance(item := self._items.get(), End):
            self._answers.put(self._answer(raising(item.error) if isinstance(item, Failed) else function, item))
        if item is not GONE:
            self._kept.join()
            self._answers.put(End(peak_memory() + item.peak_memory_bytes))
        self._answers.put(GONE)
        threads[-1].join()

    def _answer(self, function: Callable[[Any], Any], item: Any) -> Answer:
        try:
            result = function(item)
        except Exception as error:
            return Answer(None, noted(error), self._logged.taken())
        if isinstance(result, Later):
            self._kept.put(result)
            result = result.result
        return Answer(result, None, self._logged.taken())

    def _take_in(self) -> None:
        try:
            while not isinstance(item := receive(self._taken), End):
                self._items.put(item)
            self._items.put(item)
        except (EOFError, OSError):
            self._items.put(GONE)

    def _take_replies(self) -> None:
        try:
            while True:
                self._replies.put(receive(self._told))
        except (EOFError, OSError):  # nobody is there who would reply
            os._exit(0)

    def _finish(self) -> None:
        while True:
            reply, later = self._replies.get(), self._kept.get()
            try:
                later.finish(reply)
                done = Done(None)
            except Exception as error:
                done = Done(noted(error))
            self._answers.put(done)
            self._kept.task_done()

    def _give_out(self) -> None:
        try:
            while (answer := self._answers.get()) is not GONE:
                send(self._given, answer)
        except OSError:
            os._exit(0)


def raising(error: Exception) -> Callable[[Any], Any]:
    """A function that fails of every item."""

    def fail(item: Any) -> Any:
        raise error

    return fail


def noted(error: Exception) -> Exception:
    """An error of the program with where it was raised, which does not go through a pipe."""
    if not isinstance(error, SuffixIndexError) and not hasattr(error, "__notes__"):
        error.add_note("".join(traceback.format_exception(error)))
    return error
