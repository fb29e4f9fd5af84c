"""What the user names as a corpus: files, folders, globs, standard input, Hugging Face datasets -> sources in a fixed order."""

import glob
import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
INPUT_FORMATS = ("auto", "jsonl", "lines", "text", "parquet")


@dataclass(frozen=True)
class Source:
    """One input. ``format`` is jsonl | lines | text | parquet | huggingface; sizes are unknown for what is no file."""

    path: str
    format: str
    bytes: int | None = None
    mtime_ns: int | None = None


def resolve(inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], input_format: str = "auto") -> list[Source]:
    """The sources that the inputs name, in the order of the inputs; folders and globs by sorted path.

    Parameters
    ----------
    inputs
        Paths of files (``.jsonl``, ``.json``, ``.parquet``, anything else is one document of text; ``.gz`` and ``.zst`` are
        unpacked), folders (walked for known kinds; hidden entries are passed over), globs, ``-`` for standard input,
        ``hf:NAME?name=CONFIG&split=SPLIT&revision=REVISION`` for a Hugging Face dataset.
    input_format
        ``auto`` goes by the file name (standard input is JSON lines); ``lines`` makes each line a document, ``text`` each file.

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
    places = Counter(source.path if source.bytes is None else os.path.realpath(source.path) for source in sources)
    repeated = [path for path, times in places.items() if times > 1]
    if repeated:
        raise CorpusError(f"{repeated[0]} is named twice: its documents would be counted twice")
    return sources


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
    if input_format == "auto":
        input_format = "jsonl" if suffix in RECORD_SUFFIXES else "parquet" if suffix == ".parquet" else "text"
    try:
        status = os.stat(path)
    except OSError as error:  # a link to nowhere, or no permission
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):  # a pipe, as a shell's <(...): its size is unknown
        return Source(path, input_format)
    return Source(path, input_format, status.st_size, status.st_mtime_ns)
