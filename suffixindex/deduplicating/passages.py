"""What is left of documents of which something goes: of those that equal an earlier one nothing, of others what is no passage."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.deduplicating.later import DocumentText, Later, Ranges, find_later
from suffixindex.index import SuffixIndex
from suffixindex.queries.local import LocalShards
from suffixindex.storage.shard import Shard
from suffixindex.tokenizers.encoders import Encoder, stored_encoder

BLOCK_TOKENS = 1 << 20  # of documents that are decoded at a time
BLOCK_DOCUMENTS = 1 << 12

Tokens = NDArray[np.unsignedinteger[Any]]


class Passage(NamedTuple):
    """A stretch of text that was cut out, in tokens from the start of what the rounds before had left of its document."""

    document: int
    round: int
    start: int
    stop: int
    first_document: int
    """Which holds the first occurrence of what the passage begins with, and where."""
    first_start: int
    tokens: Tokens


@dataclass
class Rest:
    """What is left of the documents of which something went."""

    tokens: dict[int, Tokens] = field(default_factory=dict)
    """By document; of one that is dropped nothing, and it is not written."""
    moved: set[int] = field(default_factory=set)
    """Documents with a passage that could not be cut whole, since it begins or ends inside a character."""
    num_passages: int = 0
    num_tokens: int = 0
    rounds: int = 0
    passages: list[Passage] | None = None
    """All that was cut out, if it is to be told: some 300 bytes each."""

    def note(self, document: int, start: int, stop: int, first_document: int, first_start: int, tokens: Tokens) -> None:
        """Count what was cut out of the ``tokens`` of a document."""
        self.num_passages += 1
        self.num_tokens += stop - start
        if self.passages is not None:
            there = document, self.rounds, start, stop, first_document, first_start
            self.passages.append(Passage(*there, tokens[start:stop]))


# ---- equal documents -----------------------------------------------------------------------------------------------


def equal_documents(local: LocalShards, told: bool) -> Rest:
    """The documents whose tokens are those of an earlier one; ``told``: with a list. 16 bytes and a microsecond a document."""
    digests = b"".join(
        hashlib.blake2b(document_tokens(shard, number).tobytes(), digest_size=16).digest()
        for shard in local.shards
        for number in range(shard.num_documents)
    )
    high, low = np.frombuffer(digests, "<u8").reshape(-1, 2).T
    order = np.lexsort((low, high))  # equal ones stay in their order
    again = np.append(False, (high[order][1:] == high[order][:-1]) & (low[order][1:] == low[order][:-1]))
    firsts = order[np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))]
    rest = Rest(rounds=1, passages=[] if told else None)
    for later, first in sorted(zip(order[again].tolist(), firsts[again].tolist(), strict=True)):
        tokens = tokens_of(local, later)
        rest.tokens[later] = tokens[:0]
        rest.note(later, 0, len(tokens), first, 0, tokens)
    return rest


def tokens_of(local: LocalShards, document: int) -> Tokens:
    """The tokens of a document of the index."""
    number = bisect_right(local.first_documents, document) - 1
    return document_tokens(local.shards[number], document - local.first_documents[number])


def document_tokens(shard: Shard, number: int) -> Tokens:
    start, stop = shard.bounds(number)
    return shard.tokens[start:stop]


# ---- passages ------------------------------------------------------------------------------------------------------


Joints = NDArray[np.int64] | None


class _Changed(NamedTuple):
    """A document that lost something in a round."""

    tokens: Tokens
    """What is left."""
    joints: Joints
    """Places before which something was cut out, where only windows across them are new; None: any window may be."""


def without_passages(index: SuffixIndex, min_length: int, threads: int, told: bool) -> Rest:
    """What no window of ``min_length`` tokens lies in that occurs earlier; ``told``: with a list of what went."""
    loader = ThreadPoolExecutor(1, "tokenizer")  # a second, which the first round takes too
    try:
        inside = loader.submit(index.tokenizer.begins_inside)
        loader.submit(index.tokenizer.decode_batch, [])
        encoder = loader.submit(_loaded_encoder, index)
        rest = Rest(passages=[] if told else None)
        shards = [_text_of(shard, first) for shard, first in zip(index.shards, index.local.first_documents, strict=False)]
        texts = shards
        own: dict[int, Joints] = {}
        while True:
            rest.rounds += 1
            later = find_later(texts, min_length, index.local.pool, threads, index.separator)
            changed = dict(_cut(index, rest, later, inside.result()))
            if not changed:
                return rest
            changed = _encoded_anew(index, changed, encoder.result())
            own |= {document: None if document in own else one.joints for document, one in changed.items()}
            rest.tokens |= {document: one.tokens for document, one in changed.items()}
            documents = np.array(sorted(rest.tokens), np.int64)
            texts = [text._replace(stale=np.isin(text.documents, documents)) for text in shards]
            texts.append(_joined(documents, rest.tokens, changed, own, min_length, index.separator))
    finally:
        loader.shutdown(cancel_futures=True)


def _loaded_encoder(index: SuffixIndex) -> Encoder | None:
    """What gives a text the ids that a build does, ready; None where a text that is cut between ids keeps them."""
    if index.manifest.tokenizer["kind"] != "huggingface":
        return None
    encoder = stored_encoder(index.manifest.tokenizer, index.path)
    encoder.encode([""])
    return encoder


def _text_of(shard: Shard, first: int) -> DocumentText:
    documents = np.arange(first, first + shard.num_documents)
    return DocumentText(shard.tokens, shard.document_offsets.astype(np.int64), documents, shard=shard)


def _cut(index: SuffixIndex, rest: Rest, later: Later, inside: NDArray[np.bool_]) -> Iterator[tuple[int, _Changed]]:
    """The documents that lose something; a passage begins and ends between two characters."""
    of_each = np.flatnonzero(np.diff(later.documents, prepend=-1))
    stretches = zip(*(column.tolist() for column in later[1:]), strict=True)
    for first, last in pairwise([*of_each.tolist(), len(later.documents)]):
        document = int(later.documents[first])
        tokens = rest.tokens[document] if document in rest.tokens else tokens_of(index.local, document)
        kept: list[Tokens] = []
        joints: set[int] = set()
        gone = done = 0
        for start, stop, first_document, first_start in islice(stretches, last - first):
            begin, end = start, stop
            while begin < stop and inside[tokens[begin]]:
                begin += 1
            while end > begin and end < len(tokens) and inside[tokens[end]]:
                end -= 1
            if (begin, end) != (start, stop):
                rest.moved.add(document)
            if begin < end:
                kept.append(tokens[done:begin])
                joints.add(begin - gone)
                gone, done = gone + end - begin, end
                rest.note(document, begin, end, first_document, first_start + begin - start, tokens)
        if gone:
            # of a passage that was not cut whole, a window may go with one that a later round finds beside it
            inner = None if document in rest.moved else np.array(sorted(joints - {0, len(tokens) - gone}), np.int64)
            yield document, _Changed(np.concatenate([*kept, tokens[done:]]), inner)


def _encoded_anew(index: SuffixIndex, documents: dict[int, _Changed], encoder: Encoder | None) -> dict[int, _Changed]:
    """The ids that a build gives to what is left of some documents."""
    if encoder is None:
        return documents
    found: dict[int, _Changed] = {}
    for block in blocks_of_documents(list(documents), [len(one.tokens) for one in documents.values()]):
        encoded = encoder.encode(index.tokenizer.decode_batch([documents[number].tokens for number in block]))
        ended, starts = encoded.tokens(encoder.number(encoded.unnumbered)), np.cumsum(np.append(0, encoded.lengths + 1))
        for number, start, length in zip(block, starts.tolist(), encoded.lengths.tolist(), strict=False):
            tokens = ended[start : start + length].astype(index.dtype)
            before = documents[number]
            found[number] = _Changed(tokens, before.joints if np.array_equal(tokens, before.tokens) else None)
    return found


def blocks_of_documents(items: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Items in order, as many at a time as have so many tokens."""
    block: list[int] = []
    total = 0
    for item, size in zip(items, sizes, strict=True):
        block.append(item)
        total += size
        if total >= BLOCK_TOKENS or len(block) >= BLOCK_DOCUMENTS:
            yield block
            block, total = [], 0
    if block:
        yield block


