"""Other names of an answer: which of them count, in the corpus and of a model.

Aliases are lists that others made, and some say nothing: "US", in lower case, is a pronoun that stands in twice as many documents
as the country's names do; "ʻAʻā" is two articles. The index keeps no case, so a name is left out if it has no content word.
"""

import logging
from typing import NamedTuple

import pyarrow as pa

from analysis.ngrams import word_spans
from analysis.pairs.drops import DropCounter
from analysis.pairs.stop_words import content, languages

log = logging.getLogger(__name__)

STAGE, REASON = "count", "alias_without_content"


class Aliases(NamedTuple):
    """The other names of whole targets."""

    united: dict[str, list[str]]
    """Target -> its other names, all as words joined by spaces: documents hold any of them."""
    written: dict[str, list[str]]
    """Example -> its other answers as they are written, for a model to read."""
    drops: pa.Table
    """DROPS: examples that lost an alias without a content word."""


def aliases_of(examples: pa.Table) -> Aliases:
    """The aliases of ``EXAMPLES`` that have a content word.

    For tasks whose answers are mined whole and whose aliases are names of the same thing: TriviaQA, not GSM8K. Examples of one
    target share their aliases.
    """
    names: dict[str, dict[str, str]] = {}  # target -> each other answer as it is written -> its words
    targets: dict[str, str] = {}
    drops = DropCounter(STAGE, (REASON,))
    lost = listed = 0
    for row in examples.select(["example_id", "task", "subset", "target", "aliases"]).to_pylist():
        target, *others = [" ".join(word_spans(text).words) for text in (row["target"], *row["aliases"])]
        says = content(others, languages(row["subset"])[1]).tolist()
        targets[row["example_id"]] = target
        names.setdefault(target, {}).update(
            {text: words for text, words, kept in zip(row["aliases"], others, says, strict=True) if kept}
        )
        listed, lost = listed + len(others), lost + says.count(False)
        drops.add((row["task"], row["subset"], 0), REASON, 0, int(not all(says)))
    log.info("aliases: %s of %s have no content word and are left out", f"{lost:,}", f"{listed:,}")
    united = {target: list(dict.fromkeys(words for words in found.values() if words != target)) for target, found in names.items()}
    written = {name: list(names[target]) for name, target in targets.items() if target and names[target]}
    return Aliases({target: others for target, others in united.items() if target and others}, written, drops.table())
