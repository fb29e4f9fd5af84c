"""``python -m tests.fuzz --seconds N [--target NAME] [--seed S] [--inputs N]``: exit 1 if there was a find."""

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from queue import Empty, Queue
from threading import Thread

from tests.fuzz.targets import NEEDS, TARGETS

HANGS = 120.0  # seconds after which an input counts as one that never ends
STARTS = 600.0  # seconds in which a child makes its seeds and compiles


@dataclass
class Tried:
    """What became of a target's inputs."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    finds: list[tuple[int, str, str]] = field(default_factory=list)
    """(seed, what happened, where)"""


class Child:
    """One child process, whose lines are read by a thread so that a hang is noticed."""

    def __init__(self, target: str, seed: int) -> None:
        command = [sys.executable, "-m", "tests.fuzz.child", target, str(seed), "1"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._lines: Queue[list[str] | None] = Queue()
        self._said: list[str] = []
        Thread(target=self._read, daemon=True).start()
        Thread(target=self._listen, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said = [*self._said[-20:], line]

    def line(self, seconds: float) -> list[str] | None:
        """What the child says next; None if it died.

        Raises
        ------
        Empty
            It says nothing.
        """
        return self._lines.get(timeout=seconds)

    def go_on(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("next\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def end(self) -> str:
        """Stop it; how it ended."""
        self._process.kill()
        return f"exit status {self._process.wait()}\n{''.join(self._said)}"

    def stop(self) -> None:
        """Let it remove its folder, and wait."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STARTS)


def fuzz(target: str, first: int, seconds: float, inputs: int | None = None) -> Tried:
    """Try inputs of a target for some seconds, or so many, from a seed on."""
    tried = Tried()
    seed, until = first, None
    while (until is None or time.monotonic() < until) and (inputs is None or seed < first + inputs):
        child = Child(target, seed)
        try:
            ready = child.line(STARTS)
        except Empty:
            ready = None
        if ready is None:
            tried.finds.append((seed, "the seeds cannot be made", child.end()))
            return tried
        until = until or time.monotonic() + seconds
        while time.monotonic() < until and (inputs is None or seed < first + inputs):
            child.go_on()
            try:
                child.line(STARTS)
                ended = child.line(HANGS)
            except Empty:
                tried.finds.append((seed, f"no end after {HANGS:.0f} s", child.end()))
                seed += 1
                break
            seed += 1
            if ended is None:
                tried.finds.append((seed - 1, "the process died", child.end()))
                break
            if ended[0] == "find":
                tried.finds.append((seed - 1, ended[1], ended[2]))
            tried.outcomes[ended[2] if ended[0] == "ended" else "", ended[1] if ended[0] == "ended" else "find"] += 1
        else:
            child.stop()
    return tried


def table(tried: dict[str, Tried]) -> str:
    """Inputs by target, part and outcome."""
    rows = [("target", "damaged", "outcome", "inputs")]
    for name, of_target in tried.items():
        rows += [(name, part, outcome, f"{count:,}") for (part, outcome), count in sorted(of_target.outcomes.items())]
        rows.append((name, "all", f"{len(of_target.finds)} finds", f"{of_target.outcomes.total():,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what users and disks hand over.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, all targets together")
    parser.add_argument("--inputs", type=int, help="how many of each target, at most")
    parser.add_argument("--target", choices=TARGETS, action="append", help="one of the targets; all by default")
    parser.add_argument("--seed", type=int, help="the first seed; drawn by default")
    said = parser.parse_args()
    names = [name for name in said.target or TARGETS if importlib.util.find_spec(NEEDS.get(name, "json"))]
    first = random.SystemRandom().randrange(2**31) if said.seed is None else said.seed
    tried = {name: fuzz(name, first, said.seconds / len(names), said.inputs) for name in names}
    print(f"seeds from {first}")
    print(table(tried))
    for name, of_target in tried.items():
        for seed, what, where in of_target.finds:
            print(f"\n{what}\n{where}\npython -m tests.fuzz --target {name} --inputs 1 --seed {seed}")
    return int(any(of_target.finds for of_target in tried.values()))


if __name__ == "__main__":
    sys.exit(main())
