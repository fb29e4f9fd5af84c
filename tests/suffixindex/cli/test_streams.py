"""The other end of a pipe: whatever it is, a command ends with one sentence and exit code 1, or says nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a shell and /dev/full")

QUESTIONS = ["count {} the", "docs {} the", "info {} --table", "count --help", "--help", "--version"]


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run ``suffixindex`` in a shell, redirections included."""
    command = line.replace("suffixindex", f"{sys.executable} -m suffixindex", 1)
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_output_that_is_full(words: str, question: str) -> None:
    done = shell(f"suffixindex {question.format(words)} > /dev/full")
    assert (done.returncode, done.stderr) == (1, "Error: standard output: No space left on device\n")


def test_an_output_that_is_closed(words: str) -> None:
    done = shell(f"suffixindex count {words} to >&-")
    assert (done.returncode, done.stderr) == (1, "Error: standard output is closed: there is nowhere to print the answer\n")


@pytest.mark.parametrize("question", ["count {} -", "count {} -f -", "cooccur {} -f -", "score {} -"])
def test_an_input_that_is_closed(words: str, question: str) -> None:
    done = shell(f"suffixindex {question.format(words)} <&-")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: standard input is closed: there is nothing to read from -\n"


def test_a_corpus_from_an_input_that_is_closed(tmp_path: Path) -> None:
    done = shell(f"suffixindex build - -o {tmp_path / 'index'} -t words <&-")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: standard input is closed: there is nothing to read from -\n"
    again = shell(f'echo \'{{"text": "a b"}}\' | suffixindex build - -o {tmp_path / "index"} -t words')
    assert again.returncode == 0, again.stderr


def test_errors_that_nobody_can_read(words: str, tmp_path: Path, corpus: Path) -> None:
    assert shell(f"suffixindex count {words} to 2>&-").returncode == 0
    assert shell("suffixindex count nowhere to 2>&-").returncode == 1
    assert shell(f"suffixindex build {corpus} -o {tmp_path / 'index'} -t words 2>&-").returncode == 0
    assert shell(f"suffixindex build {corpus} -o {tmp_path / 'more'} -t words 2>/dev/full").returncode in (0, 1)
    assert os.path.exists(tmp_path / "more" / "manifest.json")
