"""Archives: the members of a zip or tar file, in the order in which they lie there."""

import io
import logging
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from suffixindex.corpus.records import Chunk, Source
from suffixindex.corpus.streams import COMPRESSED_BYTES, RawStream, open_file, open_stream
from suffixindex.errors import CorpusError

log = logging.getLogger(__name__)

NOT_ARCHIVES: tuple[tuple[Callable[[list[str]], bool], str, str], ...] = (
    (
        lambda names: all(name.endswith(".npy") for name in names),
        "an .npz file of NumPy arrays",
        "save its array of ids by numpy.save",
    ),
    (lambda names: any(name.endswith("data.pkl") for name in names), "a PyTorch file", "write its text as JSON lines"),
    (lambda names: "[Content_Types].xml" in names, "a document of an office program", "save it as text"),
    (lambda names: "mimetype" in names, "a document (OpenDocument or EPUB)", "save it as text"),
    (lambda names: "META-INF/MANIFEST.MF" in names, "a Java archive", "unpack it"),
)
"""Of a zip file whose members' names say that it is something else: what it is, and what to do."""


class Member(NamedTuple):
    """A file of an archive, open until the next one is asked for."""

    name: str
    file: IO[bytes]
    consumed: int
    """Bytes of the archive that are read at its end."""


@contextmanager
def _archive_errors(path: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} is a damaged zip file, or of a kind that is not read ({error}): unpack it first") from error
    except tarfile.TarError as error:
        raise CorpusError(f"{path} is a damaged tar file ({error}): fetch it again") from error


MemberReader = Callable[[Source, Member, int], Iterator[Chunk] | None]
"""The chunks of a member; None where it is of no known kind."""


def zip_is(source: Source) -> tuple[str, str] | None:
    """What a zip file is that is no archive, and what to do about it."""
    try:
        with open_file(source, anywhere=True) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except CorpusError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):  # reading it will say so
        return None
    return next(((what, remedy) for test, what, remedy in NOT_ARCHIVES if names and test(names)), None)


def read_archive(source: Source, limit: int, read_member: MemberReader) -> Iterator[Chunk]:
    """All records of all members. Those of no known kind are passed over, which is said once.

    Raises
    ------
    CorpusError
        The archive is damaged or encrypted, or none of its members is of a known kind.
    """
    passed_over: Counter[str] = Counter()
    found = False
    with _archive_errors(source.path):
        for member in (_zip_members if source.kind == "zip" else _tar_members)(source):
            chunks = None if _hidden(member.name) else read_member(source, member, limit)
            if chunks is None:
                passed_over[PurePosixPath(member.name).suffix or "no ending"] += 1
                continue
            found = True
            yield from chunks
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in passed_over.most_common(5))
    if passed_over and found:
        log.warning("%s: passed over %d members of no known kind (%s)", source.path, passed_over.total(), kinds)
    if not found:
        raise CorpusError(
            f"{source.path} holds no member of a known kind ({kinds or 'it is empty'}): "
            "name what its members are with --input-format, or unpack it"
        )


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in PurePosixPath(name).parts)


def _zip_members(source: Source) -> Iterator[Member]:
    with open_file(source, anywhere=True) as whole, zipfile.ZipFile(whole) as archive:
        for info in archive.infolist():
            if not info.filename:
                raise CorpusError(f"{source.path}: a member has no name: the archive is damaged; fetch or pack it again")
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                raise CorpusError(f"{source.path}: its member {info.filename} is encrypted: unpack it first")
            with archive.open(info) as file:
                yield Member(info.filename, file, info.header_offset + info.compress_size)


def _tar_members(source: Source) -> Iterator[Member]:
    with open_stream(source, text=False) as opened:
        file = io.BufferedReader(RawStream(opened.stream), COMPRESSED_BYTES)
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for info in archive:
                if info.isfile() and (member := archive.extractfile(info)) is not None:
                    yield Member(info.name, member, opened.raw.tell() if opened.raw else 0)
