"""Questions about documents: one, those that hold n-grams, those that hold several together, and groups of them."""

from collections import Counter
from typing import Any, cast

import numpy as np

from suffixindex.ngrams import Clause
from suffixindex.queries.documents import Unit
from suffixindex.queries.groups import Value
from suffixindex.serve import pricing, problems
from suffixindex.serve.marking import mark
from suffixindex.serve.v1 import models, replies
from suffixindex.serve.v1.questions import Answer, Asking, next_cursor, pack_mask, question, start_of

SHOWN_TOKENS = 100_000
"""Tokens of a document that one answer holds at most."""
CELLS = 4_000_000
"""Of a matrix."""


def _price_one(asking: Asking, asked: models.OneNgram) -> float:
    occurrences = asking.served.pricing.occurrences([asked.ngram])
    return asking.served.pricing.call(asked.ngram) + pricing.STAMP * occurrences + asking.where_price(asked.where, occurrences)


@question(models.OneNgram, replies.Counted, _price_one)
def document_count(asking: Asking, asked: models.OneNgram) -> Answer:
    """Documents that hold an n-gram, each counted once."""
    return {"ngram": asking.described(asked.ngram), "count": asking.index.document_count(asked.ngram, asking.mask(asked.where))}


def _price_many(asking: Asking, asked: models.ManyNgrams) -> float:
    per_occurrence = pricing.STAMP + (pricing.FILTER if asked.where else 0.0)
    return asking.served.pricing.bulk(asked.ngrams, per_occurrence) + asking.where_price(asked.where)


@question(models.ManyNgrams, replies.Counts, _price_many)
def document_counts(asking: Asking, asked: models.ManyNgrams) -> Answer:
    """Documents that hold each of many n-grams."""
    return {"counts": asking.index.document_counts(asked.ngrams, asking.mask(asked.where))}


def _price_documents(asking: Asking, asked: models.AskDocuments | models.AskSample) -> float:
    prices = asking.served.pricing
    occurrences, listed = prices.occurrences([asked.ngram]), pricing.LIST + pricing.SORT
    if isinstance(asked, models.AskDocuments):
        last = start_of(asked.offset, asked.cursor) + asked.limit + 1
        shown, found = asked.limit, prices.page(asked.ngram, occurrences, last, listed)
    else:
        shown, found = asked.k, listed * occurrences
    shown *= 1 + (asked.snippet is not None)
    return (
        prices.call(asked.ngram) + found + pricing.DOCUMENT * min(shown, occurrences) + asking.where_price(asked.where, occurrences)
    )


@question(models.AskDocuments, replies.Matches, _price_documents, rows="documents")
def documents(asking: Asking, asked: models.AskDocuments) -> Answer:
    """Documents that hold an n-gram, by id, and where in them it stands."""
    index, mask, start = asking.index, asking.mask(asked.where), start_of(asked.offset, asked.cursor)
    found = index.documents(asked.ngram, asked.limit + 1, start, mask)
    ngram, length = asking.described(asked.ngram), asking.length(asked.ngram, asked.snippet)
    shown = [asking.match(one, length, asked.snippet, asked.max_offsets) for one in found[: asked.limit]]
    return {"ngram": ngram, "documents": shown, "next_cursor": next_cursor(start, len(shown), start + len(found))}


@question(models.AskSample, replies.Matches, _price_documents, rows="documents")
def sample_documents(asking: Asking, asked: models.AskSample) -> Answer:
    """k documents that hold an n-gram, each equally likely, by ascending id; the same ones for the same seed."""
    found = asking.index.sample_documents(asked.ngram, asked.k, asked.seed, asking.mask(asked.where))
    ngram, length = asking.described(asked.ngram), asking.length(asked.ngram, asked.snippet)
    shown = [asking.match(one, length, asked.snippet, asked.max_offsets) for one in found]
    return {"ngram": ngram, "documents": shown}


@question(models.AskDocument, replies.WholeDocument, lambda asking, asked: pricing.DOCUMENT * (1 + len(asked.highlight)))
def document(asking: Asking, asked: models.AskDocument) -> Answer:
    """One document, or tokens `[start, stop)` of it, and where it came from."""
    index = asking.index
    found = index.document(asked.document_id)
    size = len(found.token_ids)
    start = min(asked.start, size)
    stop = min(size, start + SHOWN_TOKENS if asked.stop is None else max(asked.stop, start))
    if stop - start > SHOWN_TOKENS:
        raise problems.malformed(f"{stop - start:,} tokens of a document: one answer holds {SHOWN_TOKENS:,}, ask for parts")
    ids = found.token_ids[start:stop]
    segments = mark(index, ids, [[index.checker.ngram(ngram)] for ngram in asked.highlight])
    return {
        "document_id": found.document_id,
        "num_tokens": size,
        "start": start,
        "stop": stop,
        "token_ids": ids,
        "text": index.decode(ids),
        "segments": [{"text": text, "highlight": number} for text, number in segments],
        "path": found.path,
        "line": found.line,
        "metadata": found.metadata,
    }


# ---- together ----------------------------------------------------------------------------------------------------


def _price_together(asking: Asking, asked: models.AskClauses) -> float:
    return asking.served.pricing.together(asked.clauses, asked.window) + asking.where_price(asked.where)


