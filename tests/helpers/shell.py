"""Commands run as a user does, in this process or in one of their own; and the corpus that they are tried on."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from suffixindex.cli.main import main
from tests.helpers import building

RECORDS = [
    {"text": "To be, or not to be: that is the question.", "play": "Hamlet"},
    {"text": "A man's a man for a' that.", "poet": "Burns"},
    {"text": "", "poet": None},
    {"text": "That is that; the question ∞ is moot.", "n": [1, 2]},
    {"text": "to be to be to be", "year": 1999},
]
NUM_BYTES = sum(len(record["text"].encode()) for record in RECORDS)
NUM_WORDS = sum(len(re.findall(r"\w+", record["text"])) for record in RECORDS)


def run(*arguments: str, stdin: str | bytes | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments), input=stdin)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def rows(*arguments: str, stdin: str | None = None) -> list[dict[str, Any]]:
    """Run, and read the JSON lines; nothing is said beside them."""
    result = run(*arguments, stdin=stdin)
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def sentence(*arguments: str, stdin: str | bytes | None = None, code: int = 1) -> str:
    """Run to an error: nothing on standard output, one sentence on standard error."""
    result = run(*arguments, stdin=stdin, code=code)
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    return result.stderr


def process(*arguments: str, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "suffixindex", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, **options)


def with_byte_level_tokens(folder: Path, engine: str) -> str:
    """An index of a sentence by a tiny byte-level tokenizer."""
    tokenizer = building.write_tokenizer(folder, "the cat sat on the mat", size=300)
    (folder / "a.txt").write_text("the cat sat on the other mat")
    arguments = ["build", str(folder / "a.txt"), "-t", str(tokenizer), "-o", str(folder / engine)]
    run(*arguments, "--tokenizer-engine", engine)
    return str(folder / engine)