def _joined(
    documents: NDArray[np.int64],
    tokens: Mapping[int, Tokens],
    changed: Mapping[int, _Changed],
    own: Mapping[int, Joints],
    min_length: int,
    separator: int,
) -> DocumentText:
    """What is left of documents as one text; windows of those that changed are to be looked for, ``own`` are in no shard."""
    rows = [tokens[number] for number in documents.tolist()]
    offsets = np.cumsum([0, *(len(row) + 1 for row in rows)])
    end = np.array([separator], rows[0].dtype)
    joined = np.concatenate([part for row in rows for part in (row, end)])
    joined.flags.writeable = False  # as those that are mapped, for which kernels are compiled
    fresh = {document: one.joints for document, one in changed.items()}
    of_fresh, of_own = (_across(documents, offsets, joints, min_length) for joints in (fresh, own))
    return DocumentText(joined, offsets, documents, of_fresh, of_own)


def _across(documents: NDArray[np.int64], offsets: NDArray[np.int64], joints: Mapping[int, Joints], length: int) -> Ranges:
    """Where the windows across joints of documents begin; None are the joints of those of which all windows are meant."""
    los, his = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for document, start, stop in zip(documents.tolist(), offsets[:-1].tolist(), (offsets[1:] - length).tolist(), strict=True):
        if document in joints:
            places = joints[document]
            los.append(np.array([start]) if places is None else start + np.maximum(places - length + 1, 0))
            his.append(np.array([stop]) if places is None else np.minimum(start + places, stop))
    lo, hi = np.concatenate(los), np.concatenate(his)
    lo = np.maximum(lo, np.append(0, hi)[:-1])
    return lo[lo < hi], hi[lo < hi]
