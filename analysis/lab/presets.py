"""Presets of the lab: TOML files with the world and the ladder of models that are trained on it."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from analysis.errors import ConfigError
from analysis.lab.halves import Halves
from analysis.lab.ladder import Ladder
from analysis.lab.world import World
from analysis.settings import load_settings, read_toml

log = logging.getLogger(__name__)

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Preset:
    """A lab."""

    world: World
    ladder: Ladder
    halves: Halves = field(default_factory=Halves)
    resamples: int = 1000
    """Of the study's intervals and p-values: a large part of a small lab's time."""

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ConfigError(f"resamples is {self.resamples}: expected 1 or more")


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a preset by its name (``tiny``, ``default``) or the path of a TOML file.

    Raises
    ------
    ConfigError
        There is none, or a setting is unknown, missing or of another type.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = PRESETS / f"{name_or_path}.toml"
        if not path.exists():
            known = ", ".join(sorted(preset.stem for preset in PRESETS.glob("*.toml")))
            raise ConfigError(f"there is no preset {name_or_path}: expected one of {known}, or a TOML file")
    table = read_toml(path)
    if table.pop("study", None) is not None:
        log.warning("%s: the table [study] is not read; change the study.toml that the lab writes", path)
    return load_settings(Preset, table, path)
