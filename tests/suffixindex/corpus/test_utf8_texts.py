"""Texts of JSON lines that are read as UTF-8 by compiled code are those that a parser reads, and so is all that is beside them."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffixindex.corpus import lines as lines_module
from suffixindex.corpus import readers
from suffixindex.corpus.readers import Documents, RawRecords, RecordOptions, parse
from suffixindex.corpus.sources import Source
from suffixindex.errors import CorpusError

SOURCE = Source("a.jsonl", "jsonl")
CHARACTERS = [
    *(b"x" * size for size in (1, 3, 7, 8, 9, 31)),
    *("é", "中", "𝄞", "\x7f", "\u2028", "\ufffe", "\U0010ffff", "'", "}", "]", ",", '\\"text\\": \\"'),
    *(f"\\{letter}" for letter in '"\\/bfnrtuvx0'),
    *(r"\u0000", r"\u00e9", r"\u4E2d", r"\ud834\udd1e", r"\uD834\uDD1E", r"\ud834", r"\udd1e", r"\ud834\ud834", r"\ud834x"),
    *(
        "\x80",
        "\u07ff",
        "\u0800",
        "\ud7ff",
        "\ue000",
        "\U00010000",
        b"\xc1\xbf",
        b"\xf5\x80\x80\x80",
        b"\xe4\x41\x80",
        b"\xe4\xb8\xc3",
    ),
    *(r"\u12", r"\u12g4", r"\ud834\n", "\\", '"', "\t", "\x1f", "\x00"),
    *(
        b"\xff",
        b"\x80",
        b"\xc3",
        b"\xc0\x80",
        b"\xe0\x9f\xbf",
        b"\xe4\xb8",
        b"\xed\xa0\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
    ),
]
RECORDS = [
    *(b'{"text": "%b"}', b'{"text":"%b","n":1}', b'{"n": [1, {"a": null}], "text": "%b", "last": true}', b'  {"text": "%b"}\r'),
    *(b'{"text": "%b", "x": 1.50}', b'{"x": {"y": 0.30000000000000000001}, "text": "%b"}', b'{"text": "%b", "x": 1e400}'),
    *(b'{"text": "%b", "x": 12345678901234567890123}', b'{"text": "%b", "x": NaN}', b'{"text": "%b", "x": "\\ud834"}'),
    *(
        b'{"text": "%b", "text": "b"}',
        b'{"text": "a", "text": "%b"}',
        b'{"text": "%b", "te\\u0078t": "b"}',
        b'{"te\\u0078t": "%b"}',
    ),
    *(b'{"a": {"text": "x"}, "text": "%b"}', b'{"text": {"text": "%b"}}', b'{"text": ["%b"]}', b'{"text": 1, "a": "%b"}'),
    *(b'{"a": "\\"text\\": \\"b\\"", "text": "%b"}', b'{"a": "\\\\", "text": "%b"}', b'{"text" : "%b"}', b'{"text":  "%b"}'),
    *(
        b'{"text": "%b"} {"text": "b"}',
        b'{"text": "%b"}]',
        b'["text", "%b"]',
        b'{"text": "%b"',
        b'"text": "%b"',
        b'"%b"',
        b"%b",
        b"",
    ),
    *(
        b'\xef\xbb\xbf{"text": "%b"}',
        b'{"text": "%b", "a": \xff}',
        b'{"body": "%b"}',
        b'{"a": ' + b"[" * 510 + b"]" * 510 + b', "text": "%b"}',
    ),
]


@pytest.fixture(autouse=True)
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short record counts as a long one."""
    monkeypatch.setattr(readers, "LONG_RECORD", 0)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Lines of records, many of them no records."""
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        parts = draw(st.lists(st.sampled_from(CHARACTERS), max_size=6))
        text = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
        lines.append(draw(st.sampled_from(RECORDS)).replace(b"%b", text))
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n", b"\n\n"]))


def parsed(payload: bytes, *, utf8: bool, on_error: str = "skip", field: str = "text") -> Documents:
    piece = RawRecords(0, 7, payload.count(b"\n") + 1, payload, len(payload), 0)
    return parse([piece], [SOURCE], RecordOptions(field, on_error=on_error, utf8=utf8))


def as_strings(documents: Documents) -> list[str]:
    return [text if isinstance(text, str) else bytes(text).decode() for text in documents.texts]


def failure(payload: bytes, *, utf8: bool) -> str | None:
    try:
        parsed(payload, utf8=utf8, on_error="raise")
    except CorpusError as error:
        return str(error)
    return None


@given(payloads())
def test_texts_metadata_and_errors_are_those_of_a_parser(payload: bytes) -> None:
    plain, utf8 = (parsed(payload, utf8=utf8) for utf8 in (False, True))
    assert as_strings(utf8) == plain.texts
    assert utf8.metadata == plain.metadata and utf8.skipped == plain.skipped
    assert failure(payload, utf8=True) == failure(payload, utf8=False)


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("field", ["text", "body", "a.text", 'te"xt', "\udc80"])
def test_every_kind_of_record_by_every_kind_of_field(record: bytes, field: str) -> None:
    payload = b"\n".join([record.replace(b"%b", "short, é".encode()), record.replace(b"%b", b"long " * 20)])
    plain, utf8 = (parsed(payload, utf8=utf8, field=field) for utf8 in (False, True))
    assert as_strings(utf8) == plain.texts
    assert utf8.metadata == plain.metadata and utf8.skipped == plain.skipped


@pytest.mark.parametrize("first", CHARACTERS)
@pytest.mark.parametrize("distance", range(9))
def test_every_character_at_every_place_of_a_word(first: bytes | str, distance: int) -> None:
    character = first if isinstance(first, bytes) else first.encode()
    payload = b'{"text": "' + b"x" * distance + character + b'"}\n{"text": "behind it"}'
    assert as_strings(parsed(payload, utf8=True)) == parsed(payload, utf8=False).texts


def test_plain_lines_make_no_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_json_lines(payload: bytes, first: int) -> Iterator[None]:
        raise AssertionError(payload)

    monkeypatch.setattr(lines_module, "parse_json_lines", parse_json_lines)
    payload = b'{"text": "one \\u00e9 \\ud834\\udd1e", "id": 1.5}\n{"id": 2, "text":"\xe4\xb8\xad"}\n{"text": ""}'
    documents = parsed(payload, utf8=True)
    assert [type(text) for text in documents.texts] == [memoryview] * 3
    assert as_strings(documents) == ["one é 𝄞", "中", ""]


def test_characters_from_everywhere_in_unicode() -> None:
    edges = [0x20, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]
    characters = [chr(code) for code in (*edges, *range(32, 0x110000, 61)) if not 0xD800 <= code < 0xE000]
    text = "".join(character for character in characters if character not in '"\\')
    assert as_strings(parsed(b'{"text": "' + text.encode() + b'"}', utf8=True)) == [text]
