"""What is planned of one task so far, for the stages after it to read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis.config import Config, Task
from analysis.pairs import stop_words
from analysis.study.pipeline import Stage
from analysis.study.resources import Resources
from analysis.tasks import find_kind


def kind_of(config: Task) -> str:
    """The name by which a task's examples are read."""
    return f"jsonl:{config.name}" if config.kind == "jsonl" else config.kind or config.name


def metric_of(config: Task) -> str:
    """How a task's answers are scored: its setting, and where that is left out the kind's own; "": it has none."""
    return find_kind(kind_of(config))[1].metric if config.metric is None else config.metric


class TaskStages:
    """The stages of one task, by the role in which others read them."""

    def __init__(self, config: Task, study: Config, resources: Resources) -> None:
        self.config = config
        """The task's own settings."""
        self.study = study
        """Those of the whole study."""
        self.resources = resources
        self.by_role: dict[str, Stage] = {}
        self.scores: dict[tuple[str, str], Stage] = {}
        """(model, revision) -> its log-probabilities."""
        self.scores_to_end: dict[tuple[str, str], Stage] = {}
        """The same of everything from s^y on, for modes that ask for it."""
        self.neutral_scores: dict[tuple[str, str], Stage] = {}
        """Those of the last states after a prompt that does not say x."""
        self.found_prompts: list[Stage] = []
        """Those of each goal."""
        self.generations: list[Stage] = []

    @property
    def kind(self) -> str:
        """The name by which its examples are read."""
        return kind_of(self.config)

    @property
    def answers(self) -> dict[str, Any]:
        """How models write answers and how these are scored: the task's settings, and where they are left out the kind's own."""
        config, (_, kind) = self.config, find_kind(self.kind)
        stop = kind.stop if config.stop is None else config.stop
        return {"metric": metric_of(config), "max_tokens": config.max_tokens or kind.max_tokens, "stop": stop}

    @property
    def aliases_known(self) -> dict[str, Any]:
        """What a table also depends on where aliases stand for the answer: which of them count."""
        return {"depends_on": {"names": f"with a content word by {stop_words.digest()}"}} if self.config.aliases else {}

    @property
    def index(self) -> dict[str, Path]:
        """The corpus, as what a stage reads."""
        return {"index": self.study.path(self.study.index.path)}

    @property
    def resampling(self) -> dict[str, Any]:
        """The settings of every interval and p-value."""
        study = self.study.study
        return {"confidence": study.confidence, "resamples": study.resamples, "seed": study.seed}

    def of_metric(self, make: Callable[..., pa.Table]) -> Callable[..., pa.Table]:
        """A measure of answers by the task's own metric alone, though they were scored by each of its kind."""

        def chosen(*, generations: pa.Table | None = None, **given: Any) -> pa.Table:
            if generations is not None:
                given |= {"generations": generations.filter(pc.equal(generations["metric"], self.answers["metric"]))}
            return make(**given)

        return chosen

    def reads(self, *roles: str) -> dict[str, Stage]:
        """The stages of these roles."""
        return {role: self.by_role[role] for role in roles}

    def stage(
        self,
        command: str,
        schema: pa.Schema,
        make: Callable[..., pa.Table],
        *,
        folder: str = "",
        part: str = "",
        role: str = "",
        reads: Mapping[str, Stage | Sequence[Stage]] | None = None,
        files: Mapping[str, Path] | None = None,
        settings: Mapping[str, Any] | None = None,
        depends_on: Mapping[str, Any] | None = None,
        kind: str = "",
    ) -> Stage:
        """A stage of the task.

        Its table stands in ``folder`` (the command's name by default), ``part`` tells it from others of the task there, and
        ``role`` is what later stages call it. The others: see :class:`analysis.study.pipeline.Stage`.
        """
        folder = folder or command
        name = f"{self.config.name}/{part}" if part else self.config.name
        output = self.study.folder / folder / f"{name}.parquet"
        stage = Stage(
            command,
            f"{folder} {name}",
            output,
            schema,
            make,
            reads=reads or {},
            files=files or {},
            settings=settings or {},
            depends_on=depends_on or {},
            kind=kind,
        )
        if role:
            self.by_role[role] = stage
        return stage
