"""How varied a corpus is, and how new a text.

For each length n: how many n-grams the corpus holds, how many of them are distinct, how many occur once; and of other texts, how
many of their n-grams the corpus does not hold (novelty, arXiv 2406.13069). With matplotlib it draws both curves.

    python curves.py --index my-index --texts generated.jsonl --field text --figure curves.png

Without options the corpus is half of Python's standard library, and the other half are the texts.
"""

import argparse
import json
import sysconfig
from pathlib import Path

import numpy as np

import suffixindex as si


def novelty(index: si.SuffixIndex, texts: list[str], max_n: int) -> np.ndarray:
    """The share of the n-grams of all texts together that the corpus does not hold, for n = 1 … max_n."""
    rows = [index.novelty(text, max_n) for text in texts if len(index.encode(text))]
    return np.asarray(sum(row.num_novel for row in rows) / sum(row.num_ngrams for row in rows))


def draw(path: str, distinct: np.ndarray, novel: np.ndarray) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n = np.arange(1, len(distinct) + 1)
    figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    axes.plot(n, distinct, marker="o", label="distinct in the corpus")
    axes.plot(n, novel, marker="o", label="new in the texts")
    axes.set(xlabel="n", ylabel="share of n-grams", ylim=(0, 1))
    axes.legend()
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="half-index", help="an index; one of half the standard library is made if there is none")
    parser.add_argument("--texts", type=Path, help="JSON lines of texts")
    parser.add_argument("--field", default="text", help="what holds a text")
    parser.add_argument("--max-n", type=int, default=10)
    parser.add_argument("--figure", help="draw both curves: curves.png")
    options = parser.parse_args(arguments)
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    if not Path(options.index).exists():
        si.build(modules[::2], options.index, tokenizer="words", on_error="skip")
    if options.texts:
        texts = [json.loads(line)[options.field] for line in options.texts.open(encoding="utf-8")]
    else:
        texts = [module.read_text(encoding="utf-8") for module in modules[1:40:2]]
    with si.open(options.index) as index:
        statistics = index.ngram_statistics(options.max_n)
        novel = novelty(index, texts, options.max_n)
    distinct = statistics.num_distinct / statistics.num_ngrams
    once = statistics.count_of_counts[:, 0] / statistics.num_ngrams
    print(f"{'n':>3} {'n-grams':>12} {'distinct':>9} {'once':>7} {'new in the texts':>17}")
    for n, total, *shares in zip(statistics.n, statistics.num_ngrams, distinct, once, novel, strict=True):
        print(f"{n:3} {total:12,} {shares[0]:9.1%} {shares[1]:7.1%} {shares[2]:17.1%}")
    if options.figure:
        draw(options.figure, distinct, novel)


if __name__ == "__main__":
    main()
