"""Encoding: MB/s by kind of corpus, tokenizer and number of processes, and this process's share of the CPU time.

    python -m benchmarks.encoding [--tokenizer FILE] [--megabytes 32] [--processes 1,2,4] [--kinds books,code,…] [--keep]

Texts are made of what every machine has: this Python's own standard library and, for other scripts, made-up words of their
letters, as often as Zipf's law has them, without spaces. Read, parsed, encoded and written as a build does it, by N processes on N
cores; the start of processes, up to the first megabyte, is no part of it. Any number of processes must give the same ids. With a
tokenizer of the GPT-2 or GPT-NeoX kind, a second one is made of it that splits as Llama 3's does.
"""

import argparse
import json
import os
import random
import resource
import string
import sysconfig
import tempfile
import time
import zlib
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.tables import ROOT, insert, markdown, save
from suffixindex.building import team as team_settings
from suffixindex.building.encode import encode_corpus
from suffixindex.building.state import Counts
from suffixindex.building.team import Spread, Team
from suffixindex.building.writer import TokenWriter
from suffixindex.corpus.readers import RecordOptions
from suffixindex.corpus.sources import resolve
from suffixindex.storage.format import shard_folder
from suffixindex.system.pipeline import Pipeline
from suffixindex.tokenizers.encoders import choose_encoder

FIRST_BYTES = team_settings.LARGE_BATCH_BYTES
"""A batch here: rates are of what comes after the first."""
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Rate(NamedTuple):
    """What one run gave. Seconds are wall time after the first batch, of which the start of processes is no part."""

    mb_per_second: float
    own_share: float
    checksum: int


