"""Processes in a line: results in order, errors in their place, and nobody left over whatever happens."""

import errno
import logging
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suffixindex.errors import BuildError, CorpusError
from suffixindex.system import pipeline
from suffixindex.system.pipeline import POSSIBLE, Made, Pipeline
from tests.helpers import pipeline_calls as calls

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="no processes that inherit pipes")


def test_results_are_in_order_and_logs_are_handed_on(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.WARNING), Pipeline(Made(calls.squaring, ()), 3) as pipeline:
        assert list(pipeline.results(Made(calls.numbers, (40,)))) == [number * number for number in range(40)]
    assert pipeline.peak_memory_bytes > 3 << 20
    assert [record.getMessage() for record in caplog.records] == [f"{number} was seen" for number in range(3, 40, 7)]
    assert capfd.readouterr().out == ""


def test_large_arrays_go_through_and_may_be_written() -> None:
    with Pipeline(Made(calls.summing, ()), 2) as pipeline:
        for number, (total, block) in enumerate(pipeline.results(Made(calls.blocks, (6, 500_000)))):
            assert total == 500_000 * number
            block[:] += 1
            assert np.array_equal(block, np.full(500_000, number + 2))


@pytest.mark.parametrize("size", [1, 3 << 20])
def test_workers_finish_what_they_are_replied_to(tmp_path: Path, size: int) -> None:
    """Results and replies that no pipe holds at once, and now and then all is to be done."""
    path = tmp_path / "kept"
    path.write_bytes(bytes(8 * 30))
    with Pipeline(Made(calls.keeping, (str(path), size)), 3) as pipeline:
        for number, head in pipeline.results(Made(calls.numbers, (30,))):
            assert len(head) == size
            pipeline.reply((29 - number, np.ones(size, np.uint8)))
            if number % 7 == 6:
                pipeline.settle()
                assert np.fromfile(path, np.int64)[29 - number :].tolist() == [size + i for i in range(number, -1, -1)]
    assert np.fromfile(path, np.int64).tolist() == [size + 29 - i for i in range(30)]


