"""The suffix sort of a GPU: checked and timed, with the CPU's beside it in the same run.

    python -m benchmarks.gpu [--tokens FILE.u16] [--sizes 10M,100M,1G] [--device cuda] [--rows FILE.json]
    python -m benchmarks.gpu --insert FILE.json     # rows -> benchmarks/results/gpu.json and the table of the page

Without FILE.u16 the text is that of the source files on this machine, cut into words. Where a size exceeds the text, ``natural`` is
``spliced``: spans of 8 tokens on average, from anywhere in it. ``mosaic`` is made of spans of 64 tokens on average of a text a
quarter as long, or of all there is. In ``repeated``, 30 % of the documents stand twice. Bytes (u8), wide ids (u32) and one token
over and over (``equal``) are checked too; ``starved`` gives the device less than it said was free, ``long`` has positions of more
than 31 bits.

Every array is checked on the device in linear time, and up to ``--cpu`` tokens it must equal the CPU's. Seconds are medians. Rows
are written as they come; after ``--limit`` seconds no row is begun.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from benchmarks.tables import ROOT, insert, machine, markdown, save
from suffixindex.gpu_sort.keys import blocks, wide
from suffixindex.gpu_sort.plan import Plan
from suffixindex.gpu_sort.sort import TORCH_TYPES, Timed, sort_on_device

SUFFIXES = {".py", ".pyi", ".h", ".hpp", ".cuh", ".c", ".cc", ".cpp", ".md", ".rst", ".txt", ".js", ".html"}
SEPARATOR = {1: 2**8 - 1, 2: 2**16 - 1, 4: 2**32 - 1}
VOCABULARY, RARE = 60_000, 5_534  # rare words share ids: the largest is 65,533
LONGEST_WORD = 7
STEP = 1 << 25


# ---- texts -------------------------------------------------------------------------------------------------------


def source_bytes(limit: int, seconds: float) -> np.ndarray:
    """Text files of this machine, each once and followed by the byte 255, which no UTF-8 text has."""
    roots = [
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        "/usr/include",
        "/usr/local/cuda",
        "/usr/lib/python3",
        "/opt",
        "/usr/share",
    ]
    started, seen, parts, total = time.perf_counter(), set(), [], 0
    for path in (Path(folder) / name for root in roots for folder, _, names in os.walk(root) for name in sorted(names)):
        if path.suffix not in SUFFIXES or path.is_symlink():
            continue
        try:
            content = path.read_bytes()[: 8 << 20]
        except OSError:
            continue
        if content and hash(content) not in seen:
            seen.add(hash(content))
            parts.append(content.replace(b"\xff", b" ") + b"\xff")
            total += len(parts[-1])
        if total > limit or time.perf_counter() - started > seconds:
            break
    return np.frombuffer(b"".join(parts), np.uint8)


def words(text: np.ndarray, device: torch.device) -> np.ndarray:
    """Ids of words, white space and single other characters; a space belongs to the word after it. The commonest have the least."""
    known: Tensor | None = None
    parts = []
    for lo in range(0, len(text), STEP):
        values = _word_values(torch.from_numpy(text[lo : lo + STEP].copy()).to(device))
        if known is None:
            unique, counts = torch.unique(values, return_counts=True)
            known = unique[torch.argsort(counts, descending=True, stable=True)[:VOCABULARY]]
            known, rank = torch.sort(known)
        place = torch.searchsorted(known, values).clamp_(max=len(known) - 1)
        ids = torch.where(known[place] == values, rank[place], VOCABULARY + (values * 0x9E3779B1 >> 20) % RARE)
        ids[values == (1 << 56) + 255] = SEPARATOR[2]
        parts.append(ids.to(torch.int32).cpu().numpy().astype(np.uint16))
    return np.concatenate(parts)


def _word_values(data: Tensor) -> Tensor:
    """Each word's bytes and length in a number."""
    space = (data == 32) | (data == 10) | (data == 9) | (data == 13)
    letter = ((data | 32) >= 97) & ((data | 32) <= 122) | (data >= 48) & (data <= 57) | (data == 95) | (data >= 128) & (data != 255)
    kind = letter.to(torch.int8) + 2 * space.to(torch.int8)
    start = torch.ones(len(data), dtype=torch.bool, device=data.device)
    start[1:] = (kind[1:] != kind[:-1]) | (kind[1:] == 0)
    after_space = torch.nonzero(start[1:] & letter[1:] & (data[:-1] == 32)).squeeze(1)
    start[after_space + 1] = False
    start[after_space] = True
    places = torch.arange(len(data), device=data.device)
    begun = torch.cummax(torch.where(start, places, 0), 0).values
    begins = torch.nonzero((places - begun) % LONGEST_WORD == 0).squeeze(1)
    lengths = torch.diff(begins, append=begins.new_tensor([len(data)]))
    values = lengths << 56
    padded = torch.cat([data, data.new_zeros(LONGEST_WORD)])
    for place in range(LONGEST_WORD):
        values |= torch.where(place < lengths, padded[begins + place].long() << (8 * place), 0)
    return values