@question(models.AskDocumentIds, replies.DocumentIds, _price_together)
def document_ids(asking: Asking, asked: models.AskDocumentIds) -> Answer:
    """Ids of the documents that hold every clause, ascending; with a window, within so many tokens of each other."""
    found = asking.index.document_ids(*asked.clauses, window=asked.window, where=asking.mask(asked.where))
    start = start_of(asked.offset, asked.cursor)
    shown = found[start : start + asked.limit]
    return {"total": len(found), "document_ids": shown, "next_cursor": next_cursor(start, len(shown), len(found))}


@question(models.AskClauses, replies.Together, _price_together)
def cooccurrence(asking: Asking, asked: models.AskClauses) -> Answer:
    """How many documents hold every clause; with a window, within so many tokens of each other."""
    return {"count": asking.index.cooccurrence(*asked.clauses, window=asked.window, where=asking.mask(asked.where))}


def _price_all_together(asking: Asking, asked: models.AskCooccurrences) -> float:
    filtered = asking.where_price(asked.where)
    if asked.pairs is not None:
        numbers = np.array(asked.pairs, np.int64).reshape(-1)
        ngrams = asked.ngrams or []
        counts = asking.served.pricing.sizes(ngrams)
        known = numbers[(numbers >= 0) & (numbers < len(ngrams))]
        each = pricing.STAMP if asked.window is None else pricing.NEAR
        return float(filtered + asking.served.pricing.bulk(ngrams, 0.0) + each * counts[known].sum())
    clauses: list[Clause] = [clause for one in asked.questions or () for clause in one]
    return filtered + asking.served.pricing.together(clauses, asked.window)


@question(models.AskCooccurrences, replies.Counts, _price_all_together)
def cooccurrences(asking: Asking, asked: models.AskCooccurrences) -> Answer:
    """How many documents hold all clauses of each question: `questions`, or `pairs` of numbers of `ngrams`."""
    if (asked.questions is None) == (asked.pairs is None) or (asked.pairs is None) != (asked.ngrams is None):
        raise problems.malformed("give questions, or pairs together with ngrams")
    index, mask = asking.index, asking.mask(asked.where)
    if asked.questions is not None:
        return {"counts": index.cooccurrences(asked.questions, window=asked.window, where=mask)}
    pairs = np.array(asked.pairs, np.int64).reshape(-1, 2)
    return {"counts": index.cooccurrences(pairs, asked.ngrams, window=asked.window, where=mask)}


def _price_matrix(asking: Asking, asked: models.AskMatrix) -> float:
    prices, ngrams = asking.served.pricing, [*asked.rows, *asked.columns]
    counts = prices.sizes(ngrams).tolist()
    rows, columns = sum(counts[: len(asked.rows)]), sum(counts[len(asked.rows) :])
    each = rows * len(asked.columns) + columns * len(asked.rows)
    cells = pricing.SEARCH * len(asked.rows) * len(asked.columns)
    return float(cells + prices.bulk(ngrams, 0.0) + pricing.STAMP * each) + asking.where_price(asked.where)


@question(models.AskMatrix, replies.Matrix, _price_matrix)
def cooccurrence_matrix(asking: Asking, asked: models.AskMatrix) -> Answer:
    """Documents that hold both an n-gram of `rows` and one of `columns`, for each of both."""
    if len(asked.rows) * len(asked.columns) > CELLS:
        raise problems.malformed(f"{len(asked.rows) * len(asked.columns):,} cells: one answer holds {CELLS:,}, ask for parts")
    return {"counts": asking.index.cooccurrence_matrix(asked.rows, asked.columns, asking.mask(asked.where)).tolist()}


# ---- groups ------------------------------------------------------------------------------------------------------


def _listed(name: str, counter: Counter[Value]) -> dict[str, Any]:
    return {"field": name, "groups": [{"value": value, "count": number} for value, number in counter.items()]}


def _price_groups(asking: Asking, asked: models.AskGroups) -> float:
    return pricing.CALL + asking.served.pricing.fields([asked.field]) + pricing.MASK * asking.index.num_documents


@question(models.AskGroups, replies.GroupCounts, _price_groups, rows="groups")
def groups(asking: Asking, asked: models.AskGroups) -> Answer:
    """How many documents have each value of a field of their metadata."""
    found = asking.index.groups(asked.field)
    asking.served.pricing.known_fields.add(asked.field)
    return _listed(asked.field, found)


def _price_by(asking: Asking, asked: models.AskCountsBy) -> float:
    occurrences = asking.served.pricing.occurrences([asked.ngram])
    per_occurrence = pricing.GROUP if asked.unit == "occurrences" else pricing.LIST
    fields = asking.served.pricing.fields([asked.field])
    return (
        asking.served.pricing.call(asked.ngram)
        + per_occurrence * occurrences
        + fields
        + asking.where_price(asked.where, occurrences)
    )


@question(models.AskCountsBy, replies.GroupCounts, _price_by, rows="groups")
def counts_by(asking: Asking, asked: models.AskCountsBy) -> Answer:
    """Occurrences of an n-gram, or documents that hold it, for each value of a field; largest first."""
    found = asking.index.counts_by(asked.ngram, asked.field, cast(Unit, asked.unit), asking.mask(asked.where))
    asking.served.pricing.known_fields.add(asked.field)
    return _listed(asked.field, found)


@question(models.AskMask, replies.Mask, lambda asking, asked: pricing.CALL + asking.where_price(asked.where))
def mask(asking: Asking, asked: models.AskMask) -> Answer:
    """The documents that a `where` means, a bit for each."""
    found = asking.mask(asked.where)
    assert found is not None
    return {"num_documents": len(found), "count": int(found.sum()), "mask": pack_mask(found)}
