"""What a fresh process reads from disk for one question, and whether an index larger than memory answers.

    python -m benchmarks.cold INDEX [--questions 40] [--limit 256MiB]

Before every question the index's files leave the page cache and a new process opens it; after it, the pages of each file that are
in memory are counted (Linux: posix_fadvise, mincore). The system reads ahead of a page that is touched; with ``random`` they
are told not to, which shows how many pages a question itself touches. With ``--limit``, a process in a memory group of its own
(cgroup v1 or v2, root only) asks 1,000 questions of every kind.
"""

import argparse
import ctypes
import gc
import json
import mmap
import os
import statistics
import subprocess
import sys
from pathlib import Path

import suffixindex as si
from benchmarks.tables import ROOT, insert, markdown, save
from suffixindex.cli.latency import draw_ngrams
from suffixindex.system.memory import parse_size

PAGE = mmap.PAGESIZE
GROUPS = {"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"}
KINDS = {
    "count": "index.count(ngram)",
    "next_distribution": "index.next_distribution(ngram)",
    "documents": "index.documents(ngram, limit=3)",
}
ONE = """
import json, mmap, sys, time
import numpy as np
from suffixindex.storage import identity
import suffixindex as si
if {random}:
    def map_open_file(path, file, dtype):
        found = np.memmap(path, dtype=dtype, mode="r")
        found._mmap.madvise(mmap.MADV_RANDOM)
        return found.view(np.ndarray)
    identity.map_open_file = map_open_file
ngram = json.loads(sys.argv[2])
started = time.perf_counter()
index = si.open(sys.argv[1])
{question}
print(time.perf_counter() - started)
"""
MANY = """
import json, sys
import suffixindex as si
index = si.open(sys.argv[1])
ngrams = json.load(open(sys.argv[2]))
counts = index.counts(ngrams)
for ngram, count in zip(ngrams, counts.tolist(), strict=True):
    assert index.count(ngram) == count == index.next_distribution(ngram).context_count
    index.documents(ngram, limit=3)
    index.cooccurrence(ngram, ngrams[0])
index.scores(ngrams)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({key: int(status[key].split()[0]) * 1024 for key in ("VmHWM", "RssAnon")}))
"""


def evict(path: Path) -> None:
    """Let a file's pages go."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident_pages(path: Path) -> int:
    """Pages of a file that are in memory."""
    size = path.stat().st_size
    if not size:
        return 0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
        pages = (ctypes.c_ubyte * (-(-size // PAGE)))()
        start = ctypes.c_char.from_buffer(mapped)
        ctypes.CDLL(None, use_errno=True).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), pages)
        del start
        return sum(page & 1 for page in pages)


def ask_cold(index: Path, question: str, ngram: list[int], random: bool) -> tuple[dict[str, int], float]:
    """Pages in memory by file after one question of a new process, and its seconds without starting Python."""
    files = [path for path in index.rglob("*") if path.is_file() and path.stat().st_size > PAGE]
    for path in files:
        evict(path)
    code = ONE.format(question=question, random=random)
    command = [sys.executable, "-c", code, str(index), json.dumps(ngram)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return {path.name: resident_pages(path) for path in files}, float(printed)


def ask_within(index: Path, limit: int, ngrams: list[list[int]]) -> dict[str, int]:
    """Peak and anonymous memory of a process that may use ``limit`` bytes, page cache included, and asks of every kind."""
    root, name = next((Path(root), name) for root, name in GROUPS.items() if (Path(root) / "cgroup.procs").exists())
    group = root / "suffixindex-cold"
    group.mkdir(exist_ok=True)
    questions = index.parent / "questions-cold.json"
    questions.write_text(json.dumps(ngrams))
    try:
        (group / name).write_text(str(limit))
        command = f'echo $$ > {group}/cgroup.procs && exec "$0" -c "$1" "$2" "$3"'
        arguments = ["sh", "-c", command, sys.executable, MANY, str(index), str(questions)]
        return dict(json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=ROOT).stdout))
    finally:
        questions.unlink()
        group.rmdir()


def draw(index: Path) -> tuple[list[list[int]], int]:
    """What is asked, and the bytes of the index; its maps are gone after it, else no page would leave the cache."""
    opened = si.open(index)
    drawn = [ngram.tolist() for ngram in draw_ngrams(opened, 1100, 6, 0) if ngram[-1] != opened.separator]
    size = opened.manifest.num_bytes
    del opened
    gc.collect()
    return drawn, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--limit")
    options = parser.parse_args()
    index = options.index.absolute()
    ngrams, size = draw(index)
    results: dict[str, dict[str, float]] = {}
    for random in (True, False):
        for kind, question in KINDS.items():
            found = [ask_cold(index, question, ngram, random) for ngram in ngrams[: options.questions]]
            named = f"{kind}{', random' * random}"
            by_file = {name: statistics.median(pages[name] for pages, _ in found) for name in found[0][0]}
            results[named] = {"pages": statistics.median(sum(pages.values()) for pages, _ in found), **by_file}
            results[named]["milliseconds"] = 1000 * statistics.median(seconds for _, seconds in found)
    names = sorted({name for row in results.values() for name in row}, key=lambda name: (name != "pages", name))
    table = markdown(["question", *names], [[kind, *(f"{row[name]:,.0f}" for name in names)] for kind, row in results.items()])
    note = f"Medians of {options.questions} questions to an index of {size / 2**20:,.0f} MiB; pages of {PAGE:,} bytes."
    kept: dict[str, object] = {"index_bytes": size, "questions": options.questions, "pages": results}
    if options.limit:
        limit = parse_size(options.limit)
        kept["limited"] = {"limit": limit, **ask_within(index, limit, ngrams[:1000])}
        anonymous = kept["limited"]["RssAnon"] / 2**20  # type: ignore[index]
        note += (
            f" A process that may use {limit / 2**20:,.0f} MiB, page cache included, answered 1,000 questions of every kind: "
            f"{anonymous:,.0f} MiB of it were its own, the rest pages that the system takes back."
        )
    save("cold", kept)
    insert(ROOT / "benchmarks" / "README.md", "cold", f"{table}\n\n{note}")


if __name__ == "__main__":
    main()
