"""A connection to a Dask cluster: what its workers offer, and how tasks are run there until all are done."""

import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from suffixindex.building.budget import fixed_bytes
from suffixindex.distributed.tasks import RESOURCE, Failure, Task
from suffixindex.errors import BuildError, ClusterError, MissingDependencyError
from suffixindex.system.memory import total_memory
from suffixindex.system.pipeline import import_path

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

ATTEMPTS = 3
POLL_SECONDS = 0.5
LOOK_SECONDS = 2.0  # between two looks at which workers there are
CONNECT_SECONDS = 30
START_SECONDS = 120  # that workers on this machine may take to start, or to find that their scheduler is gone
STOP_SECONDS = 20
SEEN_SECONDS = 30  # that a network filesystem may take to show a new file everywhere


class Worker(NamedTuple):
    """What a worker offers to tasks."""

    nthreads: int
    memory: int
    host: str

    def slots(self, memory: int) -> int:
        """Tasks of so many bytes that it takes at once."""
        return min(self.nthreads, self.memory // memory) if memory else self.nthreads


@contextmanager
def connect(scheduler: str | None, workers: int | None = None, threads: int = 1) -> "Iterator[Cluster]":
    """A cluster: of the scheduler at an address or in a scheduler file, or of ``workers`` processes on this machine.

    Raises
    ------
    BuildError
        Both are given.
    ClusterError, MissingDependencyError
        Nothing answers there; Dask is not installed.
    """
    if (scheduler is None) == (workers is None):
        raise BuildError("scheduler and workers both name a cluster: give one")
    if workers is not None and workers < 1:
        raise BuildError(f"workers is {workers}: expected 1 or more")
    with open_client(scheduler, workers, threads) as client:
        from suffixindex.distributed.worker import MemoryOffer

        client.register_plugin(MemoryOffer())
        yield Cluster(client)


@contextmanager
def open_client(scheduler: str | None, workers: int | None = None, threads: int = 1) -> "Iterator[Client]":
    """A Dask client that is nobody's default."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError("a cluster needs dask.distributed: pip install 'suffixindex[distributed]'") from error
    if scheduler is None:
        assert workers is not None
        with _open_local(workers, max(threads // workers, 1)) as client:
            yield client
        return
    where = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        client = Client(**where, set_as_default=False, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Dask scheduler answers at {scheduler}: start one with dask scheduler ({error})") from error
    with client:
        yield client


@contextmanager
def _open_local(workers: int, cores: int) -> "Iterator[Client]":
    """A client of a scheduler in this process, and of workers on this machine."""
    from distributed import Client, LocalCluster

    try:
        multiprocessing.get_context("spawn").Lock()
    except OSError as error:
        raise ClusterError(
            f"no worker processes can be started here, as there is no shared memory for them (/dev/shm: {error.strerror}): "
            "leave out --workers, threads do the work then"
        ) from error
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=logging.ERROR) as cluster,
        _worker_processes(cluster.scheduler_address, workers, cores),
        Client(cluster, set_as_default=False) as client,
    ):
        cluster.scheduler.allowed_failures = ATTEMPTS - 1  # of workers too; another scheduler has Dask's setting for it
        try:
            client.wait_for_workers(workers, timeout=START_SECONDS)
        except TimeoutError as error:
            raise ClusterError(f"{workers} workers did not start within {START_SECONDS} seconds: ask for fewer") from error
        yield client


@contextmanager
def _worker_processes(address: str, workers: int, cores: int) -> Iterator[None]:
    """Dask's own command, which imports nothing of the script that calls: Dask's processes would run it once more."""
    memory = str(total_memory() // workers)
    options = ["--nworkers", str(workers), "--nthreads", str(cores), "--memory-limit", memory, "--no-dashboard"]
    command = [sys.executable, "-m", "dask", "worker", address, *options, "--death-timeout", str(START_SECONDS)]
    environment = {**os.environ, "PYTHONPATH": import_path(), "DASK_LOGGING__DISTRIBUTED": "error"}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Cluster:
    """The workers of a Dask cluster, which may come and go."""

    def __init__(self, client: "Client") -> None:
        self.client = client
        self.workers = self._look()
        if not self.workers:
            log.warning("%s has no workers yet: waiting for the first", client.scheduler.address)
        while not self.workers:
            time.sleep(POLL_SECONDS)
            self.workers = self._look()

    @property
    def threads(self) -> int:
        """Threads of the largest worker."""
        return max(worker.nthreads for worker in self.workers.values())

    @property
    def memory(self) -> int:
        """What a build may take if every worker is to hold its largest shard, one at a time."""
        return min(worker.memory for worker in self.workers.values()) + fixed_bytes(self.threads)

    def check_seen(self, path: Path) -> None:
        """Make sure that every worker reads what this process wrote.

        Raises
        ------
        BuildError
        """
        from suffixindex.distributed.worker import sees

        for address, seen in self.client.run(sees, str(path), path.read_bytes(), SEEN_SECONDS).items():
            if not seen:
                raise BuildError(f"the worker {address} does not see {path}: every worker must see the index, under one path")

    def run(self, tasks: Sequence[Task], progress: Callable[[dict[int, float]], None]) -> Iterator[tuple[int, Any]]:
        """(number, result) of every task, as they end.

        ``progress`` is told how much the tasks under way say is done. A task whose worker dies is begun anew elsewhere; no
        more are handed out than the workers take at once, so one that joins gets work at once.

        Raises
        ------
        BuildError
            A task failed three times, or no worker has the memory for it.
        CorpusError, TokenizerError
            As the task says.
        ClusterError
            The scheduler is gone.
        """
        waiting = deque(range(len(tasks)))
        running: dict[Future, int] = {}
        ended: SimpleQueue[Future] = SimpleQueue()
        failures: Counter[int] = Counter()
        told: dict[int, float] = {}
        largest = max((task.memory for task in tasks), default=0)
        topic = f"suffixindex-{uuid4().hex}"
        self.client.subscribe_topic(topic, lambda event: told.update([event[1]]))
        looked = 0.0
        try:
            while waiting or running:
                if time.monotonic() - looked > LOOK_SECONDS:
                    self._take_up(tasks, running, topic, ended)
                    self._check_room(largest, tasks)
                    looked = time.monotonic()
                room = sum(worker.slots(largest) for worker in self.workers.values())
                while waiting and len(running) < max(room, 1):
                    number = waiting.popleft()
                    cores = self._cores(len(running) + 1 + len(waiting))
                    running[self._submit(tasks[number], number, topic, ended, cores)] = number
                for future in _taken(ended):
                    if future not in running:  # handed out again meanwhile
                        continue
                    number = running.pop(future)
                    told.pop(number, None)
                    result = self._result(future, tasks[number].name)
                    if not isinstance(result, Failure):
                        yield number, result
                        continue
                    failures[number] += 1
                    if result.final is not None:
                        raise result.final
                    log.warning("%s failed on %s: %s", tasks[number].name, result.worker, result.text)
                    if failures[number] == ATTEMPTS:
                        raise BuildError(
                            f"{tasks[number].name} failed {ATTEMPTS} times, the last time on {result.worker}: {result.text}"
                        )
                    waiting.appendleft(number)
                progress({number: share for number, share in told.items() if number in running.values()})
        finally:
            with suppress(OSError, TimeoutError):  # the scheduler is gone: the error before is the one to tell
                self.client.unsubscribe_topic(topic)
                self.client.cancel(list(running))

    def _look(self) -> dict[str, Worker]:
        """The workers that are there and have said what they offer."""
        there = self.client.scheduler_info(n_workers=-1)["workers"]
        return {
            address: Worker(about["nthreads"], int(about["resources"][RESOURCE]), about["host"])
            for address, about in there.items()
            if RESOURCE in about["resources"]
        }

    def _cores(self, tasks: int) -> int:
        """Cores of the smallest machine for each of so many tasks, if they are spread evenly."""
        machines: Counter[str] = Counter()
        for worker in self.workers.values():
            machines[worker.host] += worker.nthreads
        return max(1, min(machines.values()) // -(-tasks // len(machines)))

    def _submit(self, task: Task, number: int, topic: str, ended: "SimpleQueue[Future]", cores: int) -> "Future":
        from suffixindex.distributed.worker import attempt

        key = f"{task.name.replace(' ', '-')}-{uuid4().hex}"
        resources = {RESOURCE: task.memory} if task.memory else None
        future = self.client.submit(attempt, task, number, topic, cores, key=key, pure=False, resources=resources)
        future.add_done_callback(ended.put)
        return future

    def _take_up(self, tasks: Sequence[Task], running: "dict[Future, int]", topic: str, ended: "SimpleQueue[Future]") -> None:
        """Look who is there. Tasks that found no worker are handed out again when one joins.

        Dask gives such tasks to a worker that registers, but not to one that says a moment later what it offers.
        """
        before, self.workers = self.workers, self._look() or self.workers
        if self.workers.keys() <= before.keys() or not running:
            return
        given = set(chain.from_iterable(self.client.processing().values()))
        for future in [future for future in running if future.key not in given and not future.done()]:
            number = running.pop(future)
            self.client.cancel([future])
            running[self._submit(tasks[number], number, topic, ended, self._cores(len(running) + 1))] = number

    def _check_room(self, largest: int, tasks: Sequence[Task]) -> None:
        most = max(worker.memory for worker in self.workers.values())
        if largest > most:
            name = max(tasks, key=lambda task: task.memory).name
            raise BuildError(
                f"{name} takes {largest / 2**20:,.0f} MiB to sort, the largest worker has {max(most, 0) / 2**20:,.0f} MiB for "
                "it: use workers with more memory (dask worker --memory-limit), or start anew with --restart and smaller "
                "--shard-tokens"
            )

    def _result(self, future: "Future", name: str) -> Any:
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise BuildError(
                f"{name}: {error.allowed_failures + 1} workers died while they worked on it, the last was "
                f"{error.last_worker.address}; give workers more memory, or start anew with --restart and smaller --shard-tokens"
            ) from error
        except Exception as error:
            raise ClusterError(
                f"the scheduler at {self.client.scheduler.address} lost {name} ({type(error).__name__}: {error}): start it "
                "again, then run the same command, it goes on"
            ) from error


def _taken(queue: "SimpleQueue[Future]") -> "Iterator[Future]":
    """All that is in a queue, and the first of it that comes within ``POLL_SECONDS``."""
    try:
        yield queue.get(timeout=POLL_SECONDS)
        while True:
            yield queue.get_nowait()
    except Empty:
        return
