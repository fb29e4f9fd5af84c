"""Task files as people have them: kept-back answers, damaged records, blank lines, byte order marks, published folders."""

import bz2
import codecs
import gzip
import json
import lzma
import sys
import types
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import ConfigError, TaskError
from analysis.schemas import DROPS
from analysis.tasks import load_task, read_task
from analysis.tasks.text_files import lines_of, read_text

ROW = {"input": "a", "target": "b"}


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


# ---- answers that are kept back -----------------------------------------------------------------------------------

QUESTION = {"question": "Who?", "question_id": "1"}
MMLU = {"question": "Is it?", "subject": "virology", "choices": ["a", "b", "c", "d"]}
KEPT_BACK = [
    ("triviaqa", {**QUESTION, "answer": {"value": "<unk>", "aliases": []}}, "'value' is '<unk>'"),
    ("triviaqa", {"QuestionId": "1", "Question": "Who?", "Answer": {"Value": "<unk>", "Aliases": []}}, "'value' is '<unk>'"),
    ("triviaqa", {**QUESTION, "golden_answers": ["<unk>"]}, "'golden_answers' is '<unk>'"),
    ("triviaqa", {**QUESTION, "answer": [" [UNK] ", "<unk>"]}, "'answer' is '.UNK.'"),
    ("mmlu", {**MMLU, "answer": -1}, "'answer' is -1"),
    ("mmlu", {**MMLU, "answer": "<unk>"}, "'answer' is '<unk>'"),
    ("gsm8k", {"question": "How many?", "answer": "<hidden>"}, "'answer' is '<hidden>'"),
    ("wmt09", {"translation": {"en": "Hi", "de": "<unk>"}}, "'de' is '<unk>'"),
    ("jsonl:x", {"input": "a", "target": "<UNK>"}, "'target' is '<UNK>'"),
]


@pytest.mark.parametrize(("task", "row", "message"), KEPT_BACK)
def test_an_answer_that_is_kept_back_is_no_target(tmp_path: Path, task: str, row: dict[str, Any], message: str) -> None:
    file = write(tmp_path / "t.jsonl", row)
    settings = {"subsets": ["en-de"]} if task == "wmt09" else {}
    with pytest.raises(TaskError, match=rf"t\.jsonl, record 1.*{message}, which marks an answer that is kept back.*validation"):
        load_task(task, [file], **settings)
    with pytest.raises(TaskError, match="has no example"):
        read_task(task, [file], on_error="skip", **settings)


def test_a_mark_beside_answers_is_no_alias(tmp_path: Path) -> None:
    rows = [{**QUESTION, "golden_answers": ["<unk>", "Twain", "Mark Twain"]}]
    (row,) = load_task("triviaqa", [write(tmp_path / "t.jsonl", *rows)]).to_pylist()
    assert (row["target"], row["aliases"]) == ("Twain", ["Mark Twain"])
    (row,) = load_task("jsonl:x", [write(tmp_path / "u.jsonl", {**ROW, "aliases": ["<unk>", "c"]})]).to_pylist()
    assert row["aliases"] == ["c"]
    words = [{**ROW, "target": word} for word in ("unk", "None", "hidden", "N/A")]  # answers as any other
    assert load_task("jsonl:x", [write(tmp_path / "w.jsonl", *words)]).num_rows == 4


def test_the_hub_s_split_without_a_name_has_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(path: str, configuration: str, split: str) -> list[dict[str, Any]]:
        asked.append((path, configuration, split))
        return [{**QUESTION, "answer": {"value": "Twain", "aliases": []}}]

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    load_task("triviaqa", ["mandarjoshi/trivia_qa"])
    load_task("triviaqa", ["mandarjoshi/trivia_qa:rc"], split="train")
    assert asked == [("mandarjoshi/trivia_qa", "rc.nocontext", "validation"), ("mandarjoshi/trivia_qa", "rc", "train")]


