"""Questions against the peers, on the same tokens in the same run.

    python -m benchmarks.queries --tokens FILE.u16 --peers PYTHON [--work FOLDER]

FILE holds raw token ids with the separator, 65535, after each document: ``shards/00000/tokens.u16`` of an index is such a file.
PYTHON is the interpreter of an environment with ``infini-gram``, ``tokengrams`` and NumPy. Every engine answers from its own
index of the same tokens, in a process of its own, in turn; answers are compared. The last 10,000 tokens are not indexed: they
are the new text that is scored. FOLDER keeps the indexes between runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import suffixindex as si
from benchmarks.tables import ROOT, insert, markdown, save

CONTENDER = Path(__file__).with_name("query_contender.py")
ENGINES = ("ours", "tokengrams", "infini-gram", "infini-gram, prefetching")
SEPARATOR = 65_535
TEXT = 10_000
BULK = 100_000
TABLE_NGRAMS, TABLE_PAIRS = 100_000, 1_000_000
CLASSES = {"1-20": (1, 20, 100), "21-1k": (21, 1000, 100), "1k-20k": (1000, 20_000, 60), ">20k": (20_000, 10**10, 20)}


def prepare(tokens: Path, work: Path, python: str) -> None:
    """Make the index of each engine, unless it is there."""
    from benchmarks.raw import write_raw_index

    ids = np.fromfile(tokens, np.uint16)
    ends = np.flatnonzero(ids == SEPARATOR)
    known = ids[: ends[np.searchsorted(ends, len(ids) - TEXT) - 1] + 1]
    text = ids[len(known) :]
    np.save(work / "text.npy", text[text != SEPARATOR][:TEXT])
    if not (work / "ours" / "manifest.json").exists():
        write_raw_index(work / "ours", known)
    prepare_peers(known, work, python)


def prepare_peers(known: np.ndarray, work: Path, python: str) -> None:
    """Make the index of each peer of the same tokens, a separator after each document, unless it is there."""
    if not (work / "tokengrams" / "table.idx").exists():
        (work / "tokengrams").mkdir(exist_ok=True)
        known.tofile(work / "tokengrams" / "text.u16")
        build = "import sys, tokengrams; tokengrams.MemmapIndex.build(*sys.argv[1:])"
        subprocess.run([python, "-c", build, *(str(work / "tokengrams" / name) for name in ("text.u16", "table.idx"))], check=True)
    if not (work / "infinigram" / "table.0").exists():
        folder = work / "infinigram"
        folder.mkdir(exist_ok=True)
        np.roll(known, 1).tofile(folder / "tokenized.0")  # its separators stand before documents
        ends = np.flatnonzero(known == SEPARATOR)
        np.append(0, 2 * ends[:-1] + 2).astype(np.uint64).tofile(folder / "offset.0")
        build = (
            "import sys, types; from infini_gram.indexing import build_sa; build_sa(types.SimpleNamespace("
            "save_dir=sys.argv[1], temp_dir=sys.argv[1], worker_id=0, workers=1, shards=1, cpus=2, mem=8, token_width=2))"
        )
        subprocess.run([python, "-c", build, str(folder)], check=True, stdout=subprocess.DEVNULL)


def questions(index: si.SuffixIndex, text: np.ndarray) -> dict[str, Any]:
    """What is asked, drawn from the corpus: 15 % of n-grams with another last token, 5 % of random ones."""
    rng = np.random.default_rng(0)
    (shard,) = index.shards
    vocabulary = 1 + int(shard.tokens[shard.tokens != SEPARATOR].max())

    def ngrams(number: int, longest: int) -> list[list[int]]:
        found: list[list[int]] = []
        while len(found) < number:
            start, length = int(rng.integers(0, shard.length - longest)), int(rng.integers(1, longest + 1))
            ngram = shard.tokens[start : start + length].tolist()
            luck = rng.random()
            if luck < 0.05:
                ngram = rng.integers(0, vocabulary, length).tolist()
            elif luck < 0.2:
                ngram[-1] = int(rng.integers(0, vocabulary))
            if SEPARATOR not in ngram:
                found.append(ngram)
        return found

    bulk = ngrams(BULK, 8)
    contexts: dict[str, list[list[int]]] = {name: [] for name in CLASSES}
    drawn = ngrams(400_000, 4)
    counts = index.counts(drawn)
    for name, (least, most, number) in CLASSES.items():
        contexts[name] = [drawn[i] for i in np.flatnonzero((counts >= least) & (counts <= most))[:number]]
    middle = [drawn[i] for i in np.flatnonzero((counts > 2000) & (counts < 3200))[:60]]
    frequent = [drawn[i] for i in np.flatnonzero((counts > 250_000) & (counts < 420_000))[:12]]
    rare = [drawn[i] for i in np.flatnonzero((counts > 1) & (counts < 30))[:60]]
    pairs = {
        "2.5k x 2.5k": list(zip(middle[::2], middle[1::2], strict=False)),
        "300k x 350k": list(zip(frequent[::2], frequent[1::2], strict=False)),
        "rare x 300k": list(zip(rare, frequent * 5, strict=False)),
    }
    few = [list(ngram) for ngram in sorted({tuple(drawn[i]) for i in np.flatnonzero(counts > 0)})]
    few = [few[i] for i in rng.choice(len(few), TABLE_NGRAMS, replace=False)]
    table = rng.integers(0, len(few), (TABLE_PAIRS, 2)).tolist()
    most = sorted(set(map(tuple, frequent)))
    return {
        "single": bulk[:2000],
        "bulk": bulk,
        "contexts": contexts,
        "text": text.tolist(),
        "pairs": pairs,
        "table": table,
        "table ngrams": few,
        "frequent": most,
    }


def ask(python: str, engine: str, work: Path) -> dict[str, float]:
    """Seconds a question of one engine, by kind."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT) if engine == "ours" else "", "HF_HUB_OFFLINE": "1"}
    command = [python, str(CONTENDER), engine, str(work)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{engine} failed:\n{done.stderr[-2000:]}")
    return {line["kind"]: line["seconds"] for line in map(json.loads, done.stdout.splitlines())}


def compare(work: Path) -> None:
    """The peers' counts and numbers of continuations are ours."""
    mine = np.load(work / "ours.npz")
    for engine in ENGINES[1:]:
        theirs = np.load(work / f"{engine}.npz")
        for kind in ("count", "counts", "next 1-20", "next 21-1k", "next 1k-20k"):
            found = theirs[kind]
            assert np.array_equal(found, mine[kind][: len(found)]), (engine, kind)


def rows(results: dict[str, dict[str, float]]) -> list[list[str]]:
    table = []
    for kind in results["ours"]:
        times = [results[engine].get(kind) for engine in ENGINES]
        peers = [seconds for seconds in times[1:] if seconds]
        table.append(
            [
                kind,
                *("–" if seconds is None else f"{seconds * 1e6:,.2f}" for seconds in times),
                f"{min(peers) / times[0]:,.1f}" if peers else "",
            ]
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(dir=options.tokens.parent))
    os.makedirs(work, exist_ok=True)
    prepare(options.tokens, work, options.peers)
    index = si.open(work / "ours")
    asked = questions(index, np.load(work / "text.npy"))
    (work / "questions.json").write_text(json.dumps(asked))
    results = {engine: ask(sys.executable if engine == "ours" else options.peers, engine, work) for engine in ENGINES}
    compare(work)
    occurrences = index.counts(asked["frequent"]).sum() / len(asked["frequent"])
    results["ours"]["document_count, 1000 occurrences"] = 1000 * results["ours"].pop("documents") / float(occurrences)
    save("queries", {"tokens": index.num_tokens, "seconds": results})
    header = ["µs a question", "suffixindex", *ENGINES[1:], "times faster"]
    note = f"{index.num_tokens:,} tokens in {index.num_documents:,} documents; medians of 7 rounds after a first."
    insert(ROOT / "benchmarks" / "README.md", "queries", f"{markdown(header, rows(results))}\n\n{note}")


if __name__ == "__main__":
    main()
