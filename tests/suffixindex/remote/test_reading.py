"""A file that is fetched in parts reads as one that is there, however its connections end."""

import io
import logging
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.remote import problems, reading
from suffixindex.remote.http import ChangedError, StatusError
from suffixindex.remote.reading import RemoteFile

URL = "https://user:password@host/a.bin?token=secret"
CONTENT = bytes(range(251)) * 40


class Broken:
    """Brings bytes; now and then only some of them, and an error."""

    def __init__(self, content: bytes, parallel: int, breaks: list[int], error: Exception | None = None) -> None:
        self.content = content
        self.parallel = parallel
        self.breaks = breaks
        self.error = error or ConnectionError("gone")
        self.asked: list[tuple[int, int]] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()

    def fetch(self, start: int, stop: int, into: bytearray) -> None:
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            self.asked.append((start, stop))
            brings = self.breaks.pop() if self.breaks else -1
        into += self.content[start:stop] if brings < 0 else self.content[start : min(start + brings, stop)]
        with self.lock:
            self.under_way -= 1
        if brings >= 0:
            raise self.error

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small parts, and no time to lose."""
    monkeypatch.setattr(reading, "FIRST_BYTES", 16)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 256)
    monkeypatch.setattr(reading, "SMALLEST_BYTES", 4)
    monkeypatch.setattr(problems, "FIRST_SECONDS", 0.0)


STEP = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 900)),
    st.tuples(st.just("seek"), st.integers(0, 1200)),
    st.tuples(st.just("back"), st.integers(0, 40)),
)


@given(
    st.integers(0, 1000),
    st.sampled_from([1, 4]),
    st.booleans(),
    st.lists(STEP, max_size=8),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_it_reads_as_a_file_that_is_there(
    size: int, parallel: int, known: bool, steps: list[tuple[str, int]], breaks: list[int]
) -> None:
    content = CONTENT[:size]
    expected = io.BytesIO(content)
    with RemoteFile(URL, Broken(content, parallel, breaks), size if known or parallel > 1 else None) as file:
        for what, number in steps:
            if what == "read":
                assert file.read(number) == expected.read(number)
            else:
                place = number if what == "seek" else max(0, expected.tell() - number)
                assert file.seek(place) == expected.seek(place)
            assert file.tell() == expected.tell()
        assert file.read() == expected.read()


def test_what_is_read_in_order_is_read_ahead_in_few_parts_that_grow() -> None:
    fetcher = Broken(CONTENT, 4, [])
    with RemoteFile(URL, fetcher, len(CONTENT)) as file:
        while file.read(10):
            assert sum(stop - start for start, stop in fetcher.asked) <= file.tell() + 4 * 256
    assert sorted(fetcher.asked)[:6] == [(0, 16), (16, 48), (48, 112), (112, 240), (240, 496), (496, 752)]
    assert max(stop - start for start, stop in fetcher.asked) == 256 and fetcher.most_under_way <= 4
    assert sum(stop - start for start, stop in fetcher.asked) == len(CONTENT)


def test_a_beginning_alone_is_one_small_request_and_an_end_too() -> None:
    fetcher = Broken(CONTENT, 4, [])
    with RemoteFile(URL, fetcher, len(CONTENT)) as file:
        assert file.read(16) == CONTENT[:16]
        file.seek(0)
        assert file.read(8) == CONTENT[:8]
        file.seek(-8, io.SEEK_END)
        assert file.read() == CONTENT[-8:]
    assert fetcher.asked == [(0, 16), (len(CONTENT) - 8, len(CONTENT))]


def test_it_goes_on_at_the_byte_where_the_connection_ended(caplog: pytest.LogCaptureFixture) -> None:
    fetcher = Broken(CONTENT[:16], 1, [7])
    with RemoteFile(URL, fetcher, 16) as file:
        assert file.read() == CONTENT[:16]
    assert fetcher.asked == [(0, 16), (7, 11), (11, 16)]
    expected = "https://host/a.bin broke off at byte 7 (ConnectionError: gone); try 1 of 8 in 0 s"
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_after_some_tries_that_bring_nothing_the_url_and_the_byte_are_named(caplog: pytest.LogCaptureFixture) -> None:
    fetcher = Broken(CONTENT, 1, [0] * 50 + [5], OSError(f"cannot reach {URL}"))
    with RemoteFile(URL, fetcher, 16) as file, pytest.raises(si.CorpusError) as caught:
        file.read()
    assert str(caught.value) == (
        "https://host/a.bin broke off at byte 5, and 8 more tries brought nothing (OSError: cannot reach https://host/a.bin): "
        "run the same command when the connection is better, it goes on"
    )
    assert len(fetcher.asked) == 9 and len(caplog.records) == 8
    assert caught.value.__suppress_context__ and "secret" not in caplog.text and "password" not in caplog.text


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StatusError(404, "Not Found"), "https://host/a.bin does not exist, or this machine may not see it"),
        (
            StatusError(403, "Forbidden"),
            "https://host/a.bin may not be read (StatusError: 403 Forbidden): check the password in it",
        ),
        (StatusError(416, "Range"), "https://host/a.bin cannot be read: StatusError: 416 Range"),
        (ChangedError(), "https://host/a.bin changed while it was read: a corpus must stay as it is"),
        (FileNotFoundError(URL), "https://host/a.bin does not exist"),
        (ValueError("no such option"), "https://host/a.bin cannot be read: ValueError: no such option"),
    ],
)
def test_what_no_other_try_mends_is_tried_once(error: Exception, sentence: str) -> None:
    fetcher = Broken(CONTENT, 1, [0] * 9, error)
    with RemoteFile(URL, fetcher, 16) as file, pytest.raises(si.CorpusError) as caught:
        file.read()
    assert str(caught.value).startswith(sentence) and len(fetcher.asked) == 1


@pytest.mark.parametrize("error", [StatusError(503, "Busy"), StatusError(429, "Slow"), TimeoutError(), EOFError()])
def test_what_passes_is_tried_again(error: Exception) -> None:
    with RemoteFile(URL, Broken(CONTENT, 4, [0, 0, 0], error), len(CONTENT)) as file:
        assert file.read() == CONTENT


def test_one_that_is_closed_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "FIRST_SECONDS", 3600.0)
    monkeypatch.setattr(problems, "MOST_SECONDS", 3600.0)
    failed = threading.Event()

    class Failing(Broken):
        def fetch(self, start: int, stop: int, into: bytearray) -> None:
            failed.set()
            raise ConnectionError

    file = RemoteFile(URL, Failing(CONTENT, 1, []), 16)
    reader: Any = threading.Thread(target=lambda: file.read(1), daemon=True)
    reader.start()
    failed.wait()
    file.close()
    reader.join(60)
    assert not reader.is_alive()


def test_a_size_that_is_not_known_is_no_end_to_count_from(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RemoteFile(URL, Broken(CONTENT, 1, []), None) as file:
        with pytest.raises(io.UnsupportedOperation):
            file.seek(0, io.SEEK_END)
        assert file.read() == CONTENT
        assert file.seek(0, io.SEEK_END) == len(CONTENT)
