"""The command line: path first, ``-`` is standard input, JSON lines on standard output, talk on standard error."""

import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from suffixindex.cli.check import FORMATS, check
from suffixindex.cli.counts import counted, counted_by, counted_variants
from suffixindex.cli.documents import concordance, cooccur, docs
from suffixindex.cli.foreign import adopt, export
from suffixindex.cli.options import (
    Group,
    as_ngrams,
    continuations,
    described,
    documents_where,
    emit,
    file_option,
    output_options,
    query_options,
    read_ngrams,
    typed,
    warn_of_boundaries,
    where_option,
    with_option,
)
from suffixindex.cli.texts import bench, infgram, score, spans


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="suffixindex")
def main() -> None:
    """Index a text corpus once, then ask how often it says something, what follows, and which documents hold it.

    \b
    Example:
      suffixindex build corpus/*.jsonl.zst -o my-index --tokenizer words
      suffixindex count my-index "natural language processing"
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)


@main.command()
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
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="auto goes by content and file names; lines: a document a line, text: a document a file; u16 …: nothing but ids.",
)
@click.option("--separator", type=click.IntRange(0), help="Id that ends documents in files of ids.")
@click.option(
    "--sequences-per-step", type=click.IntRange(1), help="Sequences of a Megatron dataset are documents, so many a training step."
)
@click.option("--metadata/--no-metadata", default=True, help="Keep each record's origin and other fields.  [default: keep]")
@click.option(
    "--on-error", type=click.Choice(["raise", "skip"]), default="raise", show_default=True, help="What to do at a bad record."
)
@click.option("--threads", type=click.IntRange(1), help="Cores to use.  [default: all]")
@click.option(
    "--resume/--restart",
    default=True,
    help="Go on with an unfinished build, or start anew.  [default: resume]",
)
@click.option("--scheduler", metavar="ADDRESS", help="Build on the Dask cluster of tcp://host:port, or of a scheduler file.")
@click.option("--workers", type=click.IntRange(1), help="Build on so many processes of this machine.")
@click.option("--dry-run", is_flag=True, help="Only estimate shards, disk, memory and time, from a sample.")
def build(corpus: tuple[str, ...], index: str, resume: bool, dry_run: bool, **settings: Any) -> None:
    """Build an index of CORPUS: files, folders, globs, - for stdin, hf:NAME for a Hugging Face dataset.

    Reads .jsonl, .json, .csv, .tsv, .parquet, .arrow, .txt and source files, also .gz, .zst, .bz2, .xz, zip and tar; .npy; Megatron
    datasets by their .idx. Interrupted, the same command goes on. What a corpus holds: suffixindex check.

    \b
    Example:
      suffixindex build pile/*.jsonl.zst -o pile-neox --tokenizer EleutherAI/pythia-70m --memory 16GiB
      suffixindex build document.idx -o pile-steps --tokenizer EleutherAI/pythia-70m --sequences-per-step 1024
    """
    from suffixindex.construct import build as build_index
    from suffixindex.construct import estimate_build

    if dry_run:
        if settings.pop("scheduler") is not None or settings.pop("workers") is not None:
            raise click.UsageError("--dry-run estimates a build on one machine: leave --scheduler and --workers out")
        emit([estimate_build(corpus, **settings)._asdict()], None)
        return
    if settings["scheduler"] or settings["workers"]:
        with suppress(ImportError):
            import distributed

            logging.getLogger(distributed.__name__).setLevel(logging.ERROR)  # importing it chose another level
    try:
        report = build_index(corpus, index, restart=not resume, **settings)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted: what is finished is kept, the same command goes on") from None
    click.echo(summary(report), err=True)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def summary(report: Any) -> str:
    """A build's report in a few readable lines."""
    seconds = ", ".join(f"{phase} {value:.1f} s" for phase, value in report.seconds.items())
    skipped = "".join(f"\n  skipped {count:,} records: {reason}" for reason, count in report.skipped.items())
    size = f"{report.num_bytes / 2**20:,.1f} MiB, {report.num_bytes / max(report.num_tokens, 1):.1f} bytes a token"
    return (
        f"{report.path}: {_plural(report.num_documents, 'document')}, {_plural(report.num_tokens, 'token')} "
        f"({report.token_type}), {_plural(report.num_shards, 'shard')}\n"
        f"  {size}; {seconds}; peak memory {report.peak_memory_bytes / 2**20:,.0f} MiB{skipped}"
    )


@main.command()
@click.argument("index", type=click.Path())
@output_options
def info(index: str, style: str | None) -> None:
    """What an index holds and how it was made; whose it is, if another engine's; or what a Megatron dataset holds.

    \b
    Example:
      suffixindex info my-index --table
    """
    from suffixindex.corpus.megatron import dataset_info
    from suffixindex.index import SuffixIndex

    emit([dataset_info(Path(index)) or SuffixIndex(index).info()], style)


@main.command()
@click.argument("index", type=click.Path())
@click.option("--full", is_flag=True, help="Check every hash and the whole order; reads everything once.")
@click.option(
    "--samples", type=click.IntRange(1), default=10_000, show_default=True, help="Pairs of suffixes to compare in each shard."
)
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
@click.option("--threads", type=click.IntRange(1), help="Cores to use.  [default: all]")
def verify(index: str, full: bool, samples: int, seed: int, threads: int | None) -> None:
    """Check that an index is whole and in order; exit code 1 if it is not.

    \b
    Example:
      suffixindex verify my-index --full
    """
    from suffixindex.integrity import verify as verify_index

    checked = verify_index(index, full=full, samples=samples, seed=seed, threads=threads)
    click.echo(f"{index} is in order: {checked}", err=True)


@main.command()
@query_options
@file_option
@click.argument("ngrams", nargs=-1)
@click.option("--documents", is_flag=True, help="Also count the documents that hold each.")
@click.option("--by", metavar="FIELD", help="Count for each value of a field of the documents' metadata, as meta.source.")
@click.option("--variants", metavar="KINDS", help="Count other spellings too, each and then all: space, case, or space,case.")
@where_option
@with_option
def count(
    index: str,
    ngrams: tuple[str, ...],
    file: Any,
    ids: bool,
    documents: bool,
    by: str | None,
    variants: str | None,
    where: Any,
    together: tuple[str, ...],
    style: str | None,
) -> None:
    """How often the corpus says each of NGRAMS (- reads lines from stdin).

    Leading space and case matter to most tokenizers: the answer shows the pieces that were looked up.

    \b
    Example:
      suffixindex count my-index " language model" " language models"
      suffixindex count my-index " language model" --by meta.source --where year=2019
      suffixindex count my-index "language model" --variants space,case
    """
    from suffixindex.index import SuffixIndex

    if by is not None and variants is not None:
        raise click.UsageError("--by and --variants do not go together: count each spelling --by its own")
    with SuffixIndex(index) as opened:
        asked = read_ngrams(ngrams, file, ids)
        others = as_ngrams(together, ids)
        mask = documents_where(opened, where, others)
        warn_of_boundaries(opened, others)
        if variants is not None:
            emit(counted_variants(opened, asked, variants, documents, mask), style)
            return
        warn_of_boundaries(opened, typed(ngrams, file, ids))
        rows = counted(opened, asked, documents, mask) if by is None else counted_by(opened, asked, by, documents, mask)
        emit(rows, style)


@main.command("next")
@query_options
@click.argument("context")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Continuations to show, the most frequent first.")
@where_option
@with_option
def next_command(index: str, context: str, k: int, ids: bool, where: Any, together: tuple[str, ...], style: str | None) -> None:
    """What follows CONTEXT, exactly: each continuation with its count and probability.

    \b
    Example:
      suffixindex next my-index "the president of the" -k 5 --table
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        asked, *others = as_ngrams([context, *together], ids)
        warn_of_boundaries(opened, [asked, *others])
        following = opened.next_distribution(asked, documents_where(opened, where, others))
        emit(continuations(opened, following, k, context_count=following.context_count), style)


@main.command()
@click.argument("index", type=click.Path())
@output_options
@click.option("-n", type=int, required=True, help="Tokens of an n-gram.")
@click.option("-k", type=int, default=20, show_default=True, help="N-grams to show, the most frequent first.")
def top(index: str, n: int, k: int, style: str | None) -> None:
    """The most frequent n-grams of exactly N tokens.

    \b
    Example:
      suffixindex top my-index -n 5 -k 20
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        found = opened.top_ngrams(n, k)
        emit([{**described(opened, ngram.token_ids), "count": ngram.count} for ngram in found], style)


@main.command()
@click.argument("index", type=click.Path())
@output_options
@click.option("--max-n", type=int, default=8, show_default=True, help="Tokens of the longest n-grams.")
def statistics(index: str, max_n: int, style: str | None) -> None:
    """How many n-grams there are of each length, how many distinct ones, and how many that occur once.

    \b
    Example:
      suffixindex statistics my-index --max-n 8 --table
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        found = opened.ngram_statistics(max_n)
        columns = found.n, found.num_ngrams, found.num_distinct, found.count_of_counts[:, 0]
        rows = zip(*(column.tolist() for column in columns), strict=True)
        emit([dict(zip(("n", "ngrams", "distinct", "once"), row, strict=True)) for row in rows], style)


@main.command()
@click.argument("index", type=click.Path())
@output_options
@click.option("--min-length", type=int, default=50, show_default=True, help="Tokens of the shortest passages.")
@click.option("--limit", type=int, default=20, show_default=True, help="Passages to show.")
@click.option(
    "--order",
    type=click.Choice(["saved", "length"]),
    default="saved",
    show_default=True,
    help="By tokens of all occurrences but one, or by length.",
)
@click.option("--max-documents", type=int, default=10, show_default=True, help="Documents to list for each passage.")
@click.option("--text", is_flag=True, help="Print each passage whole, not its beginning.")
def duplicates(index: str, min_length: int, limit: int, order: Any, max_documents: int, text: bool, style: str | None) -> None:
    """Passages that the corpus repeats and that cannot be made longer without losing an occurrence.

    \b
    Example:
      suffixindex duplicates my-index --min-length 50 --limit 20
    """
    from suffixindex.index import SuffixIndex

    with SuffixIndex(index) as opened:
        found = opened.duplicates(min_length, limit=limit, order=order, max_documents=max_documents)
        emit(
            [
                {
                    "tokens": len(passage.token_ids),
                    "count": passage.count,
                    "documents": passage.num_documents,
                    "saved_tokens": passage.saved_tokens,
                    "document_ids": passage.document_ids.tolist(),
                    **({"text": opened.decode(passage.token_ids)} if text else {"begins": opened.decode(passage.token_ids[:16])}),
                }
                for passage in found.passages
            ],
            style,
        )
        covered = f"{_plural(found.num_passages, 'passage')} of {_plural(min_length, 'token')} or more"
        click.echo(f"{covered} hold {found.num_tokens:,} of the corpus's {_plural(opened.num_tokens, 'token')}", err=True)


@main.command()
@click.argument("index", type=click.Path(), default="demo-index")
def demo(index: str) -> None:
    """Index this Python's own standard library and show what the index answers; takes a minute.

    \b
    Example:
      suffixindex demo
    """
    from suffixindex.cli.demo import run

    run(index)


for command in (check, docs, concordance, cooccur, infgram, score, spans, bench, adopt, export):
    main.add_command(command)


if __name__ == "__main__":
    sys.exit(main())
