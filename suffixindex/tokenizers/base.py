"""Tokenizers: ``bytes``, ``words``, or a Hugging Face tokenizer. One protocol to ask with, one to build with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import FormatError, TokenizerError
from suffixindex.system.encodings import goes_on
from suffixindex.tokenizers.hub import TOKENIZER_FILE


class Tokenizer(Protocol):
    """What an open index needs to turn text into ids and back."""

    kind: str

    @property
    def vocabulary_size(self) -> int:
        """One more than the largest id."""

    def encode(self, text: str) -> NDArray[Any]:
        """Ids of a text, without special tokens around it."""

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Ids of many texts, one after the other, and how many each has."""

    def lost(self, text: str) -> str | None:
        """The first piece of a text that has no token of its own, so that its ids stand for other texts too; None if all have."""

    def decode(self, ids: ArrayLike) -> str:
        """Text of the ids."""

    def decode_batch(self, rows: Sequence[NDArray[Any]]) -> list[str]:
        """Text of each of many rows of ids."""

    def begins_inside(self) -> NDArray[np.bool_]:
        """Of each id, whether it begins with a byte inside a character: no text is to be cut before it."""

    def pieces(self, ids: ArrayLike) -> list[str]:
        """What each id stands for, readable."""


class Bytes:
    """UTF-8 bytes: counts are exact substring counts of the text, wherever a tokenizer would cut."""

    kind = "bytes"
    vocabulary_size = 255  # 0xFF, the separator, occurs in no UTF-8 text

    def encode(self, text: str) -> NDArray[np.uint8]:
        return np.frombuffer(text.encode(), np.uint8)

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        contents = [text.encode() for text in texts]
        return np.frombuffer(b"".join(contents), np.uint8), np.fromiter(map(len, contents), np.int64, len(contents))

    def lost(self, text: str) -> None:
        return None

    def decode(self, ids: ArrayLike) -> str:
        return np.asarray(ids, np.uint8).tobytes().decode(errors="replace")

    def decode_batch(self, rows: Sequence[NDArray[Any]]) -> list[str]:
        return [self.decode(row) for row in rows]

    def begins_inside(self) -> NDArray[np.bool_]:
        return goes_on(np.arange(self.vocabulary_size, dtype=np.uint8))

    def pieces(self, ids: ArrayLike) -> list[str]:
        return [chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in np.asarray(ids, np.uint8).tolist()]


class NoTokenizer:
    """What stands for a tokenizer that nobody named: ids are shown as they are, and text is refused."""

    kind = "none"
    vocabulary_size = 0

    def encode(self, text: str) -> NDArray[Any]:
        """
        Raises
        ------
        TokenizerError
            Always.
        """
        raise TokenizerError(
            "this index is asked with ids: it knows no tokenizer for text (name that of an infini-gram or tokengrams index with "
            "suffixindex adopt INDEX --tokenizer NAME)"
        )

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """As :meth:`encode`."""
        return self.encode(""), np.empty(0, np.int64)

    def lost(self, text: str) -> None:
        return None

    def decode(self, ids: ArrayLike) -> str:
        return " ".join(self.pieces(ids))

    def decode_batch(self, rows: Sequence[NDArray[Any]]) -> list[str]:
        return [self.decode(row) for row in rows]

    def begins_inside(self) -> NDArray[np.bool_]:
        return np.zeros(0, bool)

    def pieces(self, ids: ArrayLike) -> list[str]:
        return [f"<{i}>" for i in np.asarray(ids).tolist()]


def open_tokenizer(entry: Mapping[str, Any], folder: Path) -> Tokenizer:
    """The tokenizer that a manifest describes, from the files of its index."""
    kind = entry.get("kind")
    if kind == "bytes":
        return Bytes()
    if kind == "none":
        return NoTokenizer()
    if kind == "words":
        from suffixindex.tokenizers.words import Words

        return Words(folder, int(entry.get("generation", 0)))
    if kind == "huggingface":
        from suffixindex.tokenizers.huggingface import HuggingFaceTokenizer

        try:
            text = (folder / TOKENIZER_FILE).read_bytes().decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"{folder / TOKENIZER_FILE} is damaged: restore the file or build again") from error
        return HuggingFaceTokenizer.from_json(text)
    raise FormatError(f"{folder} was built with a tokenizer of the unknown kind {kind!r}: update suffixindex")
