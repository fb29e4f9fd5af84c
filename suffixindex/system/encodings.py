"""Which encoding a text has, by its byte order mark: UTF-8, UTF-16 or UTF-32, of either order of bytes; UTF-8 without one."""

import codecs

MARKS = (  # UTF-32's begin with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(head: bytes) -> str:
    """The encoding that the first bytes say, by a byte order mark or for want of one. Its decoder leaves the mark out."""
    return next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")
