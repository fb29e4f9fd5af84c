"""The README and the documentation: their code runs and prints what they say, and every name and command has a page."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import suffixindex as si
from analysis.cli import main as analysis_main
from suffixindex.cli.main import main
from tests.helpers.pages import PAGES, ROOT, Reader, blocks, check_command, commands_of, made_pages, table_rows
from tests.helpers.shell import process

README = PAGES[0]
MADE = made_pages.made()
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One in which ``suffixindex`` is this checkout's command line."""
    command = tmp_path_factory.mktemp("bin") / "suffixindex"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m suffixindex "$@"\n')
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A folder after the README's first examples: ``corpus.jsonl`` and ``my-index``."""
    folder = tmp_path_factory.mktemp("start")
    first = next(block for block in blocks(README) if block.kind == "console")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Reader(README, {}, environment).follow(first)
    return folder


@pytest.fixture
def here(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(start, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "here"


@pytest.fixture
def names(here: Path) -> Iterator[dict[str, Any]]:
    with si.open("my-index") as index:
        yield {"si": si, "index": index, "__name__": "page"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_block_of_code_does_what_the_page_says(page: Path, names: dict[str, Any], environment: dict[str, str]) -> None:
    reader = Reader(page, names, environment)
    for block in blocks(page):
        if not (page == README and block.kind == "console"):  # those made the folder
            reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_tables_of_questions(page: Path, names: dict[str, Any]) -> None:
    """Every expression of a table runs, and every command of it exists."""
    for expressions, commands in table_rows(page):
        for expression in expressions:
            assert eval(expression, names) is not None, expression
        assert set(commands) <= set(main.commands), commands


def test_the_readme_has_the_first_steps() -> None:
    kinds = [block.kind for block in blocks(README)]
    assert kinds.index("sh") < kinds.index("console") < kinds.index("python")
    assert sum(1 for _ in table_rows(README)) >= 8
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 160, "what is longer has its page in docs/"


def test_every_public_name_has_a_page() -> None:
    for name in si.__all__:
        page = made_pages.page_of(name).partition("#")[0]
        text = MADE[f"reference/{page}"]
        own = getattr(getattr(si, name), "__name__", name)
        assert f"::: {own}" in text or f"::: {made_pages.full_name(si, name)}" in text, name
        assert f"[`{name}`](" in MADE["reference/index.md"]
        assert made_pages.about(name), f"{name} has no docstring"


def test_every_question_has_a_docstring_and_thereby_its_place() -> None:
    for name, value in vars(si.SuffixIndex).items():
        if not name.startswith("_"):
            assert made_pages.first_line(value), name


def test_every_command_has_a_page() -> None:
    """Made of what it prints for help; and some page says what it is for."""
    for page, group in (("reference/commands.md", main), ("study/commands.md", analysis_main)):
        for name in group.commands:
            assert f"\n## {name}\n\n```text\nUsage: " in MADE[page], name
    for name in main.commands:
        assert any(re.search(rf"suffixindex {name}\b|`{name}`", page.read_text(encoding="utf-8")) for page in PAGES), name


def test_every_page_is_in_the_menu() -> None:
    menu = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:")[1]))
    written = {path.relative_to(ROOT / "docs").as_posix() for path in PAGES[1:]} - {"examples/README.md"}
    assert menu == written | set(MADE)


@pytest.mark.parametrize("page", ["README.md", *sorted(set(made_pages.BESIDE_THE_CODE.values()) - {"README.md"})])
def test_links_of_pages_beside_the_code_lead_somewhere(page: str) -> None:
    """mkdocs checks those in ``docs/``."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http", "#")):
            assert ((ROOT / page).parent / link.partition("#")[0]).exists(), link


def test_demo(tmp_path: Path) -> None:
    run = process("demo", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert run.returncode == 0, run.stderr
    for shown in ("documents", "tokens", "bytes a token", "times in", "What follows", "Where does it say", "Which files hold both"):
        assert shown in run.stdout.decode()
    assert len(si.open(tmp_path / "demo-index").documents("deadlock", limit=3)) == 3


# ---- how pages are read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("suffixindex count INDEX 'a & b' > c  # d", ["suffixindex", "count", "INDEX", "a & b"]),
        ("pip install . && make demo", ["make", "demo"]),
        ("time FOO=1 suffixindex build a \\\n  -o b -t words &", ["suffixindex", "build", "a", "-o", "b", "-t", "words"]),
    ],
)
def test_commands_of_a_script(script: str, found: list[str]) -> None:
    assert list(commands_of(script)) == [found]


@pytest.mark.parametrize(
    "wrong",
    ["suffixindex cuont I", "suffixindex count I --bulk", "suffixindex build CORPUS -o x", "make demoo", "suffixindex next I -k 0"],
)
def test_a_command_that_is_none_is_found(wrong: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        check_command(wrong.split(), "here")
