"""Corpora at URLs are what the same files on this machine are: listed, recognised, read, built, noticed when they change."""

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np
import pytest

import suffixindex as si
from suffixindex.building import team
from suffixindex.corpus import lines, streams
from suffixindex.corpus.readers import read_records
from suffixindex.corpus.sources import resolve
from suffixindex.remote import http, problems, reading
from suffixindex.system.pipeline import Pipeline
from tests.helpers.http_server import Server, serving
from tests.helpers.reading import RECORDS, as_rows, jsonl, pack, read
from tests.suffixindex.corpus.test_formats import tarred, zipped

pytest.importorskip("fsspec", reason="the extra remote is not installed")
pytest.importorskip("aiohttp", reason="the extra remote is not installed")
pytestmark = pytest.mark.usefixtures("no_fsync")

MANY = [{"text": f"document {number} of many {'words ' * (number % 9)}", "number": number} for number in range(2000)]

FEW = MANY[:200]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is lost before another try, and files are read in several parts."""
    monkeypatch.setattr(problems, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(reading, "FIRST_BYTES", 1 << 12)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr(reading, "SMALLEST_BYTES", 1 << 10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder) as server:
        yield server


def put(server: Server, name: str, content: bytes) -> Path:
    path = server.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def rows(inputs: Any, prefix: str = "", **options: Any) -> list[Any]:
    """What is read of a corpus, its paths without a prefix."""
    return [row._replace(path=row.path.removeprefix(prefix)) for row in as_rows(read(inputs, **options))]


def table(records: list[Any]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(records), stream, row_group_size=700)
    return stream.getvalue()


def arrow(records: list[Any]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    stream = io.BytesIO()
    rows = pyarrow.Table.from_pylist(records)
    with pyarrow.ipc.new_file(stream, rows.schema) as writer:
        writer.write_table(rows, 300)
    return stream.getvalue()


FILES = {
    "a.jsonl": lambda: jsonl(MANY),
    "a.jsonl.gz": lambda: pack(jsonl(MANY), "a.gz"),
    "a.jsonl.zst": lambda: pack(jsonl(MANY), "a.zst"),
    "a.csv": lambda: b"text,number\n" + b"".join(b"one %d,%d\n" % (number, number) for number in range(5000)),
    "a.txt": lambda: "Zwölf Boxkämpfer\n".encode() * 3000,
    "a.txt.xz": lambda: __import__("lzma").compress("Zwölf Boxkämpfer\n".encode() * 3000),
    "a16.txt": lambda: ("Zwölf Boxkämpfer\n" * 3000).encode("utf-16"),
    "a.json": lambda: json.dumps(RECORDS).encode(),
    "a.parquet": lambda: table(MANY),
    "a.arrow": lambda: arrow(MANY),
    "a.zip": lambda: zipped({"b/a.jsonl": jsonl(MANY), "b.txt": b"a text", "c.odd": b"?"}),
    "a.tar.gz": lambda: pack(tarred({"b/a.jsonl": jsonl(MANY), "b.txt": b"a text"}), "a.gz"),
    "year=2020/lang=en/a.jsonl": lambda: jsonl(RECORDS),
    "what is this": lambda: table(MANY),
    "empty.jsonl": lambda: b"",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("manner", ["ranges", "no ranges", "no length", "drops", "redirect", "query"])
def test_a_file_at_a_url_is_read_as_the_file(server: Server, name: str, manner: str) -> None:
    path = put(server, name, FILES[name]())
    url = f"{server.url}/{quote(name)}"
    server.manner.ranges = manner not in ("no ranges", "no length")
    server.manner.length = manner != "no length"
    if manner == "drops":
        server.manner.drop_after, server.manner.drops = 3000, 40
    if manner == "redirect":
        elsewhere = "/elsewhere" + "".join(path.suffixes)
        url = server.url + elsewhere
        server.manner.redirects = {elsewhere: f"/{quote(name)}"}
    if manner == "query":
        url += "?download=true"
    if not server.manner.ranges and name in ("a.parquet", "a.arrow", "a.zip", "what is this"):
        with pytest.raises(si.CorpusError, match="its server gives it from the beginning alone: fetch it, and name the file"):
            read(url)
        return
    found, expected = rows(url), rows(path, str(server.folder))
    if manner == "redirect":
        assert [row.text for row in found] == [row.text for row in expected]
    else:
        assert [row._replace(path=row.path.removeprefix(server.url).replace("?download=true", "")) for row in found] == [
            row._replace(path=quote(row.path)) for row in expected
        ]


@pytest.mark.parametrize("manner", ["ranges", "no ranges"])
def test_ids_at_a_url(server: Server, tmp_path: Path, manner: str) -> None:
    ids = np.arange(40_000, dtype="<u2") % 999
    np.save(server.folder / "a.npy", ids)
    put(server, "a.bin", ids.tobytes())
    server.manner.ranges = manner == "ranges"
    for name, input_format in (("a.npy", "auto"), ("a.bin", "u16")):
        url = f"{server.url}/{name}"
        if not server.manner.ranges:
            with pytest.raises(si.CorpusError, match="fetch it, and name the file"):
                si.build(url, tmp_path / name, tokenizer="none", input_format=input_format, separator=0)
            continue
        si.build(url, tmp_path / name, tokenizer="none", input_format=input_format, separator=0)
        with si.open(tmp_path / name) as index:
            assert index.num_documents == 42 and index.count([1, 2, 3]) == 41
    put(server, "a.idx", b"MMIDIDX")
    with pytest.raises(si.CorpusError, match="a Megatron dataset is read of files alone: fetch its "):
        resolve(f"{server.url}/a.idx")


def test_from_a_row_on_a_parquet_file_is_not_fetched_whole(server: Server) -> None:
    content = table([{"text": os.urandom(40).hex()} for _ in range(7000)])
    sources = resolve([str(put(server, "a.parquet", content)), f"{server.url}/a.parquet"])
    server.manner.sent = 0
    local, far = ([piece.payload for piece in read_records([source], (0, 6500))] for source in sources)
    assert [one.to_pylist() for one in far] == [one.to_pylist() for one in local] and far
    assert server.manner.sent < len(content) / 3


def test_the_beginnings_of_the_next_files_come_while_one_is_read(server: Server) -> None:
    names = [f"{number:02}.txt" for number in range(30)]
    for name in names:
        put(server, name, name.encode())
    put(server, "10.jsonl", jsonl(FEW))
    sources = resolve(server.url)
    server.manner.seconds, server.manner.most_at_once = 0.03, 0
    server.manner.asked.clear()
    with contextlib.closing(read_records(sources)) as pieces:
        for _ in range(20):
            next(pieces)
    assert 2 <= server.manner.most_at_once <= streams.BEGUN + http.Requests.parallel
    assert {times for path, times in server.manner.asked.items() if path != "/10.jsonl"} == {1}
    assert len(server.manner.asked) <= 20 + streams.BEGUN
    texts = [row.text for row in rows(server.url)]
    assert [text for text in texts if text.endswith(".txt")] == names and len(texts) == len(names) + len(FEW)


@pytest.mark.parametrize("ranges", [True, False])
def test_what_a_server_keeps_packed_is_unpacked_by_its_content(server: Server, ranges: bool) -> None:
    put(server, "a.jsonl", pack(jsonl(MANY), "a.gz"))
    server.manner.headers, server.manner.ranges = {"Content-Encoding": "gzip"}, ranges
    assert [row.text for row in rows(f"{server.url}/a.jsonl")] == [row["text"] for row in MANY]


def test_a_server_that_tells_neither_tag_nor_ranges_and_refuses_to_be_asked_for_them(server: Server) -> None:
    put(server, "a.jsonl", jsonl(FEW))
    server.manner.head = server.manner.etag = False
    server.manner.headers = {"Last-Modified": "Sat, 28 Nov 2026 10:00:00 GMT"}
    (source,) = resolve(f"{server.url}/a.jsonl")
    assert (source.etag, source.mtime_ns) == (None, 1795860000 * 10**9)
    assert len(rows(f"{server.url}/a.jsonl")) == len(FEW)
    server.manner.headers = {"Last-Modified": "Sat, 28 Nov 2026 11:00:00 GMT"}
    with pytest.raises(si.CorpusError, match=r"changed while it was read \(it was written to or replaced\)"):
        list(read_records([source]))


def test_headers_of_the_configuration_are_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.config import conf

    put(server, "a.txt", b"one")
    server.manner.password = "Bearer my-token"
    monkeypatch.setitem(conf, "http", {"headers": {"Authorization": "Bearer my-token"}})
    assert [row.text for row in rows(f"{server.url}/*.txt")] == ["one"]


# ---- what a URL names --------------------------------------------------------------------------------------------


def several(server: Server) -> None:
    for name in ("b.jsonl", "c/a.jsonl.gz", "c/d/z.txt", "c.txt", ".hidden.txt", "c/.git/a.txt", "c/x.py", "old.csv", "a.jsonl"):
        put(server, name, pack(jsonl([{"text": name}]), name))


@pytest.mark.parametrize("name", ["", "c", "c/", "*.jsonl", "**/*.txt", "*/a*", "[ab].jsonl", "c/*"])
@pytest.mark.parametrize("scheme", ["http", "memory"])
def test_folders_and_globs_name_what_those_of_this_machine_do(
    server: Server, name: str, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    several(server)
    root = server.url
    if scheme == "memory":
        root = "memory://several"
        in_memory(server.folder, "several")
    expected = rows(f"{server.folder}/{name}", str(server.folder))
    passed_over = [message.replace(str(server.folder), "").rstrip("/") for message in caplog.messages]
    caplog.clear()
    assert rows(f"{root}/{name}", root) == expected and expected
    assert [message.replace(root, "") for message in caplog.messages] == [text.replace("/:", ":") for text in passed_over]


def in_memory(folder: Path, name: str) -> Any:
    """Copy a folder into the file system that fsspec has in memory."""
    from fsspec import filesystem

    memory = filesystem("memory")
    memory.store.clear()
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe(f"/{name}/{path.relative_to(folder)}", path.read_bytes())
    return memory


@pytest.mark.parametrize("name", [name for name in FILES if name != "what is this"])
def test_every_kind_of_file_of_another_filesystem(server: Server, name: str) -> None:
    path = put(server, name, FILES[name]())
    in_memory(server.folder, "corpus")
    assert rows(f"memory://corpus/{name}", "memory://corpus") == rows(path, str(server.folder))


def test_members_of_archives_by_chained_urls(server: Server) -> None:
    members = {"a/1.jsonl": jsonl(MANY), "a/2.jsonl": jsonl(RECORDS), "b.txt": b"a text"}
    put(server, "x/1.zip", zipped(members))
    put(server, "x/2.zip", zipped({"3.jsonl": jsonl([{"text": "third"}])}))
    put(server, "a.tar", tarred(members))
    first = f"zip://a/1.jsonl::{server.url}/x/1.zip"
    assert {row.path for row in rows(first)} == {first} and len(rows(first)) == len(MANY)
    assert [row.text for row in rows(f"zip://a/*.jsonl::{server.url}/x/1.zip")][-1] == "last"
    assert [row.text for row in rows(f"zip://**/*.jsonl::{server.url}/x/*.zip")][-2:] == ["last", "third"]
    assert [row.text for row in rows(f"zip://a::{server.url}/x/1.zip")][-1] == "last"
    assert [row.text for row in rows(f"tar://b.txt::{server.url}/a.tar")] == ["a text"]
    assert [row.text for row in rows(f"tar://a/*::{server.url}/a.tar")][-1] == "last"
    assert [row.text for row in rows(f"zip://b.txt::{server.folder}/x/1.zip")] == ["a text"]
    assert [row.text for row in rows(f"simplecache::{server.url}/x/2.zip")] == ["third"]
    server.manner.drop_after, server.manner.drops = 500, 30
    assert len(rows(first)) == len(MANY)


def test_a_saved_dataset_at_a_url(server: Server) -> None:
    put(server, "data/state.json", json.dumps({"_data_files": [{"filename": "b.arrow"}, {"filename": "a.arrow"}]}).encode())
    put(server, "data/dataset_info.json", b"{}")
    put(server, "data/a.arrow", arrow([{"text": "second"}]))
    put(server, "data/b.arrow", arrow([{"text": "first"}]))
    assert [row.text for row in rows(f"{server.url}/data")] == ["first", "second"]


def test_an_index_in_a_folder_is_passed_over(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    put(server, "a.txt", b"one")
    si.build(server.folder / "a.txt", server.folder / "index", tokenizer="bytes")
    assert [row.text for row in rows(server.url)] == ["one"]
    assert f"{server.url}/index: passed over, an index is no part of a corpus" in caplog.text


def test_a_file_url_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    assert resolve(f"file://{tmp_path}/a.txt") == resolve(tmp_path / "a.txt")


def test_two_names_of_one_url_are_noticed(server: Server) -> None:
    put(server, "a.txt", b"one")
    with pytest.raises(si.CorpusError, match=r"a\.txt is named twice"):
        resolve([f"{server.url}/a.txt", f"{server.url}/*.txt"])
    assert len(resolve([f"{server.url}/a.txt?part=1", f"{server.url}/a.txt?part=2"])) == 2


def test_datasets_by_the_library_and_by_their_files_are_told_apart(tmp_path: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem
    from fsspec.registry import registry

    class Hub(MemoryFileSystem):  # type: ignore[misc] # fsspec is not typed
        protocol = "hf"
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return "/" + path.removeprefix("hf://").strip("/")

    known = dict(registry)
    Hub().pipe("/datasets/user/name/data/a.jsonl", jsonl(RECORDS))
    from fsspec import register_implementation

    register_implementation("hf", Hub, clobber=True)
    try:
        found = resolve("hf://datasets/user/name/data/*.jsonl")
        assert [(source.path, source.kind) for source in found] == [("hf://datasets/user/name/data/a.jsonl", "jsonl")]
        assert len(rows("hf://datasets/user/name")) == len(RECORDS)
    finally:
        if "hf" in known:
            register_implementation("hf", known["hf"], clobber=True)
    assert [source.kind for source in resolve("hf:user/name?split=test")] == ["huggingface"]


# ---- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "statuses", "sentence"),
    [
        ("nothing.txt", [], r"^\S+/nothing\.txt does not exist, or this machine may not see it$"),
        ("no*.txt", [], r"^\S+/no\*\.txt does not exist or matches nothing$"),
        ("a.txt", [403], r"^\S+/a\.txt may not be read \(StatusError: 403 Forbidden\): check the password"),
        ("a.txt", [401], r"^\S+/a\.txt may not be read \(StatusError: 401 Unauthorized\): check the password"),
        ("a.txt", [503, 500, 502], r"^\S+/a\.txt cannot be reached \(StatusError: 502 Bad Gateway\): check the address"),
        ("a.txt", [400], r"^\S+/a\.txt cannot be read: StatusError: 400 Bad Request$"),
    ],
)
def test_what_a_server_refuses(server: Server, name: str, statuses: list[int], sentence: str) -> None:
    put(server, "a.txt", b"one")
    server.manner.statuses = {f"/{name}": statuses}
    with pytest.raises(si.CorpusError, match=sentence):
        resolve(f"{server.url}/{name}")


def test_what_is_no_archive(server: Server) -> None:
    put(server, "a.txt", b"one" * 999)
    for scheme in ("zip", "tar"):
        with pytest.raises(si.CorpusError, match=rf"^{scheme}://x::\S+/a\.txt cannot be read: \w+: "):
            resolve(f"{scheme}://x::{server.url}/a.txt")


def test_a_server_that_is_busy_at_first_is_asked_again(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    put(server, "a.txt", b"one")
    server.manner.statuses = {"/a.txt": [503, 429]}
    assert [row.text for row in rows(f"{server.url}/a.txt")] == ["one"]
    assert [message.split(": ", 1)[1] for message in caplog.messages] == [
        "StatusError: 503 Service Unavailable; trying again",
        "StatusError: 429 Too Many Requests; trying again",
    ]


def test_no_server_and_no_such_host(server: Server) -> None:
    server.close()
    with pytest.raises(si.CorpusError, match=r"cannot be reached \(Client\w+: .*\): check the address and the connection"):
        resolve(f"{server.url}/a.txt")


def test_a_scheme_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.registry import known_implementations, registry

    monkeypatch.setitem(known_implementations, "gs", {"class": "nowhere.GCSFileSystem", "err": "install it"})
    for name in [name for name in registry if name == "gs"]:
        monkeypatch.delitem(registry, name)
    with pytest.raises(si.MissingDependencyError, match=r"^reading gs:// needs gcsfs: pip install 'suffixindex\[remote\]' gcsfs$"):
        resolve("gs://bucket/a.jsonl")
    with pytest.raises(si.MissingDependencyError, match=r"^what://x/y: no package that is installed reads what://; fetch"):
        resolve("what://x/y")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(si.MissingDependencyError, match=r"^reading s3:// needs s3fs: pip install 'suffixindex\[remote\]' s3fs$"):
        resolve("s3://bucket/a.jsonl")
    with pytest.raises(si.MissingDependencyError, match=r"^reading https:// needs aiohttp: pip install 'suffixindex\[remote\]'$"):
        resolve("https://host/a.jsonl")


# ---- builds ------------------------------------------------------------------------------------------------------


def contents(index: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(index)): path.read_bytes()
        for path in sorted(index.rglob("*"))
        if path.is_file() and path.name in ("tokens.u8", "suffix_array.u32", "document_offsets.u64", "vocabulary.txt")
    }


@pytest.mark.parametrize("processes", [1, 2])
def test_a_build_of_urls_is_the_build_of_the_files(
    server: Server, tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    several(server)
    put(server, "many.jsonl.zst", pack(jsonl(FEW), "many.zst"))
    monkeypatch.setattr(team, "MUCH_BYTES", 0)
    monkeypatch.setattr(Pipeline, "ready", True)
    monkeypatch.setattr(http, "SILENT_SECONDS", 20.0)
    si.build(server.folder, tmp_path / "here", tokenizer="bytes", threads=processes)
    si.build(server.url, tmp_path / "there", tokenizer="bytes", threads=processes)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    kept = [json.loads(line) for line in (tmp_path / "there" / "sources.jsonl").read_bytes().splitlines()]
    assert {*kept[0]} == {"path", "format", "bytes", "mtime_ns", "etag"} and kept[0]["path"] == f"{server.url}/a.jsonl"
    assert all(one["bytes"] and one["etag"] for one in kept)
    with si.open(tmp_path / "there") as index:
        assert index.documents("of many")[0].path == f"{server.url}/many.jsonl.zst"
        before = index.num_documents
    added = si.append(tmp_path / "there", f"{server.url}/old.csv", input_format="lines")
    assert added.total_documents == before + 1
    assert si.append(tmp_path / "there", f"{server.url}/old.csv", input_format="lines").num_documents == 0


@pytest.mark.long
def test_workers_of_a_cluster_read_urls(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra distributed is not installed")
    several(server)
    server.manner.password = "Basic " + base64.b64encode(b"me:my-password").decode()
    url = server.url.replace("//", "//me:my-password@")
    si.build(server.folder, tmp_path / "here", tokenizer="words")
    si.build(url, tmp_path / "there", tokenizer="words", workers=1)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "there").rglob("*") if path.is_file())
    assert b"my-password" not in kept


def test_a_server_whose_ranges_end_is_not_believed(server: Server) -> None:
    put(server, "a.jsonl", jsonl(FEW))
    sources = resolve(f"{server.url}/a.jsonl")
    server.manner.ranges = False
    with pytest.raises(si.CorpusError, match=r"8 more tries brought nothing .*sends something else now"):
        list(read_records(sources))


def test_files_of_this_machine_are_kept_as_ever(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    si.build(tmp_path / "a.txt", tmp_path / "index", tokenizer="bytes")
    assert {*json.loads((tmp_path / "index" / "sources.jsonl").read_bytes())} == {"path", "format", "bytes", "mtime_ns"}


def test_a_build_that_a_connection_stops_goes_on(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdefgh":
        put(server, f"{name}.jsonl", jsonl(FEW))
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    call: dict[str, Any] = {"tokenizer": "bytes", "checkpoint_seconds": 0, "threads": 1}
    found = resolve(server.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("suffixindex.construct.resolve", lambda *arguments, **options: found)
        server.manner.statuses = {"/g.jsonl": [503] * 1000}
        with pytest.raises(si.CorpusError, match=r"/g\.jsonl broke off at byte 0, .*; if the corpus or another setting is changed"):
            si.build(server.url, tmp_path / "index", **call)
    server.manner.statuses = {}
    server.manner.asked.clear()
    si.build(server.url, tmp_path / "index", **call)
    assert server.manner.asked["/a.jsonl"] < server.manner.asked["/h.jsonl"]  # looked at, not read again
    si.build(server.folder, tmp_path / "here", **call)
    assert contents(tmp_path / "index") == contents(tmp_path / "here")


@pytest.mark.parametrize("etag", [True, False])
def test_a_file_that_changes_is_noticed(server: Server, tmp_path: Path, etag: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    path = put(server, "a.jsonl", jsonl(FEW))
    for name in "bcdefg":
        put(server, f"{name}.jsonl", jsonl(FEW) + (b"{\n" if name == "g" else b""))
    server.manner.etag = etag
    urls = [f"{server.url}/{name}.jsonl" for name in "abcdefg"]
    sources = resolve(urls)
    with pytest.raises(si.CorpusError, match="line 201"):
        si.build(urls, tmp_path / "index", tokenizer="bytes", checkpoint_seconds=0, threads=1)
    path.write_bytes(jsonl(FEW).replace(b"document 7 ", b"document 8 ") + (b"" if etag else b"\n"))
    with pytest.raises(si.BuildError, match=r"holds an unfinished build of other settings \(inputs differ\)"):
        si.build(urls, tmp_path / "index", tokenizer="bytes")
    with pytest.raises(si.CorpusError, match=r"/a\.jsonl changed while it was read.*: a corpus must stay as it is"):
        list(read_records(sources))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changes_while_it_is_read_is_noticed(server: Server, ranges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "READ_BYTES", 1 << 14)
    first, second = (pack(jsonl([{"text": os.urandom(60).hex()} for _ in range(20_000)]), "a.gz") for _ in range(2))
    path = put(server, "a.jsonl.gz", first)
    server.manner.ranges = ranges
    pieces = read_records(resolve(f"{server.url}/a.jsonl.gz"))
    if ranges:
        next(pieces)
    path.write_bytes(second)
    with pytest.raises(si.CorpusError, match="changed while it was read"):
        list(pieces)


def test_a_file_in_memory_that_changes_is_noticed(server: Server) -> None:
    put(server, "a.txt", b"one")
    memory = in_memory(server.folder, "corpus")
    sources = resolve("memory://corpus/a.txt")
    assert len(list(read_records(sources))) == 1
    memory.pipe("/corpus/a.txt", b"two")
    with pytest.raises(si.CorpusError, match="changed while it was read"):
        list(read_records(sources))


def test_what_gives_access_is_used_and_never_kept_or_shown(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(server, "a.jsonl", jsonl(FEW))
    put(server, "bad.jsonl", b"{\n")
    server.manner.password = "Basic " + base64.b64encode(b"my-user:my-password").decode()
    server.manner.drop_after, server.manner.drops = 5000, 4
    host = server.url.removeprefix("http://")

    def signed(name: str, signature: str = "my-signature") -> str:
        return f"http://my-user:my-password@{host}/{name}?part=1&X-Amz-Signature={signature}&opaque=0123456789abcdef0123456789"

    monkeypatch.setattr(sys, "argv", ["suffixindex", "build", signed("a.jsonl")])
    said = []
    for name, error in (("bad.jsonl", "line 1"), ("nothing.jsonl", "does not exist")):
        with pytest.raises(si.CorpusError, match=error) as caught:
            si.build(signed(name), tmp_path / name, tokenizer="bytes")
        said.append(f"{caught.value} {caught.value.__suppress_context__ or caught.value.__cause__!r}")
    server.manner.statuses = {"/a.jsonl": [404]}
    with pytest.raises(si.CorpusError, match="does not exist"):
        resolve(signed("a.jsonl"))
    si.build(signed("a.jsonl"), tmp_path / "index", tokenizer="bytes", progress=True)
    said += [repr(resolve(signed("a.jsonl"))), caplog.text]
    assert "broke off" in caplog.text
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "served" not in path.parts)
    for secret in ("my-user", "my-password", "my-signature", "0123456789abcdef0123456789"):
        assert secret.encode() not in kept and secret not in " ".join(said)
    provenance = json.loads((tmp_path / "index" / "provenance.json").read_bytes())
    assert provenance["command"][2].startswith(f"http://{host}/a.jsonl?part=1")
    si.build(signed("a.jsonl", "another"), tmp_path / "index", tokenizer="bytes")  # signed anew it is the same corpus


def test_check_and_dry_run_of_urls(server: Server) -> None:
    put(server, "a.jsonl", jsonl(FEW))
    put(server, "b.jsonl", b'{"text": "one"}\n{\n')
    report = si.check_corpus([f"{server.url}/a.jsonl", f"http://me:my-password@{server.url[7:]}/b.jsonl", f"{server.url}/no"])
    assert report.documents == len(FEW) + 1
    assert [problem.path.rpartition("/")[2] for problem in report.problems] == ["b.jsonl", "no"]
    assert "my-password" not in str(report)
    estimate = si.estimate_build(f"{server.url}/a.jsonl", tokenizer="bytes")
    assert estimate.num_documents == len(FEW)
    server.manner.ranges = server.manner.length = False
    with pytest.raises(si.CorpusError, match="a dry run needs inputs of known size"):
        si.estimate_build(f"{server.url}/a.jsonl", tokenizer="bytes")


def test_a_corpus_of_this_machine_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    script = (
        "import sys, suffixindex as si\n"
        f"si.build({str(tmp_path / 'a.txt')!r}, {str(tmp_path / 'index')!r}, tokenizer='bytes')\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('fsspec', 'aiohttp')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
