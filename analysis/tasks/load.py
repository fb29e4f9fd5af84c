"""A task by its name and source -> the table of its examples, with their prompts, and what was skipped."""

import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from analysis.errors import ConfigError, TaskError
from analysis.schemas import DROPS, EXAMPLES
from analysis.tables import table_of
from analysis.tasks.formats import Example, Examples, gsm8k, mmlu, mmlu_subjects, triviaqa, wmt09
from analysis.tasks.plain import plain
from analysis.tasks.prompts import draw_shots, find_template, prompt
from analysis.tasks.records import RecordError

log = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
Reader = Callable[[Sequence[str | Path], str | None, Sequence[str]], Examples]


class TaskKind(NamedTuple):
    """How a task is read, its template, where the hub has it, its subsets (None if it has none, empty for all), its answers."""

    read: Reader
    template: str
    hub: str
    subsets: tuple[str, ...] | None
    stop: tuple[str, ...] = ("\n",)
    """Texts that end an answer; no right answer holds one of them."""
    max_tokens: int = 32
    """Tokens that a right answer fits into."""
    metric: str = ""
    """How its answers are scored, a name of ``analysis.models.answer_scores``; "" where no one metric fits all such tasks."""
    reading: int = 1
    """Raised where the same records give other examples than before."""


TASKS = {
    "triviaqa": TaskKind(triviaqa, "question", "mandarjoshi/trivia_qa:rc.nocontext", None, metric="exact_match", reading=2),
    "mmlu": TaskKind(mmlu, "question", "cais/mmlu:all", (), metric="accuracy"),
    "mmlu-knowledge": TaskKind(mmlu, "question", "cais/mmlu:all", ("knowledge",), metric="accuracy"),
    "mmlu-reasoning": TaskKind(mmlu, "question", "cais/mmlu:all", ("reasoning",), metric="accuracy"),
    "gsm8k": TaskKind(  # a solution has several lines
        gsm8k, "question", "openai/gsm8k:main", None, ("Question:",), 256, "final_answer"
    ),
    "wmt09": TaskKind(wmt09, "translation", "", (), max_tokens=128, metric="bleu"),
}


class Loaded(NamedTuple):
    """The table of ``EXAMPLES``, and that of ``DROPS``: how many records were skipped, by reason, and how many were kept."""

    examples: pa.Table
    drops: pa.Table


def load_task(name: str, source: Sequence[str | Path], **settings: Any) -> pa.Table:
    """The examples that :func:`read_task` reads."""
    return read_task(name, source, **settings).examples


def read_task(
    name: str,
    source: Sequence[str | Path],
    *,
    split: str | None = None,
    subsets: Sequence[str] = (),
    template: str | None = None,
    shots: int = 0,
    shots_from: Sequence[str | Path] = (),
    shots_split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    on_error: OnError = "raise",
    fields: Mapping[str, str] | None = None,
) -> Loaded:
    """The examples of a task, with their prompts, and what was skipped.

    Parameters
    ----------
    name
        A task of the table above.
    source
        Files, folders, or names of the Hugging Face hub (``owner/name`` or ``owner/name:configuration``).
    split
        Of the hub, the split (if none is named, one that has answers: ``validation`` of TriviaQA, else ``test``); of a folder,
        that of its files of which the name or the folder says so. A file that is named itself is read whatever it is called.
    subsets
        Language pairs (``en-hu``), MMLU's subjects or categories, or the ``subset`` of plain records; none: all.
    template
        A name in ``templates.toml``, or a text with ``{input}``; none: the task's own.
    shots
        Few-shot examples before each, of the same subset, drawn by ``seed`` from ``shots_from`` and its ``shots_split``; where
        no source is given, from that split of ``source``.
    limit
        Examples of each subset: that many are drawn by ``seed`` and kept in their order; none: all.
    on_error
        What to do with a record that is no example (a field is missing, the answer is kept back, a line of parallel text is
        blank): "raise", or "skip", which counts it. A file that cannot be read is an error either way.
    fields
        Of plain records, part -> the field that holds it: ``analysis.tasks.plain``.

    Raises
    ------
    TaskError
        A source or split that is not there, a missing field, an empty target, two examples of one id, no example.
    ConfigError
        An unknown task or template, few-shot examples without a source, a limit below 1.
    """
    label, kind = find_kind(name)
    if fields:
        if kind.read is not plain:
            raise ConfigError(f"fields are of plain records, and {name} has its own: leave them out, or read it as jsonl:NAME")
        kind = kind._replace(read=partial(plain, fields=fields))
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}: expected 1 or more examples of each subset")
    if shots < 0 or (shots and not shots_from and shots_split is None):
        raise ConfigError(
            f"shots is {shots}: expected 0 or more, and a source (shots_from) or another split (shots_split) for them"
        )
    filled = find_template(template or kind.template)
    if subsets and kind.subsets is None:
        raise ConfigError(f"the task {name} has no subsets, so none can be chosen: {', '.join(subsets)}")
    if kind.subsets:
        allowed = {*kind.subsets, *chain.from_iterable(mmlu_subjects()[category] for category in kind.subsets)}
        if others := [subset for subset in subsets if subset not in allowed]:
            raise ConfigError(f"{others[0]} is no subject of {name}: expected those of mmlu_subjects.toml, or the task mmlu")
    if on_error not in ("raise", "skip"):
        raise ConfigError(f"on_error is {on_error!r}: expected raise or skip")
    source = _sources(name, source, kind)
    skipped: Counter[str] = Counter()
    chosen = subsets or kind.subsets or ()
    read = _distinct(_read(kind.read(source, split, chosen), on_error, skipped), name)
    examples = _sample(read, limit, seed)
    pool = _read(kind.read(shots_from or source, shots_split, chosen), on_error, Counter()) if shots else []
    drawn = draw_shots(examples, pool, shots, seed) if shots else iter([[]] * len(examples))
    rows = [
        {**example._asdict(), "task": label, "prompt": prompt(filled, example, before)}
        for example, before in zip(examples, drawn, strict=True)
    ]
    return Loaded(table_of(rows, EXAMPLES), _drops(label, skipped, len(read)))


