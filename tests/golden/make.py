"""Makes the golden indexes of the current format version, once, when that version is new.

Never run this to make a test pass. What it made stays as it is for as long as its format version is read: a test that
fails on a golden index says that the package no longer reads what older ones wrote, or that two builds of one corpus
differ. A new format version gets new folders beside the old ones.

    python tests/golden/make.py
"""

import os
from pathlib import Path

import suffixindex as si
from suffixindex.storage.format import FORMAT_VERSION, GROWN_VERSION, PROVENANCE, REMOVED_VERSION

FOLDER = Path(__file__).parent
CORPUS = "corpus.jsonl"
HALVES = ("first.jsonl", "rest.jsonl")
MODIFIED_NS = 1_500_000_000_000_000_000  # the manifest knows the inputs by path, size and time
SETTINGS = {"words": {"shard_tokens": 1000}, "bytes": {"shard_tokens": 200}}


def build(kind: str, index: str) -> None:
    """Build the corpus of the working folder."""
    os.utime(CORPUS, ns=(MODIFIED_NS, MODIFIED_NS))
    si.build(CORPUS, index, tokenizer=kind, progress=False, **SETTINGS[kind])


def grow(kind: str, index: str) -> None:
    """Build the first half of the corpus of the working folder, and append the rest."""
    lines = Path(CORPUS).read_bytes().splitlines(keepends=True)
    for name, half in zip(HALVES, (lines[:3], lines[3:]), strict=True):
        Path(name).write_bytes(b"".join(half))
        os.utime(name, ns=(MODIFIED_NS, MODIFIED_NS))
    si.build(HALVES[0], index, tokenizer=kind, progress=False, **SETTINGS[kind])
    si.append(index, HALVES[1], progress=False)


def shrink(kind: str, index: str) -> None:
    """Of an index that grew, remove all documents of the first half, and one of the others."""
    grow(kind, index)
    si.remove(index, [0, 1, 2, 4], purge=True, progress=False)


MADE = {
    **{f"v{FORMAT_VERSION}-{kind}": (build, kind) for kind in SETTINGS},
    f"v{GROWN_VERSION}-words": (grow, "words"),
    f"v{REMOVED_VERSION}-words": (shrink, "words"),
}
"""How each golden index is made, by its name."""

if __name__ == "__main__":
    os.chdir(FOLDER)
    for name, (make, kind) in MADE.items():
        if Path(name).exists():
            print(f"{name} exists: golden indexes are made once")  # noqa: T201
            continue
        make(kind, name)
        (Path(name) / PROVENANCE).unlink()  # of the machine that made it; nothing depends on it
    for half in HALVES:
        Path(half).unlink(missing_ok=True)
