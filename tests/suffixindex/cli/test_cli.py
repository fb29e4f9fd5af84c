"""The command line: help, wrong usage, what goes to which stream, exit codes, and what is never loaded."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import suffixindex as si
from suffixindex.cli.main import main
from tests.helpers.shell import process, run, sentence

HEAVY = ("numba", "torch", "transformers", "pyarrow", "datasets", "tokenizers", "llvmlite")


# ---- help --------------------------------------------------------------------------------------------------------


def test_there_are_the_commands_that_these_files_test() -> None:
    queries = {"count", "next", "docs", "concordance", "cooccur", "top", "statistics", "duplicates"}
    queries |= {"infgram", "score", "spans", "bench"}
    making = {"check", "build", "append", "remove", "restore", "merge", "info", "verify", "deduplicate"}
    assert set(main.commands) == {"serve", "demo", "adopt", "export", *making, *queries}


def test_commands_are_listed_in_the_order_of_use_with_helps_that_are_whole() -> None:
    listed = run("--help").stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == list(main.commands)
    assert [*main.commands][:8] == "check build append remove restore merge info verify".split()
    assert [*main.commands][-4:] == ["export", "adopt", "bench", "demo"]
    assert all(line.endswith(".") and not line.endswith("..") for line in listed)


@pytest.mark.parametrize("name", main.commands)
def test_every_number_has_a_range(name: str) -> None:
    """What is beyond is wrong usage, whatever the number: no command takes a number that has no bound."""
    for option in main.commands[name].params:
        assert option.type not in (click.INT, click.FLOAT), option.name
        if isinstance(option.type, click.IntRange):
            assert option.type.min in (0, 1) and option.type.max is not None, option.name
            for number in (-1, 2**63, 10**20):
                with pytest.raises(click.BadParameter, match="is not in the range"):
                    option.type.convert(str(number), option, None)


@pytest.mark.parametrize("name", [None, *main.commands])
def test_help_shows_an_example_that_parses(name: str | None) -> None:
    text = run(*([name] if name else []), "--help").stdout
    assert text == run(*([name] if name else []), "-h").stdout
    assert "Example:" in text
    examples = [line.strip() for line in text.split("Example:")[1].splitlines() if line.startswith("    suffixindex ")]
    assert examples
    for example in examples:
        _, used, *arguments = shlex.split(example)
        if name:
            assert used == name
        with click.Context(main, info_name="suffixindex", **main.context_settings) as parent:
            main.commands[used].make_context(used, arguments, parent=parent)


@pytest.mark.parametrize("name", main.commands)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [option for option in main.commands[name].params if isinstance(option, click.Option)]
    assert all(option.help and option.help[-1] in ".]" for option in options)


def test_version() -> None:
    assert si.__version__ in run("--version").stdout


def test_wrong_usage_exits_with_2(words: str, corpus: Path) -> None:
    assert "No such command 'cuont'" in sentence("cuont", words, code=2)
    assert "Missing argument" in sentence("build", "-o", "x", "-t", "bytes", code=2)
    assert "--output" in sentence("build", str(corpus), "-t", "bytes", code=2)
    assert "--tokenizer" in sentence("build", str(corpus), "-o", "x", code=2)
    assert "No such option" in sentence("count", words, "--bulk", "x", code=2)
    assert "no n-gram given" in sentence("count", words, code=2)
    assert "not both" in sentence("count", words, "to be", "-f", str(corpus), code=2)
    assert "with --ids an n-gram is integers" in sentence("count", words, "--ids", "to be", code=2)
    assert "0 is not in the range" in sentence("next", words, "to", "-k", "0", code=2)
    assert "No such file" in sentence("count", words, "-f", "nowhere.jsonl", code=2)
    assert "xml" in sentence("build", str(corpus), "-o", "x", "-t", "bytes", "--input-format", "xml", code=2)
    assert "0 is not in the range" in sentence("build", str(corpus), "-o", "x", "-t", "bytes", "--threads", "0", code=2)


# ---- real processes ----------------------------------------------------------------------------------------------


def loaded_by(code: str) -> set[str]:
    """Heavy packages that a fresh interpreter has loaded after running code."""
    script = f"import sys\n{code}\nprint(*sorted({set(HEAVY)!r} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_loads_nothing_heavy() -> None:
    assert loaded_by("import suffixindex; suffixindex.SuffixIndex; suffixindex.open") == set()
    assert loaded_by("from suffixindex.kernels.text.words import renumber") >= {"numba"}


def test_help_loads_nothing_heavy() -> None:
    for arguments in (["--help"], ["build", "--help"], ["count", "--help"], ["--version"]):
        code = f"from suffixindex.cli.main import main\nassert main({arguments!r}, standalone_mode=False) == 0"
        assert loaded_by(code) == set(), arguments


def test_questions_of_one_ngram_load_no_compiler(words: str) -> None:
    for arguments in (
        ["count", words, "to be"],
        ["docs", words, "to be", "--text"],
        ["docs", words, "that", "--with", "question", "--window", "9"],
        ["concordance", words, "to be"],
        ["info", words],
    ):
        code = f"from suffixindex.cli.main import main\nmain({arguments!r}, standalone_mode=False)"
        assert loaded_by(code) == set(), arguments


def test_a_real_process_keeps_data_and_talk_apart(tmp_path: Path, corpus: Path) -> None:
    index = str(tmp_path / "index")
    done = process("build", str(corpus), "-o", index, "-t", "words")
    assert done.returncode == 0
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 2  # the report: no bar where there is no terminal
    assert b"\r" not in done.stderr
    done = process("count", index, "-", stdin=b"question\nto be\n", env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert [json.loads(line)["count"] for line in done.stdout.splitlines()] == [2, 5]
    assert done.stderr == b""
    done = process("count", str(tmp_path), "a")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Error: ")
    done = process("count", index)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Usage: suffixindex count")


def test_a_reader_that_stops_early_is_no_error_to_shout_about(tmp_path: Path, words: str) -> None:
    queries = tmp_path / "queries.txt"
    queries.write_text("to be\n" * 20_000)
    command = [sys.executable, "-m", "suffixindex", "count", words, "-"]
    with queries.open("rb") as file, subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        assert shell.stderr is not None
        assert json.loads(shell.stdout.readline())["count"] == 5
        shell.stdout.close()
        complaint = shell.stderr.read()
    assert complaint == b""
