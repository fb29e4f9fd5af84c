"""What kind of file a file is: by its first bytes, or by its ending, never a guess. A new format is a row of ``FORMATS``."""

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from suffixindex.corpus import columnar, delimited, json_values, lines, megatron, token_files
from suffixindex.corpus.records import Chunk, Parsed, Source
from suffixindex.corpus.text import Stream, as_utf8, is_text
from suffixindex.errors import CorpusError
from suffixindex.remote.urls import name_in


class Format(NamedTuple):
    """A kind of file. It has ``read_stream``, ``read_file``, or neither: an archive, whose members are read."""

    name: str
    """As ``--input-format`` and ``sources.jsonl`` say."""
    what: str
    parse: Callable[[Any, int], Iterator[Parsed]] | None = None
    """(payload, number of its first record) -> records."""
    read_stream: Callable[[Stream, int], Iterator[Chunk]] | None = None
    """(content, most bytes of a record) -> raw records."""
    read_file: Callable[[Source, int, int], Iterator[Chunk]] | None = None
    """(source, first record, most bytes of a record) -> raw records from that one on."""
    endings: tuple[str, ...] = ()
    in_folders: bool = True
    """Whether files of these endings in a folder are read beside others, or only where there is nothing else."""
    is_tokens: bool = False
    parse_utf8: Callable[[Any, int, str], Iterator[Parsed]] | None = None
    """(payload, number of its first record, field of the text) -> records whose texts may be views of UTF-8."""


TEXT_ENDINGS = tuple(
    (
        ".txt .text .md .rst .tex .org .adoc .html .htm .xml .css .srt"
        " .py .pyi .pyx .ipynb .r .jl .c .h .cc .cpp .cxx .hpp .cu .rs .go .java .kt .scala .js .jsx .ts .tsx .cs .swift .m"
        " .rb .php .pl .pm .lua .hs .ml .lean .v .sh .bash .sql .yaml .yml .toml .ini .cfg .cmake"
    ).split()
)
TEXT_NAMES = frozenset(
    "readme license licence copying authors notice changes changelog news install todo makefile dockerfile".split()
)

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format(
            "jsonl",
            "JSON lines",
            lines.parse_json_lines,
            lines.read_lines,
            endings=(".jsonl", ".ndjson"),
            parse_utf8=lines.parse_json_utf8,
        ),
        Format("json", "JSON", json_values.parse_values, json_values.read_values, endings=(".json",), in_folders=False),
        Format("lines", "a document a line", lines.parse_lines, lines.read_lines),
        Format("text", "a document a file", lines.parse_whole, lines.read_whole, endings=TEXT_ENDINGS),
        Format("csv", "CSV", delimited.parse_rows, delimited.read_commas, endings=(".csv",), in_folders=False),
        Format("tsv", "TSV", delimited.parse_rows, delimited.read_tabs, endings=(".tsv", ".tab"), in_folders=False),
        Format("parquet", "Parquet", columnar.parse_rows, None, columnar.read_parquet, (".parquet",)),
        Format("arrow", "Arrow", columnar.parse_rows, None, columnar.read_arrow, (".arrow", ".feather"), in_folders=False),
        Format("zip", "a zip archive", endings=(".zip",), in_folders=False),
        Format("tar", "a tar archive", endings=(".tar", ".tgz", ".tbz2", ".txz"), in_folders=False),
        Format("huggingface", "a Hugging Face dataset", columnar.parse_rows, None, columnar.read_hugging_face),
        Format("megatron", "a Megatron dataset", token_files.parse_tokens, None, megatron.read_megatron, (".idx",), False, True),
        Format("npy", "a NumPy array", token_files.parse_tokens, None, token_files.read_npy, (".npy",), False, True),
        *(
            Format(name, f"ids of {name}", token_files.parse_tokens, None, token_files.read_raw, (), False, True)
            for name in token_files.RAW
        ),
    )
}
INPUT_FORMATS = ("auto", *(name for name in FORMATS if name not in ("zip", "tar", "huggingface")))
TOKEN_FORMATS = tuple(name for name, form in FORMATS.items() if form.is_tokens)
ARCHIVES = ("zip", "tar")
COMPRESSION_ENDINGS = (".gz", ".zst", ".bz2", ".xz")
_BY_ENDING = {ending: form.name for form in FORMATS.values() for ending in form.endings}


