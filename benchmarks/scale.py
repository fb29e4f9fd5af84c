"""How cost grows with the corpus: 10 million, 100 million, a thousand million tokens; build, then every kind of question.

    python -m benchmarks.scale [CORPUS…] [--sizes 10M,100M,1G] [--tokenizer words] [--peers PYTHON] [--work FOLDER] [--keep]

The corpora are made of spans of 20 to 400 characters of real texts in random order, a made word before each, one of a million of
which some are much commoner: phrases are real, nothing long repeats, and there are rare words at any size. The texts are those of
CORPUS (JSON lines), or this Python's standard library. Each index is built by the command, then asked about n-grams of 1 to 3
tokens by how often they occur: warm, the best of some rounds in one process, and cold: the index's files leave the page cache and
a new process opens it (:mod:`benchmarks.cold`). A process that may use ``--limit`` bytes, page cache included (a memory group of
its own: Linux, root only), asks 10,000 mixed questions. PYTHON is the interpreter of an environment with ``infini-gram`` and
``tokengrams``, which answer from indexes of the same tokens and must count the same; they need a tokenizer of two bytes a token.

A thousand million tokens take half an hour and 12 GB in FOLDER; with ``--work`` all indexes stay there. Peers are asked up to
``--peers-most`` tokens: beyond, their builds take hours and much memory. Only with ``--keep`` results and tables are kept.
"""

import argparse
import gc
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import suffixindex as si
from benchmarks import queries
from benchmarks.cold import GROUPS, ask_cold, ask_within
from benchmarks.exactness import read_texts
from benchmarks.memory import made_texts, make_corpus
from benchmarks.tables import ROOT, insert, markdown, save
from suffixindex.cli.demo import standard_library
from suffixindex.cli.latency import draw_ngrams
from suffixindex.system.memory import parse_count, parse_size

SAMPLE_BYTES = 4 << 20  # of text, to see how many bytes a token has
MADE_WORDS = 10**6
SETS = 8  # values of the field that documents have
TEXT = 10_000  # tokens of a new text
DRAWN, BULK = 200_000, 100_000
ROUNDS, ROUND_SECONDS = 5, 1.0  # of a kind of question, and until no further round is begun
ASKED_UNDER_LIMIT = 2500  # n-grams, of each of which four things are asked

CLASSES: dict[str, Callable[[int], tuple[float, float]]] = {
    "1-20": lambda tokens: (1, 20),
    "1k-20k": lambda tokens: (1000, 20_000),
    ">20k": lambda tokens: (max(20_000, tokens / 2000), float("inf")),
}
"""Least and most occurrences of n-grams in so many tokens; those of the last are a share of all, so that they grow with these."""

KINDS = {
    "count": "index.count(ngram)",
    "count, where": "index.count(ngram, where={'set': 1})",
    "counts_by": "index.counts_by(ngram, 'set')",
    "next_distribution": "index.next_distribution(ngram)",
    "document_count": "index.document_count(ngram)",
    "documents, 3": "index.documents(ngram, limit=3)",
    "concordance, 3": "index.concordance(ngram, limit=3)",
    "cooccurrence with a rare one": "index.cooccurrence(ngram, rare)",
    "cooccurrence with a frequent one": "index.cooccurrence(ngram, frequent)",
    "cooccurrence within 16": "index.cooccurrence(ngram, frequent, window=16)",
    "count of a pattern": "index.count([*ngram, si.ANY, *frequent])",
    "next_distribution of a pattern": "index.next_distribution([*ngram, si.ANY])",
}
"""What is asked of an n-gram, beside one that is rare and one that is frequent."""


def texts_of(corpus: list[str]) -> list[str]:
    """What corpora are made of."""
    if corpus:
        return read_texts(corpus)
    return [Path(path).read_text(encoding="utf-8", errors="replace") for path in standard_library()]