def assemble(source: Tensor, starts: Tensor, lengths: Tensor, size: int, dtype: Any) -> np.ndarray:
    """``size`` tokens of spans of ``source``, one after the other."""
    ends = torch.cumsum(lengths, 0)
    made = np.empty(size, dtype)
    edges = torch.searchsorted(ends, torch.arange(0, size + STEP, STEP, device=ends.device), right=True).tolist()
    for lo, (first, last) in zip(range(0, size, STEP), pairwise(edges), strict=False):
        spans = slice(first, min(last + 1, len(ends)))
        begin = ends[spans] - lengths[spans]
        index = torch.repeat_interleave(starts[spans] - begin, lengths[spans])
        index += torch.arange(len(index), device=index.device) + begin[0]
        hi = min(lo + STEP, size)
        part = source[index[lo - int(begin[0]) : hi - int(begin[0])]]
        made[lo:hi] = part.cpu().numpy().view(dtype)
    return made


def spans(source: Tensor, size: int, mean: int, dtype: Any) -> np.ndarray:
    """Spans of ``mean`` tokens on average, from anywhere."""
    torch.manual_seed(0)
    count = int(size / mean * 1.05) + 1000
    lengths = (torch.log(1 - torch.rand(count, device=source.device)) / np.log(1 - 1 / mean)).long() + 1
    starts = (torch.rand(count, device=source.device, dtype=torch.float64) * (len(source) - lengths).clamp_(min=1)).long()
    return assemble(source, starts, lengths.clamp_(max=len(source) - 1), size, dtype)


def natural(source: Tensor, size: int, dtype: Any) -> tuple[str, np.ndarray]:
    if size <= len(source):
        return "natural", source[:size].cpu().numpy().view(dtype)
    return "spliced", spans(source, size, 8, dtype)


def repeated(source: Tensor, size: int, dtype: Any) -> np.ndarray:
    """30 % of the documents twice, all in another order."""
    base = torch.from_numpy(natural(source, int(size * 0.8), dtype)[1].view(f"i{np.dtype(dtype).itemsize}")).to(source.device)
    ends = torch.nonzero(base == -1).squeeze(1) + 1
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    torch.manual_seed(0)
    order = torch.randperm(len(ends), device=source.device)
    order = torch.cat([order, order[: int(0.3 * len(order))]])
    order = order[torch.randperm(len(order), device=source.device)]
    lengths = (ends - starts)[order]
    return assemble(base, starts[order], lengths, min(size, int(lengths.sum())), dtype)


