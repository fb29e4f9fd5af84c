"""Corpora in a store as S3, which a server on this machine stands for."""

from collections.abc import Iterator
from typing import Any

import pytest

import suffixindex as si
from suffixindex.corpus.readers import read_records
from suffixindex.corpus.sources import resolve
from suffixindex.remote import problems
from tests.helpers.reading import as_rows, jsonl, pack, read

pytestmark = pytest.mark.long

MANY = [{"text": f"document {number} {'words ' * (number % 99)}"} for number in range(60_000)]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    s3fs = pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "my-key",
            "AWS_SECRET_ACCESS_KEY": "my-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
        }.items():
            patch.setenv(name, value)
        patch.setattr(problems, "FIRST_SECONDS", 0.0)
        files = s3fs.S3FileSystem()
        files.mkdir("bucket")
        files.pipe("bucket/c/a.jsonl", jsonl(MANY))
        files.pipe("bucket/c/year=2020/b.jsonl.zst", pack(jsonl(MANY[:9]), "b.zst"))
        files.pipe("bucket/c/.hidden.jsonl", jsonl(MANY[:9]))
        yield files
    server.stop()


@pytest.mark.parametrize("name", ["s3://bucket", "s3://bucket/c/", "s3://bucket/c/**/*.jsonl*"])
def test_a_bucket_is_read_as_a_folder(bucket: Any, name: str) -> None:
    found = as_rows(read(name))
    assert [row.text for row in found] == [row["text"] for row in [*MANY, *MANY[:9]]]
    assert {row.path for row in found} == {"s3://bucket/c/a.jsonl", "s3://bucket/c/year=2020/b.jsonl.zst"}
    assert found[-1].metadata == {"year": 2020}


def test_a_file_of_a_bucket_that_changes_is_noticed(bucket: Any) -> None:
    bucket.pipe("bucket/d.jsonl", jsonl(MANY[:5]))
    sources = resolve("s3://bucket/d.jsonl")
    assert sources[0].etag and sources[0].bytes and len(list(read_records(sources))) == 1
    bucket.pipe("bucket/d.jsonl", jsonl(MANY[1:6]))
    with pytest.raises(si.CorpusError, match=r"s3://bucket/d\.jsonl changed while it was read"):
        list(read_records(sources))
    bucket.rm("bucket/d.jsonl")


@pytest.mark.parametrize("name", ["s3://bucket/nothing.jsonl", "s3://no-bucket/a.jsonl", "s3://bucket/c/*.odd", "s3://no-bucket/*"])
def test_what_is_not_there(bucket: Any, name: str) -> None:
    with pytest.raises(si.CorpusError, match=r"^s3://\S+ does not exist"):
        resolve(name)


def test_what_may_not_be_read(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nowhere")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(si.CorpusError, match=r"^s3://bucket/c/a\.jsonl may not be read .*: set AWS_PROFILE, or AWS_ACCESS_KEY_ID"):
        resolve("s3://bucket/c/a.jsonl")
    s3fs.S3FileSystem.clear_instance_cache()
