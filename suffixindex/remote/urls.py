"""URLs as names: their parts, and how they are shown and kept, which is without what gives access."""

import re
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlencode

CHAIN = "::"
ARCHIVES = ("zip", "tar", "libarchive")
"""Schemes of what lies in an archive, which stands after it in a chain."""
HTTP = ("http", "https")

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_CHAINED = re.compile(r"[a-z][a-z0-9+.-]*(://[^:]*)?::", re.IGNORECASE)
_LINK = re.compile(r"::(?=[a-z][a-z0-9+.-]*(://|::)|/)", re.IGNORECASE)
_NO_USER = ("abfs", "abfss", "wasb", "wasbs", "adl", "github", "git", "hf")
"""Schemes in which what stands before an @ is a container, a repository or the like."""
_SECRET_NAMES = re.compile(
    r"x-(amz|goog|oss|cos|obs)-.*|.*accesskeyid|googleaccessid|key-pair-id|expires|policy|auth|authorization|sig|pwd|sid|session(id)?|"
    r".*(token|key|secret|signature|password|passwd|credentials?|jwt)",
    re.IGNORECASE,
)
_AZURE = frozenset("sv se st sp sr si ss srt spr sip sdd skoid sktid skt ske sks skv saoid suoid scid".split())
"""Beside ``sig``: a shared access signature."""
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_-]{24,}|eyJ[A-Za-z0-9._-]+")
"""A value that may be a secret whatever it is called."""
_QUERY = re.compile(r"\?(?=[\w.-]+=)")


def is_url(name: str) -> bool:
    """Whether an input is a URL, or several in a chain: ``zip://*.jsonl::https://host/a.zip``."""
    return _SCHEME.match(name) is not None or (_CHAINED.match(name) is not None and "://" in name)


def parted(url: str) -> tuple[str, str]:
    """The first of a chain, and the rest; an address as ``https://[::1]/a`` is none."""
    link = url.find(CHAIN) if scheme_of(url) in ARCHIVES else next((found.start() for found in _LINK.finditer(url)), -1)
    return (url, "") if link < 0 else (url[:link], url[link + len(CHAIN) :])


def _links(url: str) -> Iterator[str]:
    while url:
        first, url = parted(url)
        yield first


def is_joined(name: str) -> bool:
    """Whether a name is a URL that went through a ``Path``: ``https:/host/a``."""
    return re.match(r"[a-z][a-z0-9+.-]+:/[^/]", name, re.IGNORECASE) is not None


def local_path(name: str) -> str:
    """``/a`` of ``file:///a``: a file of this machine; any other name as it is."""
    return name.removeprefix("file://") if name.startswith("file:///") and not parted(name)[1] else name


def scheme_of(url: str) -> str:
    """``https``; of a chain, the first."""
    return re.split(r"://|::", url, maxsplit=1)[0].lower()


def name_in(path: str) -> str:
    """What a URL, or a path, says of the kind of its file: the path in it, without a query and without what it lies in."""
    if not is_url(path):
        return path
    first, rest = parted(path)
    if "://" not in first:
        return name_in(rest)
    return first.partition("?")[0].partition("#")[0] if scheme_of(first) in HTTP else first


def visible(url: str) -> str:
    """A URL without user and password and without the parameters that give access.

    Parameters are known by their names; a long value of another, which may be a secret too, becomes a hash of it. So a URL that
    was signed anew is the same.

    >>> visible("https://user:password@host/a.jsonl?id=3&X-Amz-Signature=0123")
    'https://host/a.jsonl?id=3'
    """
    return CHAIN.join(_visible(part) for part in _links(url))


def _visible(url: str) -> str:
    found = _SCHEME.match(url)
    if found is None:
        return url
    scheme, rest = url[: found.end()], url[found.end() :]
    host, slash, path = rest.partition("/")
    if scheme_of(url) not in _NO_USER:
        host = host.rpartition("@")[2]
    path, query = _without_query(url, path)
    kept = [(name, value) for name, value, is_secret in _parameters(query) if not is_secret]
    shown = [(name, _hashed(value)) for name, value in kept]
    if len(kept) < len(_parameters(query)) or shown != kept:
        query = urlencode(shown)
    return f"{scheme}{host}{slash}{path}{'?' if query else ''}{query}"


def _without_query(url: str, path: str) -> tuple[str, str]:
    """(path, query); in most schemes a question mark alone begins none."""
    path, *query = path.split("?", 1) if scheme_of(url) in HTTP else _QUERY.split(path, maxsplit=1)
    return (
        (path.partition("#")[0], query[0].partition("#")[0] if query else "") if scheme_of(url) in HTTP else (path, "".join(query))
    )


def _parameters(query: str) -> list[tuple[str, str, bool]]:
    """(name, value, whether it is one of those that give access) of each."""
    found = parse_qsl(query, keep_blank_values=True)
    signed = any(name == "sig" for name, _ in found)
    return [(name, value, bool(_SECRET_NAMES.fullmatch(name)) or (signed and name in _AZURE)) for name, value in found]


def _hashed(value: str) -> str:
    return f"sha256:{sha256(value.encode()).hexdigest()[:12]}" if _OPAQUE.fullmatch(value) else value


def secrets(url: str) -> set[str]:
    """What :func:`visible` takes out of a URL, as a library's message may quote it."""
    return {found for part in _links(url) for one in _secrets(part) for found in (one, unquote(one)) if len(found) > 2}


def _secrets(url: str) -> Iterator[str]:
    if (found := _SCHEME.match(url)) is None:
        return
    user = url[found.end() :].partition("/")[0].rpartition("@")[0]
    if user and scheme_of(url) not in _NO_USER:
        yield from (user, *user.split(":", 1))
    for name, value, is_secret in _parameters(_without_query(url, url[found.end() :])[1]):
        if is_secret or _OPAQUE.fullmatch(value):
            yield from (value, quote(value), quote_plus(value), urlencode({name: value}))


def without_secrets(text: str, url: str) -> str:
    """A message about a URL without what gives access to it."""
    for part in sorted(_links(url), key=len, reverse=True):
        text = text.replace(part, visible(part))
    for secret in sorted(secrets(url), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def has_magic(url: str) -> bool:
    """Whether the first of a chain is a glob; in https a question mark begins a query."""
    first, _ = parted(url)
    path, _ = _without_query(first, first.partition("://")[2])
    if scheme_of(first) in HTTP:
        path = path.partition("/")[2]
        return "*" in path or "[" in path
    return any(sign in path for sign in "*?[")
