"""The format on disk: golden indexes of every version, what the manifest refuses, and what verification finds."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.storage.files import hash_file
from suffixindex.storage.format import (
    FORMAT_VERSION,
    MANIFEST,
    NEWEST_VERSION,
    PROVENANCE,
    SHARD_MARKER,
    FileEntry,
    Manifest,
    ShardEntry,
    separator_of,
    shard_folder,
    token_type,
)
from tests import oracle
from tests.golden import make
from tests.helpers import building

GOLDEN = Path(__file__).parents[2] / "golden"
SETTINGS = make.SETTINGS


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ---- golden indexes ----------------------------------------------------------------------------------------------


VERSIONS = pytest.mark.parametrize("version", range(1, FORMAT_VERSION + 1))


COUNTS = {
    "row": 6,
    "row row row": 2,
    "Row, ROW!": 4,
    "stream": 3,
    "the stream": 3,
    "is but": 1,
    "οδυσσευς": 1,
    "fleet": 0,
}


@VERSIONS
def test_golden_words(version: int) -> None:
    index = si.open(GOLDEN / f"v{version}-words")
    assert (index.num_documents, index.num_tokens, len(index.shards), index.vocabulary_size) == (6, 32, 1, 20)
    assert index.count([]) == 32
    assert {text: index.count(text) for text in COUNTS} == COUNTS
    following = index.next_distribution("row")
    assert dict(zip(index.pieces(following.token_ids), following.counts.tolist(), strict=True)) == {
        "row": 4,
        "your": 1,
        "<end of document>": 1,
    }
    assert index.cooccurrence("stream", ["boat", "dreams"]) == 2
    assert index.cooccurrence("boat", "stream", window=3) == 0
    assert index.cooccurrence("boat", "stream", window=4) == 1
    assert [(match.document_id, match.offsets.tolist()) for match in index.documents("the stream")] == [(0, [7]), (3, [0, 4])]
    assert index.document(5)[2:] == ("corpus.jsonl", 6, {"set": "songs", "nested": {"é": None}})
    assert index.decode(index.document(4).token_ids) == "οδυσσευς ὀδυσσεύς i̇thaca"
    assert index.document(2).token_ids.tolist() == []


@VERSIONS
def test_golden_bytes(version: int) -> None:
    index = si.open(GOLDEN / f"v{version}-bytes")
    assert (index.num_documents, index.num_tokens, len(index.shards), index.vocabulary_size) == (6, 217, 2, 255)
    counts = {"row": 5, "Row": 1, "ow": 7, "erril": 4, "stream": 3, "Ὀδ": 1, "🚣": 1, "\n": 0, "e": 15}
    assert index.count([]) == 217
    assert {text: index.count(text) for text in counts} == counts
    assert index.count([*b".", index.separator]) == 2
    assert [chr(token.token_id) for token in index.next_distribution("r").top(4)] == ["e", "o", "i", "r"]  # o and e five times
    assert index.document_count("dream") == 2
    assert [index.decode(line.left) + "|" + index.decode(line.right) for line in index.concordance("dream", 4)] == [
        "t a |!",
        " of |s.",
    ]
    assert [index.document(i).metadata["set"] for i in range(6)] == ["songs", "songs", "nothing", "prose", "names", "songs"]
    assert index.decode(index.document(4).token_ids) == "ΟΔΥΣΣΕΥΣ, Ὀδυσσεύς — İthaca 🚣"


@VERSIONS
@pytest.mark.parametrize("kind", SETTINGS)
def test_golden_indexes_are_whole(kind: str, version: int) -> None:
    checked = si.verify(GOLDEN / f"v{version}-{kind}", full=True)
    assert (checked.full, checked.shards) == (True, {"words": 1, "bytes": 2}[kind])
    assert checked.suffixes_compared == checked.tokens + 6


def test_golden_words_that_grew() -> None:
    with si.open(GOLDEN / "v3-words") as index, si.open(GOLDEN / "v2-words") as whole:
        assert (index.num_documents, index.num_tokens, len(index.shards), index.vocabulary_size) == (6, 32, 2, 20)
        assert {text: index.count(text) for text in COUNTS} == COUNTS
        assert [index.text(document) for document in range(6)] == [whole.text(document) for document in range(6)]
        assert index.next_distribution("row") == whole.next_distribution("row")
    assert si.verify(GOLDEN / "v3-words", full=True).suffixes_compared == 32 + 6


def test_golden_words_of_which_documents_were_removed() -> None:
    with si.open(GOLDEN / "v4-words") as index:
        assert (index.num_documents, index.num_tokens, len(index.shards), index.vocabulary_size) == (2, 11, 1, 20)
        assert index.counts(["row", "row row row", "the stream", "merrily", "οδυσσευς"]).tolist() == [3, 1, 2, 0, 0]
        assert [index.text(document) for document in range(2)] == [
            "the stream of consciousness the stream of dreams",
            "row row row",
        ]
        assert index.encode("merrily row").tolist() == [0, 1]
        assert index.document(1).metadata == {"set": "songs", "nested": {"é": None}}
    assert si.verify(GOLDEN / "v4-words", full=True).suffixes_compared == 11 + 2


@pytest.mark.parametrize("name", make.MADE)
def test_a_build_writes_the_bytes_of_the_golden_index(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = GOLDEN / name
    shutil.copyfile(GOLDEN / make.CORPUS, tmp_path / make.CORPUS)
    monkeypatch.chdir(tmp_path)
    how, kind = make.MADE[name]
    how(kind, "index")
    expected, built = contents(golden), contents(tmp_path / "index")
    del built[PROVENANCE]
    manifests = [json.loads(files.pop(MANIFEST)) for files in (expected, built)]
    for manifest in manifests:
        manifest["tokenizer"].pop("unicode", None)  # the version of Python's tables of characters
        del manifest["sha256"]
        for entry in manifest["settings"].get("appended", ()):
            del entry["base"]  # the hash of a manifest with that version
        for entry in manifest["settings"].get("removed", ()):
            del entry["time"], entry["purged"]
    assert manifests[0] == manifests[1]
    assert expected == built


# ---- the manifest ------------------------------------------------------------------------------------------------

names = st.text(max_size=8)
entries = st.builds(FileEntry, st.integers(0, 2**50), names)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | names, lambda inner: st.lists(inner) | st.dictionaries(names, inner)
)
manifests = st.builds(
    Manifest,
    token_type=st.sampled_from(["u8", "u16", "u32"]),
    vocabulary_size=st.integers(0, 255),
    tokenizer=st.dictionaries(names, json_values),
    settings=st.dictionaries(names, json_values),
    shards=st.lists(
        st.builds(ShardEntry, st.integers(1, 2**32), st.integers(1, 2**32), st.dictionaries(names, entries)), min_size=1, max_size=3
    ).map(tuple),
    files=st.dictionaries(names, entries),
    skipped=st.dictionaries(names, st.integers(0, 2**40)),
)


@pytest.mark.usefixtures("no_fsync")
@given(manifest=manifests)
@settings(max_examples=40)
def test_a_manifest_is_read_as_it_was_written(new_folder: Callable[[], Path], manifest: Manifest) -> None:
    folder = new_folder()
    folder.mkdir()
    manifest.write(folder)
    assert Manifest.read(folder) == manifest
    written = json.loads((folder / MANIFEST).read_bytes())
    assert written["num_tokens"] == sum(shard.length - shard.num_documents for shard in manifest.shards)
    assert written["separator"] == separator_of(manifest.token_type)


@pytest.mark.parametrize(
    ("vocabulary_size", "name"),
    [(0, "u8"), (1, "u8"), (255, "u8"), (256, "u16"), (2**16 - 1, "u16"), (2**16, "u32"), (2**32 - 1, "u32")],
)
def test_the_separator_lies_outside_every_vocabulary(vocabulary_size: int, name: str) -> None:
    assert token_type(vocabulary_size) == name
    assert separator_of(name) >= vocabulary_size


def test_a_vocabulary_that_leaves_no_separator_is_refused() -> None:
    with pytest.raises(si.FormatError, match="4,294,967,296"):
        token_type(2**32)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A fresh copy of the golden index of bytes, which has two shards and metadata."""
    shutil.copytree(GOLDEN / f"v{FORMAT_VERSION}-bytes", tmp_path / "index")
    return tmp_path / "index"


