"""Questions to a Dask cluster: the answers of the index itself, which other tests hold against the oracle."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from tests.helpers.building import write_index, write_jsonl
from tests.helpers.questions import as_query, same
from tests.helpers.strategies import Corpus, corpora, ngrams, patterns, questions
from tests.oracle import count

distributed = pytest.importorskip("distributed", reason="the extra distributed is not installed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The scheduler of two workers in this process."""
    options: dict[str, Any] = {"processes": False, "dashboard_address": ":0", "silence_logs": "ERROR"}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster:
        yield cluster.scheduler_address


@settings(max_examples=10)
@given(st.data())
def test_the_answers_of_the_index_itself(new_folder: Callable[[], Path], address: str, data: st.DataObject) -> None:
    corpus: Corpus = data.draw(corpora())
    folder = new_folder()
    asked = data.draw(st.lists(ngrams(corpus), max_size=6))
    pairs = data.draw(st.lists(questions(corpus), max_size=4))
    pattern = data.draw(patterns(corpus))
    holed = as_query(pattern)
    contexts_too = [[corpus.alphabet[0]], holed] if pattern[-1] != [[corpus.separator]] else []
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(corpus.documents), max_size=len(corpus.documents))))
    local = write_index(folder, corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=3)
    contexts = [ngram for ngram in asked if ngram[-1:] != [corpus.separator]]
    texts = [[token for token in ngram if token != corpus.separator] for ngram in asked]
    assert isinstance(local, si.SuffixIndex)
    with si.open(folder, scheduler=address) as far:
        assert isinstance(far, si.SuffixIndex)
        assert far.counts(asked).tolist() == [count(corpus.documents, ngram, corpus.separator) for ngram in asked]
        for ask in (
            lambda index: index.counts(asked),
            lambda index: index.counts(asked, mask),
            lambda index: [index.count(ngram) for ngram in asked],
            lambda index: index.document_counts(asked),
            lambda index: index.document_counts(asked, mask),
            lambda index: index.cooccurrences(pairs),
            lambda index: index.cooccurrences(pairs, window=2),
            lambda index: index.cooccurrences(pairs, where=mask),
            lambda index: [index.cooccurrence(*pair) for pair in pairs],
            lambda index: index.cooccurrence_matrix(asked, asked),
            lambda index: [index.next_distribution(context) for context in contexts],
            lambda index: [index.next_distribution(context, mask) for context in contexts],
            lambda index: index.next_distributions(contexts),
            lambda index: index.next_distributions(contexts, mask),
            lambda index: [index.count(holed, where) for where in (None, mask)],
            lambda index: index.counts([[corpus.alphabet[0]], holed], mask),
            lambda index: index.document_counts([holed]),
            lambda index: index.cooccurrence(holed, [[corpus.alphabet[0]], holed]),
            lambda index: index.document_ids(holed, corpus.alphabet[:1], window=2),
            lambda index: index.next_distributions(contexts_too, mask),
            lambda index: [index.next_distribution(one) for one in contexts_too],
            lambda index: index.concordance(holed, limit=None),
            lambda index: index.documents(holed),
            lambda index: index.scores(texts),
            lambda index: index.matches(texts),
            lambda index: [index.infgram(text, 0) for text in texts],
            lambda index: [index.suffix_length(text) for text in texts],
            lambda index: [index.novelty(text, 3) for text in texts],
            lambda index: [index.spans(text) for text in texts],
            lambda index: [index.documents(ngram) for ngram in asked],
            lambda index: [index.sample_documents(ngram, 2, seed=0) for ngram in asked],
            lambda index: [index.concordance(ngram) for ngram in asked if ngram],
            lambda index: [index.document_ids(*pair, where=mask) for pair in pairs],
            lambda index: [index.counts(asked, index.holding(*pair, window=2)) for pair in pairs],
            lambda index: index.top_ngrams(1, 3),
            lambda index: index.ngram_statistics(3),
            lambda index: index.duplicates(1),
            lambda index: [index.document(number) for number in range(index.num_documents)],
        ):
            assert same(ask(far), ask(local))


