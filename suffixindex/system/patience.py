"""How much a process does without compiled code before it loads it, which takes the better part of a second.

A command that asks one question, and the first questions of a session, are answered sooner by NumPy and Python. What they take is
added up: when it comes to what loading takes, at worst twice the time has gone by, and all that follows is compiled.
"""

import sys

SECONDS = 0.4
"""Of processor time: Numba, and the first kernel that it loads."""


class _Patience:
    left = SECONDS * 1e9

    @staticmethod
    def has_compiled() -> bool:
        return "numba" in sys.modules


def few_enough(number: int, few: int, nanoseconds: int) -> bool:
    """Whether so many things, of so many nanoseconds each without compiled code, are to be done without.

    Those that are ``few`` always are: a kernel's call takes as long.
    """
    return number <= few or patient(number * nanoseconds)


def patient(nanoseconds: int) -> bool:
    """Whether a process that has loaded no compiled code does without for so long, which is added up."""
    if not can_wait(nanoseconds):
        return False
    _Patience.left -= nanoseconds
    return True


def can_wait(nanoseconds: int) -> bool:
    """Whether it would be :func:`patient` for so long."""
    return not _Patience.has_compiled() and nanoseconds <= _Patience.left
