"""Files at URLs: what is known of one before it is read, and the file to read."""

from collections.abc import Mapping
from datetime import datetime
from time import sleep
from typing import Any, NamedTuple

from suffixindex.remote import http, problems
from suffixindex.remote.http import Status
from suffixindex.remote.reading import BLOCK_BYTES, Fetcher, RemoteFile
from suffixindex.remote.urls import ARCHIVES, CHAIN, HTTP, parted, scheme_of

TAGS = ("ETag", "etag", "Content-MD5", "content_md5", "md5Hash", "generation", "blob_id", "sha", "CRC", "checksum", "chksum")
"""Fields that fsspec's filesystems tell of a file, one of which is another one for another content."""
TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "modify", "created")

READ_BYTES = 1 << 20


class Place(NamedTuple):
    """A URL as fsspec takes it."""

    filesystem: Any
    path: str
    archive: RemoteFile | None
    """What the filesystem reads, if that is an archive."""

    def close(self) -> None:
        if self.archive is not None:
            self.archive.close()


def place_of(url: str) -> Place:
    """The filesystem of a URL, without a connection yet, but for an archive, whose table of contents is read.

    Raises
    ------
    CorpusError, MissingDependencyError
    """
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import filesystem
    except ImportError as error:
        raise problems.missing_package("https://" if scheme_of(url) not in problems.PACKAGES else url) from error
    scheme, (first, rest) = scheme_of(url), parted(url)
    if rest and scheme in ARCHIVES:
        archive = open_url(rest)
        try:
            return Place(filesystem(scheme, fo=archive, skip_instance_cache=True), first.partition("://")[2].lstrip("/"), archive)
        except BaseException:
            archive.close()
            raise
    if rest:
        found, path = url_to_fs(url, **{name: http.options() for name in HTTP if f"{CHAIN}{name}://" in url})
    elif scheme in HTTP:
        found, path = filesystem(scheme, **http.options()), url
    else:
        found, path = url_to_fs(url)
    return Place(found, path, None)


def status_of(url: str) -> Status:
    """Size and identity of a file, as its server tells them now.

    Raises
    ------
    CorpusError, MissingDependencyError
        There is none, it may not be read, or nothing can be reached. Names the URL without what gives access to it.
    """
    return problems.first_contact(url, lambda: _status_of(url), sleep)


def _status_of(url: str) -> Status:
    place = place_of(url)
    try:
        if scheme_of(url) in HTTP:
            return http.status_of(place.filesystem, place.path)
        place.filesystem.invalidate_cache()
        return status_in(place.filesystem.info(place.path))
    finally:
        place.close()


def status_in(info: Mapping[str, Any]) -> Status:
    """What fsspec's filesystems say of a file. Where there is a tag, a time is left out: some tell it more exactly in lists."""
    if info.get("type") == "directory":
        return Status(None, is_folder=True)
    size = info.get("size")
    etag = next((str(info[name]).removeprefix("W/") for name in TAGS if info.get(name)), None)
    mtime = next((_nanoseconds(info[name]) for name in TIMES if info.get(name)), None) if etag is None else None
    return Status(int(size) if size is not None else None, etag, mtime)


def _nanoseconds(time: Any) -> int | None:
    if isinstance(time, datetime):
        time = time.timestamp()
    return round(time * 10**6) * 1000 if isinstance(time, (int, float)) else None  # a double holds no nanoseconds


def open_url(url: str, status: Status | None = None) -> RemoteFile:
    """A file to read, of which is known what :func:`status_of` says.

    Raises
    ------
    CorpusError, MissingDependencyError
    """
    known = status or status_of(url)
    return problems.first_contact(url, lambda: _open(url, known), sleep)


def _open(url: str, status: Status) -> RemoteFile:
    place = place_of(url)
    fetcher: Fetcher
    if scheme_of(url) in HTTP and status.ranges and status.size is not None:
        fetcher = http.Requests(place.filesystem, place.path, status)
    elif scheme_of(url) in HTTP:
        fetcher = http.Download(place.filesystem, place.path, status)
    elif place.filesystem.async_impl and status.size is not None and not parted(url)[1]:
        fetcher = _Ranges(place)
    else:
        fetcher = _Handle(place)
    return RemoteFile(url, fetcher, status.size)


class _Ranges:
    """A file of a store that gives any part of it, as S3: several requests are under way."""

    parallel = 4

    def __init__(self, place: Place) -> None:
        self._place = place

    def fetch(self, start: int, stop: int, into: bytearray) -> None:
        into += self._place.filesystem.cat_file(self._place.path, start=start, end=stop)

    def close(self) -> None:
        self._place.close()


class _Handle:
    """A file that one of fsspec's filesystems opens: a member of an archive, a file over SFTP."""

    parallel = 1

    def __init__(self, place: Place) -> None:
        self._place = place
        self._file: Any = None
        self._at = 0

    def fetch(self, start: int, stop: int, into: bytearray) -> None:
        try:
            if self._file is None:
                self._file, self._at = self._place.filesystem.open(self._place.path, "rb", block_size=BLOCK_BYTES), 0
            if self._at != start:
                self._file.seek(start)
                self._at = start
            while self._at < stop and (block := self._file.read(min(READ_BYTES, stop - self._at))):
                into += block
                self._at += len(block)
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        self._end()
        self._place.close()

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