# ---- what is wrong, and where --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "line", "message"),
    [
        ("jsonl:x", '{"input": "a\\ud800", "target": "b"}', "'input' has the lone surrogate U.D800 as character 2: expected"),
        ("jsonl:x", '{"input": "a", "target": "\\udc00"}', "'target' has the lone surrogate"),
        ("jsonl:x", '{"input": "a", "target": "b", "aliases": ["\\udc00"]}', "'aliases' has the lone surrogate"),
        ("jsonl:x", '{"input": "a", "target": "b", "id": "\\udc00"}', "'id' has the lone surrogate"),
        ("jsonl:x", '{"input": "a", "target": "b", "subset": "\\udc00"}', "'subset' has the lone surrogate"),
        ("jsonl:x", "null", "is null: expected an object with fields"),
        ("jsonl:x", '"text"', "is str 'text': expected an object"),
        ("jsonl:x", "NaN", "is float nan: expected an object"),
        ("jsonl:x", '{"input": 3, "target": "b"}', "'input' is 3: expected a text"),
        ("jsonl:x", '{"input": "a", "target": null}', "has no field 'target' or 'answer'; it has 'input', 'target'"),
        ("jsonl:x", '{"input": "a", "target": "b", "id": [1]}', r"'id' is \[1\]: expected a text or a whole number"),
        ("jsonl:x", '{"input": "a", "target": "b", "subset": {}}', "'subset' is {}: expected a text"),
        ("jsonl:x", '{"input": "a", "target": "b", "choices": "cd"}', "'choices' is 'cd': expected a list of texts"),
        ("jsonl:x", '{"input": "a", "target": "b", "aliases": [{}]}', r"'aliases' is \[{}\]: expected a list of texts"),
        ("jsonl:x", "[" * 100_000, "line 1 is not JSON"),
        ("jsonl:x", '{"id": ' + "1" * 5000 + "}", "line 1 is not JSON"),
        ("triviaqa", '{"id": 1, "question": "Who?", "answer": "Twain"}', "'golden_answers' is 'Twain': expected a list of texts"),
        ("triviaqa", '{"id": 1, "question": "Who?", "answer": {"value": {}, "aliases": []}}', "'value' is {}: expected a text"),
        ("mmlu", json.dumps({**MMLU, "answer": True}), "the answer is True; expected one of ABCD or its number"),
        ("mmlu", json.dumps({**MMLU, "answer": ""}), "the answer is ''; expected one of ABCD"),
        ("mmlu", json.dumps({**MMLU, "subject": ["a"], "answer": 1}), r"'subject' is \['a'\]: expected a text"),
        ("gsm8k", '{"question": "How many?", "answer": {"n": 6}}', "'answer' is {'n': 6}: expected a text"),
        ("wmt09", '{"translation": "Hallo"}', "'translation' is 'Hallo': expected a record with fields"),
        ("wmt09", '{"translation": {"en": "Hi"}}', ", translation has no field 'de'; it has 'en'"),
    ],
)  # fmt: skip
def test_a_bad_record_says_where_and_what(tmp_path: Path, task: str, line: str, message: str) -> None:
    good = {
        "jsonl:x": ROW,
        "triviaqa": {**QUESTION, "golden_answers": ["a"]},
        "mmlu": {**MMLU, "answer": 0},
        "gsm8k": {"question": "How many?", "answer": "#### 6"},
        "wmt09": {"translation": {"en": "Hi", "de": "Hallo"}},
    }[task]
    settings = {"subsets": ["en-de"]} if task == "wmt09" else {}
    file = write(tmp_path / "bad.jsonl", good)
    file.write_bytes(file.read_bytes() + b"\n" + line.encode() + b"\n" + file.read_bytes().replace(b'_id": "1', b'_id": "3'))
    where = r"bad\.jsonl, record 2" if "JSON" not in message else r"bad\.jsonl"
    with pytest.raises(TaskError, match=rf"{where}.*{message.replace('line 1', 'line 3')}".replace("{", r"\{").replace("}", r"\}")):
        load_task(task, [file], **settings)
    loaded = read_task(task, [file], on_error="skip", **settings)
    assert loaded.examples.num_rows == 2 and loaded.drops.schema == DROPS
    assert [(row["reason"], row["num_examples"]) for row in loaded.drops.to_pylist()] == [("unreadable", 1), ("kept", 2)]


