"""What the user names as a corpus: files, folders, globs, URLs, standard input, datasets of Hugging Face -> sources in order."""

import glob
import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from suffixindex.corpus.archives import zip_is
from suffixindex.corpus.columnar import saved_dataset
from suffixindex.corpus.formats import (
    INPUT_FORMATS,
    TOKEN_FORMATS,
    UnknownKindError,
    ending_of,
    format_by_name,
    format_of,
    in_folders,
)
from suffixindex.corpus.megatron import state_of, token_type_of_dataset
from suffixindex.corpus.records import HUGGING_FACE, STDIN, Source
from suffixindex.corpus.streams import DAMAGES, open_stream, plain_errors
from suffixindex.corpus.token_files import RAW as RAW_FORMATS
from suffixindex.corpus.token_files import check_width, npy_token_type
from suffixindex.errors import CorpusError
from suffixindex.remote.urls import is_joined, is_url, local_path, name_in, visible
from suffixindex.storage.format import BUILD_STATE, MANIFEST, SOURCES
from suffixindex.system.parallel import in_order

if TYPE_CHECKING:
    from suffixindex.remote.http import Status
    from suffixindex.remote.listing import Found

__all__ = ["HUGGING_FACE", "INPUT_FORMATS", "STDIN", "TOKEN_FORMATS", "Source", "resolve", "token_type_of"]

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Files at URLs whose beginnings are read at a time, since each is a request or two."""
INDEX_DEPTH = 3  # folders from an index's own to those of its files


def resolve(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    input_format: str = "auto",
    *,
    separator: int | None = None,
    sequences_per_step: int | None = None,
) -> list[Source]:
    """The sources that the inputs name, in the order of the inputs; folders and globs by sorted path.

    Parameters
    ----------
    inputs
        Paths of files (:data:`suffixindex.corpus.formats.FORMATS`; what is compressed is unpacked, members of zip and tar files are
        read), folders (walked for known kinds; hidden entries and indexes are passed over), globs, ``-`` for standard input,
        ``hf:NAME?name=CONFIG&split=SPLIT&revision=REVISION`` for a Hugging Face dataset; URLs of files, of folders and with globs,
        of any scheme that fsspec knows, also chained: ``s3://bucket/c4/*.json.gz``, ``hf://datasets/USER/NAME/data``,
        ``zip://*.jsonl::https://host/a.zip``. What gives access to them, as a password, is not kept.
    input_format
        ``auto`` goes by a file's content and its ending, and refuses what neither tells (standard input is JSON lines); ``lines``
        makes each line a document, ``text`` each file; ``u8``, ``u16`` and ``u32`` are files of nothing but ids. One in which each
        document ends with the largest id of the type, and that fits a shard, is linked and not copied: it must stay as it is.
    separator
        The id that ends documents in a file of ids; none: each file is one.
    sequences_per_step
        Of a Megatron dataset: its sequences are documents, so many are read in a training step, and each is kept with its
        ``step``. None: its documents are those that it names.

    Raises
    ------
    CorpusError
        An input does not exist, matches nothing, is of no known kind, or is named twice; of a file and links to it one is taken.
    """
    if input_format not in INPUT_FORMATS:
        raise CorpusError(f"unknown input format {input_format!r}: expected one of {', '.join(INPUT_FORMATS)}")
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    resolver = _Resolver(input_format)
    sources = [source for name in inputs for source in resolver.resolve(os.fspath(name))]
    if resolver.indexes:
        log.warning("%s: passed over, an index is no part of a corpus", ", ".join(sorted(resolver.indexes)))
    if not sources:
        only = f": {min(resolver.indexes)} is an index, name what it was built of" if resolver.indexes else None
        raise CorpusError(f"the corpus is empty{only or ': no input was named or found'}")
    sources = [_numbered(source, separator, sequences_per_step) for source in sources]
    if len({source.kind in TOKEN_FORMATS for source in sources}) > 1:
        raise CorpusError("the corpus is text and ids at once: build an index of each")
    return sources if len({place_of(source) for source in sources}) == len(sources) else _each_once(sources)


def _each_once(sources: Sequence[Source]) -> list[Source]:
    """Without links to files that are there by another name, their own if they are there by that."""
    found: dict[str, Source] = {}
    links = {source.path for source in sources if os.path.islink(source.path)}
    for source in sorted(sources, key=lambda source: source.path in links):
        known = found.setdefault(place_of(source), source)
        if known is not source and (source.path not in links or source.path == known.path):
            raise CorpusError(f"{source.path} is named twice: its documents would be counted twice")
    kept = {source.path for source in found.values()}
    passed_over = sorted(links - kept)
    log.warning("passed over %d links to files that are there by another name: %s", len(passed_over), ", ".join(passed_over[:3]))
    return [source for source in sources if source.path in kept]


def place_of(source: Source) -> str:
    """The same of two sources of one file."""
    return source.path if source.bytes is None or source.url is not None else os.path.realpath(source.path)


def _numbered(source: Source, separator: int | None, sequences_per_step: int | None) -> Source:
    """A source with the number that its format takes."""
    takes = {"megatron": sequences_per_step, **dict.fromkeys((*RAW_FORMATS, "npy"), separator)}
    if separator is not None and source.kind not in (*RAW_FORMATS, "npy"):
        raise CorpusError(f"{source.path} is {source.kind}: a separator is named for files of ids alone (--input-format u16)")
    if sequences_per_step is not None and (source.kind != "megatron" or sequences_per_step < 1):
        raise CorpusError(f"{source.path} is {source.kind}: sequences of a step, 1 or more, are named for Megatron datasets alone")
    number = takes.get(source.kind)
    return source if number is None else replace(source, format=f"{source.kind}:{number}")


class _Resolver:
    """Finds files and their formats; ``indexes`` are those that were passed over."""

    def __init__(self, input_format: str) -> None:
        self.input_format = input_format
        self.indexes: set[str] = set()
        self._is_index: dict[str, bool] = {}

    def resolve(self, name: str) -> Iterator[Source]:
        name = local_path(name)
        if name == STDIN:
            yield Source(STDIN, "jsonl" if self.input_format == "auto" else self.input_format)
        elif is_url(name):
            yield from self._url(name)
        elif name.startswith(HUGGING_FACE):
            yield Source(name, "huggingface")
        elif os.path.isdir(name):
            yield from self._folder(name)
        elif os.path.exists(name):
            yield from self._named(name)
        else:
            matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
            if not matches:
                hint = ""
                if name.count("/") == 1 and not name.startswith((".", "/")):
                    hint = f"; for a Hugging Face dataset write hf:{name}"
                if is_joined(name):
                    hint = "; if a URL is meant, give it as text: a Path makes one slash of two"
                raise CorpusError(f"{name} does not exist{' or matches nothing' if glob.has_magic(name) else ''}{hint}")
            for match in matches:
                yield from self._folder(match) if os.path.isdir(match) else self._named(match)

    def _named(self, path: str) -> Iterator[Source]:
        """A file that the user or a shell's glob names, unless it is an index's own."""
        parent = path
        for _ in range(INDEX_DEPTH if self.input_format == "auto" else 0):
            parent = os.path.dirname(parent)
            if parent not in self._is_index:
                self._is_index[parent] = _is_index(parent or ".")
            if self._is_index[parent]:
                self.indexes.add(parent or ".")
                return
        yield source_of(path, self.input_format)

    def _folder(self, folder: str) -> Iterator[Source]:
        saved = saved_dataset(folder)
        if saved is not None:
            yield from (source_of(path, "arrow") for path in saved)
            return
        yield from self._chosen(folder, self._walk(folder), lambda paths: map(self._source_or_error, paths))

    def _source_or_error(self, path: str) -> Source | UnknownKindError:
        try:
            return source_of(path, self.input_format)
        except UnknownKindError as error:
            return error

    def _chosen(
        self, folder: str, paths: Iterable[str], read: Callable[[list[str]], Iterator[Source | UnknownKindError]]
    ) -> Iterator[Source]:
        """Those of a folder's files that are of a known kind."""
        first: list[str] = []
        second: list[str] = []
        passed_over: Counter[str] = Counter()
        for path in paths:
            known = in_folders(path)
            (first if known else second).append(path) if known is not False else passed_over.update([_kind_of_name(path)])
        found = False
        chosen = first or second
        for path, source in zip(chosen, read(chosen), strict=True):
            if isinstance(source, UnknownKindError):
                log.warning("passed over: %s", source)
                passed_over[_kind_of_name(path)] += 1
                continue
            found = True
            yield source
        if first:
            passed_over.update(map(_kind_of_name, second))
        if passed_over:
            log.warning(
                "%s: passed over %d files whose names say neither text nor records (%s); name them to index them",
                folder,
                passed_over.total(),
                ", ".join(f"{count:,} {kind}" for kind, count in sorted(passed_over.items(), key=lambda of: (-of[1], of[0]))[:5]),
            )
        if not found and not self.indexes:
            raise CorpusError(
                f"{folder} holds no file of a known kind (.jsonl .parquet .txt .csv, source files; also .gz, .zst, .bz2, .xz)"
            )

    # ---- URLs ----

    def _url(self, url: str) -> Iterator[Source]:
        from suffixindex.remote.listing import expand

        with ThreadPoolExecutor(AT_ONCE, "resolve") as pool:
            found = expand(url)
            files = (self._source_at(one) for one in found) if len(found) == 1 else in_order(pool, self._source_at, found, AT_ONCE)
            for one, source in zip(found, files, strict=True):
                yield from self._folder_at(one.url, pool) if source is None else [source]

    def _source_at(self, found: "Found") -> Source | None:
        """A file at a URL; None if it is a folder."""
        from suffixindex.remote.files import status_of

        status = found.status
        if status is None or not (status.is_folder or status.etag or status.mtime_ns):
            status = status_of(found.url)
        return None if status.is_folder else source_at(found.url, status, self.input_format)

    def _folder_at(self, url: str, pool: ThreadPoolExecutor) -> Iterator[Source]:
        from suffixindex.remote.listing import read_small, walk

        folder = visible(url).rstrip("/")
        found = {visible(one.url): one for one in walk(url)}

        def read(paths: list[str]) -> Iterator[Source | UnknownKindError]:
            return in_order(pool, attempt, paths, AT_ONCE)

        def attempt(path: str) -> Source | UnknownKindError:
            try:
                source = self._source_at(found[path])
            except UnknownKindError as error:
                return error
            return source if source is not None else UnknownKindError(f"{path} is a folder")

        saved = saved_dataset(folder, found.__contains__, lambda path: read_small(found[path].url))
        if saved is not None:
            yield from (source for source in read(saved) if isinstance(source, Source))
            return
        yield from self._chosen(folder, self._not_hidden(folder, found), read)

    def _not_hidden(self, folder: str, paths: Iterable[str]) -> list[str]:
        """As :meth:`_walk`, of files in order."""
        below: dict[str, set[str]] = {}
        for path in paths:
            parts = path[len(folder) :].split("/")
            for level in range(1, len(parts)):
                below.setdefault(folder + "/".join(parts[:level]), set()).add(parts[level])
        indexes = {folder for folder, names in below.items() if _is_index_of(names)}
        self.indexes |= indexes
        return [
            path
            for path in paths
            if not any(map(_is_hidden, name_in(path[len(folder) :]).split("/"))) and not _is_below(path, indexes)
        ]

    def _walk(self, folder: str) -> list[str]:
        """The files of a folder that are not hidden and no part of an index, sorted."""
        paths: list[str] = []
        for parent, folders, names in os.walk(folder):
            if _is_index_of({*folders, *names}):
                self.indexes.add(parent)
                folders[:] = []
                continue
            folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
            paths += [os.path.join(parent, name) for name in names if not name.startswith(".")]
        return sorted(paths, key=lambda path: Path(path).parts)


