"""The command line: path first, ``-`` is standard input, JSON lines on standard output, talk on standard error."""

import logging
import sys

import click

from suffixindex.cli.building import append, build, info, merge, verify
from suffixindex.cli.check import check
from suffixindex.cli.corpus_wide import duplicates, statistics, top
from suffixindex.cli.counts import count, next_command
from suffixindex.cli.demo import demo
from suffixindex.cli.documents import concordance, cooccur, docs
from suffixindex.cli.foreign import adopt, export
from suffixindex.cli.latency import bench
from suffixindex.cli.serve import serve
from suffixindex.cli.streams import Group
from suffixindex.cli.texts import infgram, score, spans

IN_ORDER_OF_USE = (
    (check, build, append, merge, info, verify),
    (count, next_command, docs, concordance, cooccur),
    (infgram, score, spans),
    (top, statistics, duplicates),
    (serve, export, adopt, bench, demo),
)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
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


for commands in IN_ORDER_OF_USE:
    for command in commands:
        main.add_command(command)


if __name__ == "__main__":
    sys.exit(main())
