"""What a URL names: a file, the files of a folder, or those that a glob matches."""

from pathlib import PurePosixPath
from time import sleep
from typing import Any, NamedTuple

from suffixindex.errors import CorpusError
from suffixindex.remote import files, problems
from suffixindex.remote.http import Status
from suffixindex.remote.urls import CHAIN, HTTP, has_magic, name_in, parted, scheme_of, visible


class Found(NamedTuple):
    """A file or a folder at a URL; the status of a file is None where listing does not tell it."""

    url: str
    status: Status | None


def expand(url: str) -> list[Found]:
    """The file or folder of a URL, or what it matches, sorted; in a chain, of each that the rest of it matches.

    Raises
    ------
    CorpusError, MissingDependencyError
        There is nothing.
    """
    first, rest = parted(url)
    if has_magic(rest):
        return [found for one in expand(rest) for found in expand(f"{first}{CHAIN}{one.url}")]
    if rest and "://" not in first:  # a cache before a URL
        return [Found(f"{first}{CHAIN}{found.url}", None) for found in expand(rest)]
    if not has_magic(url):
        return [Found(url, files.status_of(url))]
    found = problems.first_contact(url, lambda: _listed(url, recursive=False), sleep)
    if not found:
        raise CorpusError(f"{visible(url)} does not exist or matches nothing")
    return found


def walk(url: str) -> list[Found]:
    """All files below a folder, sorted.

    Raises
    ------
    CorpusError, MissingDependencyError
    """
    return problems.first_contact(url, lambda: _listed(url, recursive=True), sleep)


def read_small(url: str) -> bytes:
    """The content of a small file."""
    with files.open_url(url) as file:
        return file.read()


def _listed(url: str, recursive: bool) -> list[Found]:
    root, _ = parted(url)
    rest, pattern = url[len(root) :], ""
    if not recursive:
        root, pattern = _above_magic(root)
    place = files.place_of(root + rest)
    try:
        place.filesystem.invalidate_cache()
        path = place.path.rstrip("/")
        if recursive:
            names: dict[str, Any] = place.filesystem.find(place.path, detail=True)
        else:
            names = place.filesystem.glob(f"{path}/{pattern}" if path else pattern, detail=True)
    finally:
        place.close()
    is_http = scheme_of(root) in HTTP
    found = []
    for name, info in names.items():
        if is_http and ("?" in name or not name.startswith(root)):
            continue  # an index page's links to its own other orders, and out of it
        if not recursive and _is_hidden(name) and not _is_hidden(pattern):
            continue
        known = None if is_http and info.get("type") == "file" else files.status_in(info)
        found.append(Found(_url(root, path, name) + rest, known))
    return sorted(found, key=lambda one: PurePosixPath(name_in(one.url)).parts if recursive else one.url)


def _above_magic(url: str) -> tuple[str, str]:
    """(the folder above a glob, what is below it)."""
    scheme, _, path = url.partition("://")
    parts = path.split("/")
    start = 1 if scheme in HTTP else 0
    magic = next(i for i, part in enumerate(parts) if i >= start and any(sign in part for sign in "*?["))
    above = "/".join(parts[:magic])
    return f"{scheme}://{above}{'/' if above else ''}", "/".join(parts[magic:])


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _url(root: str, path: str, name: str) -> str:
    """The URL of a file that a filesystem, which may leave out hosts and accounts, calls so."""
    if "://" in name:
        return name
    if not name.startswith(path):
        return f"{scheme_of(root)}://{name}"
    below = name[len(path) :].lstrip("/")
    return root + below if root.endswith("/") else f"{root}/{below}"
