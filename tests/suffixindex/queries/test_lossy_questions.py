"""Questions that cannot be put exactly: unknown pieces, texts of no tokens or that only look the same, numbers beyond."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import suffixindex as si
from tests.helpers import building
from tests.helpers.shell import process as process_of_bytes

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import models, normalizers, pre_tokenizers  # noqa: E402


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def process(*arguments: str) -> Ended:
    done = process_of_bytes(*arguments)
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


TEXTS = ["the zebra saw the cat", "a yak and a gnu", "the cat saw a yak"]


def _save(path: Path, model: Any, normalizer: Any = None, pre_tokenizer: Any = None) -> str:
    tokenizer = tokenizers.Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.save(str(path))
    return str(path)


def _word_level(path: Path) -> str:
    vocabulary = {"[UNK]": 0, "the": 1, "cat": 2, "saw": 3, "a": 4, "and": 5}
    return _save(path, models.WordLevel(vocabulary, unk_token="[UNK]"), pre_tokenizer=pre_tokenizers.Whitespace())


def _word_piece(path: Path) -> str:
    vocabulary = {"[UNK]": 0, "the": 1, "cat": 2, "saw": 3, "a": 4, "and": 5, "##s": 6}
    return _save(
        path,
        models.WordPiece(vocabulary, unk_token="[UNK]"),
        normalizer=normalizers.BertNormalizer(),
        pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
    )


def _unigram(path: Path) -> str:
    pieces = [("<unk>", 0.0), ("▁the", -1.0), ("▁cat", -1.0), ("▁saw", -1.0), ("▁a", -1.0), ("▁and", -1.0), ("▁", -2.0)]
    return _save(path, models.Unigram(pieces, unk_id=0), pre_tokenizer=pre_tokenizers.Metaspace())


def _bpe_that_drops(path: Path) -> str:
    """A BPE without an unknown token leaves out what it does not know."""
    letters = {letter: number for number, letter in enumerate("thecatswnd")}
    return _save(path, models.BPE(letters, []), pre_tokenizer=pre_tokenizers.Whitespace())


@pytest.fixture(params=[_word_level, _word_piece, _unigram, _bpe_that_drops])
def lossy(request: pytest.FixtureRequest, tmp_path: Path) -> si.SuffixIndex:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", TEXTS)
    si.build(corpus, tmp_path / "index", tokenizer=request.param(tmp_path / "tokenizer.json"), progress=False)
    return si.open(tmp_path / "index")


def test_unknown_words_are_not_one_word(lossy: si.SuffixIndex) -> None:
    for text in ("zebra", "qqq", "the zebra", "yak cat"):
        asks: list[Callable[[str], object]] = [
            lossy.count,
            lossy.next_distribution,
            lossy.documents,
            lossy.concordance,
            lossy.document_count,
            lossy.score,
            lossy.match,
            lossy.spans,
            lossy.suffix_length,
            lossy.count_variants,
            lambda text: lossy.counts(["the", text]),
            lambda text: lossy.document_counts([text] * 300),
            lambda text: lossy.cooccurrence("the", ["cat", text]),
            lambda text: lossy.cooccurrences([("the", text)]),
            lambda text: lossy.novelty(text, 2),
            lambda text: si.lm.StupidBackoff(lossy, 2).score(text),
            lambda text: si.lm.Infgram(lossy).log_probs(text),
        ]
        for ask in asks:
            with pytest.raises(si.UnaskableError, match="no token for '"):
                ask(text)
    assert lossy.count("the cat") == 2
    assert lossy.count("saw") == 2


def test_the_unknown_token_itself_may_be_asked(tmp_path: Path) -> None:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", TEXTS)
    si.build(corpus, tmp_path / "index", tokenizer=_word_level(tmp_path / "tokenizer.json"), progress=False)
    assert si.open(tmp_path / "index").count([0]) == 4  # zebra, yak, gnu, yak


def test_the_shell_says_what_it_cannot_tell_apart(tmp_path: Path) -> None:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", TEXTS)
    si.build(corpus, tmp_path / "index", tokenizer=_word_level(tmp_path / "tokenizer.json"), progress=False)
    done = process("count", str(tmp_path / "index"), "zebra", "the cat", "qqq", "--documents")
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["count"], row["documents"]) for row in rows] == [(0, 0), (2, 2), (0, 0)]
    assert done.stderr.count("has no token for") == 2
    done = process("cooccur", str(tmp_path / "index"), "zebra", "the")
    assert (json.loads(done.stdout)["documents"], done.stderr.count("no token for 'zebra'")) == (0, 1)
    done = process("docs", str(tmp_path / "index"), "zebra")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no token for 'zebra'" in done.stderr


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    folder = tmp_path_factory.mktemp("words")
    corpus = building.write_jsonl(folder / "a.jsonl", ["the cat sat", "cafe\u0301 the cafe\u0301", "ﬁne", ""])
    si.build(corpus, folder / "index", tokenizer="words", progress=False)
    return si.open(folder / "index")


@pytest.mark.parametrize("text", ["?", "", " \n", "—!"])
def test_text_of_no_tokens_is_no_ngram(words: si.SuffixIndex, text: str) -> None:
    for ask in (words.count, words.documents, words.next_distribution, words.count_variants, words.concordance):
        with pytest.raises(si.UnaskableError, match="makes no token of"):
            ask(text)
    with pytest.raises(si.UnaskableError, match="n-gram 1: "):
        words.counts(["the", text])
    with pytest.raises(si.UnaskableError):
        words.cooccurrence("the", [text, "cat"])
    assert words.count([]) == words.num_tokens  # said so
    assert len(words.score(text).probs) == 0  # a text may be empty


def test_the_shell_counts_text_of_no_tokens_zero_times(words: si.SuffixIndex) -> None:
    done = process("count", str(words.path), "?", "the")
    assert [json.loads(line)["count"] for line in done.stdout.splitlines()] == [0, 2]
    assert "makes no token of the text '?'" in done.stderr


def test_text_that_only_looks_the_same(words: si.SuffixIndex) -> None:
    composed = "caf\u00e9"
    assert words.count(composed) == 0
    found = words.count_variants(composed, ["unicode"])
    assert (found.count, [variant.count for variant in found.variants]) == (2, [0, 2])
    assert words.count_variants("fine", ["unicode"]).count == 0  # the ligature is no form of what is plain
    done = process("count", str(words.path), composed)
    assert '"cafe\\u0301" looks the same, and occurs 2 times' in done.stderr
    assert json.loads(done.stdout)["count"] == 0
    done = process("count", str(words.path), composed, "--variants", "unicode")
    assert json.loads(done.stdout.splitlines()[-1])["count"] == 2


@pytest.mark.parametrize("number", [2**62 + 1, 10**20, -1, 1.5, "3", True, None])
def test_numbers_have_a_range(words: si.SuffixIndex, number: Any) -> None:
    asks: dict[str, Callable[[Any], object]] = {
        "window": lambda n: words.cooccurrence("the", "cat", window=n),
        "window of ids": lambda n: words.document_ids("the", "cat", window=n),
        "limit": lambda n: words.documents("the", limit=n),
        "lines": lambda n: words.concordance("the", limit=n),
        "offset": lambda n: words.documents("the", offset=n),
        "width": lambda n: words.concordance("the", width=n),
        "k": lambda n: words.sample_documents("the", n, 0),
        "seed": lambda n: words.sample_documents("the", 1, n),
        "document": words.document,
        "n": lambda n: words.top_ngrams(n, 1),
        "best": lambda n: words.top_ngrams(1, n),
        "max_n": words.ngram_statistics,
        "max_count": lambda n: words.ngram_statistics(1, n),
        "novelty": lambda n: words.novelty("the cat", n),
        "min_length": words.duplicates,
        "passages": lambda n: words.duplicates(2, limit=n),
        "spans": lambda n: words.spans("the cat", min_length=n),
    }
    unlimited = {"window", "window of ids", "limit", "lines", "passages"} if number is None else set()
    for name, ask in asks.items():
        if name in unlimited:
            ask(number)
            continue
        with pytest.raises(si.QueryError):
            ask(number)


def test_large_numbers_in_range_are_exact(words: si.SuffixIndex) -> None:
    most = 2**62
    assert words.cooccurrence("the", "cat", window=most) == words.cooccurrence("the", "cat") == 1
    assert len(words.documents("the", limit=most)) == 2
    assert len(words.concordance("the", width=most, limit=most)) == 2
    assert words.documents("the", offset=most) == []
    assert words.top_ngrams(10_000, most) == []
    assert words.duplicates(most).num_passages == 0
    assert np.array_equal(words.distinct_ngrams(10_000)[:3], words.distinct_ngrams(3))
