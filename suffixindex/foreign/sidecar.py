"""What is remembered of an index that cannot say it itself: what its user said, and lookup tables that were made for it.

It lies in a folder ``.suffixindex`` beside the files, or where that cannot be written, below ``$SUFFIXINDEX_CACHE``,
``$XDG_CACHE_HOME/suffixindex`` or ``~/.cache/suffixindex``. All of it can be made again; a file of the index that changed
makes all but the answers void.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.storage.files import make_folder, map_array, write_array, write_bytes
from suffixindex.storage.schema import SchemaError, strict_json

log = logging.getLogger(__name__)

FOLDER = ".suffixindex"
ANSWERS = "answers.json"


class Sidecar:
    """The sidecar of one index, whose files are ``paths``."""

    def __init__(self, paths: Sequence[Path]) -> None:
        status = [(str(path.resolve()), path.stat()) for path in paths]
        named = json.dumps([name for name, _ in status]).encode()
        content = json.dumps([(name, found.st_size, found.st_mtime_ns) for name, found in status]).encode()
        self._key, self._state = sha256(named).hexdigest()[:16], sha256(content).hexdigest()[:16]
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "suffixindex"
        beside = [path.parent / FOLDER for path in paths[:1]] if len({path.parent for path in paths}) == 1 else []
        self._places = [place / self._key for place in (*beside, Path(os.environ.get("SUFFIXINDEX_CACHE") or cache))]

    def answers(self) -> dict[str, Any]:
        """What was said of the index; empty if nothing was.

        Raises
        ------
        FormatError
            It is damaged.
        """
        for place in self._places:
            path = place / ANSWERS
            try:
                found = strict_json(path.read_bytes())
                _check_answers(found)
            except OSError:
                continue
            except ValueError as error:
                raise FormatError(f"{path} is damaged ({error}): remove it, and say again what it said of the index") from error
            return dict(found)
        return {}

    def remember(self, answers: Mapping[str, Any], files: Mapping[str, bytes]) -> Path | None:
        """Keep what was said, and files that belong to it; None, with a warning, if nowhere can be written."""

        def write(place: Path) -> None:
            for name, content in files.items():
                write_bytes(place / name, content)
            write_bytes(place / ANSWERS, json.dumps(answers, indent=1).encode())

        return self._write(write)

    def find(self, name: str) -> Path | None:
        """The folder that holds a file which was remembered."""
        return next((place for place in self._places if (place / name).exists()), None)

    def array(
        self, name: str, make: Callable[[], NDArray[Any]], dtype: str, check: Callable[[NDArray[Any]], object]
    ) -> NDArray[Any]:
        """An array that follows from the files of the index, made if it is not there, or is damaged: see :meth:`known`."""
        found = self.known(name, dtype, check)
        if found is None:
            made = np.ascontiguousarray(make(), dtype)
            self._write(lambda place: write_array(place / f"{self._state}.{name}", made))
            found = made
            found.flags.writeable = False  # as one that is mapped, for which kernels are compiled
        return found

    def known(self, name: str, dtype: str, check: Callable[[NDArray[Any]], object]) -> NDArray[Any] | None:
        """An array of an earlier process, unless ``check`` raises FormatError of it."""
        place = self.find(f"{self._state}.{name}")
        if place is None:
            return None
        try:
            found = map_array(place / f"{self._state}.{name}", dtype)
            check(found)
        except FormatError as error:
            log.warning("a table that was made for an index is made again: %s", error)
            return None
        return found

    def path(self, name: str) -> Path | None:
        """Where an array lies; None if it is not there."""
        place = self.find(f"{self._state}.{name}")
        return None if place is None else place / f"{self._state}.{name}"

    def _write(self, write: Callable[[Path], object]) -> Path | None:
        for place in self._places:
            try:
                make_folder(place)
                write(place)
                return place
            except OSError as error:
                log.info("%s cannot be written: %s", place, error.strerror)
        log.warning("nothing is remembered of this index: neither %s", " nor ".join(map(str, self._places)) + " can be written")
        return None


def _check_answers(found: Any) -> None:
    """
    Raises
    ------
    SchemaError
    """
    if not isinstance(found, dict):
        raise SchemaError("expected a record")
    types = {"token_dtype": str, "mirrored": bool, "separator": int, "vocabulary_size": int, "tokenizer": dict}
    for name, value in found.items():
        if name not in types:
            raise SchemaError(f"nobody asks for {name[:40]!a}")
        if value is not None and (not isinstance(value, types[name]) or (isinstance(value, bool) and types[name] is int)):
            raise SchemaError(f"{name} is no {types[name].__name__}")
