"""``suffixindex check``: what a corpus is, before an index of it is built."""

import sys

import click

from suffixindex.cli.options import NUMBER, NUMBER_OR_NONE, output_options, plural
from suffixindex.cli.streams import emit

INPUT_FORMATS = "auto jsonl json lines text csv tsv parquet arrow megatron npy u8 u16 u32".split()
"""What ``--input-format`` takes: a test holds it against the table of formats, which is not imported for ``--help``."""


@click.command(short_help="Say what a corpus holds, and what is wrong with it.")
@click.argument("corpus", nargs=-1, required=True)
@output_options
@click.option("--text-field", default="text", show_default=True, help="Field of a record that holds its text, as meta.body.")
@click.option("--input-format", type=click.Choice(INPUT_FORMATS), default="auto", show_default=True, help="As of build.")
@click.option("--separator", type=NUMBER_OR_NONE, help="Id that ends documents in files of ids.")
@click.option("--sequences-per-step", type=NUMBER, help="Sequences of a Megatron dataset are documents.")
def check(
    corpus: tuple[str, ...],
    text_field: str,
    input_format: str,
    separator: int | None,
    sequences_per_step: int | None,
    style: str | None,
) -> None:
    """Read CORPUS without building, and say what it holds: files, records, fields, documents, and what is wrong with it.

    Exit code 1 if a build would stop somewhere.

    \b
    Example:
      suffixindex check corpus/*.jsonl.zst --table
    """
    from suffixindex.corpus.doctor import check_corpus

    report = check_corpus(
        corpus, text_field=text_field, input_format=input_format, separator=separator, sequences_per_step=sequences_per_step
    )
    emit(report.rows(), style)
    if report.num_problems:
        what = "a build stops at the first, or passes over bad records with --on-error skip"
        click.echo(f"{plural(report.num_problems, 'problem')}: {what}", err=True)
        sys.exit(1)
