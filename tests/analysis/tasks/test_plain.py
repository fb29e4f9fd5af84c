"""Records of any fields, as published data sets have them, and the sentence for what is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import ConfigError, TaskError
from analysis.tasks import read_task


def examples(folder: Path, *records: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return list(read_task("jsonl:any", [path], **settings).examples.to_pylist())


ARC = {"question": "What sat?", "choices": {"text": ["the cat", "the mat"], "label": ["1", "2"]}, "answerKey": "2"}
HELLASWAG = {"ctx": "The cat", "endings": ["sits.", "flies.", "is."], "label": "2"}
POPQA = {"question": "Who?", "obj": "politician", "possible_answers": '["politician", "pol", "<unk>"]', "id": 4}
NESTED = {"q": [{"text": "Where?"}], "answer": {"value": "Paris", "aliases": ["Lutetia"]}}


@pytest.mark.parametrize(
    ("record", "fields", "expected"),
    [
        ({"question": "Who?", "answer": "Ada"}, None, {"input": "Who?", "target": "Ada"}),
        ({"question": "Who?", "answer": ["Ada", "A. L.", " "]}, None, {"target": "Ada", "aliases": ["A. L."]}),  # NQ-open
        ({"input": "a", "target": "b", "question": "c", "answer": "d"}, None, {"input": "a", "target": "b"}),
        ({"question": "6 × 7", "answer": 42}, None, {"target": "42"}),
        ({"question": "half", "answer": 0.5}, None, {"target": "0.5"}),
        ({"question": "which", "choices": ["x", "y"], "answer": 1}, None, {"target": "y", "choices": ["x", "y"]}),
        ({"question": "which", "choices": ["x", "y"], "answer": "A"}, None, {"target": "x"}),
        ({"question": "which", "choices": ["x", "y"], "answer": "y"}, None, {"target": "y"}),
        ({"question": "which", "choices": ["A", "B"], "answer": "B"}, None, {"target": "B"}),
        ({"question": "which", "choices": ["2", "1"], "answer": "1"}, None, {"target": "1"}),  # a choice before it is a number
        (ARC, {"target": "answerKey", "choices": "choices.text", "labels": "choices.label"}, {"target": "the mat"}),
        (HELLASWAG, {"input": "ctx", "target": "label", "choices": "endings"}, {"input": "The cat", "target": "is."}),
        (POPQA, {"target": "obj", "aliases": "possible_answers"}, {"target": "politician", "aliases": ["pol"], "example_id": "4"}),
        (
            NESTED,
            {"input": "q.0.text", "target": "answer.value", "aliases": "answer.aliases"},
            {"input": "Where?", "target": "Paris", "aliases": ["Lutetia"]},
        ),
        ({"input": "a", "target": "b", "aliases": "[c"}, None, {"aliases": ["[c"]}),
        ({"input": "a", "target": "b", "kind": 3, "qid": "x"}, {"subset": "kind", "id": "qid"}, {"subset": "3", "example_id": "x"}),
    ],
)
def test_records_of_any_fields(
    tmp_path: Path, record: dict[str, Any], fields: dict[str, str] | None, expected: dict[str, Any]
) -> None:
    (row,) = examples(tmp_path, record, fields=fields)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("record", "fields", "message"),
    [
        ({"input": "a"}, None, r"test.jsonl, record 1 has no field 'target' or 'answer'; it has 'input'"),
        ({"input": "a", "target": "b"}, {"target": "gold.text"}, r"has no field 'gold.text'; it has 'input', 'target'"),
        ({"input": "a", "answer": []}, None, r"'answer' is \[\]: expected at least one answer"),
        ({"input": "a", "answer": ["<unk>"]}, None, "expected at least one answer"),
        ({"input": "a", "answer": [1, 2.5]}, None, "'answer' is .*: expected a list of texts"),
        ({"input": "a", "answer": True}, None, "'answer' is True: expected a text that is not empty"),
        ({"input": "a", "answer": {"text": "b"}}, None, "'answer' is .*: expected a text"),
        ({"input": "a", "choices": ["x"], "answer": "C"}, None, "'answer' is 'C': expected one of the 1 choices, its letter"),
        ({"input": "a", "choices": ["x"], "answer": True}, None, "'answer' is True: expected one of the 1 choices"),
        ({"input": "a", "choices": ["x"], "answer": -1}, None, "'answer' is -1: expected one of the 1 choices"),
        ({"input": "a", "choices": ["x"], "answer": "<hidden>"}, None, "marks an answer that is kept back"),
        ({"input": "a", "choices": {"text": ["x"]}, "answer": "x"}, None, "'choices' is .*: expected a list of texts"),
    ],
)
def test_what_is_no_example(tmp_path: Path, record: dict[str, Any], fields: dict[str, str] | None, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        examples(tmp_path, record, fields=fields)


def test_fields_of_what_has_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fields has the part 'prompt'; expected input, target, aliases"):
        examples(tmp_path, {"input": "a", "target": "b"}, fields={"prompt": "q"})
    with pytest.raises(ConfigError, match="fields are of plain records, and gsm8k has its own"):
        read_task("gsm8k", [tmp_path], fields={"input": "q"})
