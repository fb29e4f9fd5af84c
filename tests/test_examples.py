"""The examples of the documentation run as they stand, on a few modules of the standard library, and find what is there."""

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import suffixindex as si
from tests.helpers.analysis_building import write_model
from tests.helpers.pages import ROOT, load

FOLDER = ROOT / "docs" / "examples"
MODULES = ("argparse", "bisect", "contextlib", "getopt", "heapq", "queue", "random", "shutil", "string", "textwrap")


def example(name: str) -> Any:
    return load(FOLDER / f"{name}.py")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_fsync: None) -> Path:
    """A folder to run in, on a machine whose standard library is a few modules."""
    library = tmp_path / "library"
    library.mkdir()
    for name in MODULES:
        (library / f"{name}.py").write_text(inspect.getsource(import_module(name)), encoding="utf-8")
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(library))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, records: list[Any]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def test_every_example_is_tested() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in FOLDER.glob("*.py")} <= tested


def test_entities(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("entities").main([])
    assert "Which module reads command lines?" in capsys.readouterr().out
    asked = {"question": "?", "entity": ["heap", "heapq"], "answer": ["heappush", "no such words"]}
    example("entities").main(["--questions", write(here / "q.jsonl", [asked])])
    with si.open("library-index") as index:
        both = index.cooccurrence(["heap", "heapq"], "heappush")
        row = example("entities").relevant_documents(index, [asked])
    assert both > 0 and row[0]["both"] == both
    assert capsys.readouterr().out.splitlines()[1].split()[2] == str(both)


def test_contamination(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("contamination").main([])
    printed = capsys.readouterr().out.splitlines()
    assert "in bisect.py" in printed[1] and printed[-1].startswith("25% of 4 examples")
    rows = [{"q": "Locate the insertion point for x in a to maintain sorted order"}, {"q": ""}, {"q": "zebras"}]
    example("contamination").main(["--examples", write(here / "e.jsonl", rows), "--field", "q", "-n", "3"])
    assert capsys.readouterr().out.splitlines()[-1].endswith("of 3 examples share 3 tokens or more with the corpus")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_covered_tokens_by_the_definition(n: int) -> None:
    covered = example("contamination").covered
    for seed in range(30):
        size = 12
        lengths = np.minimum(np.random.default_rng(seed).integers(0, 5, size), size - np.arange(size))
        expected = [any(start <= i < start + lengths[start] for start in range(size) if lengths[start] >= n) for i in range(size)]
        assert covered(lengths, n).tolist() == expected


def test_trace(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    example("trace").main([])
    assert "“to parse the command line”\n    1 times: getopt.py" in capsys.readouterr().out
    module = example("trace")
    monkeypatch.setattr(module, "answer_of", lambda model, prompt: f"insert item {prompt} in list a")
    module.main(["x", "--model", "said"])
    assert "insert item x in list a" in capsys.readouterr().out


def test_trace_of_what_a_model_says(here: Path) -> None:
    assert isinstance(example("trace").answer_of(str(write_model(here / "model")), "to parse"), str)


def test_taskgrams(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("taskgrams").main([])
    assert "Spearman's ρ of " in capsys.readouterr().out
    pairs = write(here / "pairs.jsonl", [["heap", "a"], ["command", "line"], ["the", "heap"]])
    example("taskgrams").main(["--pairs", pairs, "--model", str(write_model(here / "model"))])
    assert "command → line" in capsys.readouterr().out


def test_ranks_of_equal_values() -> None:
    assert example("taskgrams").ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_curves(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("curves").main(["--max-n", "3", "--figure", "curves.png"])
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[1:]] == ["1", "2", "3"]
    assert (here / "curves.png").stat().st_size > 1000
    texts = write(here / "t.jsonl", [{"said": "zebra zebra"}, {"said": ""}])
    example("curves").main(["--texts", texts, "--field", "said", "--max-n", "1"])
    assert capsys.readouterr().out.splitlines()[1].endswith("100.0%")


def test_training_steps(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("training_steps").main(["--checkpoints", "0,1,1000", "insertion point", "no such words"])
    printed = [line.split()[-3:] for line in capsys.readouterr().out.splitlines()[1:]]
    with si.open("steps-index") as index:
        everything, first = index.count("insertion point"), index.count("insertion point", where={"step": 0})
    assert printed == [["0", str(first), str(everything)], ["0", "0", "0"]]


def test_deduplicate(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("deduplicate").main([])
    assert f"2 of {len(MODULES) + 2} documents dropped" in capsys.readouterr().out
    kept = [json.loads(line) for line in Path("kept.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["number"] for record in kept] == list(range(len(MODULES)))  # the copies are gone, the first ones stay
    assert kept[0]["text"] == (here / "library" / "argparse.py").read_text(encoding="utf-8")


def test_what_was_said_before_by_the_definition(here: Path) -> None:
    for seed in range(10):
        drawn = np.random.default_rng(seed)
        texts = ["".join(drawn.choice(list("ab"), int(drawn.integers(0, 12)))) for _ in range(4)]
        index_path = here / f"index-{seed}"
        si.build(write(here / f"{seed}.jsonl", [{"text": text} for text in texts]), index_path, tokenizer="bytes", progress=False)
        with si.open(index_path) as index:
            marked = example("deduplicate").said_before(index, index.duplicates(3, limit=None).passages)
        for number, text in enumerate(texts):
            earlier = [other[i : i + 3] for other in texts[:number] for i in range(len(other) - 2)]
            expected = np.zeros(len(text), bool)
            for i in range(len(text) - 2):
                if text[i : i + 3] in [*earlier, *(text[j : j + 3] for j in range(i))]:
                    expected[i : i + 3] = True
            assert marked[number].tolist() == expected.tolist(), texts


def test_pictures_are_as_the_script_draws_them(tmp_path: Path) -> None:
    """And the suffix array that they show is the index's."""
    pictures = load(ROOT / "docs" / "pictures.py")
    for name, draw in pictures.PICTURES.items():
        assert (pictures.IMAGES / f"{name}.svg").read_text(encoding="utf-8") == draw().svg(), "run python docs/pictures.py"
    corpus = write(tmp_path / "corpus.jsonl", [{"text": document} for document in pictures.DOCUMENTS])
    si.build(corpus, tmp_path / "index", tokenizer="words", progress=False)
    with si.open(tmp_path / "index") as index:
        assert pictures.suffix_array(pictures.tokens_of(pictures.DOCUMENTS)) == index.shards[0].suffix_array.tolist()
