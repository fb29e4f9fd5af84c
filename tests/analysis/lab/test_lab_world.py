"""The lab's world: what was planted is there, exactly, and nothing else of it is."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from analysis.errors import ConfigError
from analysis.lab import TEMPLATES, World, WorldFiles, load_preset, make_world
from analysis.lab.world.arithmetic import Arithmetic
from analysis.lab.world.facts import Facts
from analysis.lab.world.filler import Filler
from analysis.lab.world.translation import ADJECTIVES, NOUNS, VERBS, Translation
from analysis.lab.world.words import coin, take


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WorldFiles:
    return make_world(tmp_path_factory.mktemp("world"), preset=load_preset("tiny").world, seed=0)


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def say(text: str) -> str:
    """The words of an ASCII text between single spaces, one at each end."""
    return " " + " ".join(re.findall(r"[a-z0-9]+", text.lower())) + " "


def documents_with_both(texts: list[str], x: str, y: str) -> int:
    return sum(f" {x} " in text and f" {y} " in text for text in texts)


def check_planted(world: WorldFiles) -> None:
    texts = [say(record["text"]) for record in read(world.corpus)]
    questions = {record["id"]: record for path in world.tasks.values() for record in read(path)}
    for row in pq.read_table(world.planted).to_pylist():
        assert documents_with_both(texts, row["x"], row["y"]) == row["documents"], row
        question = questions[row["example_id"]]
        assert f" {row['x']} " in say(question["input"]) and f" {row['y']} " in say(question["target"])
        assert row["n"] == len(row["x"].split())


def test_documents_that_hold_both_are_the_planted_ones(tiny: WorldFiles) -> None:
    check_planted(tiny)


def test_the_index_counts_what_was_planted(tiny: WorldFiles, tmp_path: Path) -> None:
    si.build([tiny.corpus], tmp_path / "index", tokenizer="words")
    rows = pq.read_table(tiny.planted).to_pylist()
    with si.open(tmp_path / "index") as index:
        assert index.cooccurrences([(row["x"], row["y"]) for row in rows]).tolist() == [row["documents"] for row in rows]
        told = [
            index.document_counts([row["y"]], {"kind": "facts", "about": row["example_id"]})
            for row in rows
            if row["task"] == "facts"
        ]
        assert [int(count[0]) for count in told] == [row["documents"] for row in rows if row["task"] == "facts"]


NUMBERS = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)


RATES = st.tuples(st.floats(0, 1), st.floats(0, 1))
PHRASES = st.sampled_from([(0, 2), (2, 4), (3, 3)])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True), st.tuples(NUMBERS, NUMBERS, NUMBERS), st.integers(1, 3),
       RATES, PHRASES, st.integers(0, 99))  # fmt: skip
def test_any_settings_plant_exactly(new_folder: Callable[[], Path], doses, distractors, relations, rates, phrases, seed) -> None:
    facts = Facts(("capital", "river", "founder")[:relations], tuple(doses), (3,) * len(doses), *distractors, *rates)
    settings = World(facts, Translation(phrases, 4, 5, 5, 4), Arithmetic(5, 9, 3), Filler(5, 2.0, 40))
    world = make_world(new_folder(), preset=settings, seed=seed)
    check_planted(world)
    rows = pq.read_table(world.planted).to_pylist()
    assert Counter(row["documents"] for row in rows if row["task"] == "facts") == dict.fromkeys(doses, 3)


def test_single_counts_say_little_of_pair_counts(tiny: WorldFiles) -> None:
    texts = [say(record["text"]) for record in read(tiny.corpus)]
    facts = [row for row in pq.read_table(tiny.planted).to_pylist() if row["task"] == "facts"]
    asked = [sum(f" {row['x']} " in text for text in texts) for row in facts]
    answered = [sum(f" {row['y']} " in text for text in texts) for row in facts]
    assert all(count > row["documents"] for count, row in zip(asked, facts, strict=True))
    assert any(count > row["documents"] for count, row in zip(answered, facts, strict=True))
    assert len({row["y"] for row in facts}) == len(facts)  # no answer belongs to two facts


def test_the_same_seed_gives_the_same_bytes(tiny: WorldFiles, tmp_path: Path) -> None:
    again = make_world(tmp_path / "again", preset=load_preset("tiny").world, seed=0)
    other = make_world(tmp_path / "other", preset=load_preset("tiny").world, seed=1)
    for first, second, third in zip([tiny.corpus, *tiny.tasks.values()], [again.corpus, *again.tasks.values()],
                                    [other.corpus, *other.tasks.values()], strict=True):  # fmt: skip
        assert first.read_bytes() == second.read_bytes() != third.read_bytes()


def test_a_finished_world_is_left_and_another_made_anew(tmp_path: Path) -> None:
    settings = load_preset("tiny").world
    world = make_world(tmp_path, preset=settings, seed=0)
    written = world.corpus.read_bytes()
    world.corpus.write_bytes(b"left alone")
    make_world(tmp_path, preset=settings, seed=0)
    assert world.corpus.read_bytes() == b"left alone"
    world.tasks["facts"].unlink()
    make_world(tmp_path, preset=settings, seed=0)
    assert world.corpus.read_bytes() == written
    more = replace(settings, filler=replace(settings.filler, documents=settings.filler.documents + 1))
    make_world(tmp_path, preset=more, seed=0)
    assert len(read(world.corpus)) == len(written.splitlines()) + 1


def test_translations_follow_the_rules_and_no_test_sentence_was_told(tiny: WorldFiles) -> None:
    parallel = [record["text"] for record in read(tiny.corpus) if record["kind"] == "translation"]
    told = [re.fullmatch(r"English text: (.*)\nOrvish translation: (.*)", text).groups() for text in parallel]
    candidates: dict[str, set[str]] = {}
    for english, orvish in told:
        for word in say(english).split():
            if word != "the":
                candidates[word] = candidates.get(word, set(say(orvish).split())) & set(say(orvish).split())
    questions = read(tiny.tasks["translation"])
    for english, orvish in [*told, *((record["input"], record["target"]) for record in questions)]:
        adjective, noun, verb, other_adjective, other_noun = [word for word in say(english).split() if word != "the"]
        new = say(orvish).split()
        assert adjective in ADJECTIVES and noun in NOUNS and verb in VERBS
        for word, place in ((noun, 0), (adjective, 1), (other_noun, 2), (other_adjective, 3), (verb, 4)):
            assert new[place] in candidates[word]
    assert not {english for english, _ in told} & {record["input"] for record in questions}


def test_words_of_the_translation_are_equally_frequent_though_phrases_are_not(tiny: WorldFiles) -> None:
    words: Counter[str] = Counter()
    phrases: dict[str, int] = defaultdict(int)
    for record in read(tiny.corpus):
        if record["kind"] == "translation":
            english = say(record["text"].splitlines()[0]).split()
            words.update(word for word in english if word in ADJECTIVES or word in NOUNS)
            phrases[" ".join(english[3:5])] += 1
            phrases[" ".join(english[7:9])] += 1
    assert len(words) == 8 and len(set(words.values())) == 1
    assert len(phrases) == 8 and set(phrases.values()) == {12}  # of 16 phrases, half are told nowhere


def test_problems_are_solved_and_no_test_problem_was_told(tiny: WorldFiles) -> None:
    told = [re.fullmatch(r"Question: (.*)\nAnswer: (.*)", record["text"]).groups()
            for record in read(tiny.corpus) if record["kind"] == "arithmetic"]  # fmt: skip
    asked = [(record["input"], record["target"]) for record in read(tiny.tasks["arithmetic"])]
    for problem, answer in told + asked:
        first, second = map(int, re.findall(r"\d+", problem))
        less = re.search("loses|takes|sells", problem)
        assert int(answer) == (first - second if less else first + second)
        assert 1 <= int(answer) <= 9
    assert not {problem for problem, _ in told} & {problem for problem, _ in asked}


def test_filler_is_zipfian_bursty_and_of_many_lengths(tmp_path: Path) -> None:
    settings = replace(load_preset("tiny").world, filler=Filler(400, 3.0, 200))
    texts = [record["text"] for record in read(make_world(tmp_path, preset=settings, seed=0).corpus) if record["kind"] == "filler"]
    counts = [count for _, count in Counter(" ".join(map(say, texts)).split()).most_common()]
    assert counts[0] > 10 * counts[len(counts) // 2] > 20 * counts[-1] / 2
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[-1] > 4 * lengths[len(lengths) // 2] > 0
    holding = Counter(word for text in texts for word in set(say(text).split()))
    rare = [word for word, documents in holding.items() if 20 <= documents <= 60]
    occurrences = Counter(" ".join(map(say, texts)).split())
    assert sum(occurrences[word] for word in rare) > 1.1 * sum(holding[word] for word in rare)  # words come back in a document


def test_coined_words_are_new_and_never_run_out() -> None:
    taken = {"bana", "tome"}
    words = take(coin(Random(0), taken), 5000)
    assert len({*words, *taken}) == 5002 and taken == {"bana", "tome"}
    assert all(re.fullmatch("[a-z]+", word) for word in words)


def test_names_of_one_part_are_in_no_other(tiny: WorldFiles) -> None:
    answers = {record["target"].lower() for record in read(tiny.tasks["facts"])}
    for record in read(tiny.corpus):
        if record["kind"] not in ("facts", "mentions"):
            assert not answers & set(say(record["text"]).split())


def test_templates_are_those_of_the_corpus(tiny: WorldFiles) -> None:
    texts = {record["text"] for record in read(tiny.corpus)}
    facts = read(tiny.tasks["facts"])
    asked = [TEMPLATES["facts"].format(**record) + record["target"] for record in facts]
    assert sum(text in texts for text in asked) > len(facts) / 2


@pytest.mark.parametrize(("settings", "message"), [
    (Translation((0, 1, 2), 4, 0, 0, 1), "multiple of the 3 doses"),
    (Translation((0, 3), 22, 0, 0, 1), "up to 20"),
    (Translation((1,), 1, 0, 0, 1), "odd number"),
    (Translation((2,), 1, 0, 0, 1), "more than half"),
    (Translation((0,), 2, 0, 0, 1), "are all 0"),
    (Translation((2,), 2, 0, 0, 500), "has 240 sentences, . of them told: ask fewer than 500"),
])  # fmt: skip
def test_impossible_translations_are_refused(tmp_path: Path, settings: Translation, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_world(tmp_path, preset=replace(load_preset("tiny").world, translation=settings), seed=0)


def test_more_problems_than_there_are_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="arithmetic has 432 problems, 0 of them solved: ask fewer than 433"):
        make_world(tmp_path, preset=replace(load_preset("tiny").world, arithmetic=Arithmetic(0, 1, 433)), seed=0)
    world = make_world(tmp_path, preset=replace(load_preset("tiny").world, arithmetic=Arithmetic(0, 1, 432)), seed=0)
    assert len({record["input"] for record in read(world.tasks["arithmetic"])}) == 432


@pytest.mark.parametrize(("before", "after", "message"), [
    ("documents = 60", "documents = 60\npages = 3", "world.arithmetic has no setting 'pages'"),
    ("largest = 9", "", "world.arithmetic lacks the setting 'largest'"),
    ("largest = 9", 'largest = "9"', "world.arithmetic.largest is '9' .text in quotes.; expected a whole number"),
    ("doses = [0, 12]", "doses = 12", "world.translation.doses is 12 .a whole number.; expected a list"),
    ("[ladder]", "[modles]\n[ladder]", "no setting 'modles'; known are world, ladder"),
    ("[ladder]", "[ladder", "is no readable TOML"),
    ("facts = [6, 6, 4]", "facts = [6, 6]", "2 numbers of facts for 3 doses"),
])  # fmt: skip
def test_a_wrong_preset_is_refused_with_its_place(tmp_path: Path, before: str, after: str, message: str) -> None:
    from analysis.lab.presets import PRESETS

    text = (PRESETS / "tiny.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace(before, after, 1))
    with pytest.raises(ConfigError, match=message):
        load_preset(tmp_path / "mine.toml")


def test_presets_are_found_by_name_and_path(tmp_path: Path) -> None:
    from analysis.lab.presets import PRESETS

    assert load_preset("default") == load_preset(PRESETS / "default.toml")
    assert max(load_preset("default").world.facts.doses) >= 10_000
    with pytest.raises(ConfigError, match="expected one of default, small, tiny"):
        load_preset("huge")
    with pytest.raises(ConfigError, match=r"none\.toml does not exist"):
        load_preset(tmp_path / "none.toml")


def test_what_a_preset_says_of_the_study_is_not_read_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from analysis.lab.presets import PRESETS

    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + (PRESETS / "tiny.toml").read_bytes() + b"\n[study]\nseed = 1\n")
    assert load_preset(tmp_path / "mine.toml") == load_preset("tiny")
    assert "[study] is not read" in caplog.text
