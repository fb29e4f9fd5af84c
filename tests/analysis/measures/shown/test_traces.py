"""Spans of answers against a search for every run of words in every document."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import suffixindex as si
from analysis.errors import ConfigError
from analysis.measures.shown.traces import traces
from analysis.schemas import SHOWN_ANSWERS, TRACES
from analysis.tables import table_of
from tests.helpers.analysis_study import model_columns

DOCUMENTS = ["The cat sat on the mat.", "the mat sat on a cat; the cat sat", "a dog", "on the mat the cat sat on the mat"]
WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "a", "dog", "zebra"]), max_size=9).map(" ".join)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    folder = tmp_path_factory.mktemp("traces")
    (folder / "c.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in DOCUMENTS))
    si.build([folder / "c.jsonl"], folder / "index", tokenizer="words")
    return si.open(folder / "index")


def answers(*outputs: str) -> object:
    rows = [
        {"example_id": str(i), "task": "t", "subset": "", "prompt": "", "target": "", **model_columns("m"), "output": output,
         "metric": "exact_match", "score": 0.0}
        for i, output in enumerate(outputs)
    ]  # fmt: skip
    return table_of(rows, SHOWN_ANSWERS)


def words_of(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def count(run: list[str]) -> int:
    return sum(
        words_of(text)[start : start + len(run)] == run for text in DOCUMENTS for start in range(len(words_of(text)) - len(run) + 1)
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(output=WORDS, spans=st.integers(1, 3), least=st.integers(1, 3))
def test_spans_are_the_longest_runs_that_stand_in_a_document(index: si.SuffixIndex, output: str, spans: int, least: int) -> None:
    words = output.split()
    found = [(start, stop) for start in range(len(words)) for stop in range(start + 1, len(words) + 1) if count(words[start:stop])]
    longest = [span for span in found if not any(other != span and other[0] <= span[0] and span[1] <= other[1] for other in found)]
    wanted = [span for span in longest if span[1] - span[0] >= least]
    table = traces(answers(output), index, spans=spans, least_words=least)
    assert table.schema == TRACES
    rows = table.to_pylist()
    told = list(dict.fromkeys((len(output[: row["start"]].split()), row["num_words"], row["occurrences"]) for row in rows))
    expected = [(start, stop - start, count(words[start:stop])) for start, stop in wanted]
    order = sorted((-length, number) for _, length, number in expected)[:spans]
    assert [(-length, number) for _, length, number in told] == order
    assert set(told) <= set(expected)
    for row in rows:
        around = f"{row['left']} {row['output'][row['start'] : row['stop']]} {row['right']}".split()
        document = words_of(DOCUMENTS[row["document_id"]])
        assert any(document[start : start + len(around)] == around for start in range(len(document)))
        assert row["line"] == row["document_id"] + 1


def test_refusals_and_answers_of_several_metrics(index: si.SuffixIndex) -> None:
    one = answers("the cat sat")
    twice = table_of([row | {"metric": metric} for row in one.to_pylist() for metric in "ab"], SHOWN_ANSWERS)
    assert traces(twice, index, spans=1, least_words=2).equals(traces(one, index, spans=1, least_words=2))
    with pytest.raises(ConfigError, match="0 spans of at least 4 words"):
        traces(one, index, spans=0, least_words=4)
