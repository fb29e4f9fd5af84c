"""How a build turns documents into ids: one encoder for each kind of tokenizer, and the files it leaves in the index."""

import logging
import math
import os
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import BuildError, CorpusError, FormatError, TokenizerError
from suffixindex.storage.checks import check_permutation
from suffixindex.storage.files import map_array, write_blocks, write_bytes
from suffixindex.storage.format import TOKEN_TYPES, separator_of, token_type
from suffixindex.tokenizers.base import Bytes
from suffixindex.tokenizers.batches import BatchTokenizer
from suffixindex.tokenizers.guard import Guard
from suffixindex.tokenizers.hub import TOKENIZER_FILE
from suffixindex.tokenizers.words import VOCABULARY, VOCABULARY_FILES

if TYPE_CHECKING:
    from suffixindex.tokenizers.splitting import SplitWords
    from suffixindex.tokenizers.vocabulary import KnownWords
    from suffixindex.tokenizers.word_table import WordList

log = logging.getLogger(__name__)

SEPARATOR_BYTE = b"\xff"


class Encoded(Protocol):
    """Encoded documents, whose ids may depend on the documents before."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many tokens each document has, without its separator."""

    @property
    def unnumbered(self) -> Any:
        """What :meth:`Encoder.number` is to see of them; small."""

    def tokens(self, numbers: Any) -> NDArray[Any]:
        """Tokens of all documents, a separator after each; ``numbers`` is what :meth:`Encoder.number` said."""


class Encoder(Protocol):
    """``encode`` on any thread, or in processes; then ``number`` in the order of the corpus; the rest on one thread."""

    entry: Mapping[str, Any]  # what the manifest says of the tokenizer
    token_type: str  # of the tokens as they are encoded; an index may narrow it to its vocabulary
    files: tuple[str, ...]  # its files in the index
    parallel: bool  # whether `encode` lets go of the interpreter, so that several threads gain
    spread: bool  # whether parsing and `encode` are work enough for processes of their own
    threads: int  # by which a document of many megabytes may be encoded, where `encode` can
    utf8_from: float  # bytes of text from which on `encode` gains if it is in UTF-8, as views of memory

    @property
    def vocabulary_size(self) -> int: ...

    def begin(self, index: Path, checkpoint: int) -> None:
        """Write the files that are known beforehand, or take up the ones that stood at ``checkpoint``."""

    def encode(self, texts: list[Any]) -> Encoded: ...

    def number(self, unnumbered: Any) -> Any:
        """What :meth:`Encoded.tokens` has to know of the documents before."""

    def remember(self) -> None:
        """Keep what ``number`` says to this process's documents, so that later ones need not ask for it again.

        Then each batch must be told it, and in the order in which they were encoded.
        """

    def checkpoint(self) -> int:
        """Make what has grown durable, and say how far it is."""

    def finish(self) -> None:
        """Write what is known only at the end of the corpus."""

    def hand_over(self, part: Path) -> None:
        """Write what has grown, for another encoder to adopt."""

    def adopt(self, part: Path) -> NDArray[np.uint32] | None:
        """Take in the ids of another encoder, of the next documents: the id here of each of its ids, None if they agree."""


def choose_encoder(tokenizer: str, revision: str | None = None, engine: str | None = None) -> Encoder:
    """The encoder for ``bytes``, ``words``, or a Hugging Face name, folder or ``tokenizer.json``.

    Raises
    ------
    TokenizerError, MissingDependencyError
    """
    if tokenizer == "bytes":
        return BytesEncoder()
    if tokenizer == "words":
        return WordEncoder()
    loaded = BatchTokenizer.load(tokenizer, revision=revision, engine=engine)
    Thread(target=_choose_engine, args=(tokenizer, loaded, engine is None), name="engine").start()
    return HuggingFaceEncoder(tokenizer, loaded)


def _choose_engine(name: str, tokenizer: BatchTokenizer, tell: bool) -> None:
    """Load what encodes batches, half a second, while other things are done; say it where that is not the fast engine."""
    with suppress(Exception):  # raised again where it is needed
        if tokenizer.fallback_reason and tell:
            log.warning("%s: %s", name, tokenizer.fallback_reason)


def end_documents(ids: NDArray[Any], lengths: NDArray[np.int64], token_type: str) -> NDArray[Any]:
    """Ids of documents one after the other -> tokens, a separator after each document. Half a nanosecond a token."""
    dtype = TOKEN_TYPES[token_type]
    return np.insert(ids.astype(dtype, copy=False), np.cumsum(lengths), dtype.type(separator_of(token_type)))


