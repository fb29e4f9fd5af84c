"""Processes that are killed at a chosen moment."""

import os
import signal
from collections.abc import Callable


def killed_at(step: int, what: Callable[[], object]) -> bool:
    """Do something in a process that dies at its ``step``-th change to the disk; whether it died."""
    child = os.fork()
    if not child:
        left = step

        def count_down(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **options: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            return call

        for name in ("link", "mkdir", "rename", "replace", "unlink", "rmdir"):
            setattr(os, name, count_down(getattr(os, name)))
        try:
            what()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
