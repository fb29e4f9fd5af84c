"""What an index costs: bytes a token, seconds by phase, peak memory, and what a question costs.

    python -m benchmarks.scaling [CORPUS…] [--tokenizers words,bytes,tokenizer.json] [--repeats 3]

Without a corpus, of this Python's standard library. Builds each index in a process of its own, so that its peak memory is
its own, checks counts against the text, and writes ``results/scaling.json`` and the tables of the pages.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import suffixindex as si
from benchmarks.tables import ROOT, insert, machine, markdown, save
from suffixindex.cli.demo import standard_library


def measure(corpus: list[str], tokenizer: str, folder: Path, repeats: int) -> dict[str, Any]:
    """Build ``repeats`` times, median of each phase; then ask the last index."""
    seconds: list[dict[str, float]] = []
    for _ in range(repeats):
        command = [sys.executable, "-m", "suffixindex", "build", *corpus, "-o", str(folder), "-t", tokenizer, "--restart"]
        subprocess.run([*command, "--on-error", "skip"], check=True, capture_output=True)
        provenance = json.loads((folder / "provenance.json").read_text())
        seconds.append(provenance["seconds"])
    with si.open(folder) as index:
        row = {
            "tokenizer": tokenizer if tokenizer in ("words", "bytes") else Path(tokenizer).stem,
            "text_bytes": provenance["text_bytes"],
            "tokens": index.num_tokens,
            "token_type": index.manifest.token_type,
            "bytes_per_token": index.manifest.num_bytes / index.num_tokens,
            "array_bytes_per_token": index.dtype.itemsize + 4,
            "seconds": {phase: statistics.median(run[phase] for run in seconds) for phase in seconds[0]},
            "peak_memory": provenance["peak_memory_bytes"],
        }
        row |= ask(index)
    row["shell_seconds"] = min(_shell(folder) for _ in range(5))
    return row


def _shell(folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "suffixindex", "count", str(folder), "the"], check=True, capture_output=True)
    return time.perf_counter() - started


def ask(index: si.SuffixIndex) -> dict[str, float]:
    """Microseconds of one count, and of one of many; every sampled n-gram must be found where it was taken."""
    rng = np.random.default_rng(0)
    shard = index.shards[0]
    starts = rng.integers(0, shard.length - 8, 100_000)
    lengths = rng.integers(1, 9, len(starts))
    ngrams = [shard.tokens[start : start + length].tolist() for start, length in zip(starts, lengths, strict=True)]
    ngrams = [ngram for ngram in ngrams if index.separator not in ngram]
    counts = index.counts(ngrams)
    assert (counts > 0).all()
    started = time.perf_counter()
    assert (index.counts(ngrams) == counts).all()
    bulk = (time.perf_counter() - started) / len(ngrams)
    assert [index.count(ngram) for ngram in ngrams[:2000]] == counts[:2000].tolist()  # the kernel is loaded
    started = time.perf_counter()
    for ngram in ngrams[:2000]:
        index.count(ngram)
    return {"count_us": (time.perf_counter() - started) / 2000 * 1e6, "counts_us": bulk * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*")
    parser.add_argument("--tokenizers", default="words,bytes")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    corpus = options.corpus or standard_library()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(corpus, name, Path(folder) / "index", options.repeats) for name in options.tokenizers.split(",")]
    save("scaling", {"rows": rows})
    header = ["tokenizer", "text", "tokens", "bytes a token: arrays, all files", "encode", "sort, a token", "peak memory"]
    header += ["`count`", "`counts`, each", "one question from the shell"]
    cells = [
        [
            f"{row['tokenizer']} ({row['token_type']})",
            f"{row['text_bytes'] / 1e6:.0f} MB",
            f"{row['tokens'] / 1e6:.1f} M",
            f"{row['array_bytes_per_token']}, {row['bytes_per_token']:.1f}",
            f"{row['text_bytes'] / 1e6 / row['seconds']['encode']:.0f} MB/s",
            f"{row['seconds']['sort'] / row['tokens'] * 1e9:.0f} ns",
            f"{row['peak_memory'] / 2**20:.0f} MiB",
            f"{row['count_us']:.0f} µs",
            f"{row['counts_us']:.2f} µs",
            f"{row['shell_seconds']:.2f} s",
        ]
        for row in rows
    ]
    here = machine()
    note = f"Measured on {here['processor']}, {here['cores']} cores, by `make bench`; medians of {options.repeats} builds."
    insert(ROOT / "docs" / "explanations" / "scaling.md", "scaling", f"{markdown(header, cells)}\n\n{note}")


if __name__ == "__main__":
    main()
