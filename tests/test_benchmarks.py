"""The brute-force scan of the benchmarks, which shares no code with the package, agrees with it; a contender checks itself."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("tokenizer", ["words", "bytes"])
def test_exactness(tmp_path: Path, tokenizer: str) -> None:
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in (textwrap, subprocess, json)]
    texts = [paragraph for source in sources for paragraph in source.split("\n\n")]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.exactness", str(corpus), "--tokenizer", tokenizer, "--samples", "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 shard(s)" in done.stdout
    assert done.stdout.count("of 200 n-grams equal the scan") == 2


@pytest.mark.parametrize("name", ["ours", "divsufsort"])
def test_contenders(tmp_path: Path, name: str) -> None:
    tokens = np.random.default_rng(0).integers(0, 50, 20_000).astype(np.uint16)
    tokens[::100] = tokens[-1] = 0xFFFF
    tokens.tofile(tmp_path / "tokens.u16")
    command = [sys.executable, str(ROOT / "benchmarks" / "contender.py"), name, str(tmp_path / "tokens.u16"), "2"]
    done = subprocess.run(command, input="go\ncheck\n", cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ready, measured, checked = done.stdout.splitlines()
    assert (ready, checked) == ("ready", "checked")
    assert json.loads(measured)["seconds"] > 0


def test_encoding(tmp_path: Path) -> None:
    """Any number of processes gives the same ids."""
    command = [sys.executable, "-m", "benchmarks.encoding", "--megabytes", "0.05", "--kinds", "Thai", "--processes", "1,2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[:2] for line in done.stdout.splitlines()] == [["Thai", "bytes"], ["Thai", "words"]]


@pytest.mark.long
def test_scale() -> None:
    """Every kind of question is asked at every size."""
    options = ["--sizes", "20k,40k", "--questions", "2", "--cold", "0", "--limit", "none", "--tokenizer", "bytes"]
    command = [sys.executable, "-m", "benchmarks.scale", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "40k, warm µs" in done.stdout
    asked = {line.split(" | ")[0].removeprefix("| ") for line in done.stdout.splitlines() if line.startswith("| ")}
    assert {"counts", "count", "counts_by", "next_tokens", "cooccurrence within 16", "next_tokens of a pattern"} <= asked
