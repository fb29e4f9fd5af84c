"""What processes are given to do in tests, which find it by its name."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from suffixindex.errors import CorpusError


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
