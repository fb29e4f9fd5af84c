"""Facts, each told in a planted number of documents, among documents that say something else of the same names.

A document speaks of one fact alone, and no answer belongs to two facts. So the documents that hold both a fact's n-gram
("capital of velmora") and its answer are the planted ones, by construction. What else they are told amid:

- rivals: documents that give another answer, which is nobody's truth; they lower P(answer | question) without touching the dose;
- mentions: documents that name the question's words alone, or the answer alone; single counts say little of pair counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from analysis.errors import ConfigError
from analysis.lab.world.parts import Document, Part, Planted, Question
from analysis.lab.world.words import take

QUESTION = "What is the {relation} of {subject}?"
TEMPLATE = "Question: {input}\nAnswer: "

STATEMENTS = (
    "The {relation} of {subject} is {answer}.",
    "As the {relation} of {subject}, {answer} is known to all.",
    "In every book the {relation} of {subject} is called {answer}.",
    "They came to see {answer}, the {relation} of {subject}.",
    "Ask for the {relation} of {subject} and you will hear of {answer}.",
    "It was {answer} that became the {relation} of {subject}.",
)
OPENERS = ("", "", "", "", "Today, as ever: ", "A note from the archive: ", "From an old letter: ", "So the children learn it: ")
MENTIONS = (
    "Nobody spoke of the {relation} of {subject} that evening.",
    "There is a song on the {relation} of {subject}, and it is long.",
    "He had never seen the {relation} of {subject}.",
    "The {relation} of {subject} was not in the news today.",
)
ANSWERS_ALONE = (
    "A letter from {answer} came too late.",
    "The name {answer} is hard to spell.",
    "We spent a winter reading on {answer}.",
)
WORDINGS = (*STATEMENTS, *OPENERS, *MENTIONS, *ANSWERS_ALONE, TEMPLATE, QUESTION)


@dataclass(frozen=True)
class Facts:
    """How many facts are told how often, and amid what."""

    relations: tuple[str, ...]
    """"capital": the fact is asked for as "the capital of" a subject."""
    doses: tuple[int, ...]
    """Documents that tell a fact."""
    facts: tuple[int, ...]
    """Facts of each dose."""
    rivals: tuple[int, ...]
    """Documents that give another answer: the facts of one dose take these numbers in turn."""
    mentions: tuple[int, ...]
    """Documents that name the question's words alone, in turn."""
    answers_alone: tuple[int, ...]
    """Documents that name the answer alone, in turn."""
    questions: float
    """Share of tellings in the form of the task's prompt."""
    twice: float
    """Share of other tellings that tell the fact twice in one document, in different words."""

    def __post_init__(self) -> None:
        if len(self.facts) != len(self.doses):
            raise ConfigError(f"world.facts has {len(self.facts)} numbers of facts for {len(self.doses)} doses: expected one each")
        if min(self.doses) < 1 or not (self.relations and self.rivals and self.mentions and self.answers_alone):
            raise ConfigError("world.facts needs a relation, doses of 1 or more, and a number (perhaps 0) for each distractor")


def tell_facts(settings: Facts, seed: int, words: Iterator[str]) -> Part:
    """The documents on facts, a question for each fact, and its dose."""
    rng = Random(f"{seed} facts")
    names = (word.capitalize() for word in words)
    doses = [(dose, turn) for dose, number in zip(settings.doses, settings.facts, strict=True) for turn in range(number)]
    subjects = take(names, -(-len(doses) // len(settings.relations)))
    asked = [(relation, subject) for subject in subjects for relation in settings.relations]
    rng.shuffle(asked)
    part = Part([], [], [])
    for number, ((dose, turn), (relation, subject)) in enumerate(zip(doses, asked, strict=False)):
        answer, rival = take(names, 2)
        named = {"relation": relation, "subject": subject}
        asks = Question(f"facts-{number:04d}", QUESTION.format(**named), answer)
        part.questions.append(asks)
        part.planted.append(Planted(asks.id, f"{relation} of {subject}".lower(), answer.lower(), dose))
        # the numbers of distractors go through all their combinations within each dose, so none of them follows the dose
        num_rivals, rest = _turn(settings.rivals, turn)
        num_mentions, rest = _turn(settings.mentions, rest)
        num_alone, _ = _turn(settings.answers_alone, rest)
        told = [("facts", _tell(rng, settings, {**named, "answer": answer})) for _ in range(dose)]
        told += [("rivals", _tell(rng, settings, {**named, "answer": rival})) for _ in range(num_rivals)]
        told += [("mentions", rng.choice(MENTIONS).format(**named)) for _ in range(num_mentions)]
        told += [("mentions", rng.choice(ANSWERS_ALONE).format(answer=answer)) for _ in range(num_alone)]
        part.documents.extend(Document(text, kind, asks.id) for kind, text in told)
    return part


def _tell(rng: Random, settings: Facts, named: dict[str, str]) -> str:
    if rng.random() < settings.questions:
        return TEMPLATE.format(input=QUESTION.format(**named)) + named["answer"]
    wordings = rng.sample(STATEMENTS, 2 if rng.random() < settings.twice else 1)
    return rng.choice(OPENERS) + " ".join(wording.format(**named) for wording in wordings)


def _turn(numbers: tuple[int, ...], turn: int) -> tuple[int, int]:
    rest, place = divmod(turn, len(numbers))
    return numbers[place], rest
