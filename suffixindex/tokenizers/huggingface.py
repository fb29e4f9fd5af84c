"""Hugging Face tokenizers: the ids of ``tokenizers``, the reference, without special tokens around a text.

Truncation, padding and dropout that a file asks for are for training, and are left out.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import QueryError, TokenizerError
from suffixindex.system.encodings import encoding_of, goes_on
from suffixindex.tokenizers.hub import TOKENIZER_FILE, download, missing_extra
from suffixindex.tokenizers.word_table import contents

if TYPE_CHECKING:
    from tokenizers import Tokenizer

REFERENCE = "tokenizers"
_LARGE_ID = re.compile(r":[ \t\r\n]*[0-9]{7}")  # a value of seven digits or more
REFERENCE_BATCH = 1 << 18  # characters: an Encoding holds about 100 bytes a token
LARGEST_GAP = 1 << 20  # ids without a token that a vocabulary may have: made-up tokenizers leave room, of thousands


class HuggingFaceTokenizer:
    """A Hugging Face tokenizer, as described by a tokenizer.json.

    Thread-safe. ``reference`` is loaded at its first use.
    """

    kind = "huggingface"

    def __init__(self, text: str, *, source: str = TOKENIZER_FILE, revision: str | None = None) -> None:
        self.source = source
        self.revision = revision
        self._text = text

    @classmethod
    def load(cls, source: str, *, revision: str | None = None) -> Self:
        """The tokenizer of a hub name, a tokenizer.json, or a folder that holds one.

        Parameters
        ----------
        source
            ``EleutherAI/pythia-70m``, ``my/tokenizer.json`` or ``my/model``; what exists on disk goes first.
        revision
            Branch, tag or commit of a hub name; ``tokenizer.revision`` is the commit that was found.

        Raises
        ------
        TokenizerError
            Nothing there, no access, or no tokenizer.
        MissingDependencyError
            The extra ``hf`` is not installed.
        """
        path = Path(source).expanduser()
        commit = None
        if not path.exists():
            path = download(source, revision)
            commit = path.parent.name
        elif path.is_dir():
            path = path / TOKENIZER_FILE
            if not path.is_file():
                raise TokenizerError(
                    f"the folder {source} has no {TOKENIZER_FILE}, which holds a fast tokenizer: give the folder or file "
                    "that has it, or save it with transformers' AutoTokenizer.from_pretrained(…).save_pretrained(…)"
                )
        try:
            content = path.read_bytes()
            text = content.decode(encoding_of(content))
        except (OSError, UnicodeDecodeError) as error:
            raise TokenizerError(f"{path} cannot be read as a {TOKENIZER_FILE}: {error}") from error
        tokenizer = cls(text, source=source, revision=commit)
        tokenizer.reference  # noqa: B018  a malformed file is refused here
        return tokenizer

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The tokenizer of the content of a tokenizer.json; nothing is loaded before it is needed."""
        return cls(text)

    def to_json(self) -> str:
        """The content of the tokenizer.json, character for character."""
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), source=self.source, revision=self.revision), (self._text,)

    @cached_property
    def vocabulary_size(self) -> int:
        """1 + the largest id, added tokens included."""
        return 1 + max(self.reference.get_vocab(with_added_tokens=True).values(), default=-1)

    def encode(self, text: str) -> NDArray[np.uint32]:
        """Ids of one text by the reference engine, no special tokens around it; O(text)."""
        try:
            return np.array(self.reference.encode(text, add_special_tokens=False).ids, np.uint32)
        except (TypeError, UnicodeEncodeError) as error:
            raise no_unicode([text]) or error from error

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of all texts by the reference engine, one after the other, and how many each has; its threads are its own."""
        rows: list[NDArray[np.uint32]] = []
        for some in _steps(texts):
            try:
                encodings = self.reference.encode_batch_fast(some, add_special_tokens=False)
            except (TypeError, UnicodeEncodeError) as error:
                raise no_unicode(some) or error from error
            rows += [np.array(encoding.ids, np.uint32) for encoding in encodings]
        return np.concatenate([np.empty(0, np.uint32), *rows]), np.array([len(row) for row in rows], np.int64)

    def lost(self, text: str) -> str | None:
        """The first piece of a text that becomes the unknown token, or no token; None if every piece has its own.

        What the tokenizer leaves out of every text, as its normalizer or pre-tokenizer does, is not lost.
        """
        if not self._may_lose:
            return None
        encoding = self.reference.encode(text, add_special_tokens=False)
        covered = np.zeros(len(text), bool)
        for token_id, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True):
            covered[start:stop] = True
            if token_id == self._unknown and self.reference.id_to_token(token_id) != text[start:stop].strip():
                return text[start:stop]
        return next((text[place] for place in np.flatnonzero(~covered).tolist() if self._drops(text[place])), None)

    def _drops(self, character: str) -> bool:
        """Whether the model has no token for a character that the steps before it leave."""
        step = self.reference.normalizer
        normal = character if step is None else step.normalize_str(character)
        if self.reference.pre_tokenizer is not None:
            normal = "".join(piece for piece, _ in self.reference.pre_tokenizer.pre_tokenize_str(normal))
        return bool(normal.strip()) and not self.reference.encode(character, add_special_tokens=False).ids

    @cached_property
    def _model(self) -> dict[str, Any]:
        """What the file says of its model, but for the tokens."""
        return {name: value for name, value in json.loads(self._text)["model"].items() if name not in {"vocab", "merges"}}

    @cached_property
    def _unknown(self) -> int | None:
        """The id of what has no token."""
        if isinstance(self._model.get("unk_id"), int):
            return int(self._model["unk_id"])
        token = self._model.get("unk_token")
        return None if token is None else self.reference.token_to_id(token)

    @cached_property
    def _may_lose(self) -> bool:
        """Not where every byte that UTF-8 has has a token."""

        def has_all(tokens: Iterable[str]) -> bool:
            return all(self.reference.model.token_to_id(token) is not None for token in tokens)

        if self._byte_level and has_all(character for character, byte in _BYTES.items() if byte in _UTF_8):
            return False
        return not (self._model.get("byte_fallback") and has_all(f"<0x{byte:02X}>" for byte in _UTF_8))

    def decode(self, ids: ArrayLike) -> str:
        """Text of the ids, special tokens included."""
        array = np.asarray(ids, np.int64)
        for token_id in np.unique(array).tolist():
            if self._token(token_id) is None:
                raise QueryError(f"id {token_id} is no token of {self.source}: ids are below {self.vocabulary_size}")
        return str(self.reference.decode(array.tolist(), skip_special_tokens=False))

    def decode_batch(self, rows: Sequence[NDArray[Any]]) -> list[str]:
        """As :meth:`decode`, of many rows; 2 ns a byte of a byte-level tokenizer."""
        if self._content is None:
            return [str(text) for text in self.reference.decode_batch([row.tolist() for row in rows], skip_special_tokens=False)]
        return [content.decode(errors="replace") for content in contents(*self._content, rows)]

    @cached_property
    def _content(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
        """The bytes of all ids and where each one's begin, if a text's are those of its ids one after the other.

        They are as the byte-level decoder makes them.
        """
        if (json.loads(self._text).get("decoder") or {}).get("type") != "ByteLevel":
            return None
        tokens = [self._token(token_id) or "" for token_id in range(self.vocabulary_size)]
        known = [[_BYTES.get(character) for character in token] for token in tokens]
        of_ids = [
            token.encode() if None in content else bytes(content)  # type: ignore[arg-type]
            for token, content in zip(tokens, known, strict=True)
        ]
        return np.frombuffer(b"".join(of_ids), np.uint8), np.cumsum([0, *map(len, of_ids)])

    def begins_inside(self) -> NDArray[np.bool_]:
        """Of each id, whether it begins with a byte inside a character."""
        firsts = np.zeros(self.vocabulary_size, np.uint8)
        for token_id in range(self.vocabulary_size):
            token = self._token(token_id)
            if not token or token_id in self._added:
                continue
            if self._byte_level:
                firsts[token_id] = _BYTES.get(token[0], 0)
            elif match := re.fullmatch(r"<0x([0-9A-F]{2})>", token):
                firsts[token_id] = int(match[1], 16)
        return goes_on(firsts)

    def pieces(self, ids: ArrayLike) -> list[str]:
        """What each id stands for, readable: ``" world"`` for ``Ġworld``, ``\\xe2`` for a byte that is no character."""
        return [self._piece(token_id) for token_id in np.asarray(ids, np.int64).tolist()]

    def _token(self, token_id: int) -> str | None:
        return self.reference.id_to_token(token_id) if 0 <= token_id < 1 << 32 else None

    def _piece(self, token_id: int) -> str:
        token = self._token(token_id)
        if token is None:
            return f"<no token {token_id}>"
        if token_id in self._added:
            return token
        if self._byte_level:
            content = [_BYTES.get(character) for character in token]
            return token if None in content else bytes(content).decode(errors="backslashreplace")  # type: ignore[arg-type]
        if match := re.fullmatch(r"<0x([0-9A-F]{2})>", token):
            return bytes.fromhex(match[1]).decode(errors="backslashreplace")
        return token.replace("▁", " ")

    @cached_property
    def _added(self) -> frozenset[int]:
        return frozenset(self.reference.get_added_tokens_decoder())

    @cached_property
    def _byte_level(self) -> bool:
        step = self.reference.decoder or self.reference.pre_tokenizer
        return step is not None and b'"ByteLevel"' in step.__getstate__()

    @cached_property
    def reference(self) -> "Tokenizer":
        """The engine that defines the ids."""
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise missing_extra() from error
        _check_ids(self._text, self.source)
        try:
            tokenizer = Tokenizer.from_str(self._text)
        except BaseException as error:  # tokenizers raises Exception itself, or panics
            if not is_failure(error):
                raise
            raise TokenizerError(
                f"{self.source} is no {TOKENIZER_FILE} that {version(REFERENCE)} can read ({error}): save the tokenizer "
                f"again, or update {REFERENCE}"
            ) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if getattr(tokenizer.model, "dropout", None):
            tokenizer.model.dropout = None
        return tokenizer


def _steps(texts: list[str]) -> Iterator[list[str]]:
    some: list[str] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text)
        if size >= REFERENCE_BATCH:
            yield some
            some, size = [], 0
    if some:
        yield some


def no_unicode(texts: list[str]) -> TokenizerError | None:
    """The error that a lone surrogate deserves: no Unicode text, and no tokenizer takes it."""
    for text in texts:
        if match := re.search("[\ud800-\udfff]", text):
            before = text[max(0, match.start() - 30) : match.start()]
            return TokenizerError(
                f"a text holds the lone surrogate U+{ord(match[0]):04X} at character {match.start()}, after {before!r}: "
                "that is no Unicode text and has no ids; repair or drop the document"
            )
    return None


def is_failure(error: BaseException) -> bool:
    """Whether an engine failed on its input: an exception, or a panic of its Rust code, which is none."""
    failed = isinstance(error, Exception) or type(error).__name__ == "PanicException"
    return failed and not isinstance(error, MemoryError)


def version(package: str) -> str:
    from importlib import metadata

    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def _check_ids(text: str, source: str) -> None:
    """Engines take memory for every id up to the largest: check before one sees them. 1 ns a character of a file without such ids.

    Raises
    ------
    TokenizerError
        An id is no number of a vocabulary. Whatever else is wrong is for the engine to say.
    """
    if not _LARGE_ID.search(text):
        return
    try:
        content = orjson.loads(text)
        vocabulary = content["model"].get("vocab")
        entries = list(vocabulary.items()) if isinstance(vocabulary, dict) else []
        entries += [(token["content"], token["id"]) for token in content.get("added_tokens") or []]
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    most = LARGEST_GAP + 2 * len(entries) + (len(vocabulary) if isinstance(vocabulary, list) else 0)
    for token, number in entries:
        if not isinstance(number, int) or not 0 <= number < most:
            raise TokenizerError(
                f"{source}: the token {str(token)[:60]!r} has the id {str(number)[:40]}, expected one from 0 to {most - 1:,}, as "
                f"there are {len(entries):,} tokens: the file is damaged; save the tokenizer again"
            )


def _byte_characters() -> dict[str, int]:
    """GPT-2's printable character for each byte, inverted."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


_BYTES = _byte_characters()
_UTF_8 = frozenset(range(256)) - {0xC0, 0xC1, *range(0xF5, 0x100)}
