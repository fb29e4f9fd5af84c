"""Does ``--memory`` hold? Builds a corpus many times the budget's shard and watches the whole process tree.

    python -m benchmarks.memory CORPUS… [--size 2GB] [--memory 2GiB] [--tokenizer words|bytes|tokenizer.json] [--folder DIR]

The corpus is made of spans of 20 to 400 characters drawn from the texts of CORPUS (JSON lines), so that its words and phrases are
real and nothing long repeats. The index is verified in full.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import zstandard

from benchmarks.build import resident
from benchmarks.exactness import read_texts
from benchmarks.tables import RESULTS, ROOT, insert, save
from suffixindex.system.memory import parse_size

DOCUMENT_SPANS = 20


def made_texts(texts: list[str], words: int = 0, seed: int = 0) -> Iterator[str]:
    """Texts of spans drawn from these, without end; with ``words``, one of so many made words before each, some much commoner."""
    whole = "\n".join(texts)
    rng = np.random.default_rng(seed)
    while True:
        starts = rng.integers(0, len(whole) - 400, DOCUMENT_SPANS * 1000).tolist()
        lengths = rng.integers(20, 400, len(starts)).tolist()
        spans = [whole[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        if words:
            numbers = (words ** rng.random(len(spans))).astype(np.int64).tolist()
            spans = [f"w{number} {span}" for number, span in zip(numbers, spans, strict=True)]
        for first in range(0, len(spans), DOCUMENT_SPANS):
            yield " ".join(spans[first : first + DOCUMENT_SPANS])


def make_corpus(made: Iterator[str], folder: Path, size: int, sets: int = 0) -> list[str]:
    """Files of about 256 MB of text each, ``size`` bytes in all; with ``sets``, each document is of one of so many."""
    paths: list[str] = []
    written = 0
    while written < size:
        paths.append(str(folder / f"made.{len(paths):02d}.jsonl.zst"))
        with open(paths[-1], "wb") as raw, zstandard.ZstdCompressor(level=1, threads=-1).stream_writer(raw) as file:
            limit = min(size, written + (256 << 20))
            while written < limit:
                text = next(made)
                record: dict[str, object] = {"text": text}
                if sets:
                    record["set"] = written % sets
                file.write(json.dumps(record).encode() + b"\n")
                written += len(text.encode())
    return paths


def sentence() -> str:
    """What the builds that were measured took, for the main page."""
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("memory-*.json"))]
    builds = [
        f"{one['num_tokens'] / 1e6:,.0f} M tokens by `{one['tokenizer']}` in {one['num_shards']} shards under "
        f"`--memory {one['budget'] / 2**30:.3g}GiB`: {one['peak'] / 2**30:.2f} GiB"
        for one in found
    ]
    return f"Measured peaks of the whole process tree, 2 GB of text each: {'; '.join(builds)}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--size", default="2GB")
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--tokenizer", default="words")
    parser.add_argument("--folder")
    options = parser.parse_args()
    budget = parse_size(options.memory)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        paths = make_corpus(made_texts(read_texts(options.corpus)), folder, parse_size(options.size))
        command = [sys.executable, "-m", "suffixindex", "build", *paths, "-o", str(folder / "index")]
        process = subprocess.Popen([*command, "-t", options.tokenizer, "--memory", options.memory])
        watched = psutil.Process(process.pid)
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(watched))
            time.sleep(0.02)
        assert process.returncode == 0
        info = json.loads(
            subprocess.run(
                [sys.executable, "-m", "suffixindex", "info", str(folder / "index")], check=True, capture_output=True
            ).stdout
        )
        subprocess.run([sys.executable, "-m", "suffixindex", "verify", str(folder / "index"), "--full"], check=True)
    kept = {key: info[key] for key in ("num_documents", "num_tokens", "num_shards", "num_bytes", "token_type")}
    results = {"budget": budget, "peak": peak, "share": peak / budget, "tokenizer": Path(options.tokenizer).stem, **kept}
    results["seconds"] = info["provenance"]["seconds"]
    save(f"memory-{results['tokenizer']}", results)
    print(json.dumps(results))
    insert(ROOT / "docs" / "explanations" / "scaling.md", "memory", sentence())
    if peak > 1.1 * budget:
        raise SystemExit(f"the build took {peak / budget:.2f} times its budget")


if __name__ == "__main__":
    main()
