"""Log-probabilities of n-grams against a loop that reads one text at a time, and tokens against the bytes they stand for."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.errors import ConfigError, ModelError, TableError
from analysis.models import forward
from analysis.models.open import CausalModel, open_model
from analysis.models.scoring import score_spans, score_targets
from analysis.models.token_spans import Text, read_texts
from analysis.models.too_long import fit
from analysis.schemas import MODEL_SCORES
from tests.helpers.analysis_building import examples_table, pairs_table, write_model

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return open_model(str(write_model(tmp_path_factory.mktemp("model"))), device="cpu")


# ---- oracles: from the definitions, one text and one token at a time ------------------------------------------------


def characters_of_tokens(model: CausalModel, text: str) -> list[tuple[int, set[int]]]:
    """(id, the characters of which it holds a byte) for each token, from the bytes that a byte-level token stands for."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}
    character_of_byte = [place for place, character in enumerate(text) for _ in character.encode()]
    tokens: list[tuple[int, set[int]]] = []
    done = 0
    for token_id in model.tokenizer(text)["input_ids"]:
        content = bytes(byte_of[character] for character in model.tokenizer.convert_ids_to_tokens(token_id))
        assert text.encode()[done : done + len(content)] == content
        tokens.append((token_id, {character_of_byte[i] for i in range(done, done + len(content))}))
        done += len(content)
    assert done == len(text.encode())
    return tokens


def log_prob(model: CausalModel, prompt: str, target: str, start: int, stop: int) -> tuple[float, int]:
    """Σ log P(t | all before) over the tokens that hold a character of target[start:stop], and how many they are."""
    tokens = characters_of_tokens(model, prompt + target)
    ids = [token_id for token_id, _ in tokens]
    wanted = {len(prompt) + place for place in range(start, stop)}
    total, number = 0.0, 0
    for place, (token_id, held) in enumerate(tokens):
        if held & wanted:
            begins = tokens[0][1] & {len(prompt) + i for i in range(len(target))}
            context = [model.tokenizer.eos_token_id, *ids[:place]] if begins else ids[:place]
            with torch.no_grad():
                logits = model.model(input_ids=torch.tensor([context])).logits[0, -1].double().tolist()
            top = max(logits)
            total += logits[token_id] - top - math.log(math.fsum(math.exp(logit - top) for logit in logits))
            number += 1
    return total, number


# ---- tokens of a span ------------------------------------------------------------------------------------------------

