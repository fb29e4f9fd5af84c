"""The report: one file with every figure and number that the tables hold, and a sentence for what they do not."""

import base64
import re
from html.parser import HTMLParser
from math import inf, log, nan
from typing import get_args

import pytest

from analysis.config import CorpusModel
from analysis.measures.size_trend import family
from analysis.pairs import counting, mining
from analysis.pairs.drops import whole_task
from analysis.report import ModelChoice, Origin, StudyChoices, TaskChoice, rows_of, write_report
from analysis.report.causes import drop_bars
from analysis.report.first import forest, sentences
from analysis.report.frequency import thresholds, thresholds_by_size
from analysis.report.memorization import by_model_size, kept_by_gamma
from analysis.report.numbers import interval, number, p_value, probability
from analysis.report.sections import left_out, sections
from analysis.report.selection import CORPUS_MODELS, picked
from analysis.schemas import CORRELATIONS, DROPS
from analysis.tables import table_of
from tests.helpers.analysis_tables import MODELS, STATISTIC, TASKS, study_tables

pytestmark = pytest.mark.xdist_group("report")  # one worker makes what all tests here look at

STUDY = StudyChoices(
    "A <study> of nothing",
    tuple(TaskChoice(task, gamma, STATISTIC.get(task, "spearman")) for task, gamma in TASKS.items()),
    tuple(ModelChoice(name, "", ("step100", "step1000") if name.endswith("1.4b") else ()) for name in MODELS),
    "strict",
    0.95,
)
FIGURES = set(
    "forest memorization-by-size memorization-differences memorization-controls memorization-priors thresholds memorization-modes "
    "counterfactual learning-curves corpus-models-by-step memorization-by-step "
    "gamma-calibration sensitivity-gamma sensitivity-n "
    "score-by-size score-by-counts novelty-wmt09 dose-by-size dose-by-step influence drops".split()
)


FIRST_SCREEN = {"shown_pairs", "shown_answers", "threshold_trends", "similarities", "counterfactual_agreement", "prompt_scores"}
"""Kinds of table that no section after the first screen is for alone."""


