"""A request of infini-gram's API, checked as its server checks it: in its order, with its limits and sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.index import SuffixIndex
from suffixindex.serve.compat.terms import Terms

MOST_CHARACTERS = 1000
MOST_TOKENS = 500
MOST_CLAUSES = 4
MOST_TERMS = 4
SEPARATOR = 65535
"""The id by which clients name the end of a document, whatever the width of a token."""

LIMITS = {
    "max_clause_freq": (500_000, 50_000),
    "max_diff_tokens": (1000, 100),
    "max_support": (1000, 1000),
    "maxnum": (10, 1),
    "max_disp_len": (10_000, 1000),
}
"""Largest value and default of each optional field; the smallest is 1."""
USES = {
    "count": ("max_clause_freq", "max_diff_tokens"),
    "count_cnf": ("max_clause_freq", "max_diff_tokens"),
    "find": (),
    "find_cnf": ("max_clause_freq", "max_diff_tokens"),
    "prob": (),
    "ntd": ("max_support",),
    "infgram_prob": (),
    "infgram_ntd": ("max_support",),
    "search_docs": ("maxnum", "max_disp_len", "max_clause_freq", "max_diff_tokens"),
    "search_docs_cnf": ("maxnum", "max_disp_len", "max_clause_freq", "max_diff_tokens"),
    "get_doc_by_rank": ("max_disp_len",),
    "get_doc_by_ptr": ("max_disp_len",),
}
"""The query types, and the optional fields that each heeds."""
WITHOUT_QUERY = ("get_doc_by_rank", "get_doc_by_ptr")
"""Asked by clients that have no query to highlight."""
KNOWN = {"query_type", "corpus", "index", "engine", "source", "timestamp", "query", "query_ids", "s", "rank", "ptr", *LIMITS}


class RefusedError(Exception):
    """A request that names no question: status 400."""


class WrongError(Exception):
    """A question that has no answer: status 200 and an ``error``, as clients expect."""


class Plain(NamedTuple):
    """One n-gram."""

    ids: list[int]


class Cnf(NamedTuple):
    """Clauses that must all hold, each the terms of which any makes it hold."""

    clauses: list[list[list[int]]]


@dataclass(frozen=True)
class Routed:
    """What is asked of which index."""

    query_type: str
    index: str
    data: Mapping[str, Any]


def route(data: Mapping[str, Any], names: Mapping[str, Any] | Any) -> Routed:
    """The index and the query type of a request.

    Raises
    ------
    RefusedError
    """
    if "query_type" not in data:
        raise RefusedError("[Flask] Missing required field: 'query_type'")
    name = data["corpus"] if "corpus" in data else data.get("index")
    if name is None:
        raise RefusedError("[Flask] Missing required field: 'index'")
    query_type = data["query_type"]
    asked = [key for key in ("query", "query_ids") if data.get(key) is not None]
    if len(asked) != 1 and not (not asked and query_type in WITHOUT_QUERY):
        raise RefusedError("[Flask] Exactly one of query and query_ids must be present!")
    if not isinstance(name, str) or name not in names:
        raise RefusedError(f"[Flask] Invalid index: {name}")
    if not isinstance(query_type, str) or query_type not in USES:
        raise RefusedError(f"[Flask] Invalid query_type: {query_type}")
    return Routed(query_type, name, data)


class Query:
    """The query of a request, as ids; ``token_ids`` as they were asked."""

    def __init__(self, index: SuffixIndex, data: Mapping[str, Any]) -> None:
        self.index = index
        self.warnings: list[str] = []
        terms = Terms(index)
        self.token_ids: Any = self._of_text(terms, data["query"]) if data.get("query") is not None else self._of_ids(data)
        is_cnf = not _are_ids(self.token_ids)
        flat = [token for clause in self.token_ids for term in clause for token in term] if is_cnf else self.token_ids
        if len(flat) > MOST_TOKENS:
            raise WrongError(f"Please limit your input to <= {MOST_TOKENS} tokens!")
        if not all(0 <= token < index.vocabulary_size or token in (SEPARATOR, index.separator) for token in flat):
            raise WrongError("Some item(s) in your query_ids are out-of-range!")
        self.tokens: Any = (
            [[terms.tokens(term) for term in clause] for clause in self.token_ids] if is_cnf else terms.tokens(self.token_ids)
        )
        if is_cnf and len(self.token_ids) > MOST_CLAUSES:
            raise self.wrong(f"Please enter at most {MOST_CLAUSES} disjunctive clauses!")
        if is_cnf and any(len(clause) > MOST_TERMS for clause in self.token_ids):
            raise self.wrong(f"Please enter at most {MOST_TERMS} terms in each disjunctive clause!")
        self.asked: Plain | Cnf = (
            Cnf([[self._with_separator(term) for term in clause] for clause in self.token_ids])
            if is_cnf
            else Plain(self._with_separator(self.token_ids))
        )

    def wrong(self, sentence: str) -> WrongError:
        """An error that comes with the query as it was understood."""
        return WrongError(sentence, {"token_ids": self.token_ids, "tokens": self.tokens})

    def _of_text(self, terms: Terms, text: Any) -> Any:
        if not isinstance(text, str):
            raise WrongError("query must be a string!")
        if len(text) > MOST_CHARACTERS:
            raise WrongError(f"Please limit your input to <= {MOST_CHARACTERS} characters!")
        if " AND " not in text and " OR " not in text:
            self._warn(terms, text)
            return terms.encode(text)
        clauses = [clause.split(" OR ") for clause in text.split(" AND ")]
        for clause in clauses:
            for term in clause:
                self._warn(terms, term)
        return [[terms.encode(term) for term in clause] for clause in clauses]

    def _warn(self, terms: Terms, term: str) -> None:
        if warning := terms.warning(term):
            self.warnings.append(warning)

    def _of_ids(self, data: Mapping[str, Any]) -> Any:
        ids = data.get("query_ids")
        if ids is None:
            return []
        if not _are_ids(ids) and not _are_clauses(ids):
            raise WrongError("query_ids must be a list of integers, or a triply-nested list of integers!")
        return ids

    def _with_separator(self, ids: list[int]) -> list[int]:
        """Ids in which the end of a document is this index's separator."""
        return [self.index.separator if token == SEPARATOR >= self.index.vocabulary_size else token for token in ids]

    def plain(self, sentence: str) -> NDArray[np.int64]:
        """The n-gram, checked, if it is one; else the sentence is what is wrong. It may begin with one separator."""
        if isinstance(self.asked, Cnf):
            raise self.wrong(sentence)
        first, rest = self._led(self.asked.ids)
        return np.concatenate([np.array(first, np.int64), self.index.checker.ngram(rest)])

    def cnf(self) -> list[list[NDArray[np.int64]]]:
        """The clauses, checked, if there are any."""
        asked = self.asked if isinstance(self.asked, Cnf) else Cnf([])
        if not asked.clauses or not all(clause and all(clause) for clause in asked.clauses):
            raise self.wrong(f"cnf must be a non-empty, triply-nested list of integers in range [0, {most_id(self.index)}]")
        return self._checked(asked)

    def checked(self) -> list[list[NDArray[np.int64]]]:
        """The clauses that an answer highlights, one for a plain n-gram, of which a separator in front is no part."""
        if isinstance(self.asked, Plain):
            return [[self.index.checker.ngram(self._led(self.asked.ids)[1])]]
        return self._checked(self.asked)

    def _checked(self, asked: Cnf) -> list[list[NDArray[np.int64]]]:
        return [[self.index.checker.ngram(term) for term in clause] for clause in asked.clauses]

    def _led(self, ids: list[int]) -> tuple[list[int], list[int]]:
        """A separator that begins an n-gram of several ids, and the rest."""
        return (ids[:1], ids[1:]) if len(ids) > 1 and ids[0] == self.index.separator else ([], ids)


def most_id(index: SuffixIndex) -> int:
    """The largest id that a query may hold."""
    return max(SEPARATOR, int(np.iinfo(index.dtype).max))


def option(query: Query, data: Mapping[str, Any], name: str) -> int:
    """An optional field, null meaning its default.

    Raises
    ------
    WrongError
    """
    most, default = LIMITS[name]
    value = data.get(name)
    if value is None:
        return default
    if type(value) is not int or not 1 <= value <= most:
        raise query.wrong(f"{name} must be an integer in [1, {most}]!")
    return value


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(token) is int for token in value)


def _are_clauses(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(clause, list) and all(map(_are_ids, clause)) for clause in value)
