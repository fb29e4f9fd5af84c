"""``suffixindex serve``: answer questions about indexes over HTTP."""

import logging
import os
import re
import sys
from typing import Any

import click

from suffixindex.cli.options import THREADS, index_paths


@click.command(short_help="Answer questions over HTTP, with a page to ask them on.")
@click.argument("index", nargs=-1, required=True, metavar="INDEX…")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 for every one of this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=8008, show_default=True, help="0 for a free one.")
@click.option("--scheduler", help="Dask cluster whose workers answer, see the documentation of clusters.")
@click.option(
    "--budget", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True, help="Seconds that a question may cost."
)
@click.option("--token", envvar="SUFFIXINDEX_TOKEN", help="Answer only requests with this bearer token.")
@click.option("--cors", multiple=True, metavar="ORIGIN", help="Let pages of this origin ask; * for all. Give it again for another.")
@click.option("--root-path", default="", help="Path under which a proxy shows the server, as /search.")
@click.option("--trusted-proxy", multiple=True, metavar="ADDRESS", help="Believe what this proxy says of its clients.")
@click.option("--log-queries", is_flag=True, help="Log what is asked, too; else no text of a query is ever logged.")
@click.option("--quiet", is_flag=True, help="Log no requests.")
@click.option("--open/--no-open", "show", default=None, help="Open the page in a browser.  [default: on a desktop's terminal]")
@click.option("--threads", type=THREADS, help="Cores that one bulk question uses.  [default: all]")
def serve(
    index: tuple[str, ...],
    host: str,
    port: int,
    scheduler: str | None,
    trusted_proxy: tuple[str, ...],
    quiet: bool,
    show: bool | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Answer questions about each INDEX, a path or NAME=PATH, over HTTP: a page, an API, and infini-gram's API.

    \b
    Example:
      suffixindex serve my-index
      suffixindex serve may june both=may+june
      suffixindex serve pile=/data/pile v4_piletrain_llama=/data/pile --port 9000
    """
    import suffixindex
    from suffixindex.serve import app
    from suffixindex.serve.server import leave, listen, run

    logging.getLogger("suffixindex.serve").setLevel(logging.WARNING if quiet else logging.INFO)
    paths = parse_indexes(index)
    given = {"scheduler": scheduler} if scheduler else {"threads": threads}
    opened = {path: suffixindex.open(index_paths(path), **given) for path in dict.fromkeys(paths.values())}
    application = app({name: opened[path] for name, path in paths.items()}, **settings)
    listening = listen(host, port)
    url = address(host, listening.getsockname()[1])
    click.echo(f"Serving {', '.join(paths)} at {url} (stop with Ctrl-C)", err=True)
    if show or (show is None and on_desktop()):
        import webbrowser

        webbrowser.open(url)
    run(application, listening, trusted_proxy)
    leave(application)


def parse_indexes(arguments: tuple[str, ...]) -> dict[str, str]:
    """Name -> path, or several with ``+``. One without a name is called by its last part; what exists as written is a path."""
    paths: dict[str, str] = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not equals or os.path.exists(argument) or not re.fullmatch(r"[^/\\]+", name):
            path = argument
            name = "+".join(os.path.basename(os.path.abspath(part)) for part in index_paths(argument))
        if paths.setdefault(name, path) != path:
            raise click.UsageError(f"two indexes are called {name}: say NAME={path}")
    return paths


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds the server."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


def on_desktop() -> bool:
    """Whether a person sits at a terminal from which a window can be opened."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    display = sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return terminal and display
