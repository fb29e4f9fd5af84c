"""What NumPy and Python answer, as long as no compiled code is loaded, is what compiled code answers."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.queries import cooccurrence, masked, patterns
from suffixindex.storage import shard
from suffixindex.system import patience
from suffixindex.tokenizers.words import Words
from tests.helpers import building, foreign_building
from tests.helpers.questions import QUESTIONS, Question, asked, records, same
from tests.helpers.strategies import Corpus, corpora

Folder = Callable[[], Path]


@contextmanager
def without_compiled_code(seconds: float = float("inf")) -> Iterator[None]:
    """As in a process that has loaded none, and does without for so long."""
    few = [mock.patch.object(module, "FEW", 0) for module in (shard, masked, cooccurrence)]
    loaded = mock.patch.object(patience._Patience, "has_compiled", lambda: False)
    with few[0], few[1], few[2], loaded, mock.patch.object(patience._Patience, "left", seconds * 1e9):
        yield


@given(corpus=corpora(), data=st.data(), shards=st.sampled_from([1, 2]))
@settings(max_examples=max(5, settings.default.max_examples // 3))
def test_every_question_is_answered_alike(new_folder: Folder, corpus: Corpus, data: st.DataObject, shards: int) -> None:
    size = corpus.vocabulary_size
    index = building.write_index(
        new_folder(),
        corpus.documents,
        corpus.token_type,
        vocabulary_size=size,
        shards=shards,
        metadata=records(len(corpus.documents)),
    )
    about = data.draw(asked(corpus))
    questions = {name: ask for name, ask in QUESTIONS.items() if name != "text"}  # which these ids have none of
    expected = {name: ask(si.open(index.path), about) for name, ask in questions.items()}
    with without_compiled_code():
        assert [name for name, ask in questions.items() if not same(ask(index, about), expected[name])] == []


@given(corpus=corpora(token_types=("u16",)), data=st.data(), mirrored=st.booleans())
@settings(max_examples=max(5, settings.default.max_examples // 3))
def test_every_question_to_another_engines_index_is_answered_alike(
    new_folder: Folder, corpus: Corpus, data: st.DataObject, mirrored: bool
) -> None:
    folder, fields = new_folder(), [records(len(corpus.documents))]
    foreign_building.write_infinigram(folder, [corpus.documents], mirrored=mirrored, metadata=fields)
    about = data.draw(asked(corpus))

    def answer(ask: Question, index: si.SuffixIndex) -> Any:
        try:
            return ask(index, about)
        except si.SuffixIndexError as error:  # some questions are refused
            return str(error)

    index, compiled = (si.open(folder, reversed=mirrored, token_type="u16") for _ in range(2))
    expected = {name: answer(ask, compiled) for name, ask in QUESTIONS.items()}
    with without_compiled_code():
        assert [name for name, ask in QUESTIONS.items() if not same(answer(ask, index), expected[name])] == []


def test_patience_ends() -> None:
    with without_compiled_code(1e-6):
        assert patience.can_wait(1000) and not patience.can_wait(1001)
        assert patience.few_enough(2, 0, 300) and not patience.few_enough(2, 0, 300) and patience.few_enough(2, 2, 300)
        assert patience.patient(400) and not patience.patient(1)
    assert patience.few_enough(0, 0, 1) and not patience.few_enough(1, 0, 0)  # compiled code is there


def test_patterns_use_patience_up(tmp_path: Path) -> None:
    """And are then looked for by compiled code, around their rarest part."""
    index = building.write_index(tmp_path / "index", [[0, 1, 2, 1] * 5000], "u8", vocabulary_size=3)
    joined: list[int] = []
    really = patterns._join
    watched = mock.patch.object(patterns, "_join", lambda *given: joined.append(1) or really(*given))
    with without_compiled_code(0.01), watched, mock.patch.object(shard, "FEW", 10**6):  # searches cost nothing
        assert [index.count([0, si.ANY, 2]) for _ in range(40)] == [5000] * 40
    assert len(joined) == 16  # of 0.6 ms each


def test_an_unknown_id_or_place_is_damage_without_compiled_code_too(tmp_path: Path) -> None:
    index = building.write_index(tmp_path / "index", [[1, 2, 3]], "u8", vocabulary_size=3)
    with without_compiled_code():
        with pytest.raises(si.FormatError, match="outside the vocabulary of 3"):
            index.next_distribution([2])
        index.shards[0].suffix_array = index.shards[0].suffix_array + 9
        with pytest.raises(si.FormatError, match="there are 4 tokens"):
            index.next_distribution([])


def test_words_are_looked_up_alike(words: str) -> None:
    tokenizer = Words(Path(words))
    texts = ["the old man", "", "OLD, unheard-of words", "the"]
    with without_compiled_code():
        ids, lengths = tokenizer.encode_batch(texts)
    compiled, of_compiled = tokenizer.encode_batch(texts)
    assert (ids.tolist(), lengths.tolist()) == (compiled.tolist(), of_compiled.tolist())
    assert ids.dtype == compiled.dtype and lengths.dtype == of_compiled.dtype


def test_small_questions_of_a_fresh_process_load_no_compiled_code(words: str) -> None:
    script = """
import json, sys
import suffixindex as si
index = si.open(sys.argv[1])
asked = ["the", "of the", "a"] * 200
where = index.mask({"path": list(index.groups("path"))})
index.counts(asked); index.counts(asked, where); index.counts_by("the", "path")
index.next_distributions(asked); index.next_distribution("the", where); index.documents("the")
index.document_count("the"); index.document_counts(asked, where)
index.cooccurrence("to", "be"); index.cooccurrence("to", "be", window=3)
index.cooccurrences([("is", "that"), ("the", "that", "is")])
patterns = [si.pattern("to", si.ANY, "to"), si.pattern("that", si.gap(0, 3), "question")]
index.counts(patterns, where); index.next_distribution(patterns[1])
index.documents(patterns[0]); index.counts_by(patterns[1], "path")
index.score("to be or that"); index.infgram("that is", 0); index.spans("that is the question")
print(json.dumps([module for module in ("numba", "torch", "transformers") if module in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", script, words], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
