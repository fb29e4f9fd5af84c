"""How often a model had met something by a training step.

If each document of the corpus keeps the step in which it was read, an index answers what a model at any checkpoint had seen. The
preshuffled Pile of Pythia is such a corpus: `suffixindex build document.idx -o pile-steps --tokenizer EleutherAI/pythia-70m
--sequences-per-step 1024`.

    python training_steps.py --index pile-steps --checkpoints 1000,10000,143000 " natural selection" " Enigma"

Without options the documents are the modules of Python's standard library in random order, eight a step.
"""

import argparse
import json
import random
import sysconfig
from pathlib import Path

import numpy as np

import suffixindex as si

NGRAMS = ["raise ValueError", "event loop", "regular expression", "mersenne twister"]


def make_corpus(path: Path, per_step: int = 8, seed: int = 0) -> None:
    """Documents in the order of training, each with its step."""
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    random.Random(seed).shuffle(modules)
    with path.open("w", encoding="utf-8") as file:
        for number, module in enumerate(modules):
            record = {"text": module.read_text(encoding="utf-8"), "step": number // per_step, "module": module.stem}
            file.write(json.dumps(record) + "\n")


def met_by(index: si.SuffixIndex, ngram: str, checkpoints: list[int]) -> list[int]:
    """Occurrences in the documents of the steps before each checkpoint: one question, whatever the number of checkpoints."""
    by_step = {int(step): count for step, count in index.counts_by(ngram, "step").items() if isinstance(step, int)}
    steps = np.array(sorted(by_step), np.int64)
    total = np.cumsum([0, *(by_step[step] for step in steps.tolist())])
    return [int(count) for count in total[np.searchsorted(steps, checkpoints)]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ngrams", nargs="*", default=NGRAMS)
    parser.add_argument("--index", default="steps-index", help="an index with a field step; one is made if there is none")
    parser.add_argument("--checkpoints", default="1,2,4,8,16,32", help="steps, with commas between")
    options = parser.parse_args(arguments)
    if not Path(options.index).exists():
        make_corpus(Path("steps.jsonl"))
        si.build("steps.jsonl", options.index, tokenizer="words")
    checkpoints = [int(step) for step in options.checkpoints.split(",")]
    with si.open(options.index) as index:
        print(f"{'met before step':>24}" + "".join(f"{step:>9,}" for step in checkpoints))
        for ngram in options.ngrams:
            print(f"{ngram:>24}" + "".join(f"{count:>9,}" for count in met_by(index, ngram, checkpoints)))


if __name__ == "__main__":
    main()