def test_a_bad_container_says_which(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(TaskError, match=r"t\.parquet cannot be read as Parquet"):
        load_task("jsonl:x", [tmp_path / "t.parquet"])
    pq.write_table(pa.table({"input": [b"a\xff"], "target": ["b"]}), tmp_path / "u.parquet")
    with pytest.raises(TaskError, match=r"u\.parquet, record 1: 'input' is b'a\\xff': expected a text"):
        load_task("jsonl:x", [tmp_path / "u.parquet"])
    for name, content, what in [
        ("a.jsonl", b"PK\x03\x04..", "a zip archive"),
        ("b.jsonl", b"PAR1....", "a Parquet table"),
        ("c.csv", b"\x93NUMPY..", "a NumPy array"),
        ("d.json", b"%PDF-1.4", "a PDF"),
        ("e.jsonl", b"t".ljust(257, b"\0") + b"ustar", "a tar archive"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TaskError, match=f"{name} is {what}, whatever its name"):
            load_task("jsonl:x", [tmp_path / name])
    (tmp_path / "latin.jsonl").write_bytes(b'{"input": "a", "target": "b"}\n{"input": "caf\xe9", "target": "b"}\n')
    with pytest.raises(TaskError, match=r"latin\.jsonl cannot be read as UTF-8: line 2 has the byte 0xe9 .*iconv"):
        load_task("jsonl:x", [tmp_path / "latin.jsonl"])
    (tmp_path / "data.json").write_text('{"Data": {"a": 1}}')
    with pytest.raises(TaskError, match=r"data\.json holds dict .*: expected an array of records"):
        load_task("triviaqa", [tmp_path / "data.json"])
    with pytest.raises(ConfigError, match="on_error is 'ignore': expected raise or skip"):
        load_task("jsonl:x", [write(tmp_path / "ok.jsonl", ROW)], on_error="ignore")


# ---- one reading of text, whatever its packing, marks and line ends ----------------------------------------------------

PACKINGS = {
    "plain": lambda content: content, "gz": gzip.compress, "zst": zstandard.compress, "bz2": bz2.compress, "xz": lzma.compress,
}  # fmt: skip
ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_same_text_is_the_same_task(tmp_path: Path, packing: str, encoding: str, end: str) -> None:
    rows = [{"input": "café\u2028x", "target": "中"}, {"input": "b", "target": "d"}]
    text = end + (end + end).join(json.dumps(row, ensure_ascii=False) for row in rows) + end + "  " + end
    csv = f'input,target{end}"café\u2028x",中{end}{end}b,d{end}{end}'
    found = []
    for name, content in (("t.jsonl", text), ("t.json", json.dumps(rows, ensure_ascii=False)), ("t.csv", csv)):
        file = tmp_path / name  # the name says nothing of the packing
        file.write_bytes(PACKINGS[packing](ENCODINGS[encoding] + content.encode(encoding)))
        found.append(load_task("jsonl:x", [file]).to_pylist())
    assert found[0] == found[1] == found[2]
    assert [(row["input"], row["target"]) for row in found[0]] == [("café\u2028x", "中"), ("b", "d")]


LINE = st.text(alphabet="ab \u2028\x0b\x85", max_size=4)


@given(lines=st.lists(LINE), end=st.sampled_from(["\n", "\r\n", "\r"]), last=st.booleans())
def test_lines_are_what_their_ends_say(lines: list[str], end: str, last: bool) -> None:
    ended = last or not lines or lines[-1] == ""  # an empty last line cannot be told from an end without its own end
    assert lines_of(end.join(lines) + (end if ended and lines else "")) == lines


def test_tabs_between_columns(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("input\ttarget\na, b\tc\n")
    assert load_task("jsonl:x", [tmp_path / "t.tsv"])["input"].to_pylist() == ["a, b"]
    (tmp_path / "u.csv").write_text("input,target\na,b,c\nd,e\n")
    with pytest.raises(TaskError, match=r"u\.csv, line 2 has 3 columns; expected the 2 columns input, target"):
        load_task("jsonl:x", [tmp_path / "u.csv"])
    assert load_task("jsonl:x", [tmp_path / "u.csv"], on_error="skip")["input"].to_pylist() == ["d"]


def test_a_missing_file_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="cannot be read"):
        read_text(tmp_path / "none")


# ---- formats as they are handed out --------------------------------------------------------------------------------


def test_mmlu_s_tree_by_its_root(tmp_path: Path) -> None:
    row = "Is it?,yes,no,both,neither,B\n"
    for split in ("dev", "val", "test"):
        for subject in ("anatomy", "virology"):
            file = tmp_path / "data" / split / f"{subject}_{split}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(row + (row if split == "test" else "") + "\n")
    (tmp_path / "data" / "auxiliary_train").mkdir()
    (tmp_path / "data" / "auxiliary_train" / "arc_easy.csv").write_text(row)
    (tmp_path / "data" / "README.txt").write_text("MMLU")
    for root in (tmp_path, tmp_path / "data"):
        table = load_task("mmlu", [root], split="test")
        assert table["example_id"].to_pylist() == ["anatomy-0", "anatomy-1", "virology-0", "virology-1"]
    assert load_task("mmlu", [tmp_path / "data" / "test"]).num_rows == 4
    with pytest.raises(TaskError, match="holds the splits auxiliary_train, dev, test, val: choose one"):
        load_task("mmlu", [tmp_path])
    (tmp_path / "h" / "virology_test.csv").parent.mkdir()
    (tmp_path / "h" / "virology_test.csv").write_text("question,A,B,C,D,answer\n" + row)
    assert load_task("mmlu", [tmp_path / "h"])["input"].to_pylist() == ["Is it?"]  # a header is no question


def test_a_data_set_s_folders_of_configurations_are_not_mixed(tmp_path: Path) -> None:
    for configuration in ("main", "socratic"):
        write(tmp_path / configuration / "test.jsonl", {"question": "How many?", "answer": "#### 6"})
        write(tmp_path / configuration / "train-00000-of-00001.jsonl", {"question": "How many?", "answer": "#### 7"})
    with pytest.raises(TaskError, match="has files of one split in main, socratic: name one of these folders"):
        load_task("gsm8k", [tmp_path], split="test")
    assert load_task("gsm8k", [tmp_path / "main"], split="train")["aliases"].to_pylist() == [["7"]]


def test_questions_without_an_id(tmp_path: Path) -> None:
    rows = [{"question": "Who?", "answer": ["a"]}, {"question": "What?", "answer": ["b"], "id": None}]
    assert load_task("triviaqa", [write(tmp_path / "nq.jsonl", *rows)])["example_id"].to_pylist() == ["nq-0", "nq-1"]
    both = [ROW, {**ROW, "id": None}, {**ROW, "id": 0}]
    assert load_task("jsonl:x", [write(tmp_path / "t.jsonl", *both)])["example_id"].to_pylist() == ["t-0", "t-1", "0"]


SGM = '<{kind}set setid="test" srclang="any">\n<doc docid="{first}" genre="news">\n<hl>\n<seg id="1">{one}</seg>\n</hl>\n<p>\n' \
    '<seg id="2"> {two} </seg>\n</p>\n</doc>\n<DOC sysid="ref" docid="b"><SEG ID=1>{three}</SEG></DOC>\n</{kind}set>\n'  # fmt: skip


def test_wmt_s_sgm(tmp_path: Path) -> None:
    english = SGM.format(kind="src", first="a", one="Q&amp;A &lt;b&gt;", two="Two\nlines.", three="Three.")
    german = SGM.format(kind="ref", first="a", one="F & A", two="Zwei.", three="Drei.")
    (tmp_path / "newstest2009-src.en.sgm").write_text(english, encoding="utf-8")
    (tmp_path / "newstest2009-ref.de.sgm.gz").write_bytes(gzip.compress(german.encode()))
    pairs = [("Q&A <b>", "F & A"), ("Two lines.", "Zwei."), ("Three.", "Drei.")]
    for settings in ({}, {"split": "newstest2009"}):
        table = load_task("wmt09", [tmp_path], subsets=["en-de"], **settings)
        assert list(zip(table["input"].to_pylist(), table["target"].to_pylist(), strict=True)) == pairs
    (tmp_path / "newstest2009-ref.de.sgm.gz").write_bytes(gzip.compress(german.replace('<seg id="2"> Zwei. </seg>', "").encode()))
    with pytest.raises(TaskError, match="document a, segment 2: a sentence is empty here or in English"):
        load_task("wmt09", [tmp_path], subsets=["en-de"])
    assert load_task("wmt09", [tmp_path], subsets=["en-de"], on_error="skip")["example_id"].to_pylist() == ["en-de-0", "en-de-2"]
    (tmp_path / "newstest2009-ref.de.sgm.gz").write_bytes(gzip.compress(german.replace('docid="', 'docid="x').encode()))
    with pytest.raises(TaskError, match="no segment of one document and id"):
        load_task("wmt09", [tmp_path], subsets=["en-de"])
    (tmp_path / "newstest2009-ref.de.sgm.gz").write_bytes(b"<refset></refset>")
    with pytest.raises(TaskError, match="holds no <doc> with <seg>"):
        load_task("wmt09", [tmp_path], subsets=["en-de"])


def test_of_many_pairs_of_a_test_set_the_one_from_english(tmp_path: Path) -> None:
    for pair, role, code in [("deen", "ref", "en"), ("deen", "src", "de"), ("ende", "src", "en"), ("ende", "ref", "de")]:
        text = SGM.format(kind=role, first="a", one=pair, two=code, three="x")
        (tmp_path / f"newstest2014-{pair}-{role}.{code}.sgm").write_text(text)
    table = load_task("wmt09", [tmp_path], subsets=["en-de"])
    assert (table["input"][0].as_py(), table["input"][1].as_py(), table["target"][1].as_py()) == ("ende", "en", "de")


# ---- parallel text with blank lines --------------------------------------------------------------------------------


def test_blank_lines_of_parallel_text(tmp_path: Path) -> None:
    english, german = tmp_path / "t.en", tmp_path / "t.de"
    english.write_bytes(b"One.\r\nTwo.\r\n\r\nFour.\r\n\r\n")
    german.write_bytes(b"\xef\xbb\xbfEins.\n \nDrei.\nVier.\n")
    with pytest.raises(TaskError, match=r't\.de, line 2: a sentence is empty .*\(t\.de has none\); on_error = "skip"'):
        load_task("wmt09", [tmp_path], subsets=["en-de"])
    loaded = read_task("wmt09", [tmp_path], subsets=["en-de"], on_error="skip")
    assert [(row["example_id"], row["target"]) for row in loaded.examples.to_pylist()] == [
        ("en-de-0", "Eins."),
        ("en-de-3", "Vier."),
    ]
    assert [(row["stage"], row["reason"], row["num_examples"]) for row in loaded.drops.to_pylist()] == [
        ("load", "blank_line", 2), ("load", "kept", 2),
    ]  # fmt: skip
    german.write_bytes(b"Eins.\nZwei.\nDrei.\nVier.\nF\xc3\xbcnf.\n")
    with pytest.raises(TaskError, match=r"t\.en has 5 lines and t\.de 5|a sentence is empty"):
        load_task("wmt09", [tmp_path], subsets=["en-de"])
    german.write_bytes(b"Eins.\nZwei.\nDrei.\nVier.\n5.\n6.\n")
    with pytest.raises(TaskError, match=r"t\.en has 5 lines and t\.de 6: not aligned"):
        load_task("wmt09", [tmp_path], subsets=["en-de"], on_error="skip")


@given(
    pairs=st.lists(st.tuples(*[st.sampled_from(["", " ", "a", "b c"])] * 2), min_size=1, max_size=8),
    blank=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_what_is_kept_stands_on_both_sides(tmp_path_factory: Any, pairs: list[tuple[str, str]], blank: tuple[int, int]) -> None:
    folder = tmp_path_factory.mktemp("t")
    for side, code in enumerate(("en", "de")):
        (folder / f"t.{code}").write_text("".join(pair[side] + "\n" for pair in pairs) + "\n" * blank[side])
    kept = [(f"en-de-{i}", *pair) for i, pair in enumerate(pairs) if all(text.strip() for text in pair)]
    if not kept:
        with pytest.raises(TaskError, match="has no example"):
            read_task("wmt09", [folder], subsets=["en-de"], on_error="skip")
        return
    table = read_task("wmt09", [folder], subsets=["en-de"], on_error="skip").examples.to_pylist()
    assert [(row["example_id"], row["input"], row["target"]) for row in table] == kept
