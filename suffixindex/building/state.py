"""What an unfinished build keeps in ``build.json``: its settings, and how far it is.

A build on one machine encodes the corpus in one go, from :class:`Checkpoint` to :class:`Checkpoint`, until it is
:class:`Encoded`. A build by parts notes the :class:`Parts` first, and is :class:`EncodedParts` when every document has its shard.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

from suffixindex.errors import FormatError
from suffixindex.storage.files import write_bytes
from suffixindex.storage.format import BUILD_STATE
from suffixindex.storage.schema import MOST, strict_json

SEAL = "sha256"
Json = Mapping[str, Any]
"""An object of a JSON file as it was read, not checked yet."""


class ShardSize(NamedTuple):
    """What a shard holds. ``length`` counts tokens and separators."""

    documents: int
    length: int


class DocumentRange(NamedTuple):
    """Documents ``first .. last`` of a part of the corpus."""

    part: int
    first: int
    last: int


@dataclass(frozen=True)
class Settings:
    """What a build was told, as far as the index depends on it."""

    tokenizer: Mapping[str, str | None]
    """The tokenizer's entry in the manifest."""
    inputs: str
    """sha256 of ``sources.jsonl``."""
    text_field: str
    metadata: bool
    on_error: str
    shard_capacity: int
    """Tokens and separators that a shard may hold."""

    @classmethod
    def from_json(cls, settings: Json) -> Self:
        made = cls(**{**settings, "tokenizer": {**settings["tokenizer"]}})
        _check_numbers(made.shard_capacity)
        texts = (made.inputs, made.text_field, made.on_error, *(value or "" for value in made.tokenizer.values()))
        if not all(isinstance(one, str) for one in texts) or not isinstance(made.metadata, bool):
            raise ValueError("settings")
        return made

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """What encoding has seen so far."""

    cursor: tuple[int, int] = (0, 0)
    """The next record: (source, record)."""
    documents: int = 0
    tokens: int = 0
    text_bytes: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Records that are no documents, by reason; sorted."""

    @classmethod
    def from_json(cls, counts: Json) -> Self:
        source, record = counts["cursor"]
        made = cls(**{**counts, "cursor": (source, record), "skipped": {**counts["skipped"]}})
        _check_numbers(*made.cursor, made.documents, made.tokens, made.text_bytes, *made.skipped.values())
        return made

    def plus(self, documents: int, tokens: int, text_bytes: int, skipped: Mapping[str, int]) -> Self:
        """These, and as many more of each."""
        reasons = sorted(self.skipped.keys() | skipped.keys())
        return replace(
            self,
            documents=self.documents + documents,
            tokens=self.tokens + tokens,
            text_bytes=self.text_bytes + text_bytes,
            skipped={reason: self.skipped.get(reason, 0) + skipped.get(reason, 0) for reason in reasons},
        )


@dataclass(frozen=True)
class Written:
    """How far writing has come: the finished shards, and the lengths of the open one's files."""

    shards: tuple[ShardSize, ...] = ()
    documents: int = 0
    length: int = 0
    metadata_bytes: int = 0

    @classmethod
    def from_json(cls, written: Json) -> Self:
        made = cls(**{**written, "shards": _sizes(written["shards"])})
        _check_numbers(made.documents, made.length, made.metadata_bytes)
        return made


@dataclass(frozen=True)
class Checkpoint:
    """Where a build on one machine goes on encoding."""

    counts: Counts
    writer: Written
    encoder: int
    """What the encoder said of itself."""

    @classmethod
    def from_json(cls, checkpoint: Json) -> Self:
        made = cls(Counts.from_json(checkpoint["counts"]), Written.from_json(checkpoint["writer"]), checkpoint["encoder"])
        _check_numbers(made.encoder)
        _check_sum(made.counts, [*made.writer.shards, ShardSize(made.writer.documents, made.writer.length)])
        return made


@dataclass(frozen=True)
class Parts:
    """How a build by parts divides the corpus: part i is the sources ``first .. last`` of the i-th range."""

    parts: tuple[tuple[int, int], ...]

    @classmethod
    def from_json(cls, checkpoint: Json) -> Self:
        parts = tuple((first, last) for first, last in checkpoint["parts"])
        _check_numbers(*chain.from_iterable(parts))
        return cls(parts)


