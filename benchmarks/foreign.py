"""Indexes that infini-gram and tokengrams built, opened here, and ours opened there: are the answers equal, and how fast.

    python -m benchmarks.foreign --peers PYTHON --tokenizer TOKENIZER CORPUS...

PYTHON is the interpreter of an environment with ``infini-gram``, ``tokengrams`` and NumPy. The suffix arrays are made by
infini-gram's own indexer: u16 and u8, versions 4 and 5, 1 and 12 shards. Its answers are compared with ours and, of some n-grams,
with a scan of all tokens. Writes ``results/foreign.json``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import suffixindex as si
from benchmarks.tables import ROOT, insert, markdown, save
from suffixindex.exporting import export

CONTENDER = Path(__file__).with_name("foreign_contender.py")
NGRAMS, SCANNED, BULK, ROUNDS = 2000, 60, 100_000, 7
WINDOWS = (10, 100, 1000)
DTYPES = {"u8": np.uint8, "u16": np.uint16}


def ask_peer(python: str, work: Path, **task: Any) -> Any:
    """Let the peer's environment do one task."""
    (work / "task.json").write_text(json.dumps(task))
    environment = {"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([python, str(CONTENDER), str(work)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task['do']} failed:\n{done.stderr[-2000:]}")
    return json.loads((work / "answers.json").read_text())


def documents_of(index: si.SuffixIndex, most: int) -> list[np.ndarray]:
    """Documents that hold ``most`` tokens together, from all over the corpus."""
    order = np.random.default_rng(0).permutation(index.num_documents)
    found: list[np.ndarray] = []
    size = 0
    for number in order.tolist():
        found.append(index.document(number).token_ids)
        size += len(found[-1])
        if size >= most:
            break
    return found


def write_tokenized(folder: Path, documents: list[np.ndarray], dtype: type, shards: int, version: int) -> None:
    """What infini-gram's first step writes: documents go round the shards."""
    folder.mkdir(parents=True)
    separator = np.array([np.iinfo(dtype).max], dtype)
    for shard in range(shards):
        mine = documents[shard::shards]
        parts = [part for document in mine for part in (separator, document[::-1] if version == 5 else document)]
        text = np.concatenate(parts).astype(dtype)
        text.tofile(folder / f"tokenized.{shard}")
        lengths = [len(document) + 1 for document in mine]
        np.cumsum([0, *lengths])[:-1].astype(np.uint64).__mul__(text.itemsize).tofile(folder / f"offset.{shard}")


def draw(documents: list[np.ndarray], number: int, longest: int, seed: int) -> list[list[int]]:
    """N-grams of the corpus, 15 % of them with another last token, and every document's end among their places."""
    rng = np.random.default_rng(seed)
    found: list[list[int]] = []
    lengths = np.array([len(document) for document in documents], float)
    for place in rng.choice(len(documents), number, p=lengths / lengths.sum()).tolist():
        document = documents[place]
        start, length = int(rng.integers(0, len(document))), int(rng.integers(1, longest + 1))
        ngram = document[start : start + length].tolist()
        if rng.random() < 0.15:
            ngram[-1] = int(rng.choice(documents[int(rng.integers(len(documents)))][:1].tolist() or [0]))
        found.append(ngram)
    return found


class Scan:
    """Brute force: every answer from a pass over all tokens."""

    def __init__(self, documents: list[np.ndarray], separator: int) -> None:
        self.separator = separator
        self.ends = np.cumsum([len(document) + 1 for document in documents])
        self.text = np.concatenate([np.append(document.astype(np.int64), separator) for document in documents])

    def starts(self, ngram: list[int]) -> np.ndarray:
        found = np.flatnonzero(self.text[: len(self.text) - len(ngram) + 1] == ngram[0])
        for place, token in enumerate(ngram[1:], 1):
            found = found[self.text[found + place] == token]
        return found

    def next_tokens(self, ngram: list[int]) -> dict[int, int]:
        ids, counts = np.unique(self.text[self.starts(ngram) + len(ngram)], return_counts=True)
        return dict(zip(ids.tolist(), counts.tolist(), strict=True))

    def documents(self, ngram: list[int]) -> np.ndarray:
        return np.unique(np.searchsorted(self.ends, self.starts(ngram), side="right"))

    def together(self, pair: tuple[list[int], list[int]], window: int | None) -> int:
        if window is None:
            return len(np.intersect1d(self.documents(pair[0]), self.documents(pair[1])))
        first, second = (self.starts(ngram) for ngram in pair)
        held = set()
        for start in first.tolist():
            document = int(np.searchsorted(self.ends, start, side="right"))
            low, high = (int(self.ends[document - 1]) if document else 0), int(self.ends[document])
            near = second[
                np.searchsorted(second, max(low, start - window)) : np.searchsorted(
                    second, min(high - 1, start + window), side="right"
                )
            ]
            if len(near):
                held.add(document)
        return len(held)

    def infgram(self, context: list[int], token: int) -> tuple[int, int, int]:
        for start in range(len(context)):
            if count := len(self.starts(context[start:])):
                return len(context) - start, count, len(self.starts([*context[start:], token]))
        return 0, len(self.text) - len(self.ends), len(self.starts([token]))