def source_text(size: int) -> str:
    root = Path(sysconfig.get_path("stdlib"))
    text, parts, length = "", [], 0
    for path in sorted(root.rglob("*.py")):
        if length < size and "site-packages" not in path.parts:
            part = path.read_text(encoding="utf-8", errors="replace")
            parts.append(part)
            length += len(part)
    text = "".join(parts)
    return (text * (size // max(len(text), 1) + 1))[:size]


def drawn(characters: str, size: int) -> str:
    """Characters in no order."""
    return "".join(random.Random(0).choices(characters, k=size))


def written(first: int, last: int, longest: int, marks: str, size: int) -> str:
    """Words of a script of up to ``longest`` characters, one after the other, and a mark at every tenth."""
    generator = random.Random(0)
    characters = [chr(code) for code in range(first, last)]
    generator.shuffle(characters)
    weights = [1 / (place + 3) for place in range(len(characters))]
    words = ["".join(generator.choices(characters, weights, k=generator.randint(1, longest))) for _ in range(20_000)]
    often = list(accumulate(1 / (place + 3) for place in range(len(words))))
    drawn_words = generator.choices(words, cum_weights=often, k=2 * size // (3 * (longest + 1)))
    return "".join(word + generator.choice(marks) if place % 10 == 9 else word for place, word in enumerate(drawn_words))


def chat(text: str) -> str:
    return "\n".join(f"<user{number % 97}> {line}" for number, line in enumerate(text.split("\n")))


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


CORES = sorted(os.sched_getaffinity(0))
KINDS: dict[str, Callable[[int], list[str]]] = {
    "short pages": lambda size: cut(" ".join(source_text(size).split()), 4000),
    "books": lambda size: cut(" ".join(source_text(size).split()), 800_000),
    "chat logs": lambda size: cut(chat(source_text(size)), 100_000),
    "code": lambda size: cut(source_text(size), 20_000),
    "old German print": lambda size: cut(" ".join(source_text(size).split()).replace("s", "ſ"), 800_000),
    "Chinese": lambda size: cut(written(0x4E00, 0x5E00, 3, "，。\n", size), 100_000),
    "Japanese": lambda size: cut(written(0x3041, 0x3097, 5, "、。漢字\n", size), 100_000),
    "Thai": lambda size: cut(written(0x0E01, 0x0E3B, 6, " \n", size), 100_000),
    "minified": lambda size: cut("".join(source_text(size).split()), 400_000),
    "base64": lambda size: cut(drawn(string.ascii_letters + string.digits + "+/", size), 100_000),
    "one line": lambda size: [source_text(2 * FIRST_BYTES), " ".join(source_text(size).split())],
}


def llama_like(tokenizer: str, folder: Path) -> str:
    pipeline = json.loads(Path(tokenizer).read_bytes())
    split = {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}
    last = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    pipeline["normalizer"] = None
    pipeline["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, last]}
    pipeline["added_tokens"] = [token for token in pipeline["added_tokens"] if not token["normalized"]]
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(pipeline), encoding="utf-8")
    return str(path)


def measure(corpus: Path, tokenizer: str, processes: int) -> Rate:
    """Encode a corpus once, with as many processes on as many cores; with one, by threads alone."""
    os.sched_setaffinity(0, CORES[:processes])
    sources = resolve(corpus)
    encoder = choose_encoder(tokenizer)
    encoder.encode([""])  # its engine is there
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder.begin(folder, 0)
        writer = TokenWriter(folder, encoder.token_type, 1 << 62, keep_metadata=True)
        started: list[tuple[float, int]] = []

        def progress(done: int, counts: Counts) -> None:
            if not started:
                started.append((time.perf_counter(), counts.text_bytes))

        own = time.process_time()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        team = Team(processes, Spread(processes, folder, None))
        counts = encode_corpus(sources, encoder, writer, RecordOptions(), Counts(), team, progress=progress)
        seconds = time.perf_counter() - started[0][0]
        own = time.process_time() - own
        writer.finish()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        checksum = zlib.crc32((shard_folder(folder, 0) / f"tokens.{encoder.token_type}").read_bytes())
    others = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = (counts.text_bytes - started[0][1]) / 1e6 / max(seconds, 1e-9)
    return Rate(rate, own / (own + others), checksum)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", help="a tokenizer.json")
    parser.add_argument("--megabytes", type=float, default=64.0)
    parser.add_argument("--processes", default=",".join(str(1 << power) for power in range(len(CORES).bit_length())))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--keep", action="store_true", help="put the figures into README.md and results/")
    arguments = parser.parse_args()
    team_settings.MUCH_BYTES = 0  # processes for little text too
    team_settings.BATCH_BYTES = FIRST_BYTES  # what processes take
    setattr(Pipeline, "ready", True)  # nor do threads begin  # noqa: B010
    numbers = [int(number) for number in arguments.processes.split(",")]
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizers = {"bytes": "bytes", "words": "words"}
        if arguments.tokenizer:
            tokenizers |= {"given": arguments.tokenizer, "Llama-like": llama_like(arguments.tokenizer, folder)}
        for kind in arguments.kinds.split(","):
            corpus = folder / "corpus.jsonl"
            with corpus.open("w", encoding="utf-8") as file:
                for text in KINDS[kind](int(arguments.megabytes * 1e6)):
                    file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
            for title, tokenizer in tokenizers.items():
                rates = [measure(corpus, tokenizer, number) for number in numbers]
                assert len({rate.checksum for rate in rates}) == 1, (kind, title)
                shown = [
                    f"{rate.mb_per_second:.1f}" + (f" ({rate.own_share:.0%})" if number > 1 else "")
                    for number, rate in zip(numbers, rates, strict=True)
                ]
                rows.append([kind, title, *shown])
                print(*rows[-1], sep="  ", flush=True)
    if arguments.keep:
        save("encoding", {"megabytes": arguments.megabytes, "processes": numbers, "rows": rows})
        header = ["corpus", "tokenizer", *("one core" if number == 1 else f"{number} cores" for number in numbers)]
        insert(ROOT / "benchmarks" / "README.md", "encoding", markdown(header, rows))


if __name__ == "__main__":
    main()
