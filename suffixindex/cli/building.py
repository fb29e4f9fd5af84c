"""Commands that make an index, say what it is, and check it."""

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suffixindex.cli.check import INPUT_FORMATS
from suffixindex.cli.options import NUMBER, NUMBER_OR_NONE, SEED, THREADS, index_paths, output_options, plural
from suffixindex.cli.streams import emit

if TYPE_CHECKING:
    from suffixindex.building.publish import BuildReport


@click.command(short_help="Make an index of a corpus, or go on making it.")
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", "index", required=True, type=click.Path(), help="Folder of the index to make.")
@click.option(
    "-t",
    "--tokenizer",
    required=True,
    help="bytes, words, or a Hugging Face name, folder or tokenizer.json; of ids, what made them, or none.",
)
@click.option("--revision", help="Revision of a tokenizer on the Hugging Face hub.")
@click.option(
    "--tokenizer-engine", "engine", type=click.Choice(["fastokens", "tokenizers"]), help="What encodes.  [default: the faster]"
)
@click.option(
    "--memory", metavar="SIZE", help="Memory the build may use, as 16GiB; sets the size of shards.  [default: half of all]"
)
@click.option("--shard-tokens", metavar="N", help="Size of shards in tokens instead, as 500M.")
@click.option("--text-field", default="text", show_default=True, help="Field of a record that holds its text, as meta.body.")
@click.option(
    "--input-format",
    type=click.Choice(INPUT_FORMATS),
    default="auto",
    show_default=True,
    help="auto goes by content and file names; lines: a document a line, text: a document a file; u16 …: nothing but ids.",
)
@click.option("--separator", type=NUMBER_OR_NONE, help="Id that ends documents in files of ids.")
@click.option("--sequences-per-step", type=NUMBER, help="Sequences of a Megatron dataset are documents, so many a training step.")
@click.option("--metadata/--no-metadata", default=True, help="Keep each record's origin and other fields.  [default: keep]")
@click.option(
    "--on-error", type=click.Choice(["raise", "skip"]), default="raise", show_default=True, help="What to do at a bad record."
)
@click.option("--threads", type=THREADS, help="Cores to use.  [default: all]")
@click.option(
    "--resume/--restart",
    default=True,
    help="Go on with an unfinished build, or start anew.  [default: resume]",
)
@click.option(
    "--device",
    default="auto",
    metavar="cpu|cuda|auto",
    show_default=True,
    help="What sorts: the cores, a GPU through torch, or a GPU if there is one.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Build on the Dask cluster of tcp://host:port, or of a scheduler file.")
@click.option("--workers", type=THREADS, help="Build on so many processes of this machine.")
@click.option("--dry-run", is_flag=True, help="Only estimate shards, disk, memory and time, from a sample.")
def build(corpus: tuple[str, ...], index: str, resume: bool, dry_run: bool, **settings: Any) -> None:
    """Build an index of CORPUS: files, folders, globs, URLs of them, - for stdin, hf:NAME for a Hugging Face dataset.

    Reads .jsonl, .json, .csv, .tsv, .parquet, .arrow, .txt and source files, also .gz, .zst, .bz2, .xz, zip and tar; .npy; Megatron
    datasets by their .idx. What a corpus holds: suffixindex check. Interrupted, the same command goes on.

    \b
    Example:
      suffixindex build pile/*.jsonl.zst -o pile-neox --tokenizer EleutherAI/pythia-70m --memory 16GiB
      suffixindex build s3://bucket/c4/*.json.gz -o c4 --tokenizer words
      suffixindex build document.idx -o pile-steps --tokenizer EleutherAI/pythia-70m --sequences-per-step 1024
    """
    from suffixindex.construct import build as build_index
    from suffixindex.construct import estimate_build

    if dry_run:
        if settings.pop("scheduler") is not None or settings.pop("workers") is not None:
            raise click.UsageError("--dry-run estimates a build on one machine: leave --scheduler and --workers out")
        settings.pop("device")
        emit([estimate_build(corpus, **settings)._asdict()], None)
        return
    if settings["scheduler"] or settings["workers"]:
        with suppress(ImportError):
            import distributed

            logging.getLogger(distributed.__name__).setLevel(logging.ERROR)  # importing it chose another level
    _encode_on_threads_that_call()
    try:
        report = build_index(corpus, index, restart=not resume, **settings)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted: what is finished is kept, the same command goes on") from None
    click.echo(summary(report), err=True)


def _encode_on_threads_that_call() -> None:
    """Have the fast engine encode on the threads of the build. By default those that call share threads of its own, and wait."""
    os.environ.setdefault("FASTOKENS_BPE_THREADS", "1")


def summary(report: "BuildReport") -> str:
    """A build's report in a few readable lines."""
    seconds = ", ".join(f"{phase} {value:.1f} s" for phase, value in report.seconds.items()) or "times are not kept"
    skipped = "".join(f"\n  skipped {count:,} records: {reason}" for reason, count in report.skipped.items())
    size = f"{report.num_bytes / 2**20:,.1f} MiB, {report.num_bytes / max(report.num_tokens, 1):.1f} bytes a token"
    return (
        f"{report.path}: {plural(report.num_documents, 'document')}, {plural(report.num_tokens, 'token')} "
        f"({report.token_type}), {plural(report.num_shards, 'shard')}\n"
        f"  {size}; {seconds}; peak memory {report.peak_memory_bytes / 2**20:,.0f} MiB{skipped}"
    )