PARTS = [*"aet .,'\n1", "the ", " cat", "é", "中", "𝔘", "  ", "s\u0161"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@settings(max_examples=150)
@given(prompt=TEXTS, target=TEXTS, data=st.data())
@example(prompt="Answer: ", target="Paris", data=None)  # " Paris" lies across the border
@example(prompt="Answer:  ", target="Paris  is", data=None)  # runs of spaces
@example(prompt="", target="  a", data=None)  # offsets that leave out spaces cannot tell whose the first is
@example(prompt="", target="中", data=None)  # one character of three tokens
@example(prompt="the ca", target="t", data=None)  # a token that begins inside the prompt
@example(prompt="a\n", target="\n the", data=None)
def test_tokens_are_those_that_hold_a_character_of_the_span(model: CausalModel, prompt: str, target: str, data: Any) -> None:
    if not target:
        return
    (reading,) = read_texts(model, [Text("it", prompt, target)])
    start, stop = 0, len(target)
    if data is not None:
        start = data.draw(st.integers(0, len(target) - 1))
        stop = data.draw(st.integers(start + 1, len(target)))
    tokens = characters_of_tokens(model, prompt + target)
    wanted = set(range(len(prompt) + start, len(prompt) + stop))
    expected = [place for place, (_, held) in enumerate(tokens) if held & wanted]
    shift = len(reading.ids) - len(tokens)
    assert reading.positions[reading.overlapping(start, stop)].tolist() == [place + shift for place in expected]
    assert reading.ids[shift:].tolist() == [token_id for token_id, _ in tokens]
    begins = bool(tokens[0][1] & set(range(len(prompt), len(prompt) + len(target))))
    assert reading.ids[:shift].tolist() == ([model.tokenizer.eos_token_id] if begins else [])


def test_a_character_and_its_accent_are_one(model: CausalModel) -> None:
    """The tokenizer normalises to NFC, so that two characters of the text become two bytes of one."""
    (reading,) = read_texts(model, [Text("it", "x.", "e\u0301t")])
    pieces = [reading.ids[reading.positions[reading.overlapping(place, place + 1)]] for place in range(3)]
    assert [model.tokenizer.decode(ids) for ids in pieces] == ["é", "é", "t"]


# ---- answers by any of their names -------------------------------------------------------------------------------------


def test_a_whole_target_is_scored_by_every_alias(model: CausalModel) -> None:
    """By definition: the probability that what follows the prompt begins with one of the answers, summed over them."""
    examples = examples_table(
        {"prompt": "Question: What is the capital of France?\nAnswer: ", "target": "Paris"},
        {"prompt": "the cat sat on ", "target": "the mat."},
    )
    pairs = pairs_table(examples, ("0", "", "paris"), ("1", "", "the mat"), ("1", "", "mat"))
    aliases = {"0": ["the cat", "Paris", "Paris, the cat", "12", "!"], "1": ["the other mat", "the mat", "the mat, and"]}
    found = score_spans(model, examples, pairs, aliases=aliases).to_pylist()
    plain = score_spans(model, examples, pairs).to_pylist()
    for place, answers in ((0, ["Paris", "the cat", "12"]), (1, ["the mat", "the other mat"])):
        prompt = examples["prompt"][place].as_py()
        single = [log_prob(model, prompt, text, 0, len(text))[0] for text in answers]
        assert found[place]["log_prob"] == pytest.approx(math.log(math.fsum(map(math.exp, single))), abs=1e-4)
        assert found[place]["log_prob"] > plain[place]["log_prob"]
        assert found[place]["num_tokens"] == plain[place]["num_tokens"]
    assert found[2] == plain[2]  # a part of an answer has no other name


def test_an_example_is_left_out_where_an_alias_is_too_long(model: CausalModel) -> None:
    examples = examples_table({"prompt": "the cat ", "target": "mat"})
    pairs = pairs_table(examples, ("0", "", "mat"))
    long = "the cat sat " * 60
    assert score_spans(model, examples, pairs, aliases={"0": [long]})["log_prob"].to_pylist() == [None]
    assert score_spans(model, examples, pairs, aliases={"0": [long]}, too_long="drop")["num_tokens"].to_pylist() == [0]


# ---- log-probabilities -----------------------------------------------------------------------------------------------

EXAMPLES = examples_table(
    {"input": "What is the capital of France?", "prompt": "Question: What is the capital of France?\nAnswer: ", "target": "Paris"},
    {"input": "the cat", "prompt": "the cat ", "target": "sat on the mat, and the other cat sat on the other mat"},
    {"input": "a naïve 𝔘 text", "prompt": "a naïve 𝔘 text\n", "target": "é 中文 isn't  the  answer"},
    {"input": "no prompt", "prompt": "", "target": "the mat"},
    {"input": "without pairs", "target": "the other mat"},
)
PAIRS = pairs_table(
    EXAMPLES,
    ("0", "capital of", "paris"),
    ("1", "the", "sat on"),
    ("1", "cat", "sat on"),
    ("1", "the cat", "the mat, and"),
    ("1", "cat", "on the"),  # overlaps others
    ("1", "cat", "sat on the mat, and the other cat sat on the other mat"),
    ("2", "text", "t"),  # inside "isn't"
    ("2", "text", "中文"),
    ("2", "text", "the  answer"),
    ("3", "prompt", "the"),
    ("3", "prompt", "mat"),
)


@pytest.mark.parametrize(("batch_tokens", "to_end"), [(1, False), (40, False), (8192, False), (8192, True)])
def test_scores_are_those_of_one_text_at_a_time(model: CausalModel, batch_tokens: int, to_end: bool) -> None:
    scores = score_spans(model, EXAMPLES, PAIRS, batch_tokens=batch_tokens, to_end=to_end)
    assert scores.schema == MODEL_SCORES
    texts = {row["example_id"]: row for row in EXAMPLES.to_pylist()}
    for pair, found in zip(PAIRS.to_pylist(), scores.to_pylist(), strict=True):
        of = texts[pair["example_id"]]
        expected, number = log_prob(
            model, of["prompt"], of["target"], pair["y_start"], len(of["target"]) if to_end else pair["y_stop"]
        )
        assert found["row"] == pair["row"] and found["num_tokens"] == number
        assert found["log_prob"] == pytest.approx(expected, abs=1e-4)
    of_model = {"model": model.name, "revision": "", "num_parameters": model.num_parameters, "step": -1}
    assert {name: set(scores[name].to_pylist()) for name in of_model} == {name: {value} for name, value in of_model.items()}


def test_the_first_batch_is_the_longest_and_none_is_lost(model: CausalModel) -> None:
    readings = read_texts(model, [Text("it", "the cat " * n, "sat " * m) for n, m in [(1, 1), (9, 2), (3, 30), (1, 9), (9, 2)]])
    for batch_tokens in (1, 30, 60, 1000):
        found = list(forward.batches(readings, batch_tokens, model.num_outputs))
        assert sorted(number for batch in found for number in batch) == list(range(len(readings)))
        lengths = [len(readings[number].ids) for batch in found for number in batch]
        assert lengths == sorted(lengths, reverse=True)
        for batch in found:
            assert len(batch) == 1 or len(batch) * max(len(readings[number].ids) for number in batch) <= batch_tokens


def test_logits_of_few_tokens_at_a_time(model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score_spans(model, EXAMPLES, PAIRS)["log_prob"].to_numpy()
    monkeypatch.setattr(forward, "CHUNK", 3)
    monkeypatch.setattr(forward, "LOGITS", 10 * model.num_outputs)
    seen: list[int] = []
    head = model.model.get_output_embeddings()
    hook = head.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1]))
    np.testing.assert_allclose(score_spans(model, EXAMPLES, PAIRS)["log_prob"].to_numpy(), whole, atol=1e-4)
    hook.remove()
    texts = [Text("", row["prompt"], row["target"]) for row in EXAMPLES.to_pylist()]
    alone = max(len(reading.positions) for reading in read_texts(model, texts))
    assert len(seen) > 1 and max(seen) <= max(10, alone)


