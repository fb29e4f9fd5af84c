"""An invented language that translates word by word under two rules, and phrases planted at known frequencies.

The rules: the verb goes last, and an adjective follows its noun. Which phrases ("red dog") the
parallel documents hold how often is a Latin square of adjectives and nouns: every word is equally frequent, only the
combinations differ, down to those that occur in no document. A model that has the rules needs no phrase, so its answers
should not follow the planted frequency: the contrast to facts. There are as many verbs as nouns and adjectives, so no pair
of neighbouring words is likelier than another by its kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from analysis.errors import ConfigError
from analysis.lab.world.parts import Document, Part, Planted, Question
from analysis.lab.world.words import take

ADJECTIVES = "red old small green proud quiet young tired brave tall warm wild kind rich sad blue dark strange happy lame".split()
NOUNS = "dog king horse child queen bird farmer cat doctor bear thief sister soldier fox baker wolf singer goat uncle judge".split()
VERBS = (
    "sees hears follows finds fears calls loves leads helps meets guards greets hunts joins knows likes misses needs serves trusts"
).split()
LANGUAGE = "Orvish"
TEMPLATE = "English text: {input}\n" + LANGUAGE + " translation: "
WORDINGS = (*ADJECTIVES, *NOUNS, *VERBS, TEMPLATE)


@dataclass(frozen=True)
class Translation:
    """Parallel documents, and documents in one of the languages alone."""

    doses: tuple[int, ...]
    """Documents that hold a phrase in both languages: phrases take these numbers by a Latin square."""
    words: int
    """Adjectives, and as many nouns: a multiple of the number of doses, so that all words are equally frequent."""
    english_alone: int
    orvish_alone: int
    """Documents in one language, in which phrases have the same shares as in the parallel ones."""
    questions: int


class Phrase(NamedTuple):
    """An adjective with its noun."""

    adjective: str
    noun: str


Sentence = tuple[Phrase, str, Phrase]
"""Subject, verb, object."""


def translate(settings: Translation, seed: int, words: Iterator[str]) -> Part:
    """Parallel documents, a question for each of some sentences that are in none of them, and the doses of its phrases."""
    if settings.words > len(NOUNS) or settings.words % len(settings.doses):
        raise ConfigError(
            f"translation.words is {settings.words}: expected a multiple of the {len(settings.doses)} doses, up to {len(NOUNS)}"
        )
    if max(settings.doses) == 0:
        raise ConfigError("translation.doses are all 0: no document would teach the language")
    rng = Random(f"{seed} translation")
    adjectives, nouns = ADJECTIVES[: settings.words], NOUNS[: settings.words]
    dictionary = dict(zip([*adjectives, *nouns, *VERBS], take(words, 2 * settings.words + len(VERBS)), strict=True))
    doses = {
        Phrase(adjective, noun): settings.doses[(row + column) % len(settings.doses)]
        for row, adjective in enumerate(adjectives)
        for column, noun in enumerate(nouns)
    }

    def sentence(first: Phrase, second: Phrase) -> Sentence:
        return first, rng.choice(VERBS), second

    def orvish(told: Sentence) -> str:
        first, verb, second = told
        english = [first.noun, first.adjective, second.noun, second.adjective, verb]
        return " ".join(dictionary[word] for word in english) + "."

    phrases = list(doses)
    parallel = [sentence(*pair) for pair in _pairs(rng, doses)]
    part = Part([], [], [])
    part.documents.extend(Document(TEMPLATE.format(input=_english(told)) + orvish(told), "translation") for told in parallel)
    # a phrase is as frequent in one language as in both, so P(new phrase | English phrase) does not follow the dose
    weights = list(doses.values())
    alone = [sentence(*rng.choices(phrases, weights, k=2)) for _ in range(settings.english_alone + settings.orvish_alone)]
    part.documents.extend(Document(_english(told), "english") for told in alone[: settings.english_alone])
    part.documents.extend(Document(orvish(told), "orvish") for told in alone[settings.english_alone :])
    seen = {*parallel, *alone}
    possible = len(phrases) * (len(phrases) - 1) * len(VERBS)
    if possible < len(seen) + settings.questions:
        raise ConfigError(
            f"translation has {possible:,} sentences, {len(seen):,} of them told: ask fewer than {settings.questions:,} questions"
        )
    while len(part.questions) < settings.questions:
        asked = sentence(*rng.sample(phrases, 2))
        if asked in seen:
            continue
        seen.add(asked)
        number = f"translation-{len(part.questions):04d}"
        part.questions.append(Question(number, _english(asked), orvish(asked)))
        for phrase in (asked[0], asked[2]):
            new = f"{dictionary[phrase.noun]} {dictionary[phrase.adjective]}"
            part.planted.append(Planted(number, " ".join(phrase), new, doses[phrase]))
    return part


def _english(told: Sentence) -> str:
    return f"The {' '.join(told[0])} {told[1]} the {' '.join(told[2])}."


def _pairs(rng: Random, doses: dict[Phrase, int]) -> list[tuple[Phrase, Phrase]]:
    """Every phrase as often as its dose, two different ones to a pair."""
    phrases = [phrase for phrase, dose in doses.items() for _ in range(dose)]
    if len(phrases) % 2:
        raise ConfigError("the doses of translation give an odd number of phrases, and a sentence holds two: make one dose even")
    rng.shuffle(phrases)
    pairs = list(zip(phrases[::2], phrases[1::2], strict=True))
    for place, (first, second) in enumerate(pairs):
        if first == second:  # trade with a sentence that holds neither
            other = next((i for i, pair in enumerate(pairs) if first not in pair), None)
            if other is None:
                raise ConfigError("one phrase of translation is more than half of all: spread the doses")
            pairs[place], pairs[other] = (first, pairs[other][1]), (pairs[other][0], second)
    return pairs
