"""Questions about how often n-grams occur, what follows them, and how often texts are spelt how."""

from typing import Any

from suffixindex.ngrams import Ngram
from suffixindex.results import NextTokens
from suffixindex.serve import pricing
from suffixindex.serve.v1 import models, replies
from suffixindex.serve.v1.questions import Answer, Asking, next_cursor, question, start_of


def _price_one(asking: Asking, asked: models.OneNgram) -> float:
    prices = asking.served.pricing
    return prices.call(asked.ngram) + asking.where_price(asked.where, prices.occurrences([asked.ngram]) if asked.where else 0)


def _price_many(asking: Asking, asked: models.ManyNgrams) -> float:
    cost = asking.served.pricing.bulk(asked.ngrams, pricing.FILTER if asked.where else 0.0)
    return cost + asking.where_price(asked.where)


@question(models.OneNgram, replies.Counted, _price_one)
def count(asking: Asking, asked: models.OneNgram) -> Answer:
    """Occurrences of an n-gram, overlapping ones each; the empty one occurs at every token."""
    return {"ngram": asking.described(asked.ngram), "count": asking.index.count(asked.ngram, asking.mask(asked.where))}


@question(models.ManyNgrams, replies.Counts, _price_many)
def counts(asking: Asking, asked: models.ManyNgrams) -> Answer:
    """Occurrences of many n-grams."""
    return {"counts": asking.index.counts(asked.ngrams, asking.mask(asked.where))}


def _price_following(asking: Asking, asked: models.OneContext) -> float:
    prices = asking.served.pricing
    occurrences = prices.occurrences([asked.context])
    return prices.call(asked.context) + prices.following(occurrences) + asking.where_price(asked.where, occurrences)


@question(models.OneContext, replies.Following, _price_following, rows="tokens")
def next_distribution(asking: Asking, asked: models.OneContext) -> Answer:
    """Everything that follows a context, the end of a document included: its counts add up to the context's."""
    index = asking.index
    following = index.next_distribution(asked.context, asking.mask(asked.where))
    answer = {
        "ngram": asking.described(asked.context),
        "context_count": following.context_count,
        "separator": following.separator,
        "num_distinct": len(following.token_ids),
        "document_ends": following.document_ends,
    }
    if asked.top is None:
        return {**answer, "token_ids": following.token_ids, "counts": following.counts}
    top = following.top(asked.top)
    pieces = index.pieces([token.token_id for token in top])
    return {
        **answer,
        "tokens": [
            {"token_id": token.token_id, "piece": piece, "count": token.count, "prob": token.prob}
            for token, piece in zip(top, pieces, strict=True)
        ],
    }


def _price_all_following(asking: Asking, asked: models.ManyContexts) -> float:
    occurrences = int(asking.served.pricing.sizes(asked.contexts).sum()) if asked.where else 0
    return asking.served.pricing.bulk_following(asked.contexts) + asking.where_price(asked.where, occurrences)


@question(models.ManyContexts, replies.Distributions, _price_all_following)
def next_distributions(asking: Asking, asked: models.ManyContexts) -> Answer:
    """What follows each of many contexts."""
    found = asking.index.next_distributions(asked.contexts, asking.mask(asked.where))
    return {"distributions": [distribution(following) for following in found]}


def distribution(following: NextTokens) -> dict[str, Any]:
    return {
        "context_count": following.context_count,
        "separator": following.separator,
        "token_ids": following.token_ids,
        "counts": following.counts,
    }


def _price_concordance(asking: Asking, asked: models.AskConcordance) -> float:
    prices, lines = asking.served.pricing, asked.limit * (1 + asked.metadata)
    occurrences = prices.occurrences([asked.ngram])
    return (
        prices.call(asked.ngram)
        + prices.page(asked.ngram, occurrences, start_of(asked.offset, asked.cursor) + asked.limit, pricing.SORT)
        + pricing.DOCUMENT * lines
        + asking.where_price(asked.where, occurrences)
    )


