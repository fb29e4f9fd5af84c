"""The published formats of the four tasks, and a plain one of our own -> examples."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from analysis.errors import TaskError
from analysis.ngrams import word_spans
from analysis.tasks.records import Record, open_text, read_records

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LANGUAGES = {"hu": "Hungarian", "cs": "Czech", "de": "German", "it": "Italian", "es": "Spanish", "fr": "French"}
CALCULATION = re.compile(r"<<[^>]*>>")


class Example(NamedTuple):
    """An example without its prompt; the columns of ``EXAMPLES``."""

    example_id: str
    subset: str
    input: str
    target: str
    aliases: list[str]
    choices: list[str]


def triviaqa(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Iterator[Example]:
    """TriviaQA: the hub's records, the published JSON (``Data``, ``Answer.Value``), or a list of ``golden_answers``.

    Where only a list of right answers is given, the target is the one that the most of them hold, as "Argentina" is held by
    "República Argentina"; of equal ones the first. The others are aliases.
    """
    for record in read_records(source, split, configurations=["rc.nocontext"]):
        name = str(record.get("id", "question_id", "QuestionId"))
        answer = record.get("golden_answers", "answer", "Answer")
        if isinstance(answer, dict):
            inner = Record(answer, record.place, record.stem, record.number)
            target = inner.text("value", "Value")
            answers = [target, *inner.texts("aliases", "Aliases")]
        else:
            answers = [text.strip() for text in record.texts("golden_answers", "answer", "Answer") if text.strip()]
            if not answers:
                raise TaskError(f"{record.place} has no answer that is not empty")
            target = most_held(answers)
        aliases = [text for text in dict.fromkeys(answers) if text != target]
        yield Example(name, "", record.text("question", "Question"), target, aliases, [])


def most_held(texts: Sequence[str]) -> str:
    """The text that the most of the texts hold word for word; of equal ones the first."""
    words = [f" {' '.join(word_spans(text).words)} " for text in texts]
    held = [sum(one in other for other in words) if one.strip() else 0 for one in words]
    return texts[held.index(max(held))]


@cache
def mmlu_subjects() -> dict[str, list[str]]:
    """MMLU's subjects by category: knowledge, reasoning, neither."""
    return tomllib.loads((files(__package__) / "mmlu_subjects.toml").read_text(encoding="utf-8"))


