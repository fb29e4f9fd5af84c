"""Suffix sorting against the peers, on the same token files in the same run.

    python -m benchmarks.build --tokens FILE.u16 [--peers PYTHON] [--sizes 10M,100M] [--kinds natural,mosaic,…]

FILE holds raw token ids with the separator, the type's largest id, after each document: ``shards/00000/tokens.u16`` of an
index is such a file. PYTHON is the interpreter of an environment with ``infini-gram``, ``tokengrams``, ``pydivsufsort`` and NumPy.
Kinds and sizes that were measured before stay in the results.
Every contender sorts in a process of its own, in turn; time is from the loaded file to the finished table, memory is the peak of
the process tree above what it held before, the mapped tokens not counted. Every result is checked.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.tables import ROOT, insert, load, machine, markdown, save
from suffixindex.system.memory import parse_count

CONTENDER = Path(__file__).with_name("contender.py")
NAMES = {"ours": "suffixindex", "divsufsort": "pydivsufsort", "tokengrams": "tokengrams", "infinigram": "infini-gram"}
COMPARISON_SORTS = {"tokengrams", "infinigram"}
SPAN_TOKENS = 64
QUADRATIC_FOR_THEM = {"periodic", "equal", "copies"}


def make(kind: str, tokens: np.ndarray, size: int) -> np.ndarray:
    """``size`` tokens of a kind; real documents are kept whole up to the cut, and the last token is a separator."""
    separator = np.iinfo(tokens.dtype).max
    rng = np.random.default_rng(0)
    if kind == "natural":
        made = np.array(tokens[:size])
    elif kind == "repeated":
        made = repeat_documents(np.array(tokens[:size]), separator, rng)
    elif kind == "mosaic":
        made = cut_spans(np.array(tokens[: size // 4]), size, rng)
    elif kind == "zipf":
        ranks = np.minimum(rng.zipf(1.2, size), 50_000).astype(tokens.dtype)
        ranks[rng.random(size) < 1 / 800] = separator
        made = ranks
    elif kind == "periodic":
        made = np.resize(np.arange(1, 8, dtype=tokens.dtype), size)
    elif kind == "equal":
        made = np.ones(size, tokens.dtype)
    elif kind == "copies":  # one document 10,000 times
        document = np.append(tokens[: size // 10_000 - 1][tokens[: size // 10_000 - 1] != separator], separator)
        made = np.resize(document.astype(tokens.dtype), size)
    else:
        raise SystemExit(f"unknown kind {kind}")
    made[-1] = separator
    return made


def repeat_documents(tokens: np.ndarray, separator: int, rng: np.random.Generator) -> np.ndarray:
    """30 % of the documents stand twice, the second time somewhere else; as many others are left out."""
    ends = np.flatnonzero(tokens == separator) + 1
    documents = np.split(tokens, ends[:-1])
    order = rng.permutation(len(documents))
    twice = order[: int(0.3 * len(order))]
    kept = np.concatenate([twice, twice, order[2 * len(twice) :], order[len(twice) : 2 * len(twice)]])
    chosen: list[np.ndarray] = []
    length = 0
    for number in kept.tolist():
        chosen.append(documents[number])
        length += len(documents[number])
        if length >= len(tokens):
            break
    return np.concatenate([chosen[i] for i in rng.permutation(len(chosen))])


def cut_spans(tokens: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """``size`` tokens of spans cut from anywhere in ``tokens``, 64 long on average: crawled pages quote one another."""
    lengths = rng.geometric(1 / SPAN_TOKENS, size // SPAN_TOKENS + size // 1000 + 1000)
    lengths = np.minimum(lengths, len(tokens))
    ends = np.cumsum(lengths)
    starts = rng.integers(0, len(tokens) - lengths + 1)
    positions = np.arange(size) + np.repeat(starts - ends + lengths, lengths)[:size]
    return tokens[positions]


def run(python: str, name: str, path: Path, threads: int) -> dict[str, float]:
    """Seconds and peak bytes above the mapped tokens of one sort."""
    command = [python, str(CONTENDER), name, str(path), str(threads)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT) if name == "ours" else "", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert process.stdin and process.stdout
    if process.stdout.readline().strip() != "ready":
        raise SystemExit(f"{name} did not start: {' '.join(command)}")
    watched = psutil.Process(process.pid)
    before = resident(watched)
    peak = before
    finished = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not finished.wait(0.02):
            peak = max(peak, resident(watched))

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.stdin.write("go\n")
    process.stdin.flush()
    line = process.stdout.readline()
    finished.set()
    watcher.join()
    if not line:
        raise SystemExit(f"{name} failed: {' '.join(command)}")
    process.stdin.write("check\n")
    process.stdin.flush()
    if process.stdout.readline().strip() != "checked" or process.wait():
        raise SystemExit(f"the result of {name} on {path.name} is wrong")
    return {"seconds": json.loads(line)["seconds"], "peak_bytes": peak - before}


def resident(process: psutil.Process) -> int:
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", required=True, type=Path)
    parser.add_argument("--peers", help="interpreter of the peers' environment")
    parser.add_argument("--sizes", default="10M,100M")
    parser.add_argument("--kinds", default="natural,mosaic,repeated,zipf,periodic,equal,copies")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--engines", default=",".join(NAMES), help="of these, beside ours: the environment may lack the others")
    parser.add_argument("--name", default="build", help="of the results and of the table")
    options = parser.parse_args()
    tokens = np.memmap(options.tokens, np.uint16, "r")
    kept = load(options.name)
    rows = [{"processor": kept["machine"]["processor"], **row} for row in kept.get("rows", [])]
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds.split(","):
            for size in map(parse_count, options.sizes.split(",")):
                if size > len(tokens):
                    raise SystemExit(f"{options.tokens} has {len(tokens):,} tokens, fewer than {size:,}")
                path = Path(folder) / f"{kind}-{size}.u16"
                make(kind, tokens, size).tofile(path)
                measured = compare(path, kind, size, options)
                path.unlink()
                rows = [row for row in rows if (row["kind"], row["size"]) != (kind, size)] + measured
                save(options.name, {"threads": options.threads, "repeats": options.repeats, "rows": rows})
    header = ["kind", "tokens", *(f"{name}: s (ns/token), bytes/token" for name in NAMES.values())]
    runs = sorted({len(row["all_seconds"]) for row in rows})
    note = f"Medians of {' or '.join(map(str, runs))}; {options.threads} threads (pydivsufsort has one). {processors(rows)}"
    insert(ROOT / "benchmarks" / "README.md", options.name, f"{markdown(header, table(rows))}\n\n{note}")


def compare(path: Path, kind: str, size: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each contender: medians over the repeats, which take turns."""
    length = path.stat().st_size // 2
    pythons = {"ours": sys.executable}
    if options.peers:
        left_out = {"ours"} | (COMPARISON_SORTS if kind in QUADRATIC_FOR_THEM else set())
        pythons |= {name: options.peers for name in options.engines.split(",") if name not in left_out}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    for _ in range(options.repeats):
        for name, python in pythons.items():
            runs[name].append(run(python, name, path, options.threads))
            print(f"{kind} {length:,} {name}: {runs[name][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
    rows = []
    for name, measured in runs.items():
        seconds = statistics.median(one["seconds"] for one in measured)
        peak = max(one["peak_bytes"] for one in measured)
        every = [one["seconds"] for one in measured]
        row = {
            "processor": machine()["processor"],
            "kind": kind,
            "size": size,
            "tokens": length,
            "engine": name,
            "seconds": seconds,
            "all_seconds": every,
        }
        rows.append({**row, "peak_bytes_per_token": peak / length})
    return rows


def processors(rows: list[dict[str, Any]]) -> str:
    """What the kinds were measured on: rows compare within a machine."""
    kinds: dict[str, list[str]] = {}
    for row in rows:
        names = kinds.setdefault(row["processor"], [])
        if row["kind"] not in names:
            names.append(row["kind"])
    return "; ".join(f"{', '.join(names)} on {processor}" for processor, names in kinds.items()) + "."


def table(rows: list[dict[str, Any]]) -> list[list[str]]:
    lines: dict[tuple[str, int], dict[str, str]] = {}
    for row in rows:
        cell = f"{row['seconds']:.2f} ({row['seconds'] / row['tokens'] * 1e9:.0f}), {row['peak_bytes_per_token']:.1f}"
        lines.setdefault((row["kind"], row["size"]), {})[row["engine"]] = cell
    return [[kind, f"{size / 1e6:.0f} M", *(cells.get(name, "–") for name in NAMES)] for (kind, size), cells in lines.items()]


if __name__ == "__main__":
    main()