def _read(examples: Examples, on_error: OnError, skipped: Counter[str]) -> list[Example]:
    """The examples; records that are none are counted by reason, or end the task."""
    read = []
    for example in examples:
        if not isinstance(example, RecordError):
            read.append(example)
        elif on_error == "skip":
            log.info("skipped: %s", example)
            skipped[example.reason] += 1
        else:
            raise TaskError(f'{example}; on_error = "skip" passes over such records and counts them') from example
    if skipped:
        log.warning("%s records were skipped, %s read", f"{skipped.total():,}", f"{len(read):,}")
    return read


def _drops(task: str, skipped: Counter[str], kept: int) -> pa.Table:
    about = {"task": task, "subset": "", "n": 0, "stage": "load", "num_pairs": 0}
    numbers = {**dict(sorted(skipped.items())), "kept": kept}
    return table_of([{**about, "reason": reason, "num_examples": number} for reason, number in numbers.items()], DROPS)


def find_kind(name: str) -> tuple[str, TaskKind]:
    """What a task is called in its table, and its kind.

    Raises
    ------
    ConfigError
        There is no such kind.
    """
    form, _, label = name.partition(":")
    if form == "jsonl" and label:
        return label, TaskKind(plain, "question", "", (), reading=2)
    if name not in TASKS:
        raise ConfigError(f"{name!r} is no task: expected {', '.join(TASKS)}, or jsonl:NAME for records of input and target")
    return name, TASKS[name]


def _sources(name: str, source: Sequence[str | Path], kind: TaskKind) -> Sequence[str | Path]:
    if isinstance(source, (str, Path)):
        return [source]
    if not source:
        hub = f", such as {kind.hub}" if kind.hub else ""
        raise TaskError(f"the task {name} has no source: expected files, folders or names of the Hugging Face hub{hub}")
    return source


def _distinct(examples: Sequence[Example], name: str) -> list[Example]:
    found: dict[str, Example] = {}
    for example in examples:
        if example.example_id in found:
            raise TaskError(f"the task {name} has two examples of the id {example.example_id!r}: each needs its own")
        found[example.example_id] = example
    if not found:
        raise TaskError(f"the task {name} has no example: its source holds no record of what was asked")
    return list(found.values())


def _sample(examples: list[Example], limit: int | None, seed: int) -> list[Example]:
    if limit is None:
        return examples
    places: dict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        places[example.subset].append(place)
    rng = random.Random(seed)
    kept = [place for found in places.values() for place in rng.sample(found, min(limit, len(found)))]
    return [examples[place] for place in sorted(kept)]
