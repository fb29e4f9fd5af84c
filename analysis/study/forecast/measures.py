"""What both sides are put beside each other in: seconds are resamples of pairs, n-grams that are looked up, and tables."""

from collections.abc import Iterator, Mapping, Sequence

from analysis.config import Config
from analysis.study.forecast.corpus import CHARACTERS, PER_NGRAM, PER_PAIR
from analysis.study.forecast.sizes import TaskSizes
from analysis.study.forecast.work import Work
from analysis.study.pipeline import Stage

RESAMPLED = {"pearson": 1e-7, "spearman": 1.6e-7, "partial_spearman": 3e-7, "kendall_distance": 3e-7}
"""Seconds of a pair in a resample: three bootstraps, of both ways of clustering and of their intersections, and a permutation."""
OF_MEAN = 3e-8
"""Seconds of an example in a resample of a mean."""
SEEN = 0.2
"""Of the pairs above the least γ those above the study's that a model of the corpus scores: 0.01 to 0.3 in ``families.toml``."""
CHARACTERS_OF_WORD, PROMPT_NGRAMS = 6.0, 8


def measuring(config: Config, waiting: Mapping[str, Sequence[Stage]], sizes: Mapping[str, TaskSizes]) -> Iterator[Work]:
    """Measures of which a stage is waiting and that take longer than their tables, without what language models do in them."""
    resamples = config.study.resamples
    if "correlate" in waiting:
        seconds = sum(correlating(config, stage, sizes) for stage in waiting["correlate"])
        yield _counting("correlate", seconds, sum(of.pairs for of in sizes.values()))
    if "performance" in waiting:
        examples = sum(of.examples for of in sizes.values()) * len(config.models)
        yield _counting("performance", OF_MEAN * resamples * examples * (2 + config.performance.bins), examples)
    if "novelty" in waiting:
        yield _counting("novelty", _looked_up(config, sizes, waiting["novelty"]))
    if "prompts" in waiting and (chosen := config.prompts):
        targets = sum(of.targets for name, of in sizes.items() if not chosen.tasks or name in chosen.tasks)
        yield _counting("prompts", 2 * chosen.iterations * targets * (PER_NGRAM + PROMPT_NGRAMS * PER_PAIR), 2 * chosen.iterations)


def _counting(command: str, seconds: float, texts: int = 0) -> Work:
    return Work(command, "", texts, 0, seconds, 0.0, 0.0, 0.0)


def correlating(config: Config, stage: Stage, sizes: Mapping[str, TaskSizes]) -> float:
    """Seconds of a stage of correlations: estimates, each of so many resamples of its pairs."""
    gammas, states = stage.settings.get("gammas", {}), stage.reads.get("model_scores", ())
    if not gammas or isinstance(states, Stage) or "resamples" not in stage.settings:
        return 0.0
    statistics = stage.settings.get("statistics") or [stage.settings["statistic"]]
    task = next(task for task in config.tasks if task.name in (stage.output.stem, stage.output.parent.name))
    pairs = sum(len(some) * sizes[task.name].ngrams[n].pairs for n, some in gammas.items())
    models = len(config.corpus_models.names)  # each on the common pairs, and on its own
    estimates = len(states) * sum(RESAMPLED[name] for name in statistics) * (1 + stage.settings.get("by_subset", False))
    return float(estimates * stage.settings["resamples"] * SEEN * pairs * (models + 1))


def _looked_up(config: Config, sizes: Mapping[str, TaskSizes], waiting: Sequence[Stage]) -> float:
    """Seconds to look up the n-grams of answers and of their pairs with those of inputs."""
    total = 0.0
    for task in (task for task in config.tasks if task.name in {stage.output.stem for stage in waiting}):
        of, longest = sizes[task.name], max(task.max_tokens, 32) * CHARACTERS / CHARACTERS_OF_WORD
        written = of.examples * longest * len(config.models) + of.targets
        total += len(config.novelty.ns) * written * (PER_NGRAM + PER_PAIR * of.inputs / max(of.examples, 1))
    return total