def command(*arguments: str) -> float:
    """Run the command; its wall seconds."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "suffixindex", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"suffixindex {arguments[0]} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def build(texts: list[str], size: int, tokenizer: str, folder: Path) -> dict[str, Any]:
    """An index of about so many tokens in ``folder/index``; what it cost. The corpus is removed."""
    made = folder / "corpus"
    bytes_per_token = 0.0
    for wanted in (min(SAMPLE_BYTES, 4 * size), None):
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(folder / "index", ignore_errors=True)
        made.mkdir(parents=True)
        num_bytes = int(wanted or size * bytes_per_token)
        paths = make_corpus(made_texts(texts, MADE_WORDS), made, num_bytes, SETS)
        seconds = command("build", *paths, "-o", str(folder / "index"), "-t", tokenizer)
        with si.open(folder / "index") as index:
            info = index.info()
        bytes_per_token = num_bytes / info["num_tokens"]
    packed = sum(Path(path).stat().st_size for path in paths)
    shutil.rmtree(made)
    kept = {key: info[key] for key in ("num_documents", "num_tokens", "num_shards", "num_bytes", "token_type")}
    provenance = info["provenance"]
    phases = {phase: provenance["seconds"][phase] for phase in ("encode", "sort")}
    return {
        **kept,
        "text_bytes": num_bytes,
        "packed_bytes": packed,
        "seconds": seconds,
        "phases": phases,
        "peak_memory": provenance["peak_memory_bytes"],
        "verify_seconds": command("verify", str(folder / "index")),
    }


# ---- questions -----------------------------------------------------------------------------------------------------


def draw(index: si.SuffixIndex) -> tuple[list[list[int]], dict[str, list[list[int]]]]:
    """N-grams of the corpus, and those of each class."""
    drawn = [ngram.tolist() for ngram in draw_ngrams(index, DRAWN, 3, seed=0) if ngram[-1] != index.separator]
    counts = index.counts(drawn)
    classes: dict[str, list[list[int]]] = {}
    for name, bounds in CLASSES.items():
        least, most = bounds(index.num_tokens)
        found = {tuple(drawn[i]) for i in np.flatnonzero((counts >= least) & (counts <= most)).tolist()}
        classes[name] = [list(ngram) for ngram in sorted(found)]
        np.random.default_rng(0).shuffle(classes[name])
    return drawn, classes


def best(asked: list[Any], answer: Callable[[Any], object]) -> float:
    """Seconds a question, at best."""
    for one in asked:
        answer(one)
    rounds: list[float] = []
    while len(rounds) < ROUNDS and sum(rounds) < ROUND_SECONDS:
        started = time.perf_counter()
        for one in asked:
            answer(one)
        rounds.append(time.perf_counter() - started)
    return min(rounds) / len(asked)


def ask_warm(
    index: si.SuffixIndex, drawn: list[list[int]], classes: dict[str, list[list[int]]], text: np.ndarray, number: int
) -> Iterator[tuple[str, str, float]]:
    """(question, class, seconds) of every kind, of so many n-grams each."""
    bulk = drawn[:BULK]
    assert (index.counts(bulk) == [index.count(ngram) for ngram in bulk[:1000]] + index.counts(bulk[1000:]).tolist()).all()
    yield "counts", "any", best([bulk], index.counts) / len(bulk)
    yield "document_counts", "any", best([bulk[:10_000]], index.document_counts) / len(bulk[:10_000])
    yield "score, a token", "any", best([text], index.score) / len(text)
    yield "matches, a token", "any", best([text], index.match) / len(text)
    for kind, expression in KINDS.items():
        for name, ngrams in classes.items():
            if ngrams:
                there = {"index": index, "si": si, **_beside(classes)}
                asked = eval(f"lambda ngram: {expression}", there)
                yield kind, name, best(ngrams[:number], asked)


def _beside(classes: dict[str, list[list[int]]]) -> dict[str, list[int]]:
    """What n-grams are asked about together with."""
    commonest = next((ngrams for ngrams in reversed(classes.values()) if ngrams), [[0]])
    return {"rare": next(iter(classes["1-20"]), [0]), "frequent": commonest[-1]}


def ask_all_cold(folder: Path, classes: dict[str, list[list[int]]], number: int) -> Iterator[tuple[str, str, float]]:
    """(question, class, median seconds) of processes that open an index of which nothing is in memory."""
    beside = "; ".join(f"{name} = {ngram}" for name, ngram in _beside(classes).items())
    for kind, expression in KINDS.items():
        for name, ngrams in classes.items():
            if ngrams and number:
                found = [ask_cold(folder, f"{beside}; {expression}", ngram, random=False)[1] for ngram in ngrams[:number]]
                yield kind, name, statistics.median(found)


def ask_under_limit(folder: Path, limit: str, drawn: list[list[int]]) -> dict[str, int] | None:
    """What a process under a limit took; None where there is to be none, or the system sets none for us."""
    if limit == "none" or not any((Path(root) / "cgroup.procs").exists() for root in GROUPS):
        return None
    try:
        return ask_within(folder, parse_size(limit), drawn[:ASKED_UNDER_LIMIT])
    except OSError as error:
        say(f"no limit could be set: {error}")
        return None


# ---- peers ---------------------------------------------------------------------------------------------------------


def ask_peers(
    index: si.SuffixIndex, drawn: list[list[int]], classes: dict[str, list[list[int]]], text: np.ndarray, folder: Path, python: str
) -> dict[str, dict[str, float]]:
    """Seconds a question by peer and kind; their counts are ours. Their indexes are removed."""
    if index.dtype != np.uint16:
        raise SystemExit(
            f"peers read two bytes a token, and ids of this index have {index.dtype.itemsize}: choose another --tokenizer"
        )
    frequent, rare = classes[">20k"][:6], classes["1-20"][:6]
    asked = {
        "single": drawn[:2000],
        "bulk": drawn[:BULK],
        "contexts": {name: ngrams[:20] for name, ngrams in classes.items()},
        "text": text.tolist(),
        "pairs": {"rare x frequent": list(zip(rare, frequent, strict=False))},
    }
    folder.mkdir()
    started = time.perf_counter()
    queries.prepare_peers(np.concatenate([shard.tokens for shard in index.shards]), folder, python)
    found: dict[str, dict[str, float]] = {"both": {"build": time.perf_counter() - started}}
    (folder / "questions.json").write_text(json.dumps(asked))
    counts = index.counts(drawn[:2000])
    for engine in queries.ENGINES[1:]:
        found[engine] = queries.ask(python, engine, folder)
        assert (np.load(folder / f"{engine}.npz")["count"] == counts).all(), engine
    shutil.rmtree(folder)
    return found


# ---- all of it -----------------------------------------------------------------------------------------------------


def measure(size: int, texts: list[str], options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Build and ask one index."""
    folder = work / f"{size}"
    found: dict[str, Any] = {"build": build(texts, size, options.tokenizer, folder)}
    say(f"{found['build']['num_tokens']:,} tokens built in {found['build']['seconds']:.1f} s")
    index = si.open(folder / "index")
    drawn, classes = draw(index)
    made = made_texts(texts, MADE_WORDS, seed=1)
    text = np.concatenate([index.encode(next(made)).astype(np.int64) for _ in range(20)])[:TEXT]
    found["occurrences"] = {name: float(np.median(index.counts(ngrams))) if ngrams else 0 for name, ngrams in classes.items()}
    found["warm"] = [[*row] for row in ask_warm(index, drawn, classes, text, options.questions)]
    say("asked warm")
    if options.peers and size <= parse_count(options.peers_most):
        found["peers"] = ask_peers(index, drawn, classes, text, folder / "peers", options.peers)
        say("asked the peers")
    index.close()
    del index
    gc.collect()  # its maps, else no page would leave the cache
    found["cold"] = [[*row] for row in ask_all_cold(folder / "index", classes, options.cold)]
    found["limited"] = ask_under_limit(folder / "index", options.limit, drawn)
    say("asked cold")
    if not options.work:
        shutil.rmtree(folder)
    return found


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def build_rows(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    rows = []
    for found in results.values():
        one = found["build"]
        rows.append(
            [
                f"{one['num_tokens']:,}",
                f"{one['num_documents']:,}",
                f"{one['num_shards']}",
                f"{one['text_bytes'] / 1e6:,.0f} MB",
                f"{one['num_bytes'] / 1e6:,.0f} MB",
                f"{one['seconds']:,.1f} s",
                f"{one['phases']['encode']:,.1f} s",
                f"{one['phases']['sort']:,.1f} s",
                f"{one['seconds'] / one['num_tokens'] * 1e9:,.0f} ns",
                f"{one['peak_memory'] / 2**20:,.0f} MiB",
                f"{one['verify_seconds']:,.1f} s",
            ]
        )
    return rows


def question_rows(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Of every kind and class, microseconds warm and milliseconds cold at each size, and how they grow."""
    warm = [{(kind, name): seconds for kind, name, seconds in found["warm"]} for found in results.values()]
    cold = [{(kind, name): seconds for kind, name, seconds in found["cold"]} for found in results.values()]
    rows = []
    for key in dict.fromkeys(key for one in warm for key in one):
        cells = []
        for times, unit in ((warm, 1e6), (cold, 1e3)):
            here = [one.get(key) for one in times]
            cells += ["–" if seconds is None else f"{seconds * unit:,.2f}" for seconds in here]
        first, last = warm[0].get(key), warm[-1].get(key)
        rows.append([key[0], key[1], *cells, f"{last / first:,.1f}" if first and last else "–"])
    return rows


def peer_rows(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    rows = []
    for engine in queries.ENGINES[1:]:
        of_sizes = [found.get("peers", {}).get(engine, {}) for found in results.values()]
        for kind in dict.fromkeys(kind for one in of_sizes for kind in one):
            times = [one.get(kind) for one in of_sizes]
            rows.append([f"{engine}: {kind}", *("–" if seconds is None else f"{seconds * 1e6:,.2f}" for seconds in times)])
    return rows


def report(results: dict[str, dict[str, Any]], options: argparse.Namespace) -> str:
    """The tables."""
    names = list(results)
    builds = ["tokens", "documents", "shards", "text", "index", "build", "encode", "sort", "a token", "peak memory", "verify"]
    asked = ["question", "n-grams", *(f"{name}, warm µs" for name in names), *(f"{name}, cold ms" for name in names), "warm, times"]
    parts = [markdown(builds, build_rows(results)), markdown(asked, question_rows(results))]
    if rows := peer_rows(results):
        parts.append(markdown(["µs a question of a peer, warm", *names], rows))
    limited = [
        f"{found['limited']['RssAnon'] / 2**20:,.0f} MiB of {name}"
        for name, found in results.items()
        if found["limited"] is not None
    ]
    often = ", ".join(f"{found['occurrences']['>20k']:,.0f}" for found in results.values())
    note = f"By `{Path(options.tokenizer).stem}`. N-grams by their occurrences; those of `>20k` have {often} in the middle."
    if limited:
        note += (
            f" A process that may use {options.limit}, page cache included, answered {4 * ASKED_UNDER_LIMIT:,} mixed questions; of "
            f"its own it had {', '.join(limited)}, the rest are pages that the system takes back."
        )
    return "\n\n".join([*parts, note])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*")
    parser.add_argument("--sizes", default="10M,100M,1G")
    parser.add_argument("--tokenizer", default="words")
    parser.add_argument("--peers")
    parser.add_argument("--peers-most", default="100M", help="tokens of the largest index that peers are asked beside")
    parser.add_argument("--questions", type=int, default=20, help="n-grams of each class, warm")
    parser.add_argument("--cold", type=int, default=3, help="n-grams of each class, cold")
    parser.add_argument("--limit", default="2GiB", help="of memory; none: no process is limited")
    parser.add_argument("--work", help="where indexes are made, and stay")
    parser.add_argument("--keep", action="store_true", help="write results/scale.json and the tables of benchmarks/README.md")
    options = parser.parse_args()
    texts = texts_of(options.corpus)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(options.work or temporary).absolute()
        results = {name: measure(parse_count(name), texts, options, work) for name in options.sizes.split(",")}
    tables = report(results, options)
    print(tables)
    if options.keep:
        save("scale", {"tokenizer": Path(options.tokenizer).stem, "limit": options.limit, "sizes": results})
        insert(ROOT / "benchmarks" / "README.md", "scale", tables)


if __name__ == "__main__":
    main()