def test_whole_targets(model: CausalModel) -> None:
    texts = [("the cat ", "sat"), ("", "on the mat"), ("12 + 30 = ", "42"), ("the cat ", "sat")]
    found = score_targets(model, texts)
    for (prompt, target), *numbers in zip(texts, found.log_probs, found.num_tokens, strict=True):
        expected, number = log_prob(model, prompt, target, 0, len(target))
        assert numbers == [pytest.approx(expected, abs=1e-4), number]
    nothing = score_targets(model, [])
    assert nothing.log_probs.shape == nothing.num_tokens.shape == (0,)


def test_half_precision_sums_in_fp32(model: CausalModel) -> None:
    """bf16 has 8 bits: a softmax of 384 outputs in it would not add up to 1 within 1e-3."""
    half = open_model(model.name, device="cpu", dtype="bf16")
    (reading,) = read_texts(half, [Text("it", "the cat ", "sat on the mat")])
    with torch.no_grad():
        (found,) = forward.token_log_probs(half, [reading])
        logits = half.model(input_ids=torch.from_numpy(reading.ids[None])).logits[0].double()
    expected = logits.log_softmax(-1)[reading.positions - 1, reading.ids[reading.positions]]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def test_scaling_after_the_last_layer_is_the_models_own(tmp_path: Path) -> None:
    """Some models scale or cap their logits after the output embeddings; the probabilities are of those."""
    transformers = pytest.importorskip("transformers")
    folder = write_model(tmp_path)
    config = transformers.CohereConfig(
        vocab_size=384, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, logit_scale=0.25,
        initializer_range=0.4, pad_token_id=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    transformers.CohereForCausalLM(config).save_pretrained(folder)
    scaled = open_model(str(folder), device="cpu")
    found = score_targets(scaled, [("the cat ", "sat on"), ("the ", "mat")])
    for place, (prompt, target) in enumerate([("the cat ", "sat on"), ("the ", "mat")]):
        assert found.log_probs[place] == pytest.approx(log_prob(scaled, prompt, target, 0, len(target))[0], abs=1e-4)


# ---- long texts ------------------------------------------------------------------------------------------------------


def test_too_long_is_refused_or_cut_on_the_left(model: CausalModel) -> None:
    long = "the cat sat on the mat " * 60
    texts = [("the ", "cat"), (long, "sat on")]
    with pytest.raises(ModelError, match=r"^example 'b' has \d+ tokens, 2 of them.* reads 128: .*truncate_left"):
        score_targets(model, texts, names=["example 'a'", "example 'b'"], too_long="error")
    found = score_targets(model, texts, too_long="truncate_left")
    ids = model.tokenizer(long + "sat on")["input_ids"][-129:]
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)
    assert found.log_probs[1] == pytest.approx(sum(float(logits[place - 1, ids[place]]) for place in (127, 128)), abs=1e-4)
    with pytest.raises(ModelError, match=r"text 0 has .* reads 128: shorten"):
        score_targets(model, [("the ", long)], too_long="error")


