"""A study's configuration: one TOML file, every key known and checked. ``python -m analysis settings`` prints this file's keys.

Paths are relative to the TOML file. A model, a tokenizer or an encoder is a folder where there is one of that name, else a
name on the Hugging Face hub.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from analysis.errors import ConfigError
from analysis.settings import read_toml, setting, settings_from

Statistic = Literal["spearman", "pearson", "kendall_distance", "partial_spearman"]
Mode = Literal["strict", "paper", "reference-code"]
CorpusModel = Literal["taskgram", "infgram", "kneser_ney", "stupid_backoff", "unigram"]
Metric = Literal["exact_match", "accuracy", "bleu", "final_answer"]


def _check(holds: bool, where: str, found: object, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{where} is {found!r}; expected {expected}")


@dataclass(frozen=True)
class Study:
    """What holds for all of it."""

    title: str = setting("Heading of the report.", "Distributional memorization")
    folder: str = setting("Where all tables and the report go.", "study")
    seed: int = setting("Of every sample and resampling.", 0)
    confidence: float = setting("Level of all intervals.", 0.95)
    resamples: int = setting("Bootstrap and permutation resamples.", 2000)

    def __post_init__(self) -> None:
        _check(0 < self.confidence < 1, "study.confidence", self.confidence, "a number between 0 and 1, as 0.95")
        _check(self.resamples > 0, "study.resamples", self.resamples, "a number above 0")


@dataclass(frozen=True)
class Index:
    """The corpus: an index that is there, or the sources to build it from."""

    path: str = setting("Folder of the index; its tokenizer is words, so that n-grams are word n-grams.")
    sources: tuple[str, ...] = setting("Build it of these (files, folders, globs, hf:NAME) unless it is there.", ())
    memory: str = setting('Memory a build may use, as "16GiB"; "" for half of what there is.', "")
    text_field: str = setting("Field of a record that holds its text.", "text")


@dataclass(frozen=True)
class Task:
    """One task: its examples, how pairs are mined from them, how answers are scored."""

    name: str = setting("Its name in tables and file names, each once.")
    kind: str = setting('Its format: "triviaqa", "mmlu", "gsm8k", "wmt09" or "jsonl".')
    source: tuple[str, ...] = setting("Files or folders, or a data set's name on the hub.")
    gamma: Mapping[int, float] = setting(
        "γ for each n: pairs of n words whose similarity is above it count, as {3 = 0.75, 5 = 0.65}."
    )
    split: str = setting('Split of the source; "" for the task\'s own.', "")
    subsets: tuple[str, ...] = setting("Subjects or language pairs; none for all.", ())
    template: str = setting('Prompt with {input}; "" for the task\'s own.', "")
    shots: int = setting("Worked examples before the question.", 0)
    limit: int = setting("Examples to draw; 0 for all.", 0)
    mine_from: tuple[str, ...] = setting("Files of the same kind that pairs are mined from; none for the examples themselves.", ())
    mine_limit: int = setting("Examples to draw from these; 0 for all.", 0)
    target: Literal["ngrams", "whole"] = setting("What of the answer is y: its n-grams, or all of it.", "ngrams")
    sensitivity: tuple[float, ...] = setting("Other γ at which correlations are computed too, for every n.", ())
    statistic: Statistic = setting("What the first figure shows of this task.", "spearman")
    aliases: bool = setting("Documents that hold any alias of an answer hold the answer.", False)
    metric: str = setting('How answers are scored: exact_match, accuracy, bleu, final_answer; "" generates nothing.', "")
    max_tokens: int = setting("Tokens that a model may write.", 32)
    stop: tuple[str, ...] = setting("Texts that end an answer.", ("\n",))

    def __post_init__(self) -> None:
        where = f"task {self.name}: "
        _check(bool(self.name) and not set(self.name) & set("/\\@*?"), "a task's name", self.name, "text that can name a file")
        _check(len(self.source) > 0, where + "source", list(self.source), "at least one file or data set")
        _check(len(self.gamma) > 0, where + "gamma", dict(self.gamma), "a γ for at least one n, as {3 = 0.75}")
        _check(all(n > 0 for n in self.gamma), where + "gamma", dict(self.gamma), "n of 1 or more")
        for gamma in (*self.gamma.values(), *self.sensitivity):
            _check(-1 <= gamma <= 1, where + "gamma", gamma, "a cosine, between -1 and 1")
        _check(not self.template or "{input}" in self.template, where + "template", self.template, "text that holds {input}")
        metrics = ("", "exact_match", "accuracy", "bleu", "final_answer")
        _check(self.metric in metrics, where + "metric", self.metric, f"one of {', '.join(metrics[1:])}, or nothing")
        _check(self.max_tokens > 0, where + "max_tokens", self.max_tokens, "a number above 0")
        for key in ("shots", "limit", "mine_limit"):
            _check(getattr(self, key) >= 0, where + key, getattr(self, key), "0 or more")


@dataclass(frozen=True)
class Model:
    """One language model, at its last state and on the way there."""

    name: str = setting("A folder, or a name on the Hugging Face hub.")
    revision: str = setting('The state that is scored and that writes; "" for the last.', "")
    checkpoints: tuple[str, ...] = setting(
        "Revisions (or subfolders) before it, oldest first: scored, and summed over for influence.", ()
    )
    device: str = setting("auto, cpu, cuda or mps.", "auto")
    dtype: str = setting("auto, float32, bfloat16 or float16.", "auto")
    batch_tokens: int = setting("Tokens of a batch that is scored.", 8192)
    batch_size: int = setting("Prompts of a batch that is continued.", 16)
    generate: bool = setting("Let it write answers; false only scores pairs.", True)


@dataclass(frozen=True)
class Mining:
    """How pairs are mined from examples."""

    encoder: str = setting("What embeds n-grams: a sentence encoder's folder or name.")
    prefix: str = setting('Put before each n-gram, as "query: " for E5.', "")
    device: str = setting("Where it runs.", "cpu")
    batch_size: int = setting("N-grams of a batch.", 256)
    stop_words: bool = setting("Drop n-grams that are stop words alone.", True)


@dataclass(frozen=True)
class Counting:
    """How pairs are counted in the corpus."""

    window: int = setting("Count documents where both start within so many words; 0 for anywhere in the document.", 0)


@dataclass(frozen=True)
class CorpusModels:
    """The models of the corpus that are compared with the language models."""

    names: tuple[CorpusModel, ...] = setting("Which.", ("taskgram", "infgram", "unigram"))
    smoothing: float = setting("Added to the counts of the task-gram model.", 0.0)
    order: int = setting("Order of kneser_ney and stupid_backoff.", 5)


@dataclass(frozen=True)
class Correlate:
    """Distributional memorization."""

    statistics: tuple[Statistic, ...] = setting("Which.", ("spearman", "partial_spearman", "kendall_distance"))
    modes: tuple[Mode, ...] = setting(
        "strict first: what the report's main figures show is the first.", ("strict", "paper", "reference-code")
    )
    by_subset: bool = setting("Also for each subject or language pair by itself.", False)


@dataclass(frozen=True)
class Performance:
    """Task score against pair counts."""

    bins: int = setting("Of equally many examples each.", 8)


@dataclass(frozen=True)
class Novelty:
    """What generated text holds that the corpus does not."""

    ns: tuple[int, ...] = setting("Lengths of n-grams.", (1, 2, 3, 4, 5))


@dataclass(frozen=True)
class Contamination:
    """Examples that stand in the corpus."""

    ns: tuple[int, ...] = setting("Lengths of n-grams.", (8, 14))


@dataclass(frozen=True)
class Influence:
    """Gradients of documents against gradients of examples. Left out of the file, it is left out of the study."""

    documents: int = setting("Documents of each of the two groups.", 50)
    max_length: int = setting("Tokens of a document around the pair.", 512)
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())
    models: tuple[str, ...] = setting("Which models; none for all.", ())


@dataclass(frozen=True)
class Prompts:
    """Prompts rewritten to raise or lower pair counts. Left out of the file, it is left out of the study."""

    proposer: str = setting('What rewrites: "edits" (word edits, no model), or an instruction model\'s folder or name.', "edits")
    iterations: int = setting("Proposals for each goal.", 100)
    n: int = setting("Length of n-grams.", 3)
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())


@dataclass(frozen=True)
class Dose:
    """Facts that were planted at known frequencies. Left out of the file, it is left out of the study."""

    planted: str = setting("The file of planted facts that the lab writes.")
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())


@dataclass(frozen=True)
class Config:
    """A whole study."""

    study: Study = setting("What holds for all of it.", Study())
    index: Index = setting("The corpus.")
    tasks: tuple[Task, ...] = setting("A task; one or more.")
    models: tuple[Model, ...] = setting("A language model; one or more, smallest first.")
    mining: Mining = setting("How pairs are mined.")
    counting: Counting = setting("How pairs are counted.", Counting())
    corpus_models: CorpusModels = setting("Models of the corpus.", CorpusModels())
    correlate: Correlate = setting("Distributional memorization.", Correlate())
    performance: Performance = setting("Task score by pair counts.", Performance())
    novelty: Novelty = setting("What is new in generated text.", Novelty())
    contamination: Contamination = setting("Examples in the corpus.", Contamination())
    influence: Influence | None = setting("Gradients of documents against those of examples; only if given.", None)
    prompts: Prompts | None = setting("Rewritten prompts; only if given.", None)
    dose: Dose | None = setting("Planted facts; only if given.", None)

    def __post_init__(self) -> None:
        _check(len(self.tasks) > 0, "tasks", [], "at least one [[tasks]]")
        _check(len(self.models) > 0, "models", [], "at least one [[models]]")
        _each_once([task.name for task in self.tasks], "tasks")
        _each_once([f"{model.name}@{model.revision}" for model in self.models], "models")
        for part, name in ((self.influence, "influence"), (self.prompts, "prompts"), (self.dose, "dose")):
            if part is not None:
                _known(part.tasks, [task.name for task in self.tasks], f"{name}.tasks")
        if self.influence is not None:
            _known(self.influence.models, [model.name for model in self.models], "influence.models")


def _each_once(names: list[str], where: str) -> None:
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ConfigError(f"{where}: {twice[0]!r} is there twice; each needs a name of its own")


def _known(asked: Iterable[str], names: list[str], where: str) -> None:
    for name in asked:
        _check(name in names, where, name, f"one of {', '.join(names)}")


def load_config(path: Path) -> Config:
    """Read a study's TOML file, with its relative paths made to start from the file's folder.

    Raises
    ------
    ConfigError
        No such file, no TOML, an unknown or missing key, a value that cannot be.
    """
    try:
        config = settings_from(Config, read_toml(path), "")
    except ConfigError as error:
        raise ConfigError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    return _resolved(config, path.parent)


def _resolved(config: Config, base: Path) -> Config:
    def path(name: str) -> str:
        return str(base / name)

    def either(name: str) -> str:
        return path(name) if is_path(name) or (base / name).exists() else name

    def all_of(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(either(name) for name in names)

    return replace(
        config,
        study=replace(config.study, folder=path(config.study.folder)),
        index=replace(
            config.index,
            path=path(config.index.path),
            sources=tuple(name if name.startswith("hf:") else path(name) for name in config.index.sources),
        ),
        tasks=tuple(replace(task, source=all_of(task.source), mine_from=all_of(task.mine_from)) for task in config.tasks),
        models=tuple(replace(model, name=either(model.name)) for model in config.models),
        mining=replace(config.mining, encoder=either(config.mining.encoder)),
        influence=config.influence and replace(config.influence, models=all_of(config.influence.models)),
        prompts=config.prompts and replace(config.prompts, proposer=either(config.prompts.proposer)),
        dose=config.dose and replace(config.dose, planted=path(config.dose.planted)),
    )


def is_path(name: str) -> bool:
    """Whether a name can only be a path, so that nothing of that name means that a file is missing."""
    return (
        name.startswith((".", "/", "~"))
        or name.count("/") > 1
        or Path(name).suffix in {".jsonl", ".csv", ".json", ".parquet", ".gz", ".zst"}
    )


def check_inputs(config: Config) -> None:
    """Refuse a study whose files are not there, before an hour is spent on the others.

    Raises
    ------
    ConfigError
        Names all that are missing.
    """
    named = [(f"task {task.name}", name) for task in config.tasks for name in (*task.source, *task.mine_from)]
    named += [("models", model.name) for model in config.models] + [("mining.encoder", config.mining.encoder)]
    if config.dose is not None:
        named.append(("dose.planted", config.dose.planted))
    missing = [f"{where}: {name}" for where, name in named if is_path(name) and not Path(name).exists()]
    if not config.index.sources and not Path(config.index.path).exists():
        missing.append(f"index.path: {config.index.path} (and no index.sources to build it from)")
    if missing:
        raise ConfigError("files that the study reads do not exist: " + "; ".join(missing))


def lowest_gamma(task: Task) -> float:
    """The least similarity that the study looks at."""
    return min(*task.gamma.values(), *task.sensitivity, math.inf)
