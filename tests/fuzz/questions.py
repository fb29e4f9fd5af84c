"""Every public question of an index, with drawn arguments: what it answers as plain data, or which of our errors it raises."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

import suffixindex as si
from suffixindex.lm import Infgram, KneserNey, StupidBackoff, buckets_by_sparsity

Question = Callable[[si.SuffixIndex], Any]


def plain(value: Any) -> Any:
    """An answer as something that ``==`` compares."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "__dataclass_fields__"):
        return [plain(getattr(value, name)) for name in value.__dataclass_fields__]
    return value.item() if isinstance(value, np.generic) else value


def ask(index: si.SuffixIndex, question: Question) -> Any:
    """The answer, or the kind of our error; any other exception is a find."""
    try:
        return plain(question(index))
    except si.SuffixIndexError as error:
        return f"{type(error).__name__}"


def standard(index: si.SuffixIndex) -> dict[str, Question]:
    """A question of each kind that leads through all arrays, of ids that the index knows."""
    a, b, c = [2], [1, 2], [3]
    many = [[token] for token in range(5)] + [a, b, c, [1, 2, 3], [1, 1]]
    text = [1, 2, 3, 1, 2, 1, 1, 4, 2, 3, 4, 4, 1] * 3
    return {
        "count": lambda index: [index.count(ngram) for ngram in many],
        "counts": lambda index: index.counts(many * 60),
        "next": lambda index: [index.next_distribution(ngram) for ngram in (a, b, [])],
        "nexts": lambda index: index.next_distributions(many),
        "concordance": lambda index: index.concordance(a, limit=5),
        "patterns": lambda index: [
            [index.counts([pattern, a]), index.next_distribution(pattern), index.document_ids(pattern, c, window=9)]
            for pattern in ([2, si.ANY, 1], [1, si.gap(0, 4), [[2], [3, 1]]], [si.gap(1, 2), 3])
        ],
        "document": lambda index: [index.document(number) for number in range(0, index.num_documents, 7)],
        "text": lambda index: index.text(0),
        "documents": lambda index: index.documents(a, limit=4),
        "sample": lambda index: index.sample_documents(a, 3, seed=1),
        "document_counts": lambda index: index.document_counts(many),
        "document_ids": lambda index: index.document_ids(a, c, window=5),
        "cooccurrence": lambda index: index.cooccurrence([a, b], c),
        "cooccurrences": lambda index: index.cooccurrences([(a, b), (b, c), (a, c)] * 3),
        "window": lambda index: index.cooccurrences([(a, b)], window=3),
        "counts_by": lambda index: index.counts_by(a, "set"),
        "groups": lambda index: index.groups("path"),
        "where": lambda index: index.counts(many, where={"set": lambda value: value in (0, "a")}),
        "matches": lambda index: index.matches([text, text[:4]]),
        "scores": lambda index: index.scores([text]),
        "infgram": lambda index: index.infgram(text[:5], 1),
        "spans": lambda index: index.spans(text, min_length=2, limit=2),
        "novelty": lambda index: index.novelty(text, 4),
        "top": lambda index: index.top_ngrams(2, 5),
        "statistics": lambda index: index.ngram_statistics(3, 4),
        "duplicates": lambda index: index.duplicates(3, limit=4),
        "encode": lambda index: index.encode("row the old boat"),
        "pieces": lambda index: index.pieces([0, 1, 2]),
        "variants": lambda index: index.count_variants("row"),
        "dense": lambda index: [index.next_distribution(ngram).dense(index.vocabulary_size) for ngram in ([], a, b)],
        "holding": lambda index: index.holding(a, c, window=4),
        "matrix": lambda index: index.cooccurrence_matrix([a, b], [c, [1]]),
        "documents_by": lambda index: index.counts_by(a, "set", "documents"),
        "read": lambda index: [index.pieces(line.match) for line in index.concordance([1], limit=9)],
        "sparsity": lambda index: buckets_by_sparsity(index, text, index.score(text)),
        "samples": lambda index: [model.sample([1], 4, 0) for model in (Infgram(index), KneserNey(index, 3))],
        "perplexity": lambda index: KneserNey(index, 4).perplexity([text]),
        "backoffs": lambda index: [StupidBackoff(index, 3).next_scores([]), StupidBackoff(index, 4).score(text)],
        "kneser_ney": lambda index: KneserNey(index, 3).log_probs(text),
        "backoff": lambda index: StupidBackoff(index, 3).next_scores(a),
        "infgram_model": lambda index: Infgram(index).next_probs(a),
    }


