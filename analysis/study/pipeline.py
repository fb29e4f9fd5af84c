"""A study as a list of stages in order, each a table; finished ones are kept whatever happens to others."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

import suffixindex as si
from analysis.errors import AnalysisError, ConfigError, StageError
from analysis.tables import has_columns, is_current, make_table, provenance, read_table

log = logging.getLogger(__name__)

Made = TypeVar("Made")


@dataclass(frozen=True)
class Stage:
    """One table of the study and how it is made."""

    command: str
    """Of the command line: all stages of one command run together."""
    name: str
    output: Path
    schema: pa.Schema
    make: Callable[..., pa.Table]
    """Called with the tables of ``reads`` by their roles, and with ``settings`` by their names."""
    reads: "Mapping[str, Stage | Sequence[Stage]]" = field(default_factory=dict)
    """Stages before it: role -> the one whose table it is, or several whose tables are put together."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """What else ``make`` reads: an index, a task's source."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of ``make``. They are bound here and nowhere else, so that the provenance says what was computed."""
    depends_on: Mapping[str, Any] = field(default_factory=dict)
    """What else the table depends on and ``make`` is not given: the weights of a model, the name of an encoder."""
    kind: str = ""
    """What the report calls tables of this sort; "" for those that it does not show."""

    @property
    def inputs(self) -> dict[str, Path]:
        """Every file and folder that the table is made of, by role."""
        single = {role: read.output for role, read in self.reads.items() if isinstance(read, Stage)}
        several = {
            f"{role} {stage.output.stem}": stage.output
            for role, read in self.reads.items()
            if not isinstance(read, Stage)
            for stage in read
        }
        return {**self.files, **single, **several}

    @property
    def all_reads(self) -> "list[Stage]":
        """The stages whose tables it reads."""
        return [stage for read in self.reads.values() for stage in ([read] if isinstance(read, Stage) else read)]

    @property
    def is_readable(self) -> bool:
        """Whether its table is there, finished, and of its columns."""
        return bool(provenance(self.output)) and has_columns(self.output, self.schema)

    @property
    def provenance_settings(self) -> dict[str, Any]:
        """All that is kept beside the table, apart from its inputs."""
        assert not self.settings.keys() & self.depends_on.keys()
        return {**self.depends_on, **self.settings}

    def read(self) -> pa.Table:
        """The table that the stage wrote."""
        return read_table(self.output, self.schema)

    def is_current(self) -> bool:
        """Whether its table was made of the same inputs and settings."""
        return is_current(self.name, self.output, self.inputs, self.provenance_settings, self.schema)

    def run(self) -> None:
        """Make the table, unless it is up to date."""
        make_table(self.name, self.output, self.inputs, self.provenance_settings, self._made, self.schema)

    def _made(self) -> pa.Table:
        tables = {role: read.read() if isinstance(read, Stage) else concatenated(read) for role, read in self.reads.items()}
        return self.make(**tables, **self.settings)


def once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Call it the first time only: two tables come of one computation."""
    made: list[Made] = []

    def first(**given: Any) -> Made:
        if not made:
            made.append(make(**given))
        return made[0]

    return first


def concatenated(stages: Sequence[Stage]) -> pa.Table:
    """The tables of several stages as one."""
    return pa.concat_tables([stage.read() for stage in stages])


class Failure(NamedTuple):
    """A stage that failed, and why; or one that was left out, since it reads what such a stage would have written."""

    stage: str
    reason: str
    left_out: bool = False


def attempt_stages(stages: Sequence[Stage]) -> list[Failure]:
    """Run stages in order; those that are up to date pass at once. One that fails takes with it only those that read its table."""
    passed = 0
    failures: list[Failure] = []
    lost: set[Path] = set()
    for number, stage in enumerate(stages, 1):
        if missing := next((read.name for read in stage.all_reads if read.output in lost), None):
            failures.append(Failure(stage.name, f"it reads the table of {missing!r}", left_out=True))
            lost.add(stage.output)
            continue
        try:
            if stage.is_current():
                passed += 1
                continue
            log.info("[%d/%d] %s", number, len(stages), stage.name)
            stage.run()
            continue
        except (AnalysisError, si.SuffixIndexError) as error:
            reason = str(error)
        except (MemoryError, OSError, RuntimeError, ValueError, ArithmeticError, LookupError, TypeError) as error:
            log.debug("%s failed", stage.name, exc_info=True)
            reason = f"{type(error).__name__}: {error} (--debug shows where)"
        log.warning("stage %r failed, others go on: %s", stage.name, reason)
        failures.append(Failure(stage.name, reason))
        lost.add(stage.output)
    made = len(stages) - passed - len(failures)
    lacking = f", {len(failures)} failed or left out" if failures else ""
    log.info("%d stages: %d made, %d were up to date%s", len(stages), made, passed, lacking)
    return failures


def run_stages(stages: Sequence[Stage]) -> None:
    """:func:`attempt_stages`, and an error at the end if any failed.

    Raises
    ------
    StageError
        Names those that failed; all other tables are finished.
    """
    raise_failed(attempt_stages(stages))


def raise_failed(failures: Sequence[Failure]) -> None:
    """Say which stages failed, if any did: :class:`StageError`."""
    failed = [failure for failure in failures if not failure.left_out]
    if not failed:
        return
    left_out = len(failures) - len(failed)
    told = "; ".join(f"stage {failure.stage!r} failed: {failure.reason}" for failure in failed)
    others = f"; {left_out} that read such a table were left out" if left_out else ""
    raise StageError(f"{told}{others}; all other stages are finished and kept; the same command goes on from there")


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
