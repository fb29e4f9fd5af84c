"""The report's sections in order: which figures and tables each has, and the sentence where a run has none."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from analysis.measures.modes import told
from analysis.measures.output_flaws import worries
from analysis.report import behaviour, cause_listings, causes, frequency, learning, listings, memorization
from analysis.report.listings import Listing
from analysis.report.numbers import number
from analysis.report.selection import Row, StudyChoices, Tables, distinct, final, picked, whole


class Figure(NamedTuple):
    """A figure to draw, the name of its files, and its caption."""

    name: str
    caption: str
    draw: Callable[[], Any]


class Section(NamedTuple):
    """A heading, what to know before looking, and what there is to look at; ``absent`` says what a run lacks for it."""

    title: str
    text: str
    figures: Sequence[Figure] = ()
    listings: Sequence[Listing] = ()
    absent: str = ""


def sections(tables: Tables, study: StudyChoices) -> list[Section]:
    """All sections; one whose table this run has not is its title and what is lacking."""
    makers = [_memorization, _differences, _priors, _sensitivity, _training, _learning, _task_scores, _performance, _thresholds]
    makers += [_novelty, _traces, _dose, _counterfactual, _influence, _prompts, _contamination, _drops]
    return [make(tables, study) for make in makers]


def _absent(title: str, what: str) -> Section:
    return Section(title, "", absent=what)


def left_out(told: Sequence[Section]) -> str:
    """All that a run has nothing for, in one sentence; "" if there is nothing of the kind."""
    lacking = [f"{section.title} (no {section.absent})" for section in told if section.absent]
    return f"Left out, since this run has no table of it: {'; '.join(lacking)}." if lacking else ""


def _interval(study: StudyChoices) -> str:
    return f"Bars are {study.confidence:.0%} intervals; one that an arrow at the edge marks goes on beyond it."


def _memorization(tables: Tables, study: StudyChoices) -> Section:
    title = "Distributional memorization against model size"
    rows = tables.get("correlations", ())
    main = [row for task in study.tasks for row in memorization.main_rows(rows, study, task)]
    if not main:
        return _absent(title, "correlations at the study's γ")
    common, own = picked(main, pair_set="common"), picked(main, pair_set="own")
    tail = f"Of the task-gram model's own pairs. {_interval(study)}"
    figures = [
        Figure(
            "memorization-by-size",
            "What the corpus says against what the model says of the same pairs, by model size, for the task-gram model "
            "and beside it the other models of the corpus, all on the pairs that each of these gives a probability. "
            f"Mode {study.mode}. {_interval(study)}",
            lambda: memorization.by_model_size(rows, study),
        )
    ]
    if len(set(distinct(rows, "statistic")) - {"kendall_distance"}) > 1:
        figures.append(
            Figure(
                "memorization-controls",
                "The task-gram model's correlation beside the partial one, which takes out how frequent x and y are and how long y "
                f"is. Mode {study.mode}. {tail}",
                lambda: memorization.by_control(rows, study),
            )
        )
    if len(distinct(rows, "mode")) > 1:
        figures.append(
            Figure(
                "memorization-modes",
                f"The same measure under other readings of the definitions: {'; '.join(map(told, distinct(rows, 'mode')))}. {tail}",
                lambda: memorization.by_mode(rows, study),
            )
        )
    text = (
        "Each estimate is a rank correlation over mined pairs (x, y) between log P(y | x) by the corpus and log P(y | prompt, x) "
        "by the model. Above zero, the model's answers follow the corpus. The Kendall distance is a half where they are "
        f"unrelated, and less where they agree. Mode {told(study.mode)}. {study.mining} Intervals are of resamples of examples, "
        "widened where several examples hold one pair; p-values are of exchanges of examples, and q is p after Benjamini "
        "and Hochberg over all p-values of this report. Estimates of fewer than ten examples are hollow."
    )
    counted = {_without_pair_set(row): row["num_pairs"] for row in common}
    lists = [listings.correlations([*common, *(row for row in own if row["num_pairs"] != counted.get(_without_pair_set(row)))])]
    if slopes := picked(whole(tables.get("size_trends", ())), trend="slope", pair_set="common"):
        lists.insert(0, listings.trends(slopes))
    return Section(title, text, figures, lists)


def _differences(tables: Tables, study: StudyChoices) -> Section:
    title = "The task-gram model against other models of the corpus"
    rows = final(whole(tables.get("differences", ())), study)
    if not rows:
        return _absent(title, "differences between models of the corpus")
    caption = (
        "The task-gram model's statistic less that of another model of the corpus, by model size. Both are of the same pairs, "
        f"and each resample draws both of the same examples. Mode {study.mode}. {_interval(study)}"
    )
    text = (
        "Two intervals that overlap do not say that two correlations are equal: what the pairs have in common moves both. These "
        "are intervals of the difference. Above zero, the model follows the task-gram model more; of the Kendall distance, below."
    )
    figures = [Figure("memorization-differences", caption, lambda: memorization.by_difference(rows, study))]
    return Section(title, text, figures, [listings.differences(rows)])


def _priors(tables: Tables, study: StudyChoices) -> Section:
    title = "Beyond what is likely anyway"
    rows = final(whole(tables.get("prior_aware", ())), study)
    if not rows:
        return _absent(title, "log-probabilities after a neutral prompt, [prior] in the configuration")
    text = (
        "A model finds a frequent y likely after any prompt, and the corpus does so too. So each side is held against its prior: "
        "PMI of the corpus, C(x, y) N / (C(x) C(y)), and of the model, P(y | prompt with x) / P(y | prompt without x). What is "
        "left of the correlation is about the pair, not about how common or easy y is."
    )
    caption = f"The correlation before and after the priors are taken out, by model size. Mode {study.mode}. {_interval(study)}"
    figures = [Figure("memorization-priors", caption, lambda: memorization.by_prior(rows, study))]
    return Section(title, text, figures, [listings.priors(rows)])


def _thresholds(tables: Tables, study: StudyChoices) -> Section:
    title = "How many documents a model needs"
    rows = final(whole(tables.get("thresholds", ())), study)
    if not rows:
        return _absent(title, "thresholds of answers that are right or wrong")
    text = (
        "The documents at which half of a model's answers are right, by a logistic curve over their logarithm (Kandpal et al. "
        "2023; Merullo et al. 2025). Where the slope could be zero the interval has no bound."
    )
    caption = f"The threshold by model size; an arrow where it is beyond {number(frequency.FARTHEST)} documents. {_interval(study)}"
    found = [row for row in rows if row["quantity"] == "half" and math.isfinite(row["estimate"])]
    figures = [Figure("thresholds", caption, lambda: frequency.thresholds_by_size(rows))] if found else []
    lists = [frequency.thresholds(rows)]
    if slopes := whole(tables.get("threshold_trends", ())):
        lists.insert(0, frequency.threshold_trends(slopes))
    return Section(title, text, figures, lists)


def _without_pair_set(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("task", "subset", "model", "revision", "corpus_model", "n"))


def _sensitivity(tables: Tables, study: StudyChoices) -> Section:
    title = "Sensitivity to γ and n"
    rows, similarities = tables.get("correlations", ()), tables.get("similarities", ())
    figures = []
    if picked(similarities, task={task.name for task in study.tasks}):
        figures.append(
            Figure(
                "gamma-calibration",
                "What each γ keeps of the pairs that mining compared; thin lines: 1, 5 and 10 %, which a γ is usually chosen by.",
                lambda: memorization.kept_by_gamma(similarities, study),
            )
        )
    if memorization.has_several_gammas(rows, study):
        figures.append(
            Figure(
                "sensitivity-gamma",
                "The task-gram model's main statistic, of its own pairs, against the similarity γ that a pair must exceed; the "
                f"dotted line is the study's γ. Mode {study.mode}. {_interval(study)}",
                lambda: memorization.by_gamma(rows, study),
            )
        )
    if any(len(task.gamma) > 1 and picked(rows, task=task.name) for task in study.tasks):
        figures.append(
            Figure(
                "sensitivity-n",
                "The task-gram model's main statistic, of its own pairs, against n, at each n's own γ. "
                f"Mode {study.mode}. {_interval(study)}",
                lambda: memorization.by_n(rows, study),
            )
        )
    return Section(title, "", figures) if figures else _absent(title, "correlations at several γ or n")


def _training(tables: Tables, study: StudyChoices) -> Section:
    title = "Distributional memorization along training"
    rows = tables.get("correlations", ())
    paths = [model for model in study.models if model.checkpoints]
    states = {(model.name, revision) for model in paths for revision in model.checkpoints}
    if not any((row["model"], row["revision"]) in states for row in rows):
        return _absent(title, "correlations of earlier checkpoints")
    caption = (
        "The task-gram model's main statistic, of its own pairs, at the checkpoints of each model. "
        f"Mode {study.mode}. {_interval(study)}"
    )
    figures = [Figure("memorization-by-step", caption, lambda: memorization.by_step(rows, study))]
    if len(distinct(rows, "corpus_model")) > 1:
        caption = (
            "Every model of the corpus along the training of the largest model that has checkpoints, on the pairs that all of them "
            f"score: which statistics of the corpus the model follows when. Mode {study.mode}. {_interval(study)}"
        )
        figures.append(Figure("corpus-models-by-step", caption, lambda: memorization.by_step_and_corpus_model(rows, study)))
    return Section(title, "", figures)


def _learning(tables: Tables, study: StudyChoices) -> Section:
    title = "Learning curves of n-grams"
    rows = tables.get("learning_curves", ())
    if not rows:
        return _absent(title, "divergence from n-gram distributions, [learning] in the configuration")
    text = (
        "Kullback–Leibler divergence of the corpus's exact next-token distribution after n − 1 tokens from the model's after the "
        "whole text, at drawn positions of the corpus. Where a curve has its least value the model is most like an n-gram model of "
        "that n; later it leaves it behind for longer contexts."
    )
    caption = f"By training step and by size. {_interval(study)}"
    return Section(
        title,
        text,
        [Figure("learning-curves", caption, lambda: learning.divergence(rows, study))],
        [learning.listed(rows)],
    )


def _task_scores(tables: Tables, study: StudyChoices) -> Section:
    title = "Task score against model size"
    rows = final(whole(tables.get("task_scores", ())), study)
    if not rows:
        return _absent(title, "task scores")
    caption = f"The mean score of all examples, by model size. {_interval(study)}"
    flaws = final(whole(tables.get("output_flaws", ())), study)
    text = " ".join(f"{each}." for each in worries(flaws))
    lists = [listings.task_scores(rows), *([listings.output_flaws(flaws)] if flaws else [])]
    return Section(title, text, [Figure("score-by-size", caption, lambda: behaviour.score_by_size(rows))], lists)


def _performance(tables: Tables, study: StudyChoices) -> Section:
    title = "Task score by pair counts"
    rows = final(whole(tables.get("performance", ())), study)
    if not rows:
        return _absent(title, "task scores by pair counts")
    caption = (
        "Score of the examples in each bin, by the documents that hold a pair, on average over an example's pairs. "
        f"{_interval(study)}"
    )
    scores = final(whole(tables.get("task_scores", ())), study)
    figures = [Figure("score-by-counts", caption, lambda: behaviour.score_by_counts(rows, study, scores))]
    return Section(title, "", figures, [listings.performance(rows)])


def _novelty(tables: Tables, study: StudyChoices) -> Section:
    title = "Novelty of what models write"
    rows = final(whole(tables.get("novelty", ())), study)
    if not rows:
        return _absent(title, "novelty")
    text = (
        "Shares of n-grams, and of pairs of an n-gram of the input and one of the output, that the corpus does not hold. Broken "
        "text is novel too, so beside them stand the shares among those whose parts the corpus does hold, and, dotted, those of "
        "the right answers."
    )
    figures = []
    for task in distinct(picked(rows, unit=set(behaviour.UNITS)), "task"):  # others have the right answers' shares alone
        caption = f"What models write in {task} that the corpus does not hold. {_interval(study)}"
        figures.append(Figure(f"novelty-{task}", caption, partial(behaviour.novelty_by_size, rows, task)))
    return Section(title, text, figures, [listings.novelty(rows)])


def _traces(tables: Tables, study: StudyChoices) -> Section:
    title = "Where answers stand in the corpus"
    rows = tables.get("traces", ())
    if not rows:
        return _absent(title, "span of the shown answers that the corpus holds")
    text = (
        "The longest runs of words of the shown answers that some document holds, the rarest first among equally long ones. A span "
        "says that these words were there to be learned, not that they were learned there."
    )
    return Section(title, text, (), [listings.traces(rows)])


def _dose(tables: Tables, study: StudyChoices) -> Section:
    title = "Dose and response"
    rows = tables.get("dose_response", ())
    if not rows:
        return _absent(title, "planted facts ([dose] in the configuration)")
    tail = f"{_interval(study)}"
    figures = [
        Figure(
            "dose-by-size",
            f"What each model says of facts, by the number of documents that were planted with each fact: known truth. {tail}",
            lambda: causes.dose_by_size(rows, study),
        )
    ]
    states = {(row["model"], row["revision"]) for row in rows}
    for model in reversed(study.models):
        if any((model.name, revision) in states for revision in model.checkpoints):
            caption = f"The same along the training of the largest model that has checkpoints. {tail}"
            figures.append(Figure("dose-by-step", caption, partial(causes.dose_by_step, rows, study, model)))
            break
    text = "Facts were planted in the corpus at known frequencies, so that the response has no other cause than the dose."
    lists = [cause_listings.doses(final(rows, study))]
    if rising := final(tables.get("dose_trends", ()), study):
        lists.insert(0, cause_listings.dose_agreement(rising, tables.get("counterfactual_agreement", ())))
    return Section(title, text, figures, lists)


def _counterfactual(tables: Tables, study: StudyChoices) -> Section:
    title = "Counterfactual memorization"
    rows = tables.get("counterfactual_doses", ())
    if not rows:
        return _absent(title, "models with and without each fact, [counterfactual] in the configuration")
    text = (
        "Models were trained on random halves of the planted facts, all else equal. What those say of a fact that were told it, "
        "less what the others say, has no cause but the documents that tell it (Zhang et al. 2023). The table says how well that "
        "is known from the dose, and from log P of a single model."
    )
    caption = f"Mean log P(y | prompt) of planted facts by dose, of models that were told them and of others. {_interval(study)}"
    figures = [Figure("counterfactual", caption, lambda: causes.told_by_dose(rows))]
    return Section(title, text, figures, [cause_listings.agreement(tables.get("counterfactual_agreement", ()))])


def _influence(tables: Tables, study: StudyChoices) -> Section:
    title = "Influence of documents that hold the pair"
    rows = causes.summed(tables.get("influence", ()), study)
    if not rows:
        return _absent(title, "influence ([influence] in the configuration)")
    caption = (
        "Inner product of the gradients of a document's and an example's loss on y, summed over checkpoints; documents that hold "
        f"the pair beside documents that hold y alone. {_interval(study)}"
    )
    figures = [Figure("influence", caption, lambda: causes.influence_by_group(rows, study))]
    return Section(title, "", figures, [cause_listings.influence(rows)])


def _prompts(tables: Tables, study: StudyChoices) -> Section:
    title = "Prompts that memorize and prompts that generalize"
    rows = tables.get("prompts", ())
    if not rows:
        return _absent(title, "rewritten prompts ([prompts] in the configuration)")
    text = (
        "Prompts were rewritten to raise (memorize) or lower (generalize) the mean count of their pairs in the corpus, within a "
        "bound on their fluency, and the models asked under both."
    )
    lists = [cause_listings.prompts(rows)]
    if scores := final(tables.get("prompt_scores", ()), study):
        lists.insert(0, cause_listings.prompt_scores(scores))
    return Section(title, text, (), lists)


def _contamination(tables: Tables, study: StudyChoices) -> Section:
    title = "Contamination"
    rows = whole(tables.get("contamination", ()))
    if not rows:
        return _absent(title, "contamination")
    return Section(title, "Examples that share an n-gram of n words with the corpus.", (), [listings.contamination(rows)])


def _drops(tables: Tables, study: StudyChoices) -> Section:
    title = "What was dropped, and why"
    rows = whole(tables.get("drops", ()))
    if not rows:
        return _absent(title, "dropped pairs")
    lists = [listings.drops(rows, "What was dropped on the way to the counts, stage by stage.")]
    if left_out := whole(tables.get("left_out", ())):
        lists.append(listings.drops(left_out, f"What the correlations leave out of these, by corpus model; mode {study.mode}."))
    if unread := [row for row in whole(tables.get("unread", ())) if row["reason"] != "kept"]:
        lists.append(
            listings.drops(
                unread, "What was too long for a language model, or is not in the files that stand in for one, and was left out."
            )
        )
    caption = (
        "Pairs that each reason took, stage by stage, and those kept (plain bars); γ is the least that the study looks at. "
        "Logarithmic: the figures stand at the bars."
    )
    return Section(title, "", [Figure("drops", caption, lambda: causes.drop_bars(rows, study))], lists)
