"""A study's configuration: one TOML file, every key known and checked. ``python -m analysis settings`` prints this file's keys.

Paths are relative to the TOML file. A model, a tokenizer or an encoder is a folder where there is one of that name, else a
name on the Hugging Face hub.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path
from typing import Literal

from analysis.errors import ConfigError
from analysis.further_settings import Counterfactual, Dose, Influence, Learning, Prior, Prompts
from analysis.model_settings import Model
from analysis.settings import NO_SETTING, load_settings, read_toml, setting

Statistic = Literal["spearman", "pearson", "kendall_distance", "partial_spearman"]
CorpusModel = Literal["taskgram", "taskgram_smoothed", "infgram", "kneser_ney", "stupid_backoff", "unigram"]
TaskMetric = Literal[
    "",
    "exact_match",
    "contains",
    "token_f1",
    "accuracy",
    "accuracy_characters",
    "accuracy_letter",
    "accuracy_sum",
    "bleu",
    "final_answer",
]
FILES = (".jsonl", ".csv", ".json", ".parquet", ".txt", ".gz", ".zst", ".gguf")


GRADIENTS = "names of models whose weights are here: a server gives no gradients"


def _check(holds: bool, where: str, found: object, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{where} is {found!r}; expected {expected}")


@dataclass(frozen=True, kw_only=True)
class Study:
    """What holds for all of it."""

    title: str = setting("Heading of the report.", "Distributional memorization")
    folder: str = setting("Where all tables and the report go.", "study")
    seed: int = setting("Of every sample and resampling.", 0)
    confidence: float = setting("Level of all intervals.", 0.95)
    resamples: int = setting("Bootstrap and permutation resamples.", 2000)
    threads: int = setting(
        "Threads of a processor that language models and encoders compute with; 0: OMP_NUM_THREADS, else one a core.", 0
    )
    scheduler: str = setting(
        "Dask cluster that builds the index, embeds n-grams and counts, as tcp://host:8786; none if empty.", ""
    )

    def __post_init__(self) -> None:
        _check(0 < self.confidence < 1, "study.confidence", self.confidence, "a number between 0 and 1, as 0.95")
        _check(self.resamples > 0, "study.resamples", self.resamples, "a number above 0")
        _check(self.threads >= 0, "study.threads", self.threads, "0 or more")


@dataclass(frozen=True, kw_only=True)
class Index:
    """The corpus: an index that is there, or the sources to build it from."""

    path: str = setting("Folder of the index; its tokenizer is words, so that n-grams are word n-grams.")
    sources: tuple[str, ...] = setting("Build it of these (files, folders, globs, hf:NAME) unless it is there.", ())
    memory: str = setting('Memory a build may use, as "16GiB"; "" for half of what there is.', "")
    text_field: str = setting("Field of a record that holds its text.", "text")
    texts: str = setting("Another index of the same documents, by a model's tokens, to read them as they are; none if empty.", "")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task: its examples, how pairs are mined from them, how answers are scored."""

    name: str = setting("Its name in tables and file names, each once.")
    source: tuple[str, ...] = setting("Files or folders, or names on the hub, as openai/gsm8k:main.")
    gamma: Mapping[int, float] = setting("n -> γ: pairs of n words whose similarity is above it count, as {3 = 0.75, 5 = 0.65}.")
    kind: str = setting('Its format: triviaqa, mmlu, mmlu-knowledge, mmlu-reasoning, gsm8k, wmt09 or jsonl; "" for its name.', "")
    fields: Mapping[str, str] | None = setting(
        'Of kind jsonl, the fields of its records: {input = "q.text", target = "answerKey", choices = "choices.text", labels = '
        '"choices.label", aliases, id, subset}; left out, input or question, target or answer, and these names.',
        None,
    )
    split: str = setting('Split of the source; "" for one that has answers: validation of triviaqa on the hub, else test.', "")
    on_error: Literal["raise", "skip"] = setting(
        "A record that is no example (no answer, a blank line of parallel text): an error (raise), or skipped and counted (skip).",
        "raise",
    )
    subsets: tuple[str, ...] = setting("Subjects or language pairs; none for all.", ())
    template: str = setting("The prompt: a template's name, or a text with {input}; \"\" for the task's own.", "")
    shots: int = setting("Worked examples before the question.", 0)
    shots_from: tuple[str, ...] = setting("Where these are drawn from; none for another split of source.", ())
    shots_split: str = setting("That split.", "")
    limit: int = setting("Examples of each subset to draw; 0 for all.", 0)
    mine_from: tuple[str, ...] = setting("Keep only pairs that examples of this source hold too; none keeps all.", ())
    mine_split: str = setting("Split of mine_from.", "")
    mine_limit: int = setting("Examples of each subset to draw from mine_from; 0 for all.", 0)
    encoder: str = setting('Its own encoder; "" for that of [mining].', "")
    pairs: str = setting("Parquet of known pairs (example_id, n, x, y), as linked entities, in place of mining; none if empty.", "")
    target: Literal["ngrams", "whole"] = setting("What of the answer is y: its n-grams, or all of it.", "ngrams")
    sensitivity: tuple[float, ...] = setting("Other γ at which correlations are computed too, for every n.", ())
    statistic: Statistic = setting("What the first figure shows of this task.", "spearman")
    aliases: bool = setting(
        "Documents that hold any alias of a whole answer hold the answer, and models are scored on every alias of it; aliases "
        "without a content word are left out and counted.",
        False,
    )
    metric: TaskMetric | None = setting(
        'How answers are scored: exact_match, accuracy, bleu, final_answer; "" generates nothing; left out, the kind\'s own: '
        "triviaqa exact_match, mmlu accuracy, gsm8k final_answer, wmt09 bleu, jsonl none.",
        None,
    )
    max_tokens: int = setting("Tokens that a model may write; 0 for the kind's own (gsm8k 256, wmt09 128, others 32).", 0)
    stop: tuple[str, ...] | None = setting(
        "Texts that end an answer, [] for none; left out, the kind's own: of gsm8k the next question, of others the line's end.",
        None,
    )

    def __post_init__(self) -> None:
        where = f"task {self.name}: "
        _check(bool(self.name) and not set(self.name) & set("/\\@*?"), "a task's name", self.name, "text that can name a file")
        _check(len(self.source) > 0, where + "source", list(self.source), "at least one file or data set")
        _check(len(self.gamma) > 0, where + "gamma", dict(self.gamma), "a γ for at least one n, as {3 = 0.75}")
        _check(all(n > 0 for n in self.gamma), where + "gamma", dict(self.gamma), "n of 1 or more")
        for gamma in (*self.gamma.values(), *self.sensitivity):
            _check(-1 <= gamma <= 1, where + "gamma", gamma, "a cosine, between -1 and 1")
        named = self.template.replace("-", "").isalpha()  # by a name of templates.toml, which reading the task looks up
        _check(not self.template or named or "{input}" in self.template, where + "template", self.template, "text with {input}")
        for key in ("shots", "limit", "mine_limit", "max_tokens"):
            _check(getattr(self, key) >= 0, where + key, getattr(self, key), "0 or more")


