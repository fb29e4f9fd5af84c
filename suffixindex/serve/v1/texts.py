"""Questions about whole texts, and about the whole corpus."""

from typing import Any, cast

import numpy as np

from suffixindex.queries.duplicates import Order
from suffixindex.results import Scores, TextMatches
from suffixindex.serve import pricing
from suffixindex.serve.v1 import models, replies
from suffixindex.serve.v1.questions import Answer, Asking, question


def _price_text(asking: Asking, asked: models.AskText | models.AskContext) -> float:
    text = asked.text if isinstance(asked, models.AskText) else asked.context
    return asking.served.pricing.text(len(text))


def _price_infgram(asking: Asking, asked: models.AskInfgram) -> float:
    return asking.served.pricing.text(len(asked.context))


def _price_texts(asking: Asking, asked: models.AskTexts) -> float:
    return asking.served.pricing.text(sum(map(len, asked.texts)))


@question(models.AskInfgram, replies.Probability, _price_infgram)
def infgram(asking: Asking, asked: models.AskInfgram) -> Answer:
    """Probability of a token after the longest end of a context that the corpus holds (∞-gram)."""
    found = asking.index.infgram(asked.context, asked.token)
    return {
        "prob": found.prob,
        "suffix_length": found.suffix_length,
        "context_count": found.context_count,
        "ngram_count": found.ngram_count,
    }


@question(models.AskContext, replies.Length, _price_text)
def suffix_length(asking: Asking, asked: models.AskContext) -> Answer:
    """Tokens of the longest end of a context that occurs in the corpus."""
    return {"suffix_length": asking.index.suffix_length(asked.context)}


@question(models.AskText, replies.ScoredText, _price_text)
def score(asking: Asking, asked: models.AskText) -> Answer:
    """The evidence of the ∞-gram probability of each token of a text after those before it."""
    ids = asking.index.checker.text(asked.text)
    return {"token_ids": ids, "pieces": asking.index.pieces(ids), **scored(asking.index.score(ids))}


@question(models.AskTexts, replies.ManyScored, _price_texts)
def scores(asking: Asking, asked: models.AskTexts) -> Answer:
    """The same of many texts."""
    return {"scores": [scored(one) for one in asking.index.scores(asked.texts)]}


def scored(scores: Scores) -> dict[str, Any]:
    return {
        "suffix_lengths": scores.suffix_lengths,
        "context_counts": scores.context_counts,
        "ngram_counts": scores.ngram_counts,
    }


@question(models.AskText, replies.MatchedText, _price_text)
def match(asking: Asking, asked: models.AskText) -> Answer:
    """Matching statistics: the longest match that begins at each position of a text, and how often it occurs."""
    ids = asking.index.checker.text(asked.text)
    return {"token_ids": ids, "pieces": asking.index.pieces(ids), **matched(asking.index.match(ids))}


@question(models.AskTexts, replies.ManyMatched, _price_texts)
def matches(asking: Asking, asked: models.AskTexts) -> Answer:
    """The same of many texts."""
    return {"matches": [matched(one) for one in asking.index.matches(asked.texts)]}


def matched(matches: TextMatches) -> dict[str, Any]:
    return {"lengths": matches.lengths, "counts": matches.counts}


def _price_spans(asking: Asking, asked: models.AskSpans) -> float:
    index, cost = asking.index, _price_text(asking, asked)
    if not asked.limit or cost > 1.0:  # what is dear already need not be priced further
        return cost
    found = index.spans(asked.text, asked.min_length, 0)
    shown = asked.limit * (1 + (asked.snippet is not None))
    occurrences = sum(span.count for span in found)
    listed = sum(min(span.count, shown) for span in found)
    return cost + (pricing.LIST + pricing.SORT) * occurrences + pricing.DOCUMENT * listed + 2 * pricing.CALL * len(found)


@question(models.AskSpans, replies.Spans, _price_spans, rows="spans")
def spans(asking: Asking, asked: models.AskSpans) -> Answer:
    """The parts of a text that occur and that no longer part includes, each with its count and some documents that hold it."""
    index = asking.index
    ids = index.checker.text(asked.text)
    lengths = index.match(ids).lengths
    covered = np.zeros(len(ids) + 1, np.int64)
    shown = []
    for span in index.spans(ids, asked.min_length, asked.limit):
        covered[span.start] += 1
        covered[span.stop] -= 1
        size = span.stop - span.start
        listed = [asking.match(one, size, asked.snippet, asked.max_offsets) for one in span.documents]
        text = index.decode(ids[span.start : span.stop])
        shown.append({"start": span.start, "stop": span.stop, "count": span.count, "text": text, "documents": listed})
    return {
        "token_ids": ids,
        "pieces": index.pieces(ids),
        "lengths": lengths,
        "num_covered": int((np.cumsum(covered)[:-1] > 0).sum()),
        "spans": shown,
    }


@question(models.AskNovelty, replies.Novelty, _price_text)
def novelty(asking: Asking, asked: models.AskNovelty) -> Answer:
    """For n = 1 … max_n: the n-grams of a text, and those of them that the corpus does not hold."""
    found = asking.index.novelty(asked.text, asked.max_n)
    return {"n": found.n, "num_ngrams": found.num_ngrams, "num_novel": found.num_novel}


# ---- the whole corpus --------------------------------------------------------------------------------------------


@question(models.AskTop, replies.FrequentNgrams, lambda asking, asked: asking.served.pricing.corpus(pricing.TOP), rows="ngrams")
def top_ngrams(asking: Asking, asked: models.AskTop) -> Answer:
    """The k most frequent n-grams of exactly n tokens, none of which holds a separator."""
    found = asking.index.top_ngrams(asked.n, asked.k)
    return {
        "ngrams": [{"token_ids": one.token_ids, "text": asking.index.decode(one.token_ids), "count": one.count} for one in found]
    }


@question(
    models.AskStatistics,
    replies.Statistics,
    lambda asking, asked: asking.served.pricing.corpus(pricing.STATISTIC) + 1e-8 * abs(asked.max_n * asked.max_count),
)
def ngram_statistics(asking: Asking, asked: models.AskStatistics) -> Answer:
    """For n = 1 … max_n: how many n-grams, how many distinct, how many that occur c times, c up to max_count."""
    found = asking.index.ngram_statistics(asked.max_n, asked.max_count)
    return {
        "n": found.n,
        "num_ngrams": found.num_ngrams,
        "num_distinct": found.num_distinct,
        "count_of_counts": found.count_of_counts.tolist(),
    }


@question(
    models.AskDuplicates,
    replies.Passages,
    lambda asking, asked: asking.served.pricing.corpus(pricing.DUPLICATE),
    rows="passages",
)
def duplicates(asking: Asking, asked: models.AskDuplicates) -> Answer:
    """The maximal repeats of at least `min_length` tokens: how many, how much of the corpus they are, and the first of them."""
    index = asking.index
    found = index.duplicates(asked.min_length, limit=asked.limit, order=cast(Order, asked.order), max_documents=asked.max_documents)
    return {
        "passages": [
            {
                "token_ids": one.token_ids,
                "text": index.decode(one.token_ids),
                "count": one.count,
                "num_documents": one.num_documents,
                "document_ids": one.document_ids,
            }
            for one in found.passages
        ],
        "num_passages": found.num_passages,
        "num_tokens": found.num_tokens,
    }
