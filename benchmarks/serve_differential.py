"""infini-gram's own engine against our server, over random questions of every type: ``python -m benchmarks.serve_differential``.

Runs where the ``infini-gram`` package is installed beside this one. The same corpus is written as its index, which our server
reads as it lies. Where its engine is exact the answers must be equal; where it is not, ours must equal brute force from the
definition: clauses near each other, and what follows an n-gram that ends the last document, after which its engine reads on.
Ranks may differ by a few, as suffixes of that document stand elsewhere; so documents are compared over all ranks of an n-gram.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import suffixindex as si
from benchmarks.raw import write_raw_index
from benchmarks.serve import Client, serving

VOCABULARY = 30
SEPARATOR = 65535
END = 31
"""The engine's end-of-sequence id, which stands for the separator among what follows."""
NAMES = ("count", "prob", "ntd", "infgram_prob", "infgram_ntd", "find", "get_doc_by_rank", "count_cnf")


def corpus(seed: int, documents: int) -> list[list[int]]:
    """Documents in which words of all frequencies follow each other as in a chain."""
    draw = random.Random(seed)
    made = []
    for _ in range(documents):
        token, document = draw.randrange(VOCABULARY), []
        for _ in range(draw.randrange(1, 60)):
            document.append(token)
            token = min(int(draw.expovariate(0.25)) + token % 3, VOCABULARY - 1)
        made.append(document)
    return made


def near(documents: list[list[int]], clauses: list[list[list[int]]], most: int) -> int:
    """Ranges that hold every clause, by the definition, one document at a time."""

    def starts(document: list[int], clause: list[list[int]]) -> list[int]:
        return sorted(i for term in clause for i in range(len(document)) if document[i : i + len(term)] == term)

    totals = [sum(len(starts(document, clause)) for document in documents) for clause in clauses]
    order = sorted(range(len(clauses)), key=lambda number: totals[number])
    found = 0
    for document in documents:
        places = [starts(document, clauses[number]) for number in order]
        for position in places[0]:
            left = right = position
            for mine in places[1:]:
                before, after = [p for p in mine if p < right], [p for p in mine if p >= left]
                on_left = bool(before) and min(left, before[-1]) + most >= left
                on_right = bool(after) and max(right, after[0]) <= right + most
                if not on_left and not on_right:
                    break
                left, right = (min(left, before[-1]) if on_left else left), (max(right, after[0]) if on_right else right)
            else:
                found += 1
    return found


def question(draw: random.Random, documents: list[list[int]]) -> tuple[str, Any]:
    """A query type and its ids."""
    document = draw.choice(documents)
    start = draw.randrange(len(document))
    ids = document[start : start + draw.randrange(1, 6)]
    if draw.random() < 0.2:
        ids = [*ids, draw.randrange(VOCABULARY)]
    kind = draw.choice(NAMES)
    if kind == "get_doc_by_rank":
        ids = [*ids, *document[start + len(ids) : start + 4]]  # of one that occurs seldom
    if kind == "count_cnf":
        terms = [[document[draw.randrange(len(document))]] for _ in range(draw.randrange(2, 4))]
        return kind, [[term] for term in terms]
    if kind not in ("find", "get_doc_by_rank") and draw.random() < 0.15:  # what documents begin with
        ids = [SEPARATOR, *document[: draw.randrange(1, 4)]]
    return kind, ids


def _place(document: Any) -> list[int]:
    return [document[name] for name in ("doc_ix", "doc_len", "disp_len", "needle_offset")]


def upstream(engine: Any, kind: str, ids: Any, most: int) -> Any:
    if kind in ("prob", "infgram_prob"):
        return getattr(engine, kind)(ids[:-1], ids[-1])
    if kind in ("ntd", "infgram_ntd"):
        return getattr(engine, kind)(ids, max_support=10**9)
    if kind == "count_cnf":
        return engine.count_cnf(ids, max_clause_freq=10**9, max_diff_tokens=most)
    if kind == "get_doc_by_rank":
        ((low, high),) = engine.find(ids)["segment_by_shard"]
        return sorted(_place(engine.get_doc_by_rank(0, rank, max_disp_len=9)) for rank in range(low, high))
    return getattr(engine, kind)(ids)


