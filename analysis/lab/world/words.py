"""Coined words: names that no one has read, so that a model knows of them what this corpus says and nothing else."""

from collections.abc import Iterator
from itertools import accumulate
from random import Random

ONSETS = "b br d dr f g gr h k kl l m n p pr r s st t tr v z".split()
VOWELS = "a e i o u".split()
CODAS = ["", "", "", "l", "n", "r", "s", "m", "k"]
NUM_SYLLABLES = 48


def coin(rng: Random, taken: set[str]) -> Iterator[str]:
    """Endless new words in lower case, none of them in ``taken``.

    They share few syllables, so what tells one from another is the combination: two syllables, or three once half of all
    pairs are used up.
    """
    syllables = sorted({rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(NUM_SYLLABLES)})
    used = set(taken)
    while True:
        length = 2 if len(used) - len(taken) < len(syllables) ** 2 // 2 else 3
        word = "".join(rng.choice(syllables) for _ in range(length))
        if word not in used:
            used.add(word)
            yield word


def take(words: Iterator[str], count: int) -> list[str]:
    """The next ``count`` words."""
    return [next(words) for _ in range(count)]


def zipf(count: int) -> list[float]:
    """Cumulative weights of ranks 1 … count by Zipf and Mandelbrot, 1 / (rank + 2.7), for ``Random.choices``."""
    return list(accumulate(1 / (rank + 2.7) for rank in range(1, count + 1)))
