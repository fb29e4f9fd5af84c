"""What ``suffixindex count`` prints: each n-gram, its counts by groups of documents, or its spellings."""

from collections.abc import Sequence
from typing import Any

from suffixindex.cli.options import described
from suffixindex.errors import QueryError


def counted(index: Any, ngrams: Sequence[Any], documents: bool, where: Any) -> list[dict[str, Any]]:
    """A record for each n-gram."""
    records = [
        {**described(index, ngram), "count": int(count)} for ngram, count in zip(ngrams, index.counts(ngrams, where), strict=True)
    ]
    if documents:
        for record, number in zip(records, index.document_counts(ngrams, where), strict=True):
            record["documents"] = int(number)
    return records


def counted_by(index: Any, ngrams: Sequence[Any], field: str, documents: bool, where: Any) -> list[dict[str, Any]]:
    """A record for each n-gram and value of a field under which it occurs."""
    records = []
    for ngram in ngrams:
        counts = index.counts_by(ngram, field, where=where)
        holding = index.counts_by(ngram, field, "documents", where) if documents else {}
        asked = {**described(index, ngram), "field": field}
        records += [
            {**asked, "value": value, "count": count, **({"documents": holding[value]} if documents else {})}
            for value, count in counts.items()
        ]
    return records


def counted_variants(index: Any, ngrams: Sequence[Any], kinds: str, documents: bool, where: Any) -> list[dict[str, Any]]:
    """A record for each spelling of each text, then one for all of them together, whose variant is null."""
    records = []
    for text in ngrams:
        if not isinstance(text, str):
            raise QueryError("--variants takes text: token ids have no spellings")
        found = index.count_variants(text, kinds.split(","), where)
        rows = [(one.text, one.token_ids, index.pieces(one.token_ids), one.count, one.num_documents) for one in found.variants]
        for variant, ids, pieces, count, num_documents in [*rows, (None, None, None, found.count, found.num_documents)]:
            record = {"ngram": text, "variant": variant, "ids": ids, "pieces": pieces, "count": count}
            records.append({**record, "documents": num_documents} if documents else record)
    return records
