"""Answers and scores of files: whose they are, what they say, and the sentence for what cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import ModelError
from analysis.models.answers.published import Record, published_answers, read_published, target_scores
from analysis.schemas import GENERATIONS, MODEL_SCORES
from tests.helpers.analysis_building import examples_table, pairs_table

COLUMNS = {"model": "pythia-12b", "revision": "", "num_parameters": 12, "step": 3}
OPEN = examples_table(
    {"input": "capital of France?", "target": "Paris", "aliases": ["City of Light"]},
    {"input": "what sat on the mat?", "target": "the cat"},
    {"input": "unanswered?", "target": "x"},
)
CHOICES = examples_table(
    {"input": "what sat?", "target": "cat", "choices": ["cat", "a very long mat", "42"]},
    {"input": "which?", "target": "b", "choices": ["a", "b"]},
    {"input": "which?", "target": "d", "choices": ["c", "d"]},
)


def written(folder: Path, *records: Any, name: str = "samples_t_2024.jsonl") -> list[Path]:
    path = folder / name
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records) + "\n")
    return [path]


def generated(question: str, text: str, **fields: Any) -> dict[str, Any]:
    """As lm-evaluation-harness keeps a written answer."""
    arguments = {"gen_args_0": {"arg_0": f"Q: {question}\nA:", "arg_1": {"until": ["\n"]}}}
    return {"doc_id": 0, "doc": {"question": question}, "target": "x", "arguments": arguments, "resps": [[text]], **fields}


def chosen(doc: dict[str, Any], texts: list[str], values: list[float], *, old: bool = False) -> dict[str, Any]:
    """As it keeps the log-probabilities of choices; older files hold them as text, and arguments as lists."""
    arguments = (
        [["q", f" {text}"] for text in texts]
        if old
        else {f"gen_args_{i}": {"arg_0": "q", "arg_1": f" {text}"} for i, text in enumerate(texts)}
    )
    return {"doc": doc, "arguments": arguments, "resps": [[[str(value), "False"] if old else [value, False]] for value in values]}


def test_written_answers(tmp_path: Path) -> None:
    files = written(
        tmp_path,
        generated("capital of France?", " Paris\nQ: more", filter="strict-match"),
        generated("capital of France?", " Lyon", filter="flexible-extract"),  # of one example the first record counts
        "",
        generated("another task's?", "no"),
        {"id": "1", "output": "It is the cat, I think."},
    )
    records = read_published(files, OPEN)
    assert records == [Record(" Paris\nQ: more", None, None, None), Record("It is the cat, I think.", None, None, None), None]
    table = published_answers(COLUMNS, records, OPEN, "exact_match", ("\n",))
    assert table.schema == GENERATIONS
    rows = table.select(["example_id", "output", "ended", "metric", "score"]).to_pylist()
    found = {(row["example_id"], row["metric"]): (row["output"], row["score"]) for row in rows}
    assert found["0", "exact_match"] == ("Paris", 1) and found["1", "exact_match"] == ("It is the cat, I think.", 0)
    assert found["1", "contains"][1] == 1 and found["1", "token_f1"][1] == pytest.approx(2 / 6)
    assert len(found) == 6 and {row["ended"] for row in rows} == {""}
    assert published_answers(COLUMNS, records, OPEN, "bleu", ())["output"].to_pylist()[0] == "Paris\nQ: more"


@pytest.mark.parametrize("old", [False, True])
def test_likeliest_choices(tmp_path: Path, old: bool) -> None:
    files = written(
        tmp_path,
        chosen({"q": "what sat?"}, ["cat", "a very long mat", "42"], [-6.0, -9.0, -5.0], old=old),
        chosen({"question": "which?", "choices": {"text": ["c", "d"]}}, ["c", "d"], [-2.0, -1.0], old=old),
        chosen({"question": "which?", "choices": {"text": ["a", "b"]}}, ["a", "b"], [-1.0, -2.0], old=old),
    )
    table = published_answers(COLUMNS, read_published(files, CHOICES), CHOICES, "accuracy_sum", ())
    found = {metric: [] for metric in table["metric"].to_pylist()}  # type: dict[str, list[str]]
    for row in table.to_pylist():
        found[row["metric"]].append(row["output"])
    assert found == {"accuracy_sum": ["42", "a", "d"], "accuracy_characters": ["a very long mat", "a", "d"]}
    with pytest.raises(ModelError, match="hold nothing that accuracy scores, but what accuracy_characters, accuracy_sum does"):
        published_answers(COLUMNS, read_published(files, CHOICES), CHOICES, "accuracy", ())
    letters = written(tmp_path, chosen({"question": "what sat?"}, list("ABC"), [-1.0, -0.5, -2.0], old=old))
    table = published_answers(COLUMNS, read_published(letters, CHOICES), CHOICES, "accuracy_letter", ())
    assert table["output"].to_pylist() == ["a very long mat"] and table["metric"].to_pylist() == ["accuracy_letter"]
    plain = written(tmp_path, {"example_id": "0", "choice_log_probs": [-1, -2, -3]})
    table = published_answers(COLUMNS, read_published(plain, CHOICES), CHOICES, "accuracy_sum", ())
    assert table["score"].to_pylist() == [1, 0] and table["metric"].to_pylist() == ["accuracy_sum", "accuracy_characters"]


def test_scores_of_whole_answers(tmp_path: Path) -> None:
    pairs = pairs_table(OPEN, ("0", "france", "paris"), ("1", "mat", "the cat"), ("1", "mat", "cat"), ("2", "unanswered", "x"))
    asked = {"doc": {"question": "capital of France?"}, "arguments": [["q", " Paris"]], "resps": [[[-1.5, True]]]}
    files = written(tmp_path, asked, {"input": "what sat on the mat?", "log_prob": -2.5})
    table = target_scores(COLUMNS, read_published(files, OPEN), OPEN, pairs)
    assert table.schema == MODEL_SCORES
    assert table["log_prob"].to_pylist() == [-1.5, -2.5, None, None]  # a part of an answer has no score in a file
    assert table["num_tokens"].to_pylist() == [1, 2, 0, 0]
    of_choices = pairs_table(CHOICES, ("0", "sat", "cat"))
    files = written(tmp_path, chosen({"q": "what sat?"}, ["cat", "a very long mat", "42"], [-6.0, -9.0, -5.0]))
    assert target_scores(COLUMNS, read_published(files, CHOICES), CHOICES, of_choices)["log_prob"].to_pylist() == [-6.0]
    files = written(tmp_path, generated("capital of France?", "Paris"))
    with pytest.raises(ModelError, match=r'no pair has a log-probability in the files: .*target = "whole"'):
        target_scores(COLUMNS, read_published(files, OPEN), OPEN, pairs)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", r"samples_t_2024.jsonl, line 1 is not JSON"),
        ("[1]", "line 1 is list: expected an object with fields"),
        ({"id": "9", "output": "x"}, "none of 1 records of samples_t_2024.jsonl is of one of the 3 examples, such as 'what sat"),
        ({"id": "0"}, "line 1 cannot be read .*expected output, log_prob or choice_log_probs"),
        ({"id": "0", "log_prob": 0.5}, "0.5 is no log-probability"),
        ({"id": "0", "log_prob": "often"}, "line 1 cannot be read"),
        ({"id": "0", "choice_log_probs": [-1.0]}, "1 log-probabilities for 3 choices"),
        (chosen({"q": "what sat?"}, ["dog", "cow"], [-1.0, -2.0]), r"the requests \['dog', 'cow'\] are neither the choices"),
        ({"doc": {"q": "what sat?"}, "resps": []}, "expected doc, arguments and resps of lm-evaluation-harness"),
        ({"doc": 3, "resps": [["x"]]}, "none of 1 records"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, record: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_published(written(tmp_path, record), CHOICES)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no file of answers is there"):
        read_published([], OPEN)
    with pytest.raises(ModelError, match=r"none.jsonl cannot be read"):
        read_published([tmp_path / "none.jsonl"], OPEN)
