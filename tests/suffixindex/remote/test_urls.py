"""URLs as names: what is one, what it says of its file, and that nothing which gives access is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffixindex.corpus.formats import ending_of
from suffixindex.remote.urls import has_magic, is_url, local_path, name_in, visible, without_secrets

SIGNED = "https://host/a.jsonl?X-Amz-Algorithm=AWS4&X-Amz-Credential=AKIA%2F2024&X-Amz-Signature=0f9e8d7c&X-Amz-Expires=600"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s3://bucket/a.jsonl", True),
        ("HTTPS://host/a", True),
        ("hf://datasets/user/name/data/*.parquet", True),
        ("zip://*.jsonl::https://host/a.zip", True),
        ("zip://a.jsonl::a.zip", True),
        ("simplecache::s3://bucket/a", True),
        ("hf:user/name?split=train", False),
        ("a.jsonl", False),
        ("a::b", False),
        ("C://a", False),
        ("-", False),
        ("folder/with:colon/a", False),
        ("/a/s3://b", False),
    ],
)
def test_what_is_a_url(name: str, expected: bool) -> None:
    assert is_url(name) is expected


def test_a_file_url_is_a_file() -> None:
    assert local_path("file:///a/b c.jsonl") == "/a/b c.jsonl"
    assert local_path("s3://a/b") == "s3://a/b"


@pytest.mark.parametrize(
    ("url", "name", "ending"),
    [
        ("https://host/a.jsonl.gz?download=true", "https://host/a.jsonl.gz", ".jsonl"),
        ("https://host/a?file=b.csv", "https://host/a", ""),
        ("zip://x/b.csv::https://host/a.zip?x=1", "zip://x/b.csv", ".csv"),
        ("simplecache::https://host/a.txt#top", "https://host/a.txt", ".txt"),
        ("s3://bucket/what?.txt", "s3://bucket/what?.txt", ".txt"),
        ("a?b.txt", "a?b.txt", ".txt"),
    ],
)
def test_what_a_url_says_of_its_file(url: str, name: str, ending: str) -> None:
    assert name_in(url) == name
    assert ending_of(url) == ending


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host/a*", True),
        ("https://host/a?b=*", False),
        ("https://host/a[1]?b", True),
        ("https://[::1]/a", False),
        ("s3://bucket/a?", True),
        ("s3://bucket/a?versionId=3", False),
        ("zip://a::https://host/*.zip", False),
        ("zip://a*::b.zip", True),
    ],
)
def test_what_is_a_glob(url: str, expected: bool) -> None:
    assert has_magic(url) is expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host:80/a/b.jsonl?id=3&page=2", "https://host:80/a/b.jsonl?id=3&page=2"),
        ("https://user:pass%40word@host/a", "https://host/a"),
        ("s3://KEY:SECRET@bucket/a", "s3://bucket/a"),
        ("sftp://me@host/a@b", "sftp://host/a@b"),
        (SIGNED, "https://host/a.jsonl"),
        ("https://host/a?sv=2024&sig=ab%2Bc&se=2025&part=1", "https://host/a?part=1"),
        ("https://host/a?se=7", "https://host/a?se=7"),
        ("https://host/a?accessToken=x&author=me&tokenizer=words", "https://host/a?author=me&tokenizer=words"),
        ("zip://*.txt::https://user:pass@host/a.zip?token=x", "zip://*.txt::https://host/a.zip"),
        ("abfs://container@account.dfs.core.windows.net/a", "abfs://container@account.dfs.core.windows.net/a"),
        ("hf://datasets/user/name@main/a.parquet", "hf://datasets/user/name@main/a.parquet"),
        ("github://user:repository@main/a", "github://user:repository@main/a"),
        ("s3://bucket/a?versionId=abc", "s3://bucket/a?versionId=abc"),
        ("a local file?token=x", "a local file?token=x"),
        ("--token=x", "--token=x"),
        ("https://me:a::b@[::1]:80/a", "https://[::1]:80/a"),
        ("zip://a::zip://b::https://me:c@host/d", "zip://a::zip://b::https://host/d"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert visible(url) == shown
    assert visible(shown) == shown


def test_a_long_value_of_any_name_is_shown_as_a_hash_of_it() -> None:
    urls = [f"https://host/a?{name}" for name in ("t=0123456789abcdef0123456789abcdef", "t=0123456789abcdef0123456789abcdee")]
    shown = [visible(url) for url in urls]
    assert len({*shown}) == 2 and all("0123456789abcdef" not in one for one in shown)
    assert visible("https://host/a?file=a-file-with-a-long-name-2024.jsonl").endswith("a-file-with-a-long-name-2024.jsonl")


SECRET = st.text("abcXYZ019+/=%:@é ", min_size=6, max_size=12)


@given(SECRET, SECRET)
def test_no_message_quotes_what_gives_access(password: str, token: str) -> None:
    from urllib.parse import quote, quote_plus

    for written in (quote(password, safe=""), quote(password, safe="+:=")):
        url = f"https://me-myself:{written}@host/a.jsonl?x=1&token={quote_plus(token)}"
        message = f"GET {url} failed; user me-myself, password {password} or {written}, token {token} or {quote_plus(token)}"
        for text in (visible(url), without_secrets(message, url)):
            assert "me-myself" not in text and written not in text and quote_plus(token) not in text
        assert password not in without_secrets(message, url) and token not in without_secrets(message, url)