class UnknownKindError(CorpusError):
    """A file that is not taken for text or records."""


class _Signature(NamedTuple):
    magic: bytes
    what: str
    remedy: str
    at: int = 0


_UNPACK, _AS_TEXT, _AS_RECORDS, _NO_TEXT = "unpack it first", "save it as text", "write its text as JSON lines", "leave it out"

SIGNATURES = (
    _Signature(b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    _Signature(b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    _Signature(b"\x04\x22\x4d\x18", "lz4", "unpack it first, as lz4 -d does"),
    _Signature(b"LZIP", "lzip", _UNPACK),
    _Signature(b"\x1f\x9d", "a file of compress (.Z)", _UNPACK),
    _Signature(b"\xff\x06\x00\x00sNaPpY", "snappy", _UNPACK),
    _Signature(b"MSCF\0\0\0\0", "a cabinet archive", _UNPACK),
    _Signature(b"!<arch>\n", "an ar archive", _UNPACK),
    _Signature(b"xar!", "a xar archive", _UNPACK),
    _Signature(b"070701", "a cpio archive", _UNPACK),
    _Signature(b"\xed\xab\xee\xdb", "an RPM package", _UNPACK),
    _Signature(b"%PDF-", "a PDF document", "extract its text first, as pdftotext does"),
    _Signature(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an office program", _AS_TEXT),
    _Signature(b"{\\rtf", "an RTF document", _AS_TEXT),
    _Signature(b"AT&TFORM", "a DjVu document", "extract its text first"),
    _Signature(b"SQLite format 3\0", "an SQLite database", "export its text as CSV or JSON lines"),
    _Signature(b"\x89HDF\r\n\x1a\n", "an HDF5 file", _AS_RECORDS),
    _Signature(b"CDF\x01", "a NetCDF file", _AS_RECORDS),
    _Signature(b"CDF\x02", "a NetCDF file", _AS_RECORDS),
    _Signature(b"FEA1", "a Feather file of version 1", "write it anew, as version 2"),
    _Signature(b"ORC", "an ORC file", "write it as Parquet"),
    _Signature(b"Obj\x01", "an Avro file", "write it as Parquet or JSON lines"),
    _Signature(b"GGUF", "a GGUF model", _NO_TEXT),
    _Signature(b"PACK\0\0\0", "a git pack", _NO_TEXT),
    _Signature(b"TNTIDX\0\0", "an index of fairseq's older kind", "make it anew with --dataset-impl mmap"),
    _Signature(b"\x7fELF", "a program (ELF)", _NO_TEXT),
    _Signature(b"MZ\x90\0", "a program (PE)", _NO_TEXT),
    *(
        _Signature(magic, "a program (Mach-O)", _NO_TEXT)
        for magic in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
    ),
    _Signature(b"\0asm", "a program (WebAssembly)", _NO_TEXT),
    _Signature(b"\x89PNG\r\n\x1a\n", "a PNG image", _NO_TEXT),
    _Signature(b"\xff\xd8\xff", "a JPEG image", _NO_TEXT),
    _Signature(b"GIF87a", "a GIF image", _NO_TEXT),
    _Signature(b"GIF89a", "a GIF image", _NO_TEXT),
    _Signature(b"II*\0", "a TIFF image", _NO_TEXT),
    _Signature(b"MM\0*", "a TIFF image", _NO_TEXT),
    _Signature(b"WEBPVP8", "a WebP image", _NO_TEXT, 8),
    _Signature(b"WAVEfmt ", "a sound", _NO_TEXT, 8),
    _Signature(b"OggS\0", "a sound", _NO_TEXT),
    _Signature(b"fLaC\0", "a sound", _NO_TEXT),
    _Signature(b"ID3\x02", "a sound", _NO_TEXT),
    _Signature(b"ID3\x03", "a sound", _NO_TEXT),
    _Signature(b"ID3\x04", "a sound", _NO_TEXT),
    _Signature(b"ftyp", "a video", _NO_TEXT, 4),
    _Signature(b"\x1a\x45\xdf\xa3", "a video", _NO_TEXT),
    _Signature(b"wOF2", "a font", _NO_TEXT),
    *(_Signature(bytes([0x80, version]), "a Python pickle", _AS_RECORDS) for version in range(2, 6)),
)
"""Kinds of files that are no corpus, known by what they begin with."""


def container_of(head: bytes) -> str | None:
    """The format of a file that says itself what it is; None if it is text or unknown."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1") or (
        head.startswith(b"\xff\xff\xff\xff") and head[6:8] == b"\0\0" and b"\x10\0\0\0" in head[8:12]
    ):
        return "arrow"
    if head.startswith(token_files.NPY_MAGIC):
        return "npy"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    return "megatron" if head.startswith(megatron.MAGIC) else None


def refused(path: str, head: bytes, of_ids: bool = False) -> UnknownKindError | None:
    """What to say of a file that is no corpus; of ids, which may begin with anything, magic numbers of four bytes or more alone."""
    for signature in SIGNATURES:
        magic = signature.magic
        if not head.startswith(magic, signature.at) or (of_ids and len(magic) <= 4):
            continue
        if not magic.isascii() or b"\0" in magic or magic in (b"%PDF-", b"{\\rtf") or not _reads_as_text(head):
            return UnknownKindError(f"{path} is {signature.what}, and no corpus: {signature.remedy}")
    return None


def _reads_as_text(head: bytes) -> bool:
    """Whether a beginning is UTF-8 without a NUL, but for a character that is cut at its end."""
    return b"\0" not in head and (len(head) < 4 or "\ufffd" not in head[:-3].decode(errors="replace")[:-1])


def format_of(path: str, head: bytes, given: str = "auto") -> str:
    """The format of a file by its content and its name, or the one that the user named, unless the content says that it is another.

    Parameters
    ----------
    head
        What the file begins with, once unpacked.

    Raises
    ------
    UnknownKindError
        It is of no kind that is read, or of none that is known.
    """
    of_ids = given in token_files.RAW
    found = container_of(head)
    if of_ids and found == "npy":
        return "npy"
    if of_ids and found not in ("parquet", "zip"):
        found = None
    if found in ARCHIVES and given not in token_files.RAW:
        return found if given == "auto" else f"{found}:{given}"
    if found is not None and given in ("auto", found):
        return found
    if found is not None:
        raise UnknownKindError(f"{path} is {FORMATS[found].what}, expected {FORMATS[given].what}: leave out --input-format")
    if (error := refused(path, head, of_ids)) is not None:
        raise error
    if given == "auto":
        given = format_by_name(path)
        if FORMATS[given].read_stream is not None and not is_text(head):
            raise _no_text(path, head)
        if given == "json":  # until its content says otherwise
            given = "jsonl"
    return "json" if given == "jsonl" and json_values.is_framed(as_utf8(head)) else given


def _no_text(path: str, head: bytes) -> UnknownKindError:
    return UnknownKindError(
        f"{path} is no text: it has a NUL at byte {as_utf8(head).index(0):,}; if it is UTF-16 without a byte order mark, "
        "write it as UTF-8 (iconv -f UTF-16LE -t UTF-8); if that is meant, name what it is with --input-format"
    )


def format_by_name(path: str) -> str:
    """
    Raises
    ------
    UnknownKindError
        The ending is of no known kind.
    """
    ending = ending_of(path)
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    stem = os.path.basename(name_in(path)).partition(".")[0].lower()
    if stem in TEXT_NAMES and not ending:
        return "text"
    what = f"the ending {ending}" if ending else "a name without an ending"
    raise UnknownKindError(
        f"{path}: {what} does not say what it is: name it with --input-format, as text (a document a file), "
        "lines (a document a line), jsonl, csv, or u16 (ids)"
    )


def in_folders(path: str) -> bool | None:
    """Whether a file in a folder is read by its name; None: where the folder holds nothing else."""
    ending = ending_of(path)
    if ending == ".json":  # in a folder of sources seldom a file of records; compressed ones, as C4's and Dolma's, are
        return name_in(path).endswith(COMPRESSION_ENDINGS) or None
    form = FORMATS.get(_BY_ENDING.get(ending, ""))
    return False if form is None else form.in_folders or None


def ending_of(path: str) -> str:
    """The ending that says what a file is, that of a compression left out."""
    path = name_in(path)
    for compression in COMPRESSION_ENDINGS:
        path = path.removesuffix(compression)
    return os.path.splitext(path)[1].lower()