def mmlu(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Iterator[Example]:
    """MMLU: the published ``SUBJECT_SPLIT.csv`` without a header, or the hub's records. The target is the right choice's text.

    ``subsets``: subjects, or a category of them (``knowledge``, ``reasoning``).
    """
    categories = mmlu_subjects()
    known = set(chain.from_iterable(categories.values()))
    wanted = set(chain.from_iterable(categories.get(name, [name]) for name in subsets)) or known
    if unknown := wanted - known:
        expected = "subjects as in mmlu_subjects.toml, knowledge or reasoning"
        raise TaskError(f"MMLU has no subject {', '.join(sorted(unknown))}: expected {expected}")
    columns = ("question", "A", "B", "C", "D", "answer")
    numbers = dict.fromkeys(known, 0)
    for record in read_records(source, split, columns, configurations=["all"]):
        subject = record.fields.get("subject") or record.stem.rpartition("_")[0]
        if subject not in known:
            raise TaskError(f"{record.place} is of the subject {subject!r}, which MMLU does not have")
        number = numbers[subject]
        numbers[subject] += 1
        if subject not in wanted:
            continue
        choices = [
            text.strip() for text in ([record.text(one) for one in "ABCD"] if "A" in record.fields else record.texts("choices"))
        ]
        answer = record.get("answer")
        place = LETTERS.find(answer.strip()) if isinstance(answer, str) and answer.strip() else answer
        if not isinstance(place, int) or not 0 <= place < len(choices):
            raise TaskError(f"{record.place}: the answer is {answer!r}; expected one of {LETTERS[: len(choices)]} or its number")
        yield Example(f"{subject}-{number}", subject, record.text("question"), choices[place], [], choices)
    if missing := [subject for subject in sorted(wanted) if subsets and not numbers[subject]]:
        raise TaskError(f"no record is of the subject {', '.join(missing)}: are all files of MMLU there?")


def gsm8k(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Iterator[Example]:
    """GSM8K: ``question`` and ``answer``, which ends ``#### N``.

    The target is the worked solution with that last line, without the calculator's marks ``<<16-3=13>>``; the only alias is
    the number, without commas.
    """
    for record in read_records(source, split, configurations=["main"]):
        solution = CALCULATION.sub("", record.text("answer"))
        number = solution.rpartition("####")[2].strip().replace(",", "")
        if "####" not in solution or not number:
            raise TaskError(f"{record.place}: the answer does not end with '#### N', the number: {solution[-60:]!r}")
        yield Example(f"gsm8k-{record.stem}-{record.number}", "", record.text("question"), solution, [number], [])


def wmt09(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Iterator[Example]:
    """WMT09 from English: files of one sentence a line named by language (``newstest2009.de``), or records of ``translation``.

    ``subsets``: ``en-hu`` … ; none: all six.
    """
    pairs = list(subsets) or [f"en-{language}" for language in LANGUAGES]
    for pair in pairs:
        if pair.partition("-")[0] != "en" or pair.partition("-")[2] not in LANGUAGES:
            raise TaskError(f"WMT09 has no pair {pair!r} here: expected en- and one of {', '.join(LANGUAGES)}")
        language = pair.partition("-")[2]
        found = _aligned(source, language, split) or _translations(source, language, pair, split)
        for number, (english, other) in enumerate(found):
            yield Example(f"{pair}-{number}", pair, english, other, [], [])


def _aligned(source: Sequence[str | Path], language: str, split: str | None) -> list[tuple[str, str]]:
    """The lines of the files of both languages; empty if the source is no such files."""
    listed = [file for one in map(Path, source) for file in (sorted(one.iterdir()) if one.is_dir() else [one])]
    ends = {code: [file for file in listed if file.name.removesuffix(".gz").endswith(f".{code}")] for code in ("en", language)}
    if split is not None:
        ends = {code: [file for file in files if file.name.partition(".")[0].endswith(split)] for code, files in ends.items()}
    if not any(ends.values()):
        return []
    for code, found in ends.items():
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise TaskError(f"expected one file of sentences in {code}, named like newstest2009.{code}; found {names}")
    texts = []
    for (file,) in ends.values():
        with open_text(file) as content:  # a line may hold U+2028, so no splitlines
            texts.append(content.read().replace("\r\n", "\n").rstrip("\n").split("\n"))
    if len(texts[0]) != len(texts[1]):
        raise TaskError(f"{ends['en'][0].name} has {len(texts[0])} lines and {ends[language][0].name} {len(texts[1])}: not aligned")
    both = [(first.strip(), second.strip()) for first, second in zip(*texts, strict=True)]
    for line, sentences in enumerate(both, 1):
        if not all(sentences):
            raise TaskError(f"{ends[language][0].name}, line {line}: a sentence is empty here or in English")
    return both


def _translations(source: Sequence[str | Path], language: str, pair: str, split: str | None) -> list[tuple[str, str]]:
    found = []
    for record in read_records(source, split, configurations=[pair]):
        inner = Record(record.get("translation"), record.place, record.stem, record.number)
        found.append((inner.text("en"), inner.text(language)))
    return found


def plain(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Iterator[Example]:
    """Any task: records of ``input`` and ``target``, and if there are any ``aliases``, ``choices``, ``id`` and ``subset``."""
    found: set[str] = set()
    for record in read_records(source, split):
        subset = str(record.fields.get("subset") or "")
        found.add(subset)
        if subsets and subset not in subsets:
            continue
        lists = [record.texts(name) if record.fields.get(name) is not None else [] for name in ("aliases", "choices")]
        target = record.text("target")
        aliases = [text for text in dict.fromkeys(lists[0]) if text.strip() and text.strip() != target]
        name = str(record.fields.get("id", f"{record.stem}-{record.number}"))
        yield Example(name, subset, record.text("input"), target, aliases, lists[1])
    if missing := set(subsets) - found:
        raise TaskError(f"no record is of the subset {', '.join(sorted(missing))}; the subsets are {', '.join(sorted(found))}")
