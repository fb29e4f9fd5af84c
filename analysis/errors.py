"""What goes wrong in a study: one sentence that says what was found, what was expected and what to do."""


class AnalysisError(Exception):
    """Base of every error that this package raises on purpose; the command line prints it and exits with 1."""


class ConfigError(AnalysisError, ValueError):
    """A setting is unknown, missing or impossible."""


class TaskError(AnalysisError, ValueError):
    """A task file cannot be read: a missing field, an empty target, two examples of one id."""


class TableError(AnalysisError, ValueError):
    """A table is not what its stage writes: other columns, unfinished, or made by something else."""


class ModelError(AnalysisError, ValueError):
    """A model or its tokenizer does not fit: other ids, a target longer than its context, nan where a number belongs."""


class MeasureError(AnalysisError, ValueError):
    """A measure has nothing to be computed from: no pair left, nan in its input."""


class MissingDependencyError(AnalysisError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class StageError(AnalysisError):
    """A stage failed; what was finished before it is kept."""
