"""Commands about the whole corpus: its frequent n-grams, its statistics, its repeated passages, and the corpus without these."""

from typing import TYPE_CHECKING

import click

from suffixindex.cli.options import NUMBER, NUMBER_OR_NONE, THREADS, described, limit_option, output_options, plural, with_index
from suffixindex.cli.streams import emit

if TYPE_CHECKING:
    from suffixindex.index import SuffixIndex
    from suffixindex.queries.duplicates import Order

LENGTHS = click.IntRange(1, 1_000_000)  # an answer has a row for each


@click.command(short_help="The most frequent n-grams of some length.")
@with_index
@output_options
@click.option("-n", type=NUMBER, required=True, help="Tokens of an n-gram.")
@click.option("-k", type=NUMBER, default=20, show_default=True, help="N-grams to show, the most frequent first.")
def top(index: "SuffixIndex", n: int, k: int, style: str | None) -> None:
    """The most frequent n-grams of exactly N tokens.

    \b
    Example:
      suffixindex top my-index -n 5 -k 20
    """
    found = index.top_ngrams(n, k)
    emit([{**described(index, ngram.token_ids), "count": ngram.count} for ngram in found], style)


@click.command(short_help="How many n-grams of each length, how many distinct.")
@with_index
@output_options
@click.option("--max-n", type=LENGTHS, default=8, show_default=True, help="Tokens of the longest n-grams.")
def statistics(index: "SuffixIndex", max_n: int, style: str | None) -> None:
    """How many n-grams there are of each length, how many distinct ones, and how many that occur once.

    \b
    Example:
      suffixindex statistics my-index --max-n 8 --table
    """
    found = index.ngram_statistics(max_n)
    columns = found.n, found.num_ngrams, found.num_distinct, found.count_of_counts[:, 0]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    emit([dict(zip(("n", "ngrams", "distinct", "once"), row, strict=True)) for row in rows], style)


@click.command(short_help="Passages that the corpus repeats.")
@with_index
@output_options
@click.option("--min-length", type=NUMBER, default=50, show_default=True, help="Tokens of the shortest passages.")
@limit_option("passages", 20)
@click.option(
    "--order",
    type=click.Choice(["saved", "length"]),
    default="saved",
    show_default=True,
    help="By tokens of all occurrences but one, or by length.",
)
@click.option("--max-documents", type=NUMBER_OR_NONE, default=10, show_default=True, help="Documents to list for each passage.")
@click.option("--text", is_flag=True, help="Print each passage whole, not its beginning.")
def duplicates(
    index: "SuffixIndex", min_length: int, limit: int | None, order: "Order", max_documents: int, text: bool, style: str | None
) -> None:
    """Passages that the corpus repeats and that cannot be made longer without losing an occurrence.

    \b
    Example:
      suffixindex duplicates my-index --min-length 50 --limit 20
    """
    found = index.duplicates(min_length, limit=limit, order=order, max_documents=max_documents)
    emit(
        [
            {
                "tokens": len(passage.token_ids),
                "count": passage.count,
                "documents": passage.num_documents,
                "saved_tokens": passage.saved_tokens,
                "document_ids": passage.document_ids.tolist(),
                **({"text": index.decode(passage.token_ids)} if text else {"begins": index.decode(passage.token_ids[:16])}),
            }
            for passage in found.passages
        ],
        style,
    )
    covered = f"{plural(found.num_passages, 'passage')} of {plural(min_length, 'token')} or more"
    click.echo(f"{covered} hold {found.num_tokens:,} of the corpus's {plural(index.num_tokens, 'token')}", err=True)


@click.command(short_help="Write the corpus without what it repeats.")
@click.argument("index", type=click.Path())
@click.option("-o", "--output", type=click.Path(), required=True, help="File to write: a name that ends with .jsonl.zst or .jsonl.")
@click.option("--min-length", type=NUMBER, default=50, show_default=True, help="Tokens of the shortest passages.")
@click.option("--documents", is_flag=True, help="Drop documents that equal an earlier one instead.")
@click.option("--text-field", help="Field to write the text to.  [default: that which INDEX was built from]")
@click.option("--report", type=click.Path(), help="File to write a line to for everything that went: .jsonl.zst or .jsonl.")
@click.option("--threads", type=THREADS, help="Cores to use.  [default: all]")
@click.option("--progress/--no-progress", default=None, help="Show a bar.  [default: on a terminal]")
@output_options
def deduplicate(
    index: str,
    output: str,
    min_length: int,
    documents: bool,
    text_field: str | None,
    report: str | None,
    threads: int | None,
    progress: bool | None,
    style: str | None,
) -> None:
    """Write the corpus of INDEX without the second and later occurrences of every passage that it repeats.

    Documents keep their metadata, and those of which nothing is left are dropped.

    \b
    Example:
      suffixindex deduplicate my-index -o unique.jsonl.zst --min-length 50
    """
    if documents and click.get_current_context().get_parameter_source("min_length") is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--documents compares whole documents: leave out --min-length")
    from suffixindex.deduplicating import deduplicate as write

    options = {"min_length": min_length, "documents": documents, "text_field": text_field, "report": report}
    done = write(index, output, **options, threads=threads, progress=progress)  # type: ignore[arg-type]
    emit([{**done._asdict(), "path": str(done.path)}], style)