@dataclass(frozen=True, kw_only=True)
class Mining:
    """How pairs are mined from examples."""

    encoder: str = setting("What embeds n-grams: a sentence encoder's folder or name, or hashing.")
    prefix: str = setting('Put before each n-gram, as "query: " for E5.', "")
    device: str = setting("Where it runs.", "cpu")
    batch_size: int = setting("N-grams of a batch.", 256)
    stop_words: bool = setting("Drop n-grams that are stop words alone.", True)
    keep_nested: bool = setting("Keep pairs of which one n-gram holds the other.", False)
    disjoint: bool = setting("Drop pairs that share a word of the text with a pair of higher similarity.", False)


@dataclass(frozen=True, kw_only=True)
class Counting:
    """How pairs are counted in the corpus."""

    window: int = setting("Count documents where both start within so many words; 0 for anywhere in the document.", 0)


@dataclass(frozen=True, kw_only=True)
class CorpusModels:
    """The models of the corpus that are compared with the language models."""

    names: tuple[CorpusModel, ...] = setting("Which.", ("taskgram", "infgram", "unigram"))
    smoothing: float = setting("Weight of the base rate in taskgram_smoothed, in documents.", 1.0)
    order: int = setting("Order of kneser_ney and stupid_backoff.", 5)


@dataclass(frozen=True, kw_only=True)
class Correlate:
    """Distributional memorization."""

    statistics: tuple[Statistic, ...] = setting("Which.", ("spearman", "partial_spearman", "kendall_distance"))
    modes: tuple[str, ...] = setting(
        "Readings of the definitions, see analysis/measures/modes.py; the report's main figures show the first.",
        ("strict", "paper", "reference-code"),
    )
    by_subset: bool = setting("Also for each subject or language pair by itself.", False)


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Task score against pair counts."""

    bins: int = setting("How many at most.", 8)
    spacing: Literal["log", "quantile"] = setting("Of equal width in the logarithm, or of equally many examples.", "quantile")
    least: int = setting("Examples of a bin; one of fewer is joined to the next.", 10)


@dataclass(frozen=True, kw_only=True)
class Novelty:
    """What generated text holds that the corpus does not."""

    ns: tuple[int, ...] = setting("Lengths of n-grams.", (1, 2, 3, 4, 5))
    similar: bool = setting("Of pairs, count those above the task's γ alone, at the task's n.", False)


@dataclass(frozen=True, kw_only=True)
class Contamination:
    """Examples that stand in the corpus."""

    ns: tuple[int, ...] = setting("Lengths of n-grams.", (8, 14))


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the report shows of the data themselves."""

    pairs: int = setting("Actual pairs of each task and n, from the likeliest by the corpus to the least; 0 for none.", 10)
    answers: int = setting("Actual answers of each task, drawn; 0 for none.", 10)
    spans: int = setting("Of each of these, its longest spans that the corpus holds, with documents; 0 for none.", 3)
    least_words: int = setting("Words of such a span at least.", 4)

    def __post_init__(self) -> None:
        _check(self.pairs >= 0, "report.pairs", self.pairs, "0 or more")
        _check(self.answers >= 0, "report.answers", self.answers, "0 or more")
        _check(self.spans >= 0, "report.spans", self.spans, "0 or more")
        _check(self.least_words >= 1, "report.least_words", self.least_words, "1 or more")


