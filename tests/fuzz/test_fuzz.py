"""A short run of each target, and that the runner notices a crash, a hang, and what is no error of ours."""

import ctypes
import importlib.util
import time
from pathlib import Path
from unittest import mock

import pytest

from tests.fuzz import __main__ as runner
from tests.fuzz.targets import NEEDS, TARGETS, Find, Target
from tests.helpers.building import COMPILED

INPUTS = 5 if COMPILED else 2


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("name", TARGETS)
def test_inputs_end_in_an_answer_or_in_one_of_our_errors(tmp_path: Path, name: str) -> None:
    if not importlib.util.find_spec(NEEDS.get(name, "json")):
        pytest.skip(f"{NEEDS[name]} is not installed")
    target = TARGETS[name](tmp_path)
    for seed in range(INPUTS):
        target.attempt(seed)


class Faulty(Target):
    """Every third input is a fault."""

    def attempt(self, seed: int) -> tuple[str, str]:
        if seed == 2:
            raise Find("found")
        if seed == 5:
            ctypes.string_at(0)  # a segmentation fault
        if seed == 8:
            time.sleep(1000)
        return "answered", "nothing"


def test_the_runner_notices_what_a_child_does_not_survive() -> None:
    with mock.patch.object(runner, "HANGS", 2.0):
        tried = runner.fuzz("tests.fuzz.test_fuzz:Faulty", 0, 600, inputs=11)
    assert [(seed, what) for seed, what, _ in tried.finds] == [(2, "Find: found"), (5, "the process died"), (8, "no end after 2 s")]
    assert tried.outcomes == {("nothing", "answered"): 8, ("", "find"): 1}
    assert "3 finds" in runner.table({"faulty": tried})
