"""Write the corpus of an index without what it repeats: passages that occurred before, or documents that equal an earlier one.

Passages go in rounds. In each, every window of so many tokens that occurs earlier in the corpus is cut out, but for what lies in
its first occurrence. A cut brings text together that was apart, and that may repeat something too: so what a round cut is looked
at in the next, until one finds nothing. A window that spans no cut need not be looked at again: had it occurred twice, one of them
would have been cut. What is left is a corpus in which no window occurs twice, so an index of the output, with the same tokenizer,
repeats nothing either.
"""

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from suffixindex.errors import BuildError, SuffixIndexError
from suffixindex.index import SuffixIndex
from suffixindex.ngrams import check_positive
from suffixindex.queries.duplicates import DocumentText, Later, find_later
from suffixindex.storage.files import write_blocks
from suffixindex.storage.shard import Shard
from suffixindex.system.exact_json import dumps
from suffixindex.system.memory import cpu_count
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.encoders import stored_encoder

ENDINGS = (".jsonl.zst", ".jsonl")
LEVEL = 3  # of zstd
BLOCK_TOKENS = 1 << 20  # of documents that are decoded at a time
BLOCK_DOCUMENTS = 1 << 12

Tokens = NDArray[np.unsignedinteger[Any]]


class Deduplicated(NamedTuple):
    """What was written, and what went."""

    path: Path
    num_documents: int
    """That were written."""
    num_dropped: int
    """Documents of which nothing is left, or that equal an earlier one."""
    num_cut: int
    """Documents of which a part is left."""
    num_passages: int
    """Stretches of text that were cut out, whole documents among them."""
    num_tokens: int
    """Of these."""
    text_bytes: int
    """Of the text that was written."""
    rounds: int


@dataclass
class _Rest:
    """What is left of the documents of which something went."""

    tokens: dict[int, Tokens] = field(default_factory=dict)
    """By document; of one that is dropped nothing, and it is not written."""
    moved: set[int] = field(default_factory=set)
    """Documents with a passage that could not be cut whole, since it begins or ends inside a character."""
    num_passages: int = 0
    num_tokens: int = 0
    rounds: int = 0


