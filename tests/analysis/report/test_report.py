"""The report: one file with every figure and number that the tables hold, and a sentence for what they do not."""

import base64
import re
from html.parser import HTMLParser
from typing import get_args

import pytest

from analysis.config import CorpusModel
from analysis.pairs.drop_report import whole_task
from analysis.report import ModelChoice, Origin, StudyChoices, TaskChoice, listings, rows_of, write_report
from analysis.report.listings import interval, number, p_value
from analysis.report.sections import sections
from analysis.report.selection import CORPUS_MODELS
from analysis.schemas import CORRELATIONS, DROPS
from analysis.tables import table_of
from tests.helpers.analysis_tables import MODELS, STATISTIC, TASKS, study_tables

STUDY = StudyChoices(
    "A <study> of nothing",
    tuple(TaskChoice(task, gamma, STATISTIC.get(task, "spearman")) for task, gamma in TASKS.items()),
    tuple(ModelChoice(name, "", ("step100", "step1000") if name.endswith("1.4b") else ()) for name in MODELS),
    "strict",
    0.95,
)
FIGURES = set(
    "memorization-by-size memorization-differences memorization-controls memorization-modes memorization-by-step "
    "sensitivity-gamma sensitivity-n score-by-size score-by-counts novelty-wmt09 dose-by-size dose-by-step influence drops".split()
)


class Page(HTMLParser):
    """What a browser would load, and the text that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def tables():
    return {kind: rows_of(table) for kind, table in study_tables().items()}


@pytest.fixture(scope="module")
def report(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    origin = Origin("pairs triviaqa", "pairs/triviaqa.parquet", 1200, 3.25, "ab" * 32)
    task = {"task": "triviaqa", "num_examples": 321, "num_pairs": 4321, "num_distinct": 1234, "gamma": {3: 0.75}, "metric": ""}
    given = {
        "overview": [listings.tasks([task])],
        "origins": [origin],
        "inputs": [("corpus", "cd" * 32)],
        "versions": [("numpy", "2.0")],
        "settings": 'title = "<x>"',
    }
    return write_report(tables, STUDY, folder, **given)


def test_the_page_needs_no_other_file(report):
    page = Page(report.read_text(encoding="utf-8"))
    assert page.sources
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert not re.findall(r"https?://[^\"]*\.(?:js|css)", report.read_text(encoding="utf-8"))


def test_every_figure_is_there_as_svg_png_and_pdf(report):
    page = Page(report.read_text(encoding="utf-8"))
    pictures = [base64.b64decode(source.split(",", 1)[1]) for source in page.sources if source.startswith("data:image/svg")]
    assert len(pictures) == len(FIGURES)
    assert all(b"<svg" in picture for picture in pictures)
    for kind, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        found = {path.stem: path for path in (report.parent / "figures").glob(f"*.{kind}")}
        assert set(found) == FIGURES
        assert all(path.read_bytes().startswith(magic) for path in found.values())


def test_numbers_provenance_and_settings_stand_on_the_page(report, tables):
    text = Page(report.read_text(encoding="utf-8")).text
    row = next(row for row in tables["correlations"] if row["task"] == "mmlu" and row["gamma"] == 0.75)
    assert interval(row["estimate"], row["low"], row["high"]) in text
    assert "Answer <memorize> & say 0." in text
    for told in (
        "A <study> of nothing",
        "pairs/triviaqa.parquet",
        "ab" * 8,
        "cd" * 32,
        "numpy 2.0",
        'title = "<x>"',
        "95% intervals",
    ):
        assert told in text


def test_the_same_tables_make_the_same_bytes(report, tables, tmp_path):
    drops = [row for row in tables["drops"] if row["task"] == "mmlu"]
    again, other = (write_report({"drops": drops}, STUDY, tmp_path / name) for name in "ab")
    assert again.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("kind", sorted(study_tables()))
def test_what_a_run_has_not_is_left_out_with_a_sentence(tables, kind):
    whole = sections(tables, STUDY)
    assert not any(section.absent for section in whole)
    lacking = sections({name: rows for name, rows in tables.items() if name != kind}, STUDY)
    absent = [section for section in lacking if section.absent]
    assert 1 <= len(absent) <= 3
    assert all(section.absent.startswith("Left out") and not section.figures for section in absent)


def test_an_estimate_that_is_nan_is_a_dash_and_no_point(tables, tmp_path):
    nothing = dict.fromkeys(("estimate", "low", "high"), float("nan"))
    hollow = [row | nothing for row in tables["correlations"] if row["task"] == "mmlu"]
    page = Page(write_report({"correlations": hollow}, STUDY, tmp_path).read_text(encoding="utf-8"))
    assert "–" in page.text


@pytest.mark.parametrize("name", get_args(CorpusModel))
def test_every_model_of_the_corpus_is_drawn_and_listed(tables, name):
    """The report knew all but one of the models that a study may ask for, and ended at that."""
    rows = [row | {"corpus_model": name} for row in tables["correlations"] if row["corpus_model"] == "infgram"]
    (section, *_) = sections({"correlations": [*tables["correlations"], *rows]}, STUDY)
    figure = next(figure for figure in section.figures if figure.name == "memorization-by-size").draw()
    assert CORPUS_MODELS[name] in [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert any(CORPUS_MODELS[name] in row for listing in section.listings for row in listing.body)


def test_a_null_number_is_nan():
    row = rows_of(table_of([dict.fromkeys(CORRELATIONS.names)], CORRELATIONS))[0]
    assert row["estimate"] != row["estimate"]


def test_numbers_as_they_are_printed():
    shown = {0.123: "0.12", -0.5: "−0.50", 0.004: "0.004", 12.25: "12.25", 1234.4: "1,234", 1e-5: "1.0e−05", 0.0: "0.00"}
    assert {value: number(value) for value in shown} == shown
    assert interval(0.5, float("nan"), 0.6) == "0.50 [–]"
    assert (p_value(0.0001), p_value(0.25), p_value(float("nan"))) == ("< 0.001", "0.250", "–")


def test_drops_add_up_over_subsets_and_only_the_last_stage_keeps():
    def row(subset: str, stage: str, reason: str, pairs: int) -> dict[str, object]:
        return {"task": "t", "subset": subset, "n": 3, "stage": stage, "reason": reason, "num_pairs": pairs, "num_examples": 1}

    rows = [
        row(subset, *told) for subset in "ab" for told in (("mine", "below_gamma", 5), ("mine", "kept", 7), ("count", "kept", 4))
    ]
    summed = whole_task(table_of(rows, DROPS)).to_pylist()
    assert [(found["stage"], found["reason"], found["num_pairs"], found["subset"]) for found in summed] == [
        ("mine", "below_gamma", 10, ""),
        ("count", "kept", 8, ""),
    ]
