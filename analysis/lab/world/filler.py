"""Text about nothing with the statistics of text: Zipfian words, topics that make words bursty, phrases, varied lengths."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from analysis.lab.world.parts import Document, Part
from analysis.lab.world.words import take, zipf

DETERMINERS = ("the", "the", "the", "a", "a", "this", "every", "some", "her", "his")
PREPOSITIONS = ("in", "in", "on", "with", "from", "under", "near", "without")
CONJUNCTIONS = ("and", "and", "but", "while", "because")
WORDINGS = (*DETERMINERS, *PREPOSITIONS, *CONJUNCTIONS)
NUM_TOPICS = 24
TOPIC_WORDS = 0.1
"""Share of the lexicon that a topic favours."""


@dataclass(frozen=True)
class Filler:
    """Documents of sentences from a phrase-structure grammar."""

    documents: int
    sentences: float
    """Median sentences of a document; their numbers are lognormal."""
    words: int
    """Content words: half of them nouns, a quarter each verbs and adjectives."""


def fill(settings: Filler, seed: int, words: Iterator[str]) -> Part:
    """The filler documents."""
    rng = Random(f"{seed} filler")
    lexicon = {"noun": take(words, settings.words // 2), "verb": take(words, settings.words // 4)}
    lexicon["adjective"] = take(words, settings.words // 4)
    weights = {kind: zipf(len(members)) for kind, members in lexicon.items()}
    topics = [
        {kind: rng.sample(members, max(1, round(TOPIC_WORDS * len(members)))) for kind, members in lexicon.items()}
        for _ in range(NUM_TOPICS)
    ]
    topic_weights = {kind: zipf(len(members)) for kind, members in topics[0].items()}

    def draw(kind: str, topic: dict[str, list[str]]) -> str:
        if rng.random() < 0.5:
            return rng.choices(topic[kind], cum_weights=topic_weights[kind])[0]
        return rng.choices(lexicon[kind], cum_weights=weights[kind])[0]

    def noun_phrase(topic: dict[str, list[str]]) -> str:
        adjective = draw("adjective", topic) + " " if rng.random() < 0.35 else ""
        return f"{rng.choice(DETERMINERS)} {adjective}{draw('noun', topic)}"

    def clause(topic: dict[str, list[str]]) -> str:
        parts = [noun_phrase(topic), draw("verb", topic)]
        if rng.random() < 0.7:
            parts.append(noun_phrase(topic))
        if rng.random() < 0.3:
            parts.append(f"{rng.choice(PREPOSITIONS)} {noun_phrase(topic)}")
        return " ".join(parts)

    def sentence(topic: dict[str, list[str]]) -> str:
        joined = f" {rng.choice(CONJUNCTIONS)} {clause(topic)}" if rng.random() < 0.2 else ""
        text = clause(topic) + joined + "."
        return text[0].upper() + text[1:]

    documents = []
    for _ in range(settings.documents):
        topic = rng.choice(topics)
        length = max(1, round(rng.lognormvariate(0, 0.7) * settings.sentences))
        documents.append(Document(" ".join(sentence(topic) for _ in range(length)), "filler"))
    return Part(documents, [], [])
