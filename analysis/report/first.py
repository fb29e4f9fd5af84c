"""The first screen: what came out of each task in a sentence, all of it in one figure, and what it is made of."""

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from analysis.report.listings import Listing, listing, text_column
from analysis.report.memorization import main_rows, tasks_of
from analysis.report.numbers import interval, number, p_value, probability
from analysis.report.selection import (
    CORPUS_MODELS,
    LOOKS,
    METRICS,
    STATISTICS,
    Row,
    StudyChoices,
    Tables,
    TaskChoice,
    at_gamma,
    distinct,
    final,
    named,
    picked,
    whole,
)
from analysis.report.style import LEAST_EXAMPLES, MARKERS, PALETTE, above, frame_along, legend_below, panels, point, shifts

ON_SCREEN = 10
"""Pairs, and answers, that stand open; the others are folded."""
FOREST = {
    "taskgram": ("spearman", "taskgram"),
    "partial": ("partial_spearman", "taskgram"),
    "infgram": ("spearman", "infgram"),
    "unigram": ("spearman", "unigram"),
}
"""Line of the forest plot -> statistic and model of the corpus."""
FOREST_NAMES = {
    "taskgram": "task-gram",
    "partial": "task-gram, partial",
    "infgram": "∞-gram",
    "unigram": "unigram",
}
AGAINST = ("infgram", "unigram")
"""Models of the corpus that the task-gram model is held against; the last knows frequencies alone."""
FOLLOWS, AGAINST_IT = "the model follows the corpus", "the model goes against the corpus"
LONGEST = 240
"""Characters of a prompt or an answer that are shown; of a prompt the last ones."""


class Sentence(NamedTuple):
    """What came out of a task."""

    task: str
    verdict: str
    text: str


def sentences(tables: Tables, study: StudyChoices) -> list[Sentence]:
    """A sentence for each task that has a main estimate."""
    rows = tables.get("correlations", ())
    return [_sentence(tables, study, task) for task in tasks_of(rows, study) if _main(rows, study, task)]


def _main(rows: Sequence[Row], study: StudyChoices, task: TaskChoice) -> Row | None:
    """The task-gram model's main statistic of the last model, at the first n that has enough examples, else at the first n."""
    found = picked(main_rows(rows, study, task), corpus_model="taskgram", pair_set="common")
    of_last = sorted((row for row in found if row["model"] == found[-1]["model"]), key=lambda row: row["n"])
    return next((row for row in of_last if row["num_examples"] >= LEAST_EXAMPLES), of_last[0] if of_last else None)


def _sentence(tables: Tables, study: StudyChoices, task: TaskChoice) -> Sentence:
    rows = tables["correlations"]
    main = _main(rows, study, task)
    assert main is not None
    statistic = task.statistic
    model = PurePath(main["model"]).name
    size = f"{main['num_pairs']:,} pairs of {main['num_examples']:,} examples"
    if _too_few(main):
        return _of_own_pairs(rows, study, task, main)
    told = [f"{_statistic(statistic)} = {_bracketed(main)} for {model} at n = {main['n']}, over {size}{_q(main)}"]
    found = picked(main_rows(rows, study, task), corpus_model="taskgram", pair_set="own", n=main["n"], model=main["model"])
    own = [row for row in found if row["num_pairs"] != main["num_pairs"]]
    told += [f"of the {row['num_pairs']:,} pairs that the task-gram model scores {_bracketed(row)}{_q(row)}" for row in own]
    same = {"n": main["n"], "model": main["model"], "revision": main["revision"]}
    less = [
        picked(at_gamma(whole(tables.get("differences", ())), task), statistic=statistic, against=against, **same)
        for against in AGAINST
    ]
    for against, of_one in zip(AGAINST, less, strict=True):
        told += [f"difference to {CORPUS_MODELS[against]} {_bracketed(row, True)}" for row in of_one]
    fixed = {"corpus_model": "taskgram", "pair_set": "common", "mode": main["mode"], "statistic": "partial_spearman"}
    partial = picked(at_gamma(whole(rows), task), **fixed, **same)
    told += [f"{_bracketed(row)} with frequencies and length held fixed (partial ρ)" for row in partial]
    slope = {"corpus_model": "taskgram", "pair_set": "common", "trend": "slope", "statistic": statistic, "n": main["n"]}
    for row in picked(at_gamma(whole(tables.get("size_trends", ())), task), **slope):
        whose = f" of {row['family']}" if row["family"] else ""
        told.append(f"{_bracketed(row, True)} for ten times the parameters, over {row['num_models']} models{whose}{_q(row)}")
    verdict = _verdict(main, study) + _explained(main, less[-1], partial)
    for row in own:
        if row["num_examples"] >= LEAST_EXAMPLES and _verdict(row, study) != _verdict(main, study):
            verdict += f"; on all pairs of the task-gram model, {_verdict(row, study)}"
    return Sentence(task.name, verdict, "; ".join(told) + ".")