def reduced(kind: str, answer: Any) -> Any:
    """What both must say alike."""
    if kind in ("count", "count_cnf"):
        return answer["count"]
    if kind in ("prob", "infgram_prob"):
        kept = "prompt_cnt", "cont_cnt", "prob", "suffix_len"
        return {name: answer[name] for name in kept if name in answer}
    if kind in ("ntd", "infgram_ntd"):
        told = {int(token): one["cont_cnt"] for token, one in answer["result_by_token_id"].items()}
        return answer["prompt_cnt"], answer.get("suffix_len"), {(END if token == 65535 else token): n for token, n in told.items()}
    if kind == "find":
        return answer["cnt"], [high - low for low, high in answer["segment_by_shard"]]
    return answer


def following(documents: list[list[int]], ids: list[int]) -> tuple[int, dict[int, int]]:
    """What follows an n-gram, by a scan."""
    texts = [[SEPARATOR, *document, END] for document in documents]
    found = Counter(
        text[start + len(ids)] for text in texts for start in range(len(text) - len(ids)) if text[start : start + len(ids)] == ids
    )
    return sum(found.values()), dict(found)


def by_definition(kind: str, documents: list[list[int]], ids: Any, most: int, ours: Any) -> bool:
    """Whether an answer that is not the engine's equals brute force."""
    if kind == "count_cnf":
        return bool(ours["count"] == near(documents, ids, most))
    if kind in ("ntd", "infgram_ntd"):
        total, length, told = reduced(kind, ours)
        return (total, told) == following(documents, ids if length is None else ids[len(ids) - length :])
    return False


def ask(client: Client, body: dict[str, Any]) -> Any:
    status, content = client.ask("/", body)
    answer = json.loads(content)
    assert status == 200 and "error" not in answer, (body, answer)
    return answer


def served(client: Client, kind: str, body: dict[str, Any]) -> Any:
    if kind != "get_doc_by_rank":
        return ask(client, body)
    ((low, high),) = ask(client, {**body, "query_type": "find"})["segment_by_shard"]
    return sorted(_place(ask(client, {**body, "s": 0, "rank": rank, "max_disp_len": 9})) for rank in range(low, high))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    try:
        from infini_gram.engine import InfiniGramEngine
    except ImportError:
        sys.exit("the package infini-gram is not installed here: pip install infini-gram, in an environment of its own")
    documents = corpus(chosen.seed, chosen.documents)
    tokens = np.array([token for document in documents for token in [*document, SEPARATOR]], np.uint16)
    with tempfile.TemporaryDirectory() as folder:
        write_raw_index(Path(folder) / "ours", tokens)
        si.export(Path(folder) / "ours", Path(folder) / "v4_theirs", format="infini-gram")
        engine = InfiniGramEngine(str(Path(folder) / "v4_theirs"), eos_token_id=END, vocab_size=65_535)
        with serving(f"own={folder}/ours", f"theirs={folder}/v4_theirs") as (_, port):
            asked, equal, exact = compare(Client(port), engine, documents, chosen.questions, chosen.seed)
    for kind in sorted(asked):
        note = f", {exact[kind]:,} of the others equal brute force" if asked[kind] != equal[kind] else ""
        print(f"{kind:<18}{equal[kind]:>6,} of {asked[kind]:>6,} equal infini-gram's engine{note}")
    if any(asked[kind] != equal[kind] + exact[kind] for kind in asked):
        sys.exit("some answers differ")


def compare(
    client: Client, engine: Any, documents: list[list[int]], questions: int, seed: int
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Questions by type, those answered alike, and those where ours alone equals brute force."""
    draw = random.Random(seed + 1)
    asked, equal, exact = Counter[str](), Counter[str](), Counter[str]()
    for _ in range(questions):
        kind, ids = question(draw, documents)
        most = draw.randrange(1, 20)
        body = {"query_type": kind, "query_ids": ids, **({"max_diff_tokens": most} if kind == "count_cnf" else {})}
        theirs = upstream(engine, kind, ids, most)
        for index in ("own", "theirs"):
            ours = served(client, kind, {**body, "index": index})
            asked[kind] += 1
            if reduced(kind, ours) == reduced(kind, theirs):
                equal[kind] += 1
            elif by_definition(kind, documents, ids, most, ours):
                exact[kind] += 1
            else:
                print(body, index, reduced(kind, ours), reduced(kind, theirs), file=sys.stderr)
    return asked, equal, exact


if __name__ == "__main__":
    main()
