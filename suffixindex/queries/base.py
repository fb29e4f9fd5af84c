"""An opened index: what it is, its shards and threads, and its tokenizer."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import NoIndexError, QueryError
from suffixindex.format import PROVENANCE, TOKEN_TYPES, Manifest, shard_folder
from suffixindex.memory import cpu_count
from suffixindex.ngrams import NgramChecker, integers
from suffixindex.shard import Shard
from suffixindex.stamps import Stamps
from suffixindex.tokenizers import Tokenizer, open_tokenizer


class OpenIndex:
    """The shards of an index on disk, and what turns text into ids."""

    def __init__(self, path: str | os.PathLike[str], *, shards: tuple[int, int] | None = None, threads: int | None = None) -> None:
        """Open an index: reads the manifest and compares file sizes, no more. O(shards).

        Parameters
        ----------
        path
            Folder of the index.
        shards
            Only shards ``[first, last)``, as an index of the documents in them, which count from 0; sizes are not compared.
        threads
            Cores that bulk calls use; all by default.

        Raises
        ------
        NoIndexError, UnfinishedIndexError, FormatError
            With what to do about it.
        """
        self.path = Path(path).absolute()
        try:
            self.manifest = Manifest.read(self.path)
            if shards is None:
                self.manifest.check_sizes(self.path)
        except PermissionError as error:
            raise NoIndexError(f"{error.filename} may not be read: {error.strerror}; ask its owner for access") from error
        first, last = shards or (0, len(self.manifest.shards))
        self.manifest = replace(self.manifest, shards=self.manifest.shards[first:last])
        self.separator = self.manifest.separator
        self.vocabulary_size = self.manifest.vocabulary_size
        self.dtype = TOKEN_TYPES[self.manifest.token_type]
        self.num_documents = self.manifest.num_documents
        self.num_tokens = self.manifest.num_tokens
        types = self.manifest.token_type, self.vocabulary_size
        self.shards = [Shard(shard_folder(self.path, i), entry, *types) for i, entry in enumerate(self.manifest.shards, first)]
        self._first_document = np.cumsum([0] + [shard.num_documents for shard in self.shards])
        self._range = shards
        self._cores = threads or cpu_count()
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._checker = NgramChecker(self.encode, self.vocabulary_size, self.separator)

    def __repr__(self) -> str:
        size = (
            f"{self.num_documents:,} documents, {self.num_tokens:,} tokens, {len(self.shards)} shard{'s' * (len(self.shards) != 1)}"
        )
        return f"{type(self).__name__}({str(self.path)!r}: {self.manifest.tokenizer['kind']} tokenizer, {size})"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), shards=self._range), (self.path,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def info(self) -> dict[str, Any]:
        """What the index holds and how it was made, as plain data."""
        manifest = self.manifest
        try:
            provenance = json.loads((self.path / PROVENANCE).read_bytes())
        except (OSError, ValueError):
            provenance = {}
        return {
            "path": str(self.path),
            "format_version": manifest.format_version,
            "tokenizer": dict(manifest.tokenizer),
            "vocabulary_size": self.vocabulary_size,
            "token_type": manifest.token_type,
            "num_documents": self.num_documents,
            "num_tokens": self.num_tokens,
            "num_shards": len(self.shards),
            "num_bytes": manifest.num_bytes,
            "bytes_per_token": round(manifest.num_bytes / max(self.num_tokens, 1), 3),
            "skipped": dict(manifest.skipped),
            "settings": dict(manifest.settings),
            "provenance": provenance,
        }

    def close(self) -> None:
        """Stop the index's threads; its maps go when nothing refers to them any more."""
        with self._lock:
            if self._threads is not None:
                self._threads.shutdown()
                self._threads = None

    @property
    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._cores, "suffixindex")
            return self._threads

    @cached_property
    def _stamps(self) -> Stamps:
        return Stamps(max(shard.num_documents for shard in self.shards))

    # ---- text ----------------------------------------------------------------------------------------------------

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the index was built with, loaded when first needed."""
        return open_tokenizer(self.manifest.tokenizer, self.path)

    def encode(self, text: str) -> NDArray[Any]:
        """Ids of a text as the corpus was encoded, without special tokens.

        Raises
        ------
        QueryError
            The text holds half a surrogate pair, which no corpus holds.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise QueryError(f"the text {text!r} is not Unicode: {error.reason}") from None
        return self.tokenizer.encode(text)

    def decode(self, ids: ArrayLike) -> str:
        """Text of ids; separators are left out."""
        return self.tokenizer.decode(self._without_separators(ids))

    def pieces(self, ids: ArrayLike) -> list[str]:
        """What each id stands for, readable; the separator as ``<end of document>``."""
        flat = integers(ids)
        named = iter(self.tokenizer.pieces(self._without_separators(flat)))
        return ["<end of document>" if i == self.separator else next(named) for i in flat.tolist()]

    def _without_separators(self, ids: ArrayLike) -> NDArray[Any]:
        flat = integers(ids)
        if flat.size and not ((flat >= 0) & ((flat < self.vocabulary_size) | (flat == self.separator))).all():
            raise QueryError(f"an id is outside the vocabulary of {self.vocabulary_size:,} ids: {flat.min()} … {flat.max()}")
        kept: NDArray[Any] = flat[flat != self.separator]
        return kept
