"""What the driver and the workers of a cluster say to each other."""

from collections.abc import Callable
from typing import Any, NamedTuple

from suffixindex.errors import SuffixIndexError

RESOURCE = "suffixindex_memory"
"""What a worker offers to Dask: the bytes that tasks of builds may take there."""


class Task(NamedTuple):
    """A call of ``function(*arguments, threads, progress)`` on some worker; ``progress(done)`` says how much of it is done."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    memory: int = 0
    """Bytes of a worker's that it takes while it runs."""
    thread_bytes: int = 0
    """Bytes that each of its threads takes, where that is more than the worker takes anyway."""


class Failure(NamedTuple):
    """What a task that went wrong returns: of its error, only the text is sure to survive the way to another process."""

    worker: str
    text: str
    final: SuffixIndexError | None
    """An error that every other worker would find too."""
