"""What infini-gram and tokengrams do for ``foreign.py``: ``python foreign_contender.py FOLDER`` with a ``task.json`` in FOLDER.

Runs in an environment that holds the engines and NumPy; it imports nothing of this project. Writes ``answers.json``.
"""

import json
import os
import sys
import types
from pathlib import Path
from typing import Any

WIDTHS = {"u8": 1, "u16": 2, "u32": 4}


def build(task: dict[str, Any]) -> None:
    """The suffix arrays of ``tokenized.N``, by infini-gram's own indexer."""
    from infini_gram.indexing import build_sa

    folder = task["index"]
    names = {"save_dir": folder, "temp_dir": folder, "worker_id": 0, "workers": 1, "shards": task["shards"]}
    build_sa(types.SimpleNamespace(**names, cpus=2, mem=8, token_width=WIDTHS[task["token_dtype"]]))


def build_tokengrams(task: dict[str, Any]) -> None:
    from tokengrams import MemmapIndex

    MemmapIndex.build(task["tokens"], task["table"])


def infinigram(task: dict[str, Any]) -> dict[str, Any]:
    from infini_gram.engine import InfiniGramEngine

    engine = InfiniGramEngine(
        task["index"],
        eos_token_id=task.get("eos", 0),
        vocab_size=2 ** (8 * WIDTHS[task["token_dtype"]]) - 1,
        version=task["version"],
        token_dtype=task["token_dtype"],
    )
    answers: dict[str, Any] = {"counts": [engine.count(ngram)["count"] for ngram in task["ngrams"]]}
    answers["segments"] = [engine.find(ngram)["segment_by_shard"] for ngram in task["ngrams"]]
    if "pairs" in task:
        answers["together"] = {
            str(window): [engine.count_cnf([[a], [b]], max_diff_tokens=window)["count"] for a, b in task["pairs"]]
            for window in task["windows"]
        }
    for name in ("contexts", "exact_contexts"):
        support = {} if name == "contexts" else {"max_support": 10**9}
        found = [engine.ntd(context, **support) for context in task.get(name, [])]
        answers[name] = [{token: r["cont_cnt"] for token, r in one["result_by_token_id"].items()} for one in found]
        answers[f"{name} approx"] = [one["approx"] for one in found]
    if "documents" in task:
        answers["documents"] = [engine.get_doc_by_ix(i, max_disp_len=10**9)["token_ids"] for i in task["documents"]]
    return answers


def tokengrams(task: dict[str, Any]) -> dict[str, Any]:
    from tokengrams import MemmapIndex

    index = MemmapIndex(task["tokens"], task["table"])
    return {"counts": [index.count(ngram) for ngram in task["ngrams"]], "sorted": index.is_sorted()}


def main() -> None:
    folder = Path(sys.argv[1])
    task = json.loads((folder / "task.json").read_text())
    os.dup2(2, 1)  # engines talk on standard output
    kinds = {"build": build, "build tokengrams": build_tokengrams, "infini-gram": infinigram, "tokengrams": tokengrams}
    (folder / "answers.json").write_text(json.dumps(kinds[task["do"]](task)))


if __name__ == "__main__":
    main()
