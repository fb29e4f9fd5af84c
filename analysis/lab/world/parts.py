"""What the parts of a world give: documents, questions, and how many documents were planted for a pair of n-grams."""

from typing import NamedTuple


class Document(NamedTuple):
    """A document of the corpus, with its metadata."""

    text: str
    kind: str
    """Which part of the world it is of."""
    about: str | None = None
    """The question whose words it says."""


class Question(NamedTuple):
    """An example of a task; the prompt is its template with ``input``."""

    id: str
    input: str
    target: str


class Planted(NamedTuple):
    """``documents`` documents of the corpus hold both word n-grams, exactly."""

    example_id: str
    x: str
    """An n-gram of the question's input, normalised."""
    y: str
    """An n-gram of its target, normalised."""
    documents: int


class Part(NamedTuple):
    """One part of a world."""

    documents: list[Document]
    questions: list[Question]
    planted: list[Planted]