def _of_own_pairs(rows: Sequence[Row], study: StudyChoices, task: TaskChoice, main: Row) -> Sentence:
    """What the task-gram model's own pairs say, where too few are scored by all models of the corpus to compare these."""
    model, same = PurePath(main["model"]).name, {"corpus_model": "taskgram", "pair_set": "own", "model": main["model"]}
    common = f"{main['num_pairs']:,} pairs of {main['num_examples']:,} examples"
    found = [row for row in picked(main_rows(rows, study, task), **same) if not _too_few(row)]
    if not found:
        return Sentence(task.name, "too few to say", f"{model} was compared on {common} of n = {main['n']}.")
    own = min(found, key=lambda row: row["n"])
    partial = picked(at_gamma(whole(rows), task), mode=own["mode"], statistic="partial_spearman", n=own["n"], **same)
    partial = [row for row in partial if row["revision"] == own["revision"]]
    told = [
        f"{_statistic(task.statistic)} = {_bracketed(own)} for {model} at n = {own['n']}, over {own['num_pairs']:,} pairs of "
        f"{own['num_examples']:,} examples that the task-gram model scores{_q(own)}",
        *(f"{_bracketed(row)} with frequencies and length held fixed (partial ρ)" for row in partial),
        f"too few to compare models of the corpus: all score {common}",
    ]
    return Sentence(task.name, _verdict(own, study) + _explained(own, (), partial), "; ".join(told) + ".")


def _too_few(row: Row) -> bool:
    return bool(row["num_examples"] < LEAST_EXAMPLES or math.isnan(row["estimate"]))


def _statistic(name: str) -> str:
    return named(STATISTICS, name) + (" (0.5: no association)" if name == "kendall_distance" else "")


def _bracketed(row: Row, signed: bool = False) -> str:
    text = interval(row["estimate"], row["low"], row["high"])
    return f"+{text}" if signed and row["estimate"] > 0 else text


def _q(row: Row) -> str:
    value: float = row["q_value"] if "q_value" in row else row["p_value"]
    letter = "q" if "q_value" in row else "p"
    if math.isnan(value):
        return ""
    return f" ({letter} {p_value(value)})" if value < 0.001 else f" ({letter} = {p_value(value)})"


def _verdict(row: Row, study: StudyChoices) -> str:
    """What the interval says, and whether it holds among all the report's tests."""
    found = _verdict_of_interval(row)
    unsure = found in (FOLLOWS, AGAINST_IT) and row.get("q_value", 0.0) > 1 - study.confidence
    return f"{found} (not sure among so many tests)" if unsure else found


def _verdict_of_interval(row: Row) -> str:
    """What the interval says; the Kendall distance is small where corpus and model agree."""
    null = 0.5 if row["statistic"] == "kendall_distance" else 0.0
    if math.isnan(row["low"]):
        return "no interval"
    if row["low"] <= null <= row["high"]:
        return "no association is seen"
    agrees = (row["estimate"] < null) == (row["statistic"] == "kendall_distance")
    return FOLLOWS if agrees else AGAINST_IT


def _explained(main: Row, less_unigram: Sequence[Row], partial: Sequence[Row]) -> str:
    """Whether frequencies may be all that corpus and model have in common: nothing sure is left beyond them."""
    if _verdict_of_interval(main) != FOLLOWS:
        return ""
    sign = -1 if main["statistic"] == "kendall_distance" else 1
    beyond = [min(sign * row["low"], sign * row["high"]) for row in less_unigram] + [row["low"] for row in partial]
    return ", perhaps by word frequencies alone" if any(bound <= 0 for bound in beyond) else ""


def forest(tables: Tables, study: StudyChoices) -> Any:
    """A line for each task and n: rank correlations of the largest model, on the pairs that all models of the corpus score."""
    shown = forest_rows(tables, study)
    labels = list(dict.fromkeys((row["task"], row["n"]) for _, row in shown))
    figure, (axis,) = panels(1, height=0.4 + 0.3 * len(labels), wide=True)
    present = [name for name in FOREST if any(series == name for series, _ in shown)]
    for shift, name in zip(shifts(len(present)), present, strict=True):
        at_look = LOOKS.index("partial_spearman" if name == "partial" else name)
        look: dict[str, Any] = {"colour": PALETTE[at_look], "marker": MARKERS[at_look]}
        rows = [row for series, row in shown if series == name]
        at = [labels.index((row["task"], row["n"])) for row in rows]
        point(axis, at, rows, label=FOREST_NAMES[name], shift=-shift, **look)
    numbers = {(row["task"], row["n"]): f"{row['num_pairs']:,} / {row['num_examples']:,}" for _, row in shown}
    axis.set_yticks(range(len(labels)), [f"{task}, n = {n}" for task, n in labels])
    beside = axis.secondary_yaxis("right")
    beside.set_yticks(range(len(labels)), [numbers[label] for label in labels])
    above(axis, "pairs / examples", 1)
    beside.tick_params(length=0)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.axvline(0, color="#444444", linewidth=0.7, label="no association")
    axis.set_xlabel("Spearman ρ of corpus and model")
    frame_along(axis, [row for _, row in shown], 0.0)
    legend_below(figure, [axis], [row for _, row in shown])
    return figure


