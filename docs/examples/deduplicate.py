"""Which documents of a corpus say what others said before.

Lee et al. (arXiv 2107.06499) drop text that occurs twice in 50 tokens of a model or more, some 200 bytes. This marks, in every
document, the tokens of such passages that an earlier document holds too (or an earlier place of the same one), lists the passages
that cost most, and writes the documents of which at most half is marked: a corpus without copies, to build another index of.
`suffixindex deduplicate` cuts the passages themselves out, at any size; this drops whole documents by a rule of your own.

    python deduplicate.py --index my-index --min-length 50 --most 0.5 --output kept.jsonl

Without options the corpus is modules of Python's standard library, and some of them once more with a new beginning, in bytes.
"""

import argparse
import json
import sysconfig
from pathlib import Path

import numpy as np

import suffixindex as si


def make_corpus(path: Path) -> None:
    """Modules, and after them every eighth one again, with another first line."""
    modules = [module.read_text(encoding="utf-8") for module in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))]
    texts = modules + [f"# A copy.\n{text}" for text in modules[::8]]
    path.write_text("".join(json.dumps({"text": text, "number": n}) + "\n" for n, text in enumerate(texts)), encoding="utf-8")


def said_before(index: si.SuffixIndex, passages: list[si.Duplicate]) -> list[np.ndarray]:
    """Of each document, which tokens lie in a passage that occurs earlier: bool[tokens]."""
    marked = [np.zeros(len(index.document(number).token_ids), bool) for number in range(index.num_documents)]
    for passage in passages:
        places = [(match.document_id, offset) for match in index.documents(passage.token_ids, None) for offset in match.offsets]
        for document, offset in places[1:]:
            marked[document][offset : offset + len(passage.token_ids)] = True
    return marked


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="copies-index", help="an index; one of a corpus with copies is made if there is none")
    parser.add_argument("--min-length", type=int, default=200, help="tokens of the shortest passage that counts")
    parser.add_argument("--most", type=float, default=0.5, help="the largest share of a document that may be said before")
    parser.add_argument("--output", type=Path, default=Path("kept.jsonl"))
    options = parser.parse_args(arguments)
    if not Path(options.index).exists():
        make_corpus(Path("copies.jsonl"))
        si.build("copies.jsonl", options.index, tokenizer="bytes")
    with si.open(options.index) as index:
        found = index.duplicates(options.min_length, limit=None, max_documents=0)
        print(f"{found.num_passages:,} passages occur more than once; {found.num_tokens / index.num_tokens:.1%} of all tokens")
        for passage in found.passages[:5]:
            begins = " ".join(index.decode(passage.token_ids[:60]).split())
            print(f"{passage.count:6,} times, {len(passage.token_ids):7,} tokens: {begins[:60]}")
        shares = [float(tokens.mean()) if len(tokens) else 0.0 for tokens in said_before(index, found.passages)]
        with options.output.open("w", encoding="utf-8") as file:
            for number, share in enumerate(shares):
                if share <= options.most:
                    record = {**index.document(number).metadata, "text": index.text(number)}
                    file.write(json.dumps(record) + "\n")
        dropped = sum(share > options.most for share in shares)
        print(f"{dropped:,} of {index.num_documents:,} documents dropped, the others in {options.output}")


if __name__ == "__main__":
    main()