class Page(HTMLParser):
    """What a browser would load, and the text that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href", "srcset")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def tables():
    return {kind: rows_of(table) for kind, table in study_tables().items()}


@pytest.fixture(scope="module")
def report(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    origin = Origin("pairs triviaqa", "pairs/triviaqa.parquet", 1200, 3.25, "ab" * 32)
    task = {
        "task": "triviaqa",
        "num_examples": 321,
        "kept": {3: (1234, 4321)},
        "score": None,
        "empty": 0.5,
        "most_empty": 0.5,
        "contamination": [],
    }
    given = {
        "glance": [task],
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
    assert len(pictures) == 2 * len(FIGURES), "each is drawn for a page, and with one panel a row for a telephone"
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
    assert len(absent) <= 3
    assert bool(absent) == (kind not in FIRST_SCREEN)
    assert not any(section.figures for section in absent)
    told = left_out(lacking)
    assert all(f"{section.title} (no {section.absent})" in told for section in absent)
    assert told.count("Left out") == bool(absent)


@pytest.mark.parametrize(
    ("kind", "only", "figure"),
    [
        ("novelty", {"unit": frozenset({"reference_pair", "reference_ngram"})}, "novelty"),
        ("correlations", {"pair_set": "own", "task": "triviaqa"}, "memorization-by-size"),
        ("correlations", {"pair_set": "common", "task": "triviaqa"}, "memorization-controls"),
        ("dose_response", {"revision": "step100"}, "dose-by-size"),
    ],
)
def test_a_figure_whose_rows_have_nothing_to_show_is_left_out(tables, tmp_path, kind, only, figure):
    """Answers that were all empty had no novelty but that of the right ones, and ended the report."""
    rows = picked(tables[kind], **only)
    assert rows
    page = write_report({kind: rows}, STUDY, tmp_path)
    drawn = [path.stem for path in (tmp_path / "figures").glob("*.png")]
    assert not [name for name in drawn if name.startswith(figure)]
    assert f"figures/{figure}" not in page.read_text(encoding="utf-8")


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
    shown |= {-4.6e-31: "0.00", 3.24e15: "3.2·10¹⁵", -12_345_678.0: "−1.2·10⁷", 9_876_543.0: "9,876,543", inf: "∞"}
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


def test_the_first_screen_says_what_came_out(report, tables):
    text = Page(report.read_text(encoding="utf-8")).text
    first = text[: text.index("Contents")]
    main = {"task": "triviaqa", "n": 3, "gamma": 0.75, "statistic": "spearman", "mode": "strict"}
    (main,) = picked(tables["correlations"], **main, model="ladder/1.4b", revision="", corpus_model="taskgram", pair_set="common")
    assert f"Spearman ρ = {interval(main['estimate'], main['low'], main['high'])} for 1.4b at n = 3, over 1,200 pairs" in first
    for against, name in (("infgram", "∞-gram"), ("unigram", "unigram")):
        wanted = {"model": "ladder/1.4b", "task": "triviaqa", "n": 3, "statistic": "spearman", "against": against}
        (row,) = picked(tables["differences"], **wanted)
        assert f"difference to {name} {'+' * (row['estimate'] > 0)}{interval(row['estimate'], row['low'], row['high'])}" in first
    assert "n = 3: 1,234 (29%)" in first
    assert "who wrote 0" in first and "no one" in first


@pytest.mark.parametrize(
    ("estimate", "width", "statistic", "examples", "verdict"),
    [
        (0.5, 0.1, "spearman", 40, "the model follows the corpus"),
        (-0.5, 0.1, "spearman", 40, "the model goes against the corpus"),
        (0.05, 0.1, "spearman", 40, "no association is seen"),
        (0.5, 0.1, "spearman", 9, "too few to say"),
        (0.3, 0.1, "kendall_distance", 40, "the model follows the corpus"),
        (0.45, 0.1, "kendall_distance", 40, "no association is seen"),
    ],
)
def test_the_sentence_of_a_task_follows_the_interval(tables, estimate, width, statistic, examples, verdict):
    task = TaskChoice("triviaqa", {3: 0.75}, statistic)
    rows = picked(tables["correlations"], task="triviaqa", n=3)
    found = {"estimate": estimate, "low": estimate - width, "high": estimate + width, "num_examples": examples}
    (sentence,) = sentences({"correlations": [row | found for row in rows]}, STUDY._replace(tasks=(task,)))
    assert sentence.verdict == verdict


def test_the_sentence_of_a_task_says_what_all_pairs_of_the_task_gram_model_say(tables):
    task = TaskChoice("triviaqa", {3: 0.75}, "spearman")
    common, own = (picked(tables["correlations"], task="triviaqa", n=3, pair_set=which) for which in ("common", "own"))
    wider = [row | {"num_pairs": 4_321, "estimate": 0.25, "low": 0.125, "high": 0.375, "q_value": 0.01} for row in own]
    (sentence,) = sentences({"correlations": [*common, *wider]}, STUDY._replace(tasks=(task,)))
    assert "; of the 4,321 pairs that the task-gram model scores 0.25 [0.12, 0.38] (q = 0.010)" in sentence.text
    same = [row | {"num_pairs": common[0]["num_pairs"]} for row in own]
    (sentence,) = sentences({"correlations": [*common, *same]}, STUDY._replace(tasks=(task,)))
    assert "that the task-gram model scores" not in sentence.text


def test_where_models_of_the_corpus_share_no_pairs_the_task_gram_models_own_are_told(tables):
    task = TaskChoice("triviaqa", {3: 0.75}, "spearman")
    common, own = (picked(tables["correlations"], task="triviaqa", n=3, pair_set=which) for which in ("common", "own"))
    none = [row | {"num_pairs": 0, "num_examples": 0, "estimate": nan, "low": nan, "high": nan} for row in common]
    some = [row | {"num_pairs": 77, "num_examples": 33, "estimate": 0.5, "low": 0.25, "high": 0.75} for row in own]
    (sentence,) = sentences({"correlations": [*none, *some]}, STUDY._replace(tasks=(task,)))
    assert sentence.verdict == "the model follows the corpus"
    assert sentence.text.startswith(
        "Spearman ρ = 0.50 [0.25, 0.75] for 1.4b at n = 3, over 77 pairs of 33 examples that the task-gram"
    )
    assert sentence.text.endswith("; too few to compare models of the corpus: all score 0 pairs of 0 examples.")
    few = [row | {"num_examples": 9} for row in some]
    (sentence,) = sentences({"correlations": [*none, *few]}, STUDY._replace(tasks=(task,)))
    assert sentence.verdict == "too few to say"


def test_the_sentence_of_a_task_claims_no_more_than_its_tables(tables):
    task = TaskChoice("triviaqa", {3: 0.75}, "spearman")
    common, own = (picked(tables["correlations"], task="triviaqa", n=3, pair_set=which) for which in ("common", "own"))
    sure = {"estimate": 0.5, "low": 0.4, "high": 0.6, "num_examples": 40, "q_value": 0.01}
    none = sure | {"low": -0.1}

    def verdict(common_found, own_found=None, partial=None, less=None):
        rows = [row | common_found | ({"low": partial} if row["statistic"] == "partial_spearman" else {}) for row in common]
        rows += [row | own_found | {"num_pairs": 4_321} for row in own] if own_found else []
        given = {"correlations": rows, "differences": [row | {"low": less} for row in tables["differences"]] if less else []}
        (sentence,) = sentences(given, STUDY._replace(tasks=(task,)))
        return sentence.verdict

    follows, alone = "the model follows the corpus", ", perhaps by word frequencies alone"
    assert verdict(sure, partial=0.1) == follows
    assert verdict(sure | {"q_value": 0.2}, partial=0.1) == f"{follows} (not sure among so many tests)"
    assert verdict(sure, partial=-0.1) == verdict(sure, partial=0.1, less=-0.1) == f"{follows}{alone}"
    assert verdict(none, sure, partial=0.1) == f"no association is seen; on all pairs of the task-gram model, {follows}"
    assert verdict(none, none, partial=-0.1) == "no association is seen"
    assert verdict(none, sure | {"num_examples": 9}, partial=0.1) == "no association is seen"


def test_a_colour_is_one_model_of_the_corpus_and_one_n_in_every_figure(tables):
    def colours(figure) -> dict[str, str]:
        (legend,) = figure.legends
        return {text.get_text(): drawn.get_color() for text, drawn in zip(legend.get_texts(), legend.get_lines(), strict=True)}

    whole, by_size = colours(forest(tables, STUDY)), colours(by_model_size(tables["correlations"], STUDY))
    names = {"task-gram", "∞-gram", "unigram"}
    assert len({whole[name] for name in names}) == 3
    assert {name: whole[name] for name in names} == {name: by_size[name] for name in names}
    rows = [
        row | {"task": task, "n": n}
        for task, ns in (("a", (1, 2)), ("b", (2, 3)))
        for n in ns
        for row in tables["similarities"][:4]
    ]
    study = STUDY._replace(tasks=(TaskChoice("a", {1: 0.5, 2: 0.5}, "spearman"), TaskChoice("b", {2: 0.5, 3: 0.5}, "spearman")))
    figure = kept_by_gamma(rows, study)
    drawn = [{line.get_label(): line.get_color() for line in axis.lines} for axis in figure.axes]
    assert drawn[0]["n = 2"] == drawn[1]["n = 2"]
    assert len({drawn[0]["n = 1"], drawn[0]["n = 2"], drawn[1]["n = 3"]}) == 3


def test_a_threshold_beyond_any_corpus_is_an_arrow_and_no_number(tables):
    rows = [row | {"estimate": 1e30} if row["model"].endswith("1.4b") else row for row in tables["thresholds"]]
    half = picked(rows, quantity="half")
    assert sum(row["estimate"] == 1e30 for row in half) == 1
    (axis,) = thresholds_by_size(half).axes
    assert axis.get_ylim()[1] < 1e9
    arrows = [drawn for drawn in axis.lines if drawn.get_marker() == "^" and drawn.get_transform() != axis.transData]
    (arrow,) = [drawn for drawn in arrows if len(drawn.get_xdata())]
    assert list(arrow.get_xdata()) == [row["num_parameters"] for row in half if row["estimate"] == 1e30]
    told = [cell for row in thresholds(half).body for cell in row if cell.startswith("> ")]
    assert told == ["> 1.0·10⁹ [0.00, ∞]"]


def test_reasons_stand_in_the_order_in_which_they_are_met_and_what_is_kept_last():
    met = [("mine", reason) for reason in mining.REASONS[:-1]] + [("count", reason) for reason in counting.REASONS]
    about = {"task": "triviaqa", "subset": "", "n": 3, "num_pairs": 5, "num_examples": 1}
    axis = drop_bars([about | {"stage": stage, "reason": reason} for stage, reason in met[::-1]], STUDY).axes[0]
    named = [text.get_text() for text in axis.get_yticklabels()]
    assert named == [f"{stage}: {reason}".replace("below_gamma", "below γ").replace("_", " ") for stage, reason in met]


def test_a_probability_has_two_digits_at_any_size():
    assert [probability(log(value)) for value in (0.5, 0.0123, 2.5e-7, 9.96e-12)] == ["0.5", "0.012", "2.5·10⁻⁷", "10.0·10⁻¹²"]
    assert probability(-inf) == "0"


def test_models_of_two_families_are_two_lines_and_few_examples_are_hollow(tables):
    rows = [row | {"model": row["model"].replace("ladder/", "ladder/other-")} for row in tables["correlations"]]
    rows = [row | {"num_examples": 9} for row in rows]
    both = [*tables["correlations"], *rows]
    models = (*STUDY.models, *(ModelChoice(row["model"], "", ()) for row in rows))
    figure = by_model_size(both, STUDY._replace(models=models))
    named = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert {"task-gram", "ladder", "other", "fewer than 10 examples", "no association"} <= set(named)
    assert len(named) == len(set(named)), "each family and each model of the corpus once"
    axis = figure.axes[0]
    lines = [drawn for drawn in axis.lines if drawn.get_linestyle() != "None" and len(drawn.get_xdata()) == len(MODELS)]
    assert len(lines) == 2 * 3, "a line for each family and model of the corpus"
    faces = {drawn.get_markerfacecolor() for drawn in axis.lines if drawn.get_marker() not in ("None", None, "")}
    assert "white" in faces and len(faces) > 1


def test_one_interval_from_end_to_end_does_not_press_the_others_flat(tables):
    main = {"task": "mmlu", "mode": "strict", "statistic": "spearman", "revision": "", "pair_set": "common"}
    rows = [row | {"estimate": 0.2, "low": 0.15, "high": 0.25} for row in picked(tables["correlations"], **main)]
    rows[0] |= {"low": -1.0, "high": 1.0}
    figure = by_model_size(rows, STUDY)
    low, high = figure.axes[0].get_ylim()
    assert -0.2 < low < 0.0 and 0.25 < high < 0.5


@pytest.mark.parametrize(
    ("model", "name"),
    [("EleutherAI/pythia-1.4b", "pythia"), ("ladder/14m", "ladder"), ("google/gemma-3-270m", "gemma-3"), ("gpt2", "gpt2")],
)
def test_a_family_is_a_name_without_its_size(model, name):
    assert family(model) == name
