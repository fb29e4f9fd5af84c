"""A task-gram table, and whether a model follows it.

Task-grams (arXiv 2407.14985) are pairs of n-grams, x of a task's input and y of its target. The corpus says how often y stands in a
document that holds x; the model says how probable y is after x. If the two are correlated, the model follows its corpus.

    python taskgrams.py --index my-index --pairs pairs.jsonl --model EleutherAI/pythia-70m

A line of the pairs: `["alan turing", "enigma"]`. With `--model` it needs torch and transformers. Without, the model is a Kneser-Ney
model of the corpus's other half, and the pairs are words that often follow each other: a model that surely follows. The
package `analysis` does all this for whole benchmarks, with intervals and controls.
"""

import argparse
import json
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np

import suffixindex as si

Model = Callable[[str, str], float]
"""The log-probability of a text after another."""


def language_model(name: str) -> Model:
    """A causal language model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name)

    def log_prob(before: str, after: str) -> float:
        prompt, whole = tokenizer(before).input_ids, tokenizer(f"{before} {after}").input_ids
        with torch.no_grad():
            rows = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        return float(sum(rows[place - 1, whole[place]] for place in range(len(prompt), len(whole))))

    return log_prob


def ngram_model(index: si.SuffixIndex) -> Model:
    """A smoothed n-gram model of an index."""
    model = si.lm.KneserNey(index, order=3)

    def log_prob(before: str, after: str) -> float:
        skipped = len(index.encode(before))
        return float(model.log_probs(f"{before} {after}")[skipped:].sum())

    return log_prob


def frequent_pairs(index: si.SuffixIndex, most: int) -> list[tuple[str, str]]:
    """The most frequent pairs of longer words that follow each other."""
    pairs = [index.pieces(pair.token_ids) for pair in index.top_ngrams(2, 50 * most)]
    return [(x, y) for x, y in pairs if min(len(x), len(y)) > 3 and x != y][:most]


def ranks(values: np.ndarray) -> np.ndarray:
    """Of equal values, their ranks' mean."""
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[places])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="library-index", help="an index; one of the standard library is made if there is none")
    parser.add_argument("--pairs", type=Path, help="JSON lines of pairs")
    parser.add_argument("--model", help="a language model")
    parser.add_argument("--other", default="other-index", help="without --model: the index that is the model")
    options = parser.parse_args(arguments)
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    for path, files in ((options.index, modules[::2]), (options.other, modules[1::2])):
        if not Path(path).exists() and (path == options.index or not options.model):
            si.build(files, path, tokenizer="words", on_error="skip")
    with si.open(options.index) as index, si.open(options.index if options.model else options.other) as other:
        pairs = frequent_pairs(index, 200)
        if options.pairs:
            pairs = [(str(x), str(y)) for x, y in map(json.loads, options.pairs.open(encoding="utf-8"))]
        both = index.cooccurrences(pairs)
        first = index.document_counts([x for x, _ in pairs])
        held = np.flatnonzero(both)  # pairs of which the corpus says something
        corpus = np.log(both[held] / first[held])
        log_prob = language_model(options.model) if options.model else ngram_model(other)
        model = np.array([log_prob(*pairs[place]) for place in held])
        for place in held[np.argsort(-both[held])][:8]:
            x, y = pairs[place]
            print(f"{x:>14} → {y:<14} {both[place]:6,} of {first[place]:6,} documents   model {model[held == place][0]:7.2f}")
        print(f"Spearman's ρ of {len(held)} pairs: {np.corrcoef([ranks(corpus), ranks(model)])[0][1]:.2f}")


if __name__ == "__main__":
    main()
