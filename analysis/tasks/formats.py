"""The published formats of the four tasks: records -> examples."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from analysis.errors import TaskError
from analysis.ngrams import word_spans
from analysis.pairs.stop_words import content
from analysis.tasks.parallel import sentence_pairs
from analysis.tasks.records import Record, RecordError, is_absent, shown
from analysis.tasks.sources import Entry, read_records

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LANGUAGES = {"hu": "Hungarian", "cs": "Czech", "de": "German", "it": "Italian", "es": "Spanish", "fr": "French"}
ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|\w\+\w|\.\+")
CALCULATION = re.compile(r"<<[^>]*>>")
MMLU_COLUMNS = ("question", "A", "B", "C", "D", "answer")


class Example(NamedTuple):
    """An example without its prompt; the columns of ``EXAMPLES``."""

    example_id: str
    subset: str
    input: str
    target: str
    aliases: list[str]
    choices: list[str]


Examples = Iterator[Example | RecordError]
"""Examples in the order of their records, and in place of those that are none why they are not."""


def examples_of(entries: Iterable[Entry], parse: Callable[[Record], Example | None]) -> Examples:
    """Each record's example; None: the record is not asked for."""
    for entry in entries:
        if isinstance(entry, RecordError):
            yield entry
            continue
        try:
            example = parse(entry)
        except RecordError as error:
            yield error
        else:
            if example is not None:
                yield example


