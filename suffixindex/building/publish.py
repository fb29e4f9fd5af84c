"""The last step of a build: the manifest, which makes a folder an index, and the report of what was made."""

import json
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from suffixindex.building.job import Job
from suffixindex.errors import BuildError, FormatError
from suffixindex.remote.urls import visible
from suffixindex.storage.files import hash_file, remove, write_bytes
from suffixindex.storage.format import (
    BUILD_STATE,
    PROVENANCE,
    SOURCES,
    FileEntry,
    Manifest,
    ShardEntry,
    read_provenance,
    token_type,
)
from suffixindex.storage.layout import check_layout
from suffixindex.system.memory import peak_memory


class BuildReport(NamedTuple):
    """What a build made, and at what cost."""

    path: Path
    num_documents: int
    num_tokens: int
    num_shards: int
    token_type: str
    num_bytes: int
    skipped: Mapping[str, int]
    seconds: Mapping[str, float]
    peak_memory_bytes: int


def publish(job: Job, shards: list[ShardEntry]) -> BuildReport:
    """Write the manifest: the folder becomes an index.

    Raises
    ------
    BuildError
        The files are not those that the build's state speaks of.
    """
    encoded = job.state.encoded
    assert encoded is not None
    manifest = Manifest(
        token_type=token_type(encoded.vocabulary_size),
        vocabulary_size=encoded.vocabulary_size,
        tokenizer=job.encoder.entry,
        settings={key: value for key, value in job.state.settings.to_json().items() if key != "tokenizer"},
        shards=tuple(shards),
        files={name: FileEntry(*hash_file(job.folder / name)) for name in (SOURCES, *job.encoder.files)},
        skipped=encoded.counts.skipped,
    )
    try:
        check_layout(job.folder, manifest)
    except FormatError as error:
        raise BuildError(f"{job.folder / BUILD_STATE} does not fit the files beside it: start anew with --restart") from error
    packages = ("suffixindex", "numpy", "numba", "tokenizers", "fastokens", "distributed")
    provenance = {
        "command": [visible(word) for word in sys.argv],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": {phase: round(seconds, 3) for phase, seconds in job.state.seconds.items()},
        "peak_memory_bytes": max(peak_memory(), job.state.peak_memory_bytes),
        "text_bytes": encoded.counts.text_bytes,
        "threads": job.threads,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in packages if (found := _version(name))},
    }
    write_bytes(job.folder / PROVENANCE, (json.dumps(provenance, indent=1) + "\n").encode())
    manifest.write(job.folder)
    remove(job.folder / BUILD_STATE)
    return report_of(job.folder, manifest)


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def report_of(folder: Path, manifest: Manifest) -> BuildReport:
    """What the build of an index reported; no times and no memory if that is not known any more.

    Raises
    ------
    FormatError
    """
    provenance = read_provenance(folder)
    seconds, memory = provenance.get("seconds", {}), provenance.get("peak_memory_bytes", 0)
    times = seconds.values() if isinstance(seconds, dict) else [None]
    if not all(isinstance(one, (int, float)) for one in (*times, memory)):
        raise FormatError(f"{folder / PROVENANCE} is damaged: remove it, nothing depends on it")
    return BuildReport(
        folder,
        manifest.num_documents,
        manifest.num_tokens,
        len(manifest.shards),
        manifest.token_type,
        manifest.num_bytes,
        manifest.skipped,
        seconds,
        memory,
    )