def _is_hidden(part: str) -> bool:
    return part.startswith((".", "__pycache__"))


def _is_below(path: str, folders: set[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _kind_of_name(path: str) -> str:
    return ending_of(path) or "without an ending"


def _is_index(folder: str) -> bool:
    try:
        return _is_index_of(set(os.listdir(folder)))
    except OSError:
        return False


def _is_index_of(names: set[str]) -> bool:
    """Whether a folder of these entries is an index or a build under way, ours or infini-gram's."""
    ours = (MANIFEST in names or SOURCES in names) and "shards" in names
    build = BUILD_STATE in names and (SOURCES in names or "build.lock" in names or "shards" in names)
    return ours or build or names == {"build.lock"} or {"tokenized.0", "table.0"} <= names


def source_of(path: str, input_format: str) -> Source:
    """A file as a source.

    Raises
    ------
    CorpusError
        It cannot be read, is damaged, or is of no known kind.
    """
    if input_format == "megatron" or (input_format == "auto" and ending_of(path) == ".idx"):
        return _dataset(path)
    with plain_errors(path):
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe, as a shell's <(...): its size and content are unknown
            return Source(path, format_by_name(path) if input_format == "auto" else input_format)
        source = Source(path, input_format, status.st_size, status.st_mtime_ns)
        if not status.st_size:
            return replace(source, format=_format_of_nothing(path, input_format))
        return _of_content(source)


def source_at(url: str, status: "Status", input_format: str) -> Source:
    """A file at a URL as a source.

    Raises
    ------
    CorpusError
        It cannot be read, is damaged, or is of no known kind.
    """
    path = visible(url)
    source = Source(path, input_format, status.size, status.mtime_ns, status.etag, url, status.ranges)
    if input_format == "megatron" or (input_format == "auto" and ending_of(path) == ".idx"):
        raise CorpusError(f"{path}: a Megatron dataset is read of files alone: fetch its .idx and .bin, and name the .idx")
    if status.size == 0:
        return replace(source, format=_format_of_nothing(path, input_format))
    with plain_errors(path):
        return _of_content(source)


def _of_content(source: Source) -> Source:
    """A source with the format that its content tells."""
    source = replace(source, format=_format_of_file(source))
    if source.kind in RAW_FORMATS and source.bytes is not None:
        check_width(source.path, source.bytes, source.kind)
    if source.kind == "zip" and (what := zip_is(source)) is not None:
        raise UnknownKindError(f"{source.path} is {what[0]}, and no corpus: {what[1]}")
    return source


def _format_of_nothing(path: str, input_format: str) -> str:
    try:
        name = format_by_name(path) if input_format == "auto" else input_format
    except UnknownKindError:
        return "text"
    return "jsonl" if name == "json" and input_format == "auto" else name


def _format_of_file(source: Source) -> str:
    of_ids = source.format in RAW_FORMATS
    try:
        with open_stream(source, text=False) as opened:
            head, layers = opened.head, opened.layers
    except (*DAMAGES, OSError):
        if not of_ids:
            raise
        head, layers = b"", ()  # ids that begin like a compressed file
    found = format_of(source.path, head, source.format)
    if layers and (of_ids or found in ("parquet", "arrow", "npy", "zip", "megatron")):
        raise UnknownKindError(f"{source.path} is compressed ({layers[0]}), which is not read of {found}: unpack it first")
    return found


def _dataset(path: str) -> Source:
    """A Megatron dataset by its ``.idx``, of the size of its tokens."""
    if not path.endswith(".idx"):
        raise CorpusError(f"{path} is no .idx: name a Megatron dataset by its index, beside which its .bin files lie")
    with plain_errors(path):
        return Source(path, "megatron", *state_of(Path(path)))


def token_type_of(source: Source) -> str:
    """The narrowest token type that holds the ids of a source, of those that a dataset's type may be."""
    if source.kind in RAW_FORMATS:
        return source.kind
    return npy_token_type(source) if source.kind == "npy" else token_type_of_dataset(Path(source.path))
