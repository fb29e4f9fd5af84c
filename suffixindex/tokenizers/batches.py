"""A Hugging Face tokenizer that encodes the batches of a build, by an engine fifty times as fast where that is exact.

Encoding is what a build costs. ``fastokens`` does it, on these conditions: the pipeline holds nothing that it and the
reference are known to treat differently (``engine_differences``), a probe of difficult text at load time agrees, and what is
doubtful in a text goes to the reference, with as much around it as must (``cuts``). What remains is checked on a sample of every
build (``guard``).
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from suffixindex.errors import TokenizerError
from suffixindex.system.threads import ForkLock
from suffixindex.tokenizers.cuts import Cuts, cuts_of, doubtful_strings
from suffixindex.tokenizers.engine_differences import PROBES, unsupported
from suffixindex.tokenizers.hub import TOKENIZER_FILE
from suffixindex.tokenizers.huggingface import REFERENCE, HuggingFaceTokenizer, is_failure, no_unicode, version

logger = logging.getLogger(__name__)

FAST = "fastokens"


class BatchTokenizer(HuggingFaceTokenizer):
    """A tokenizer and the referee of its engines: ``encode_batch`` takes the fast one where it gives the reference's ids.

    Thread-safe. The fast engine is loaded at the first ``encode_batch``.
    """

    def __init__(self, text: str, *, source: str = TOKENIZER_FILE, revision: str | None = None, engine: str | None = None) -> None:
        super().__init__(text, source=source, revision=revision)
        self._engine = _checked(engine)
        self._lock = ForkLock()
        self._fast_choice: tuple[Any, str | None] | None = None
        self._doubtful: tuple[str, ...] = ()
        self.cuts: Cuts | None = None
        """Where texts may be cut; known with the fast engine."""

    @classmethod
    def load(cls, source: str, *, revision: str | None = None, engine: str | None = None) -> Self:
        """As :meth:`HuggingFaceTokenizer.load`; with ``engine="tokenizers"`` the reference encodes batches too."""
        _checked(engine)
        tokenizer = super().load(source, revision=revision)
        tokenizer._engine = engine
        return tokenizer

    @classmethod
    def from_json(cls, text: str, *, engine: str | None = None) -> Self:
        """The tokenizer of the content of a tokenizer.json; nothing is loaded before it is needed."""
        return cls(text, engine=engine)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), source=self.source, revision=self.revision, engine=self._engine), (self.to_json(),)

    @property
    def engine(self) -> str:
        """Name and version of what encodes batches."""
        return version(FAST if self._fast else REFERENCE)

    @property
    def fallback_reason(self) -> str | None:
        """Why ``tokenizers`` encodes batches, in a sentence; None where the fast engine does."""
        self._fast  # noqa: B018  decides
        assert self._fast_choice
        return self._fast_choice[1]

    def encode_batch(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of all texts, one after the other, and how many each has; from any thread.

        The fast engine runs its own threads, which all callers share (``FASTOKENS_BPE_THREADS``, at most 32), and keeps
        up to 100 MB of words it has seen a thread. Memory: a few times the text.
        """
        fast = self._fast
        if fast is None:
            return super().encode_batch(texts)
        parts, rows, slow = self._parts(texts)
        try:
            content, bounds = fast.encode_batch_flat([part for part, left in zip(parts, slow, strict=True) if not left])
        except UnicodeEncodeError as error:
            raise no_unicode(texts) or error from error
        except BaseException as error:
            if not is_failure(error):
                raise
            logger.warning("%s failed on a batch, which %s encodes instead: %s", FAST, REFERENCE, error)
            return super().encode_batch(texts)
        ids: NDArray[np.uint32] = np.frombuffer(content, "<u4")
        offsets = np.frombuffer(bounds, "<u8").astype(np.int64)
        lengths: NDArray[np.int64] = offsets[1:] - offsets[:-1]
        if not any(slow):
            return ids, lengths
        slow_ids, slow_lengths = super().encode_batch([part for part, left in zip(parts, slow, strict=True) if left])
        of_slow = np.array(slow)
        of_parts = np.empty(len(parts), np.int64)
        of_parts[of_slow], of_parts[~of_slow] = slow_lengths, lengths
        whole = np.empty(of_parts.sum(), np.uint32)
        whole[np.repeat(of_slow, of_parts)], whole[np.repeat(~of_slow, of_parts)] = slow_ids, ids
        return whole, np.bincount(rows, of_parts, len(texts)).astype(np.int64)

    def _parts(self, texts: list[str]) -> tuple[list[str], Sequence[int], list[bool]]:
        """The texts, of doubtful ones the parts: each part, of which text it is, and whether it is left to the reference."""
        doubtful = {i for i, text in enumerate(texts) if not text.isascii() and any(some in text for some in self._doubtful)}
        if not doubtful:
            return texts, range(len(texts)), [False] * len(texts)
        parts: list[str] = []
        rows: list[int] = []
        slow: list[bool] = []
        for row, text in enumerate(texts):
            stretches: list[tuple[int, int]] = []
            if row in doubtful:
                stretches = self.cuts.stretches(text, self._doubtful) if self.cuts else [(0, len(text))]
            done = 0
            for start, stop in [*stretches, (len(text), len(text))]:
                for part, left in ((text[done:start], False), (text[start:stop], True)):
                    if part or (not left and not text):
                        parts.append(part)
                        rows.append(row)
                        slow.append(left)
                done = stop
        return parts, rows, slow

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
        offsets = self.reference.encode(text, add_special_tokens=False).offsets
        character = offsets[at][0] if at < len(offsets) else len(text)
        excerpt = text[max(0, character - 30) : character + 30]
        around = slice(max(0, at - 2), at + 3)
        return TokenizerError(
            f"{version(FAST)} and {version(REFERENCE)} encode a document differently: near {excerpt!r} (character "
            f"{character}) the ids from token {around.start} on are {found[around].tolist()}, expected "
            f"{expected[around].tolist()}: build anew with --restart --tokenizer-engine {REFERENCE} (engine={REFERENCE!r}), and "
            f"report the excerpt to the authors of {FAST}"
        )

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
        content = self.reference.to_str()  # what the reference understood, not what a lenient file says
        pipeline = orjson.loads(content)
        reason = unsupported(pipeline)
        if reason is None:
            try:
                fast = fastokens.Tokenizer.from_json_str(content)
                reason = self._probe(fast)
            except BaseException as error:
                if not is_failure(error):
                    raise
                reason = str(error)
        if reason is None:
            self._doubtful, self.cuts = doubtful_strings(pipeline), cuts_of(pipeline)
            return fast, None
        return None, f"{REFERENCE} is used, several times slower: {version(FAST)} is not exact here ({reason})"

    def _probe(self, fast: Any) -> str | None:
        added = [token.content for token in self.reference.get_added_tokens_decoder().values()]
        texts = [*PROBES, *(f"a{token}b {token}  {token}\n{token}{token.upper()} x" for token in added[:1000])]
        ids, lengths = super().encode_batch(texts)
        content, bounds = fast.encode_batch_flat(texts)
        found, offsets = np.frombuffer(content, "<u4"), np.frombuffer(bounds, "<u8")
        for text, end, length, start, stop in zip(texts, np.cumsum(lengths), lengths, offsets[:-1], offsets[1:], strict=True):
            if not np.array_equal(found[start:stop], ids[end - length : end]):
                return f"it differs on {text[:60]!r}"
        return None


def _checked(engine: str | None) -> str | None:
    if engine not in (None, REFERENCE, FAST):
        raise TokenizerError(f"there is no tokenizer engine {engine!r}: use {FAST!r} or {REFERENCE!r}")
    return engine
