"""A forked process inherits an index, and none of its parent's threads: every question is answered there too."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import suffixindex as si
from suffixindex.storage.shard import Shard
from suffixindex.system.threads import ForkLock, Threads
from tests.helpers import building

DOCUMENTS = ["abcab", "bab", "cc", ""] * 3

QUESTIONS: dict[str, Callable[[si.SuffixIndex], Any]] = {
    "count": lambda index: index.count("ab"),
    "counts": lambda index: index.counts(["ab", "c"]).tolist(),
    "next_distributions": lambda index: [found.counts.tolist() for found in index.next_distributions(["a", "b"])],
    "score": lambda index: index.score("abcc").probs.tolist(),
    "matches": lambda index: [found.lengths.tolist() for found in index.matches(["abc", "c"])],
    "document_counts": lambda index: index.document_counts(["a", "c"]).tolist(),
    "cooccurrences": lambda index: index.cooccurrences([("a", "c"), ("b", "c")]).tolist(),
    "counts_by": lambda index: sorted(index.counts_by("a", "path").values()),
    "top_ngrams": lambda index: index.top_ngrams(2, 2),
    "duplicates": lambda index: index.duplicates(2).num_passages,
    "kneser_ney": lambda index: si.lm.KneserNey(index, 2).log_probs("abc").tolist(),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    return _build(tmp_path_factory.mktemp("fork"))


def _build(folder: Path) -> si.SuffixIndex:
    corpus = building.write_jsonl(folder / "corpus.jsonl", DOCUMENTS)
    si.build(corpus, folder / "index", tokenizer="bytes", shard_tokens=20, progress=False)
    return si.open(folder / "index")


def _answers(index: si.SuffixIndex) -> dict[str, Any]:
    return {name: ask(index) for name, ask in QUESTIONS.items()}


def _send(index: si.SuffixIndex, channel: Any) -> None:
    channel.send(_answers(index))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_answer_after_the_parent_did(index: si.SuffixIndex, method: str) -> None:
    expected = _answers(index)  # which starts the parent's threads
    context = multiprocessing.get_context(method)
    receiving, sending = context.Pipe(duplex=False)
    worker = context.Process(target=_send, args=(index, sending), daemon=True)
    worker.start()
    assert receiving.poll(120), "the worker does not answer"
    assert receiving.recv() == expected
    worker.join()
    assert worker.exitcode == 0
    assert _answers(index) == expected  # the parent goes on


def test_a_torch_loader_scores_texts(index: si.SuffixIndex) -> None:
    data = pytest.importorskip("torch.utils.data")

    class Scored(data.Dataset):  # type: ignore[name-defined, misc]
        def __len__(self) -> int:
            return 4

        def __getitem__(self, place: int) -> float:
            return float(index.score("ab" + "abcd"[place]).probs.sum())

    expected = [Scored()[place] for place in range(4)]
    loader = data.DataLoader(Scored(), num_workers=2, batch_size=None, timeout=120, multiprocessing_context="fork")
    assert list(loader) == expected


def _child(work: Callable[[], bool]) -> int:
    """The exit code of a forked process that does some work; a process that waits for ever is ended."""
    pid = os.fork()
    if not pid:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    timer = threading.Timer(60, os.kill, (pid, 9))
    timer.start()
    _, status = os.waitpid(pid, 0)
    timer.cancel()
    return os.waitstatus_to_exitcode(status)


def test_locks_and_pools_are_free_in_a_child() -> None:
    lock, threads = ForkLock(), Threads(2)
    assert list(threads.pool.map(abs, [-1, -2])) == [1, 2]
    with lock:  # held when the child begins, which has no thread that would ever let it go

        def work() -> bool:
            with lock:
                return list(threads.pool.map(abs, [-3])) == [3]

        assert _child(work) == 0
    threads.close()
    with pytest.raises(si.QueryError, match="closed"):
        threads.pool.map(abs, [-1])


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a cached property has no lock there")
def test_a_part_that_another_thread_is_opening(tmp_path: Path) -> None:
    index = _build(tmp_path)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with Shard.search_tree.lock:  # type: ignore[attr-defined]
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    code = _child(lambda: index.count("ab") == 9)
    done.set()
    thread.join()
    assert code == 0
