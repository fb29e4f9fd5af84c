"""What runs on the workers of a cluster. Imported there, so this is the one place that imports Dask at the top."""

import time
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from suffixindex.building.budget import fixed_bytes
from suffixindex.building.folder import plain_errors
from suffixindex.distributed.tasks import RESOURCE, Failure, Task
from suffixindex.errors import CorpusError, TokenizerError
from suffixindex.system.memory import total_memory

SHARE = 0.75  # of a worker's limit: at 0.8 Dask gives it no more work, at 0.95 it is killed
PROGRESS_SECONDS = 0.5


class MemoryOffer(WorkerPlugin):  # type: ignore[misc]
    """Makes a worker offer the memory that it may use, beside what a build takes anyway, to the tasks of builds.

    A worker started with ``--resources suffixindex_memory=BYTES`` offers that.
    """

    name = "suffixindex-memory"

    async def setup(self, worker: Worker) -> None:
        if RESOURCE in worker.state.total_resources:
            return
        limit = worker.memory_manager.memory_limit or total_memory()
        offered = int(limit * SHARE) - fixed_bytes(worker.state.nthreads)
        await worker.set_resources(**{RESOURCE: max(offered, 0)})


def attempt(task: Task, number: int, topic: str, cores: int) -> Any:
    """Run a task with the threads that are its own, and tell the driver how far it is; a :class:`Failure` if it goes wrong.

    ``cores`` of the machine are free for it, if these are more.
    """
    worker = get_worker()
    nthreads = worker.state.nthreads
    offered = int(worker.state.total_resources[RESOURCE])
    at_once = min(nthreads, offered // task.memory) if task.memory else nthreads
    threads = max(nthreads // max(at_once, 1), cores)
    if task.thread_bytes:
        threads = max(1, min(threads, offered // task.thread_bytes))
    shown = time.monotonic()

    def progress(done: float) -> None:
        nonlocal shown
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            worker.log_event(topic, [number, float(done)])

    try:
        with plain_errors(Path(f"the worker {worker.address}")):
            return task.function(*task.arguments, threads, progress)
    except Exception as error:
        final = error if isinstance(error, (CorpusError, TokenizerError)) else None
        return Failure(worker.address, f"{type(error).__name__}: {error}" if final is None else str(error), final)


def sees(path: str, content: bytes, seconds: float) -> bool:
    """Whether a file has this content here, or gets it within some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if Path(path).read_bytes() == content:
                return True
        except OSError:
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