@question(models.AskConcordance, replies.Lines, _price_concordance, rows="lines")
def concordance(asking: Asking, asked: models.AskConcordance) -> Answer:
    """Occurrences in the order of the corpus, each with the text around it, which never crosses a document's ends."""
    index, mask, start = asking.index, asking.mask(asked.where), start_of(asked.offset, asked.cursor)
    found, total = index.concordance(asked.ngram, asked.width, asked.limit, start, mask), index.count(asked.ngram, mask)
    lines = []
    for line in found:
        parts = {"left": line.left, "match": line.match, "right": line.right}
        shown = {
            "document_id": line.document_id,
            "offset": line.offset,
            **{name: _stretch(asking, part) for name, part in parts.items()},
        }
        if asked.metadata:
            document = index.document(line.document_id)
            shown |= {"path": document.path, "line": document.line, "metadata": document.metadata}
        lines.append(shown)
    cursor = next_cursor(start, len(lines), total)
    return {"ngram": asking.described(asked.ngram), "total": total, "lines": lines, "next_cursor": cursor}


def _stretch(asking: Asking, ids: Any) -> dict[str, Any]:
    return {"token_ids": ids, "pieces": asking.index.pieces(ids), "text": asking.index.decode(ids)}


def _cheap(asking: Asking, asked: models.AskVariants) -> float:
    return pricing.CALL * (1 + len(asked.text) / 100)


@question(models.AskVariants, replies.Spellings, _cheap, rows="variants")
def variants(asking: Asking, asked: models.AskVariants) -> Answer:
    """The spellings of a text that the tokenizer tells apart, the text itself first."""
    found = asking.index.variants(asked.text, asked.kinds)
    return {"variants": [{"text": one.text, "token_ids": one.token_ids} for one in found]}


def _price_variants(asking: Asking, asked: models.AskCountVariants) -> float:
    spellings: list[Ngram] = [list(one.token_ids) for one in asking.index.variants(asked.text, asked.kinds)]
    occurrences = asking.served.pricing.occurrences(spellings)
    return pricing.CALL + 2 * pricing.STAMP * occurrences + asking.where_price(asked.where, occurrences)


@question(models.AskCountVariants, replies.CountedSpellings, _price_variants, rows="variants")
def count_variants(asking: Asking, asked: models.AskCountVariants) -> Answer:
    """Occurrences of a text in any of its spellings, the documents that hold any, and both for each spelling."""
    found = asking.index.count_variants(asked.text, asked.kinds, asking.mask(asked.where))
    each = [
        {"text": one.text, "token_ids": one.token_ids, "count": one.count, "num_documents": one.num_documents}
        for one in found.variants
    ]
    return {"variants": each, "count": found.count, "num_documents": found.num_documents}


def _price_string(asking: Asking, asked: models.AskString) -> float:
    return pricing.CALL * (1 + len(asked.text) / 100)


@question(models.AskString, replies.Warned, _price_string)
def boundary_warning(asking: Asking, asked: models.AskString) -> Answer:
    """A sentence if the tokenizer encodes a text otherwise inside a longer one, with what to ask instead; else null."""
    return {"warning": asking.index.boundary_warning(asked.text)}


@question(models.AskString, replies.Encoded, _price_string)
def encode(asking: Asking, asked: models.AskString) -> Answer:
    """Ids of a text as the corpus was encoded, and what each stands for."""
    ids = asking.index.encode(asked.text)
    return {"token_ids": ids.tolist(), "pieces": asking.index.pieces(ids)}


@question(models.AskIds, replies.Decoded, lambda asking, asked: pricing.CALL * (1 + len(asked.token_ids) / 10))
def decode(asking: Asking, asked: models.AskIds) -> Answer:
    """Text of ids, separators left out, and what each stands for."""
    return {"text": asking.index.decode(asked.token_ids), "pieces": asking.index.pieces(asked.token_ids)}
