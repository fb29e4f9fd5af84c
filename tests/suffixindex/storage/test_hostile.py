"""Files of right form, and with the right hash, that say what cannot be: one of our errors at every door."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import suffixindex as si
from suffixindex.storage.format import BUILD_STATE, MANIFEST, PROVENANCE, SHARD_MARKER, shard_folder
from tests.suffixindex.storage.test_format import GOLDEN, rewrite

Manifest = dict[str, Any]
HUGE = 10**30
DEEP = json.loads("[" * 900 + "]" * 900)
HASH = "0" * 64


def entry(**changes: Any) -> Callable[[Manifest], object]:
    """Changes of the manifest itself."""
    return lambda content: content.update(changes)


def shard(**changes: Any) -> Callable[[Manifest], object]:
    """Changes of the second shard's entry."""
    return lambda content: content["shards"][1].update(changes)


def file(name: str, **changes: Any) -> Callable[[Manifest], object]:
    """Changes of what a file of the second shard must be; of one that is not there, the file is listed."""
    return lambda content: content["shards"][1]["files"].setdefault(name, {"bytes": 0, "sha256": HASH}).update(changes)


def shards(change: Callable[[list[Any]], Any]) -> Callable[[Manifest], object]:
    return lambda content: content.update(shards=change(content["shards"]))


def without(*names: str) -> Callable[[Manifest], object]:
    return lambda content: [content["shards"][1]["files"].pop(name) for name in names]


