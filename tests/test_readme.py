"""The README's examples run and print what it says; its tables' code runs too."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import suffixindex as si
from suffixindex.cli.main import main

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A folder and an environment in which ``suffixindex`` is this checkout's command line."""
    folder = tmp_path_factory.mktemp("readme")
    command = folder / "bin" / "suffixindex"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m suffixindex "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(README.parent)}
    return folder, environment


@pytest.fixture(scope="module")
def console(shell):
    """Run the console blocks; (command, expected output, output) of each command."""
    folder, environment = shell
    results = []
    for block in (content for kind, content in BLOCK.findall(README.read_text(encoding="utf-8")) if kind == "console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            run = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert run.returncode == 0, (command, run.stderr)
            results.append((command, expected, run.stdout))
    return results


@pytest.fixture
def here(shell, console, monkeypatch):
    monkeypatch.chdir(shell[0])
    return shell[0]


def test_shell_examples_print_what_the_page_shows(console):
    assert len(console) >= 6
    for command, expected, printed in console:
        assert printed == expected, command


def test_python_examples(here):
    blocks = [content for kind, content in BLOCK.findall(README.read_text(encoding="utf-8")) if kind == "python"]
    assert len(blocks) >= 2
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README.md", str(README), 0)
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=failures.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(failures)


def test_query_table(here):
    """Every expression of the query table runs, and every command of it exists."""
    section = README.read_text(encoding="utf-8").split("\n## Queries\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) >= 14
    with si.open("my-index") as index:
        for python, command in rows:
            for expression in re.findall(r"`([^`]+)`", python):
                assert eval(expression, {"index": index, "si": si}) is not None, expression
            for name in re.findall(r"`suffixindex (\w+)", command):
                assert name in main.commands, name


def test_demo(shell):
    folder, environment = shell
    run = subprocess.run(["suffixindex", "demo"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for shown in ("documents", "tokens", "bytes a token", "times in", "What follows", "Where does it say", "Which files hold both"):
        assert shown in run.stdout
    assert len(si.open(folder / "demo-index").documents("deadlock", limit=3)) == 3
