"""Damage that a question meets: it answers, or says which file is damaged; it never reads where an entry leads."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import suffixindex as si
from suffixindex.foreign.shard import check_pieces
from suffixindex.storage.format import shard_folder
from tests.helpers import building
from tests.helpers.foreign_building import write_infinigram, write_tokengrams

DOCUMENTS = [[1, 2, 1, 2, 3], [1, 2], [], [1, 2, 3], [2, 1, 2], [1], [4], [4]] * 40  # more ranks than are read one by one
FAR = 4_000_000_000

Question = Callable[[si.SuffixIndex], object]
COMPILED: dict[str, Question] = {
    "counts": lambda index: index.counts([[token] for token in range(5)] * 100),
    "next_distribution": lambda index: index.next_distribution([1]),
    "next_distributions": lambda index: index.next_distributions([[1], [2]]),
    "document_counts": lambda index: index.document_counts([[1], [2], [3], [4]]),
    "documents": lambda index: index.documents([2], limit=None),
    "cooccurrence": lambda index: index.cooccurrence([1], [2]),
    "cooccurrences": lambda index: index.cooccurrences([([1], [2]), ([1], [3]), ([2], [4])]),
    "window": lambda index: index.cooccurrence([1], [2], window=3),
    "concordance": lambda index: index.concordance([1], limit=None),
    "matches": lambda index: index.matches([[1, 2, 1, 2, 3, 4] * 20]),
    "counts_by": lambda index: index.counts_by([1], "set"),
    "where": lambda index: index.counts([[1], [2], [4]], where={"set": 1}),
    "top_ngrams": lambda index: index.top_ngrams(2, 9),
    "ngram_statistics": lambda index: index.ngram_statistics(3, 2),
    "kneser_ney": lambda index: si.lm.KneserNey(index, 3).log_probs([1, 2, 3]),
    "backoff": lambda index: si.lm.StupidBackoff(index, 3).next_scores([1]),
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    records: list[dict[str, object]] = [{"path": "a", "line": i, "metadata": {"set": i % 3}} for i in range(len(DOCUMENTS))]
    return building.write_index(tmp_path / "index", DOCUMENTS, "u16", vocabulary_size=5, shards=2, metadata=records).path


def patch(index: Path, name: str, dtype: str, place: int | slice, value: int, shard: int = 0) -> Path:
    path = shard_folder(index, shard) / name
    array = np.fromfile(path, dtype)
    array[place] = value
    array.tofile(path)
    return path


@pytest.mark.parametrize("question", COMPILED.values(), ids=COMPILED)
@pytest.mark.parametrize("place", [slice(None), slice(None, None, 3)], ids=["all", "some"])
def test_an_entry_that_is_no_position_is_refused(written: Path, question: Question, place: slice) -> None:
    patch(written, "suffix_array.u32", "<u4", place, FAR, shard=1)
    named = r"00001/suffix_array.u32: entry 0 is 4,000,000,000, .*verify --full"
    with si.open(written) as index, pytest.raises(si.FormatError, match=named):
        question(index)
    with pytest.raises(si.FormatError, match=r"suffix_array.u32"):
        si.verify(written, full=True)


@pytest.mark.parametrize("place", [[3], [0, 5, 9], slice(None)])
def test_a_separator_that_ends_no_document_is_refused_or_not_met(written: Path, place: slice | list[int]) -> None:
    """The text of a document is damaged, its order is not: no question of what follows ends in another error."""
    patch(written, "tokens.u16", "<u2", place, 65535)
    context = [[], [1], [1, 2], [2, 1, 2]]
    with si.open(written) as index:
        questions: list[Callable[[list[int]], object]] = [
            *(model.next_probs for model in (si.lm.KneserNey(index, 3), si.lm.Infgram(index))),
            si.lm.StupidBackoff(index, 3).next_scores,
            si.lm.StupidBackoff(index, 3).score,
            lambda ngram: index.next_distribution(ngram).dense(5),
            lambda ngram: si.lm.KneserNey(index, 3).sample(ngram, 3, seed=0),
        ]
        refused = 0
        for question in questions:
            for ngram in context:
                try:
                    question(ngram)
                except si.FormatError as error:
                    assert "verify --full" in str(error)
                    refused += 1
        assert refused or place == [3]  # which no halving of the order meets
    with pytest.raises(si.FormatError):
        si.verify(written)


def test_a_context_that_occurs_less_often_than_what_it_is_part_of_is_refused(written: Path) -> None:
    """Suffixes in another order, of which a search finds some."""
    for shard in range(2):
        path = shard_folder(written, shard) / "suffix_array.u32"
        np.fromfile(path, "<u4")[::-1].tofile(path)
    with si.open(written) as index:
        model = si.lm.StupidBackoff(index, 4)
        for text in ([1, 2, 1, 2, 3], [4, 4, 1], [2, 1, 2, 1]):
            try:
                assert np.isfinite(model.score(text)).all()
            except si.FormatError:
                continue


def test_an_entry_is_refused_when_it_is_asked_for(written: Path) -> None:
    with si.open(written) as index:
        low, _ = index.shards[0].interval(np.array([4]))
    patch(written, "suffix_array.u32", "<u4", low + 3, FAR)
    with si.open(written) as index:
        assert index.document_count([1]) == 200
        with pytest.raises(si.FormatError, match=rf"entry {low + 3} is"):
            index.document_count([4])


def test_the_last_token_is_a_separator(written: Path) -> None:
    patch(written, "tokens.u16", "<u2", -1, 1)
    with si.open(written) as index, pytest.raises(si.FormatError, match=r"tokens.u16: the last document does not end"):
        index.count([1])


@pytest.mark.parametrize(("place", "value"), [(0, 2**31), (1, 2**31), (1, 0), (2, 159)])
def test_document_blocks_are_checked_when_they_are_mapped(
    written: Path, place: int, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suffixindex.storage.shard.SHORT_DOCUMENTS", 0)  # that they are used
    assert np.fromfile(shard_folder(written, 0) / "document_blocks.u32", "<u4")[place] != value
    patch(written, "document_blocks.u32", "<u4", place, value)
    with si.open(written) as index:
        assert index.count([1]) == 240
        with pytest.raises(si.FormatError, match=rf"document_blocks.u32: entry {place} is {value:,}, not the document"):
            index.document_count([1])
    with pytest.raises(si.FormatError, match=r"document_blocks.u32"):
        si.verify(written)


@pytest.mark.parametrize(("place", "value"), [(0, 1), (3, 0), (3, 2**63), (-1, 5)])
@pytest.mark.parametrize(
    ("name", "question"),
    [("document_offsets.u64", lambda index: index.document(3)), ("metadata_offsets.u64", lambda index: index.document(3))],
)
def test_offsets_are_checked_when_they_are_mapped(written: Path, name: str, question: Question, place: int, value: int) -> None:
    patch(written, name, "<u8", place, value)
    with si.open(written) as index, pytest.raises(si.FormatError, match=rf"{name} does not divide"):
        question(index)
    with pytest.raises(si.FormatError, match=name):
        si.verify(written)


@pytest.mark.parametrize("few", [True, False])
def test_a_damaged_search_tree_changes_no_answer(written: Path, few: bool) -> None:
    """Every single key, lowered, raised or flipped: the answer is right, or the tree is said to be damaged."""
    asked = [[token] for token in range(5)] + [[1, 2], [2, 1], [3, 4], [2, 65535], [1, 2, 1, 2, 3], [0, 0], [4, 4]]
    with si.open(written) as index:
        expected = index.counts(asked).tolist()
    path = shard_folder(written, 0) / "search_tree.u64"
    keys = np.fromfile(path, "<u8")
    outcomes = []
    for place in range(len(keys)):
        for value in (0, int(keys[place]) ^ (1 << 40), int(keys[place]) // 2, 2**64 - 2, 2**64 - 1):
            damaged = keys.copy()
            damaged[place] = value
            damaged.tofile(path)
            with si.open(written) as index:
                for ngram, count in zip(asked, expected, strict=True):
                    try:
                        found = index.count(ngram) if few else index.counts([ngram] * 300)[7]
                    except si.FormatError:
                        outcomes.append("refused")
                    else:
                        assert found == count
                        outcomes.append("answered")
    assert {*outcomes} == {"refused", "answered"}


@pytest.mark.parametrize(
    "line", [b"{}\n", b"[]\n", b"{\n", b'{"path": 1, "line": 1, "metadata": {}}\n', b"[" * 5000 + b"\n", b"1,2\n"]
)
def test_a_damaged_line_of_metadata_is_named(written: Path, line: bytes) -> None:
    path = shard_folder(written, 0) / "metadata.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    padded = line.rstrip().ljust(len(lines[5]) - 1, b" ")[: len(lines[5]) - 1] + b"\n"
    path.write_bytes(b"".join([*lines[:5], padded, *lines[6:]]))
    with si.open(written) as index:
        assert index.document(4).line == 4
        for ask in (lambda: index.document(5), lambda: index.counts_by([1], "set")):
            with pytest.raises(si.FormatError, match=r"metadata.jsonl, line 6: expected a record"):
                ask()
    with pytest.raises(si.FormatError, match=r"metadata.jsonl"):
        si.verify(written)


def test_lines_of_metadata_are_as_many_as_documents(written: Path) -> None:
    path = shard_folder(written, 0) / "metadata.jsonl"
    path.write_bytes(path.read_bytes().replace(b"}}\n", b"}} ", 1))
    with si.open(written) as index, pytest.raises(si.FormatError, match=r"metadata.jsonl"):
        index.groups("set")


# ---- the vocabulary ----------------------------------------------------------------------------------------------


@pytest.fixture
def words(tmp_path: Path) -> Path:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", ["an old pond a frog", "jumps into the old pond"])
    si.build(corpus, tmp_path / "words", tokenizer="words", progress=False)
    return tmp_path / "words"


@pytest.mark.parametrize(
    ("name", "dtype", "place", "value"),
    [
        ("vocabulary_offsets.u64", "<u8", 2, 2**40),
        ("vocabulary_offsets.u64", "<u8", 0, 1),
        ("vocabulary_order.u32", "<u4", 1, 2**31),
        ("vocabulary_order.u32", "<u4", 1, 0),
    ],
)
def test_a_damaged_vocabulary_is_refused(words: Path, name: str, dtype: str, place: int, value: int) -> None:
    array = np.fromfile(words / name, dtype)
    array[place] = value
    array.tofile(words / name)
    with si.open(words) as index:
        assert index.count([1]) > 0
        with pytest.raises(si.FormatError, match=name):
            index.count("pond")
    with pytest.raises(si.FormatError, match=name):
        si.verify(words)


@pytest.mark.parametrize("damage", [b"\xe9", b"{", b"\0"])
def test_a_damaged_tokenizer_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    tokenizer = building.write_tokenizer(tmp_path, "an old pond", size=270)
    corpus = building.write_jsonl(tmp_path / "a.jsonl", ["an old pond"])
    si.build(corpus, tmp_path / "index", tokenizer=str(tokenizer), progress=False)
    path = tmp_path / "index" / "tokenizer.json"
    content = path.read_bytes()
    path.write_bytes(content[:40] + damage + content[41:])
    with si.open(tmp_path / "index") as index:
        assert index.count([]) > 0
        with pytest.raises(si.SuffixIndexError, match=r"restore the file|save the tokenizer again"):
            index.count("pond")
    with pytest.raises(si.FormatError, match=r"tokenizer.json"):
        si.verify(tmp_path / "index")


# ---- other engines -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["v4", "v5", "tokengrams"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """An index of another engine, and the name of its table."""
    monkeypatch.setenv("SUFFIXINDEX_CACHE", str(tmp_path / "cache"))
    if request.param == "tokengrams":
        path, table = write_tokengrams(tmp_path / "stem", [token for document in DOCUMENTS for token in [*document, 0]]), "stem.idx"
        yield path, table
        return
    records: list[dict[str, object]] = [{"path": "a", "linenum": i, "metadata": {"set": i % 3}} for i in range(len(DOCUMENTS))]
    folder = tmp_path / f"{request.param}_index"
    write_infinigram(folder, [DOCUMENTS], mirrored=request.param == "v5", metadata=[records])
    yield folder, "table.0"


def test_an_entry_of_another_engine_that_is_no_position_is_refused(foreign: tuple[Path, str]) -> None:
    path, name = foreign
    table = path.with_suffix(".idx") if path.is_file() else path / name
    with si.open(path) as index:
        assert index.count([1, 2]) == 200
    content = bytearray(table.read_bytes())
    content[: len(content) // 2 // 8 * 8] = b"\xff" * (len(content) // 2 // 8 * 8)
    table.write_bytes(content)
    with pytest.raises(si.FormatError, match=r"table|idx|tokenized, table and offset"), si.open(path) as index:
        index.document_counts([[1], [2], [3]])


@pytest.mark.parametrize("place", [2, 100])
@pytest.mark.parametrize("name", ["offset", "metaoff"])
def test_offsets_of_another_engine_are_checked(tmp_path: Path, name: str, place: int) -> None:
    records: list[dict[str, object]] = [{"path": "a", "linenum": i, "metadata": {"set": i % 3}} for i in range(len(DOCUMENTS))]
    folder = write_infinigram(tmp_path / "v4_index", [DOCUMENTS], metadata=[records])
    array = np.fromfile(folder / f"{name}.0", "<u8")
    array[place] = array[place - 1]
    array.tofile(folder / f"{name}.0")
    with pytest.raises(si.FormatError, match=name), si.open(folder, token_type="u16") as index:
        index.document(place)
    with pytest.raises(si.FormatError, match=name):
        si.verify(folder)


@pytest.mark.parametrize("values", [(6 << 60, 9 << 60), (1 << 62, 3 << 62), (1 << 63, 5)])
def test_absurd_offsets_of_another_engine_fit_no_type(tmp_path: Path, values: tuple[int, int]) -> None:
    """Differences of 64-bit numbers wrap around; the numbers themselves do not."""
    folder = write_infinigram(tmp_path / "v4_index", [DOCUMENTS])
    array = np.fromfile(folder / "offset.0", "<u8")
    array[3:5] = values
    array.tofile(folder / "offset.0")
    with pytest.raises(si.FormatError, match=r"v4_index|offset"):
        si.open(folder)


def test_pieces_whose_differences_wrap_around_are_none() -> None:
    """Each begins behind the one before it as numbers of 64 bits subtract, and none of them does."""
    check_pieces(np.array([0, 4, 6, -4]), 10)
    starts = np.array([0, 2**62, -(2**63), 5])
    firsts = np.array([0, 1, 2, 5])
    with np.errstate(over="ignore"), pytest.raises(si.FormatError, match="numbers that make none"):
        check_pieces(np.concatenate([starts, firsts - starts]), 10)


def test_what_was_made_for_an_index_is_made_again_where_it_is_damaged(tmp_path: Path) -> None:
    folder = write_infinigram(tmp_path / "v4_index", [DOCUMENTS])
    asked = [[1], [2], [1, 2], [4]]

    def answers() -> list[list[int]]:
        with si.open(folder, token_type="u16") as index:
            index.counts(asked * 3000)  # worth a tree
            return [index.counts(asked).tolist(), index.document_counts(asked).tolist()]

    expected = answers()
    made = [path for path in sorted((folder / ".suffixindex").rglob("*")) if path.suffix in (".u64", ".u32", ".i64")]
    assert len(made) == 3
    for path in made:
        whole = path.read_bytes()
        for damaged in (whole[:-8], b"\xfe" * len(whole), whole[8:] + whole[:8], b""):
            path.write_bytes(damaged)
            assert answers() == expected
    shutil.rmtree(folder / ".suffixindex")
    assert answers() == expected
