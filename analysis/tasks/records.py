"""One record of a task's source: its fields by name and type, and where it stands for messages."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from analysis.errors import TaskError

ABSENT = frozenset({"<unk>", "[unk]", "<hidden>", "[hidden]", "<none>", "<null>", "<missing>", "<redacted>"})
"""What stands in place of an answer that is kept back; TriviaQA's hidden test set has the first."""
SHOWN = 60


class RecordError(TaskError):
    """A record is no example. ``reason`` is what the table of drops says where such records are skipped."""

    def __init__(self, message: str, reason: str = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason


class Record(NamedTuple):
    """One record of a source: its fields, and where it stands."""

    fields: Mapping[str, Any]
    place: str
    """For messages: ``test.jsonl, record 3``, from 1."""
    stem: str
    """The file's name without its endings; the configuration of a hub's data set."""
    number: int
    """From 0 in its file."""

    def get(self, *names: str) -> Any:
        """The value of the first of several names that the record has.

        Raises
        ------
        RecordError
            It has none of them, or null there.
        """
        for name in names:
            if self.fields.get(name) is not None:
                return self.fields[name]
        raise RecordError(f"{self.place} has no field {' or '.join(map(repr, names))}; it has {', '.join(map(repr, self.fields))}")

    def text(self, *names: str) -> str:
        """As :meth:`get`, a text that is not empty, without white space around it."""
        value = self.get(*names)
        if not isinstance(value, str) or not value.strip():
            raise RecordError(f"{self.place}: {names[0]!r} is {shown(value)}: expected a text that is not empty")
        return self._checked(names[0], value.strip())

    def texts(self, *names: str) -> list[str]:
        """As :meth:`get`, a list of texts."""
        value = self.get(*names)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not all(isinstance(part, str) for part in value):
            raise RecordError(f"{self.place}: {names[0]!r} is {shown(value)}: expected a list of texts")
        return [self._checked(names[0], part) for part in value]

    def answer(self, *names: str) -> str:
        """As :meth:`text`, an answer that is not one of the marks of answers kept back."""
        text = self.text(*names)
        if is_absent(text):
            raise self.absent(names[0], text)
        return text

    def absent(self, name: str, found: object) -> RecordError:
        """The error of an answer that is kept back."""
        return RecordError(
            f"{self.place}: {name!r} is {shown(found)}, which marks an answer that is kept back: expected the answer; choose a "
            "split that has answers, such as validation",
            "no_answer",
        )

    def record(self, *names: str) -> "Record":
        """As :meth:`get`, a record inside this one."""
        value = self.get(*names)
        if not isinstance(value, Mapping):
            raise RecordError(f"{self.place}: {names[0]!r} is {shown(value)}: expected a record with fields")
        return self._replace(fields=value, place=f"{self.place}, {names[0]}")

    def name(self, *names: str, default: str) -> str:
        """The record's own id, a text or a number, under the first of several names that it has; else ``default``."""
        for name in names:
            value = self.fields.get(name)
            if value is not None and value != "":
                if not isinstance(value, str | int) or isinstance(value, bool):
                    raise RecordError(f"{self.place}: {name!r} is {shown(value)}: expected a text or a whole number")
                return self._checked(name, str(value))
        return default

    def _checked(self, name: str, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise RecordError(
                f"{self.place}: {name!r} has the lone surrogate U+{ord(text[error.start]):04X} as character {error.start + 1}: "
                "expected Unicode text"
            ) from None
        return text


def is_absent(text: str) -> bool:
    """Whether a text only marks that an answer is kept back."""
    return text.strip().lower() in ABSENT


def shown(value: object) -> str:
    """A value in a message, cut to what one reads."""
    said = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}…"
