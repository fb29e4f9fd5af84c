"""Write what is left of a corpus: JSON lines, whole or not at all."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import zstandard

from suffixindex.deduplicating.passages import (
    Passage,
    Rest,
    Tokens,
    blocks_of_documents,
    equal_documents,
    without_passages,
)
from suffixindex.errors import BuildError, SuffixIndexError
from suffixindex.index import SuffixIndex
from suffixindex.ngrams import check_positive
from suffixindex.storage.files import write_blocks
from suffixindex.storage.shard import Shard
from suffixindex.system.exact_json import dumps
from suffixindex.system.memory import cpu_count
from suffixindex.system.parallel import in_order
from suffixindex.system.progress import Bar

ENDINGS = (".jsonl.zst", ".jsonl")
LEVEL = 3  # of zstd


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


def deduplicate(
    index: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    min_length: int = 50,
    documents: bool = False,
    text_field: str | None = None,
    report: str | os.PathLike[str] | None = None,
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
    report
        Another file to make, of a line for everything that went: ``document``, ``round``, ``start`` and ``stop`` in tokens of what
        the rounds before had left of the document, ``first_document`` and ``first_start``, where its beginning occurred first, and
        its ``text``. The first round's are places in the documents of the index.
    threads
        Cores to use; all by default. Nothing that is written depends on it, nor on the number of shards.
    progress
        Show a bar on standard error; if it is a terminal by default.

    Raises
    ------
    BuildError
        The index has no text or is another engine's, there is something at ``output`` or ``report``, or it cannot be written.
    QueryError
        More than 2**32 - 2 tokens seem to repeat.

    Notes
    -----
    The text is what the index's tokenizer decodes: that of the corpus for ``bytes`` and byte-level tokenizers, lower-case words for
    ``words``. Documents that are cut are encoded anew after each round, so that deduplicating an index of the output leaves it as
    it is, with a tokenizer that gives a decoded text the same ids, as those three do. A passage inside a character may stay.

    The first round costs 15 ns a token on one core where there is one shard, else 30 ns, see
    :func:`suffixindex.queries.duplicates.find_duplicates`; each other one up to 8 ns, the writing 5 ns a byte. In memory are 2
    bytes a token, the tokens of the documents that are cut, and of one shard the tokens once more and 16 bytes for each place from
    which ``min_length`` tokens repeat; with a report some 300 bytes for everything that went.
    """
    target, told = Path(output), None if report is None else Path(report)
    check_positive(min_length=min_length)
    _check_name(target)
    if told is not None:
        _check_name(told)
        if told.absolute() == target.absolute():
            raise BuildError(f"{target} is to hold the corpus, and the report too: choose another name for one of them")
    with SuffixIndex(index, threads=threads) as opened:
        if opened.kind != "suffixindex":
            raise BuildError(f"{index} is an index of {opened.kind}: only ours are deduplicated; build one of its corpus")
        if opened.manifest.tokenizer["kind"] == "none":
            raise BuildError(f"{index} was made of ids without a tokenizer, which have no text to write: build it with theirs")
        cores = threads or cpu_count()
        if documents:
            rest = equal_documents(opened.local, told is not None)
        else:
            rest = without_passages(opened, min_length, cores, told is not None)
        name = text_field or str(opened.manifest.settings.get("text_field") or "text")
        written = _Written(opened, rest, name)
        with Bar("write", opened.num_tokens, "token", progress) as bar:
            if told is not None:
                _write(told, _told(opened, rest.passages or []), cores)
            try:
                _write(target, written.lines(bar), cores)
            except BaseException:
                if told is not None:
                    told.unlink(missing_ok=True)
                raise
    cut = sum(len(tokens) > 0 for tokens in rest.tokens.values())
    counts = written.num_documents, len(rest.tokens) - cut, cut, rest.num_passages, rest.num_tokens
    return Deduplicated(target, *counts, written.text_bytes, rest.rounds)


# ---- writing -------------------------------------------------------------------------------------------------------


def _check_name(target: Path) -> None:
    if not target.name.endswith(ENDINGS):
        raise BuildError(f"{target} is no name of a file of JSON lines: expected one that ends with {' or '.join(ENDINGS)}")
    if target.exists():
        raise BuildError(f"{target} is there already: choose another name, or remove it")


def _write(target: Path, lines: Iterator[bytes], threads: int) -> None:
    try:
        write_blocks(target, _compressed(lines, threads) if target.name.endswith(".zst") else lines)
    except OSError as error:
        if isinstance(error, SuffixIndexError):
            raise
        why = "no space is left" if error.errno == errno.ENOSPC else error.strerror
        raise BuildError(f"{target} cannot be written: {why}; nothing of it is left, deduplicate again") from error


def _told(index: SuffixIndex, passages: Sequence[Passage]) -> Iterator[bytes]:
    """A line for everything that went, in the order of rounds, documents and places; some lines at a time."""
    for block in blocks_of_documents(range(len(passages)), [len(passage.tokens) for passage in passages]):
        some = [passages[number] for number in block]
        texts = index.tokenizer.decode_batch([passage.tokens for passage in some])
        records = [{**passage._asdict(), "text": text} for passage, text in zip(some, texts, strict=True)]
        yield b"".join(orjson.dumps({key: record[key] for key in record if key != "tokens"}) + b"\n" for record in records)


class _Block(NamedTuple):
    """Some documents, without those that are dropped."""

    rows: list[Tokens]
    fields: list[dict[str, Any]]
    size: int
    """Tokens in the index, of those that are dropped too."""


class _Lines(NamedTuple):
    """A block as it is written."""

    content: bytes
    num_documents: int
    text_bytes: int
    size: int


class _Written:
    """What is left of the corpus, as lines."""

    def __init__(self, index: SuffixIndex, rest: Rest, text_field: str) -> None:
        self._index, self._rest, self._field = index, rest, text_field
        self.num_documents = self.text_bytes = 0

    def lines(self, bar: Bar) -> Iterator[bytes]:
        """Some lines at a time, made by other threads while those before are compressed."""
        done = 0
        local = self._index.local
        for made in in_order(local.pool, self._lines, self._blocks(), local.cores):
            self.num_documents += made.num_documents
            self.text_bytes += made.text_bytes
            done += made.size
            bar.show(done, documents=self.num_documents)
            yield made.content

    def _blocks(self) -> Iterator[_Block]:
        left = self._rest.tokens
        for first, shard in zip(self._index.local.first_documents, self._index.shards, strict=False):
            fields = self._fields(shard)
            offsets = shard.document_offsets.astype(np.int64)
            starts, sizes = offsets.tolist(), np.diff(offsets).tolist()
            for block in blocks_of_documents(range(shard.num_documents), sizes):
                rows: list[Tokens] = []
                beside: list[dict[str, Any]] = []
                for number, record in zip(block, fields, strict=False):
                    row = left.get(first + number)
                    if row is None:
                        row = shard.tokens[starts[number] : starts[number + 1] - 1]
                    elif not len(row):
                        continue
                    rows.append(row)
                    beside.append(record)
                yield _Block(rows, beside, starts[block[-1] + 1] - starts[block[0]] - len(block))

    def _lines(self, block: _Block) -> _Lines:
        texts = self._index.tokenizer.decode_batch(block.rows)
        content = b"".join(map(self._line, texts, block.fields))
        num_bytes = sum(len(text) if text.isascii() else len(text.encode()) for text in texts)
        return _Lines(content, len(texts), num_bytes, block.size)

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
