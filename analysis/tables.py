"""Tables on disk: each is written whole or not at all, with its provenance beside it, and made again only where that differs."""

import hashlib
import json
import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import TableError
from analysis.files import read_record, replacing

log = logging.getLogger(__name__)

PROVENANCE = ".provenance.json"
PACKAGES = ("suffixindex", "numpy", "scipy", "torch", "transformers", "pyarrow")


def make_table(
    name: str,
    output: Path,
    inputs: Mapping[str, Path],
    settings: Mapping[str, Any],
    make: Callable[[], pa.Table],
    schema: pa.Schema,
) -> Path:
    """Make the table ``output`` unless it was made from the same inputs and settings; return its path.

    Parameters
    ----------
    name
        The stage's name, kept in the provenance.
    output
        A ``.parquet`` file; ``output.provenance.json`` is written after it.
    inputs
        What ``make`` reads, by role: files, or folders of an index or a model (known by their manifest or file sizes).
    settings
        All else that the table depends on, plain data.
    make
        Computes the table.
    schema
        What its columns must be.

    Raises
    ------
    TableError
        An input is missing, or the table has other columns.
    """
    known = _made_from(name, inputs, settings)
    if _is_made_from(output, known, schema):
        log.debug("%s: %s is up to date", name, output.name)
        return output
    started = time.perf_counter()
    table = make()
    write_table(output, table, schema, {"made_from": known, "seconds": round(time.perf_counter() - started, 3)})
    log.info("%s: %s, %s rows", name, output.name, f"{table.num_rows:,}")
    return output


def is_current(name: str, output: Path, inputs: Mapping[str, Path], settings: Mapping[str, Any], schema: pa.Schema) -> bool:
    """Whether :func:`make_table` would leave the table as it is. Errors as there."""
    return _is_made_from(output, _made_from(name, inputs, settings), schema)


def write_table(path: Path, table: pa.Table, schema: pa.Schema, origin: Mapping[str, Any]) -> None:
    """Write a table and then its provenance, each whole or not at all."""
    if table.schema.names != schema.names:
        raise TableError(f"{path.name} has columns {', '.join(table.schema.names)}; expected {', '.join(schema.names)}")
    beside = provenance_path(path)
    beside.unlink(missing_ok=True)
    with replacing(path) as temporary:
        pq.write_table(table.cast(schema), temporary, compression="zstd")
    told = {**origin, "rows": table.num_rows, "sha256": fingerprint(path), "versions": versions()}
    with replacing(beside) as temporary:
        temporary.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a stage's table.

    Raises
    ------
    TableError
        There is none, it is damaged, or its columns are others.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise TableError(f"{path} does not exist: run the stage that writes it first") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path} is no Parquet table: {error}; delete it and run its stage again") from error
    if table.schema.names != schema.names:
        raise TableError(f"{path} has columns {', '.join(table.schema.names)}; expected {', '.join(schema.names)}")
    return table.cast(schema)


def provenance_path(path: Path) -> Path:
    """Where the provenance of a table stands."""
    return path.with_name(path.name + PROVENANCE)


def provenance(path: Path) -> dict[str, Any]:
    """How a table was made; empty if it was not finished."""
    return read_record(provenance_path(path))


def fingerprint(path: Path) -> str:
    """What a file or folder is: sha256 of a file, of an index's manifest, or of a folder's file names and sizes."""
    if not path.exists():
        raise TableError(f"{path} does not exist: run the stage that writes it first")
    manifest = path / "manifest.json"
    if path.is_dir() and not manifest.exists():
        listed = sorted((str(file.relative_to(path)), file.stat().st_size) for file in path.rglob("*") if file.is_file())
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
    with open(manifest if path.is_dir() else path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Versions of what numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except ModuleNotFoundError:
            continue
    return found


def table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """A table of records."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def _made_from(name: str, inputs: Mapping[str, Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"stage": name, "inputs": {role: fingerprint(path) for role, path in inputs.items()}, "settings": _plain(settings)}


def has_columns(path: Path, schema: pa.Schema) -> bool:
    """Whether a table is there, is not damaged, and has the columns of ``schema``, not those of another version."""
    try:
        return bool(pq.read_schema(path).names == schema.names)
    except (pa.ArrowInvalid, OSError):
        return False


def _is_made_from(output: Path, known: Mapping[str, Any], schema: pa.Schema) -> bool:
    return provenance(output).get("made_from") == known and has_columns(output, schema)


def _plain(settings: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(settings, sort_keys=True, default=str))