@dataclass(frozen=True, kw_only=True)
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
    report: Report = setting("What the report shows of the data themselves.", Report())
    prior: Prior | None = setting("Memorization beyond what a model finds likely after any prompt; only if given.", None)
    learning: Learning | None = setting("Models against n-gram distributions of their tokens; only if given.", None)
    influence: Influence | None = setting("Gradients of documents against those of examples; only if given.", None)
    prompts: Prompts | None = setting("Rewritten prompts; only if given.", None)
    dose: Dose | None = setting("Planted facts; only if given.", None)
    counterfactual: Counterfactual | None = setting("Models with and without each planted fact; only if given.", None)
    base: Path = field(default=Path(), metadata={NO_SETTING: True})
    """The folder that relative paths start from: that of the file."""

    def __post_init__(self) -> None:
        _check(len(self.tasks) > 0, "tasks", [], "at least one [[tasks]]")
        _check(len(self.models) > 0, "models", [], "at least one [[models]]")
        _each_once([task.name for task in self.tasks], "tasks")
        _each_once([f"{model.file_name}@{model.revision}" for model in self.models], "models")
        for model in self.models:
            for setting_of, given in (("answers", model.answers), ("scores", model.scores)):
                _known(given or (), [task.name for task in self.tasks], f"model {model.called}: a task of {setting_of}")
        for name in ("prior", "influence", "prompts", "dose", "counterfactual"):
            part = getattr(self, name)
            if part is not None:
                _known(part.tasks, [task.name for task in self.tasks], f"{name}.tasks")
        _check(
            self.counterfactual is None or self.dose is not None, "dose", None, "[dose], whose planted facts [counterfactual] reads"
        )
        if self.learning is not None:
            _known(self.learning.models, [model.called for model in self.models], "learning.models")
            _check(bool(self.index.texts), "index.texts", "", "an index by the models' tokens, which [learning] reads")
        if self.influence is not None:
            _known(self.influence.models, [model.called for model in self.models], "influence.models")
            for model in self.models:
                asked = not self.influence.models or model.called in self.influence.models
                elsewhere = model.is_server or not (model.score or model.generate)
                _check(not (asked and elsewhere), "influence.models", list(self.influence.models), GRADIENTS)

    @property
    def folder(self) -> Path:
        """Where the study's tables and its report go."""
        return self.base / self.study.folder

    def path(self, name: str) -> Path:
        """A path of the file, from the file's folder."""
        return self.base / name

    def matching(self, pattern: str) -> list[Path]:
        """The files of a glob, from the file's folder, by name."""
        return sorted(Path(found) for found in glob(str(self.base / pattern), recursive=True) if Path(found).is_file())

    def place(self, name: str) -> str:
        """A path where there is one or must be one, else the name as it is: something on the hub."""
        return str(self.base / name) if is_path(name) or (self.base / name).exists() else name


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
    config = load_settings(Config, read_toml(path), path)
    return replace(config, base=path.parent)


