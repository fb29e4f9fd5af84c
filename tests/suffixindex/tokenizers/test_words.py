"""The `words` tokenizer: what a word is, the compiled splitter, the growing vocabulary and its look-up on disk."""

import string
import sys
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.kernels.text import SPARE
from suffixindex.tokenizers import splitting, vocabulary
from suffixindex.tokenizers.splitting import CONTEXTUAL_CASE, FOLDING_LIMIT, SplitWords, casing, normalize, split_batch
from suffixindex.tokenizers.vocabulary import KnownWords, VocabularyBuilder, in_order, words_of
from suffixindex.tokenizers.word_table import WordList, WordTable
from suffixindex.tokenizers.words import VOCABULARY, VOCABULARY_ORDER, Words
from tests import oracle
from tests.helpers import building
from tests.helpers.strategies import texts

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
# where case and boundaries are odd: sigma, dotted I, sharp s, long s, Kelvin, U+023A, digraphs, combining marks, astral letters
ODD_TEXT = st.text(alphabet="aΣσς İıIßſKȺⱥ\u0130\u0307\u0301Dždž'’-_^`\u00ad\u200d\u0085\u00a0\u2028\x00\x1c\x1f\n\t𐐀𐐨𞤀𞤢🙂𠀀\u3000")


def split(documents: Sequence[str], threads: int = 1) -> list[list[str]]:
    """The words of documents by the compiled splitter."""
    found = split_batch(documents, threads=threads)
    words = text_of(found.words)
    assert len(words) == len(found.words.hashes) == len(set(words))
    assert list(dict.fromkeys(found.ids.tolist())) == list(range(len(words)))  # numbered by first occurrence
    ends = np.cumsum(found.lengths).tolist()
    return [[words[i] for i in found.ids[end - length : end]] for end, length in zip(ends, found.lengths.tolist(), strict=True)]


def text_of(words: WordList) -> list[str]:
    pool = words.pool.tobytes()
    return [pool[start : stop - 1].decode() for start, stop in pairwise(words.starts)]


def number(batches: Sequence[Sequence[str]], builder: VocabularyBuilder) -> list[list[int]]:
    """Ids of the documents of several batches, one batch after the other."""
    documents = []
    for batch in batches:
        encoded = split_batch(batch)
        ids = builder.number(encoded.words)[encoded.ids].tolist()
        for length in encoded.lengths.tolist():
            documents.append(ids[:length])
            ids = ids[length:]
    return documents


def lines(builder: VocabularyBuilder) -> list[str]:
    return bytes(builder.pool()).decode().split("\n")[:-1]


# ---- what a word is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat's pyjamas, well-known!", ["the", "cat", "s", "pyjamas", "well", "known"]),
        ("a_b a$b a^b a`b a+b a€b a©b a…b a“b", ["a", "b"] * 9),
        ("", []),
        (" \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000", []),
        ("a\u00a0b\u3000c\u2003d\x1ce\x85f", ["a", "b", "c", "d", "e", "f"]),
        ("3.14 1,000 ½ x²", ["3", "14", "1", "000", "½", "x²"]),
        ("ΟΔΟΣ ΟΔΟΣ. ΣΑΣ Σ", ["οδος", "οδος", "σας", "σ"]),  # final sigma; a lone one is not final
        ("ΑΣ\u0301Β ΑΣ\u0301", ["ας\u0301".replace("ς", "σ") + "β", "ας\u0301"]),  # marks do not hide the letter after them
        ("ΑΣ'Β", ["ας", "β"]),  # the apostrophe stands between words before case is folded
        ("İSTANBUL I", ["i\u0307stanbul", "i"]),
        ("ȺȾ", ["ⱥⱦ"]),  # two bytes, three in lower case
        ("STRASSE straße ẞ", ["strasse", "straße", "ß"]),
        ("K Å Ω", ["k", "å", "ω"]),  # the signs Kelvin, Angstrom and Ohm are letters
        ("ⓐ Ⓐ Ⅷ", ["ⅷ"]),  # circled letters are symbols, Roman numerals numbers
        ("𐐀𐐁 𞤀𞤁 𝐀", ["𐐨𐐩", "𞤢𞤣", "𝐀"]),  # Deseret, Adlam; mathematical letters have no case
        ("🙂a👩‍🚀b", ["a", "\u200d", "b"]),  # a joiner is neither punctuation nor space
        ("e\u0301É ñ n\u0303", ["e\u0301é", "ñ", "n\u0303"]),  # composed and combining letters stay apart
        ("nul\x00l so\u00adft \x07", ["nul\x00l", "so\u00adft", "\x07"]),  # control and format characters belong to words
        ("漢字、かな。 𠀀𠮷", ["漢字", "かな", "𠀀𠮷"]),
        ("\ufeffbom \U000e0041 \U0010ffff", ["\ufeffbom", "\U000e0041", "\U0010ffff"]),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert oracle.words(text) == words
    assert normalize(text).split() == words
    assert split([text]) == [words]


