"""Prompt templates -> what stands before each target, with few-shot examples if asked."""

import random
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Formatter

from analysis.errors import ConfigError
from analysis.tasks.formats import LANGUAGES, LETTERS, Example

PLACES = ("input", "language", "choices")


@cache
def templates() -> Mapping[str, str]:
    """The named templates."""
    return tomllib.loads((files(__package__) / "templates.toml").read_text(encoding="utf-8"))


def find_template(template: str) -> str:
    """A template by its name, or one that is written out, which holds ``{input}``.

    Raises
    ------
    ConfigError
        It is neither, or has places that nothing fills.
    """
    found = templates().get(template, template)
    try:
        places = [place for _, place, _, _ in Formatter().parse(found) if place is not None]
    except ValueError as error:
        raise ConfigError(f"the template {found!r} cannot be read: {error}; a brace of the text itself is written twice") from None
    if "input" not in places:
        raise ConfigError(f"the template {template!r} is none of {', '.join(templates())}, and holds no {{input}}")
    if unknown := set(places) - set(PLACES):
        raise ConfigError(f"the template {found!r} has the place {sorted(unknown)[0]!r}; expected {', '.join(PLACES)}")
    return found


def prompt(template: str, example: Example, shots: Sequence[Example] = ()) -> str:
    """All that stands before an example's target."""
    parts = [f"{_fill(template, shot)}{shot.target}\n\n" for shot in shots]
    return "".join(parts) + _fill(template, example)


def _fill(template: str, example: Example) -> str:
    choices = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, example.choices, strict=False))
    language = LANGUAGES.get(example.subset.rpartition("-")[2], "")
    return template.format(input=example.input, choices=choices, language=language)


def draw_shots(examples: Sequence[Example], pool: Sequence[Example], shots: int, seed: int) -> Iterator[list[Example]]:
    """The few-shot examples of each example: ``shots`` of its subset from a pool, the same for all, never itself.

    Raises
    ------
    ConfigError
        The pool has fewer.
    """
    by_subset: dict[str, list[Example]] = defaultdict(list)
    for one in pool:
        by_subset[one.subset].append(one)
    rng = random.Random(seed)
    drawn = {subset: rng.sample(found, min(shots + 1, len(found))) for subset, found in sorted(by_subset.items())}
    for example in examples:
        others = [shot for shot in drawn.get(example.subset, []) if shot.input != example.input][:shots]
        if len(others) < shots:
            of = f" of the subset {example.subset!r}" if example.subset else ""
            raise ConfigError(f"{shots} few-shot examples{of} are asked, and the pool has {len(others)} besides the example itself")
        yield others
