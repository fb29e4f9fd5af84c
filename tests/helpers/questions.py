"""Every question that an index answers, each asked in a few ways: so that two indexes can be held against each other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import suffixindex as si
from tests.helpers.strategies import Corpus, ngrams, patterns, questions

FIELD = "field"
"""The field of the metadata that is asked for."""


class Asked(NamedTuple):
    """What the questions are about."""

    ngrams: list[Any]
    """And patterns, among these and in pairs."""
    contexts: list[Any]
    texts: list[list[int]]
    pairs: list[list[Any]]
    mask: np.ndarray


@st.composite
def asked(draw: st.DrawFn, corpus: Corpus) -> Asked:
    drawn = draw(st.lists(ngrams(corpus), min_size=1, max_size=4))
    pattern = draw(patterns(corpus))
    holed: list[Any] = [as_query(pattern)]
    return Asked(
        drawn + holed,
        [ngram for ngram in drawn if ngram[-1:] != [corpus.separator]] + holed * (pattern[-1] != [[corpus.separator]]),
        [[token for token in ngram if token != corpus.separator] for ngram in drawn],
        [*draw(st.lists(questions(corpus), max_size=3)), [holed[0], [corpus.alphabet[:1], holed[0]]]],
        np.array(draw(st.lists(st.booleans(), min_size=len(corpus.documents), max_size=len(corpus.documents)))),
    )


def as_query(pattern: Sequence[Any]) -> Any:
    """A pattern of the oracle as a user writes it."""
    return si.pattern(*(si.gap(*element[1:]) if element[0] == "gap" else element for element in pattern))


def records(size: int) -> list[dict[str, Any]]:
    """Metadata of so many documents."""
    return [{"path": f"{i % 2}.txt", "line": i, "metadata": {FIELD: i % 3}} for i in range(size)]


Question = Callable[[Any, Asked], Any]

QUESTIONS: Mapping[str, Question] = {
    "count": lambda index, a: [index.count(ngram, where) for ngram in a.ngrams for where in (None, a.mask)],
    "counts": lambda index, a: [index.counts(a.ngrams, where) for where in (None, a.mask, {FIELD: 1})],
    "next_distribution": lambda index, a: [index.next_distribution(one, where) for one in a.contexts for where in (None, a.mask)],
    "next_distributions": lambda index, a: [index.next_distributions(a.contexts, where) for where in (None, a.mask)],
    "concordance": lambda index, a: [index.concordance(one, 2, None, where=w) for one in a.ngrams for w in (None, a.mask)],
    "document": lambda index, a: [index.document(number) for number in range(index.num_documents)],
    "text": lambda index, a: [index.text(number) for number in range(index.num_documents)],
    "document_count": lambda index, a: [index.document_count(ngram) for ngram in a.ngrams],
    "document_counts": lambda index, a: [index.document_counts(a.ngrams, where) for where in (None, a.mask)],
    "documents": lambda index, a: [index.documents(one, None, where=where) for one in a.ngrams for where in (None, a.mask)],
    "sample_documents": lambda index, a: [index.sample_documents(ngram, 2, seed=0) for ngram in a.ngrams],
    "document_ids": lambda index, a: [index.document_ids(*pair, window=w, where=a.mask) for pair in a.pairs for w in (None, 0, 2)],
    "holding": lambda index, a: [index.holding(*pair) for pair in a.pairs],
    "cooccurrence": lambda index, a: [index.cooccurrence(*pair, window=w) for pair in a.pairs for w in (None, 0, 1, 3)],
    "cooccurrences": lambda index, a: [index.cooccurrences(a.pairs, window=w, where=m) for w in (None, 2) for m in (None, a.mask)],
    "cooccurrence_matrix": lambda index, a: index.cooccurrence_matrix(a.ngrams, a.ngrams),
    "groups": lambda index, a: [index.groups(field) for field in (FIELD, "path")],
    "counts_by": lambda index, a: [index.counts_by(one, FIELD, unit) for one in a.ngrams for unit in ("occurrences", "documents")],
    "mask": lambda index, a: index.mask({FIELD: [0, 2]}),
    "infgram": lambda index, a: [index.infgram(text, 0) for text in a.texts],
    "suffix_length": lambda index, a: [index.suffix_length(text) for text in a.texts],
    "score": lambda index, a: [index.score(text) for text in a.texts],
    "scores": lambda index, a: index.scores(a.texts),
    "match": lambda index, a: [index.match(text) for text in a.texts],
    "matches": lambda index, a: index.matches(a.texts),
    "spans": lambda index, a: [index.spans(text) for text in a.texts],
    "novelty": lambda index, a: [index.novelty(text, 3) for text in a.texts],
    "top_ngrams": lambda index, a: index.top_ngrams(1, 3),
    "ngram_statistics": lambda index, a: index.ngram_statistics(3, 2),
    "distinct_ngrams": lambda index, a: index.distinct_ngrams(3),
    "count_of_counts": lambda index, a: index.count_of_counts(2, 3),
    "duplicates": lambda index, a: index.duplicates(1, limit=None),
}
"""By the method that answers."""

OF_SPELLINGS = {"encode", "decode", "pieces", "variants", "count_variants", "boundary_warning"}
"""Methods that ask the tokenizer."""
OF_THE_INDEX = {
    "close",
    "info",
    "is_current",
    "num_shards",
    "shards",
    "tokenizer",
    "next_tokens",
    "bulk_next_tokens",
    "text_matches",
}
"""What is no question, or goes by an old name."""


def every_question_is_here() -> bool:
    """Whether a question that was added to the index was added here too."""
    public = {name for name in dir(si.SuffixIndex) if not name.startswith("_")}
    return public == QUESTIONS.keys() | OF_SPELLINGS | OF_THE_INDEX


def same(found: Any, expected: Any) -> bool:
    """Equal, arrays element by element, in lists and tuples too."""
    if isinstance(expected, np.ndarray):
        return isinstance(found, np.ndarray) and found.dtype == expected.dtype and np.array_equal(found, expected)
    if isinstance(expected, (list, tuple)):
        return type(found) is type(expected) and len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


def other_answers(
    found: si.SuffixIndex, expected: si.SuffixIndex, about: Asked, leave_out: frozenset[str] = frozenset()
) -> list[str]:
    """The questions that two indexes answer otherwise."""
    return [name for name, ask in QUESTIONS.items() if name not in leave_out and not same(ask(found, about), ask(expected, about))]
