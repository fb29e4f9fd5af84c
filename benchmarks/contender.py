"""One suffix sort of one token file, in a process of its own: ``python contender.py NAME TOKENS THREADS``.

Prints ``ready`` after imports and compilation, sorts, and prints the seconds as JSON. Runs in any environment that holds the
named engine and NumPy; it imports nothing else of this project, so that a peer's environment needs nothing of it.
"""

import json
import os
import shutil
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np

CHECKED_PAIRS = 2000
CHECKED_TOKENS = 32_768  # infini-gram compares 100,000 bytes of two suffixes, no more


def ours(path: Path, tokens: np.ndarray, threads: int):
    from suffixindex.suffix_sort.check import check_suffix_array
    from suffixindex.suffix_sort.sort import suffix_array

    separator = int(np.iinfo(tokens.dtype).max)
    suffix_array(tokens[:100_000], separator=separator, threads=threads)  # compiles
    yield
    found = suffix_array(tokens, separator=separator, threads=threads)
    yield
    assert check_suffix_array(tokens, found, separator, threads) == -1
    yield


def divsufsort(path: Path, tokens: np.ndarray, threads: int):
    from pydivsufsort import divsufsort as sort

    yield
    found = sort(np.ascontiguousarray(tokens))
    yield
    check_pairs(tokens, found, lambda part: part.tolist())
    yield


def tokengrams(path: Path, tokens: np.ndarray, threads: int):
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    from tokengrams import MemmapIndex

    table = Path(tempfile.mkdtemp(dir=path.parent)) / "table.idx"
    yield
    MemmapIndex.build(str(path), str(table))
    yield
    check_pairs(tokens, np.memmap(table, np.uint64, "r"), lambda part: part.tolist())
    shutil.rmtree(table.parent)
    yield


def infinigram(path: Path, tokens: np.ndarray, threads: int):
    from infini_gram.indexing import build_sa

    folder = Path(tempfile.mkdtemp(dir=path.parent))
    os.link(path, folder / "tokenized.0")
    options = {"save_dir": str(folder), "temp_dir": str(folder), "worker_id": 0, "workers": 1, "shards": 1, "cpus": threads}
    yield
    build_sa(types.SimpleNamespace(**options, mem=16, token_width=tokens.itemsize))
    yield
    raw = np.fromfile(folder / "table.0", np.uint8).reshape(len(tokens), -1)
    found = sum(raw[:, byte].astype(np.int64) << (8 * byte) for byte in range(raw.shape[1])) // tokens.itemsize
    check_pairs(tokens, found, lambda part: part.tobytes())  # its order is that of bytes
    shutil.rmtree(folder)
    yield


def check_pairs(tokens, found, key) -> None:
    """Neighbours drawn at random must be in order, as far as ``CHECKED_TOKENS`` tell."""
    assert len(found) == len(tokens)
    for rank in np.random.default_rng(0).integers(0, len(found) - 1, CHECKED_PAIRS).tolist():
        first, second = int(found[rank]), int(found[rank + 1])
        length = 64
        while length < CHECKED_TOKENS and np.array_equal(tokens[first : first + length], tokens[second : second + length]):
            length *= 8
        assert key(tokens[first : first + length]) <= key(tokens[second : second + length]), (rank, first, second)


def main() -> None:
    name, path, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    tokens = np.memmap(path, {".u8": np.uint8, ".u16": np.uint16, ".u32": np.uint32}[path.suffix], "r")
    int(tokens[:: 4096 // tokens.itemsize].sum(dtype=np.int64))  # every page of the file is in memory
    steps = {"ours": ours, "divsufsort": divsufsort, "tokengrams": tokengrams, "infinigram": infinigram}[name](
        path, tokens, threads
    )
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # engines talk on standard output
    next(steps)
    print("ready", file=report, flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    next(steps)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds}), file=report, flush=True)
    sys.stdin.readline()
    next(steps)
    print("checked", file=report, flush=True)


if __name__ == "__main__":
    main()