def test_a_reply_that_cannot_be_followed(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(bytes(8 * 40))
    for settles in (False, True):
        with Pipeline(Made(calls.keeping, (str(path), 1, 11)), 2) as pipeline:
            with pytest.raises(CorpusError, match="11 cannot be kept"):
                for number, _ in pipeline.results(Made(calls.numbers, (40,))):
                    pipeline.reply((number, np.zeros(1, np.uint8)))
                    if settles:
                        pipeline.settle()
            assert number == 11 if settles else 11 <= number < 20
    assert pipeline._process.poll() is not None


def test_the_source_may_be_an_iterator_of_this_process() -> None:
    def numbers(fails: bool) -> Iterator[int]:
        yield from range(40)
        if fails:
            raise CorpusError("nothing after 40")

    with Pipeline(Made(calls.squaring, ()), 3) as pipeline:
        assert list(pipeline.results(numbers(False))) == [number * number for number in range(40)]
    with Pipeline(Made(calls.squaring, ()), 3) as pipeline, pytest.raises(CorpusError, match="nothing after 40"):
        list(pipeline.results(numbers(True)))
    with Pipeline(Made(calls.dying, (3,)), 2) as pipeline, pytest.raises(BuildError, match="was killed"):
        list(pipeline.results(numbers(False)))


def test_an_error_comes_in_its_place() -> None:
    found = []
    with Pipeline(Made(calls.squaring, ()), 2) as pipeline:
        results = pipeline.results(Made(calls.numbers, (3, True)))
        with pytest.raises(CorpusError, match="nothing after 3"):
            for result in results:
                found.append(result)
    assert found == [0, 1, 4]
    found = []
    with (
        pytest.raises(ValueError, match="5 is wrong"),
        Pipeline(Made(calls.squaring, (5,)), 2) as pipeline,
    ):
        for result in pipeline.results(Made(calls.numbers, (50,))):
            found.append(result)
    assert found == [0, 1, 4, 9, 16]


def test_a_worker_that_cannot_begin_says_why() -> None:
    with (
        Pipeline(Made(calls.failing, ()), 1) as pipeline,
        pytest.raises(CorpusError, match="no function"),
    ):
        list(pipeline.results(Made(calls.numbers, (1,))))


@pytest.mark.parametrize("who", ["worker", "source"])
def test_a_killed_process_is_one_sentence(who: str) -> None:
    source = Made(calls.ending, (7,)) if who == "source" else Made(calls.numbers, (50,))
    work = Made(calls.squaring, ()) if who == "source" else Made(calls.dying, (7,))
    with Pipeline(work, 2) as pipeline:
        results = pipeline.results(source)
        with pytest.raises(BuildError, match=r"a process of this build was killed, as the system does .* it goes on"):
            assert [next(results) for _ in range(7)]
            list(results)
    assert pipeline._process.poll() is not None


def test_nothing_at_all() -> None:
    with Pipeline(Made(calls.squaring, ()), 2) as pipeline:
        assert list(pipeline.results(Made(calls.numbers, (0,)))) == []


def test_nothing_is_said_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    """When the workers end while they are ended."""
    for _ in range(8):
        with Pipeline(Made(calls.squaring, ()), 4) as pipeline:
            assert list(pipeline.results(Made(calls.numbers, (3,)))) == [0, 1, 4]
    assert capfd.readouterr().err == ""


def test_leaving_early_ends_the_processes() -> None:
    with Pipeline(Made(calls.squaring, ()), 1) as pipeline:
        assert next(pipeline.results(Made(calls.numbers, (10**6,)))) == 0
    assert pipeline._process.poll() is not None
    assert pipeline._results[0].closed


@pytest.mark.long
def test_sixteen_workers_stay_busy() -> None:
    """With an encoder that sleeps for the time that a batch takes at 10 MB/s: 16 do in a second what one does in 16."""

    def seconds(workers: int, items: int) -> float:
        with Pipeline(Made(calls.sleeping, (0.4,)), workers) as pipeline:
            results = pipeline.results(Made(calls.numbers, (items + workers,)))
            for _ in range(workers):  # of processes that have started
                next(results)
            started = time.perf_counter()
            assert len(list(results)) == items
            return time.perf_counter() - started

    assert 16 * seconds(1, 10) / seconds(16, 160) >= 13  # 16 but for the noise of a loaded machine


OPEN = Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN.exists(), reason="counts in /proc")
@pytest.mark.parametrize("left", [0, 6, 7, 9])
def test_processes_that_cannot_be_started_leave_no_other(left: int) -> None:
    """As where descriptors or processes run out: nothing waits for ever, and nothing stays open."""
    before = len(os.listdir(OPEN))
    with (
        pytest.raises(OSError, match="Too many open files"),
        Pipeline(Made(calls.short_of_descriptors, (left,)), 5) as pipeline,
    ):
        list(pipeline.results(Made(calls.numbers, (40,))))
    assert pipeline._process.poll() is not None
    assert len(os.listdir(OPEN)) == before


@pytest.mark.skipif(not OPEN.exists(), reason="counts in /proc")
@pytest.mark.parametrize("made_here", [True, False])
def test_too_few_descriptors_of_this_process(made_here: bool) -> None:
    before, limits = len(os.listdir(OPEN)), resource.getrlimit(resource.RLIMIT_NOFILE)
    source = iter(range(40)) if made_here else Made(calls.numbers, (40,))
    with pytest.raises(OSError, match="Too many open files"), Pipeline(Made(calls.squaring, ()), 9) as pipeline:
        taken = {*map(int, os.listdir(OPEN))}
        free = [number for number in range(len(taken) + 6) if number not in taken]
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[5], limits[1]))
        try:
            list(pipeline.results(source))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert pipeline._process.poll() is not None
    assert len(os.listdir(OPEN)) == before


def test_no_process_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*arguments: Any) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    before = len(os.listdir(OPEN)) if OPEN.exists() else 0
    monkeypatch.setattr(pipeline, "_start", start)
    with pytest.raises(OSError, match="temporarily unavailable"):
        Pipeline(Made(calls.squaring, ()), 3)
    assert (len(os.listdir(OPEN)) if OPEN.exists() else 0) == before