def rewrite(index: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change a manifest as its writer could have, with the hash of what it holds then."""
    content = json.loads((index / MANIFEST).read_bytes())
    del content["sha256"]
    change(content)
    content["sha256"] = sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    (index / MANIFEST).write_text(json.dumps(content))


def test_a_newer_format_is_refused_with_what_to_do(index: Path) -> None:
    rewrite(index, lambda content: content.update(format_version=NEWEST_VERSION + 1, shards="in a way of its own"))
    with pytest.raises(si.FormatError, match=f"format version {NEWEST_VERSION + 1}.*reads up to {NEWEST_VERSION}.*pip install -U"):
        si.open(index)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"{}", b'{"format":"other","format_version":1}', b'{"format_version":"1"}'],
)
def test_a_garbage_manifest_is_refused(index: Path, garbage: bytes) -> None:
    (index / MANIFEST).write_bytes(garbage)
    with pytest.raises(si.FormatError, match=r"manifest\.json is no manifest"):
        si.open(index)


KEYS = ["format", "format_version", "token_type", "vocabulary_size", "tokenizer", "settings", "shards", "files", "skipped"]


@pytest.mark.parametrize("key", KEYS)
def test_a_manifest_lacking_or_garbling_an_entry_is_refused(index: Path, key: str) -> None:
    whole = (index / MANIFEST).read_bytes()
    rewrite(index, lambda content: content.pop(key))
    with pytest.raises(si.FormatError, match=r"manifest\.json"):
        si.open(index)
    for garbage in (None, "u64", [1], {"x": 1}):
        (index / MANIFEST).write_bytes(whole)
        if isinstance(garbage, dict) and key in ("tokenizer", "settings", "skipped"):
            continue  # what these may hold is not the reader's business
        rewrite(index, lambda content, garbage=garbage: content.update({key: garbage}))
        with pytest.raises(si.FormatError, match=r"manifest\.json"):
            si.open(index)


@pytest.mark.parametrize("key", ["num_documents", "num_tokens", "separator", "vocabulary_size", "settings", "tokenizer", "sha256"])
def test_a_changed_manifest_is_refused(index: Path, key: str) -> None:
    content = json.loads((index / MANIFEST).read_bytes())
    content[key] = content[key] + 1 if isinstance(content[key], int) else "other"
    (index / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(si.FormatError, match=r"manifest\.json was changed since it was written"):
        si.open(index)


@pytest.mark.parametrize("entry", ["num_documents", "length", "files"])
def test_a_manifest_garbling_a_shard_is_refused(index: Path, entry: str) -> None:
    whole = (index / MANIFEST).read_bytes()
    for garbage in (None, "7", -1, {"tokens.u8": {"bytes": 3}}, {"tokens.u8": {"bytes": None, "sha256": ""}}):
        (index / MANIFEST).write_bytes(whole)
        rewrite(index, lambda content, garbage=garbage: content["shards"][1].update({entry: garbage}))
        with pytest.raises(si.FormatError):
            si.open(index)


@pytest.mark.parametrize("garbage", ["7", -1, 1.5, True, [], 256])
def test_a_manifest_garbling_what_grew_is_refused(index: Path, garbage: object) -> None:
    whole = (index / MANIFEST).read_bytes()
    rewrite(index, lambda content: content["shards"][1].update(vocabulary_size=garbage))
    with pytest.raises(si.FormatError, match=r"manifest\.json makes no sense"):
        si.open(index)
    if garbage != 256:
        (index / MANIFEST).write_bytes(whole)
        rewrite(index, lambda content: content["tokenizer"].update(generation=garbage))
        with pytest.raises(si.FormatError, match=r"manifest\.json makes no sense: the tokenizer is of generation"):
            si.open(index)


# ---- opening -----------------------------------------------------------------------------------------------------


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(si.NoIndexError, match="does not exist: build an index"):
        si.open(tmp_path / "nowhere")
    with pytest.raises(si.NoIndexError, match="no index: it has no manifest"):
        si.open(tmp_path)
    (tmp_path / "file").write_text("text")
    with pytest.raises(si.NoIndexError, match="no index"):
        si.open(tmp_path / "file")
    with pytest.raises(FileNotFoundError):  # the builtin that one would guess
        si.verify(tmp_path)


def test_an_unfinished_index_is_refused(index: Path) -> None:
    (index / MANIFEST).rename(index / "build.json")
    with pytest.raises(si.UnfinishedIndexError, match="did not finish: run the same suffixindex build"):
        si.open(index)


LISTED = [
    str(path.relative_to(GOLDEN))
    for kind in SETTINGS
    for path, _ in Manifest.read(GOLDEN / f"v{FORMAT_VERSION}-{kind}").listed_files(GOLDEN / f"v{FORMAT_VERSION}-{kind}")
]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """A fresh copy of the golden index that a path leads into: (the index, the file)."""

    def copied(name: str) -> tuple[Path, Path]:
        shutil.copytree(GOLDEN / Path(name).parts[0], tmp_path / Path(name).parts[0])
        return tmp_path / Path(name).parts[0], tmp_path / name

    return copied


@pytest.mark.parametrize("name", LISTED)
def test_a_missing_or_cut_file_is_noticed_when_opening(copy: Callable[[str], tuple[Path, Path]], name: str) -> None:
    index, path = copy(name)
    whole = path.read_bytes()
    inside = str(Path(*Path(name).parts[1:]))
    for content in (whole[:-1], whole + b"\0", b""):
        path.write_bytes(content)
        with pytest.raises(si.FormatError, match=f"{inside} .* has {len(content):,} bytes, expected {len(whole):,}"):
            si.open(index)
    path.unlink()
    with pytest.raises(si.FormatError, match=f"lacks {inside}"):
        si.open(index)
    with pytest.raises(si.FormatError, match=f"lacks {inside}"):
        si.verify(index)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["", "manifest.json", "shards"])
def test_an_index_that_may_not_be_read(index: Path, name: str) -> None:
    os.chmod(index / name, 0)
    try:
        with pytest.raises(si.NoIndexError, match="may not be read"):
            si.open(index)
    finally:
        os.chmod(index / name, 0o700)


def test_an_unknown_tokenizer_is_refused_when_text_is_asked(index: Path) -> None:
    rewrite(index, lambda content: content.update(tokenizer={"kind": "runes"}))
    opened = si.open(index)
    assert opened.count([ord("r")]) == 19
    with pytest.raises(si.FormatError, match="unknown kind 'runes'"):
        opened.count("r")


# ---- verification ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*LISTED, f"v{FORMAT_VERSION}-bytes/shards/00001/shard.json"])
def test_a_flipped_bit_anywhere_is_found(copy: Callable[[str], tuple[Path, Path]], name: str) -> None:
    index, path = copy(name)
    whole = path.read_bytes()
    places = {0, len(whole) // 2, len(whole) - 1} if name in LISTED else {whole.index(b"sha256") + 15}
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(si.FormatError, match=path.name.split(".")[0]):
            si.verify(index, full=True)
    path.write_bytes(whole)
    assert si.verify(index, full=True).full


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Ids below 5 in two shards: ``1 2 1 2 3 | 1 2 | (nothing) | 1 2 3`` and ``2 1 2 | 1 | 4 | 4``, with metadata."""
    documents = [[1, 2, 1, 2, 3], [1, 2], [], [1, 2, 3], [2, 1, 2], [1], [4], [4]]
    records: list[dict[str, object]] = [{"path": "a", "line": i, "metadata": {}} for i in range(8)]
    return building.write_index(tmp_path / "index", documents, "u16", vocabulary_size=5, shards=2, metadata=records).path


def seal(index: Path) -> None:
    """Make every size, hash and shard marker that of the files as they are, as if a faulty build had written them."""
    manifest = Manifest.read(index)
    shards = []
    for number, shard in enumerate(manifest.shards):
        folder = shard_folder(index, number)
        shards.append(replace(shard, files={name: FileEntry(*hash_file(folder / name)) for name in shard.files}))
        (folder / SHARD_MARKER).write_text(json.dumps(asdict(shards[-1])))
    replace(manifest, shards=tuple(shards)).write(index)


class Patch:
    """Change an array of a shard, and seal the index with it."""

    def __init__(self, index: Path) -> None:
        self.index = index

    def __call__(self, name: str, dtype: str, change: Callable[[np.ndarray], object], shard: int = 0) -> None:
        path = shard_folder(self.index, shard) / name
        array = np.fromfile(path, dtype)
        change(array)
        array.tofile(path)
        seal(self.index)


@pytest.fixture
def patch(written: Path) -> Iterator[Patch]:
    assert si.verify(written, full=True).suffixes_compared == 24
    assert si.verify(written).suffixes_compared == 24  # the sample covers all
    yield Patch(written)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shard", [0, 1])
@pytest.mark.parametrize("rank", [0, 1, 2, 5, -2])
def test_a_swapped_pair_of_the_suffix_array_is_found(patch: Patch, full: bool, shard: int, rank: int) -> None:
    def swap(array: np.ndarray) -> None:
        array[[rank, rank + 1]] = array[[rank + 1, rank]]

    patch("suffix_array.u32", "<u4", swap, shard)
    with pytest.raises(si.FormatError, match=f"0000{shard}/suffix_array.u32: rank .* is out of order"):
        si.verify(patch.index, full=full)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("value", [14, 2**31, 2**32 - 1])
def test_a_rank_that_is_no_position_is_found(patch: Patch, full: bool, value: int) -> None:
    for rank in (0, 6, -1):
        before: list[int] = []
        patch(
            "suffix_array.u32", "<u4", lambda array, rank=rank, before=before: (before.append(array[rank]), array.put(rank, value))
        )
        with pytest.raises(si.FormatError, match=r"suffix_array.u32: rank"):
            si.verify(patch.index, full=full)
        patch("suffix_array.u32", "<u4", lambda array, rank=rank, before=before: array.put(rank, before[0]))
    assert si.verify(patch.index, full=True).full


def test_a_position_named_twice_is_found(patch: Patch) -> None:
    for rank in range(12):
        before: list[np.ndarray] = []
        patch(
            "suffix_array.u32",
            "<u4",
            lambda array, rank=rank, before=before: (before.append(array.copy()), array.put(rank, array[rank + 1])),
        )
        with pytest.raises(si.FormatError, match=r"suffix_array.u32: rank"):
            si.verify(patch.index, full=True)
        patch("suffix_array.u32", "<u4", lambda array, before=before: array.put(range(len(array)), before[0]))
    assert si.verify(patch.index, full=True).full


def test_an_order_that_looks_past_the_separator_is_found(tmp_path: Path) -> None:
    """The order of plain suffix sorters: it depends on which document follows which."""
    path = building.write_index(tmp_path / "index", [[1], [3], [1], [2]], "u8", vocabulary_size=5).path
    tokens = oracle.with_separators([[1], [3], [1], [2]], 255)
    plain = sorted(range(8), key=lambda position: tokens[position:])
    assert plain != oracle.suffix_order(tokens, 255)
    Patch(path)("suffix_array.u32", "<u4", lambda array: array.put(range(8), plain))
    with pytest.raises(si.FormatError, match="out of order"):
        si.verify(path, full=True)
    with pytest.raises(si.FormatError, match="out of order"):
        si.verify(path)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("name", "dtype", "place", "value", "message"),
    [
        ("tokens.u16", "<u2", 1, 5, "outside the vocabulary of 5"),
        ("tokens.u16", "<u2", 3, 65534, "outside the vocabulary of 5"),
        ("tokens.u16", "<u2", 1, 65535, "5 separators, expected 4"),
        ("tokens.u16", "<u2", 5, 1, "does not end with a separator"),
        ("tokens.u16", "<u2", -1, 1, "does not end with a separator"),
        ("document_offsets.u64", "<u8", 0, 1, "does not divide"),
        ("document_offsets.u64", "<u8", 1, 5, "does not end with a separator"),
        ("document_offsets.u64", "<u8", 1, 9, "does not divide"),
        ("document_offsets.u64", "<u8", 1, 2**63, "does not divide"),
        ("document_offsets.u64", "<u8", 4, 12, "does not divide"),
        ("metadata_offsets.u64", "<u8", 0, 1, "does not divide"),
        ("metadata_offsets.u64", "<u8", 2, 2**64 - 1, "does not divide"),
        ("metadata_offsets.u64", "<u8", 4, 3, "does not divide"),
    ],
)
def test_what_a_faulty_build_would_write_is_found(
    patch: Patch, name: str, dtype: str, place: int, value: int, message: str, full: bool
) -> None:
    patch(name, dtype, lambda array: array.__setitem__(place, value))
    with pytest.raises(si.FormatError, match=message):
        si.verify(patch.index, full=full)


def test_a_shard_of_another_build_is_found(written: Path, tmp_path: Path) -> None:
    other = building.write_index(tmp_path / "other", [[1]] * 13, "u16", shards=2).path
    shutil.copyfile(shard_folder(other, 0) / SHARD_MARKER, shard_folder(written, 0) / SHARD_MARKER)
    with pytest.raises(si.FormatError, match="belongs to another build"):
        si.verify(written)
    (shard_folder(written, 0) / SHARD_MARKER).unlink()
    with pytest.raises(si.FormatError, match=r"shard.json cannot be read"):
        si.verify(written)


def test_a_sampled_verification_compares_as_many_pairs_as_asked(written: Path) -> None:
    checked = si.verify(written, samples=3, seed=1)
    assert (checked.shards, checked.tokens, checked.full, checked.suffixes_compared) == (2, 16, False, 6)
    assert "6 neighbouring suffixes" in str(checked)
    assert "every hash and the whole order" in str(si.verify(written, full=True))
