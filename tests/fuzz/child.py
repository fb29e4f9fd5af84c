"""The process that may die: tries the inputs of one target, seed after seed, and says on standard output how each ends."""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from unittest import mock

from tests.fuzz.targets import TARGETS, Target


def main(target: str, first: int, step: int) -> None:
    """Try ``first``, ``first + step`` and so on, until standard input is closed or says ``stop``."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what others print is no outcome
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        tried = _target(target)(Path(folder))
        print(json.dumps(["ready"]), file=out)
        seed = first
        while sys.stdin.readline().strip() == "next":
            print(json.dumps(["seed", seed]), file=out)
            try:
                ended = ["ended", *tried.attempt(seed)]
            except BaseException as error:
                last = traceback.format_exc().strip().splitlines()
                ended = ["find", f"{type(error).__name__}: {error}", "\n".join(last[-14:])]
            print(json.dumps(ended), file=out)
            seed += step


def _target(name: str) -> Callable[[Path], Target]:
    """A target by its name, or as ``module:class``."""
    if name in TARGETS:
        return TARGETS[name]
    module, kind = name.split(":")
    made: Callable[[Path], Target] = getattr(import_module(module), kind)
    return made


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
