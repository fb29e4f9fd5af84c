"""Which examples of a benchmark are in the corpus.

An example is contaminated if much of it stands in the corpus word for word. For each example: its longest passage that the
corpus holds, where that stands, and the share of the example's tokens in passages of at least n tokens (GPT-3's report took 13
words, PaLM's 8). All examples are one call, a microsecond or two a token.

    python contamination.py --index my-index --examples test.jsonl --field question -n 8

Without options the examples are half sentences of Python's standard library, half sentences that are made up.
"""

import argparse
import json
import sysconfig
from pathlib import Path

import numpy as np

import suffixindex as si

LIBRARY = Path(sysconfig.get_path("stdlib"))
EXAMPLES = [
    "Optional arguments are specified with dashes; the parser then produces a Namespace object.",
    "The insertion point is specified by lo and hi; if x is already in a, insert it to the right of the rightmost x.",
    "A heap is a binary tree for which every parent node has a value less than or equal to any of its children.",
    "On Tuesday the museum of forgotten umbrellas opened its doors to eleven visitors and a goat.",
]


def covered(lengths: np.ndarray, n: int) -> np.ndarray:
    """Which tokens of a text lie in a passage of at least n tokens that the corpus holds: bool[tokens]."""
    starts = np.flatnonzero(lengths >= n)
    change = np.zeros(len(lengths) + 1, np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, starts + lengths[starts], -1)
    return np.cumsum(change[:-1]) > 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="library-index", help="an index; one of the standard library is made if there is none")
    parser.add_argument("--examples", type=Path, help="JSON lines of examples")
    parser.add_argument("--field", default="text", help="what holds an example's text")
    parser.add_argument("-n", type=int, default=8, help="tokens of the shortest passage that counts")
    options = parser.parse_args(arguments)
    if not Path(options.index).exists():
        si.build(sorted(LIBRARY.glob("*.py")), options.index, tokenizer="words", on_error="skip")
    texts = EXAMPLES
    if options.examples:
        texts = [json.loads(line)[options.field] for line in options.examples.open(encoding="utf-8")]
    with si.open(options.index) as index:
        ids = [index.encode(text) for text in texts]
        shares = []
        for text, tokens, match in zip(texts, ids, index.matches(ids), strict=True):
            shares.append(covered(match.lengths, options.n).mean() if len(tokens) else 0.0)
            longest = int(match.lengths.argmax()) if len(tokens) else 0
            passage = tokens[longest : longest + int(match.lengths[longest])] if len(tokens) else tokens
            found = index.documents(passage, limit=1) if len(passage) >= options.n else []
            where = Path(found[0].path or "").name if found else "–"
            print(f"{shares[-1]:6.1%} covered, longest {len(passage):3} of {len(tokens):3} tokens, in {where:16} {text[:60]}")
        print(f"{np.mean(np.array(shares) > 0):.0%} of {len(texts):,} examples share {options.n} tokens or more with the corpus")


if __name__ == "__main__":
    main()
