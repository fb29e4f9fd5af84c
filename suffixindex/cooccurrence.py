"""Which documents hold several n-grams together: questions of clauses, and their answers shard by shard."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Clause, NgramChecker, aliases
from suffixindex.shard import Interval, Shard

CACHED_DOCUMENTS = 1 << 26  # document ids that a bulk call remembers, of n-grams that occur in several questions

Question = list[list[int]]
"""Clauses, all of which must hold; a clause is the numbers of n-grams, any of which will do."""


def number_ngrams(
    pairs: Iterable[Sequence[Clause]], checker: NgramChecker
) -> tuple[list[NDArray[np.unsignedinteger[Any]]], list[Question]]:
    """The distinct n-grams of all pairs, and the pairs as questions in their numbers.

    Raises
    ------
    QueryError
        A pair without clauses, a clause without n-grams, or a bad n-gram.
    """
    numbers: dict[bytes, int] = {}
    ngrams: list[NDArray[Any]] = []
    questions: list[Question] = []
    for pair in pairs:
        if isinstance(pair, str):
            raise QueryError("expected the n-grams of a pair, found one text: put it in a list")
        question: Question = []
        for clause in pair:
            question.append([])
            for alias in aliases(clause):
                ids = checker.ngram(alias)
                number = numbers.setdefault(ids.tobytes(), len(numbers))
                if number == len(ngrams):
                    ngrams.append(ids)
                question[-1].append(number)
        if not question or not all(question):
            raise QueryError("a co-occurrence needs at least one clause, and a clause at least one n-gram")
        questions.append(question)
    return ngrams, questions


def count_together(shard: Shard, intervals: list[Interval], questions: list[Question], window: int | None) -> NDArray[np.int64]:
    """Documents of one shard that hold all clauses of each question: ``int64[len(questions)]``.

    ``intervals`` are those of the numbered n-grams in this shard.
    """
    remembered: dict[int, NDArray[np.int64]] = {}
    size = 0

    def documents(number: int) -> NDArray[np.int64]:
        nonlocal size
        if number not in remembered:
            if size > CACHED_DOCUMENTS:
                remembered.clear()
                size = 0
            remembered[number] = shard.documents([intervals[number]])
            size += len(remembered[number])
        return remembered[number]

    counts = np.zeros(len(questions), np.int64)
    for place, question in enumerate(questions):
        clauses = [[intervals[number] for number in clause] for clause in question]
        if not all(any(high > low for low, high in clause) for clause in clauses):
            continue
        if window is not None:
            counts[place] = len(shard.documents_within(clauses, window))
            continue
        unions = [np.unique(np.concatenate([documents(number) for number in clause])) for clause in question]
        together = min(unions, key=len)
        for union in unions:
            together = np.intersect1d(together, union, assume_unique=True)
        counts[place] = len(together)
    return counts
