"""One engine's answers to the questions of ``queries.py``, in a process of its own: ``python query_contender.py ENGINE FOLDER``.

Prints seconds a question by kind as JSON lines and keeps the answers as ``FOLDER/ENGINE.npz``. Runs in any environment that
holds the named engine and NumPy; it imports nothing else of this project, so that a peer's environment needs nothing of it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 7
LOOPED = 2000  # questions of a bulk call that an engine without one answers in a loop
PROMPT = 50  # tokens before each one that a peer's ∞-gram is given; ours has the whole text

Kind = tuple[str, int, Callable[[], Any]]
"""Name, number of questions, and what answers them all."""


def ours(folder: Path, asked: dict[str, Any]) -> Iterator[Kind]:
    import suffixindex as si

    index = si.open(folder / "ours")
    index.counts([[1]] * 300)  # loads the compiled search
    yield "count", len(asked["single"]), lambda: [index.count(ngram) for ngram in asked["single"]]
    yield "counts", len(asked["bulk"]), lambda: index.counts(asked["bulk"])
    for name, contexts in asked["contexts"].items():
        yield f"next {name}", len(contexts), lambda contexts=contexts: [len(index.next_distribution(c).counts) for c in contexts]
    yield "infgram", len(asked["text"]), lambda: index.score(asked["text"]).log_probs
    yield "matches", len(asked["text"]), lambda: index.match(asked["text"]).lengths
    for name, pairs in asked["pairs"].items():
        yield f"pair {name}", len(pairs), lambda pairs=pairs: [index.cooccurrence(a, b) for a, b in pairs]
    yield "pairs", len(asked["table"]), lambda: index.cooccurrences(asked["table"], asked["table ngrams"])
    yield "documents", len(asked["frequent"]), lambda: [index.document_count(ngram) for ngram in asked["frequent"]]


def infinigram(folder: Path, asked: dict[str, Any], prefetch: int = 0) -> Iterator[Kind]:
    from infini_gram.engine import InfiniGramEngine

    depths = {"ds_prefetch_depth": prefetch, "sa_prefetch_depth": 3 * prefetch, "od_prefetch_depth": 3 * prefetch}
    engine = InfiniGramEngine(str(folder / "infinigram"), eos_token_id=65_000, vocab_size=65_535, **depths)
    yield "count", len(asked["single"]), lambda: [engine.count(ngram)["count"] for ngram in asked["single"]]
    some = asked["bulk"][:LOOPED]
    yield "counts", len(some), lambda: [engine.count(ngram)["count"] for ngram in some]
    for name, contexts in asked["contexts"].items():
        few = contexts if name in ("1-20", "21-1k") else contexts[:5]
        support = 10**9 if name != ">20k" else 1000  # exact takes minutes there
        yield (
            f"next {name}",
            len(few),
            lambda few=few, support=support: [len(engine.ntd(c, max_support=support)["result_by_token_id"]) for c in few],
        )
    text = asked["text"]
    places = range(PROMPT, len(text), len(text) // 300)
    yield "infgram", len(places), lambda: [engine.infgram_prob(text[i - PROMPT : i], text[i])["prob"] for i in places]
    for name, pairs in asked["pairs"].items():
        few = pairs[:3] if name == "300k x 350k" else pairs
        yield f"pair {name}", len(few), lambda few=few: [engine.count_cnf([[a], [b]])["count"] for a, b in few]


def tokengrams(folder: Path, asked: dict[str, Any]) -> Iterator[Kind]:
    from tokengrams import MemmapIndex

    index = MemmapIndex(str(folder / "tokengrams" / "text.u16"), str(folder / "tokengrams" / "table.idx"))
    yield "count", len(asked["single"]), lambda: [index.count(ngram) for ngram in asked["single"]]
    some = asked["bulk"][:LOOPED]
    yield "counts", len(some), lambda: [index.count(ngram) for ngram in some]
    for name, contexts in asked["contexts"].items():
        yield (
            f"next {name}",
            len(contexts),
            lambda contexts=contexts: [np.count_nonzero(index.count_next(context)) for context in contexts],
        )


def main() -> None:
    engine, folder = sys.argv[1], Path(sys.argv[2])
    asked = json.loads((folder / "questions.json").read_text())
    kinds = {
        "ours": ours,
        "tokengrams": tokengrams,
        "infini-gram": infinigram,
        "infini-gram, prefetching": lambda folder, asked: infinigram(folder, asked, 1),
    }[engine](folder, asked)
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # engines talk on standard output
    answers = {}
    for name, number, answer in kinds:
        answers[name] = np.asarray(answer())
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            answer()
            seconds.append((time.perf_counter() - started) / number)
        print(json.dumps({"kind": name, "seconds": sorted(seconds)[REPEATS // 2]}), file=report, flush=True)
    np.savez(folder / f"{engine}.npz", **answers)


if __name__ == "__main__":
    main()
