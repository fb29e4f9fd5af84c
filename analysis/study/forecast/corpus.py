"""The corpus's side of a forecast: its index, what is mined, what is counted. Rates are of one core of 2.1 GHz."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import suffixindex as si
from analysis.config import Config, Task
from analysis.pairs.embeddings import HASH_DIMENSION, HASHING, PACKAGED
from analysis.study.forecast.sizes import TaskSizes
from analysis.study.forecast.work import Work
from analysis.study.pipeline import Stage
from analysis.study.resources import index_sources

log = logging.getLogger(__name__)

CHARACTERS = 4.0
"""Of a token."""
SPECIAL = 8
"""Characters' worth of the tokens that an encoder puts round a text."""
READ, PAIR_ROW, COUNT_ROW, SCORE_ROW, KEY = 1.0, 30, 30, 10, 30
"""Bytes kept of a character of examples, of a pair, of its counts, of its score by one model, of a vector's key."""
PER_TEXT, PER_EXAMPLE, PER_COMPARED, PER_HASHED = 1e-5, 3e-4, 2e-8, 4e-5
"""Seconds to mine: an n-gram that is looked up and kept, an example, a pair beside its cosine, an n-gram that is hashed."""
PER_WORD_MINED = 2e-6
"""Of ``mine_from``, for each n."""
PER_NGRAM, PER_PAIR, PER_UNITED = 5e-6, 1e-6, 1e-4
"""To count: an n-gram alone, a pair, a pair whose y has aliases."""
PER_WORD = {"infgram": 1e-5, "kneser_ney": 1e-4, "stupid_backoff": 1e-4}
"""To score a word by a model of the corpus; others count nothing anew."""
CONVENTIONS = {
    "minilm": (23e6, 384),
    "small": (33e6, 384),
    "labse": (471e6, 768),
    "large": (335e6, 1024),
    "base": (110e6, 768),
    "mpnet": (110e6, 768),
}
"""Parameters and dimension of encoders by what stands in their names."""
LOGITS = 1 << 29
"""Bytes beside the weights: a batch's activations, and logits where there are any."""


class EncoderSize(NamedTuple):
    """How large an encoder is."""

    parameters: float
    dimension: int


def index_work(config: Config) -> Iterator[Work]:
    """Building the study's index, from a sample of its sources, unless it is there."""
    about = config.index
    if not about.sources or (config.path(about.path) / "manifest.json").exists():
        return
    try:
        found = si.estimate_build(
            index_sources(config), tokenizer="words", memory=about.memory or None, text_field=about.text_field
        )
    except si.CorpusError as error:  # data sets of the hub have no size, and some files are not there yet
        log.warning("what the index takes is not known: %s", error)
        yield Work("index", "words", None, None, None, None, 0.0, None)
        return
    size = (found.num_documents, found.num_tokens, sum(found.seconds.values()), float(found.peak_memory_bytes))
    yield Work("index", "words", *size, 0.0, float(found.num_bytes))


def corpus_work(
    config: Config, waiting: Mapping[str, Sequence[Stage]], sizes: Mapping[str, TaskSizes], rate: float
) -> Iterator[Work]:
    """Reading tasks, mining, counting, models of the corpus, contamination: those of which a stage is waiting.

    ``rate``: floating-point operations a second where encoders run.
    """
    if "tasks" in waiting:
        characters = sum(of.characters for of in sizes.values())
        texts = sum(of.examples for of in sizes.values())
        yield Work("tasks", "", texts, round(characters / CHARACTERS), 1e-7 * characters, 0.0, 0.0, READ * characters)
    if "mine" in waiting:
        yield from _mining(config, waiting["mine"], sizes, rate)
    tasks = [task for task in config.tasks if sizes[task.name].pairs]
    pairs = sum(sizes[task.name].pairs for task in tasks)
    if "count" in waiting:
        ngrams = sum(each.texts for task in tasks for each in sizes[task.name].ngrams.values())
        united = sum(sizes[task.name].pairs for task in tasks if task.aliases)
        seconds = PER_NGRAM * ngrams + PER_PAIR * (pairs - united) + PER_UNITED * united
        yield Work("count", "", pairs, 0, seconds, 0.0, 0.0, COUNT_ROW * pairs)
    words = sum(of.prompts + of.targets for of in sizes.values())
    if "corpus-models" in waiting:
        names = config.corpus_models.names
        seconds = words * sum(PER_WORD.get(name, 0.0) for name in names) + PER_PAIR * pairs * len(names)
        yield Work("corpus-models", "", pairs, words, seconds, 0.0, 0.0, SCORE_ROW * pairs * len(names))
    if "contamination" in waiting:
        texts = sum(of.examples for of in sizes.values())
        yield Work("contamination", "", texts, words, PER_NGRAM * words * 2 * len(config.contamination.ns), 0.0, 0.0, 0.0)


