"""``suffixindex demo``: index real text that every machine has, this Python's own standard library, and ask it things."""

import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from suffixindex.building.publish import BuildReport
    from suffixindex.index import SuffixIndex

COUNTED = (
    "return true if",
    "the standard library",
    "raise valueerror",
    "for backwards compatibility",
    "it was a dark and stormy night",
)
CONTEXT = "this method is"
SHOWN = "for backwards compatibility"
PAIR = ("deadlock", "timeout")


@click.command(short_help="Index Python's standard library and ask it things.")
@click.argument("index", type=click.Path(), default="demo-index")
def demo(index: str) -> None:
    """Index this Python's own standard library and show what the index answers; takes some seconds.

    \b
    Example:
      suffixindex demo
    """
    run(index)


def standard_library() -> list[str]:
    """Source files of the running Python's standard library, without what was installed into it; each once: some are links."""
    root = Path(sysconfig.get_path("stdlib"))
    installed = {"site-packages", "dist-packages", "__pycache__"}
    own = {path.resolve(): str(path) for path in root.rglob("*.py") if not installed.intersection(path.relative_to(root).parts)}
    return sorted(own.values())


def run(folder: str) -> None:
    """Build the index of the standard library (or go on with it), then print what it answers."""
    from suffixindex.construct import build
    from suffixindex.index import SuffixIndex

    files = standard_library()
    root = sysconfig.get_path("stdlib")
    size = sum(Path(path).stat().st_size for path in files)
    _say(
        f"Indexing Python {sys.version.split()[0]}'s standard library: {len(files):,} files, {size / 1e6:.0f} MB of text, by words."
    )
    click.echo("  (the first build on a machine compiles for some seconds, later ones do not)")
    started = time.perf_counter()
    report = build(files, folder, tokenizer="words", on_error="skip")
    _show_build(report, time.perf_counter() - started)
    with SuffixIndex(folder) as index:
        _show_counts(index)
        _show_next(index)
        _show_concordance(index, root)
        _show_documents(index, root)
    _say(
        "Your own corpus: suffixindex build CORPUS… -o INDEX --tokenizer words|bytes|NAME; then suffixindex count INDEX 'a phrase'."
    )


def _show_build(report: "BuildReport", seconds: float) -> None:
    phases = ", ".join(f"{phase} {value:.1f}" for phase, value in report.seconds.items())
    click.echo(f"  {report.num_documents:,} documents   {report.num_tokens:,} tokens   {seconds:.1f} s ({phases})")
    per_token = report.num_bytes / report.num_tokens
    skipped = "".join(f"   skipped {count} ({reason})" for reason, count in report.skipped.items())
    click.echo(f"  {report.num_bytes / 1e6:.0f} MB on disk, {per_token:.1f} bytes a token   in {report.path}/{skipped}\n")


def _show_counts(index: "SuffixIndex") -> None:
    _say("How often does it say …?")
    for ngram, occurrences, documents in zip(COUNTED, index.counts(COUNTED), index.document_counts(COUNTED), strict=True):
        click.echo(f"  {ngram:<34}{occurrences:>7,} times in {documents:,} files")
    import numpy as np

    rng = np.random.default_rng(0)
    starts = rng.integers(0, index.shards[0].length - 8, 100_000)
    sampled = [index.shards[0].tokens[start : start + 3] for start in starts.tolist()]
    whole = [ngram for ngram in sampled if index.separator not in ngram]
    index.counts(whole[:1000])
    started = time.perf_counter()
    index.counts(whole)
    click.echo(
        f"  … and {len(whole):,} random trigrams in one call: {(time.perf_counter() - started) / len(whole) * 1e6:.1f} µs each\n"
    )


def _show_next(index: "SuffixIndex") -> None:
    following = index.next_distribution(CONTEXT)
    _say(f"What follows “{CONTEXT}”? ({following.context_count:,} times, {len(following.token_ids)} different words)")
    top = following.top(6)
    for piece, token in zip(index.pieces([token.token_id for token in top]), top, strict=True):
        click.echo(f"  {piece:<16}{token.count:>5}  {token.prob:6.1%}  {'█' * round(40 * token.prob)}")
    click.echo()


def _show_concordance(index: "SuffixIndex", root: str) -> None:
    _say(f"Where does it say “{SHOWN}”?")
    for line in index.concordance(SHOWN, width=7, limit=6):
        left, match, right = index.decode(line.left), index.decode(line.match), index.decode(line.right)
        path = _shorten(index.document(line.document_id).path, root)
        click.echo(f"  {left[-44:]:>44} {click.style(match, bold=True)} {right[:34]:<34} {path}")
    click.echo()


def _show_documents(index: "SuffixIndex", root: str) -> None:
    first, second = PAIR
    near = index.holding(first, second, window=100)
    together = index.cooccurrence(first, second)
    _say(f"Which files hold both “{first}” and “{second}”? {together}, and {near.sum()} of them within a hundred words:")
    matches = index.documents(first, limit=None, where=near)
    for match in sorted(matches, key=lambda match: -match.ngram_count)[:5]:
        click.echo(f"  {_shorten(match.path, root):<46}{match.ngram_count:>3} × {first}")
    click.echo()


def _shorten(path: str | None, root: str) -> str:
    return (path or "").removeprefix(root).lstrip("/\\")


def _say(text: str) -> None:
    click.echo(click.style(text, bold=True))
