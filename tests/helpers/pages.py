"""Pages as a reader follows them: their blocks of code in order, in one folder, by one shell and one Python.

=============  =====================================================================================================
``console``    ``$ command``: runs, and prints what the page shows (standard output)
``python``     with ``>>>``: runs, and shows what the page shows; without: runs
``sh``         is not run, since it is long or needs another machine: each command of ours in it parses
``toml``       parses; a study's is checked as the study checks it
``json``       parses
others         text, and other programs' files: :data:`SHOWN`
=============  =====================================================================================================

A comment ``<!-- varies: why -->`` before a block: it runs, and what it prints may have other figures than the page.
"""

import doctest
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.testing import CliRunner

from analysis.cli import main as analysis_main
from analysis.config import Config
from analysis.settings import settings_from
from suffixindex.cli.main import main

ROOT = Path(__file__).parents[2]


def load(path: Path) -> Any:
    """A file of Python outside of all packages as a module, as mkdocs loads its hooks."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made_pages = load(ROOT / "docs" / "pages.py")
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md"))]
SHOWN = {"text", "nginx", "dockerfile", "bibtex"}
BLOCK = re.compile(r"^(?:<!-- varies: ([^>]+) -->\n)?```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
PROGRAMS: dict[str, click.Command] = {
    "suffixindex": main,
    "python -m analysis": analysis_main,
    "suffixindex-analysis": analysis_main,
}
OPERATORS = set("();<>|&")
SHELL = set("|><;$&*#")
"""What only a shell understands, comments too."""


class Block(NamedTuple):
    line: int
    kind: str
    content: str
    varies: bool


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield Block(text.count("\n", 0, found.start(3)), found[2], found[3], found[1] is not None)


class Reader:
    """Follows one page in the current folder."""

    def __init__(self, page: Path, names: dict[str, Any], environment: dict[str, str]) -> None:
        self.page, self.names, self.environment = page, names, environment

    def follow(self, block: Block) -> None:
        at = f"{self.page.relative_to(ROOT)}, line {block.line}"
        match block.kind:
            case "console":
                self._console(block, at)
            case "python":
                self._python(block, at)
            case "sh":
                for command in commands_of(block.content):
                    check_command(command, at)
            case "toml":
                table = tomllib.loads(block.content)
                if "study" in table:
                    settings_from(Config, table, at)
            case "json":
                json.loads(block.content)
            case kind:
                assert kind in SHOWN, f"{at}: a block of {kind or 'no kind'}: expected one of those of tests/helpers/pages.py"

    def _console(self, block: Block, at: str) -> None:
        for part in re.split(r"^\$ ", block.content, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command = f"{command[:-1]}{more}"
            printed = self._run(command, at)
            if block.varies:
                assert keys(printed) == keys(expected), (at, command, printed)
            else:
                assert printed == expected, (at, command)

    def _run(self, command: str, at: str) -> str:
        if command.startswith("suffixindex ") and not SHELL & set(command):
            done = CliRunner().invoke(main, shlex.split(command)[1:])
            assert done.exit_code == 0, (at, command, done.stderr, done.exception)
            return done.stdout
        run = subprocess.run(["sh", "-c", command], env=self.environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, (at, command, run.stderr)
        return run.stdout

    def _python(self, block: Block, at: str) -> None:
        if ">>>" not in block.content:
            exec(compile(block.content, at, "exec"), self.names)
            return
        failures: list[str] = []
        test = doctest.DocTestParser().get_doctest(block.content, self.names, at, str(self.page), block.line)
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        runner.run(test, out=failures.append, clear_globs=False)
        self.names.update(test.globs)
        assert block.varies or runner.summarize(verbose=False).failed == 0, "".join(failures)
        assert "Traceback" not in "".join(failures), "".join(failures)


def keys(printed: str) -> list[str]:
    """Of JSON lines, the names in the first; of a table, its header."""
    first = printed.partition("\n")[0]
    return list(json.loads(first)) if first.startswith("{") else first.split()


def commands_of(script: str) -> Iterator[list[str]]:
    """The words of each command of a script that is ours, without comments, redirections and what runs it elsewhere."""
    for line in script.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        for is_operator, some in groupby(words, lambda word: bool(set(word) <= OPERATORS)):
            command = list(some)
            place = next((place for place in range(len(command)) if program_of(command[place:])), None)
            if not is_operator and place is not None:
                yield command[place:]


def program_of(words: list[str]) -> str | None:
    """Which program of ours a command begins with."""
    line = " ".join(words)
    return next((name for name in (*PROGRAMS, "make") if f"{line} ".startswith(f"{name} ")), None)


def check_command(words: list[str], at: str) -> None:
    """Whether a command of ours parses: its name, its options, their values."""
    program = program_of(words)
    assert program is not None
    rest = words[len(program.split()) :]
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = [word for word in rest if "=" not in word]
        assert all(re.search(rf"^{re.escape(target)}:", makefile, re.M) for target in targets), (at, words)
    else:
        parse(PROGRAMS[program], program, rest, f"{at}: {' '.join(words)}")


def parse(group: click.Command, name: str, words: list[str], at: str) -> None:
    """As click would read the words, without the questions whether files are there."""
    assert isinstance(group, click.Group)
    with click.Context(group, info_name=name) as context:
        _, command, rest = group.resolve_command(context, words)
        assert command is not None, at
        if {"-h", "--help"} & set(rest):
            return
        options, _, _ = command.make_parser(click.Context(command, info_name=words[0], parent=context)).parse_args(rest)
    for parameter in command.params:
        value = options.get(parameter.name or "")
        assert value or not parameter.required, (at, parameter.name)
        if isinstance(parameter.type, (click.IntRange, click.Choice)) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)


def table_rows(page: Path) -> Iterator[tuple[list[str], list[str]]]:
    """(expressions of Python, names of commands) of each row of the page's tables that has any."""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            code = re.findall(r"`([^`]+)`", line)
            expressions = [part for part in code if re.match(r"(index|si)\.[\w.]+[(\[]", part)]
            names = [found[1] for part in code if (found := re.match(r"suffixindex (\w+)", part))]
            if expressions or names:
                yield expressions, names
