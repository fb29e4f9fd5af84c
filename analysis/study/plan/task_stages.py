"""What is planned of one task so far, for the stages after it to read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis.config import Config, Task
from analysis.study.opened import Opened
from analysis.study.pipeline import Stage


class TaskStages:
    """The stages of one task, by the role in which others read them."""

    def __init__(self, task: Task, config: Config, opened: Opened) -> None:
        self.task = task
        self.config = config
        self.opened = opened
        self.by_role: dict[str, Stage] = {}
        self.scores: dict[tuple[str, str], Stage] = {}
        """(model, revision) -> its log-probabilities."""
        self.scores_to_end: dict[tuple[str, str], Stage] = {}
        """The same of everything from s^y on, for modes that ask for it."""
        self.generations: list[Stage] = []

    @property
    def index(self) -> dict[str, Path]:
        """The corpus, as what a stage reads."""
        return {"index": self.config.path(self.config.index.path)}

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
        settings: Mapping[str, Any] | None = None,
        **about: Any,
    ) -> Stage:
        """A stage of the task.

        Its table stands in ``folder`` (the command's name by default), ``part`` tells it from others of the task there, and
        ``role`` is what later stages call it.
        """
        folder = folder or command
        name = f"{self.task.name}/{part}" if part else self.task.name
        output = self.config.folder / folder / f"{name}.parquet"
        stage = Stage(command, f"{folder} {name}", output, schema, make, settings=settings or {}, **about)
        if role:
            self.by_role[role] = stage
        return stage
