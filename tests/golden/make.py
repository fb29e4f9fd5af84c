"""Makes the golden indexes of the current format version, once, when that version is new.

Never run this to make a test pass. What it made stays as it is for as long as its format version is read: a test that
fails on a golden index says that the package no longer reads what older ones wrote, or that two builds of one corpus
differ. A new format version gets new folders beside the old ones.

    python tests/golden/make.py
"""

import os
from pathlib import Path

import suffixindex as si
from suffixindex.storage.format import FORMAT_VERSION, PROVENANCE

FOLDER = Path(__file__).parent
CORPUS = "corpus.jsonl"
MODIFIED_NS = 1_500_000_000_000_000_000  # the manifest knows the inputs by path, size and time
SETTINGS = {"words": {"shard_tokens": 1000}, "bytes": {"shard_tokens": 200}}


def build(kind: str, index: str) -> None:
    """Build the corpus of the working folder."""
    os.utime(CORPUS, ns=(MODIFIED_NS, MODIFIED_NS))
    si.build(CORPUS, index, tokenizer=kind, progress=False, **SETTINGS[kind])


if __name__ == "__main__":
    os.chdir(FOLDER)
    for kind in SETTINGS:
        name = f"v{FORMAT_VERSION}-{kind}"
        if Path(name).exists():
            raise SystemExit(f"{name} exists: golden indexes are made once")
        build(kind, name)
        (Path(name) / PROVENANCE).unlink()  # of the machine that made it; nothing depends on it