def stored_encoder(entry: Mapping[str, Any], index: Path, engine: str | None = None) -> Encoder:
    """Another encoder of the kind that an index under way says, from its files; for another process of the same build.

    Raises
    ------
    BuildError
        This process would encode otherwise: its Python has other tables of characters, or it sees another file.
    """
    if entry["kind"] == "huggingface":
        path = str(index / TOKENIZER_FILE)
        encoder: Encoder = _stored_huggingface(path, entry["name"], entry["revision"], entry["sha256"], engine)
    else:
        encoder = choose_encoder(entry["kind"])
    if encoder.entry != entry:
        raise BuildError(f"the tokenizer is {dict(encoder.entry)} here, expected {dict(entry)}: use the same Python everywhere")
    return encoder


@lru_cache(maxsize=2)  # a tenth of a second and megabytes; and a process checks its first documents once, not of every part
def _stored_huggingface(path: str, name: str, revision: str | None, content_hash: str, engine: str | None) -> "HuggingFaceEncoder":
    tokenizer = BatchTokenizer.load(path, engine=engine)
    tokenizer.revision = revision
    return HuggingFaceEncoder(name, tokenizer)


class Ids(NamedTuple):
    """Documents in ids that depend on nothing else."""

    ended: NDArray[Any]
    lengths: NDArray[np.int64]
    unnumbered: None = None

    def tokens(self, numbers: None) -> NDArray[Any]:
        return self.ended


class _StaticEncoder:
    """A vocabulary that is fixed before the build: nothing grows, nothing remains to be written."""

    files: tuple[str, ...] = ()
    parallel = True
    spread = True
    threads = 1
    utf8_from = math.inf

    def begin(self, index: Path, checkpoint: int) -> None:
        return

    def number(self, unnumbered: None) -> None:
        return

    def remember(self) -> None:
        return

    def checkpoint(self) -> int:
        return 0

    def finish(self) -> None:
        return

    def hand_over(self, part: Path) -> None:
        return

    def adopt(self, part: Path) -> None:
        return


def choose_ids_encoder(tokenizer: str, revision: str | None, token_type: str) -> "IdsEncoder":
    """The encoder of a corpus of ids: ``none``, or the tokenizer that made them, which questions in text are asked with.

    Raises
    ------
    TokenizerError, MissingDependencyError
    """
    if tokenizer == "words":
        raise TokenizerError("words numbers the words of a text by itself: name the tokenizer that made the ids, or none")
    return IdsEncoder(None if tokenizer == "none" else choose_encoder(tokenizer, revision, "tokenizers"), token_type)


class BytesEncoder(_StaticEncoder):
    """UTF-8 bytes."""

    entry: Mapping[str, Any] = {"kind": "bytes"}
    token_type = "u8"
    parallel = False
    utf8_from: float = 1 << 29  # which gains what it takes to load compiled code
    vocabulary_size = Bytes.vocabulary_size

    def encode(self, texts: list[str | memoryview]) -> Ids:
        encoded = [text.encode() if isinstance(text, str) else text for text in texts]
        tokens = np.frombuffer(SEPARATOR_BYTE.join([*encoded, b""]), np.uint8)
        return Ids(tokens, np.array([len(content) for content in encoded], np.int64))


class HuggingFaceEncoder(_StaticEncoder):
    """A Hugging Face tokenizer. Excerpts of the documents are encoded a second time by the reference implementation."""

    files: tuple[str, ...] = (TOKENIZER_FILE,)

    def __init__(self, name: str, tokenizer: BatchTokenizer) -> None:
        self.tokenizer = tokenizer
        self.vocabulary_size = tokenizer.vocabulary_size
        self.token_type = token_type(tokenizer.vocabulary_size)
        self.entry: Mapping[str, Any] = {
            "kind": "huggingface",
            "name": name,
            "revision": tokenizer.revision,
            "sha256": sha256(self.content()).hexdigest(),
        }
        self._guard = Guard(tokenizer)

    def begin(self, index: Path, checkpoint: int) -> None:
        write_bytes(index / TOKENIZER_FILE, self.content())

    def encode(self, texts: list[str]) -> Ids:
        """
        Raises
        ------
        TokenizerError
            The fast engine and the reference differ on an excerpt.
        """
        ids, lengths = self._guard.encode(texts)
        return Ids(end_documents(ids, lengths, self.token_type), lengths)

    def content(self) -> bytes:
        """The tokenizer's file."""
        return self.tokenizer.to_json().encode()


