"""Is it exact? Compares an index with a brute-force scan of the corpus that shares no code with it.

    python -m benchmarks.exactness CORPUS… --tokenizer words|bytes|tokenizer.json [--samples 1000]

Builds the corpus (JSON lines, .gz, .zst) twice, as one shard and as five, samples n-grams of 1 to 12 tokens and as many
that do not occur, and demands that ``counts``, ``document_counts`` and ``cooccurrences`` equal the scan's, in both.
"""

import argparse
import gzip
import io
import json
import string
import tempfile
import time
import unicodedata
from pathlib import Path

import numpy as np
import zstandard

import suffixindex as si


def read_texts(paths: list[str]) -> list[str]:
    """The texts of JSON lines files, read plainly."""
    texts: list[str] = []
    for name in paths:
        for path in sorted(Path(name).iterdir()) if Path(name).is_dir() else [Path(name)]:
            with open(path, "rb") as raw:
                if path.suffix == ".zst":
                    stream = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(raw, read_across_frames=True)
                else:
                    stream = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
                texts += [json.loads(line)["text"] for line in io.TextIOWrapper(stream, encoding="utf-8", newline="\n")]
    return texts


def encode_texts(texts: list[str], tokenizer: str) -> list[np.ndarray]:
    """Ids of each text; for words any numbering will do, since n-grams are compared as text."""
    if tokenizer == "bytes":
        return [np.frombuffer(text.encode(), np.uint8).astype(np.int64) for text in texts]
    if tokenizer == "words":
        between = dict.fromkeys((c for c in map(chr, range(0x110000)) if unicodedata.category(c)[0] in "PS"), " ")
        assert set(string.punctuation) <= between.keys()
        table = str.maketrans(between)
        numbers: dict[str, int] = {}
        return [
            np.array([numbers.setdefault(word, len(numbers)) for word in text.translate(table).lower().split()], np.int64)
            for text in texts
        ]
    import tokenizers

    reference = tokenizers.Tokenizer.from_file(tokenizer)
    reference.no_truncation()
    encoded = []
    for start in range(0, len(texts), 1000):
        encoded += [
            np.array(e.ids, np.int64) for e in reference.encode_batch(texts[start : start + 1000], add_special_tokens=False)
        ]
    return encoded


class Scan:
    """The definition: look at every position. The text's end is -1, so that nothing crosses it."""

    def __init__(self, documents: list[np.ndarray]) -> None:
        end = np.array([-1])
        self.tokens = np.concatenate([part for ids in documents for part in (ids, end)] + [np.full(16, -1)])
        lengths = [len(ids) + 1 for ids in documents]
        self.document = np.repeat(np.arange(len(documents)), lengths)
        self.small = self.tokens.astype(np.int32)

    def positions(self, ngram: np.ndarray) -> np.ndarray:
        rarest = int(np.argmin([self.frequency(token) for token in ngram.tolist()]))
        found = np.flatnonzero(self.small == ngram[rarest]) - rarest
        found = found[found >= 0]
        for offset, token in enumerate(ngram.tolist()):
            found = found[self.small[found + offset] == token]
        return found

    def frequency(self, token: int) -> int:
        if not hasattr(self, "_frequencies"):
            self._frequencies = np.bincount(self.tokens[self.tokens >= 0])
        return int(self._frequencies[token]) if token < len(self._frequencies) else 0


def sample(scan: Scan, samples: int, seed: int) -> list[np.ndarray]:
    """``samples`` n-grams of 1 to 12 tokens that occur, then as many that a changed or swapped token makes absent."""
    rng = np.random.default_rng(seed)
    present: list[np.ndarray] = []
    while len(present) < samples:
        start, length = int(rng.integers(len(scan.tokens) - 16)), int(rng.integers(1, 13))
        ngram = scan.tokens[start : start + length]
        if (ngram >= 0).all():
            present.append(ngram)
    absent: list[np.ndarray] = []
    while len(absent) < samples:
        ngram = np.concatenate([present[int(rng.integers(samples))], present[int(rng.integers(samples))]])[:12]
        rng.shuffle(ngram[-4:])
        if not len(scan.positions(ngram)):
            absent.append(ngram)
    return present + absent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    texts = read_texts(options.corpus)
    documents = encode_texts(texts, options.tokenizer)
    scan = Scan(documents)
    ngrams = sample(scan, options.samples, options.seed)
    started = time.perf_counter()
    positions = [scan.positions(ngram) for ngram in ngrams]
    holding = [np.unique(scan.document[found]) for found in positions]
    counts = np.array([len(found) for found in positions])
    document_counts = np.array([len(found) for found in holding])
    rng = np.random.default_rng(options.seed)
    frequent = np.argsort(-document_counts)[: len(ngrams) // 8]  # with these the others do occur together
    pairs = [(i, int(rng.choice(frequent))) for i in range(len(ngrams))]
    together = np.array([len(np.intersect1d(holding[i], holding[j])) for i, j in pairs])
    seconds = time.perf_counter() - started
    print(f"scan: {len(texts):,} documents, {len(scan.document):,} positions, {len(ngrams):,} n-grams, {seconds:.0f} s")
    if options.tokenizer == "bytes":
        joined = b"\xff".join(text.encode() for text in texts)
        for ngram, count in list(zip(ngrams, counts, strict=True))[:: max(1, len(ngrams) // 200)]:
            assert overlapping(joined, bytes(ngram.tolist())) == count

    with tempfile.TemporaryDirectory() as folder:
        total = sum(map(len, documents)) + len(documents)
        for shards, size in ((1, total), (5, total // 5 + max(map(len, documents)) + 1)):
            report = si.build(options.corpus, Path(folder) / str(shards), tokenizer=options.tokenizer, shard_tokens=size)
            with si.open(report.path) as index:
                assert index.num_documents == len(texts), (index.num_documents, len(texts))
                assert index.num_tokens == sum(map(len, documents))
                asked = ids_of(index, ngrams, documents, texts)
                np.testing.assert_array_equal(index.counts(asked), counts)
                np.testing.assert_array_equal([index.count(ngram) for ngram in asked], counts)
                np.testing.assert_array_equal(index.document_counts(asked), document_counts)
                np.testing.assert_array_equal(index.cooccurrences([(asked[i], asked[j]) for i, j in pairs]), together)
            print(
                f"{options.tokenizer}, {report.num_shards} shard(s), {report.num_tokens:,} tokens: counts, document counts and "
                f"co-occurrences of {len(ngrams):,} n-grams equal the scan ({int((counts > 0).sum()):,} occur, "
                f"{counts.sum():,} occurrences; {int((together > 0).sum()):,} pairs occur together)"
            )


def ids_of(index: si.SuffixIndex, ngrams: list[np.ndarray], documents: list[np.ndarray], texts: list[str]) -> list[np.ndarray]:
    """The n-grams in the index's ids. Its documents are the texts in order, so equal places show which id is which."""
    largest = max(int(ids.max()) for ids in documents if len(ids))
    numbers = np.zeros(largest + 1, np.int64)
    for number, ids in enumerate(documents):
        found = index.document(number).token_ids
        assert len(found) == len(ids), (number, texts[number][:80])
        numbers[ids] = found
    for number, ids in enumerate(documents):
        assert (numbers[ids] == index.document(number).token_ids).all(), (number, texts[number][:80])
    return [numbers[ngram] for ngram in ngrams]


def overlapping(text: bytes, part: bytes) -> int:
    """Occurrences of ``part``, overlapping ones each."""
    found, at = 0, text.find(part)
    while at >= 0:
        found += 1
        at = text.find(part, at + 1)
    return found


if __name__ == "__main__":
    main()