def check_variant(
    python: str, work: Path, documents: list[np.ndarray], token_type: str, shards: int, version: int
) -> dict[str, Any]:
    """One index by infini-gram's indexer: what is equal to the engine's, and what to brute force."""
    folder = work / f"v{version}_{token_type}_{shards}"
    write_tokenized(folder, documents, DTYPES[token_type], shards, version)
    ask_peer(python, work, do="build", index=str(folder), shards=shards, token_dtype=token_type)
    order = sorted(range(shards), key=str)
    numbered = [document for shard in order for document in documents[shard::shards]]
    ngrams = draw(documents, NGRAMS, 8, 1)
    some = [ngram for ngram in draw(documents, 4 * SCANNED, 3, 2) if len(ngram) > 1][:SCANNED]
    pairs = list(zip(some[::2], some[1::2], strict=False))
    sampled = list(range(0, len(numbered), max(len(numbered) // 50, 1)))
    task = {"index": str(folder), "version": version, "token_dtype": token_type, "ngrams": ngrams}
    theirs = ask_peer(
        python, work, do="infini-gram", **task, contexts=some, exact_contexts=some, pairs=pairs, windows=WINDOWS, documents=sampled
    )
    index = si.open(folder, reversed=version == 5, token_type=token_type)
    scan = Scan(numbered, index.separator)
    intervals = 0
    for ngram, segments in zip(ngrams, theirs["segments"], strict=True):
        for shard, segment in zip(index.shards, segments, strict=True):
            found = shard.interval(np.array(ngram))
            if found[0] == found[1]:
                intervals += segment[0] == segment[1]
            else:
                intervals += list(shard.stored_interval(found)) == list(segment)  # type: ignore[attr-defined]
    truth = [scan.next_tokens(ngram) for ngram in some]
    ours = [index.next_distribution(ngram) for ngram in some]
    mine = [dict(zip(found.token_ids.tolist(), found.counts.tolist(), strict=True)) for found in ours]
    texts = [document[:40].tolist() for document in documents[:3]]
    scores = index.scores(texts)
    infgram = all(
        tuple(int(part[i]) for part in (found.suffix_lengths, found.context_counts, found.ngram_counts))
        == scan.infgram(text[:i], token)
        for found, text in zip(scores, texts, strict=True)
        for i, token in enumerate(text)
    )
    together = {window: [scan.together(pair, window) for pair in pairs] for window in (None, *WINDOWS)}
    off = [distance(answer, fact, index.separator) for answer, fact in zip(theirs["exact_contexts"], truth, strict=True)]
    lost = [len(fact) - len(answer) for answer, fact in zip(theirs["contexts"], truth, strict=True)]
    return {
        "kind": index.kind,
        "tokens": index.num_tokens,
        "documents": index.num_documents,
        "shards": shards,
        "token_type": token_type,
        "pointer_bytes": index.shards[0].layout.pointer_bytes,  # type: ignore[attr-defined]
        "ngrams": NGRAMS,
        "intervals equal to the engine's": intervals,
        "intervals": NGRAMS * shards,
        "counts equal to the engine's": int((index.counts(ngrams) == np.array(theirs["counts"])).sum()),
        "documents equal to the engine's": sum(
            index.document(i).token_ids.tolist() == without_separator(ids, version, index.separator)
            for i, ids in zip(sampled, theirs["documents"], strict=True)
        ),
        "documents compared": len(sampled),
        "equal to brute force": {
            "counts": index.counts(some).tolist() == [len(scan.starts(ngram)) for ngram in some],
            "next_tokens": mine == truth,
            "infgram": infgram,
            "document_count": index.document_counts(some).tolist() == [len(scan.documents(ngram)) for ngram in some],
            **{
                f"cooccurrences, window {window}": index.cooccurrences(pairs, window=window).tolist() == facts
                for window, facts in together.items()
            },
        },
        "theirs, where not exact": {
            "co-occurrences that differ from brute force": {
                str(window): sum(a != b for a, b in zip(theirs["together"][str(window)], together[window], strict=True))
                for window in WINDOWS
            },
            "pairs": len(pairs),
            "largest total variation of ntd without a limit": round(max(off), 4),
            "of these said to be approximate": sum(theirs["exact_contexts approx"]),
            "continuations lost at the usual limit": sum(lost),
            "continuations": sum(map(len, truth)),
        },
    }


def without_separator(ids: list[int], version: int, separator: int) -> list[int]:
    """A document's ids as the engine gives them, which may keep the separator."""
    return [token for token in ids if token != separator]


def distance(answer: dict[str, int], truth: dict[int, int], separator: int) -> float:
    """Total variation of a distribution of next tokens from the true one; the engine calls document ends token 0."""
    found = {int(token): count for token, count in answer.items()}
    ends = truth.get(separator, 0)
    expected = {token: count for token, count in truth.items() if token != separator}
    if ends:
        expected[0] = expected.get(0, 0) + ends
    total, claimed = sum(expected.values()), max(sum(found.values()), 1)
    keys = expected.keys() | found.keys()
    return sum(abs(expected.get(key, 0) / total - found.get(key, 0) / claimed) for key in keys) / 2


def faults(python: str, work: Path) -> dict[str, Any]:
    """infini-gram's faults of a made corpus, each as (theirs, ours, truth)."""
    rng = np.random.default_rng(3)
    documents = [rng.choice(12, rng.integers(200, 1200)).astype(np.uint16) for _ in range(700)]
    for document in documents[::2]:
        document[rng.integers(0, len(document), 8)] = 100 + rng.integers(0, 700, 8)  # rare, after frequent ones
    folder = work / "v4_faults"
    write_tokenized(folder, documents, np.uint16, 1, 4)
    ask_peer(python, work, do="build", index=str(folder), shards=1, token_dtype="u16")
    pair, contexts = ([1, 2, 3], [3, 2, 1]), [[3], [5]]
    task = {"index": str(folder), "version": 4, "token_dtype": "u16", "ngrams": [[1]], "pairs": [pair], "windows": WINDOWS}
    theirs = ask_peer(python, work, do="infini-gram", **task, exact_contexts=[[1, 2]], eos=0)
    sampled = ask_peer(python, work, do="infini-gram", **task, contexts=contexts, eos=60_000)
    index = si.open(folder, reversed=False)
    scan = Scan(documents, index.separator)
    following = index.next_distribution([1, 2])
    ends = {int(token): count for token, count in theirs["exact_contexts"][0].items()}
    facts = scan.next_tokens([1, 2])
    return {
        "1: co-occurrences at windows 10, 100, 1000": {
            "theirs": [theirs["together"][str(window)][0] for window in WINDOWS],
            "ours": [index.cooccurrence(*pair, window=window) for window in WINDOWS],
            "truth": [scan.together(pair, window) for window in WINDOWS],
            "documents that hold both": scan.together(pair, None),
        },
        "2: share of the end, where id 0 is the engine's end and occurs": {
            "theirs": ends.get(0, 0) / max(sum(ends.values()), 1),
            "ours": following.document_ends / following.context_count,
            "truth": facts.get(index.separator, 0) / sum(facts.values()),
        },
        "4: continuations of two frequent tokens at the usual limit": {
            "theirs": [len(answer) for answer in sampled["contexts"]],
            "ours": [len(index.next_distribution(context).counts) for context in contexts],
            "truth": [len(scan.next_tokens(context)) for context in contexts],
        },
    }


def exports(python: str, work: Path, own: Path, ngrams: list[list[int]]) -> dict[str, Any]:
    """What we write, opened by the engines: equal counts of how many n-grams."""
    index = si.open(own)
    counts = index.counts(ngrams)
    export(own, work / "v4_out", format="infini-gram")
    task = {"version": 4, "token_dtype": index.manifest.token_type, "ngrams": ngrams}
    found = ask_peer(python, work, do="infini-gram", index=str(work / "v4_out"), **task)
    export(own, work / "pairs", format="tokengrams")
    parts = [
        ask_peer(python, work, do="tokengrams", tokens=str(tokens), table=str(tokens.with_suffix(".idx")), ngrams=ngrams)
        for tokens in sorted((work / "pairs").glob("*.bin"))
    ]
    assert all(part["sorted"] for part in parts)
    again, pairs = si.open(work / "v4_out"), si.open(work / "pairs", separator=index.separator)
    return {
        "ngrams": len(ngrams),
        "infini-gram": int((counts == np.array(found["counts"])).sum()),
        "tokengrams": int((counts == np.sum([part["counts"] for part in parts], axis=0)).sum()),
        "infini-gram's, opened here": int((counts == again.counts(ngrams)).sum()),
        "tokengrams', opened here": int((counts == pairs.counts(ngrams)).sum()),
    }


def median(answer: Callable[[], object]) -> float:
    answer()
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[ROUNDS // 2]


def speed(indexes: dict[str, si.SuffixIndex], ngrams: list[list[int]], contexts: list[list[int]]) -> dict[str, Any]:
    """Microseconds a question of the same corpus in several formats, in turn."""
    batch = ngrams
    results: dict[str, Any] = {}
    for name, index in indexes.items():
        index.counts(batch)
        kinds: Iterable[tuple[str, int, Callable[[], object]]] = [
            ("counts", len(batch), lambda index=index: index.counts(batch)),
            ("next_distribution", len(contexts), lambda index=index: [index.next_distribution(context) for context in contexts]),
            ("next_distributions", len(contexts), lambda index=index: index.next_distributions(contexts)),
            ("document_counts", 2000, lambda index=index: index.document_counts(batch[:2000])),
        ]
        results[name] = {kind: round(1e6 * median(answer) / number, 3) for kind, number, answer in kinds}
    return results


def page(result: dict[str, Any]) -> str:
    """The results as tables."""
    header = ["built by infini-gram", "tokens", "shards", "intervals as the engine's", "counts as the engine's", "ours as the scan"]
    header += ["its `AND` counts off, window 1000", "its next tokens off by, all said to be exact", "lost by sampling"]
    rows = []
    for found in result["indexes"]:
        theirs, equal = found["theirs, where not exact"], found["equal to brute force"]
        intervals, counts = (found[f"{kind} equal to the engine's"] for kind in ("intervals", "counts"))
        rows.append(
            [
                f"{found['kind'].removeprefix('infini-gram ')}, {found['token_type']}",
                f"{found['tokens']:,}",
                found["shards"],
                f"{intervals:,} of {found['intervals']:,}",
                f"{counts:,} of {found['ngrams']:,}",
                f"{sum(equal.values())} of {len(equal)} kinds",
                f"{theirs['co-occurrences that differ from brute force']['1000']} of {theirs['pairs']}",
                f"{100 * theirs['largest total variation of ntd without a limit']:.0f} %",
                f"{theirs['continuations lost at the usual limit']:,} of {theirs['continuations']:,}",
            ]
        )
    kinds = list(result["microseconds"]["ours"])
    times = [[kind, *(f"{row[kind]:,.2f}" for row in result["microseconds"].values())] for kind in kinds]
    exported = result["exports"]
    columns = ["µs a question, of one corpus, asked here", "our format", "infini-gram's", "tokengrams'"]
    return (
        f"{markdown(header, rows)}\n\nOurs, exported: {exported['infini-gram']:,} of {exported['ngrams']:,} counts are equal in "
        f"infini-gram, {exported['tokengrams']:,} in tokengrams.\n\n"
        f"{markdown(columns, times)}\n\n"
        f"{result['tokens']:,} tokens; medians of {ROUNDS} rounds after a first."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--tokens", type=int, default=3_000_000, help="of the corpus, for each comparison of answers")
    parser.add_argument("corpus", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        si.build(options.corpus, work / "own", tokenizer=options.tokenizer, memory="6GiB", metadata=False, progress=False)
        si.build(options.corpus, work / "bytes", tokenizer="bytes", memory="6GiB", metadata=False, progress=False)
        result: dict[str, Any] = {"faults": faults(options.peers, work), "indexes": []}
        print(json.dumps(result["faults"], indent=1), file=sys.stderr)
        for source, token_type in (("own", "u16"), ("bytes", "u8")):
            # its indexer leaves positions out of files below 200,000 bytes
            documents = documents_of(si.open(work / source), options.tokens * (3 if token_type == "u8" else 1))
            for version, shards in ((4, 1), (4, 12), (5, 1), (5, 12)):
                found = check_variant(options.peers, work, documents, token_type, shards, version)
                result["indexes"].append(found)
                print(json.dumps(found), file=sys.stderr)
        own = si.open(work / "own")
        documents = documents_of(own, own.num_tokens)
        ngrams = draw(documents, NGRAMS, 8, 5)
        result["exports"] = exports(options.peers, work, work / "own", ngrams)
        print(json.dumps(result["exports"]), file=sys.stderr)
        whole = work / "v4_whole"
        write_tokenized(whole, documents, np.uint16, 1, 4)
        ask_peer(options.peers, work, do="build", index=str(whole), shards=1, token_dtype="u16")
        opened = {"ours": own, "infini-gram": si.open(whole), "tokengrams": si.open(work / "pairs", separator=own.separator)}
        result["microseconds"] = speed(opened, draw(documents, BULK, 8, 6), draw(documents, NGRAMS, 3, 7))
        mine = result["microseconds"]["ours"]
        result["times as long as our format"] = {
            name: {kind: round(value / mine[kind], 2) for kind, value in row.items()}
            for name, row in result["microseconds"].items()
        }
        result["tokens"] = own.num_tokens
        print(json.dumps({key: result[key] for key in ("microseconds", "times as long as our format")}, indent=1))
        save("foreign", result)
        insert(ROOT / "benchmarks" / "README.md", "foreign", page(result))


if __name__ == "__main__":
    main()
