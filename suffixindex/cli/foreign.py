"""Commands for indexes of other engines: saying what their files do not, and writing what they read."""

from typing import Any

import click

from suffixindex.cli.options import NUMBER, NUMBER_OR_NONE, THREADS, output_options, plural
from suffixindex.cli.streams import emit


@click.command(short_help="Say what another engine's files do not.")
@click.argument("index", nargs=-1, required=True, type=click.Path())
@output_options
@click.option("-t", "--tokenizer", help="For questions in text: bytes, or a Hugging Face name, folder or tokenizer.json.")
@click.option("--token-dtype", type=click.Choice(["u8", "u16", "u32"]), help="Type of the ids, if the files fit several.")
@click.option(
    "--forward/--reversed", "forward", default=None, help="Whether infini-gram's documents are reversed, as in version 5."
)
@click.option("--separator", type=NUMBER_OR_NONE, help="Id that ends documents in tokengrams' files.")
@click.option("--vocabulary-size", type=NUMBER, help="Ids of the tokenizer, if none is named.")
def adopt(index: tuple[str, ...], forward: bool | None, style: str | None, **said: Any) -> None:
    """Say what the files of another engine's INDEX do not; it is remembered, and every other command then takes it.

    \b
    Example:
      suffixindex adopt v4_pile_gpt2 --tokenizer gpt2 --forward
    """
    from suffixindex.index import SuffixIndex

    paths: Any = index[0] if len(index) == 1 else index
    with SuffixIndex(paths, reversed=None if forward is None else not forward, **said) as opened:
        emit([opened.info()], style)


@click.command(short_help="Write an index as another engine reads it.")
@click.argument("index", type=click.Path())
@click.argument("folder", type=click.Path())
@click.option(
    "--format", "format_", type=click.Choice(["infini-gram", "tokengrams"]), required=True, help="infini-gram is its version 4."
)
@click.option("--threads", type=THREADS, help="Cores to use.  [default: all]")
def export(index: str, folder: str, format_: str, threads: int | None) -> None:
    """Write INDEX into FOLDER as another engine reads it.

    \b
    Example:
      suffixindex export my-index for-infini-gram --format infini-gram
    """
    from suffixindex.exporting import export as export_index

    written = export_index(index, folder, format=format_, threads=threads)
    size = f"{plural(written.num_shards, 'shard')}, {written.num_bytes / 2**20:,.1f} MiB"
    click.echo(f"{written.path}: {size}; {format_}: {written.note}", err=True)
