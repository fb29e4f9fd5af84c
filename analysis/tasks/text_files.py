"""Bytes of a task file -> text: packed or not, with or without a byte order mark, its lines ended in any way.

A file is what its first bytes say, whatever it is called. What is no text is refused by its name.
"""

import bz2
import gzip
import lzma
import zlib
from pathlib import Path

import zstandard

from analysis.errors import TaskError

PACKED = (".gz", ".zst", ".bz2", ".xz")
MARKS = (  # UTF-32's little-endian mark begins with UTF-16's
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""Byte order marks, and what they say."""
CONTAINERS = {
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet table",
    b"\x93NUMPY": "a NumPy array",
    b"SQLite format 3\x00": "an SQLite database",
    b"%PDF-": "a PDF",
    b"ARROW1": "an Arrow file",
}
TAR = slice(257, 262)  # where a tar archive says "ustar"


def read_text(file: Path) -> str:
    """The text of a file.

    Raises
    ------
    TaskError
        It cannot be opened, was cut short, is a container of something else, or is no UTF-8.
    """
    try:
        content = _unpacked(file.read_bytes())
    except (OSError, EOFError, zlib.error, zstandard.ZstdError, lzma.LZMAError, MemoryError) as error:
        raise TaskError(f"{file} cannot be read: {error}") from error
    if held := next((name for magic, name in CONTAINERS.items() if content.startswith(magic)), None):
        raise TaskError(f"{file} is {held}, whatever its name: unpack it, or give it its own ending")
    if content[TAR] == b"ustar":
        raise TaskError(f"{file} is a tar archive, whatever its name: unpack it")
    mark, encoding = next((pair for pair in MARKS if content.startswith(pair[0])), (b"", "utf-8"))
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = content[len(mark) :].count(b"\n", 0, error.start) + 1
        raise TaskError(
            f"{file} cannot be read as {encoding.upper()}: line {line} has the byte 0x{error.object[error.start]:02x} "
            f"({error.reason}); convert it, as iconv -f latin1 -t utf-8"
        ) from None


def lines_of(text: str) -> list[str]:
    """The lines of a text, ended by ``\\n``, ``\\r\\n`` or ``\\r``; of U+2028 and the like none ends.

    A text that ends with its last line's end has no line after it.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _unpacked(content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd_frames(content)
    if content.startswith(b"BZh"):
        return bz2.decompress(content)
    if content.startswith(b"\xfd7zXZ\x00"):
        return lzma.decompress(content)
    return content


def _zstd_frames(packed: bytes) -> bytes:
    """The frames of a zstd file; the library's own reader takes a file that was cut for a shorter one."""
    parts = []
    while packed:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(packed))
        if not frame.eof:
            raise EOFError("it ends inside a frame, so it was cut: fetch it again")
        packed = frame.unused_data
    return b"".join(parts)