@click.command(short_help="Add documents to an index, or go on adding them.")
@click.argument("index", type=click.Path())
@click.argument("corpus", nargs=-1, required=True)
@click.option("--text-field", help="Field of a record that holds its text.  [default: the index's]")
@click.option("--on-error", type=click.Choice(["raise", "skip"]), help="What to do at a bad record.  [default: as for the index]")
@click.option("--shard-tokens", metavar="N", help="Size of the new shards in tokens, as 500M.  [default: the index's]")
@click.option("--input-format", type=click.Choice(INPUT_FORMATS), default="auto", show_default=True, help="As of build.")
@click.option("--separator", type=NUMBER_OR_NONE, help="Id that ends documents in files of ids.")
@click.option("--sequences-per-step", type=NUMBER, help="As of build.")
@click.option("--threads", type=THREADS, help="Cores to use.  [default: all]")
@click.option("--resume/--restart", default=True, help="Go on with what was interrupted, or throw that away.  [default: resume]")
@click.option("--device", default="auto", metavar="cpu|cuda|auto", show_default=True, help="What sorts, as of build.")
@click.option("--scheduler", metavar="ADDRESS", help="Append on the Dask cluster of tcp://host:port, or of a scheduler file.")
@click.option("--workers", type=THREADS, help="Append on so many processes of this machine.")
def append(index: str, corpus: tuple[str, ...], resume: bool, **settings: Any) -> None:
    """Add the documents of CORPUS to INDEX, after those that it holds, with its tokenizer and settings.

    Costs a build of the new documents alone. Until it is done, and for all who have the index open, it is the one it was.
    Interrupted, the same command goes on.

    \b
    Example:
      suffixindex append my-index crawl-2024-06/*.jsonl.zst
    """
    from suffixindex.changing.appending import append as append_documents

    _encode_on_threads_that_call()
    try:
        added = append_documents(index, corpus, restart=not resume, **settings)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted: the index is what it was, the same command goes on") from None
    words = f", {plural(added.new_words, 'new word')}" if added.new_words else ""
    new = f"{plural(added.num_documents, 'document')}, {plural(added.num_tokens, 'token')}, {plural(added.num_shards, 'shard')}"
    whole = f"{plural(added.total_documents, 'document')}, {plural(added.total_tokens, 'token')}"
    click.echo(f"{added.path}: {new} more{words}; {whole} now", err=True)


@click.command(short_help="What an index holds and how it was made.")
@click.argument("index", type=click.Path())
@output_options
def info(index: str, style: str | None) -> None:
    """What an index holds and how it was made; whose it is, if another engine's; what a Megatron dataset holds; or a+b together.

    \b
    Example:
      suffixindex info my-index --table
    """
    from suffixindex.corpus.megatron import dataset_info
    from suffixindex.index import SuffixIndex

    emit([dataset_info(Path(index)) or SuffixIndex(index_paths(index)).info()], style)


@click.command(short_help="Check that an index is whole and in order.")
@click.argument("index", type=click.Path())
@click.option("--full", is_flag=True, help="Check every hash and the whole order; reads everything once.")
@click.option("--samples", type=NUMBER, default=10_000, show_default=True, help="Pairs of suffixes to compare in each shard.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the sample.")
@click.option("--threads", type=THREADS, help="Cores to use.  [default: all]")
def verify(index: str, full: bool, samples: int, seed: int, threads: int | None) -> None:
    """Check that an index is whole and in order; exit code 1 if it is not.

    \b
    Example:
      suffixindex verify my-index --full
    """
    from suffixindex.integrity import verify as verify_index

    checked = verify_index(index, full=full, samples=samples, seed=seed, threads=threads)
    click.echo(f"{index} is in order: {checked}", err=True)


@click.command(short_help="Make one index of several.")
@click.argument("index", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder of the index to make.")
@click.option("--copy", is_flag=True, help="Copy files. Otherwise they are hard links, which take no room, where the disk allows.")
def merge(index: tuple[str, ...], output: str, copy: bool) -> None:
    """Make one index of each INDEX, of one tokenizer: nothing is sorted again, documents are numbered in this order.

    An index may be removed then, and what was merged stays. Without a merge, every command takes several as INDEX+INDEX.

    \b
    Example:
      suffixindex merge may june july -o summer
    """
    from suffixindex.changing.merging import merge as merge_indexes

    merged = merge_indexes(index, output, copy=copy)
    size = f"{plural(merged.num_documents, 'document')}, {plural(merged.num_tokens, 'token')}, {plural(merged.num_shards, 'shard')}"
    copied = f"{merged.copied_bytes / 2**20:,.1f} MiB of them copied" if merged.copied_bytes else "all by links"
    click.echo(f"{merged.path}: {size}; {merged.num_bytes / 2**20:,.1f} MiB, {copied}", err=True)
