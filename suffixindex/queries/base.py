"""An opened index: what it is, its shards and threads, and its tokenizer."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import FormatError, NoIndexError, QueryError
from suffixindex.ngrams import NgramChecker, integers
from suffixindex.queries.stamps import Stamps
from suffixindex.storage.format import BUILD_STATE, MANIFEST, PROVENANCE, TOKEN_TYPES, Manifest, shard_folder
from suffixindex.storage.shard import Shard
from suffixindex.system.memory import cpu_count
from suffixindex.tokenizers.base import Tokenizer, open_tokenizer


class OpenIndex:
    """The shards of an index on disk, and what turns text into ids."""

    def __init__(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        shards: tuple[int, int] | None = None,
        threads: int | None = None,
        tokenizer: str | None = None,
        token_dtype: str | None = None,
        reversed: bool | None = None,
        separator: int | None = None,
        vocabulary_size: int | None = None,
    ) -> None:
        """Open an index: reads the manifest and compares file sizes, no more. O(shards).

        Parameters
        ----------
        path
            An index of ours; or a folder of infini-gram's, or a list of them; or a folder or one file of tokengrams' pairs.
        shards
            Only shards ``[first, last)`` of an index of ours, as an index of the documents in them, which count from 0; sizes
            are not compared.
        threads
            Cores that bulk calls use; all by default.
        tokenizer, token_dtype, reversed, separator, vocabulary_size
            What the files of another engine do not say: see :func:`suffixindex.open`.

        Raises
        ------
        NoIndexError, UnfinishedIndexError, FormatError, TokenizerError
            With what to do about it.
        """
        paths = [Path(path)] if isinstance(path, (str, os.PathLike)) else [Path(one) for one in path]
        if not paths:
            raise NoIndexError("no path of an index was given")
        self.path = paths[0].absolute()
        self._named = [one.absolute() for one in paths]
        self._said: dict[str, Any] = {
            "tokenizer": tokenizer,
            "token_dtype": token_dtype,
            "reversed": reversed,
            "separator": separator,
            "vocabulary_size": vocabulary_size,
        }
        try:
            self.shards = self._open(shards)
        except PermissionError as error:
            raise NoIndexError(f"{error.filename} may not be read: {error.strerror}; ask its owner for access") from error
        self.separator = self.manifest.separator
        self.vocabulary_size = self.manifest.vocabulary_size
        self.dtype = TOKEN_TYPES[self.manifest.token_type]
        self.num_documents = self.manifest.num_documents
        self.num_tokens = self.manifest.num_tokens
        self._first_document = np.cumsum([0] + [shard.num_documents for shard in self.shards])
        self._range = shards
        self._cores = threads or cpu_count()
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._checker = NgramChecker(
            self.encode, self.vocabulary_size, self.separator, self.manifest.settings.get("stored_separator")
        )

    def _open(self, chosen: tuple[int, int] | None) -> list[Shard]:
        """Set what depends on whose index it is: ``manifest``, ``kind`` and ``tokenizer_folder``; returns the shards."""
        if len(self._named) == 1 and not is_foreign(self.path):
            self.manifest = Manifest.read(self.path)
            if chosen is None:
                self.manifest.check_sizes(self.path)
            first, last = chosen or (0, len(self.manifest.shards))
            self.manifest = replace(self.manifest, shards=self.manifest.shards[first:last])
            if given := [name for name, value in self._said.items() if value is not None]:
                raise FormatError(f"{self.path} is an index of ours, whose manifest says its {given[0]}: leave that out")
            self.kind, self.tokenizer_folder = "suffixindex", self.path
            types = self.manifest.token_type, self.manifest.vocabulary_size
            return [Shard(shard_folder(self.path, i), shard, *types) for i, shard in enumerate(self.manifest.shards, first)]
        from suffixindex.foreign.opening import open_paths

        opened = open_paths(self._named, **self._said)
        self.manifest, self.kind, self.tokenizer_folder = opened.manifest, opened.kind, opened.tokenizer_folder
        return list(opened.shards)

    def __repr__(self) -> str:
        size = (
            f"{self.num_documents:,} documents, {self.num_tokens:,} tokens, {len(self.shards)} shard{'s' * (len(self.shards) != 1)}"
        )
        return f"{type(self).__name__}({str(self.path)!r}: {self.manifest.tokenizer['kind']} tokenizer, {size})"

    def __reduce__(self) -> tuple[Any, ...]:
        said = {**self._said, "shards": self._range} if self._range else self._said
        return partial(type(self), **said), (self._named if len(self._named) > 1 else self.path,)

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
        num_bytes = manifest.num_bytes or sum(Path(name).stat().st_size for name in manifest.settings.get("files", ()))
        return {
            "path": str(self.path),
            "kind": self.kind,
            "format_version": manifest.format_version,
            "tokenizer": dict(manifest.tokenizer),
            "vocabulary_size": self.vocabulary_size,
            "token_type": manifest.token_type,
            "num_documents": self.num_documents,
            "num_tokens": self.num_tokens,
            "num_shards": len(self.shards),
            "num_bytes": num_bytes,
            "bytes_per_token": round(num_bytes / max(self.num_tokens, 1), 3),
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
        return open_tokenizer(self.manifest.tokenizer, self.tokenizer_folder)

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


def is_foreign(path: Path) -> bool:
    """Whether a path holds something, and neither an index of ours nor a build of one."""
    return path.exists() and not any((path / name).exists() for name in (MANIFEST, BUILD_STATE))