def drawn(rng: Random, index: si.SuffixIndex) -> Question:
    """One public method with drawn arguments, many of them out of range or of another kind."""
    ngram, number, text = _ngram(rng), _number(rng), _ngram(rng)
    several = [_ngram(rng) for _ in range(rng.randrange(4))]
    values = rng.choice(["a", 0, None, range(2), [1, "b"], 1.5])
    where = rng.choice([None, None, {"set": values}, {"nothing": 1}, np.ones(3, bool), 7])
    unit = rng.choice(["occurrences", "documents", "x"])
    clauses = [rng.choice([_ngram(rng), [_ngram(rng), _ngram(rng)]]) for _ in range(rng.randrange(4))]
    small = rng.choice([None, 0, 1, 3, -1, number])
    questions: list[Question] = [
        lambda index: index.count(ngram, where),
        lambda index: index.counts(several, where),
        lambda index: index.next_distribution(ngram, where),
        lambda index: index.next_distributions(several, where),
        lambda index: index.concordance(ngram, rng.choice([0, 3, number]), small, rng.choice([0, number]), where),
        lambda index: index.document(number),
        lambda index: index.text(number),
        lambda index: index.document_count(ngram, where),
        lambda index: index.document_counts(several, where),
        lambda index: index.documents(ngram, small, rng.choice([0, 2, number]), where),
        lambda index: index.sample_documents(ngram, rng.choice([0, 2, number]), rng.choice([0, 1]), where),
        lambda index: index.document_ids(*clauses, window=small, where=where),
        lambda index: index.holding(*clauses, window=small, where=where),
        lambda index: index.cooccurrence(*clauses, window=small, where=where),
        lambda index: index.cooccurrences([clauses, clauses[:1]], window=small, where=where),
        lambda index: index.cooccurrences(np.array([[0, rng.choice([1, number % 2**31])]]), several),
        lambda index: index.cooccurrence_matrix(several, several, where),
        lambda index: index.groups(rng.choice(["set", "path", "", ".", "meta.x", "n"])),
        lambda index: index.counts_by(ngram, rng.choice(["set", "path", "", "a.b"]), unit, where),
        lambda index: index.mask(where),
        lambda index: index.infgram(ngram, number),
        lambda index: index.suffix_length(ngram),
        lambda index: index.score(text),
        lambda index: index.scores(several),
        lambda index: index.match(text),
        lambda index: index.matches(several),
        lambda index: index.spans(text, rng.choice([1, 2, number]), small),
        lambda index: index.novelty(text, rng.choice([1, 5, number % 1000])),
        lambda index: index.variants(text, rng.choice([["space"], ["case"], ["x"], "case", []])),
        lambda index: index.count_variants(text),
        lambda index: index.boundary_warning(text) if isinstance(text, str) else None,
        lambda index: index.top_ngrams(rng.choice([1, 3, number]), rng.choice([1, 5, 0])),
        lambda index: index.ngram_statistics(rng.choice([1, 3, 0, -1]), rng.choice([1, 5, 0])),
        lambda index: index.duplicates(rng.choice([1, 3, number]), limit=small, order=rng.choice(["saved", "length", "x"])),
        lambda index: index.encode(text) if isinstance(text, str) else None,
        lambda index: index.decode(ngram),
        lambda index: index.pieces(ngram),
        lambda index: StupidBackoff(index, rng.choice([1, 3, 0, number])).scores([text]),
        lambda index: KneserNey(index, rng.choice([1, 3, 0])).log_probs(text),
        lambda index: Infgram(index).log_probs(text),
        lambda index: Infgram(index).sample(ngram, rng.choice([0, 3]), 0),
    ]
    return rng.choice(questions)


def _number(rng: Random) -> int:
    return rng.choice([0, 1, 2, 5, 39, -1, -(2**63), 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**20])


def _ngram(rng: Random) -> Any:
    kind = rng.randrange(12)
    ids = [rng.randrange(5) for _ in range(rng.choice((0, 1, 2, 3, 40)))]
    if kind <= 5:
        return ids
    if kind == 6:
        return np.array(ids, rng.choice([np.uint8, np.int16, np.uint64, np.float64, np.bool_]))
    if kind == 7:
        return rng.choice(["row", " the old pond", "", "\ud800", "Ὀδυσσεύς", "?", "a" * 1000, "\0"])
    if kind == 8:
        return [*ids, rng.choice([255, 65535, 2**32 - 1, _number(rng)])]
    if kind == 9:
        return [rng.choice([255, 65535]), *ids]
    if kind == 10:
        return rng.choice([None, 3, 2.5, b"row", {}, {1: 2}, [[1]], [None], ["a"], [1.5], (1, "x"), np.zeros((2, 2), int)])
    return tuple(ids)