def is_path(name: str) -> bool:
    """Whether a name can only be a path, so that nothing of that name means that a file is missing."""
    if name.startswith(("http://", "https://")):
        return False
    owner, inside, _ = name.partition(":")
    return (
        name.startswith((".", "/", "~")) or owner.count("/") > 1 or (Path(name).suffix in FILES and not (inside and "/" in owner))
    )


def check_inputs(config: Config) -> None:
    """Refuse a study whose files are not there, before an hour is spent on the others.

    Raises
    ------
    ConfigError
        Names all that are missing.
    """
    named = [(f"task {task.name}", name) for task in config.tasks for name in (*task.source, *task.mine_from, *task.shots_from)]
    named += [("models", model.name) for model in config.models] + [("mining.encoder", config.mining.encoder)]
    named += [(f"task {task.name}, pairs", task.pairs) for task in config.tasks if task.pairs]
    missing = [f"{where}: {name}" for where, name in named if is_path(name) and not config.path(name).exists()]
    patterns = [given for model in config.models for given in model.files()]
    missing += [f"{where}: {pattern}" for where, pattern in patterns if not config.matching(pattern)]
    if config.dose is not None and not config.path(config.dose.planted).exists():
        missing.append(f"dose.planted: {config.dose.planted}")
    if config.counterfactual is not None and not config.path(config.counterfactual.halves).exists():
        missing.append(f"counterfactual.halves: {config.counterfactual.halves}")
    if config.index.texts and not config.path(config.index.texts).exists():
        missing.append(f"index.texts: {config.index.texts}")
    if not config.index.sources and not config.path(config.index.path).exists():
        missing.append(f"index.path: {config.index.path} (and no index.sources to build it from)")
    if missing:
        raise ConfigError(f"files that the study reads are not in {config.base}: {'; '.join(missing)}")


def lowest_gammas(task: Task) -> dict[int, float]:
    """The least similarity that the study looks at, for each n."""
    return {n: min(gamma, *task.sensitivity) if task.sensitivity else gamma for n, gamma in task.gamma.items()}
