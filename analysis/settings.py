"""TOML into frozen dataclasses: every key known, every value of its type, and a sentence for what is not."""

import dataclasses
import tomllib
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from analysis.errors import ConfigError

Settings = TypeVar("Settings")
NO_SETTING = "no setting"
"""Marks a field, in its metadata, that no file sets."""


def setting(doc: str, default: Any = dataclasses.MISSING) -> Any:
    """A field with what it means, for ``python -m analysis settings``; without a default it must be given."""
    return dataclasses.field(default=default, metadata={"doc": doc})


def load_settings(kind: type[Settings], table: Mapping[str, Any], path: Path) -> Settings:
    """As :func:`settings_from`, of the tables of a file, which messages name."""
    try:
        return settings_from(kind, table, "")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file in UTF-8, with or without a byte order mark.

    Raises
    ------
    ConfigError
        There is no such file, or it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist: give the path of a TOML file, as analysis/configs/paper.toml") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is no readable TOML file: {error}") from error


def settings_from(kind: type[Settings], table: Mapping[str, Any], where: str) -> Settings:
    """An instance of the dataclass ``kind`` from a TOML table; ``where`` names the table in messages.

    Raises
    ------
    ConfigError
        A key that ``kind`` has not, one that is missing, or a value of another type.
    """
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if not field.metadata.get(NO_SETTING)}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise ConfigError(f"{where or 'the file'} has no setting {key!r}; {_nearest(key, list(fields))}")
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(hints[name], table[name], f"{where}.{name}" if where else name)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where or 'the file'} lacks the setting {name!r}{_meaning(field)}")
    return kind(**values)


def _meaning(field: "dataclasses.Field[Any]") -> str:
    return f": {field.metadata['doc']}" if "doc" in field.metadata else ""


def _nearest(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(name for name in known if name)}"


def _value(hint: Any, value: Any, where: str) -> Any:  # noqa: PLR0911  # a case a type
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _value(next(kind for kind in inner if kind is not type(None)), value, where)
    if origin is Literal:
        if value not in inner:
            raise ConfigError(f"{where} is {value!r}; {_nearest(str(value), [str(each) for each in inner])}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where} is {_described(value)}; expected a list, as {where.rpartition('.')[2]} = [...]")
        return tuple(_value(inner[0], each, f"{where}[{i}]") for i, each in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(inner, value, where)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {_described(value)}; expected a table, [{where}]")
        return settings_from(hint, value, where)  # type: ignore[arg-type]
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where} is {_described(value)}; expected {_NAMES[hint]}")
    return value


def _mapping(inner: tuple[Any, ...], value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {_described(value)}; expected a table, as {{3 = 0.75}}")
    if inner[0] is int and (bad := [key for key in value if not key.isdecimal()]):
        raise ConfigError(f"{where} has the key {bad[0]!r}; expected a number, as {{3 = 0.75}}")
    return {inner[0](key): _value(inner[1], each, f"{where}.{key}") for key, each in value.items()}


_NAMES = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def _described(value: Any) -> str:
    return f"{value!r} ({_NAMES.get(type(value), type(value).__name__)})" if type(value) in _NAMES else f"a {type(value).__name__}"


def described(kind: type[Any], where: str = "") -> Iterator[tuple[str, str, str]]:
    """All settings below ``kind``: (key, default as TOML writes it or "required", meaning)."""
    hints = get_type_hints(kind)
    for field in (field for field in dataclasses.fields(kind) if "doc" in field.metadata):
        hint, repeated = _inner_dataclass(hints[field.name])
        doc = field.metadata["doc"]
        if hint is not None:
            yield f"[[{field.name}]]" if repeated else f"[{field.name}]", "", doc
            yield from described(hint, field.name)
        else:
            yield f"{where}.{field.name}", _as_toml(field.default), doc


def _inner_dataclass(hint: Any) -> tuple[Any, bool]:
    candidates = (hint, *get_args(hint))
    found = next((each for each in candidates if dataclasses.is_dataclass(each)), None)
    return found, get_origin(hint) is tuple


def _as_toml(value: Any) -> str:  # noqa: PLR0911  # a case a type
    if value is dataclasses.MISSING:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    if isinstance(value, tuple):
        return f"[{', '.join(_as_toml(each) for each in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_as_toml(each)}" for key, each in value.items()) + "}"
    return str(value)
