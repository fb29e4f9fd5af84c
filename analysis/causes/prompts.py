"""Prompts rewritten to raise, or to lower, how often the corpus says them together with a task's answers."""

import logging
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from tqdm import tqdm

import suffixindex as si
from analysis.causes.proposers import Goal, Proposer, Trial
from analysis.errors import ConfigError, MeasureError
from analysis.ngrams import word_spans
from analysis.pairs.word_index import WordIds
from analysis.schemas import PROMPTS
from analysis.tables import table_of

log = logging.getLogger(__name__)

SHOWN_EXAMPLES = 3
SPLIT = 1 << 12  # targets' n-grams that are asked about at a time


def optimize(
    task_examples: pa.Table,
    index: "si.SuffixIndex",
    *,
    goal: Goal,
    proposer: Proposer,
    iterations: int = 100,
    n: int = 3,
    seed: int = 0,
    start: str = "Answer the following question as briefly as you can.",
    fluency: float = 1.0,
) -> pa.Table:
    """Climb: of each proposal that scores better than the best so far, the next ones are made.

    The score of a prompt u is the mean of C((s^u, s^y)), the documents that hold both, over the pairs of its n-grams with the
    n-grams of an example's target, and over the examples: G_n(u) × G_n(y), where a target of fewer than n words is one n-gram.
    A mean, since the sum Σ C(pair) of arXiv 2407.14985 grows with the prompt's length.

    Parameters
    ----------
    task_examples
        EXAMPLES of one task. Targets without a word are left out.
    index
        Of ``words``.
    goal
        "memorize" raises the score, "generalize" lowers it.
    proposer
        See :mod:`analysis.causes.proposers`.
    iterations
        Proposals.
    n
        Words of an n-gram.
    seed
        Draws the examples that a proposer is shown.
    start
        The prompt to begin with.
    fluency
        Nats a word by which :func:`prompt_fluency` of a prompt may lie below that of ``start``; below 0: any prompt may win, and
        what wins is often no sentence.

    Returns
    -------
    pa.Table
        PROMPTS: iteration 0 is ``start``, then a row for each proposal. A proposal of fewer than n words has the score nan
        and is not accepted. The last accepted row is the prompt that was found.

    Raises
    ------
    ConfigError
        An unknown goal, a number below 1, an index of other tokens, or a start of fewer than n words.
    MeasureError
        No example has a word in its target, or the examples are of several tasks.
    ModelError
        The proposer failed.
    """
    if goal not in ("memorize", "generalize") or iterations < 1 or n < 1:
        raise ConfigError(f"goal {goal!r}, iterations {iterations}, n {n}: expected 'memorize' or 'generalize', and 1 or more")
    if (kind := index.info()["tokenizer"]["kind"]) != "words":
        raise ConfigError(f"the index {index.path} is of {kind}: prompts are scored by words; build one with --tokenizer words")
    tasks = sorted(set(task_examples["task"].to_pylist()))
    if len(tasks) != 1:
        raise MeasureError(f"the examples are of {len(tasks)} tasks: expected one, whose prompt is rewritten")
    targets = task_examples["target"].to_pylist()
    score, fluent = prompt_score(targets, index, n), prompt_fluency(index)
    best, least = Trial(start, score(start)), fluent(start) - fluency if fluency >= 0 else -np.inf
    if np.isnan(best.score):
        raise ConfigError(f"the prompt to start with, {start!r}, has fewer than {n} words")
    drawn = np.random.default_rng(seed).permutation(len(targets))[:SHOWN_EXAMPLES].tolist()
    shown = [(task_examples["input"][place].as_py(), targets[place]) for place in drawn]
    accepted = [best]
    rows = [(best, True)]
    for iteration in tqdm(range(1, iterations + 1), desc=goal, unit=" prompts", disable=None):
        prompt = proposer.propose(accepted, shown, goal, iteration)
        trial = Trial(prompt, score(prompt))
        better = trial.score > accepted[-1].score if goal == "memorize" else trial.score < accepted[-1].score
        better = better and fluent(prompt) >= least
        rows.append((trial, better))
        if better:
            accepted.append(trial)
            log.info("iteration %d of %d: %.6g by %r", iteration, iterations, trial.score, prompt)
    columns = {"task": tasks[0], "goal": goal}
    told = [
        {**columns, "iteration": i, **trial._asdict(), "fluency": fluent(trial.prompt), "accepted": better}
        for i, (trial, better) in enumerate(rows)
    ]
    return table_of(told, PROMPTS)


def prompt_score(targets: list[str], index: "si.SuffixIndex", n: int) -> Callable[[str], float]:
    """The score of a prompt for these targets, see :func:`optimize`; nan for one of fewer than n words.

    A prompt costs one call for the documents that hold both, of all its n-grams and all the targets'.

    Raises
    ------
    MeasureError
        No target has a word.
    """
    numbers: dict[str, int] = {}
    of_targets = []
    for target in targets:
        words = word_spans(target)
        if found := words.ngrams(n) or words.whole():
            of_targets.append([numbers.setdefault(ngram, len(numbers)) for ngram in found])
    if not of_targets:
        raise MeasureError("no target has a word: nothing can be counted together with the prompt")
    weights = np.zeros(len(numbers))  # of each n-gram of targets: the mean over examples of the mean over theirs
    for ngrams in of_targets:
        weights[ngrams] += 1 / (len(ngrams) * len(of_targets))
    columns = list(numbers)

    def score(prompt: str) -> float:
        rows = list(word_spans(prompt).ngrams(n))
        if not rows:
            return float("nan")
        total = 0.0
        for first in range(0, len(columns), SPLIT):
            counts = index.cooccurrence_matrix(rows, columns[first : first + SPLIT])
            total += float(counts.mean(axis=0) @ weights[first : first + SPLIT])
        return total

    return score


def prompt_fluency(index: "si.SuffixIndex") -> Callable[[str], float]:
    """Mean log P of a prompt's words by interpolated Kneser–Ney of three words on the corpus; nan without words.

    A word that the corpus does not hold counts as half an occurrence, so that one name does not make a prompt impossible.
    """
    model, words, least = si.lm.KneserNey(index, 3), WordIds(index), -np.log(2 * max(index.num_tokens, 1))
    known: dict[str, float] = {}

    def fluency(prompt: str) -> float:
        if prompt not in known:
            ids = np.array(words.ids(word_spans(prompt).words), np.int64)
            known[prompt] = float(np.maximum(model.log_probs(ids), least).mean()) if len(ids) else float("nan")
        return known[prompt]

    return fluency
