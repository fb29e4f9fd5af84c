"""The command line: path first, ``-`` is standard input, JSON lines on standard output, talk on standard error."""

import atexit
import gc
import logging
import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

from suffixindex.cli.streams import Group

MODULES = {
    "check": "check",
    **dict.fromkeys(("build", "append"), "building"),
    **dict.fromkeys(("remove", "restore"), "removal"),
    **dict.fromkeys(("merge", "info", "verify"), "building"),
    **dict.fromkeys(("count", "next"), "counts"),
    **dict.fromkeys(("docs", "concordance", "cooccur"), "documents"),
    **dict.fromkeys(("infgram", "score", "spans"), "texts"),
    **dict.fromkeys(("top", "statistics", "duplicates", "deduplicate"), "corpus_wide"),
    "serve": "serve",
    **dict.fromkeys(("export", "adopt"), "foreign"),
    "bench": "latency",
    "demo": "demo",
}
"""Commands in the order of their use, and where each is."""


class Commands(MutableMapping[str, click.Command]):
    """The commands by their names. One is imported when it is asked for, so that a command does not wait for all others."""

    def __init__(self) -> None:
        self._added: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name in self._added:
            return self._added[name]
        module = import_module(f"suffixindex.cli.{MODULES[name]}")
        found: click.Command = module.next_command if name == "next" else getattr(module, name)
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._added[name] = command

    def __delitem__(self, name: str) -> None:
        del self._added[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*MODULES, *self._added])

    def __len__(self) -> int:
        return len(MODULES) + len(self._added)


@click.group(cls=Group, commands=Commands(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="suffixindex")
def main() -> None:
    """Index a text corpus once, then ask how often it says something, what follows, and which documents hold it.

    Questions take INDEX+INDEX for several as one: one argument, since n-grams come after it.

    \b
    Example:
      suffixindex build corpus/*.jsonl.zst -o my-index --tokenizer words
      suffixindex count my-index "natural language processing"
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    atexit.register(gc.freeze)  # what a compiler leaves would be gone through for garbage once more: 0.2 s


if __name__ == "__main__":
    sys.exit(main())