def test_punctuation_of_ascii_is_the_standard_librarys() -> None:
    ascii_text = [chr(code) for code in range(128)]
    assert {character for character in ascii_text if not split([character])[0] and not character.isspace()} == set(
        string.punctuation
    )


@given(text=st.one_of(ANY_TEXT, ODD_TEXT))
def test_normalized_text_is_the_definition(text: str) -> None:
    assert normalize(text).split() == oracle.words(text)


@given(documents=st.lists(st.one_of(ANY_TEXT, ODD_TEXT), max_size=6))
@example(documents=[])
@example(documents=[""])
@example(documents=["", "a", ""])
@example(documents=["Ⱥ" * 500])  # longer in lower case than the first pool
@example(documents=["Ⱥ" * 500 + "Σ", "Ⱥ" * 500 + "İ"])
@example(documents=["a b " * 100, "b" * 300])
def test_the_compiled_splitter(documents: list[str]) -> None:
    assert split(documents) == [oracle.words(document) for document in documents]


def test_every_character_alone_and_inside_a_word() -> None:
    """All that the folding table maps, and some of what stands for itself beyond it."""
    codes = [*range(FOLDING_LIMIT), *range(FOLDING_LIMIT, sys.maxunicode, 101), sys.maxunicode]
    characters = [chr(code) for code in codes if not 0xD800 <= code < 0xE000][:: 1 if building.COMPILED else 50]
    assert split(characters) == [oracle.words(character) for character in characters]
    inside = [f"x{character}y" for character in characters]
    assert split(inside) == [oracle.words(text) for text in inside]


def test_nothing_beyond_the_folding_table_has_case_or_stands_between_words() -> None:
    for code in range(FOLDING_LIMIT, sys.maxunicode + 1):
        character = chr(code)
        assert unicodedata.category(character)[0] not in "PS", hex(code)
        assert not character.isspace(), hex(code)
        assert character.lower() == character, hex(code)


def test_only_the_characters_named_so_have_a_lower_case_that_a_table_cannot_hold() -> None:
    for code in range(FOLDING_LIMIT):
        character = chr(code)
        if len(character.lower()) > 1:
            assert character in CONTEXTUAL_CASE, hex(code)
        for other in ("a" + character, character + "a", "a" + character + "a"):
            if other.lower() != "".join(part.lower() for part in other):
                assert character in CONTEXTUAL_CASE, hex(code)


def test_a_letter_is_to_a_sigma_what_it_is_in_lower_case() -> None:
    """The splitter looks at what it has written of the word before, and at the text behind."""
    for code in range(FOLDING_LIMIT):
        assert casing()[ord(chr(code).lower()[0])] == casing()[code], hex(code)