def deduplicate(
    index: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    min_length: int = 50,
    documents: bool = False,
    text_field: str | None = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> Deduplicated:
    """Write the corpus as JSON lines, its metadata kept, without the second and later occurrences of what it repeats.

    Parameters
    ----------
    index
        An index of ours, of text.
    output
        A file to make, ``.jsonl.zst`` or ``.jsonl``; there is nothing at its name before it is whole.
    min_length
        Tokens of the shortest passages (50 is usual, arXiv 2107.06499). A passage is cut out of a document where it occurred
        before, in an earlier document or further to the left in this one, and again until none is left: what a cut brings together
        may repeat something too. A document of which nothing is left is dropped. No character is cut: where a token is a part of
        one, the passage ends before it.
    documents
        Instead, drop every document whose tokens are those of an earlier one.
    text_field
        Field to write the text to; by default that which the index was built from.
    threads
        Cores to use; all by default. Nothing that is written depends on it, nor on the number of shards.
    progress
        Show a bar on standard error; if it is a terminal by default.

    Raises
    ------
    BuildError
        The index has no text or is another engine's, there is something at ``output``, or it cannot be written.
    QueryError
        More than 2**32 - 2 tokens seem to repeat.

    Notes
    -----
    The text is what the index's tokenizer decodes: that of the corpus for ``bytes`` and byte-level tokenizers, lower-case words for
    ``words``. Documents that are cut are encoded anew after each round, so that deduplicating an index of the output leaves it as
    it is, with a tokenizer that gives a decoded text the same ids, as those three do. A passage inside a character may stay.

    The first round costs 45 ns a token on one core, see :func:`suffixindex.queries.duplicates.find_duplicates`, each other one 10
    ns, the writing 30 ns a byte. In memory are 1 byte a token and the tokens of the documents that are cut.
    """
    target = Path(output)
    check_positive(min_length=min_length)
    if not target.name.endswith(ENDINGS):
        raise BuildError(f"{target} is no name of a file of JSON lines: expected one that ends with {' or '.join(ENDINGS)}")
    if target.exists():
        raise BuildError(f"{target} is there already: choose another name, or remove it")
    with SuffixIndex(index, threads=threads) as opened:
        if opened.kind != "suffixindex":
            raise BuildError(f"{index} is an index of {opened.kind}: only ours are deduplicated; build one of its corpus")
        if opened.manifest.tokenizer["kind"] == "none":
            raise BuildError(f"{index} was made of ids without a tokenizer, which have no text to write: build it with theirs")
        rest = _equal_documents(opened.shards) if documents else _without_passages(opened, min_length, threads or cpu_count())
        name = text_field or str(opened.manifest.settings.get("text_field") or "text")
        written = _Written(opened, rest, name)
        try:
            with Bar("write", opened.num_tokens, "token", progress) as bar:
                lines = written.lines(bar)
                write_blocks(target, _compressed(lines, threads or cpu_count()) if target.name.endswith(".zst") else lines)
        except OSError as error:
            if isinstance(error, SuffixIndexError):
                raise
            why = "no space is left" if error.errno == errno.ENOSPC else error.strerror
            raise BuildError(f"{target} cannot be written: {why}; nothing of it is left, deduplicate again") from error
    cut = sum(len(tokens) > 0 for tokens in rest.tokens.values())
    counts = written.num_documents, len(rest.tokens) - cut, cut, rest.num_passages, rest.num_tokens
    return Deduplicated(target, *counts, written.text_bytes, rest.rounds)


# ---- equal documents -----------------------------------------------------------------------------------------------


def _equal_documents(shards: Sequence[Shard]) -> _Rest:
    """The documents whose tokens are those of an earlier one. 16 bytes and a microsecond a document."""
    digests = b"".join(
        hashlib.blake2b(_document(shard, number).tobytes(), digest_size=16).digest()
        for shard in shards
        for number in range(shard.num_documents)
    )
    high, low = np.frombuffer(digests, "<u8").reshape(-1, 2).T
    order = np.lexsort((low, high))  # equal ones stay in their order
    again = (high[order][1:] == high[order][:-1]) & (low[order][1:] == low[order][:-1])
    later = np.sort(order[1:][again])
    offsets = np.concatenate([np.diff(shard.document_offsets.astype(np.int64)) - 1 for shard in shards])
    nothing = shards[0].tokens[:0]
    lost = int(offsets[later].sum())
    return _Rest(dict.fromkeys(later.tolist(), nothing), num_passages=len(later), num_tokens=lost, rounds=1)


def _document(shard: Shard, number: int) -> Tokens:
    start, stop = shard.bounds(number)
    return shard.tokens[start:stop]


# ---- passages ------------------------------------------------------------------------------------------------------


class _Changed(NamedTuple):
    """A document that lost something in a round."""

    tokens: Tokens
    """What is left."""
    joints: NDArray[np.int64] | None
    """Places before which something was cut out, where only windows across them are new; None: any window may be."""


def _without_passages(index: SuffixIndex, min_length: int, threads: int) -> _Rest:
    rest = _Rest()
    inside = np.append(index.tokenizer.begins_inside(), False)
    inside = np.append(inside, np.zeros(max(index.separator + 1 - len(inside), 0), bool))
    shards = [_text_of(shard, first) for shard, first in zip(index.shards, index.local.first_documents, strict=False)]
    texts = shards
    while True:
        rest.rounds += 1
        later = find_later(texts, min_length, index.local.pool, threads, index.separator)
        changed = _encoded_anew(index, dict(_cut(index, rest, later, inside)))
        if not changed:
            return rest
        rest.tokens |= {document: one.tokens for document, one in changed.items()}
        documents = np.array(sorted(rest.tokens), np.int64)
        texts = [text._replace(stale=np.isin(text.documents, documents)) for text in shards]
        texts.append(_joined(documents, rest.tokens, changed, min_length, index.separator))


def _text_of(shard: Shard, first: int) -> DocumentText:
    return DocumentText(shard.tokens, shard.document_offsets.astype(np.int64), np.arange(first, first + shard.num_documents))


def _cut(index: SuffixIndex, rest: _Rest, later: Later, inside: NDArray[np.bool_]) -> Iterator[tuple[int, _Changed]]:
    """The documents that lose something; a passage begins and ends between two characters."""
    of_each = np.flatnonzero(np.diff(later.documents, prepend=-1))
    for first, last in pairwise([*of_each.tolist(), len(later.documents)]):
        document = int(later.documents[first])
        tokens = rest.tokens[document] if document in rest.tokens else index.document(document).token_ids
        keep = np.ones(len(tokens), bool)
        for start, stop in zip(later.starts[first:last].tolist(), later.stops[first:last].tolist(), strict=True):
            begin, end = start, stop
            while begin < stop and inside[tokens[begin]]:
                begin += 1
            while end > begin and end < len(tokens) and inside[tokens[end]]:
                end -= 1
            if (begin, end) != (start, stop):
                rest.moved.add(document)
            if begin < end:
                keep[begin:end] = False
                rest.num_passages += 1
                rest.num_tokens += end - begin
        if not keep.all():
            # of a passage that was not cut whole, a window may go with one that a later round finds beside it
            joints = None if document in rest.moved else np.flatnonzero(np.diff(np.flatnonzero(keep)) > 1) + 1
            yield document, _Changed(tokens[keep], joints)


def _encoded_anew(index: SuffixIndex, documents: dict[int, _Changed]) -> dict[int, _Changed]:
    """The ids that a build gives to what is left of some documents."""
    if index.manifest.tokenizer["kind"] != "huggingface" or not documents:
        return documents
    encoder = stored_encoder(index.manifest.tokenizer, index.path)
    found: dict[int, _Changed] = {}
    for block in _blocks(list(documents), [len(one.tokens) for one in documents.values()]):
        encoded = encoder.encode(index.tokenizer.decode_batch([documents[number].tokens for number in block]))
        ended, lengths = encoded.tokens(encoder.number(encoded.unnumbered)), encoded.lengths
        starts = np.cumsum(np.append(0, lengths + 1))
        for number, start, length in zip(block, starts.tolist(), lengths.tolist(), strict=False):
            tokens = ended[start : start + length].astype(index.dtype)
            before = documents[number]
            found[number] = _Changed(tokens, before.joints if np.array_equal(tokens, before.tokens) else None)
    return found


def _blocks(items: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
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
    documents: NDArray[np.int64], tokens: Mapping[int, Tokens], changed: Mapping[int, _Changed], min_length: int, separator: int
) -> DocumentText:
    """What is left of documents as one text, in which windows that are new are to be looked for."""
    rows = [tokens[number] for number in documents.tolist()]
    offsets = np.cumsum([0, *(len(row) + 1 for row in rows)])
    end = np.array([separator], rows[0].dtype)
    joined = np.concatenate([part for row in rows for part in (row, end)])
    joined.flags.writeable = False  # as those that are mapped, for which kernels are compiled
    fresh = np.zeros(len(joined), bool)
    for number, start, stop in zip(documents.tolist(), offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        if number not in changed:
            continue
        joints = changed[number].joints
        for joint in joints.tolist() if joints is not None else ():
            fresh[start + max(joint - min_length + 1, 0) : start + joint] = True
        if joints is None:
            fresh[start:stop] = True
    return DocumentText(joined, offsets, documents, fresh)


# ---- writing -------------------------------------------------------------------------------------------------------


class _Written:
    """What is left of the corpus, as lines."""

    def __init__(self, index: SuffixIndex, rest: _Rest, text_field: str) -> None:
        self._index, self._rest, self._field = index, rest, text_field
        self.num_documents = self.text_bytes = 0

    def lines(self, bar: Bar) -> Iterator[bytes]:
        """Some lines at a time."""
        done = 0
        for first, shard in zip(self._index.local.first_documents, self._index.shards, strict=False):
            fields = self._fields(shard)
            sizes = np.diff(shard.document_offsets.astype(np.int64))
            for block in _blocks(range(shard.num_documents), sizes.tolist()):
                rows = [self._rest.tokens.get(first + number, _document(shard, number)) for number in block]
                beside = [next(fields) for _ in block]
                kept = [i for i, number in enumerate(block) if len(rows[i]) or first + number not in self._rest.tokens]
                texts = self._index.tokenizer.decode_batch([rows[i] for i in kept])
                lines = [self._line(text, beside[i]) for text, i in zip(texts, kept, strict=True)]
                self.num_documents += len(lines)
                done += int(sizes[block].sum()) - len(block)
                bar.show(done, documents=self.num_documents)
                yield b"".join(lines)

    def _fields(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The metadata of each document."""
        if shard.metadata_path is None:
            for _ in range(shard.num_documents):
                yield {}
            return
        for records in shard.metadata_lines.records():
            for record in records:
                yield record["metadata"]

    def _line(self, text: str, fields: Mapping[str, Any]) -> bytes:
        if self._field in fields:
            raise BuildError(
                f"the metadata of a document have a field {self._field!r}, under which its text is to be written: name another, "
                "--text-field"
            )
        self.text_bytes += len(text.encode())
        record = {self._field: text, **fields}
        try:
            return orjson.dumps(record) + b"\n"
        except TypeError:  # numbers of more than 64 bits, or with more digits than a double has
            return dumps(record).encode() + b"\n"


def _compressed(blocks: Iterator[bytes], threads: int) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(level=LEVEL, threads=threads).compressobj()
    for block in blocks:
        if packed := compressor.compress(block):
            yield packed
    yield compressor.flush()
