"""Hugging Face tokenizers: the ids of ``tokenizers``, from an engine fifty times as fast where that is exact.

Encoding is what a build costs. ``tokenizers`` is the reference: its ids, without special tokens around a text, define
this tokenizer. ``fastokens`` encodes the batches of a build, on these conditions: the pipeline holds nothing that the
two are known to treat differently (``tokenizer_rules``), a probe of difficult text at load time agrees, and documents
with a character of ``DOUBTFUL`` go to the reference. What remains is checked on a sample of every build
(``check_sample``). Truncation, padding and dropout that a file asks for are for training, and are left out.
"""

import json
import logging
import re
from collections.abc import Iterator
from functools import cached_property
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.errors import QueryError, TokenizerError
from suffixindex.tokenizers.hub import TOKENIZER_FILE, download, missing_extra
from suffixindex.tokenizers.rules import DOUBTFUL, PROBES, unsupported

if TYPE_CHECKING:
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

REFERENCE, FAST = "tokenizers", "fastokens"
REFERENCE_BATCH = 1 << 18  # characters: an Encoding holds about 100 bytes a token


class HuggingFaceTokenizer:
    """A Hugging Face tokenizer, as described by a tokenizer.json.

    Thread-safe. The reference engine is loaded at its first use, the fast one at the first ``encode_batch``.
    """

    kind = "huggingface"

    def __init__(self, text: str, *, source: str = TOKENIZER_FILE, engine: str | None = None) -> None:
        if engine not in (None, REFERENCE, FAST):
            raise TokenizerError(f"there is no tokenizer engine {engine!r}: use {FAST!r} or {REFERENCE!r}")
        self.source = source
        self.revision: str | None = None
        self._text = text
        self._engine = engine
        self._lock = Lock()
        self._fast_choice: tuple[Any, str | None] | None = None

    @classmethod
    def load(cls, source: str, *, revision: str | None = None, engine: str | None = None) -> Self:
        """The tokenizer of a hub name, a tokenizer.json, or a folder that holds one.

        Parameters
        ----------
        source
            ``EleutherAI/pythia-70m``, ``my/tokenizer.json`` or ``my/model``; what exists on disk goes first.
        revision
            Branch, tag or commit of a hub name; ``tokenizer.revision`` is the commit that was found.
        engine
            ``"tokenizers"`` to encode batches with the reference; by default the fast engine where it is exact.

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
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenizerError(f"{path} cannot be read as a {TOKENIZER_FILE}: {error}") from error
        tokenizer = cls(text, source=source, engine=engine)
        tokenizer.revision = commit
        tokenizer._reference  # noqa: B018  a malformed file is refused here
        return tokenizer

    @classmethod
    def from_json(cls, text: str, *, engine: str | None = None) -> Self:
        """The tokenizer of the content of a tokenizer.json; nothing is loaded before it is needed."""
        return cls(text, engine=engine)

    def to_json(self) -> str:
        """The content of the tokenizer.json, character for character."""
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (type(self), self._text, self.source, self.revision, self._engine)

    @cached_property
    def vocabulary_size(self) -> int:
        """1 + the largest id, added tokens included."""
        return 1 + max(self._reference.get_vocab(with_added_tokens=True).values(), default=-1)

    @property
    def engine(self) -> str:
        """Name and version of what encodes batches."""
        return _version(FAST if self._fast else REFERENCE)

    @property
    def fallback_reason(self) -> str | None:
        """Why ``tokenizers`` encodes batches, in a sentence; None where the fast engine does."""
        self._fast  # noqa: B018  decides
        assert self._fast_choice
        return self._fast_choice[1]

    def encode(self, text: str) -> NDArray[np.uint32]:
        """Ids of one text by the reference engine, no special tokens around it; O(text)."""
        try:
            return np.array(self._reference.encode(text, add_special_tokens=False).ids, np.uint32)
        except (TypeError, UnicodeEncodeError) as error:
            raise _no_unicode([text]) or error from error

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of all texts, one after the other, and how many each has; from any thread.

        The fast engine runs its own threads, which all callers share (``FASTOKENS_BPE_THREADS``, at most 32), and keeps
        up to 100 MB of words it has seen a thread. Memory: a few times the text.
        """
        fast = self._fast
        if fast is None:
            return self._encode_reference(texts)
        doubtful = [i for i, text in enumerate(texts) if not text.isascii() and any(c in text for c in DOUBTFUL)]
        kept = list(texts)
        for i in doubtful:
            kept[i] = ""
        try:
            content, bounds = fast.encode_batch_flat(kept)
        except UnicodeEncodeError as error:
            raise _no_unicode(texts) or error from error
        except BaseException as error:
            if not _is_failure(error):
                raise
            logger.warning("%s failed on a batch, which %s encodes instead: %s", FAST, REFERENCE, error)
            return self._encode_reference(texts)
        ids: NDArray[np.uint32] = np.frombuffer(content, "<u4")
        offsets = np.frombuffer(bounds, "<u8").astype(np.int64)
        if not doubtful:
            return ids, np.diff(offsets)
        return self._replace(ids, offsets, doubtful, *self._encode_reference([texts[i] for i in doubtful]))

    @staticmethod
    def _replace(
        ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        rows: list[int],
        row_ids: NDArray[np.uint32],
        row_lengths: NDArray[np.int64],
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        lengths = np.diff(offsets)
        parts, done, start = [], 0, 0
        for row, length in zip(rows, row_lengths.tolist(), strict=True):
            parts += [ids[done : offsets[row]], row_ids[start : start + length]]
            done, start = int(offsets[row + 1]), start + length
        lengths[rows] = row_lengths
        return np.concatenate([*parts, ids[done:]]), lengths

    def _encode_reference(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """``tokenizers`` in steps of ``REFERENCE_BATCH``; one tokenizer for all threads, which share its thread pool."""
        rows: list[NDArray[np.uint32]] = []
        for some in _steps(texts):
            try:
                encodings = self._reference.encode_batch_fast(some, add_special_tokens=False)
            except (TypeError, UnicodeEncodeError) as error:
                raise _no_unicode(some) or error from error
            rows += [np.array(encoding.ids, np.uint32) for encoding in encodings]
        return np.concatenate([np.empty(0, np.uint32), *rows]), np.array([len(row) for row in rows], np.int64)

    def check_sample(self, texts: list[str], ids: NDArray[Any], lengths: NDArray[Any]) -> None:
        """Encode documents again with ``tokenizers`` and compare; the guard of a build.

        Parameters
        ----------
        texts
            Documents of the build.
        ids, lengths
            What ``encode_batch`` returned for them: all ids, and how many each document has.

        Raises
        ------
        TokenizerError
            At the first difference.
        """
        if self._fast is None:
            return
        ends = np.cumsum(lengths)
        for text, end, length in zip(texts, ends.tolist(), np.asarray(lengths).tolist(), strict=True):
            found, expected = ids[end - length : end], self.encode(text)
            if not np.array_equal(found, expected):
                raise self._difference(text, found, expected)

    def _difference(self, text: str, found: NDArray[Any], expected: NDArray[np.uint32]) -> TokenizerError:
        common = min(len(found), len(expected))
        at = int(np.append(np.flatnonzero(found[:common] != expected[:common]), common)[0])
        offsets = self._reference.encode(text, add_special_tokens=False).offsets
        character = offsets[at][0] if at < len(offsets) else len(text)
        excerpt = text[max(0, character - 30) : character + 30]
        around = slice(max(0, at - 2), at + 3)
        return TokenizerError(
            f"{_version(FAST)} and {_version(REFERENCE)} encode a document differently: near {excerpt!r} (character "
            f"{character}) the ids from token {around.start} on are {found[around].tolist()}, expected "
            f"{expected[around].tolist()}: build anew with --tokenizer-engine {REFERENCE} (engine={REFERENCE!r}), and "
            f"report the excerpt to the authors of {FAST}"
        )

    def decode(self, ids: ArrayLike) -> str:
        """Text of the ids, special tokens included."""
        array = np.asarray(ids, np.int64)
        for token_id in np.unique(array).tolist():
            if self._token(token_id) is None:
                raise QueryError(f"id {token_id} is no token of {self.source}: ids are below {self.vocabulary_size}")
        return str(self._reference.decode(array.tolist(), skip_special_tokens=False))

    def pieces(self, ids: ArrayLike) -> list[str]:
        """What each id stands for, readable: ``" world"`` for ``Ġworld``, ``\\xe2`` for a byte that is no character."""
        return [self._piece(token_id) for token_id in np.asarray(ids, np.int64).tolist()]

    def _token(self, token_id: int) -> str | None:
        return self._reference.id_to_token(token_id) if 0 <= token_id < 1 << 32 else None

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
        return frozenset(self._reference.get_added_tokens_decoder())

    @cached_property
    def _byte_level(self) -> bool:
        step = self._reference.decoder or self._reference.pre_tokenizer
        return step is not None and b'"ByteLevel"' in step.__getstate__()

    @cached_property
    def _reference(self) -> "Tokenizer":
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise missing_extra() from error
        try:
            tokenizer = Tokenizer.from_str(self._text)
        except BaseException as error:  # tokenizers raises Exception itself, or panics
            if not _is_failure(error):
                raise
            raise TokenizerError(
                f"{self.source} is no {TOKENIZER_FILE} that {_version(REFERENCE)} can read ({error}): save the tokenizer "
                f"again, or update {REFERENCE}"
            ) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if getattr(tokenizer.model, "dropout", None):
            tokenizer.model.dropout = None
        return tokenizer

    @property
    def _fast(self) -> Any:
        """The fast engine, or None where the reference must do; decided once."""
        if self._fast_choice is None:
            with self._lock:
                if self._fast_choice is None:
                    self._fast_choice = self._choose()
        return self._fast_choice[0]

    def _choose(self) -> tuple[Any, str | None]:
        if self._engine == REFERENCE:
            return None, f"{REFERENCE} is used: asked for"
        try:
            import fastokens
        except ImportError:
            return None, f"{REFERENCE} is used: {FAST} is not installed (pip install 'suffixindex[hf]')"
        content = self._reference.to_str()  # what the reference understood, not what a lenient file says
        reason = unsupported(json.loads(content))
        if reason is None:
            try:
                fast = fastokens.Tokenizer.from_json_str(content)
                reason = self._probe(fast)
            except BaseException as error:
                if not _is_failure(error):
                    raise
                reason = str(error)
        if reason is None:
            return fast, None
        return None, f"{REFERENCE} is used, several times slower: {_version(FAST)} is not exact here ({reason})"

    def _probe(self, fast: Any) -> str | None:
        added = [token.content for token in self._reference.get_added_tokens_decoder().values()]
        texts = [*PROBES, *(f"a{token}b {token}  {token}\n{token}{token.upper()} x" for token in added[:1000])]
        ids, lengths = self._encode_reference(texts)
        content, bounds = fast.encode_batch_flat(texts)
        found, offsets = np.frombuffer(content, "<u4"), np.frombuffer(bounds, "<u8")
        for text, end, length, start, stop in zip(texts, np.cumsum(lengths), lengths, offsets[:-1], offsets[1:], strict=True):
            if not np.array_equal(found[start:stop], ids[end - length : end]):
                return f"it differs on {text[:60]!r}"
        return None


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


def _no_unicode(texts: list[str]) -> TokenizerError | None:
    """The error that a lone surrogate deserves: no Unicode text, and no tokenizer takes it."""
    for text in texts:
        if match := re.search("[\ud800-\udfff]", text):
            before = text[max(0, match.start() - 30) : match.start()]
            return TokenizerError(
                f"a text holds the lone surrogate U+{ord(match[0]):04X} at character {match.start()}, after {before!r}: "
                "that is no Unicode text and has no ids; repair or drop the document"
            )
    return None


def _is_failure(error: BaseException) -> bool:
    """Whether an engine failed on its input: an exception, or a panic of its Rust code, which is none."""
    failed = isinstance(error, Exception) or type(error).__name__ == "PanicException"
    return failed and not isinstance(error, MemoryError)


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def _unpickle(
    cls: type[HuggingFaceTokenizer], text: str, source: str, revision: str | None, engine: str | None
) -> HuggingFaceTokenizer:
    tokenizer = cls(text, source=source, engine=engine)
    tokenizer.revision = revision
    return tokenizer


def _byte_characters() -> dict[str, int]:
    """GPT-2's printable character for each byte, inverted."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


_BYTES = _byte_characters()