@given(st.text("aAΣİσ.1ªʰ\u0301\u00ad\u200b \n\x1f", max_size=30))
def test_contextual_case(text: str) -> None:
    assert split([text]) == [normalize(text).split()]


def test_a_sigma_beside_every_character() -> None:
    characters = [chr(code) for code in range(FOLDING_LIMIT) if not 0xD800 <= code < 0xE000][:: 1 if building.COMPILED else 500]
    text = "".join(f"AΣ{one} AΣ{one}A {one}Σ A{one}Σ " for one in characters)
    assert split([text]) == [normalize(text).split()]


# ---- the growing vocabulary --------------------------------------------------------------------------------------


@given(documents=texts(), cuts=st.lists(st.integers(0, 8), max_size=3))
def test_ids_are_by_first_occurrence_however_documents_are_cut_into_batches(documents: list[str], cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(documents)) for cut in cuts), len(documents)]
    batches = [documents[start:stop] for start, stop in pairwise(edges)]
    builder = VocabularyBuilder()
    words, ids = oracle.number_words(documents)
    assert number(batches, builder) == ids
    assert lines(builder) == words
    assert builder.num_words == len(words)
    assert builder.num_bytes == len("".join(word + "\n" for word in words).encode())


@given(before=texts(), after=texts())
def test_a_restored_builder_goes_on_as_if_never_stopped(before: list[str], after: list[str]) -> None:
    builder = VocabularyBuilder()
    number([before], builder)
    saved = builder.num_bytes
    restored = VocabularyBuilder(bytes(builder.pool()))
    assert restored.num_words == builder.num_words
    assert number([after], restored) == number([after], builder)
    assert bytes(restored.pool()) == bytes(builder.pool())
    assert bytes(restored.pool(saved)) == bytes(builder.pool())[saved:]


def made_up_words(count: int) -> list[str]:
    return [f"w{place:x}é" for place in range(count)]


@pytest.mark.parametrize("batch_size", [1_000, 10**9])
def test_tables_grow(batch_size: int, tmp_path: Path) -> None:
    """Past the sizes that the splitter's and the vocabulary's tables start with (2,048 and 32,768 words)."""
    words = made_up_words(70_000 if building.COMPILED else 5_000)
    text = [*words, *words[::-1], "new", *words[:10]]
    batches = [[" ".join(text[start : start + batch_size])] for start in range(0, len(text), batch_size)]
    builder = VocabularyBuilder()
    place = {word: i + 1 for i, word in enumerate([*words, "new"])}
    assert [i for document in number(batches, builder) for i in document] == [place[word] for word in text]
    assert lines(builder) == ["", *words, "new"]
    restored = VocabularyBuilder(bytes(builder.pool()))
    assert number([[f"{words[-1]} {words[0]} newer"]], restored) == [[len(words), 1, len(words) + 2]]
    (tmp_path / VOCABULARY).write_bytes(restored.pool())
    restored.write_lookup(tmp_path)
    assert Words(tmp_path).encode(f"newer {words[-1]} newest").tolist() == [len(words) + 2, len(words), 0]


def test_words_are_told_apart_by_their_bytes_not_by_their_hashes() -> None:
    words = [b"aa\n", b"bb\n", b"a\n", b"bbb\n", b"a\0\n", b"abcdefgh\n", b"abcdefghi\n", b"abcdefghj\n", b"abcdefghi\0\n"]
    starts = np.cumsum([0, *map(len, words)])
    pool = np.frombuffer(b"".join([*words, bytes(SPARE)]), np.uint8)

    builder = VocabularyBuilder()
    for _ in range(2):
        numbers = builder.number(WordList(np.full(len(words), 12345, np.uint64), starts, pool))
        assert numbers.tolist() == list(range(1, len(words) + 1))
    assert bytes(builder.pool()) == b"\n" + b"".join(words)


