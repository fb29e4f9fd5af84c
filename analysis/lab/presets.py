"""Presets of the lab: TOML files with the world, the ladder, and what the study asks of them."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from analysis.errors import ConfigError
from analysis.lab.ladder import Ladder
from analysis.lab.world import World

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Preset:
    """A lab."""

    world: World
    ladder: Ladder
    study: Mapping[str, Any]
    """The table ``study`` as it stands, for the pipeline."""


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a preset by its name (``tiny``, ``default``) or the path of a TOML file.

    Raises
    ------
    ConfigError
        There is none, or a setting is unknown, missing or of another kind.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = PRESETS / f"{name_or_path}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(preset.stem for preset in PRESETS.glob("*.toml")))
        raise ConfigError(f"there is no preset {name_or_path}: expected one of {known}, or a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    unknown = set(table) - {"world", "ladder", "study"}
    if unknown:
        raise ConfigError(f"{path.name} has the unknown table {min(unknown)}: expected world, ladder and study")
    world = _read(World, table.get("world", {}), f"{path.name}: world")
    return Preset(world, _read(Ladder, table.get("ladder", {}), f"{path.name}: ladder"), table.get("study", {}))


def _read(kind: Any, value: Any, where: str) -> Any:
    """A value of the type ``kind`` from what TOML gives: tables make dataclasses, lists tuples."""
    if is_dataclass(kind):
        return _read_table(kind, value, where)
    if args := get_args(kind):  # tuple[member, ...]
        if not isinstance(value, list):
            raise ConfigError(f"{where} is {value!r}: expected a list")
        return tuple(_read(args[0], member, f"{where}[{number}]") for number, member in enumerate(value))
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where} is {value!r}: expected {kind.__name__}")
    return value


def _read_table(kind: Any, table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is {table!r}: expected a table")
    types = get_type_hints(kind)
    unknown = set(table) - set(types)
    missing = {field.name for field in fields(kind) if field.default is MISSING} - set(table)
    if unknown:
        raise ConfigError(f"{where} has the unknown setting {min(unknown)}: expected {', '.join(types)}")
    if missing:
        raise ConfigError(f"{where} lacks {min(missing)}")
    return kind(**{name: _read(types[name], value, f"{where}.{name}") for name, value in table.items()})
