"""What the user names as a corpus: files, folders, globs, standard input, Hugging Face datasets -> sources in a fixed order."""

import glob
import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from suffixindex.corpus.token_files import RAW as RAW_FORMATS
from suffixindex.corpus.token_files import data_files, token_type_of_dataset
from suffixindex.errors import CorpusError

log = logging.getLogger(__name__)

STDIN = "-"
HUGGING_FACE = "hf:"
COMPRESSIONS = (".gz", ".zst")
RECORD_SUFFIXES = (".jsonl", ".ndjson", ".json")
TEXT_SUFFIXES = frozenset(
    (
        ".txt .text .md .rst .tex .org .adoc .html .htm .xml .css .srt"
        " .py .pyi .pyx .ipynb .r .jl .c .h .cc .cpp .cxx .hpp .cu .rs .go .java .kt .scala .js .jsx .ts .tsx .cs .swift .m"
        " .rb .php .pl .pm .lua .hs .ml .lean .v .sh .bash .sql .yaml .yml .toml .ini .cfg .cmake"
    ).split()
)
TOKEN_FORMATS = ("megatron", "u8", "u16", "u32")
INPUT_FORMATS = ("auto", "jsonl", "lines", "text", "parquet", *TOKEN_FORMATS)


@dataclass(frozen=True)
class Source:
    """One input. ``format`` is jsonl | lines | text | parquet | huggingface; sizes are unknown for what is no file.

    Or, of ids, megatron | u8 | u16 | u32, then perhaps a colon and a number: the sequences of a step, the id that ends
    documents.
    """

    path: str
    format: str
    bytes: int | None = None
    mtime_ns: int | None = None

    @property
    def kind(self) -> str:
        """The format without its number."""
        return self.format.partition(":")[0]

    @property
    def number(self) -> int | None:
        """The number of the format."""
        number = self.format.partition(":")[2]
        return int(number) if number else None


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
        Paths of files (``.jsonl``, ``.json``, ``.parquet``, anything else is one document of text; ``.gz`` and ``.zst`` are
        unpacked), folders (walked for known kinds; hidden entries are passed over), globs, ``-`` for standard input,
        ``hf:NAME?name=CONFIG&split=SPLIT&revision=REVISION`` for a Hugging Face dataset.
    input_format
        ``auto`` goes by the file name (standard input is JSON lines); ``lines`` makes each line a document, ``text`` each file;
        ``u8``, ``u16`` and ``u32`` are files of nothing but ids. One in which each document ends with the largest id of the
        type, and that fits a shard, is linked and not copied: it must stay as it is.
    separator
        The id that ends documents in a file of ids; none: each file is one.
    sequences_per_step
        Of a Megatron dataset: its sequences are documents, so many are read in a training step, and each is kept with its
        ``step``. None: its documents are those that it names.

    Raises
    ------
    CorpusError
        An input does not exist, matches nothing, or is named twice.
    """
    if input_format not in INPUT_FORMATS:
        raise CorpusError(f"unknown input format {input_format!r}: expected one of {', '.join(INPUT_FORMATS)}")
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    sources = [source for name in inputs for source in _resolve_one(os.fspath(name), input_format)]
    if not sources:
        raise CorpusError("the corpus is empty: no input was named or found")
    sources = [_numbered(source, separator, sequences_per_step) for source in sources]
    if len({source.kind in TOKEN_FORMATS for source in sources}) > 1:
        raise CorpusError("the corpus is text and ids at once: build an index of each")
    places = Counter(source.path if source.bytes is None else os.path.realpath(source.path) for source in sources)
    repeated = [path for path, times in places.items() if times > 1]
    if repeated:
        raise CorpusError(f"{repeated[0]} is named twice: its documents would be counted twice")
    return sources


def _numbered(source: Source, separator: int | None, sequences_per_step: int | None) -> Source:
    """A source with the number that its format takes."""
    takes = {"megatron": sequences_per_step, "u8": separator, "u16": separator, "u32": separator}
    if separator is not None and source.kind not in RAW_FORMATS:
        raise CorpusError(f"{source.path} is {source.kind}: a separator is named for files of ids alone (--input-format u16)")
    if sequences_per_step is not None and (source.kind != "megatron" or sequences_per_step < 1):
        raise CorpusError(f"{source.path} is {source.kind}: sequences of a step, 1 or more, are named for Megatron datasets alone")
    number = takes.get(source.kind)
    return source if number is None else replace(source, format=f"{source.kind}:{number}")


def _resolve_one(name: str, input_format: str) -> Iterator[Source]:
    if name == STDIN:
        yield Source(STDIN, "jsonl" if input_format == "auto" else input_format)
    elif name.startswith(HUGGING_FACE):
        yield Source(name, "huggingface")
    elif os.path.isdir(name):
        yield from _walk(name, input_format)
    elif os.path.exists(name):
        yield _file(name, input_format)
    else:
        matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
        if not matches:
            hint = (
                f"; for a Hugging Face dataset write hf:{name}" if name.count("/") == 1 and not name.startswith((".", "/")) else ""
            )
            raise CorpusError(f"{name} does not exist{' or matches nothing' if glob.has_magic(name) else ''}{hint}")
        for match in matches:
            yield from _walk(match, input_format) if os.path.isdir(match) else [_file(match, input_format)]


def _walk(folder: str, input_format: str) -> Iterator[Source]:
    found = passed_over = 0
    paths: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        paths += [os.path.join(parent, name) for name in names if not name.startswith(".")]
    for path in sorted(paths, key=lambda path: Path(path).parts):
        if _known(path):
            found += 1
            yield _file(path, input_format)
        else:
            passed_over += 1
    if passed_over:
        log.warning(
            "%s: passed over %d files whose names say neither text nor records; name them to index them", folder, passed_over
        )
    if not found:
        raise CorpusError(f"{folder} holds no file of a known kind (.jsonl .parquet .txt, source files; also .gz, .zst)")


def _known(path: str) -> bool:
    suffix = _suffix(path)
    # in a folder of sources a bare .json is seldom a file of records; compressed ones, as C4's and Dolma's, are
    return (
        suffix in TEXT_SUFFIXES
        or suffix in (".jsonl", ".ndjson", ".parquet")
        or (suffix == ".json" and path.endswith(COMPRESSIONS))
    )


def _suffix(path: str) -> str:
    for compression in COMPRESSIONS:
        path = path.removesuffix(compression)
    return os.path.splitext(path)[1].lower()


def _file(path: str, input_format: str) -> Source:
    suffix = _suffix(path)
    if input_format == "auto" and suffix == ".idx":
        input_format = "megatron"
    if input_format == "megatron":
        return _dataset(path)
    if input_format == "auto":
        input_format = "jsonl" if suffix in RECORD_SUFFIXES else "parquet" if suffix == ".parquet" else "text"
    try:
        status = os.stat(path)
    except OSError as error:  # a link to nowhere, or no permission
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):  # a pipe, as a shell's <(...): its size is unknown
        return Source(path, input_format)
    return Source(path, input_format, status.st_size, status.st_mtime_ns)


def _dataset(path: str) -> Source:
    """A Megatron dataset by its ``.idx``, of the size of its tokens."""
    if not path.endswith(".idx"):
        raise CorpusError(f"{path} is no .idx: name a Megatron dataset by its index, beside which its .bin files lie")
    files = [Path(path), *data_files(Path(path))]
    return Source(path, "megatron", sum(file.stat().st_size for file in files[1:]), max(file.stat().st_mtime_ns for file in files))


def token_type_of(source: Source) -> str:
    """The narrowest token type that holds the ids of a source, of those that a dataset's type may be."""
    return source.kind if source.kind in RAW_FORMATS else token_type_of_dataset(Path(source.path))