@dataclass(frozen=True)
class Encoded:
    """Every document is encoded, and it is known in which shard it is."""

    shards: tuple[ShardSize, ...]
    vocabulary_size: int
    counts: Counts

    @classmethod
    def from_json(cls, encoded: Json) -> Self:
        made = cls(_sizes(encoded["shards"]), encoded["vocabulary_size"], Counts.from_json(encoded["counts"]))
        _check_numbers(made.vocabulary_size)
        _check_sum(made.counts, made.shards)
        return made

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class EncodedParts(Encoded):
    """In a build by parts: what each shard is put together from. On disk ``ranges`` are called ``pieces``."""

    ranges: tuple[tuple[DocumentRange, ...], ...]

    @classmethod
    def from_json(cls, encoded: Json) -> Self:
        whole = Encoded.from_json(encoded)
        ranges = tuple(tuple(DocumentRange(*one) for one in of_shard) for of_shard in encoded["pieces"])
        _check_numbers(*chain.from_iterable(chain.from_iterable(ranges)))
        if len(ranges) != len(whole.shards):
            raise ValueError("pieces")
        return cls(whole.shards, whole.vocabulary_size, whole.counts, ranges)

    def to_json(self) -> dict[str, object]:
        content = asdict(self)
        ranges = content.pop("ranges")
        return {**content, "pieces": ranges}


@dataclass
class BuildState:
    """What ``build.json`` holds."""

    settings: Settings
    checkpoint: Checkpoint | Parts | None = None
    encoded: Encoded | EncodedParts | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    """Of workers on other machines, or of all processes together; 0 if there was one."""

    @classmethod
    def read(cls, index: Path) -> "BuildState | None":
        try:
            return cls._from_json(**_unsealed(strict_json((index / BUILD_STATE).read_bytes())))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FormatError(f"{index / BUILD_STATE} is damaged: start anew with --restart") from error

    @classmethod
    def _from_json(
        cls,
        settings: Json,
        checkpoint: Json | None = None,
        encoded: Json | None = None,
        seconds: Mapping[str, float] | None = None,
        peak_memory_bytes: int = 0,
    ) -> Self:
        _check_numbers(peak_memory_bytes)
        if not all(isinstance(one, (int, float)) and 0 <= one < float("inf") for one in (seconds or {}).values()):
            raise ValueError("seconds")
        return cls(
            Settings.from_json(settings),
            None if checkpoint is None else (Parts if "parts" in checkpoint else Checkpoint).from_json(checkpoint),
            None if encoded is None else (EncodedParts if "pieces" in encoded else Encoded).from_json(encoded),
            {**(seconds or {})},
            peak_memory_bytes,
        )

    def write(self, index: Path) -> None:
        content = {
            "settings": self.settings.to_json(),
            "checkpoint": None if self.checkpoint is None else asdict(self.checkpoint),
            "encoded": None if self.encoded is None else self.encoded.to_json(),
            "seconds": self.seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
        }
        write_bytes(index / BUILD_STATE, json.dumps({**content, SEAL: _seal(content)}).encode())


class Clock:
    """Adds the seconds of a phase to those of earlier, interrupted runs."""

    def __init__(self, seconds: dict[str, float], phase: str) -> None:
        self.seconds = seconds
        self.phase = phase
        self.since = time.perf_counter()

    def lap(self) -> None:
        now = time.perf_counter()
        self.seconds[self.phase] = self.seconds.get(self.phase, 0.0) + now - self.since
        self.since = now


def _seal(content: Json) -> str:
    """The hash of all that a state says: a number that is changed to another that may be is noticed."""
    return sha256(json.dumps(content).encode()).hexdigest()


def _unsealed(content: dict[str, Any]) -> dict[str, Any]:
    """What a state says, if it is what was written; those of earlier versions have no seal.

    Raises
    ------
    ValueError
    """
    seal = content.pop(SEAL, None)
    if seal is not None and seal != _seal(content):
        raise ValueError(SEAL)
    return content


def _sizes(shards: list[tuple[int, int]]) -> tuple[ShardSize, ...]:
    _check_numbers(*chain.from_iterable(shards))
    return tuple(ShardSize(documents, length) for documents, length in shards)


def _check_numbers(*values: Any) -> None:
    """
    Raises
    ------
    ValueError
        One is no number of anything.
    """
    if not all(type(value) is int and 0 <= value <= MOST for value in values):
        raise ValueError("numbers")


def _check_sum(counts: Counts, shards: Sequence[ShardSize]) -> None:
    """What was counted is what the shards hold; raises as :func:`_check_numbers`."""
    documents, length = sum(shard.documents for shard in shards), sum(shard.length for shard in shards)
    if (documents, length) != (counts.documents, counts.tokens + counts.documents):
        raise ValueError("sizes")
