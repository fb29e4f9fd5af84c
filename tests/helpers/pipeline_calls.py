"""What processes are given to do in tests, which find it by its name."""

import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from suffixindex.errors import CorpusError
from suffixindex.system.worker import Later


def numbers(stop: int, fails: bool = False) -> Iterator[int]:
    yield from range(stop)
    if fails:
        raise CorpusError(f"nothing after {stop}")


def blocks(stop: int, size: int) -> Iterator[tuple[int, np.ndarray]]:
    for number in range(stop):
        yield number, np.full(size, number)


def squaring(wrong: int = -1) -> Callable[[int], int]:
    def square(number: int) -> int:
        if number == wrong:
            raise ValueError(f"{number} is wrong")
        if number % 7 == 3:
            logging.getLogger("suffixindex.tests").warning("%s was seen", number)
            sys.stdout.write("this goes to standard error")
        return number * number

    return square


def summing() -> Callable[[tuple[int, np.ndarray]], tuple[int, np.ndarray]]:
    return lambda block: (int(block[1].sum()), block[1] + 1)


def failing() -> Callable[[int], int]:
    raise CorpusError("no function")


def short_of_descriptors(left: int) -> Callable[[int], int]:
    """Made in a process that may open only so many more."""
    opened = os.dup(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + left, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    os.close(opened)
    return lambda number: number


def dying(at: int) -> Callable[[int], int]:
    def die(number: int) -> int:
        if number >= at:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return die


def ending(stop: int) -> Iterator[int]:
    yield from range(stop)
    os.kill(os.getpid(), signal.SIGKILL)


def sleeping(seconds: float) -> Callable[[int], int]:
    def sleep(number: int) -> int:
        time.sleep(seconds)
        return number

    return sleep


def keeping(path: str, size: int, wrong: int = -1) -> Callable[[int], Later]:
    """A head as large as wanted, and an array that is written into a file where the reply says."""

    def keep(number: int) -> Later:
        def finish(reply: tuple[int, np.ndarray]) -> None:
            if number == wrong:
                raise CorpusError(f"{number} cannot be kept")
            place, more = reply
            with open(path, "r+b") as file:
                file.seek(8 * place)
                file.write(np.int64(number + int(more.sum())).tobytes())

        return Later((number, np.zeros(size, np.uint8)), finish)

    return keep