def caption(study: StudyChoices) -> str:
    """What the forest plot shows."""
    return (
        "Rank correlation of what the corpus says with what the largest model says, by model of the corpus, all on the pairs that "
        "each of these scores; partial: with frequencies and length held fixed; bars are "
        f"{study.confidence:.0%} intervals (one that an arrow marks goes on). Mode {study.mode}."
    )


def forest_rows(tables: Tables, study: StudyChoices) -> list[tuple[str, Row]]:
    """The rows of the forest plot, each with its line's name."""
    found = []
    for task in tasks_of(tables.get("correlations", ()), study):
        of_task = at_gamma(final(whole(tables["correlations"]), study), task)
        common = picked(of_task, mode=study.mode, pair_set="common")
        for n in sorted(task.gamma):
            here = picked(common, n=n)
            last = here[-1]["model"] if here else ""
            for name, (statistic, corpus_model) in FOREST.items():
                rows = picked(here, model=last, statistic=statistic, corpus_model=corpus_model)
                found += [(name, row) for row in rows if not math.isnan(row["estimate"])]
    return found


def glance(rows: Sequence[Row]) -> Listing:
    """How much there is of each task: examples, pairs mined and kept, the score, contamination."""
    columns = [
        text_column("task", lambda row: row["task"]),
        text_column("examples", lambda row: f"{row['num_examples']:,}", True),
        text_column("pairs kept, of all of the examples' n-grams", _kept),
        text_column("score of the largest model", lambda row: _score(row["score"])),
        text_column("its empty answers", _empty),
        text_column("examples in the corpus", _contaminated),
    ]
    return listing("", columns, rows)


def _kept(row: Row) -> str:
    told = [f"n = {n}: {kept:,} ({_percent(kept, total)})" for n, (kept, total) in row["kept"].items()]
    return "; ".join(told) or "–"


def _percent(part: int, total: int) -> str:
    return _share(part / total if total else 0.0)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}" if share >= 0.001 else f"{share:.1g}"


def _score(row: Row | None) -> str:
    if row is None:
        return "–"
    chance = row.get("chance", math.nan)
    beside = "" if math.isnan(chance) else f", chance {number(chance)}"
    return f"{named(METRICS, row['metric'])} {interval(row['estimate'], row['low'], row['high'])}{beside}"


def _empty(row: Row) -> str:
    last, most = row["empty"], row["most_empty"]
    if math.isnan(last):
        return "–"
    return _share(last) + (f"; of another model {_share(most)}" if most > last + 0.1 else "")


def _contaminated(row: Row) -> str:
    told = [f"{each['part']} {_share(each['estimate'])} (n = {each['n']})" for each in row["contamination"] if each["num_examples"]]
    return ", ".join(told) or "–"


def pairs(rows: Sequence[Row]) -> list[Listing]:
    """Actual pairs: some of each task open, all folded below."""
    columns = [
        text_column("task", lambda row: row["task"]),
        text_column("x", lambda row: row["x"]),
        text_column("y", lambda row: row["y"]),
        text_column("documents with both", lambda row: f"{row['pair_documents']:,}", True),
        text_column("with x", lambda row: f"{row['x_documents']:,}", True),
        text_column("with y", lambda row: f"{row['y_documents']:,}", True),
        text_column("P(y | x), corpus", lambda row: probability(row["corpus_log_prob"]), True),
        text_column("P(y | x), model", lambda row: probability(row["log_prob"]), True),
    ]
    if not rows:
        return []
    caption = (
        f"Actual pairs of the largest model, {PurePath(rows[0]['model']).name}: at equal steps of rank by the corpus, so neither "
        "the best nor the worst."
    )
    return _some_and_all(caption, columns, rows)


def answers(rows: Sequence[Row]) -> list[Listing]:
    """Actual prompts and answers."""
    columns = [
        text_column("task", lambda row: row["task"]),
        text_column("the prompt's end", lambda row: _end(row["prompt"])),
        text_column("right answer", lambda row: _start(row["target"])),
        text_column("the model's", lambda row: _start(row["output"]) or "(empty)"),
        text_column("score", lambda row: f"{number(row['score'])}", True),
    ]
    if not rows:
        return []
    return _some_and_all(f"Actual answers of {PurePath(rows[0]['model']).name}, drawn.", columns, rows)


def _some_and_all(caption: str, columns: Sequence[Any], rows: Sequence[Row]) -> list[Listing]:
    tasks = distinct(rows, "task")
    each = -(-ON_SCREEN // len(tasks))
    some = [row for task in tasks for row in _spread(picked(rows, task=task), each)][:ON_SCREEN]
    shown = [listing(caption, columns, some)]
    return shown if len(some) == len(rows) else [*shown, listing(f"All {len(rows)} that were drawn.", columns, rows)]


def _spread(rows: Sequence[Row], number: int) -> list[Row]:
    """So many of the rows, from the first to the last."""
    if number >= len(rows):
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / max(number - 1, 1))] for i in range(number)]


def _end(text: str) -> str:
    return text if len(text) <= LONGEST else f"… {text[-LONGEST:]}"


def _start(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
