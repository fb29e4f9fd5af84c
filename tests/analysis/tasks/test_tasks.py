"""Task files in their published formats, prompts, and word n-grams with their places."""

import csv
import gzip
import json
import sys
import types
import unicodedata
from itertools import chain
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError, ConfigError, MissingDependencyError, TaskError
from analysis.ngrams import word_spans
from analysis.schemas import EXAMPLES
from analysis.tasks import find_kind, load_task, mmlu_subjects
from analysis.tasks.formats import most_held
from suffixindex.tokenizers.splitting import normalize

ODD = st.text(alphabet="aΣσς İıßSK'-_ \u0130\u0307Dž’\u00ad\u200d\u0085\u00a0\u2028\x1c\n\t𐐀🙂+$\u3000")
ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


def write(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def write_mmlu(folder: Path, split: str, subjects: dict[str, list[list[str]]]) -> Path:
    folder.mkdir(exist_ok=True)
    for subject, rows in subjects.items():
        with open(folder / f"{subject}_{split}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return folder


# ---- words -------------------------------------------------------------------------------------------------------


def words_by_definition(text: str) -> list[tuple[str, int, int]]:
    """Character by character: what stands between two boundaries is a word, in lower case."""
    found, start = [], None
    for place, character in enumerate(text + " "):
        boundary = character.isspace() or unicodedata.category(character)[0] in "PS"
        if boundary and start is not None:
            found.append((text[start:place].lower(), start, place))
            start = None
        elif not boundary and start is None:
            start = place
    return found


@given(ODD | ANY)
def test_words_and_their_places(text):
    found = word_spans(text)
    assert list(zip(*found, strict=True)) == words_by_definition(text)
    assert found.words == normalize(text).split()  # those of an index


def test_every_character_is_the_index_s_word_or_boundary():
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    for first in range(0, len(characters), 4096):  # many at a time, with white space between, which no rule looks across
        text = "\n".join(f"a{character}Σb" for character in characters[first : first + 4096])
        assert word_spans(text).words == normalize(text).split()


def test_ngrams_are_distinct_with_their_first_place():
    words = word_spans("To be, or not to be")
    assert words.ngrams(2) == {"to be": 0, "be or": 1, "or not": 2, "not to": 3}
    assert words.ngrams(7) == {} == word_spans("?!").whole()
    assert words.whole() == {"to be or not to be": 0}


# ---- formats -----------------------------------------------------------------------------------------------------


def test_triviaqa_in_its_three_formats(tmp_path):
    listed = write(
        tmp_path / "a.jsonl", [{"id": "1", "question": "Where? ", "golden_answers": ["Arxentina", "Argentina", "the Argentina"]}]
    )
    hub = write(
        tmp_path / "b.jsonl.gz",
        [{"question_id": "2", "question": "Who?", "answer": {"value": "Twain", "aliases": ["Twain", "Clemens"]}}],
    )
    published = tmp_path / "c.json"
    published.write_text(json.dumps({"Data": [{"QuestionId": "3", "Question": "What?", "Answer": {"Value": "it", "Aliases": []}}]}))
    table = load_task("triviaqa", [listed, hub, published])
    assert table.schema == EXAMPLES
    assert table.to_pylist()[0] == {
        "example_id": "1", "task": "triviaqa", "subset": "", "input": "Where?", "target": "Argentina",
        "aliases": ["Arxentina", "the Argentina"], "choices": [], "prompt": "Question: Where?\nAnswer: ",
    }  # fmt: skip
    assert [(row["target"], row["aliases"]) for row in table.to_pylist()[1:]] == [("Twain", ["Clemens"]), ("it", [])]
    with pytest.raises(ConfigError, match="has no subsets"):
        load_task("triviaqa", [listed], subsets=["x"])


def test_the_answer_that_most_answers_hold():
    assert most_held(["Cotteswold Hills", "Cotswold Hills (England)", "Cotswold Hills", "Cotswold stone", "Cotswold"]) == "Cotswold"
    assert most_held(["b", "a"]) == "b"
    assert most_held(["!", "cat", "concatenate"]) == "cat"  # words, not letters


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["R. H. C. P.", "The R H C P", "R.H.C.P", "Red Hot Chili Peppers"], "Red Hot Chili Peppers"),  # initials are no name
        (["J.+M.+W.+Turner", "J. M. W. Turner", "William Turner"], "William Turner"),
        (["%22Kenny%22 Dalglish", "%22Kenny%22 Dalglish MBE", "Kenny Dalglish"], "Kenny Dalglish"),
        (["DEAN MARTIN", "dean martin", "Dean Martin", "Dino"], "Dean Martin"),
        (["us", "US", "U.S."], "US"),  # all are function words: one has to be the target
        (["AUDI", "AUdi", "Audi"], "Audi"),
        (["Malcolm X", "Malcolm X (minister)", "Malcolm Little"], "Malcolm X"),
        (["X", "Y."], "X"),
    ],
)
def test_odd_names_are_no_targets_where_there_are_others(names, expected):
    assert most_held(names) == expected


