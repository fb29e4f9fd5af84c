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
        {"task": task, "subset": "", **model_columns(name), "metric": metric, **about(0.1, 0.9), "num_examples": 300}
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
         "accepted": i % 2 == 0}
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
        "drops": (drops, schemas.DROPS),
    }
    return {kind: table_of(rows, schema) for kind, (rows, schema) in made.items()}