def texts(
    given: np.ndarray, raw: np.ndarray, sizes: list[int], device: torch.device
) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """(kind, tokens, how to run it) of every row, the sizes ascending; the last token is a separator."""
    held = torch.from_numpy(given.view(np.int16)).to(device)
    for size in sizes:
        yield *natural(held, size, np.uint16), {}
        yield "mosaic", spans(held[: size // 4], size, 64, np.uint16), {}
        yield "repeated", repeated(held, size, np.uint16), {}
        if size == sizes[min(1, len(sizes) - 1)]:
            yield "mosaic, starved", spans(held[: size // 4], size, 64, np.uint16), {"bytes_per_token": 45, "repeats": 1}
        if size == sizes[0]:
            few = Plan(max(1, size // 20), max(1, size // 50))
            yield "mosaic, 20 pieces", spans(held[: size // 4], size, 64, np.uint16), {"plan": few}
            yield "equal", np.zeros(size, np.uint16), {"repeats": 1}
            yield "equal, 20 pieces", np.zeros(size, np.uint16), {"plan": few, "repeats": 1}
            yield "natural u8", raw[:size].copy(), {}
            wider = np.where(given[:size] == SEPARATOR[2], SEPARATOR[4], given[:size].astype(np.uint32) * 3)
            yield "natural u32", wider.astype(np.uint32), {}


def long_text(raw: np.ndarray, size: int, device: torch.device) -> np.ndarray:
    return spans(torch.from_numpy(raw.copy()).to(device), size, 64, np.uint8)


# ---- checks and times --------------------------------------------------------------------------------------------


def first_disorder(tokens: np.ndarray, suffix_array: np.ndarray, separator: int, device: torch.device) -> int:
    """The first rank that is seen to be wrong, or -1: a permutation, and each suffix follows that of the rank before (linear)."""
    size = len(tokens)
    array = torch.from_numpy(suffix_array.view(np.int32)).to(device)
    rank = torch.full((size + 1,), 0, dtype=torch.int32, device=device)  # counted from 1: the end of the text has 0
    for lo, hi in blocks(size, STEP):
        rank[wide(array[lo:hi]).clamp_(max=size - 1)] = torch.arange(lo + 1, hi + 1, device=device).to(torch.int32)
    rank[size] = 0
    for lo, hi in blocks(size, STEP):
        wrong = wide(rank[wide(array[lo:hi]).clamp_(max=size - 1)]) != torch.arange(lo + 1, hi + 1, device=device)
        if bool(wrong.any()):
            return lo + int(torch.nonzero(wrong)[0])
    width = tokens.itemsize
    text = torch.from_numpy(tokens.view({1: np.uint8, 2: np.int16, 4: np.int32}[width])).to(device, TORCH_TYPES[width])
    for lo, hi in blocks(size - 1, STEP):
        before, after = wide(array[lo:hi]), wide(array[lo + 1 : hi + 1])
        mask = (1 << 8 * width) - 1
        first, second = text[before].long() & mask, text[after].long() & mask
        rest = wide(rank[before + 1]) < wide(rank[after + 1])
        rest = torch.where(first == separator, before < after, rest)
        ordered = (first < second) | ((first == second) & rest)
        if not bool(ordered.all()):
            return lo + 1 + int(torch.nonzero(~ordered)[0])
    return -1


def no_cpu() -> Any:
    raise SystemExit("the device had too little memory")


class Warnings(logging.Handler):
    """Keeps the log's warnings: each is a smaller piece."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def measure(
    kind: str, tokens: np.ndarray, device: torch.device, how: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """Sort ``repeats`` times, check the last array, sort on the CPU where that is quick."""
    separator = SEPARATOR[tokens.itemsize]
    tokens[-1] = separator
    size = len(tokens)
    told: list[Timed] = []
    wall: list[float] = []
    warned = Warnings()
    logging.getLogger("suffixindex").addHandler(warned)
    starved = "bytes_per_token" in how and device.type == "cuda"
    if starved:
        allowed = torch.cuda.memory_allocated(device) + how["bytes_per_token"] * size
        share = allowed / torch.cuda.mem_get_info(device)[1]
        torch.cuda.set_per_process_memory_fraction(min(1.0, share), device)
    found = np.empty(size, np.uint32)
    for _ in range(how.get("repeats", options.repeats)):
        found[:] = 0
        started = time.perf_counter()
        sort_on_device(tokens, separator, device, no_cpu, plan=how.get("plan"), out=found, tell=told.append)
        wall.append(time.perf_counter() - started)
    if starved:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    logging.getLogger("suffixindex").removeHandler(warned)
    started = time.perf_counter()
    wrong = first_disorder(tokens, found, separator, device)
    checked = time.perf_counter() - started
    if wrong != -1:
        raise SystemExit(f"{kind}, {size:,} tokens: wrong at rank {wrong}")
    if device.type == "cuda":
        torch.cuda.empty_cache()
    last = told[-1]
    row = {
        "kind": kind,
        "tokens": size,
        "token_bytes": tokens.itemsize,
        "sort_seconds": statistics.median(one.sort_seconds for one in told),
        "all_sort_seconds": [one.sort_seconds for one in told],
        "wall_seconds": statistics.median(wall),
        "seconds": {step: statistics.median(one.seconds[step] for one in told) for step in last.seconds},
        "peak_bytes_per_token": last.peak_bytes / size,
        "piece": last.plan.piece,
        "rounds": last.rounds,
        "check_seconds": checked,
        "warnings": warned.messages,
        "cpu_seconds": None,
        "cpu_threads": options.threads,
    }
    if size <= options.cpu and "plan" not in how and "repeats" not in how:
        row |= on_cpu(tokens, separator, found, options.threads)
    return row


def on_cpu(tokens: np.ndarray, separator: int, found: np.ndarray, threads: int) -> dict[str, Any]:
    """The CPU's seconds, if it can run here; its array must be the same."""
    try:
        import suffixindex as si

        si.suffix_array(tokens[:100_000], separator=separator, threads=threads)
    except (ImportError, TypeError) as error:  # Numba is not there, or not for this NumPy
        return {"cpu_note": f"not run: {error}"}
    started = time.perf_counter()
    expected = si.suffix_array(tokens, separator=separator, threads=threads)
    seconds = time.perf_counter() - started
    if not np.array_equal(expected, found):
        raise SystemExit(f"differs from the CPU's array first at rank {int(np.flatnonzero(expected != found)[0])}")
    return {"cpu_seconds": seconds}


def compile_beside() -> list[subprocess.Popen[bytes]]:
    """Compile the CPU's kernels in other processes, into the cache on disk."""
    code = """
import numpy as np, suffixindex as si
tokens = (np.arange(300_000) % 251).astype(np.{0})
si.suffix_array(tokens, separator=2**{1} - 1, threads=2)
"""
    types = (("uint16", 16), ("uint8", 8), ("uint32", 32))
    return [subprocess.Popen([sys.executable, "-c", code.format(*one)], stderr=subprocess.DEVNULL, cwd=ROOT) for one in types]


def start_seconds(device: torch.device) -> float:
    """What a process's first sort takes beyond its second: importing torch, starting the device, loading its code."""
    code = f"""
import time
started = time.perf_counter()
import numpy as np, torch
from suffixindex.gpu_sort.sort import sort_on_device
tokens = (np.arange(100_000) % 251).astype(np.uint16)
def sort():
    sort_on_device(tokens, 2**16 - 1, torch.device({str(device)!r}), lambda: None)
    return time.perf_counter()
first = sort()
print(first - started - (sort() - first))
"""
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT).stdout)


def break_even(results: dict[str, Any]) -> float | None:
    """Tokens from which a GPU is faster, its start included: by the longest natural text that the CPU sorted too."""
    rows = [row for row in results["rows"] if row["cpu_seconds"] and row["kind"] in ("natural", "spliced")]
    start = results["machine"].get("start_seconds")
    if not rows or start is None:
        return None
    row = max(rows, key=lambda row: row["tokens"])
    saved = (row["cpu_seconds"] - row["wall_seconds"]) / row["tokens"]
    return start / saved if saved > 0 else None


def copy_bandwidth(device: torch.device) -> float:
    """Bytes read and written a second, of a large copy on the device."""
    source = torch.empty(1 << 31, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    target.copy_(source)
    torch.cuda.synchronize(device)
    started = time.perf_counter()
    for _ in range(20):
        target.copy_(source)
    torch.cuda.synchronize(device)
    return 20 * 2 * source.numel() / (time.perf_counter() - started)


def on_machine(device: torch.device) -> dict[str, Any]:
    resident = psutil.Process().memory_info().rss
    facts: dict[str, Any] = {**machine(), "torch": torch.__version__, "device": str(device), "start_seconds": start_seconds(device)}
    if device.type == "cuda":
        torch.cuda.init()
        torch.zeros(1, device=device)
        facts["start_host_bytes"] = psutil.Process().memory_info().rss - resident
        facts["device"] = torch.cuda.get_device_name(device)
        facts["free_bytes"] = torch.cuda.mem_get_info(device)[0]
        facts["copy_bytes_per_second"] = copy_bandwidth(device)
        torch.cuda.empty_cache()
    facts["host_bytes"] = psutil.Process().memory_info().rss
    return facts


# ---- report ------------------------------------------------------------------------------------------------------


def table(rows: list[dict[str, Any]]) -> str:
    header = [
        "kind",
        "tokens",
        "sort: s (ns a token)",
        "upload, download: s",
        "ties of all rounds a token",
        "device bytes a token",
        "CPU: s",
    ]
    lines = [
        [
            row["kind"],
            f"{row['tokens'] / 1e6:,.0f} M",
            f"{row['sort_seconds']:.3f} ({row['sort_seconds'] / row['tokens'] * 1e9:.2f})",
            f"{row['seconds']['upload']:.2f}, {row['seconds']['download']:.2f}",
            f"{sum(row['rounds']) / row['tokens']:.2f} in {len(row['rounds'])}",
            f"{row['peak_bytes_per_token']:.1f}",
            f"{row['cpu_seconds']:.2f}" if row["cpu_seconds"] else "–",
        ]
        for row in rows
    ]
    return markdown(header, lines)


def publish(path: Path) -> None:
    results = json.loads(path.read_text())
    here = results.pop("machine")
    save("gpu", {"measured_on": here, **results})
    cpu = f"{results['threads']} threads of {here['processor']}"
    note = f"One {here['device']}, torch {here['torch']}; the CPU's seconds are those of {cpu} in the same run."
    if worth := break_even({"machine": here, **results}):
        note += f" Started in {here['start_seconds']:.1f} s: worth it from {worth / 1e6:,.0f} M tokens on."
    insert(ROOT / "benchmarks" / "README.md", "gpu", f"{table(results['rows'])}\n\n{note}")


def count(text: str) -> int:
    return int(float(text.rstrip("MG")) * {"M": 1e6, "G": 1e9}.get(text[-1], 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, help="raw u16 ids, 65535 after each document")
    parser.add_argument("--sizes", default="10M,100M,1G")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=Path, default=Path("gpu.json"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cpu", type=count, default="100M", help="largest text that the CPU sorts too")
    parser.add_argument(
        "--long", type=count, default="0", help="tokens of one more text, of bytes: 2200M has positions past 31 bits"
    )
    parser.add_argument("--text-bytes", type=count, default="1200M", help="read of this machine's files at most")
    parser.add_argument("--limit", type=float, default=270, help="seconds after which no row is begun")
    parser.add_argument("--insert", type=Path, help="rows to publish; nothing is measured")
    options = parser.parse_args()
    if options.insert:
        return publish(options.insert)
    started = time.perf_counter()
    compiling = compile_beside()
    device = torch.device(options.device)
    results: dict[str, Any] = {"machine": on_machine(device), "threads": options.threads, "repeats": options.repeats, "rows": []}
    raw = source_bytes(options.text_bytes, 40)
    given = np.fromfile(options.tokens, np.uint16) if options.tokens else words(raw, device)
    results["text"] = {"bytes": len(raw), "tokens": len(given), "documents": int(np.count_nonzero(given == SEPARATOR[2]))}
    say(started, f"text: {results['text']}; machine: {results['machine']}")
    sort_on_device(given[:1_000_000], SEPARATOR[2], device, no_cpu)  # loads the device's code
    for process in compiling:
        process.wait()
    say(started, "compiled")

    def one(kind: str, make: Callable[[], np.ndarray], how: dict[str, Any]) -> None:
        tokens = make()
        say(started, f"{kind} of {len(tokens):,} is made")
        results["rows"].append(measure(kind, tokens, device, how, options))
        options.rows.write_text(json.dumps(results, indent=1) + "\n")
        say(started, json.dumps(results["rows"][-1]))

    for kind, tokens, how in texts(given, raw, list(map(count, options.sizes.split(","))), device):
        if time.perf_counter() - started > options.limit:
            say(started, f"no time for {kind} of {len(tokens):,}")
            break
        one(kind, lambda tokens=tokens: tokens, how)
    if options.long and time.perf_counter() - started < options.limit:
        one("long u8", lambda: long_text(raw, options.long, device), {"repeats": 1})
    print(table(results["rows"]))
    if worth := break_even(results):
        print(f"worth its start of {results['machine']['start_seconds']:.1f} s from {worth / 1e6:,.1f} M tokens on")
    return None


def say(started: float, message: str) -> None:
    print(f"{time.perf_counter() - started:6.1f} s  {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