class IdsEncoder(_StaticEncoder):
    """Documents that are ids already; ``tokenizer`` made them, and without one the vocabulary is all that their type holds."""

    spread = False

    def __init__(self, tokenizer: Encoder | None, token_type: str) -> None:
        self._tokenizer = tokenizer
        self.vocabulary_size = separator_of(token_type) if tokenizer is None else tokenizer.vocabulary_size
        self.token_type = token_type if tokenizer is None else tokenizer.token_type
        self.entry = {"kind": "none"} if tokenizer is None else tokenizer.entry
        self.files = () if tokenizer is None else tokenizer.files

    def begin(self, index: Path, checkpoint: int) -> None:
        if self._tokenizer is not None:
            self._tokenizer.begin(index, checkpoint)

    def encode(self, texts: list[NDArray[Any]]) -> Ids:
        """
        Raises
        ------
        CorpusError
            An id is outside the vocabulary.
        """
        ids = np.concatenate([np.empty(0, TOKEN_TYPES[self.token_type]), *texts], dtype=np.int64)
        outside = np.flatnonzero((ids < 0) | (ids >= self.vocabulary_size))
        if len(outside):
            raise CorpusError(
                f"the corpus holds the id {ids[outside[0]]:,}, outside the vocabulary of {self.vocabulary_size:,}: "
                "it was made by another tokenizer, or --separator was not named"
            )
        lengths = np.array([len(text) for text in texts], np.int64)
        return Ids(end_documents(ids, lengths, self.token_type), lengths)


class InWords:
    """Documents in words. Those to number are the ones that are new to ``known``, or without it all of them."""

    def __init__(self, split: "SplitWords", known: "KnownWords | None") -> None:
        self._ids, self.lengths, self.unnumbered = split
        self._known = known

    def tokens(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        from suffixindex.kernels.text.words import renumber

        renumber(self._ids, numbers if self._known is None else self._known.learn(numbers))
        return end_documents(self._ids, self.lengths, WordEncoder.token_type)


class WordEncoder:
    """Words: each batch is numbered by itself, then in the numbers of a vocabulary that grows, in memory and on disk."""

    token_type = "u32"  # until the vocabulary is known
    files: tuple[str, ...] = VOCABULARY_FILES
    parallel = True
    spread = True
    threads = 1
    utf8_from: float = 0

    def __init__(self, grown_from: tuple[Path, Path] | None = None) -> None:
        """With ``grown_from``, the text and the order of another vocabulary, its words come first and keep their numbers."""
        from suffixindex.tokenizers.vocabulary import VocabularyBuilder

        self._grown_from = grown_from
        self.entry: Mapping[str, Any] = {"kind": "words", "unicode": unicodedata.unidata_version}
        self._words = VocabularyBuilder()
        self._known: KnownWords | None = None
        self._written = 0
        self._index = Path()

    @property
    def vocabulary_size(self) -> int:
        return self._words.num_words

    def begin(self, index: Path, checkpoint: int) -> None:
        self._index = index
        self._written = checkpoint
        if not checkpoint and self._grown_from is None:
            return
        from suffixindex.tokenizers.vocabulary import VocabularyBuilder

        if not checkpoint and self._grown_from is not None:
            content = self._grown_from[0].read_bytes()
        else:
            path = index / VOCABULARY
            content = path.read_bytes()[:checkpoint] if path.exists() else b""
            if len(content) < checkpoint or not content.endswith(b"\n"):
                raise FormatError(f"{path} is shorter than when the build was interrupted: start anew with --restart")
        self._words = VocabularyBuilder(content)

    def encode(self, texts: list[str | memoryview]) -> InWords:
        from suffixindex.tokenizers.splitting import split_batch

        if self._known is None:
            return InWords(split_batch(texts, threads=self.threads), None)
        if self._known.full:
            self.remember()
        return InWords(self._known.split(texts, self.threads), self._known)

    def number(self, unnumbered: "WordList") -> NDArray[np.uint32]:
        return self._words.number(unnumbered)

    def remember(self) -> None:
        from suffixindex.tokenizers.vocabulary import KnownWords

        self._known = KnownWords()

    def checkpoint(self) -> int:
        with open(self._index / VOCABULARY, "r+b" if self._written else "wb") as file:
            file.truncate(self._written)
            file.seek(self._written)
            file.write(self._words.pool(self._written))
            file.flush()
            os.fsync(file.fileno())
        self._written = self._words.num_bytes
        return self._written

    def finish(self) -> None:
        self.checkpoint()
        if self._grown_from is None:
            self._words.write_lookup(self._index)
            return
        known = map_array(self._grown_from[1], "<u4")
        check_permutation(self._grown_from[1], known)
        self._words.write_lookup(self._index, known)

    def hand_over(self, part: Path) -> None:
        write_blocks(part / VOCABULARY, iter([self._words.pool()]))

    def adopt(self, part: Path) -> NDArray[np.uint32]:
        from suffixindex.tokenizers.vocabulary import words_of

        return self._words.number(words_of((part / VOCABULARY).read_bytes()))
