"""A study as a list of stages in order, each a table; finished ones are kept whatever happens to those after them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

import suffixindex as si
from analysis.errors import AnalysisError, ConfigError, StageError
from analysis.stages import read_table, run_stage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """One table of the study and how it is made."""

    command: str
    """Of the command line: all stages of one command run together."""
    name: str
    output: Path
    make: Callable[[], pa.Table]
    schema: pa.Schema
    inputs: Mapping[str, Path] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    """What the report calls tables of this sort; "" for those that it does not show."""

    def read(self) -> pa.Table:
        """The table that the stage wrote."""
        return read_table(self.output, self.schema)


def run_stages(stages: Sequence[Stage]) -> None:
    """Run stages in order; those that are up to date pass at once.

    Raises
    ------
    StageError
        One failed: it is named, and the tables before it are finished.
    """
    for number, stage in enumerate(stages, 1):
        log.info("[%d/%d] %s", number, len(stages), stage.name)
        try:
            run_stage(stage.name, stage.output, stage.inputs, stage.settings, stage.make, stage.schema)
        except (AnalysisError, si.SuffixIndexError) as error:
            raise StageError(_failed(stage, number, str(error))) from error
        except (MemoryError, OSError, RuntimeError, ValueError, ArithmeticError, LookupError, TypeError) as error:
            log.debug("%s failed", stage.name, exc_info=True)
            raise StageError(_failed(stage, number, f"{type(error).__name__}: {error} (--debug shows where)")) from error


def _failed(stage: Stage, number: int, reason: str) -> str:
    kept = {1: "", 2: "; the stage before it is kept"}.get(number, f"; the {number - 1} stages before it are kept")
    return f"stage {stage.name!r} failed: {reason}{kept}; the same command goes on from there"


def chosen(stages: Sequence[Stage], command: str) -> list[Stage]:
    """The stages of one command.

    Raises
    ------
    ConfigError
        The study has none.
    """
    found = [stage for stage in stages if stage.command == command]
    if not found:
        raise ConfigError(f"this study has no stage of {command!r}: its configuration leaves it out")
    return found


def concatenated(stages: Sequence[Stage]) -> pa.Table:
    """The tables of several stages as one."""
    return pa.concat_tables([stage.read() for stage in stages])