def test_gsm8k(tmp_path):
    rows = [{"question": "How many?", "answer": "2*3=<<2*3=6>>6\n#### 1,006"}]
    (row,) = load_task("gsm8k", [write(tmp_path / "test.jsonl", rows)]).to_pylist()
    assert (row["example_id"], row["target"], row["aliases"]) == ("gsm8k-test-0", "2*3=6\n#### 1,006", ["1006"])
    with pytest.raises(TaskError, match="does not end with '#### N'"):
        load_task("gsm8k", [write(tmp_path / "bad.jsonl", [{"question": "How many?", "answer": "six"}])])


def test_mmlu(tmp_path):
    questions = [["Is, it?", "yes", " no ", "both", "neither", "B"], ['a "b"\nc', "1", "2", "3", "4", "A"]]
    folder = write_mmlu(
        tmp_path / "mmlu", "val", {"anatomy": questions, "college_physics": questions[:1], "formal_logic": questions[:1]}
    )
    table = load_task("mmlu", [folder])
    assert [(row["example_id"], row["target"]) for row in table.to_pylist()[:2]] == [("anatomy-0", "no"), ("anatomy-1", "1")]
    assert table["choices"][0].as_py() == ["yes", "no", "both", "neither"]
    assert load_task("mmlu-knowledge", [folder], subsets=["anatomy"])["subset"].to_pylist() == ["anatomy"] * 2
    with pytest.raises(ConfigError, match="anatomy is no subject of mmlu-reasoning"):
        load_task("mmlu-reasoning", [folder], subsets=["anatomy"])
    with pytest.raises(TaskError, match="no record is of the subject anatomy"):
        load_task("mmlu", [write_mmlu(tmp_path / "other", "val", {"virology": questions})], subsets=["anatomy"])
    with pytest.raises(TaskError, match="MMLU has no subject magic"):
        load_task("mmlu", [folder], subsets=["magic"])
    write_mmlu(folder, "dev", {"anatomy": questions[:1]})
    with pytest.raises(TaskError, match="holds the splits dev, val: choose"):
        load_task("mmlu", [folder])
    assert load_task("mmlu", [folder], split="dev").num_rows == 1
    hub = write(
        tmp_path / "hub.jsonl", [{"question": "Is it?", "subject": "virology", "choices": ["a", "b", "c", "d"], "answer": 3}]
    )
    assert load_task("mmlu", [hub], template="multiple-choice")["prompt"].to_pylist() == [
        "Question: Is it?\nA. a\nB. b\nC. c\nD. d\nAnswer: "
    ]
    bad = write(
        tmp_path / "bad.jsonl", [{"question": "Is it?", "subject": "virology", "choices": ["a", "b", "c", "d"], "answer": 4}]
    )
    with pytest.raises(TaskError, match="the answer is 4; expected one of ABCD"):
        load_task("mmlu", [bad])


def test_mmlu_s_subjects_are_57():
    subjects = mmlu_subjects()
    assert {name: len(found) for name, found in subjects.items()} == {"knowledge": 34, "reasoning": 22, "neither": 1}
    assert len(set(chain(*subjects.values()))) == 57


