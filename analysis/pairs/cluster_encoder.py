"""An encoder whose texts are embedded by the workers of a Dask cluster: nearly all that mining costs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ConfigError, MissingDependencyError
from analysis.pairs.embeddings import CachedEncoder, Encoder, open_encoder

if TYPE_CHECKING:
    from distributed import Client

PART = 4096
"""Texts of one task: some seconds of a small encoder on one core."""
CONNECT_SECONDS = 30


@contextmanager
def cluster_encoder(scheduler: str, name: str, *, cache: Path | None = None, **how: Any) -> Iterator[Encoder]:
    """The encoder that :func:`analysis.pairs.embeddings.open_encoder` would open, on the workers of a cluster.

    Parameters
    ----------
    scheduler
        Address of a Dask scheduler, as ``tcp://host:8786``. Its workers import ``analysis`` and find the encoder by the same
        name; each opens it once.
    name, how
        As for :func:`analysis.pairs.embeddings.open_encoder`.
    cache
        A folder of this process for vectors.

    Raises
    ------
    ConfigError
        No scheduler or no worker answers.
    MissingDependencyError
        ``distributed`` is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError("a study on a cluster needs Dask: pip install 'suffixindex[distributed]'") from error
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        client.wait_for_workers(1, CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(f"no cluster answers at {scheduler!r} ({error}): start dask scheduler and dask worker") from error
    with client:
        encoder: Encoder = ClusterEncoder(client, name, how)
        yield encoder if cache is None else CachedEncoder(encoder, cache)


class ClusterEncoder:
    """Encodes parts of a list of texts wherever a worker is free, and puts the vectors together in order."""

    def __init__(self, client: "Client", name: str, how: dict[str, Any]) -> None:
        self._client = client
        self._opened_as = (name, tuple(sorted(how.items())))
        self.name, self.dimension = client.submit(_describe, *self._opened_as, pure=False).result()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vector of each text, of length 1: ``float32[len(texts), dimension]``."""
        parts = [list(texts[start : start + PART]) for start in range(0, len(texts), PART)]
        name, how = self._opened_as
        vectors = self._client.gather(self._client.map(_encode, parts, name=name, how=how, pure=False))
        return np.concatenate([np.empty((0, self.dimension), np.float32), *vectors])


@lru_cache(maxsize=2)
def _opened(name: str, how: tuple[tuple[str, Any], ...]) -> Encoder:
    return open_encoder(name, **dict(how))


def _describe(name: str, how: tuple[tuple[str, Any], ...]) -> tuple[str, int]:
    encoder = _opened(name, how)
    return encoder.name, encoder.dimension


def _encode(texts: list[str], name: str, how: tuple[tuple[str, Any], ...]) -> NDArray[np.float32]:
    return _opened(name, how).encode(texts)
