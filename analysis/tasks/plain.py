"""Any task: records whose fields are named, by their usual names or by a setting.

=============  =======================================  ==============================================================
part           fields, the first that is there          what may stand there
=============  =======================================  ==============================================================
``input``      ``input``, ``question``                  a text
``target``     ``target``, ``answer``                   a text or a number; several right answers, of which the first is
                                                        the target; where there are choices also the letter, the number
                                                        (from 0) or the label of the right one
``aliases``    ``aliases``                              texts, one text, or texts as JSON (``possible_answers`` of PopQA)
``choices``    ``choices``                              texts
``labels``     ``labels``                               what the choices are called, in their order
``id``         ``id``                                   a text or a number
``subset``     ``subset``                               a text or a number
=============  =======================================  ==============================================================

A setting ``fields = {input = "q.text", target = "answerKey", choices = "choices.text", labels = "choices.label"}`` names others; a
point leads into a record, or with a number to a place of a list.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from analysis.errors import ConfigError, TaskError
from analysis.tasks.formats import LETTERS, Example, Examples, examples_of
from analysis.tasks.records import Record, RecordError, is_absent, shown
from analysis.tasks.sources import read_records

USUAL: Mapping[str, tuple[str, ...]] = {
    "input": ("input", "question"),
    "target": ("target", "answer"),
    "aliases": ("aliases",),
    "choices": ("choices",),
    "labels": ("labels",),
    "id": ("id",),
    "subset": ("subset",),
}


def plain(
    source: Sequence[str | Path], split: str | None, subsets: Sequence[str], fields: Mapping[str, str] | None = None
) -> Examples:
    """The examples of a task of any kind.

    Parameters
    ----------
    fields
        Part -> the field that holds it, where it is not one of its usual names.

    Raises
    ------
    ConfigError
        ``fields`` names a part that there is not.
    TaskError
        As for :func:`analysis.tasks.sources.read_records`, or no record is of a subset that is asked for.
    """
    if unknown := [part for part in fields or {} if part not in USUAL]:
        raise ConfigError(f"fields has the part {unknown[0]!r}; expected {', '.join(USUAL)}")
    names = {**USUAL, **{part: (field,) for part, field in (fields or {}).items()}}
    found: set[str] = set()

    def parse(given: Record) -> Example | None:
        record = _with_inner(given, (fields or {}).values())
        subset = record.name(*names["subset"], default="")
        found.add(subset)
        if subsets and subset not in subsets:
            return None
        choices, labels = (_texts(record, names[part]) for part in ("choices", "labels"))
        target, *others = _answers(record, names["target"], choices, labels)
        others += _texts(record, names["aliases"], or_one=True)
        aliases = [text for text in dict.fromkeys(others) if _is_other(text, target)]
        name = record.name(*names["id"], default=f"{record.stem}-{record.number}")
        return Example(name, subset, record.text(*names["input"]), target, aliases, choices)

    yield from examples_of(read_records(source, split), parse)
    if missing := set(subsets) - found:
        raise TaskError(f"no record is of the subset {', '.join(sorted(missing))}; the subsets are {', '.join(sorted(found))}")


def _is_other(text: str, target: str) -> bool:
    return bool(text.strip()) and text.strip() != target and not is_absent(text)


def _with_inner(record: Record, paths: Any) -> Record:
    """A record that has what lies inside of it at its own level too, by the paths that lead there."""
    inner = {path: _at(record.fields, path) for path in paths if path not in record.fields}
    return record._replace(fields={**record.fields, **{path: value for path, value in inner.items() if value is not None}})


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, Sequence) and not isinstance(value, str) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _texts(record: Record, names: Sequence[str], or_one: bool = False) -> list[str]:
    """Texts: a list of them, also as JSON, or one where it may be; none where the record has none. Whole numbers are texts."""
    held = next(((name, record.fields[name]) for name in names if record.fields.get(name) is not None), None)
    if held is None:
        return []
    name, value = held
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, str) and or_one:
        value = [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = [str(each) if isinstance(each, int) and not isinstance(each, bool) else each for each in value]
    return record._replace(fields={name: value}).texts(name)


def _answers(record: Record, names: Sequence[str], choices: Sequence[str], labels: Sequence[str]) -> list[str]:
    """The right answers, the target first."""
    value, name = record.get(*names), next(name for name in names if record.fields.get(name) is not None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        answers = [text for text in record.texts(name) if text.strip() and not is_absent(text)]
        if not answers:
            raise RecordError(f"{record.place}: {name!r} is {shown(value)}: expected at least one answer", "no_answer")
        return [text.strip() for text in answers]
    if choices:
        return [_choice(record, name, value, choices, labels)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return [record._replace(fields={name: value}).answer(name)]


def _choice(record: Record, name: str, value: Any, choices: Sequence[str], labels: Sequence[str]) -> str:
    """The right one of the choices: by its text, its label, its letter or its number."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and is_absent(text):
        raise record.absent(name, value)
    if text in choices:
        return str(text)
    if str(text) in labels:
        place = list(labels).index(str(text))
    elif isinstance(text, str) and len(text) == 1 and text in LETTERS:
        place = LETTERS.index(text)
    elif not isinstance(text, bool) and str(text).isdecimal():
        place = int(text)
    else:
        place = len(choices)
    if place >= len(choices):
        raise RecordError(
            f"{record.place}: {name!r} is {shown(value)}: expected one of the {len(choices)} choices, its letter, its number "
            "from 0, or its label in labels"
        )
    return choices[place]