def test_wmt09(tmp_path):
    (tmp_path / "newstest2009.en").write_text("One.\nTwo\u2028lines.\n", encoding="utf-8")
    (tmp_path / "newstest2009.fr").write_text("Un.\r\nDeux.\r\n", encoding="utf-8", newline="")
    table = load_task("wmt09", [tmp_path], subsets=["en-fr"])
    assert [(row["example_id"], row["subset"], row["input"], row["target"]) for row in table.to_pylist()] == [
        ("en-fr-0", "en-fr", "One.", "Un."), ("en-fr-1", "en-fr", "Two\u2028lines.", "Deux."),
    ]  # fmt: skip
    assert table["prompt"][0].as_py() == "English text: One.\nFrench translation: "
    with pytest.raises(TaskError, match=r"one file of sentences in hu, named like newstest2009\.hu; found none"):
        load_task("wmt09", [tmp_path])
    (tmp_path / "newstest2009.de").write_text("Eins.\n")
    with pytest.raises(TaskError, match=r"has 2 lines and newstest2009\.de 1: not aligned"):
        load_task("wmt09", [tmp_path], subsets=["en-de"])
    (tmp_path / "newstest2009.de").write_text("Eins.\n \n")
    with pytest.raises(TaskError, match="line 2: a sentence is empty"):
        load_task("wmt09", [tmp_path], subsets=["en-de"])
    records = write(tmp_path / "records.jsonl", [{"translation": {"en": "Hi", "de": "Hallo"}}])
    assert load_task("wmt09", [records], subsets=["en-de"])["target"].to_pylist() == ["Hallo"]


def test_plain_records(tmp_path):
    rows = [{"input": "a", "target": "b", "aliases": ["b", "c", ""], "subset": "s"}, {"input": "d", "target": "e", "id": 7}]
    file = write(tmp_path / "mine.jsonl", rows)
    table = load_task("jsonl:facts", [file])
    assert table.select(["example_id", "task", "subset", "aliases"]).to_pylist() == [
        {"example_id": "mine-0", "task": "facts", "subset": "s", "aliases": ["c"]},
        {"example_id": "7", "task": "facts", "subset": "", "aliases": []},
    ]
    assert load_task("jsonl:facts", [file], subsets=["s"]).num_rows == 1
    with pytest.raises(TaskError, match="no record is of the subset t; the subsets are , s"):
        load_task("jsonl:facts", [file], subsets=["t"])


def test_a_data_set_of_the_hub(tmp_path, monkeypatch):
    asked = []

    def load_dataset(path, configuration, split):
        asked.append((path, configuration, split))
        return [{"question": "How many?", "answer": "6\n#### 6"}]

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    assert load_task("gsm8k", ["openai/gsm8k"])["example_id"].to_pylist() == ["gsm8k-main-0"]
    load_task("gsm8k", ["openai/gsm8k:socratic"], split="train")
    assert asked == [("openai/gsm8k", "main", "test"), ("openai/gsm8k", "socratic", "train")]
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'suffixindex\[hf\]'"):
        load_task("gsm8k", ["openai/gsm8k"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question": "Who?"}', "bad.jsonl, record 1 has no field 'golden_answers' or 'answer' or 'Answer'; it has 'question'"),
        ('{"id": 1, "golden_answers": ["a"]}', "has no field 'question' or 'Question'"),
        ('{"id": 1, "question": " ", "golden_answers": ["a"]}', "'question' is ' ': expected a text that is not empty"),
        ('{"id": 1, "question": "Who?", "golden_answers": [""]}', "has no answer that is not empty"),
        ('{"id": 1, "question": "Who?", "golden_answers": "a"}', "expected a list of texts"),
        ('{"id": 1, "question": "Who?", "answer": {"value": "a"}}', "has no field 'aliases' or 'Aliases'; it has 'value'"),
        ("{", "line 1 is not JSON"),
        ("[]", "record 1 is list: expected an object"),
        ("", "has no example"),
    ],
)  # fmt: skip
def test_a_bad_file(tmp_path, line, message):
    file = tmp_path / "bad.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(TaskError, match=message):
        load_task("triviaqa", [file])


@pytest.mark.parametrize("name", ["cut.jsonl.gz", "cut.jsonl.zst", "cut.jsonl"])
def test_a_damaged_file(tmp_path, name):
    lines = b'{"input": "a", "target": "b"}\n' * 9
    whole = {"gz": gzip.compress(lines), "zst": zstandard.compress(lines) + zstandard.compress(lines)}
    (tmp_path / name).write_bytes(whole.get(name.rpartition(".")[2], b"\xfflines")[:-4])
    with pytest.raises(TaskError, match=r"cannot be read"):
        load_task("jsonl:x", [tmp_path / name])


