"""The ∞-gram and a neural model together: P = λ P∞ + (1 - λ) P_neural, with a λ for each bucket of positions.

A position's bucket may depend on its context, not on the token that follows: else the mixture would not add up to 1.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Ngram, NgramBatch
from suffixindex.results import Scores

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex

STEPS = 60  # halvings of [0, 1]: to the last bit of a float64


def buckets_by_sparsity(index: "SuffixIndex", text: Ngram, scores: Scores) -> NDArray[np.int64]:
    """1 where the ∞-gram estimate is sparse, one token with probability 1, else 0: ``int64[tokens]``.

    The two buckets of infini-gram (arXiv 2401.17377, section 5). Where the text's own token has probability 0, the first and
    the last continuation in the order of the suffixes are compared: a bulk look-up of about 1 µs each.

    Parameters
    ----------
    text
        The text that was scored, or its ids.
    scores
        Its ∞-gram scores.

    Raises
    ------
    QueryError
        The scores are not those of a text of this length, or as for :meth:`suffixindex.SuffixIndex.count`.
    """
    ids = index.checker.text(text)
    if len(ids) != len(scores.ngram_counts):
        raise QueryError(f"a text of {len(ids):,} tokens with scores of {len(scores.ngram_counts):,}")
    sparse = np.equal(scores.ngram_counts, scores.context_counts)
    places = np.flatnonzero(scores.ngram_counts == 0)
    lengths = scores.suffix_lengths[places]
    lowest, highest = np.full(len(places), index.separator + 1), np.full(len(places), -1)
    contexts = NgramBatch(ids, places - lengths, places)
    for shard, (low, high) in zip(index.shards, index.local.intervals(contexts), strict=True):
        there = np.flatnonzero(high > low)
        for following in shard.outer_followers(low[there], high[there], lengths[there]):
            lowest[there] = np.minimum(lowest[there], following)
            highest[there] = np.maximum(highest[there], following)
    sparse[places] = lowest == highest
    return sparse.astype(np.int64)


def buckets_by_length(scores: Scores, edges: ArrayLike) -> NDArray[np.int64]:
    """How many of the ascending ``edges`` the suffix length reaches: ``int64[tokens]``, 0 … len(edges).

    Raises
    ------
    QueryError
        The edges do not ascend.
    """
    bounds = np.asarray(edges)
    if bounds.ndim != 1 or (np.diff(bounds) <= 0).any():
        raise QueryError(f"edges are {bounds.tolist()}: expected ascending suffix lengths")
    return np.asarray(np.searchsorted(bounds, scores.suffix_lengths, side="right"), np.int64)


def interpolate(
    infgram_log_probs: ArrayLike, neural_log_probs: ArrayLike, weights: ArrayLike, buckets: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Natural logarithm of λ P∞ + (1 - λ) P_neural for each token: ``float64[tokens]``.

    Parameters
    ----------
    infgram_log_probs, neural_log_probs
        Natural logarithms of the probabilities of the same tokens, -inf for zero: ``float64[tokens]`` each.
    weights
        λ, the share of the ∞-gram, in [0, 1]: of each bucket, or one number.
    buckets
        The bucket of each token, ``int64[tokens]``; none: all are in bucket 0.

    Raises
    ------
    QueryError
        Arrays of different lengths, what is no log-probability, a weight outside [0, 1], a bucket without a weight.

    Examples
    --------
    >>> weights = fit_weights(held_out.log_probs, held_out_neural, held_out_buckets)       # doctest: +SKIP
    >>> interpolate(scores.log_probs, neural, weights, buckets)                            # doctest: +SKIP
    """
    infgram, neural, bucket = _checked(infgram_log_probs, neural_log_probs, buckets)
    shares = np.atleast_1d(np.asarray(weights, np.float64))
    if not ((shares >= 0) & (shares <= 1)).all():
        raise QueryError(f"weights are {shares.tolist()}: expected numbers from 0 to 1")
    if len(bucket) and bucket.max() >= len(shares):
        raise QueryError(f"a token is in bucket {bucket.max()}, but there are weights of {len(shares)}")
    share = shares[bucket]
    with np.errstate(divide="ignore"):  # the logarithm of 0 is meant
        return np.asarray(np.logaddexp(np.log(share) + infgram, np.log1p(-share) + neural))


def fit_weights(
    infgram_log_probs: ArrayLike, neural_log_probs: ArrayLike, buckets: ArrayLike | None = None, num_buckets: int | None = None
) -> NDArray[np.float64]:
    """The weights for :func:`interpolate` that make held-out tokens most probable: ``float64[num_buckets]``.

    The logarithm of the likelihood of each bucket is concave in its weight: the root of its slope is found by halving, to
    the last bit. O(60 · tokens). Tokens that both models give probability 0 say nothing of the weight; a bucket of no other
    tokens takes the weight of all buckets together.

    Parameters
    ----------
    num_buckets
        How many weights; none: as many as the largest bucket needs.

    Raises
    ------
    QueryError
        No token to fit to, a bucket of ``num_buckets`` or more; or as for :func:`interpolate`.
    """
    infgram, neural, bucket = _checked(infgram_log_probs, neural_log_probs, buckets)
    size = int(bucket.max(initial=-1)) + 1 if num_buckets is None else num_buckets
    if bucket.max(initial=-1) >= size:
        raise QueryError(f"a token is in bucket {bucket.max()}: expected buckets below {size}")
    largest = np.maximum(infgram, neural)
    usable = np.isfinite(largest)
    if not usable.any():
        raise QueryError("no token has a probability above 0 in either model: there is nothing to fit the weights to")
    first, second = np.exp(infgram[usable] - largest[usable]), np.exp(neural[usable] - largest[usable])
    overall = _fit(first, second)
    chosen = [bucket[usable] == number for number in range(size)]
    return np.array([_fit(first[here], second[here]) if here.any() else overall for here in chosen])


def _fit(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The λ in [0, 1] that maximises Σ log(λ first + (1 - λ) second), where the larger of the two is 1 each time."""

    def slope(weight: float) -> float:
        with np.errstate(divide="ignore"):  # at the ends a token may have probability 0: an infinite slope away from there
            return float(((first - second) / (weight * first + (1 - weight) * second)).sum())

    if slope(0.0) <= 0:
        return 0.0
    if slope(1.0) >= 0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2


def _checked(
    infgram_log_probs: ArrayLike, neural_log_probs: ArrayLike, buckets: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
    infgram, neural = np.asarray(infgram_log_probs, np.float64), np.asarray(neural_log_probs, np.float64)
    bucket = np.zeros(infgram.shape, np.int64) if buckets is None else np.asarray(buckets)
    if infgram.ndim != 1 or not infgram.shape == neural.shape == bucket.shape:
        shapes = infgram.shape, neural.shape, bucket.shape
        raise QueryError(f"log-probabilities and buckets of the shapes {shapes}: expected one of each for each token")
    if not ((infgram <= 0).all() and (neural <= 1e-6).all()):  # a neural model's float32 may round above 0
        raise QueryError("a log-probability is above 0 or nan: expected natural logarithms of probabilities")
    if bucket.size and (bucket.dtype.kind not in "iu" or bucket.min() < 0):
        raise QueryError("buckets are numbers from 0")
    return infgram, neural, bucket
