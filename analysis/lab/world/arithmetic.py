"""Word problems in sums and differences. Answers are uniform, so no number is a better guess than another."""

from dataclasses import dataclass
from random import Random

from analysis.errors import ConfigError
from analysis.lab.world.parts import Document, Part, Question

PEOPLE = "Anna Ben Carla David Emma Frank Gina Henry Ida Jack Kate Leo".split()
THINGS = "apples books coins eggs keys lamps nuts pens roses shells stamps toys".split()
MORE = (
    "{person} has {a} {things} and finds {b} more. How many {things} does {person} have now?",
    "There are {a} {things} on a table. {person} brings {b} more. How many {things} are there?",
    "{person} buys {a} {things} today and {b} {things} later. How many {things} does {person} buy?",
)
LESS = (
    "{person} has {a} {things} and loses {b}. How many {things} does {person} have now?",
    "There are {a} {things} on a table. {person} takes {b} of them. How many {things} are left?",
    "{person} gets {a} {things} today and sells {b}. How many {things} does {person} keep?",
)
TEMPLATE = "Question: {input}\nAnswer: "
WORDINGS = (*PEOPLE, *THINGS, *MORE, *LESS, TEMPLATE)


@dataclass(frozen=True)
class Arithmetic:
    """Problems with numbers from 1 to ``largest``."""

    documents: int
    largest: int
    questions: int


def pose_problems(settings: Arithmetic, seed: int) -> Part:
    """Solved problems, and questions that are none of them as a whole."""
    rng = Random(f"{seed} arithmetic")
    told = [_problem(rng, settings.largest) for _ in range(settings.documents)]
    seen = {problem for problem, _ in told}
    sums, differences = settings.largest * (settings.largest - 1) // 2, settings.largest**2
    possible = (sums * len(MORE) + differences * len(LESS)) * len(PEOPLE) * len(THINGS)
    if possible < len(seen) + settings.questions:
        raise ConfigError(
            f"arithmetic has {possible:,} problems, {len(seen):,} of them solved: ask fewer than {settings.questions:,} questions"
        )
    part = Part([Document(TEMPLATE.format(input=problem) + answer, "arithmetic") for problem, answer in told], [], [])
    while len(part.questions) < settings.questions:
        problem, answer = _problem(rng, settings.largest)
        if problem not in seen:
            seen.add(problem)
            part.questions.append(Question(f"arithmetic-{len(part.questions):04d}", problem, answer))
    return part


def _problem(rng: Random, largest: int) -> tuple[str, str]:
    """A problem and its answer: the answer is uniform, then the operation, then the other number."""
    result = rng.randint(1, largest)
    adds = result > 1 and rng.random() < 0.5
    b = rng.randint(1, result - 1) if adds else rng.randint(1, largest)
    a = result - b if adds else result + b
    words = {"person": rng.choice(PEOPLE), "things": rng.choice(THINGS), "a": a, "b": b}
    return rng.choice(MORE if adds else LESS).format(**words), str(result)
