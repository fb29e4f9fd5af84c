"""Tables of a study that never ran, in the schemas of the real ones: for tests of what only reads tables."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pyarrow as pa

from analysis import schemas
from analysis.tables import table_of

TASKS = {"triviaqa": {3: 0.75, 5: 0.65}, "mmlu": {3: 0.75}, "gsm8k": {3: 0.75}}
STATISTIC = {"gsm8k": "kendall_distance"}
MODELS = {"ladder/14m": 14_000_000, "ladder/70m": 70_000_000, "ladder/410m": 410_000_000, "ladder/1.4b": 1_400_000_000}
STEPS = {"step100": 100, "step1000": 1000, "": 10_000}
WIDTH = 0.08


def model_columns(name: str, revision: str = "") -> dict[str, Any]:
    return {"model": name, "revision": revision, "num_parameters": MODELS[name], "step": STEPS[revision]}


def interval(estimate: float, width: float = WIDTH) -> dict[str, float]:
    return {"estimate": estimate, "low": estimate - width, "high": estimate + width, "confidence": 0.95}


def study_tables(seed: int = 0) -> dict[str, pa.Table]:
    """All kinds that the report reads, random but of plausible sizes."""
    rng = np.random.default_rng(seed)
    last = list(MODELS)[-1]
    states = [(name, "") for name in MODELS] + [(last, revision) for revision in STEPS if revision]
    size = {"num_pairs": 1200, "num_examples": 300}

    def about(low: float, high: float, width: float = WIDTH) -> dict[str, float]:
        return interval(float(rng.uniform(low, high)), width)

    pairs = [(task, n, gamma) for task, gammas in TASKS.items() for n, gamma in gammas.items()]
    measures = list(product(("spearman", "partial_spearman", "kendall_distance"), ("strict", "paper")))
    correlations = [
        {"task": task, "subset": "", **model_columns(*state), "corpus_model": corpus_model, "n": n, "gamma": gamma,
         "statistic": statistic, "mode": mode, "pair_set": pair_set, **about(-0.1, 0.5),
         "p_value": float(rng.choice([1e-5, 0.04, 0.5])), **size, "num_pairs": 1200 if pair_set == "common" else 1300}
        for task, n, main in pairs for gamma in (main, 0.5, 0.9) for state in states
        for corpus_model in ("taskgram", "infgram", "unigram") for statistic, mode in measures for pair_set in ("common", "own")
    ]  # fmt: skip
    differences = [
        {"task": task, "subset": "", **model_columns(name), "corpus_model": "taskgram", "against": against, "n": n, "gamma": gamma,
         "statistic": statistic, "mode": "strict", **about(-0.2, 0.4), **size}
        for task, n, gamma in pairs for name in MODELS for against in ("infgram", "unigram")
        for statistic in ("spearman", "partial_spearman", "kendall_distance")
    ]  # fmt: skip
    task_scores = [
        {"task": task, "subset": "", **model_columns(name), "metric": metric, "chance": 0.25, **about(0.1, 0.9),
         "num_examples": 300}
        for task in TASKS for name in MODELS for metric in ("bleu", "corpus_bleu")
    ]  # fmt: skip
    bins = list(pairwise([0, 1, 4, 16, 260, 5000, float("inf")]))
    performance = [
        {"task": task, "subset": "", **model_columns(name), "metric": "exact_match", "n": n, "bin_low": low, "bin_high": high,
         **about(0.1, 0.9), "num_examples": 60}
        for task, n, _ in pairs for name in MODELS for low, high in bins
    ]  # fmt: skip
    novelty = [
        {"task": "wmt09", "subset": "", **model_columns(name), "unit": unit, "n": n, **about(0, 1, 0.02), "num_ngrams": 5000,
         "num_examples": 300}
        for name in MODELS for unit in ("pair", "ngram", "reference_ngram", "fluent_ngram") for n in (1, 2, 3)
    ]  # fmt: skip
    influence = [
        {"task": task, "subset": "", **model_columns(last), "group": group, **about(0, 3, 0.3), "num_pairs": 40, "num_documents": 9}
        for task in TASKS for group in ("pair", "output_only", "difference")
    ]  # fmt: skip
    prompts = [
        {"task": "triviaqa", "goal": goal, "iteration": i, "prompt": f"Answer <{goal}> & say {i}.", "score": 10.0**i,
         "fluency": -5.0, "accepted": i % 2 == 0}
        for goal in ("memorize", "generalize") for i in range(5)
    ]  # fmt: skip
    contamination = [
        {"task": task, "subset": "", "n": n, "part": part, **interval(0.1, 0.03), "num_examples": 300}
        for task in TASKS for n in (8, 14) for part in ("input", "target", "both")
    ]  # fmt: skip
    doses = [
        {"task": "triviaqa", **model_columns(*state), "documents": dose, "response": response, **about(0, 1), "num_examples": 20}
        for state in states for dose in (0, 1, 4, 16, 64, 256) for response in ("log_prob", "exact_match")
    ]  # fmt: skip
    reasons = ["mine same_ngram", "mine stop_words", "mine below_gamma", "count no_document", "count kept"]
    drops = [
        {"task": task, "subset": "", "n": n, "reason": reason, "stage": stage, "num_pairs": int(rng.integers(1, 100_000)),
         "num_examples": 200}
        for task, n, _ in pairs for stage, reason in map(str.split, reasons)
    ]  # fmt: skip
    priors = [
        {"task": task, "subset": "", **model_columns(name), "n": n, "gamma": gamma, "statistic": STATISTIC.get(task, "spearman"),
         "mode": "strict", "compared": compared, **about(0, 0.6), "p_value": 0.01, **size}
        for task, n, gamma in pairs for name in MODELS for compared in ("conditional", "pmi", "prior")
    ]  # fmt: skip
    threshold = {"task": "triviaqa", "subset": "", "metric": "exact_match", "n": 3, "frequency": "pairs"}
    thresholds = [
        {**threshold, **model_columns(name), "quantity": quantity, **found, "confidence": 0.95, "p_value": 0.01,
         "num_examples": 300, "num_right": 100}
        for name in MODELS
        for quantity, found in (("slope", {"estimate": 1.0, "low": 0.5, "high": 1.5}),
                                ("half", {"estimate": 1e9 / MODELS[name], "low": 0.0, "high": float("inf")}))
    ]  # fmt: skip
    threshold_trends = [
        {**threshold, "family": "ladder", "revision": "", **interval(-1.0), "p_value": 0.04, "num_models": 4, "num_examples": 300}
    ]  # fmt: skip
    similarities = [
        {"task": task, "n": n, "gamma": gamma, "num_above": int(1e5 * (1 - gamma) ** 4), "num_pairs": 100_000}
        for task, n, _ in pairs for gamma in (0.0, 0.25, 0.5, 0.75, 0.9)
    ]  # fmt: skip
    example = {"example_id": "t-1", "task": "triviaqa", "subset": ""}
    shown_pairs = [
        {**example, "n": 3, "x": f"who wrote {i}", "y": "an author", "similarity": 0.8, "pair_documents": 10 - i, "x_documents": 20,
         "y_documents": 30, "corpus_log_prob": -0.5 - i, **model_columns(last), "log_prob": -1.0 - i}
        for i in range(12)
    ]  # fmt: skip
    shown_answers = [
        {**example, "prompt": "Question: who?\nAnswer: ", "target": "an author", **model_columns(last), "output": "no one",
         "metric": "exact_match", "score": 0.0}
    ]  # fmt: skip
    traces = [
        {**example, **model_columns(last), "output": "no one knows it", "start": 0, "stop": 12, "num_words": 3, "occurrences": 7,
         "document_id": 1, "path": "a.jsonl", "line": 2, "left": "before", "right": "after"}
    ]  # fmt: skip
    learning = [
        {**model_columns(*state), "n": n, **about(0, 9), "num_positions": 500, "num_examples": 100}
        for state in states for n in (0, 1, 2, 3)
    ]  # fmt: skip
    told = [
        {"task": "triviaqa", **model_columns(last), "documents": dose, "response": response, **about(-9, 0), "num_examples": 20}
        for dose in (1, 10, 100) for response in ("told", "untold", "memorization")
    ]  # fmt: skip
    agreement = [
        {"task": "triviaqa", **model_columns(last) | {"model": model}, **about(0.4, 0.8), "p_value": 0.001, **size}
        for model in ("planted documents", last)
    ]  # fmt: skip
    prompt_scores = [
        {"task": "triviaqa", **model_columns(last), "goal": goal, "prompt": "Say <it>.", "metric": "exact_match", **about(0, 1),
         "num_examples": 300}
        for goal in ("start", "memorize", "generalize", "difference")
    ]  # fmt: skip
    made = {
        "correlations": (correlations, schemas.CORRELATIONS),
        "differences": (differences, schemas.DIFFERENCES),
        "task_scores": (task_scores, schemas.TASK_SCORES),
        "performance": (performance, schemas.PERFORMANCE),
        "novelty": (novelty, schemas.NOVELTY),
        "influence": (influence, schemas.INFLUENCE),
        "prompts": (prompts, schemas.PROMPTS),
        "contamination": (contamination, schemas.CONTAMINATION),
        "dose_response": (doses, schemas.DOSE_RESPONSE),
        "prior_aware": (priors, schemas.PRIOR_AWARE),
        "thresholds": (thresholds, schemas.THRESHOLDS),
        "threshold_trends": (threshold_trends, schemas.THRESHOLD_TRENDS),
        "similarities": (similarities, schemas.SIMILARITIES),
        "traces": (traces, schemas.TRACES),
        "learning_curves": (learning, schemas.LEARNING_CURVES),
        "counterfactual_doses": (told, schemas.DOSE_RESPONSE),
        "counterfactual_agreement": (agreement, schemas.COUNTERFACTUAL_AGREEMENT),
        "prompt_scores": (prompt_scores, schemas.PROMPT_SCORES),
        "shown_pairs": (shown_pairs, schemas.SHOWN_PAIRS),
        "shown_answers": (shown_answers, schemas.SHOWN_ANSWERS),
        "drops": (drops, schemas.DROPS),
    }
    return {kind: table_of(rows, schema) for kind, (rows, schema) in made.items()}
