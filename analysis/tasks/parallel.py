"""Parallel text -> pairs of sentences: files of one sentence a line, or WMT's ``.sgm`` files, named by language."""

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from analysis.errors import TaskError
from analysis.tasks.records import RecordError
from analysis.tasks.text_files import PACKED, lines_of, read_text

SGM = ".sgm"
DOCUMENT = re.compile(r"<doc\b[^>]*?\bdocid\s*=\s*\"([^\"]*)\"[^>]*>(.*?)</doc\s*>", re.IGNORECASE | re.DOTALL)
SEGMENT = re.compile(r"<seg\b[^>]*?\bid\s*=\s*\"?([^\s\">]+)\"?[^>]*>(.*?)</seg\s*>", re.IGNORECASE | re.DOTALL)


class Sentences(NamedTuple):
    """The sentences of a file, and what messages call each: a line, or a segment of a document."""

    name: str
    places: list[str]
    texts: list[str]


def sentence_pairs(
    source: Sequence[str | Path], language: str, split: str | None
) -> Iterator[tuple[str, str] | RecordError] | None:
    """English sentences with those of a language, or why a place has none; None if the source is no such files.

    Raises
    ------
    TaskError
        There is not one file of each language, or the two do not belong together.
    """
    listed = [file for one in map(Path, source) for file in (sorted(one.iterdir()) if one.is_dir() else [one])]
    files = {code: _of_language(listed, code, language, split) for code in ("en", language)}
    if not any(files.values()):
        return None
    for code, found in files.items():
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise TaskError(f"expected one file of sentences in {code}, named like newstest2009.{code}; found {names}")
    english, other = (_read(found[0]) for found in files.values())
    return _pairs(*_by_place(english, other))


def _of_language(files: Sequence[Path], code: str, language: str, split: str | None) -> list[Path]:
    """The files whose name ends with a language; of several, those that name the pair from English."""
    ends = {file: _without_packing(file.name).removesuffix(SGM) for file in files}
    found = [file for file, name in ends.items() if name.endswith(f".{code}")]
    if split is not None:  # newstest2009.de, newstest2009-src.de.sgm
        found = [file for file in found if re.fullmatch(rf".*{re.escape(split)}(-.*)?", file.name.partition(".")[0])]
    of_pair = [file for file in found if re.search(rf"\ben-?{language}\b", file.name)]
    return of_pair if len(found) > 1 and of_pair else found


def _without_packing(name: str) -> str:
    return next((name.removesuffix(ending) for ending in PACKED if name.endswith(ending)), name)


def _read(file: Path) -> Sentences:
    text = read_text(file)
    if not _without_packing(file.name).endswith(SGM):
        lines = lines_of(text)
        return Sentences(file.name, [f"line {number}" for number in range(1, len(lines) + 1)], lines)
    found: dict[str, str] = {}
    for document, content in DOCUMENT.findall(text):
        for number, sentence in SEGMENT.findall(content):  # of several references the first
            found.setdefault(f"document {document}, segment {number}", " ".join(html.unescape(sentence).split()))
    if not found:
        raise TaskError(f"{file} holds no <doc> with <seg>: expected a test set of WMT, as newstest2009-src.en.sgm")
    return Sentences(file.name, list(found), list(found.values()))


def _by_place(english: Sentences, other: Sentences) -> tuple[Sentences, Sentences]:
    """Both with a sentence at each place of the other: segments by their ids, lines by their number."""
    if not all(place.startswith("line ") for place in [*english.places[:1], *other.places[:1]]):
        if not set(english.places) & set(other.places):
            raise TaskError(f"{english.name} and {other.name} have no segment of one document and id: they are of two test sets")
        places = list(dict.fromkeys([*english.places, *other.places]))
        return _at(english, places), _at(other, places)
    least = min(len(english.texts), len(other.texts))
    for one in (english, other):
        if any(text.strip() for text in one.texts[least:]):  # blank lines at the end are no lines
            raise TaskError(
                f"{english.name} has {len(english.texts)} lines and {other.name} {len(other.texts)}: not aligned, so that no line "
                "belongs to another; fetch both again"
            )
    return Sentences(english.name, english.places[:least], english.texts[:least]), other._replace(texts=other.texts[:least])


def _at(sentences: Sentences, places: list[str]) -> Sentences:
    known = dict(zip(sentences.places, sentences.texts, strict=True))
    return Sentences(sentences.name, places, [known.get(place, "") for place in places])


def _pairs(english: Sentences, other: Sentences) -> Iterator[tuple[str, str] | RecordError]:
    for place, first, second in zip(english.places, english.texts, other.texts, strict=True):
        if first.strip() and second.strip():
            yield first.strip(), second.strip()
        else:
            blank = english.name if not first.strip() else other.name
            yield RecordError(f"{other.name}, {place}: a sentence is empty here or in English ({blank} has none)", "blank_line")
