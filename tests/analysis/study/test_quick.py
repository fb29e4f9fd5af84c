"""The configuration of a first study, with models that are trained here in place of the hub's, and one in each other place."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from analysis.cli import main
from analysis.config import load_config
from analysis.lab.recipe import Recipe, Size
from analysis.lab.train import train
from analysis.models.open import open_model
from analysis.tasks import mmlu_subjects
from tests.helpers.analysis_building import tiny_tokenizer
from tests.helpers.completions_server import CompletionsServer, serving

QUICK = Path(__file__).parents[3] / "analysis" / "configs" / "quick.toml"
FACTS = [
    ("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Greece", "Athens"), ("Norway", "Oslo"), ("Egypt", "Cairo"),
    ("Peru", "Lima"), ("Cuba", "Havana"), ("Kenya", "Nairobi"), ("Japan", "Tokyo"),
]  # fmt: skip
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}{% if add_generation_prompt %}Answer: {% endif %}"


def lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of capitals, told more or less often, the three tasks, and two models of it, one with a chat template."""
    folder = tmp_path_factory.mktemp("quick")
    texts = [
        f"Question: Which city rules {land}?\nAnswer: {city}" for place, (land, city) in enumerate(FACTS) for _ in range(place + 1)
    ]
    lines(folder / "corpus.jsonl", [{"text": text} for text in texts])
    asked = [f"Which city rules {land}?" for land, _ in FACTS]
    trivia = [{"question": text, "golden_answers": [city, f"{city} city"]} for text, (_, city) in zip(asked, FACTS, strict=True)]
    lines(folder / "trivia.jsonl", trivia)
    pop = [
        {"id": number, "question": text, "obj": city, "possible_answers": json.dumps([city, "the capital"])}
        for number, (text, (_, city)) in enumerate(zip(asked, FACTS, strict=True))
    ]
    lines(folder / "pop.jsonl", pop)
    (folder / "mmlu").mkdir()
    for subject in mmlu_subjects()["knowledge"]:
        with open(folder / "mmlu" / f"{subject}_test.csv", "w", newline="") as file:
            csv.writer(file).writerows(
                [[asked[0], "Paris", "Rome", "Madrid", "Lima", "A"], [asked[1], "Lima", "Rome", "Oslo", "Cairo", "B"]]
            )
    lines(
        folder / "samples_triviaqa.jsonl",
        [{"question": text, "output": f"{city}."} for text, (_, city) in zip(asked[:9], FACTS, strict=False)],
    )
    tokenizer = tiny_tokenizer(texts, size=320)
    tokenizer.save_pretrained(folder / "tokenizer")
    stream = np.array([token for text in texts for token in [*tokenizer(text)["input_ids"], 0]])
    recipe = Recipe(sequence=128, batch=4, epochs=12, checkpoints=())
    for name, width in (("a", 16), ("b", 32)):
        train(Size(name, 1, width, 2, 1e-2), stream, folder / "tokenizer" / "tokenizer.json", folder / name, recipe=recipe, seed=0)
    told = json.loads((folder / "b" / "tokenizer_config.json").read_text())
    (folder / "b" / "tokenizer_config.json").write_text(json.dumps({**told, "chat_template": TEMPLATE}))
    return folder


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CompletionsServer]:
    with serving(open_model(str(folder / "a"), device="cpu"), monkeypatch, length=128) as found:
        yield found


def quick(url: str) -> str:
    """The configuration with what is here in place of what is on the hub, its settings as they are."""
    text = QUICK.read_text(encoding="utf-8")
    for there, here in (
        ("hf:wikimedia/wikipedia?name=20231101.simple&split=train", "corpus.jsonl"),
        ("mandarjoshi/trivia_qa:rc.nocontext", "./trivia.jsonl"),
        ("akariasai/PopQA", "./pop.jsonl"),
        ("cais/mmlu:all", "./mmlu"),
        ("resamples = 500", "resamples = 40"),
        ("limit = 5", "limit = 1"),
        ('"EleutherAI/pythia-70m"\nrevision = "step143000"', '"a"'),
        ('"HuggingFaceTB/SmolLM2-135M"', '"b"'),
        ('"HuggingFaceTB/SmolLM2-135M-Instruct"', '"b"\nlabel = "b in a chat"'),
        ('"EleutherAI/pythia-160m"\nrevision = "step143000"', f'"{url}"\ntokenizer = "a"\nparameters = 9_000\nlabel = "served"'),
    ):
        assert there in text
        text = text.replace(there, here)
    return (
        text
        + """
[[models]]
name = "published"
parameters = 1_000_000
score = false
generate = false
answers = {triviaqa = ["samples_*.jsonl"]}
"""
    )


@pytest.mark.long
def test_a_first_study(folder: Path, server: CompletionsServer, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / "quick.toml"
    path.write_text(quick(server.url))
    told = CliRunner().invoke(main, ["-q", "run", str(path)])
    assert told.exit_code == 0, (told.output, told.exception)
    study = load_config(path).folder

    def table(name: str) -> list[dict[str, Any]]:
        return list(pq.read_table(study / f"{name}.parquet").to_pylist())

    alone, served = table("scores/triviaqa/a@last"), table("scores/triviaqa/served@last")
    for one, other in zip(alone, served, strict=True):
        assert other["log_prob"] == pytest.approx(one["log_prob"], abs=1e-4)
    assert {row["model"] for row in served} == {"served"} and {row["num_parameters"] for row in served} == {9_000}
    written = {name: [row["output"] for row in table(f"generations/triviaqa/{name}@last")] for name in ("a", "served", "b")}
    assert written["a"] == written["served"]
    scores = {(row["model"], row["metric"]): row for row in table("task_scores/triviaqa")}
    assert {metric for model, metric in scores if model == "published"} == {"exact_match", "contains", "token_f1"}
    assert scores["published", "exact_match"]["estimate"] == 1 and scores["published", "exact_match"]["num_examples"] == 9
    assert {row["metric"] for row in table("task_scores/mmlu-knowledge")} == {
        "accuracy", "accuracy_characters", "accuracy_letter", "accuracy_sum",
    }  # fmt: skip
    unread = [row for row in table("drops/triviaqa/unread") if row["reason"] != "kept"]
    assert [(row["stage"], row["reason"], row["num_examples"]) for row in unread] == [("generate published", "not_in_files", 1)]
    asked = {name: table(f"models/{name}@last")[0] for name in ("a", "b", "b in a chat", "served")}
    assert [row["chat"] for row in asked.values()] == [False, False, True, False]
    assert ["chat template" in " ".join(row["doubts"]) for row in asked.values()] == [False, True, False, False]
    page = (study / "report" / "report.html").read_text(encoding="utf-8")
    for sentence in (
        "asked without",
        "raw, though it has a chat template",
        "in its chat template",
        "answer contained",
        "published",
    ):
        assert sentence in page
    again = CliRunner().invoke(main, ["run", str(path)])
    assert again.exit_code == 0 and " 0 made" in caplog.text
