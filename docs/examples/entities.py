"""How many documents are about what a question asks.

Kandpal et al. (arXiv 2211.08411) found that a model answers a question the better, the more documents of its training corpus name
both the question's entity and the answer. This counts them for a set of questions, aliases and all, in one call.

    python entities.py --index my-index --questions questions.jsonl

A line of the questions: `{"question": "…", "entity": ["Turing", "Alan Turing"], "answer": ["Enigma"]}`. Without options it asks
some questions about Python of Python's own standard library. `lift` is how many times more documents hold both than by chance.
"""

import argparse
import json
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np

import suffixindex as si

QUESTIONS = [
    {"question": "Which module reads command lines?", "entity": ["command line"], "answer": ["argparse", "optparse"]},
    {"question": "What is raised for a missing key?", "entity": ["missing key", "key"], "answer": ["KeyError"]},
    {"question": "Which class is a double-ended queue?", "entity": ["queue"], "answer": ["deque"]},
    {"question": "Which hash is broken?", "entity": ["hash"], "answer": ["md5"]},
    {"question": "Who wrote the random numbers' generator?", "entity": ["random"], "answer": ["Mersenne Twister"]},
    {"question": "What is the capital of France?", "entity": ["France"], "answer": ["Paris"]},
]


def relevant_documents(index: si.SuffixIndex, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each question the documents that hold its entity, its answer, and both, under any of their names."""
    asked = [side for one in questions for side in ([one["entity"]], [one["answer"]], [one["entity"], one["answer"]])]
    entity, answer, both = index.cooccurrences(asked).reshape(-1, 3).T
    expected = entity * answer / index.num_documents
    lift = np.divide(both, expected, out=np.full(len(both), np.nan), where=expected > 0)
    columns = zip(questions, entity.tolist(), answer.tolist(), both.tolist(), lift.tolist(), strict=True)
    return [{"question": one["question"], "entity": e, "answer": a, "both": b, "lift": v} for one, e, a, b, v in columns]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="library-index", help="an index; one of the standard library is made if there is none")
    parser.add_argument("--questions", type=Path, help="JSON lines of questions")
    options = parser.parse_args(arguments)
    if not Path(options.index).exists():
        si.build(sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")), options.index, tokenizer="words", on_error="skip")
    questions = [json.loads(line) for line in options.questions.open(encoding="utf-8")] if options.questions else QUESTIONS
    with si.open(options.index) as index:
        print(f"{'entity':>7} {'answer':>7} {'both':>6} {'lift':>6}  question   (documents of {index.num_documents:,})")
        for row in sorted(relevant_documents(index, questions), key=lambda row: -row["both"]):
            print(f"{row['entity']:7,} {row['answer']:7,} {row['both']:6,} {row['lift']:6.1f}  {row['question']}")


if __name__ == "__main__":
    main()