def test_text_and_groups_of_documents(tmp_path: Path, address: str) -> None:
    texts = ["the cat sat on the mat", "the dog sat", "", "a cat and a dog", "the cat"] * 4
    path = write_jsonl(tmp_path / "corpus.jsonl", texts, year=[1999 + i % 3 for i in range(len(texts))])
    si.build(path, tmp_path / "index", tokenizer="words", shard_tokens=20, progress=False)
    local = si.open(tmp_path / "index")
    assert len(local.shards) > 3
    far = si.open(tmp_path / "index", scheduler=address)
    for ask in (
        lambda index: index.counts(["the cat", "a dog", "zebra"], {"year": range(2000, 2002)}),
        lambda index: index.cooccurrence(["cat", "dog"], "sat", where={"year": 1999}),
        lambda index: index.counts_by("the cat", "year"),
        lambda index: index.groups("year"),
        lambda index: index.count_variants("THE cat"),
        lambda index: si.lm.Infgram(index).perplexity(["the cat sat"]),
        lambda index: si.lm.KneserNey(index, 2).log_probs("the cat sat"),
    ):
        assert same(ask(far), ask(local))
    with pytest.raises(si.QueryError, match="outside the vocabulary"):
        far.counts([[10**6]])
    again = pickle.loads(pickle.dumps(far))
    assert again.count("the cat") == local.count("the cat") == 8
    again.close()
    far.close()


def test_an_append_on_a_cluster_is_that_of_one_machine(tmp_path: Path, address: str) -> None:
    files = [write_jsonl(tmp_path / f"{name}.jsonl", texts) for name, texts in (("a", ["the cat"]), ("b", ["a cat", "the dog"]))]
    here, there = tmp_path / "here", tmp_path / "there"
    for index, how in ((here, {}), (there, {"scheduler": address})):
        si.build(files[0], index, tokenizer="words", shard_tokens=20, progress=False)
        assert si.append(index, files[1], progress=False, **how).new_words == 2
    shards = [json.loads((index / "manifest.json").read_text())["shards"] for index in (here, there)]
    assert shards[0] == shards[1]
    si.verify(there, full=True)


def test_documents_that_were_removed_are_gone_on_a_cluster(tmp_path: Path, address: str) -> None:
    folder = write_index(tmp_path / "index", [[1, 2], [1, 3], [2, 2], [1, 2, 3], [3]], shards=4).path
    far = si.open(folder, scheduler=address)
    assert far.counts([[1, 2], [3]]).tolist() == [2, 3]
    si.remove(folder, [0, 3], progress=False)
    assert not far.is_current
    far.close()
    with si.open(folder, scheduler=address) as again:
        assert len(again.shards) == 3 and again.counts([[1, 2], [1], [3]]).tolist() == [0, 1, 2]
        assert again.document_ids([[3]]).tolist() == [0, 2]


def test_an_index_that_was_built_anew_or_is_gone(tmp_path: Path, address: str) -> None:
    path = write_jsonl(tmp_path / "corpus.jsonl", ["the cat", "the dog"])
    si.build(path, tmp_path / "index", tokenizer="words", progress=False)
    far = si.open(tmp_path / "index", scheduler=address)
    assert far.count("the") == 2
    write_jsonl(path, ["the cat", "the dog", "the mouse"])
    si.build(path, tmp_path / "index", tokenizer="words", restart=True, progress=False)
    with si.open(tmp_path / "index", scheduler=address) as anew:
        assert anew.count("the") == 3
    with pytest.raises(si.ClusterError, match=r"sees another index at .*: open it again"):
        far.count("the")
    far.close()


def test_a_process_that_closes_nothing_ends_in_silence(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index", [[1, 2], [1, 3]]).path
    options: dict[str, Any] = {"processes": False, "protocol": "tcp", "dashboard_address": ":0", "silence_logs": "ERROR"}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
        code = f"import suffixindex as si; index = si.open({str(index)!r}, {cluster.scheduler_address!r}); print(index.count([1]))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_a_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suffixindex.distributed import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    path = write_jsonl(tmp_path / "corpus.jsonl", ["the cat"])
    si.build(path, tmp_path / "index", tokenizer="words", progress=False)
    with pytest.raises(si.ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9: start one with dask scheduler"):
        si.open(tmp_path / "index", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(si.ClusterError, match="no Dask scheduler answers"):
        si.build(path, tmp_path / "other", tokenizer="words", scheduler="tcp://127.0.0.1:9")
