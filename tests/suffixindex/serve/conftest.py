"""Servers that the tests of this room ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import suffixindex as si
from tests.helpers.building import write_index, write_jsonl
from tests.helpers.serving import LiveServer, Table, listening

SENTENCES = ["the cat sat on the mat the cat slept", "the dog sat on the mat the cat did not"]


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    """The two lines that the facts of infini-gram's API are about, by words: ids 1 to 9."""
    folder = tmp_path_factory.mktemp("pets")
    corpus = write_jsonl(folder / "w.jsonl", SENTENCES, id=["a", "b"])
    si.build(corpus, folder / "index", tokenizer="words", progress=False)
    return si.open(folder / "index")


@pytest.fixture(scope="session")
def server(pets: si.SuffixIndex) -> Iterator[LiveServer]:
    with listening(si.serve.app({"demo": pets})) as live:
        yield live


@pytest.fixture
def live(server: LiveServer, pets: si.SuffixIndex) -> LiveServer:
    """A server that knows the pets as ``demo``, until the test makes it serve another index."""
    server.state.table = Table({"demo": pets})
    return server


@pytest.fixture(scope="session")
def letters_server(letters: str) -> Iterator[LiveServer]:
    with listening(si.serve.app({"demo": letters})) as live:
        yield live


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    """Ids alone, in three shards."""
    folder: Path = tmp_path_factory.mktemp("tiny") / "index"
    return write_index(folder, [[1, 2, 1, 2, 3], [], [2, 2], [3, 1, 2]], vocabulary_size=10, shards=3)
