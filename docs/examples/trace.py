"""Where a model's answer stands in the corpus.

The parts of a text that the corpus holds and that no longer part includes, rarest first, each with its documents: what OLMoTrace
(arXiv 2504.07096) shows. A part is rare if its tokens are: by the sum of their log-probabilities in the corpus.

    python trace.py --index my-index "The answer, as the model gave it."
    python trace.py --index my-index --model EleutherAI/pythia-70m "The prompt, which the model answers first."

The second form needs torch and transformers. Without options it traces a sentence through Python's standard library.
"""

import argparse
import sysconfig
from pathlib import Path

import numpy as np

import suffixindex as si

ANSWER = (
    "To parse the command line, create a parser object; it converts argument strings to objects and assigns them as attributes of "
    "the namespace. Return True if the object is a directory, and raise an exception if the file does not exist."
)


def answer_of(model: str, prompt: str) -> str:
    """What a causal language model says after a prompt, greedily."""
    from transformers import pipeline

    said = pipeline("text-generation", model=model)(prompt, max_new_tokens=100, do_sample=False, return_full_text=False)
    return str(said[0]["generated_text"])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default=ANSWER, help="what is traced, or with --model the prompt")
    parser.add_argument("--index", default="library-index", help="an index; one of the standard library is made if there is none")
    parser.add_argument("--model", help="a language model that answers the text first")
    parser.add_argument("--min-length", type=int, default=3, help="tokens of the shortest part shown")
    options = parser.parse_args(arguments)
    if not Path(options.index).exists():
        si.build(sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")), options.index, tokenizer="words", on_error="skip")
    text = answer_of(options.model, options.text) if options.model else options.text
    with si.open(options.index) as index:
        ids = index.encode(text)
        counts = index.counts([[token] for token in ids.tolist()])
        log_probs = np.log(np.maximum(counts, 1) / index.num_tokens)
        spans = index.spans(ids, min_length=options.min_length, limit=3)
        print(f"{len(spans)} parts of {options.min_length} tokens or more, in {index.num_documents:,} documents; rarest first\n")
        for span in sorted(spans, key=lambda span: float(log_probs[span.start : span.stop].sum())):
            where = ", ".join(Path(document.path or "").name for document in span.documents)
            print(f"“{index.decode(ids[span.start : span.stop])}”\n    {span.count:,} times: {where}")


if __name__ == "__main__":
    main()