def triviaqa(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Examples:
    """TriviaQA: the hub's records, the published JSON (``Data``, ``Answer.Value``), or a list of ``golden_answers``.

    Where only a list of right answers is given, the target is the name that the most of them hold, as "Argentina" is held by
    "República Argentina": see :func:`most_held`. The others are aliases. A record without an id is called by its file and
    number. On the hub the split is ``validation``: the answers of ``test`` are kept back.
    """

    def parse(record: Record) -> Example:
        if isinstance(record.get("golden_answers", "answer", "Answer"), dict):
            inner = record.record("golden_answers", "answer", "Answer")
            target = inner.answer("value", "Value")
            answers = [target, *inner.texts("aliases", "Aliases")]
        else:
            given = [text.strip() for text in record.texts("golden_answers", "answer", "Answer") if text.strip()]
            if not given:
                raise RecordError(f"{record.place} has no answer that is not empty", "no_answer")
            answers = [text for text in given if not is_absent(text)]
            if not answers:
                raise record.absent("golden_answers" if "golden_answers" in record.fields else "answer", given[0])
            target = most_held(answers)
        aliases = [text for text in dict.fromkeys(answers) if text != target and not is_absent(text)]
        name = record.name("id", "question_id", "QuestionId", default=f"{record.stem}-{record.number}")
        return Example(name, "", record.text("question", "Question"), target, aliases, [])

    return examples_of(read_records(source, split, configurations=["rc.nocontext"], hub_split="validation"), parse)


def most_held(texts: Sequence[str]) -> str:
    """The name that the most of the names hold word for word; of equal ones the first.

    Names of initials ("R. H. C. P."), names without a content word and those with the escapes of an address ("J.+M.+W.+Turner",
    "%22Kenny%22") come into question only if all are such. Of the spellings of a name the first with the fewest capitals inside
    words, but rather all in capitals ("US") than all in small letters.
    """
    names = [" ".join(word_spans(text).words) for text in texts]
    spellings: dict[str, list[str]] = {}
    for name, text in zip(names, texts, strict=True):
        spellings.setdefault(name, []).append(text)
    held = {name: sum(f" {name} " in f" {other} " for other in names) if name else 0 for name in spellings}
    plain = [name for name, (text, *_) in spellings.items() if not ESCAPE.search(text) and _is_name(name)]
    best = max(plain or spellings, key=lambda name: held[name])
    return min(spellings[best], key=lambda text: (text.islower(), sum(b.isupper() and a.isalpha() for a, b in pairwise(text))))


def _is_name(name: str) -> bool:
    """Whether a name, words joined by spaces, says something and has at most one initial."""
    initials = sum(len(word) == 1 and word.isalpha() for word in name.split())
    return initials <= 1 and bool(content([name], "en")[0])


@cache
def mmlu_subjects() -> dict[str, list[str]]:
    """MMLU's subjects by category: knowledge, reasoning, neither."""
    return tomllib.loads((files(__package__) / "mmlu_subjects.toml").read_text(encoding="utf-8"))


def mmlu(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Examples:
    """MMLU: the published ``SUBJECT_SPLIT.csv``, with or without a header, or the hub's records.

    The target is the right choice's text. A folder may hold the files, or be the root of the published tree (``data/test/…``).
    ``subsets``: subjects, or a category of them (``knowledge``, ``reasoning``).
    """
    categories = mmlu_subjects()
    known = set(chain.from_iterable(categories.values()))
    wanted = set(chain.from_iterable(categories.get(name, [name]) for name in subsets)) or known
    if unknown := wanted - known:
        expected = "subjects as in mmlu_subjects.toml, knowledge or reasoning"
        raise TaskError(f"MMLU has no subject {', '.join(sorted(unknown))}: expected {expected}")
    numbers = dict.fromkeys(known, 0)

    def parse(record: Record) -> Example | None:
        subject = record.name("subject", default=record.stem.rpartition("_")[0])
        if subject not in known:
            raise RecordError(f"{record.place} is of the subject {shown(subject)}, which MMLU does not have")
        number = numbers[subject]
        numbers[subject] += 1
        if subject not in wanted:
            return None
        listed = [record.text(one) for one in "ABCD"] if "A" in record.fields else record.texts("choices")
        choices = [text.strip() for text in listed]
        return Example(f"{subject}-{number}", subject, record.text("question"), _right(record, choices), [], choices)

    yield from examples_of(read_records(source, split, MMLU_COLUMNS, configurations=["all"]), parse)
    if missing := [subject for subject in sorted(wanted) if subsets and not numbers[subject]]:
        raise TaskError(f"no record is of the subject {', '.join(missing)}: are all files of MMLU there?")


def _right(record: Record, choices: Sequence[str]) -> str:
    """The right one of the choices, which the record's answer names by a letter or a number."""
    answer = record.get("answer")
    if answer == -1 or (isinstance(answer, str) and is_absent(answer)):
        raise record.absent("answer", answer)
    number = LETTERS.find(answer.strip()) if isinstance(answer, str) and answer.strip() else answer
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(choices):
        expected = f"one of {LETTERS[: len(choices)]} or its number"
        raise RecordError(f"{record.place}: the answer is {shown(answer)}; expected {expected}")
    return choices[number]


def gsm8k(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Examples:
    """GSM8K: ``question`` and ``answer``, which ends ``#### N``.

    The target is the worked solution with that last line, without the calculator's marks ``<<16-3=13>>``; the only alias is
    the number, without commas.
    """

    def parse(record: Record) -> Example:
        solution = CALCULATION.sub("", record.answer("answer"))
        number = solution.rpartition("####")[2].strip().replace(",", "")
        if "####" not in solution or not number:
            raise RecordError(f"{record.place}: the answer does not end with '#### N', the number: {solution[-60:]!r}")
        name = f"gsm8k-{record.stem}-{record.number}"
        return Example(name, "", record.text("question"), solution, [number], [])

    return examples_of(read_records(source, split, configurations=["main"]), parse)


def wmt09(source: Sequence[str | Path], split: str | None, subsets: Sequence[str]) -> Examples:
    """WMT09 from English: files named by language (``analysis.tasks.parallel``), or records of ``translation``.

    ``subsets``: ``en-hu`` … ; none: all six. A pair is numbered by its place in the files, whatever is skipped before it.
    """
    for pair in list(subsets) or [f"en-{language}" for language in LANGUAGES]:
        if pair.partition("-")[0] != "en" or pair.partition("-")[2] not in LANGUAGES:
            raise TaskError(f"WMT09 has no pair {pair!r} here: expected en- and one of {', '.join(LANGUAGES)}")
        language = pair.partition("-")[2]
        found = sentence_pairs(source, language, split)
        for number, entry in enumerate(found or _translations(source, language, pair, split)):
            yield entry if isinstance(entry, RecordError) else Example(f"{pair}-{number}", pair, *entry, [], [])


def _translations(
    source: Sequence[str | Path], language: str, pair: str, split: str | None
) -> Iterator[tuple[str, str] | RecordError]:
    for entry in read_records(source, split, configurations=[pair]):
        if isinstance(entry, RecordError):
            yield entry
            continue
        try:
            inner = entry.record("translation")
            yield inner.text("en"), inner.answer(language)
        except RecordError as error:
            yield error
