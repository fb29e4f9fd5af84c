"""The indexes and corpora that are damaged: small, of every kind."""

import json
from pathlib import Path
from random import Random

import suffixindex as si
from tests.helpers import building
from tests.helpers.foreign_building import write_infinigram, write_tokengrams

TEXTS = [
    "row row row your boat, gently down the stream",
    "merrily merrily merrily merrily life is but a dream",
    "",
    "row row row your boat gently down the brook",
    "if you see a little fish please let it off the hook",
    "a frog jumps into the old pond",
    "the old pond",
    "Ὀδυσσεύς rows; the old boat rows",
] * 5
OURS = ("words", "bytes", "ids")
FOREIGN = ("v4_index", "v5_index", "tokengrams")


def jsonl() -> bytes:
    rng = Random(0)
    records = [{"text": text, "set": rng.choice("ab"), "n": number, "meta": {"x": [1]}} for number, text in enumerate(TEXTS)]
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def make_ours(folder: Path) -> None:
    """``words``, ``bytes`` and ``ids``, the last one of 10 shards of ids."""
    folder.mkdir(exist_ok=True)
    corpus = folder / "corpus.jsonl"
    corpus.write_bytes(jsonl())
    for kind in ("words", "bytes"):
        si.build(corpus, folder / kind, tokenizer=kind, shard_tokens=200 if kind == "words" else 1000, progress=False)
    rng = Random(1)
    documents = [[rng.randrange(4) for _ in range(rng.randrange(30))] for _ in range(60)]
    records: list[dict[str, object]] = [{"path": "a", "line": i, "metadata": {"set": i % 3}} for i in range(len(documents))]
    building.write_index(folder / "ids", documents, "u16", vocabulary_size=5, shards=3, metadata=records)


def make_foreign(folder: Path) -> None:
    """infini-gram's version 4 and 5, and a pair of tokengrams with separators."""
    rng = Random(2)
    documents = [[rng.randrange(1, 5) for _ in range(rng.randrange(1, 30))] for _ in range(60)]
    records: list[dict[str, object]] = [{"path": "a", "linenum": i, "metadata": {"set": i % 3}} for i in range(len(documents))]
    for name in ("v4_index", "v5_index"):
        halves, kept = [documents[:40], documents[40:]], [records[:40], records[40:]]
        write_infinigram(folder / name, halves, mirrored=name == "v5_index", metadata=kept)
    write_tokengrams(folder / "tokengrams" / "x", [token for document in documents for token in [*document, 0]])