def test_words_that_differ_in_any_byte_have_other_hashes() -> None:
    """In the low bits, too, which pick the slots: so many by chance alone have the same ones."""
    words = {
        bytes([*before, byte, *b"x" * after]) for before in (b"", b"abcdefgh") for after in range(12) for byte in range(97, 123)
    }
    hashes = words_of(b"".join(word + b"\n" for word in sorted(words))).hashes
    assert len(set(hashes.tolist())) == len(words) < 1.2 * len(set((hashes % 4096).tolist()))


@pytest.mark.skipif(not building.COMPILED, reason="many words")
def test_no_more_than_half_of_the_slots_are_taken() -> None:
    """Nor where a table whose arrays grew to any size grows by one word at a time after that: a full one is searched for ever."""
    table = WordTable(0)
    words = made_up_words(16_000)
    table.number(words_of("".join(f"{word}\n" for word in words[:8191]).encode()))
    assert split_batch([" ".join(words)], table).ids.tolist() == list(range(len(words)))
    assert 2 * table.num_words <= len(table.arrays[0])


@given(st.sets(st.text("a\0\x01é", max_size=12).map(str.encode)), st.sampled_from([0, 8, 16, 64]))
@example({b"", b"\0", b"\0\0", b"a" * 8, b"a" * 9, b"a" * 8 + b"\0", b"a" * 70, b"a" * 71}, 64)
def test_words_in_the_order_of_their_bytes(words: set[bytes], together: int) -> None:
    given_words = list(words)
    with mock.patch.object(vocabulary, "SORTED_BYTES", together):
        order = in_order(words_of(b"".join(word + b"\n" for word in given_words)))
    assert [given_words[word] for word in order] == sorted(words)


def test_words_that_do_not_come_again_are_soon_forgotten() -> None:
    with mock.patch.object(vocabulary, "FRESH_WORDS", 3), mock.patch.object(vocabulary, "KNOWN_WORDS", 5):
        known = KnownWords()
        found = [known.full for text in ["a b c", "d", "a b c d a", "e f"] if known.split([text])]
    assert found == [False, True, False, True]


@given(batches=st.lists(texts(), max_size=8), waiting=st.integers(0, 2))
def test_a_process_asks_for_a_word_once(batches: list[list[str]], waiting: int) -> None:
    """Some questions are answered late, as by a process that has gone on meanwhile."""
    vocabulary, known = VocabularyBuilder(), KnownWords()
    open_questions: list[SplitWords] = []
    asked: set[str] = set()
    found: list[str] = []

    def answer() -> None:
        question = open_questions.pop(0)
        numbers = known.learn(vocabulary.number(question.words))
        found.extend(lines(vocabulary)[number] for number in numbers[question.ids])

    for batch in batches:
        words = [word for document in batch for word in oracle.words(document)]
        open_questions.append(known.split(batch))
        assert text_of(open_questions[-1].words) == [word for word in dict.fromkeys(words) if word not in asked]
        asked.update(words)
        while len(open_questions) > waiting:
            answer()
    while open_questions:
        answer()
    assert found == [word for batch in batches for document in batch for word in oracle.words(document)]
    assert lines(vocabulary) == oracle.number_words([document for batch in batches for document in batch])[0]


@given(documents=st.lists(st.one_of(ANY_TEXT, ODD_TEXT, st.text("ab ", max_size=40)), max_size=4), size=st.integers(1, 9))
@example(documents=["Σ a", "", "éé bΣ"], size=1)
def test_a_long_document_is_split_in_pieces(documents: list[str], size: int) -> None:
    with mock.patch.object(splitting, "PIECE_BYTES", size):
        assert split(documents, 1 + size % 3) == [oracle.words(document) for document in documents]


def test_long_words_and_a_growing_pool() -> None:
    documents = ["Ⱥ" * length + " " + "x" * length for length in (1, 100, 10_000 if building.COMPILED else 300)]
    assert split(documents) == [oracle.words(document) for document in documents]


