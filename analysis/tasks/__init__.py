"""Tasks: TriviaQA, MMLU, GSM8K, WMT09 and any other, from files or the Hugging Face hub, as one table of examples.

=====================  ====================================================================================
``triviaqa``           open questions; the target is the answer, with aliases
``mmlu``               57 subjects; the target is the right choice's text; also ``mmlu-knowledge`` and
                       ``mmlu-reasoning``, the paper's 34 and 22 subjects
``gsm8k``              school arithmetic; the target is the worked solution
``wmt09``              English into six languages, by sentences
``jsonl:NAME``         records of ``input``, ``target``, ``aliases``; the task is called NAME
=====================  ====================================================================================
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from analysis.errors import ConfigError, TaskError
from analysis.schemas import EXAMPLES
from analysis.tables import table_of
from analysis.tasks.formats import Example, gsm8k, mmlu, mmlu_subjects, plain, triviaqa, wmt09
from analysis.tasks.prompts import draw_shots, find_template, prompt, templates

__all__ = ["TASKS", "find_template", "load_task", "mmlu_subjects", "templates"]

Reader = Callable[[Sequence[str | Path], str | None, Sequence[str]], Iterator[Example]]


class TaskKind(NamedTuple):
    """How a task is read, its template, where the hub has it, and its subsets: None if it has none, empty for all."""

    read: Reader
    template: str
    hub: str
    subsets: tuple[str, ...] | None


TASKS = {
    "triviaqa": TaskKind(triviaqa, "question", "mandarjoshi/trivia_qa:rc.nocontext", None),
    "mmlu": TaskKind(mmlu, "question", "cais/mmlu:all", ()),
    "mmlu-knowledge": TaskKind(mmlu, "question", "cais/mmlu:all", ("knowledge",)),
    "mmlu-reasoning": TaskKind(mmlu, "question", "cais/mmlu:all", ("reasoning",)),
    "gsm8k": TaskKind(gsm8k, "question", "openai/gsm8k:main", None),
    "wmt09": TaskKind(wmt09, "translation", "", ()),
}


def load_task(
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
) -> pa.Table:
    """The examples of a task, with their prompts: a table of ``EXAMPLES``.

    Parameters
    ----------
    name
        A task of the table above.
    source
        Files, folders, or names of the Hugging Face hub (``owner/name`` or ``owner/name:configuration``).
    split
        Of the hub, the split ("test" if none is named); of a folder, that of its files whose name ends with it. A file that is
        named itself is read whatever it is called.
    subsets
        Language pairs (``en-hu``), MMLU's subjects or categories, or the ``subset`` of plain records; none: all.
    template
        A name in ``templates.toml``, or a text with ``{input}``; none: the task's own.
    shots
        Few-shot examples before each, of the same subset, drawn by ``seed`` from ``shots_from`` and its ``shots_split``; where
        no source is given, from that split of ``source``.
    limit
        Examples of each subset: that many are drawn by ``seed`` and kept in their order; none: all.

    Raises
    ------
    TaskError
        A source or split that is not there, a missing field, an empty target, two examples of one id, no example.
    ConfigError
        An unknown task or template, few-shot examples without a source, a limit below 1.
    """
    label, kind = _kind(name)
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
    source = _sources(name, source, kind)
    chosen = subsets or kind.subsets or ()
    examples = _sample(_distinct(kind.read(source, split, chosen), name), limit, seed)
    pool = list(kind.read(shots_from or source, shots_split, chosen)) if shots else []
    drawn = draw_shots(examples, pool, shots, seed) if shots else iter([[]] * len(examples))
    rows = [
        {**example._asdict(), "task": label, "prompt": prompt(filled, example, before)}
        for example, before in zip(examples, drawn, strict=True)
    ]
    return table_of(rows, EXAMPLES)


def _kind(name: str) -> tuple[str, TaskKind]:
    form, _, label = name.partition(":")
    if form == "jsonl" and label:
        return label, TaskKind(plain, "question", "", ())
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


def _distinct(examples: Iterator[Example], name: str) -> list[Example]:
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