HOSTILE: dict[str, Callable[[Manifest], object]] = {
    "no shards": shards(lambda found: []),
    "no shards and no tokens": entry(shards=[], num_tokens=0, num_documents=0),
    "one shard less": shards(lambda found: found[:1]),
    "twice as many shards": shards(lambda found: found * 2),
    "thousands of shards": shards(lambda found: found * 1000),
    "shards that are swapped": shards(lambda found: found[::-1]),
    "shards by name": shards(lambda found: dict(enumerate(found))),
    "shards in lists": shards(lambda found: [[one] for one in found]),
    "shards that are numbers": shards(lambda found: [1, 2]),
    "no documents": shard(num_documents=0),
    "no tokens": shard(length=0),
    "fewer tokens than documents": shard(length=1, num_documents=2),
    "a negative length": shard(length=-1),
    "a length beyond all shards": shard(length=2**32),
    "a length of one too many": lambda content: content["shards"][1].update(length=content["shards"][1]["length"] + 1),
    "a length of a hundred bits": shard(length=HUGE),
    "a length that is text": shard(length="7"),
    "a length that is a truth": shard(length=True),
    "a length with a fraction": shard(length=7.0),
    "a negative size": file("tokens.u8", bytes=-1),
    "a size beyond all disks": file("tokens.u8", bytes=2**62),
    "a size of a hundred bits": file("tokens.u8", bytes=HUGE),
    "a size nested deeply": file("tokens.u8", bytes=DEEP),
    "a hash that is none": file("tokens.u8", sha256="x" * 64),
    "a hash that is a number": file("tokens.u8", sha256=0),
    "a file above": file("../tokens.u8"),
    "a file of the system": file("/etc/passwd"),
    "a file below": file("a/b"),
    "a file without a name": file(""),
    "a name with a zero byte": file("tokens\0.u8"),
    "a name of half a pair": file("\udc80.u8"),
    "thousands of files": lambda content: [file(f"x.{number}")(content) for number in range(3000)],
    "a folder above": shard(folder="../shards/00001"),
    "a folder of the system": shard(folder="/etc"),
    "a folder without a name": shard(folder=""),
    "a folder that is a number": shard(folder=1),
    "a folder of another shard": shard(folder="00000"),
    "a folder that is not there": shard(folder="00001.7"),
    "a tree of another size": file("search_tree.u64", bytes=8),
    "blocks of another size": file("document_blocks.u32", bytes=2**40),
    "no tokens listed": without("tokens.u8"),
    "no suffix array listed": without("suffix_array.u32"),
    "metadata without offsets": without("metadata_offsets.u64"),
    "tokens of another type": entry(token_type="u16", separator=65535),
    "tokens of no type": entry(token_type="u64"),
    "a vocabulary with the separator": entry(vocabulary_size=256),
    "a negative vocabulary": entry(vocabulary_size=-1),
    "another separator": entry(separator=0),
    "other sums": entry(num_tokens=2**40),
    "a tokenizer without a kind": entry(tokenizer={}),
    "a tokenizer of an odd kind": entry(tokenizer={"kind": ["bytes"]}),
    "a tokenizer without its files": entry(tokenizer={"kind": "words", "unicode": "14.0.0"}),
    "files of another engine": entry(settings={"files": ["/etc/passwd"]}),
    "an index that reads backwards": entry(settings={"reversed": True}),
    "skipped fewer than none": entry(skipped={"not UTF-8": -1}),
    "files of the index in a list": entry(files=[]),
    "a file of the index above": lambda content: content["files"].update({"../x.json": {"bytes": 1, "sha256": HASH}}),
    "version nought": entry(format_version=0),
    "a version of a hundred bits": entry(format_version=HUGE),
    "settings nested deeply": entry(settings=DEEP),
    "what is no number": entry(settings={"x": float("nan")}),
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN / "v2-bytes", tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "a.txt"
    path.write_text("a b")
    return path


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_manifest_is_refused_at_every_door(index: Path, text: Path, change: Callable[[Manifest], object]) -> None:
    rewrite(index, change)
    for door in (si.open, si.verify, lambda path: si.build(text, path, tokenizer="bytes", progress=False)):
        with pytest.raises(si.FormatError) as caught:
            door(index)
        assert len(str(caught.value)) < 1000
    assert str(caught.value).endswith(": start anew with --restart")


@pytest.mark.long
def test_a_hundred_thousand_shards_that_are_not_there(index: Path) -> None:
    content = json.loads((index / MANIFEST).read_bytes())
    sums = {name: content[name] * 50_000 for name in ("num_documents", "num_tokens")}
    rewrite(index, lambda content: content.update(shards=content["shards"] * 50_000, **sums))
    with pytest.raises(si.FormatError, match=r"lacks shards/00002|shard 2 has|bytes, expected"):
        si.open(index)


@pytest.mark.usefixtures("no_fsync")
def test_a_hostile_manifest_is_built_over_as_advised(index: Path, text: Path) -> None:
    rewrite(index, HOSTILE["no shards"])
    si.build(text, index, tokenizer="bytes", progress=False, restart=True)
    assert si.open(index).count("a b") == 1


@pytest.mark.parametrize("name", [MANIFEST, PROVENANCE, SHARD_MARKER, BUILD_STATE])
@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, '{"x": 1, "x": 2}', "1" * 5000, "", "[]", "{\0}"])
def test_json_that_we_did_not_write(index: Path, text: Path, name: str, content: str) -> None:
    path = shard_folder(index, 0) / name if name == SHARD_MARKER else index / name
    path.write_text(content)
    doors: list[Callable[[], object]] = [
        lambda: si.open(index).info(),
        lambda: si.verify(index),
        lambda: si.build(text, index, tokenizer="bytes", progress=False),
    ]
    refused = 0
    for door in doors:
        try:
            door()
        except si.SuffixIndexError as error:
            refused += name in str(error)
    assert refused


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("content", [None, "{}", '{"seconds": {"encode": null}}', '{"seconds": [1], "peak_memory_bytes": 5}'])
def test_a_finished_build_without_its_provenance(tmp_path: Path, text: Path, content: str | None) -> None:
    """Nothing depends on it, so it may be removed; what it cannot be is said."""

    def build() -> Any:
        return si.build(text, tmp_path / "index", tokenizer="bytes", progress=False)

    whole, path = build(), tmp_path / "index" / PROVENANCE
    path.unlink()
    if content is not None:
        path.write_text(content)
    if content in (None, "{}"):
        assert build()._replace(seconds=whole.seconds, peak_memory_bytes=whole.peak_memory_bytes) == whole
    else:
        with pytest.raises(si.FormatError, match=r"provenance\.json is damaged: remove it, nothing depends on it"):
            build()
