"""Commands that take documents out of an index, and bring them back."""

import json
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import click

from suffixindex.cli.options import (
    THREADS,
    documents_where,
    parse_queries,
    parse_where,
    pattern_option,
    plural,
    warn_of_spellings,
)
from suffixindex.cli.streams import QueryFile, emit
from suffixindex.corpus.text import text_lines
from suffixindex.errors import QueryError

if TYPE_CHECKING:
    from suffixindex.changing.removing import Removed


@click.command(short_help="Remove documents, as if they had never been there.")
@click.argument("index", type=click.Path())
@click.option("--documents", type=QueryFile(), help="Their numbers, one a line, or lines as docs prints them (- for stdin).")
@click.option(
    "--where",
    multiple=True,
    metavar="FIELD=VALUE",
    callback=lambda context, option, conditions: parse_where(conditions),
    help="Those with this value in a field of their metadata; FIELD=A..B: an integer from A on, below B. "
    "Give it again for another value that will do, or for another field that must hold too.",
)
@click.option(
    "--holding", multiple=True, metavar="NGRAM", help="Those that hold this n-gram. Give it again for another that will do."
)
@pattern_option
@click.option("--ids", is_flag=True, help="N-grams are token ids: '510 3967'.")
@click.option("--reason", help="Kept in the index, with the time; the conditions are not.")
@click.option("--dry-run", is_flag=True, help="Only say how many documents, tokens, shards and bytes it is about.")
@click.option("--purge", is_flag=True, help="Delete their text from the disk; alone, that of all removals. Not to be undone.")
@click.option(
    "--again", is_flag=True, help="Remove the documents of these numbers though the last removal was of the same numbers."
)
@click.option("-o", "--output", type=click.Path(), help="Leave INDEX as it is, and make an index of the rest here.")
@click.option("--threads", type=THREADS, help="Cores to use.  [default: all]")
def remove(
    index: str,
    documents: IO[bytes] | None,
    where: dict[str, list[Any]],
    holding: tuple[str, ...],
    ids: bool,
    pattern: bool,
    dry_run: bool,
    **settings: Any,
) -> None:
    """Remove the documents of INDEX that meet every kind of condition given: they are counted, shown and sampled no more.

    Costs a pass over the shards that hold them. Who has the index open goes on with what it was. Their text stays on the disk for
    suffixindex restore, until it is purged. Interrupted, the same command goes on. Of another engine's INDEX, --output makes an
    index of the rest.

    \b
    Example:
      suffixindex remove my-index --where license=proprietary --reason "ticket 4711" --dry-run
      suffixindex remove my-index --holding "Jane Roe" --holding "J. Roe" --purge
    """
    from suffixindex.changing.removing import remove as remove_documents
    from suffixindex.index import SuffixIndex

    conditions: dict[str, Any] = {"where": where or None}
    with SuffixIndex(index) as opened:
        conditions["holding"] = parse_queries(opened, holding, ids, pattern) or None
        if documents is not None:
            conditions["documents"] = list(read_documents(documents, opened.num_documents))
        documents_where(opened, where)
        warn_of_spellings(opened, conditions["holding"] or ())
    try:
        removed = remove_documents(index, dry_run=dry_run, **conditions, **settings)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted: the index is what it was, the same command goes on") from None
    if dry_run:
        emit([removed._asdict() | {"path": str(removed.path)}], None)
        return
    click.echo(summary(removed, purged=settings["purge"]), err=True)


def read_documents(file: IO[bytes], num_documents: int) -> Iterator[int]:
    """Numbers of documents, one a line, or records with a ``document_id``.

    Raises
    ------
    QueryError
        A line is neither, or there is no such document.
    """
    name = getattr(file, "name", "standard input")
    for number, line in text_lines(file, name, QueryError):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        document = value.get("document_id") if isinstance(value, dict) else value
        if type(document) is not int:
            found = f"{line[:60]!r}: write the number of a document, or a record with its document_id, as docs prints them"
            raise QueryError(f"{name}, line {number}: {found}")
        if not 0 <= document < num_documents:
            raise QueryError(f"{name}, line {number}: document {document} is outside the corpus of {num_documents:,} documents")
        yield document


def summary(removed: "Removed", *, purged: bool) -> str:
    """What was removed in a readable line or two."""
    words = f", {plural(removed.forgotten_words, 'word')} forgotten" if removed.forgotten_words else ""
    gone = f"{plural(removed.num_documents, 'document')}, {plural(removed.num_tokens, 'token')} removed from "
    whole = f"{plural(removed.total_documents, 'document')}, {plural(removed.total_tokens, 'token')} now"
    lines = [f"{removed.path}: {gone}{plural(removed.num_shards, 'shard')}{words}; {whole}"]
    if removed.linked_files:
        lines.append(
            f"  {plural(removed.linked_files, 'file')} of what was purged have another name, as in an index that this one was "
            "merged into or an input that was taken as it was: their text is still there"
        )
    if removed.left_bytes and not purged:
        lines.append(
            f"  {removed.left_bytes / 2**20:,.1f} MiB from before stay on the disk, for suffixindex restore: --purge deletes them"
        )
    return "\n".join(lines)


@click.command(short_help="Undo the last removal of documents.")
@click.argument("index", type=click.Path())
def restore(index: str) -> None:
    """Undo the last removal of documents from INDEX; again, the one before. Not if it was purged, or something was appended since.

    \b
    Example:
      suffixindex restore my-index
    """
    from suffixindex.changing.removing import restore as restore_documents

    back = restore_documents(index)
    size = f"{plural(back.num_documents, 'document')}, {plural(back.num_tokens, 'token')} are back"
    whole = f"{plural(back.total_documents, 'document')}, {plural(back.total_tokens, 'token')} now"
    click.echo(f"{back.path}: {size}; {whole}", err=True)
