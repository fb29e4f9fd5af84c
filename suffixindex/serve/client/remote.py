"""The questions of :class:`suffixindex.SuffixIndex`, asked of a server: the same names, arguments, results and errors."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.deprecated import OldNames, is_one_text, warn_renamed
from suffixindex.errors import QueryError
from suffixindex.ngrams import Clause, Ngram, NgramBatch, NgramChecker, Queries, Query, check_limits, check_not_negative
from suffixindex.ngrams import integers as checked_integers
from suffixindex.queries.cooccurrence import number_matrix, number_pairs
from suffixindex.queries.documents import Unit
from suffixindex.queries.duplicates import Order
from suffixindex.queries.groups import Value, Where
from suffixindex.queries.shard_set import Mask
from suffixindex.queries.variants import DEFAULT_KINDS
from suffixindex.results import (
    Concordance,
    Document,
    DocumentMatch,
    Duplicate,
    Duplicates,
    NextTokens,
    NgramCount,
    NgramProb,
    NgramStatistics,
    Novelty,
    Scores,
    Span,
    TextMatches,
    Variant,
    VariantCount,
    VariantCounts,
)
from suffixindex.serve.client import wire
from suffixindex.serve.client.transport import Transport, to_json
from suffixindex.storage.format import TOKEN_TYPES

FEW, FEW_BYTES = 500, 1 << 18
"""Questions, and bytes of them, that go in one request; more go in bulk."""
PAGE = 1000
IDS = 2_000_000
"""Ids of documents in one answer."""


class RemoteIndex(OldNames):
    """An index behind a server: the questions and answers of :class:`suffixindex.SuffixIndex`, a round trip each.

    So ask in bulk: a million n-grams are one call, which goes in portions. What the server finds too expensive, or has no time
    for, raises ServerError. Masks are of this side: ``holding`` and ``mask`` bring the documents here. Without ``shards``.
    """

    def __init__(self, transport: Transport, name: str | None) -> None:
        self._transport = transport
        try:
            served = {one["name"]: one for one in transport.get("v1", "indexes")["indexes"]}
        except (KeyError, TypeError) as error:
            raise transport.stranger() from error
        if name is None and len(served) == 1:
            (name,) = served
        if name not in served:
            there = ", ".join(served)
            raise QueryError(f"name one of the indexes at {transport.url}: {there}" + (f"; not {name}" if name else ""))
        self.name: str = str(name)
        self._info: dict[str, Any] = served[self.name]
        self.kind: str = self._info["kind"]
        self.separator: int = self._info["separator"]
        self.vocabulary_size: int = self._info["vocabulary_size"]
        self.num_documents: int = self._info["num_documents"]
        self.num_tokens: int = self._info["num_tokens"]
        self.num_shards: int = self._info["num_shards"]
        self.dtype = TOKEN_TYPES[self._info["token_type"]]
        self.checker = NgramChecker(self.encode, self.vocabulary_size, self.separator, self._info["stored_separator"])

    def info(self) -> dict[str, Any]:
        """What the index holds, as plain data; not where it lies, nor how it was made."""
        return dict(self._info)

    def close(self) -> None:
        """Close this thread's connection."""
        self._transport.close()

    def __repr__(self) -> str:
        size = f"{self.num_documents:,} documents, {self.num_tokens:,} tokens"
        return f"{type(self).__name__}({self._transport.url!r}, {self.name!r}: {size})"

    def __reduce__(self) -> tuple[Any, ...]:
        transport = self._transport
        return type(self)._again, (transport.url, transport.token, transport.timeout, transport.retries, self.name)

    @classmethod
    def _again(cls, url: str, token: str | None, timeout: float, retries: int, name: str) -> Self:
        return cls(Transport(url, token, timeout, retries), name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ---- asking ------------------------------------------------------------------------------------------------------

    def _ask(self, question: str, **body: Any) -> Any:
        return self._transport.ask({name: value for name, value in body.items() if value is not None}, "v1", self.name, question)

    def _ask_many(self, question: str, field: str, key: str, asked: Sequence[Any], **options: Any) -> list[Any]:
        """The answers to many questions, in one request if they are few, else in bulk."""
        lines = [to_json(one) for one in asked]
        if len(asked) <= FEW and sum(map(len, lines)) <= FEW_BYTES:
            return list(self._ask(question, **{field: asked}, **options)[key])
        options = {name: value for name, value in options.items() if value is not None}
        answers: list[Any] = []
        for portion in wire.portions(lines):
            body = b"\n".join([to_json(options), *portion])
            answers += self._transport.ask_lines(body, len(portion), "v1", self.name, "bulk", question)
        return answers

    def _where(self, where: Where | None) -> dict[str, Any] | None:
        return wire.send_where(where, self.num_documents, self.groups)

    def _ngram(self, ngram: Query) -> wire.Sent:
        return wire.send_query(ngram, self.checker.ngram)

    def _text(self, text: Ngram) -> wire.Sent:
        return wire.send_ngram(text, self.checker.text)

    def _texts(self, texts: Iterable[Ngram]) -> list[wire.Sent]:
        if isinstance(texts, str):
            raise QueryError("expected a list of texts, found one: put it in a list")
        return [self._text(text) for text in texts]

    # ---- text --------------------------------------------------------------------------------------------------------

    def encode(self, text: str) -> NDArray[Any]:
        wire.check_unicode(text)
        ids = self._ask("encode", text=text)["token_ids"]
        return np.array(ids, np.uint8 if self._info["tokenizer"]["kind"] == "bytes" else np.uint32)

    def decode(self, ids: ArrayLike) -> str:
        return str(self._ask("decode", token_ids=checked_integers(ids).tolist())["text"])

    def pieces(self, ids: ArrayLike) -> list[str]:
        return list(self._ask("decode", token_ids=checked_integers(ids).tolist())["pieces"])

    # ---- how often, and what follows ---------------------------------------------------------------------------------

    def count(self, ngram: Query, where: Where | None = None) -> int:
        return int(self._ask("count", ngram=self._ngram(ngram), where=self._where(where))["count"])

    def counts(self, ngrams: Queries, where: Where | None = None) -> NDArray[np.int64]:
        asked = wire.send_ngrams(ngrams, self.checker)
        return wire.integers(self._ask_many("counts", "ngrams", "counts", asked, where=self._where(where)))

    def next_distribution(self, context: Query, where: Where | None = None) -> NextTokens:
        asked = wire.send_query(context, self.checker.context)
        return wire.read_following(self._ask("next_distribution", context=asked, where=self._where(where)))

    def next_distributions(self, contexts: Queries, where: Where | None = None) -> list[NextTokens]:
        asked = wire.send_ngrams(contexts, self.checker)
        self.checker.contexts([ngram for ngram in asked if isinstance(ngram, list)])
        answers = self._ask_many("next_distributions", "contexts", "distributions", asked, where=self._where(where))
        return [wire.read_following(answer) for answer in answers]

    def _pages(self, question: str, key: str, limit: int | None, offset: int, **body: Any) -> Iterator[Any]:
        """Records page by page, until there are enough or no more."""
        cursor, left = str(offset), limit
        while cursor is not None:
            wanted = PAGE if left is None else min(PAGE, left)
            answer = self._ask(question, limit=wanted, cursor=cursor, **body)
            yield from answer[key]
            cursor = answer["next_cursor"]
            if left is not None:
                left -= len(answer[key])
                if left <= 0:
                    return

    def concordance(
        self, ngram: Query, width: int = 8, limit: int | None = 10, offset: int = 0, where: Where | None = None
    ) -> list[Concordance]:
        check_limits(limit=limit)
        check_not_negative(width=width, offset=offset)
        body = {"ngram": self._ngram(ngram), "width": width, "where": self._where(where)}
        return [wire.read_line(line, self.dtype) for line in self._pages("concordance", "lines", limit, offset, **body)]

    # ---- documents ---------------------------------------------------------------------------------------------------

    def document(self, document_id: int) -> Document:
        answer = self._ask("document", document_id=int(document_id))
        ids = list(answer["token_ids"])
        while len(ids) < answer["num_tokens"]:
            ids += self._ask("document", document_id=int(document_id), start=len(ids))["token_ids"]
        return Document(answer["document_id"], np.array(ids, self.dtype), answer["path"], answer["line"], answer["metadata"])

    def text(self, document_id: int) -> str:
        return self.decode(self.document(document_id).token_ids)

    def document_count(self, ngram: Query, where: Where | None = None) -> int:
        return int(self._ask("document_count", ngram=self._ngram(ngram), where=self._where(where))["count"])

    def document_counts(self, ngrams: Queries, where: Where | None = None) -> NDArray[np.int64]:
        asked = wire.send_ngrams(ngrams, self.checker)
        return wire.integers(self._ask_many("document_counts", "ngrams", "counts", asked, where=self._where(where)))

    def documents(self, ngram: Query, limit: int | None = 10, offset: int = 0, where: Where | None = None) -> list[DocumentMatch]:
        check_limits(limit=limit)
        check_not_negative(offset=offset)
        body = {"ngram": self._ngram(ngram), "where": self._where(where)}
        return [wire.read_match(one) for one in self._pages("documents", "documents", limit, offset, **body)]

    def sample_documents(self, ngram: Query, k: int, seed: int, where: Where | None = None) -> list[DocumentMatch]:
        check_not_negative(k=k, seed=seed)
        answer = self._ask("sample_documents", ngram=self._ngram(ngram), k=k, seed=seed, where=self._where(where))
        return [wire.read_match(one) for one in answer["documents"]]

    def document_ids(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> NDArray[np.int64]:
        check_limits(window=window)
        body = {"clauses": self._clauses(clauses), "window": window, "where": self._where(where)}
        ids: list[int] = []
        cursor = "0"
        while cursor is not None:
            answer = self._ask("document_ids", limit=IDS, cursor=cursor, **body)
            ids += answer["document_ids"]
            cursor = answer["next_cursor"]
        return wire.integers(ids)

    def holding(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> Mask:
        mask = np.zeros(self.num_documents, bool)
        mask[self.document_ids(*clauses, window=window, where=where)] = True
        mask.flags.writeable = False
        return mask

    # ---- together ----------------------------------------------------------------------------------------------------

    def _clauses(self, clauses: Iterable[Clause]) -> list[Any]:
        return [wire.send_clause(clause, self.checker) for clause in clauses]

    def cooccurrence(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> int:
        check_limits(window=window)
        return int(self._ask("cooccurrence", clauses=self._clauses(clauses), window=window, where=self._where(where))["count"])

    def cooccurrences(
        self,
        pairs: Iterable[Sequence[Clause]] | NDArray[np.integer[Any]],
        ngrams: Queries | None = None,
        window: int | None = None,
        where: Where | None = None,
    ) -> NDArray[np.int64]:
        check_limits(window=window)
        asked: list[Any] = []
        if ngrams is not None:
            sent = wire.send_ngrams(ngrams, self.checker)
            each = np.arange(len(sent), dtype=np.int64)
            numbers = number_pairs(pairs, NgramBatch(each[:0], each, each)).pairs
            asked = [[[sent[first]], [sent[second]]] for first, second in numbers.tolist()]
        else:
            for question in pairs:
                if isinstance(question, str):
                    raise QueryError("expected the n-grams of a pair, found one text: put it in a list")
                asked.append(self._clauses(question))
        answers = self._ask_many("cooccurrences", "questions", "counts", asked, window=window, where=self._where(where))
        return wire.integers(answers)

    def cooccurrence_matrix(self, rows: Iterable[Query], columns: Iterable[Query], where: Where | None = None) -> NDArray[np.int64]:
        pairs, ngrams, shape = number_matrix(rows, columns)
        return self.cooccurrences(pairs, ngrams, where=where).reshape(shape)

    # ---- groups of documents -----------------------------------------------------------------------------------------

    def groups(self, field: str) -> Counter[Value]:
        return wire.read_counter(self._ask("groups", field=field))

    def counts_by(self, ngram: Query, field: str, unit: Unit = "occurrences", where: Where | None = None) -> Counter[Value]:
        return wire.read_counter(self._ask("counts_by", ngram=self._ngram(ngram), field=field, unit=unit, where=self._where(where)))

    def mask(self, where: Where) -> Mask:
        sent = self._where(where)
        if isinstance(where, np.ndarray):
            mask = np.ascontiguousarray(where).view()
            mask.flags.writeable = False
            return mask
        return wire.read_mask(self._ask("mask", where=sent)["mask"], self.num_documents)

    # ---- whole texts -------------------------------------------------------------------------------------------------

    def infgram(self, context: Ngram, token: int) -> NgramProb:
        asked, _ = self._text(context), self.checker.ngram([token])
        answer = self._ask("infgram", context=asked, token=int(token))
        return NgramProb(answer["prob"], answer["suffix_length"], answer["context_count"], answer["ngram_count"])

    def suffix_length(self, context: Ngram) -> int:
        return int(self._ask("suffix_length", context=self._text(context))["suffix_length"])

    def score(self, text: Ngram) -> Scores:
        return self.scores([text])[0]

    def scores(self, texts: Iterable[Ngram]) -> list[Scores]:
        return [wire.read_scores(one) for one in self._ask_many("scores", "texts", "scores", self._texts(texts))]

    def match(self, text: Ngram) -> TextMatches:
        (found,) = self._ask_many("matches", "texts", "matches", [self._text(text)])
        return wire.read_matches(found)

    def matches(self, texts: Iterable[Ngram]) -> list[TextMatches]:
        if is_one_text(texts):
            warn_renamed("matches of one text", "match")
            return self.match(texts)  # type: ignore[arg-type, return-value]
        return [wire.read_matches(one) for one in self._ask_many("matches", "texts", "matches", self._texts(texts))]

    def spans(self, text: Ngram, min_length: int = 1, limit: int | None = 10) -> list[Span]:
        check_limits(limit=limit)
        one_answer = limit is not None and limit <= PAGE
        answer = self._ask("spans", text=self._text(text), min_length=min_length, limit=limit if one_answer else 0)
        ids = answer["token_ids"]
        found = []
        for span in answer["spans"]:
            start, stop = span["start"], span["stop"]
            listed = list(map(wire.read_match, span["documents"])) if one_answer else self.documents(ids[start:stop], limit)
            found.append(Span(start, stop, span["count"], listed))
        return found

    def novelty(self, text: Ngram, max_n: int) -> Novelty:
        answer = self._ask("novelty", text=self._text(text), max_n=max_n)
        return Novelty(*(wire.integers(answer[name]) for name in ("n", "num_ngrams", "num_novel")))

    # ---- spellings ---------------------------------------------------------------------------------------------------

    def variants(self, text: str, kinds: Sequence[str] = DEFAULT_KINDS) -> list[Variant]:
        found = self._ask("variants", text=wire.send_text(text), kinds=wire.send_kinds(kinds))["variants"]
        return [Variant(one["text"], tuple(one["token_ids"])) for one in found]

    def count_variants(self, text: str, kinds: Sequence[str] = DEFAULT_KINDS, where: Where | None = None) -> VariantCounts:
        answer = self._ask("count_variants", text=wire.send_text(text), kinds=wire.send_kinds(kinds), where=self._where(where))
        each = [
            VariantCount(one["text"], tuple(one["token_ids"]), one["count"], one["num_documents"]) for one in answer["variants"]
        ]
        return VariantCounts(each, answer["count"], answer["num_documents"])

    def boundary_warning(self, text: str) -> str | None:
        wire.check_unicode(text)
        warning: str | None = self._ask("boundary_warning", text=text)["warning"]
        return warning

    # ---- the whole corpus --------------------------------------------------------------------------------------------

    def top_ngrams(self, n: int, k: int) -> list[NgramCount]:
        return [NgramCount(tuple(one["token_ids"]), one["count"]) for one in self._ask("top_ngrams", n=n, k=k)["ngrams"]]

    def ngram_statistics(self, max_n: int, max_count: int = 1) -> NgramStatistics:
        answer = self._ask("ngram_statistics", max_n=max_n, max_count=max_count)
        return NgramStatistics(*(wire.integers(answer[name]) for name in ("n", "num_ngrams", "num_distinct", "count_of_counts")))

    def distinct_ngrams(self, max_n: int) -> NDArray[np.int64]:
        return self.ngram_statistics(max_n).num_distinct

    def count_of_counts(self, max_n: int, max_count: int) -> NDArray[np.int64]:
        return self.ngram_statistics(max_n, max_count).count_of_counts

    def duplicates(
        self, min_length: int, *, limit: int | None = 20, order: Order = "saved", max_documents: int | None = 10
    ) -> Duplicates:
        check_limits(limit=limit, max_documents=max_documents)
        body = {"min_length": min_length, "limit": limit, "order": order, "max_documents": max_documents}
        answer = self._transport.ask(body, "v1", self.name, "duplicates")  # null means all here
        passages = [
            Duplicate(
                np.array(one["token_ids"], self.dtype), one["count"], one["num_documents"], wire.integers(one["document_ids"])
            )
            for one in answer["passages"]
        ]
        return Duplicates(passages, answer["num_passages"], answer["num_tokens"])