def test_bad_sources_and_settings(tmp_path):
    row = {"input": "a", "target": "b", "id": "1"}
    file = write(tmp_path / "some" / "t.jsonl", [row, row])
    (tmp_path / "empty").mkdir()
    for arguments, settings, message in [
        (("jsonl:x", [file]), {}, "two examples of the id '1'"),
        (("jsonl:x", []), {}, "has no source"),
        (("gsm8k", []), {}, "such as openai/gsm8k:main"),
        (("jsonl:x", [tmp_path / "none.jsonl"]), {}, "does not exist: expected a file, a folder or a name"),
        (("jsonl:x", [tmp_path / "empty"]), {}, "holds no file that ends in"),
        (("jsonl:x", [tmp_path / "some"]), {"split": "train"}, "holds no split 'train'; it holds t"),
        (("quiz", [file]), {}, "'quiz' is no task"),
        (("jsonl:x", [file]), {"limit": 0}, "limit is 0"),
        (("jsonl:x", [file]), {"shots": 1}, r"a source \(shots_from\)"),
        (("jsonl:x", [file]), {"template": "Question"}, r"none of question, .* and holds no \{input\}"),
        (("jsonl:x", [file]), {"template": "{input} {answer}"}, "the place 'answer'"),
        (("jsonl:x", [file]), {"template": "{input"}, "cannot be read"),
    ]:
        with pytest.raises(AnalysisError, match=message):
            load_task(*arguments, **settings)


# ---- samples and few-shot examples -------------------------------------------------------------------------------


def test_a_limit_draws_from_each_subset_in_order(tmp_path):
    rows = [{"input": f"{i}", "target": "b", "subset": "st"[i % 2]} for i in range(40)]
    file = write(tmp_path / "t.jsonl", rows)
    drawn = [load_task("jsonl:x", [file], limit=5, seed=seed)["input"].to_pylist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(drawn[0], key=int) == drawn[0]
    assert sum(int(text) % 2 for text in drawn[0]) == 5 and len(drawn[0]) == 10
    assert load_task("jsonl:x", [file], limit=50).num_rows == 40


def test_frames_of_a_packed_file_are_read_one_after_the_other(tmp_path):
    packed = [zstandard.compress(json.dumps({"input": text, "target": "b"}).encode() + b"\n") for text in "ac"]
    (tmp_path / "t.jsonl.zst").write_bytes(b"".join(packed))
    assert load_task("jsonl:x", [tmp_path / "t.jsonl.zst"])["input"].to_pylist() == ["a", "c"]


def test_few_shot_examples_are_others(tmp_path):
    pool = write(tmp_path / "train.jsonl", [{"input": f"{i}", "target": f"{i}!"} for i in range(3)])
    table = load_task("jsonl:x", [pool], shots=2, shots_from=[pool], template="{input}{{}} = ")
    for row in table.to_pylist():
        *shots, last = row["prompt"].split("\n\n")
        assert last == f"{row['input']}{{}} = "
        assert set(shots) == {f"{i}{{}} = {i}!" for i in range(3) if str(i) != row["input"]}
    with pytest.raises(ConfigError, match="3 few-shot examples are asked, and the pool has 2"):
        load_task("jsonl:x", [pool], shots=3, shots_from=[pool])


def test_the_stop_of_a_kind_cuts_no_right_answer(tmp_path):
    """The default was the end of the line, which cut the solutions of GSM8K at their first one."""
    solution = "She has 3 + 4 = <<3+4=7>>7 apples.\nOf these she eats 2.\n7 - 2 = 5\n#### 5"
    files = {
        "triviaqa": write(tmp_path / "t.jsonl", [{"question": "Who?", "answer": ["Mark Twain"]}]),
        "gsm8k": write(tmp_path / "g.jsonl", [{"question": "How many?", "answer": solution}]),
        "wmt09": write(tmp_path / "w.jsonl", [{"translation": {"en": "Hi", "de": "Hallo, du"}}]),
        "mmlu": write(tmp_path / "m.jsonl", [{"question": "?", "subject": "virology", "choices": [*"abcd"], "answer": 3}]),
    }
    for name, file in files.items():
        (row,) = load_task(name, [file], subsets=["en-de"] if name == "wmt09" else []).to_pylist()
        kind = find_kind(name)[1]
        assert not any(stop in row["target"] for stop in kind.stop), name
        assert len(row["target"].split()) <= kind.max_tokens
    assert find_kind("jsonl:mine")[1].stop == ("\n",)
