"""The indexes that a server answers for, by name: a table fixed at start, of which alone a request may choose.

An index to which documents were appended, or from which some were removed, is opened again.
"""

import logging
from collections.abc import Mapping
from copy import copy
from functools import cached_property
from time import monotonic
from typing import Any

from suffixindex.errors import SuffixIndexError
from suffixindex.index import SuffixIndex
from suffixindex.queries.groups import INDEX, field_names
from suffixindex.serve import problems
from suffixindex.serve.pricing import Pricing

logger = logging.getLogger("suffixindex.serve")

EVERY = 1.0
"""Seconds between two looks at what the folders hold."""


class Served:
    """One index, what its questions cost, and what is told of it."""

    def __init__(self, index: SuffixIndex) -> None:
        self.index = index
        self.pricing = Pricing(index)

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the index holds; not where it lies, nor how it was made."""
        index, said = self.index, self.index.info()
        several = [INDEX] if "indexes" in said else []
        told = "kind tokenizer vocabulary_size token_type num_documents num_tokens num_shards num_bytes bytes_per_token skipped"
        return {
            **{name: said[name] for name in told.split()},
            "separator": index.separator,
            "stored_separator": index.checker.stored_separator,
            "fields": list(dict.fromkeys([*several, *self._fields()])),
        }

    def _fields(self) -> list[str]:
        try:
            return field_names(self.index.shards)
        except (SuffixIndexError, OSError, ValueError):
            return []  # what cannot be read is no reason to list no index


class Table:
    """Names and indexes; several names may mean one index."""

    def __init__(self, indexes: Mapping[str, SuffixIndex]) -> None:
        served = {id(index): Served(index) for index in indexes.values()}
        self._served = {name: served[id(index)] for name, index in indexes.items()}
        self._due = monotonic() + EVERY

    def __getitem__(self, name: str) -> Served:
        """
        Raises
        ------
        ProblemError
            404.
        """
        self._look()
        try:
            return self._served[name]
        except KeyError:
            raise problems.no_index(name) from None

    def __contains__(self, name: object) -> bool:
        return name in self._served

    def names(self) -> list[str]:
        return list(self._served)

    def items(self) -> list[tuple[str, Served]]:
        self._look()
        return list(self._served.items())

    def _look(self) -> None:
        """Open again what changed in its folder. Questions under way go on with what was open; what cannot be opened stays."""
        if monotonic() < self._due:
            return
        self._due = monotonic() + EVERY
        for served in {id(served): served for served in self._served.values() if not served.index.is_current}.values():
            label = ", ".join(name for name, one in self._served.items() if one is served)
            try:
                again = Served(copy(served.index))  # by its path, as a pickle is
            except (SuffixIndexError, OSError) as error:
                logger.warning("%s changed, and is answered as it was: %s", label, error)
                continue
            self._served = {name: again if one is served else one for name, one in self._served.items()}
            logger.info("%s changed, and was opened again", label)