@pytest.mark.usefixtures("no_fsync")
@given(known=texts(), new=texts(), few=st.sampled_from([0, 1, 64]))
def test_words_that_come_later_are_put_among_those_in_order(
    new_folder: Callable[[], Path], known: list[str], new: list[str], few: int
) -> None:
    folder = new_folder()
    folder.mkdir()
    builder = VocabularyBuilder()
    number([known], builder)
    builder.write_lookup(folder)
    before = np.fromfile(folder / VOCABULARY_ORDER, "<u4")
    number([new], builder)
    with mock.patch.object(vocabulary, "FEW", few):
        builder.write_lookup(folder, before)
    expected = sorted(range(builder.num_words), key=lambda word: lines(builder)[word].encode())
    assert np.fromfile(folder / VOCABULARY_ORDER, "<u4").tolist() == expected


# ---- the look-up on disk -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_fsync")
@given(documents=texts(), unknown=st.lists(st.one_of(ANY_TEXT, ODD_TEXT), max_size=5))
@example(documents=[], unknown=["a"])
@example(documents=["b"], unknown=["", "a", "c", "ba", "b\x00", "🙂"])
def test_every_word_is_found_on_disk_and_no_other(new_folder: Callable[[], Path], documents: list[str], unknown: list[str]) -> None:
    folder = new_folder()
    folder.mkdir()
    builder = VocabularyBuilder()
    number([documents], builder)
    (folder / VOCABULARY).write_bytes(builder.pool())
    builder.write_lookup(folder)
    words, _ = oracle.number_words(documents)
    lookup = Words(folder)
    assert lookup.vocabulary_size == len(words)
    assert [lookup.encode(word).tolist() for word in words[1:]] == [[i] for i in range(1, len(words))]
    assert lookup.encode(" ".join(words)).tolist() == list(range(1, len(words)))
    assert lookup.pieces(range(len(words))) == ["?", *words[1:]]
    assert lookup.decode(list(range(1, len(words)))) == " ".join(words[1:])
    for text in unknown:
        expected = [words.index(word) if word in words else 0 for word in oracle.words(text)]
        assert lookup.encode(text).tolist() == expected
    many = [*words, *unknown, *documents]
    ids, lengths = lookup.encode_batch(many)
    assert ids.tolist() == [i for text in many for i in lookup.encode(text).tolist()]
    assert lengths.tolist() == [len(oracle.words(text)) for text in many]


@pytest.mark.parametrize(("distinct", "token_type"), [(254, "u8"), (255, "u16")])
def test_the_narrowest_type_that_leaves_room_for_the_separator(tmp_path: Path, distinct: int, token_type: str) -> None:
    """The reserved id 0 and 254 words fill a byte but for the separator."""
    words = made_up_words(distinct)
    corpus = building.write_jsonl(tmp_path / "corpus.jsonl", [" ".join(words), words[-1], ""])
    si.build(corpus, tmp_path / "index", tokenizer="words", progress=False)
    index = si.open(tmp_path / "index")
    assert index.manifest.token_type == token_type
    assert index.vocabulary_size == distinct + 1
    assert [index.count(words[0]), index.count(words[-1])] == [1, 2]
    assert index.next_distribution(words[-1]).document_ends == 2
    assert not list(index.path.rglob("tokens.u32"))
    assert si.verify(index.path, full=True).full


@pytest.mark.skipif(not building.COMPILED, reason="a large corpus")
def test_a_vocabulary_beyond_two_bytes(tmp_path: Path) -> None:
    words = made_up_words(65_535)
    texts = [" ".join(words), words[-1]]
    si.build(building.write_jsonl(tmp_path / "corpus.jsonl", texts), tmp_path / "index", tokenizer="words", progress=False)
    index = si.open(tmp_path / "index")
    assert index.manifest.token_type == "u32"
    assert index.counts(words[-3:]).tolist() == [1, 1, 2]
    assert index.decode(index.document(1).token_ids) == words[-1]