def test_the_longest_text_that_fits(model: CausalModel) -> None:
    """129 tokens: the last is predicted, not read."""
    (reading,) = read_texts(model, [Text("it", "the cat", " sat" * 400)])
    fits = reading._replace(ids=reading.ids[:129], positions=reading.positions[reading.positions < 129])
    assert fit([fits], model, "error") == [fits]
    with torch.no_grad():
        assert len(forward.token_log_probs(model, [fits])[0]) == len(fits.positions)
    with pytest.raises(ModelError, match="130 tokens"):
        fit([reading._replace(ids=reading.ids[:130])], model, "error")


# ---- bad input, and what was finished --------------------------------------------------------------------------------


def test_bad_tables(model: CausalModel) -> None:
    with pytest.raises(TableError, match="the example '4', which the table of examples does not have"):
        score_spans(model, EXAMPLES.slice(0, 4), pairs_table(EXAMPLES, ("4", "pairs", "mat")))
    beyond = PAIRS.set_column(PAIRS.schema.get_field_index("y_stop"), "y_stop", [[99] * len(PAIRS)])
    with pytest.raises(TableError, match=r"example '0': a pair's y is at \[0, 99\) of a target of 5 characters"):
        score_spans(model, EXAMPLES, beyond)
    with pytest.raises(ModelError, match="text 0: its target '' has no tokens"):
        score_targets(model, [("the cat", "")])
    with pytest.raises(ConfigError, match="batch_tokens is 0"):
        score_spans(model, EXAMPLES, PAIRS, batch_tokens=0)
    assert score_spans(model, EXAMPLES, PAIRS.slice(0, 0)).num_rows == 0


def test_a_tokenizer_with_more_ids_than_the_model(tmp_path: Path) -> None:
    small = open_model(str(write_model(tmp_path, outputs=270)), device="cpu")
    with pytest.raises(ModelError, match=r"text 0 has the token 2\d\d, and .* knows 270"):
        score_targets(small, [("the cat sat on the ", "mat")])


def test_nan_names_the_example_and_keeps_the_finished_batches(tmp_path: Path) -> None:
    broken = open_model(str(write_model(tmp_path / "model")), device="cpu")
    poison = broken.tokenizer("中")["input_ids"][0]  # what reads it gives nan
    with torch.no_grad():
        broken.model.get_input_embeddings().weight[poison] = float("nan")
    texts = [("the cat sat on the other ", "mat"), ("the cat sat on the ", "mat"), ("中 ", "a"), ("", "1")]
    with pytest.raises(ModelError, match=r"text 2: .* gives nan for token 0 of its target"):
        score_targets(broken, texts, batch_tokens=1, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    assert len(file.read_text().splitlines()) == 2  # the longer texts came first


def test_what_is_known_is_not_read_again(tmp_path: Path, model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    whole = score_spans(model, EXAMPLES, PAIRS)
    calls: list[int] = []
    read = forward.token_log_probs

    def stopped(model: CausalModel, batch: Any) -> Any:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(len(batch))
        return read(model, batch)

    monkeypatch.setattr("analysis.models.scoring.token_log_probs", stopped)
    with pytest.raises(KeyboardInterrupt):
        score_spans(model, EXAMPLES, PAIRS, batch_tokens=1, cache=cache)
    (file,) = cache.iterdir()
    with open(file, "ab") as lines:
        lines.write(b'["cut short by the ki')
    calls.clear()
    np.testing.assert_allclose(
        score_spans(model, EXAMPLES, PAIRS, batch_tokens=1, cache=cache)["log_prob"], whole["log_prob"], atol=1e-4
    )
    assert calls == [1, 1]  # of four examples
    calls[:] = [0, 0]  # whatever is read now raises
    np.testing.assert_allclose(score_spans(model, EXAMPLES, PAIRS, cache=cache)["log_prob"], whole["log_prob"], atol=1e-4)
    others = pairs_table(EXAMPLES, ("1", "cat", "other"))  # other pairs of the same examples
    assert score_spans(model, EXAMPLES, others, cache=cache)["log_prob"][0].as_py() == pytest.approx(
        log_prob(model, "the cat ", EXAMPLES["target"][1].as_py(), 24, 29)[0], abs=1e-4
    )


def test_other_weights_have_another_cache(tmp_path: Path, model: CausalModel) -> None:
    other = open_model(str(write_model(tmp_path / "other", seed=1)), device="cpu")
    half = open_model(model.name, device="cpu", dtype="bf16")
    found = [score_targets(one, [("the ", "cat")], cache=tmp_path / "cache").log_probs[0] for one in (model, other, half)]
    assert len(set(found)) == len(list((tmp_path / "cache").iterdir())) == 3
    assert open_model(model.name, device="cpu").fingerprint == model.fingerprint