def _mining(config: Config, waiting: Sequence[Stage], sizes: Mapping[str, TaskSizes], rate: float) -> Iterator[Work]:
    """A row for each encoder, over the tasks that wait for it; those of given pairs have none."""
    names = {stage.output.stem for stage in waiting}
    tasks = [task for task in config.tasks if task.name in names]
    for name in dict.fromkeys("" if task.pairs else task.encoder or config.mining.encoder for task in tasks):
        of_name = [task for task in tasks if ("" if task.pairs else task.encoder or config.mining.encoder) == name]
        kept = PAIR_ROW * sum(sizes[task.name].pairs for task in of_name)
        if not name:
            pairs = sum(sizes[task.name].pairs for task in of_name)
            yield Work("mine", "", pairs, 0, PER_TEXT * pairs, 0.0, 0.0, kept)
            continue
        ngrams = [(n, each) for task in of_name for n, each in sizes[task.name].ngrams.items()]
        texts, compared = sum(each.texts for _, each in ngrams), sum(each.compared for _, each in ngrams)
        prefix = len(config.mining.prefix) if name == config.mining.encoder else 0
        characters = sum(each.characters for _, each in ngrams) + texts * (prefix + SPECIAL)
        tokens, size = round(characters / CHARACTERS), encoder_size(config, name)
        if size is None:
            yield Work("mine", name, texts, tokens, None, None, 0.0, None)
            continue
        seconds = PER_TEXT * texts + (PER_COMPARED + 2 * size.dimension / rate) * compared
        seconds += PER_EXAMPLE * sum(sizes[task.name].examples * len(sizes[task.name].ngrams) for task in of_name)
        seconds += 2 * size.parameters * tokens / rate if size.parameters else PER_HASHED * texts
        seconds += sum(PER_WORD_MINED * _words_of_source(config, task, sizes) * len(task.gamma) for task in of_name)
        memory = 4 * size.parameters + LOGITS if size.parameters else 0.0
        here = name in (HASHING, PACKAGED) or Path(config.place(name)).exists()
        download = 0.0 if here else 4 * size.parameters
        vectors = texts * (4.0 * size.dimension + KEY)
        yield Work("mine", name, texts, tokens, seconds, memory, download, kept + vectors)


def _words_of_source(config: Config, task: Task, sizes: Mapping[str, TaskSizes]) -> float:
    """Words of the examples that pairs must be in: of a drawn number, or of files by their bytes."""
    if not task.mine_from:
        return 0.0
    own = sizes[task.name]
    if task.mine_limit and task.limit:
        return (own.inputs + own.targets) * task.mine_limit / task.limit
    paths = [Path(config.place(name)) for name in task.mine_from]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    if not all(path.exists() for path in paths):
        log.warning("task %s: how long mine_from takes to read is not known, it is not on this machine", task.name)
    return sum(file.stat().st_size for file in files) / 6  # bytes of a word


def encoder_size(config: Config, name: str) -> EncoderSize | None:
    """Parameters and dimension of an encoder: of its files if they are here, else by convention of its name; None: unknown."""
    if name == HASHING:
        return EncoderSize(0.0, HASH_DIMENSION)
    folder = Path(config.place(name))
    if (folder / "config.json").exists():
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = sum(file.stat().st_size for file in folder.glob("*.safetensors")) or sum(
            file.stat().st_size for file in folder.glob("pytorch_model*.bin")
        )
        if weights and "hidden_size" in told:
            return EncoderSize(weights / 4, int(told["hidden_size"]))
    found = next((size for part, size in CONVENTIONS.items() if part in Path(name).name.lower()), None)
    return None if found is None else EncoderSize(*found)
