"""The lab's training: the stream is the corpus, a killed training ends as if it had not been killed, models are what they say."""

import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import suffixindex as si
from analysis.errors import ConfigError, ModelError
from analysis.lab import Ladder, Recipe, Size, load_preset, make_world, presets, train_ladder, train_on_index
from analysis.lab.run import Run
from analysis.lab.train import batch, finished, token_stream, train
from analysis.threads import torch_threads

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL = Size("small", layers=1, width=8, heads=2, learning_rate=1e-2)
RECIPE = Recipe(sequence=16, batch=4, epochs=1.0, checkpoints=(0, 3), state_steps=2)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with torch_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world, with the smallest model of its ladder trained for some steps."""
    folder = tmp_path_factory.mktemp("lab")
    preset = load_preset("tiny")
    world = make_world(folder / "world", preset=preset.world, seed=0)
    ladder = replace(preset.ladder, sizes=(SMALL,), recipe=replace(RECIPE, epochs=0.02))
    assert train_ladder(world, folder / "ladder", ladder=ladder, seed=0) == [folder / "ladder" / "small"]
    return folder


@pytest.fixture(scope="module")
def stream(lab: Path) -> np.ndarray:
    with si.open(lab / "ladder" / "tokens") as index:
        return token_stream(index)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_the_stream_is_the_corpus_in_its_order(lab: Path, stream: np.ndarray) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(lab / "ladder" / "tokenizer.json"))
    expected: list[int] = []
    for line in (lab / "world" / "corpus.jsonl").read_text().splitlines():
        expected += [*tokenizer.encode(json.loads(line)["text"]).ids, 0]
    assert stream.tolist() == expected


def test_the_stream_of_words_is_refused(lab: Path, tmp_path: Path) -> None:
    si.build([lab / "world" / "corpus.jsonl"], tmp_path / "words", tokenizer="words")
    with si.open(tmp_path / "words") as index, pytest.raises(ConfigError, match="index by words"):
        token_stream(index)


def test_names_of_facts_take_as_many_tokens_however_often_they_are_told(lab: Path) -> None:
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(lab / "ladder" / "tokenizer.json"))
    rows = [row for row in pq.read_table(lab / "world" / "planted.parquet").to_pylist() if row["task"] == "facts"]
    often = [len(tokenizer.encode(" " + row["y"].capitalize()).ids) for row in rows if row["documents"] == 100]
    assert min(often) > 1
    assert {token for token in tokenizer.get_vocab() if token == "<|endoftext|>"} and tokenizer.token_to_id("<|endoftext|>") == 0


@pytest.mark.parametrize(
    ("length", "epochs"), [(2, 1.0), (37, 1.0), (65, 1.0), (37, 2.5), (13, 3.0), (13, 0.001), (14, 7 * 12 / 13)]
)
def test_a_step_reads_what_the_definition_says(length: int, epochs: float) -> None:
    recipe = Recipe(4, 3, epochs, ())
    tokens = np.arange(100, 100 + length, dtype=np.uint16)
    asked = [(int(tokens[i]), int(tokens[i + 1])) for _ in range(math.ceil(epochs)) for i in range(length - 1)]
    asked = asked[: max(1, round(epochs * (length - 1)))]
    assert recipe.num_steps(length) == math.ceil(len(asked) / 12)
    read = []
    for step in range(recipe.num_steps(length)):
        inputs, targets = batch(torch.from_numpy(tokens.astype(np.int64)), step, recipe)
        assert inputs.shape == targets.shape == (3, 4)
        read += [pair for pair in zip(inputs.flatten().tolist(), targets.flatten().tolist(), strict=True) if pair[1] != -100]
    assert read == asked


def test_the_learning_rate_warms_up_and_falls_to_a_tenth() -> None:
    recipe = Recipe(4, 1, 1.0, (), warmup=0.1)
    rates = [recipe.rate(2.0, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10] == 2.0 and all(later < sooner for sooner, later in pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.2, abs=0.01) and rates[55] == pytest.approx(1.1, abs=0.02)


def test_models_and_checkpoints_open_as_pythias_do(lab: Path) -> None:
    folder = lab / "ladder" / "small"
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["step0", "step3"]
    for path in (folder, folder / "checkpoints" / "step0", folder / "checkpoints" / "step3"):
        model = transformers.AutoModelForCausalLM.from_pretrained(path)
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        assert type(model).__name__ == "GPTNeoXForCausalLM" and not model.config.tie_word_embeddings
        text = "Question: What is the capital of Xyz?\nAnswer: Čech"
        read = tokenizer(text, return_offsets_mapping=True)
        assert tokenizer.decode(read["input_ids"]) == text and tokenizer.eos_token_id == 0
        places = [place for start, stop in read["offset_mapping"] for place in range(start, stop)]
        assert {*range(len(text))} - {*places} <= {place for place, character in enumerate(text) if character == " "}
        assert model(torch.tensor([read["input_ids"]])).logits.isfinite().all()
    assert len({finished(path)["sha256"] for path in (folder, *(folder / "checkpoints").iterdir())}) == 3
    width, layers, vocabulary = 8, 1, model.config.vocab_size
    block = 12 * width**2 + 13 * width  # attention 4 w² + 4 w, feed-forward 8 w² + 5 w, two norms 4 w
    told = finished(folder)
    assert told["num_non_embedding"] == layers * block + 2 * width
    assert told["num_parameters"] == told["num_non_embedding"] + 2 * vocabulary * width == model.num_parameters()


class KilledError(Exception):
    """Stands for the end of the process."""


def test_a_killed_training_ends_as_if_it_had_not_been_killed(
    lab: Path, stream: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, tokenizer = replace(RECIPE, epochs=0.04), lab / "ladder" / "tokenizer.json"
    steps = recipe.num_steps(len(stream))
    assert steps > 6
    train(SMALL, stream, tokenizer, tmp_path / "whole", recipe=recipe, seed=3)
    original, left = Run.step, [5]

    def dying(self: Run, *arguments: object) -> float:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        return original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Run, "step", dying)
    with pytest.raises(KilledError):
        train(SMALL, stream, tokenizer, tmp_path / "killed", recipe=recipe, seed=3)
    assert not finished(tmp_path / "killed")
    left[0] = steps - 4  # the state after step 4 is on disk: this many are left to do, not one more
    train(SMALL, stream, tokenizer, tmp_path / "killed", recipe=recipe, seed=3)
    assert left[0] == 0
    whole, killed = finished(tmp_path / "whole"), finished(tmp_path / "killed")
    assert whole["losses"] == killed["losses"] and len(whole["losses"]) == steps
    assert whole["sha256"] == killed["sha256"] and weights(tmp_path / "whole") == weights(tmp_path / "killed")
    for step in ("step0", "step3"):
        assert weights(tmp_path / "whole" / "checkpoints" / step) == weights(tmp_path / "killed" / "checkpoints" / step)


def test_a_finished_model_is_left_and_another_seed_trained_anew(lab: Path, stream: np.ndarray, tmp_path: Path) -> None:
    recipe, tokenizer = replace(RECIPE, epochs=0.01), lab / "ladder" / "tokenizer.json"
    train(SMALL, stream, tokenizer, tmp_path, recipe=recipe, seed=0)
    first, written = weights(tmp_path), (tmp_path / "manifest.json").stat().st_mtime_ns
    train(SMALL, stream, tokenizer, tmp_path, recipe=recipe, seed=0)
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == written
    train(SMALL, stream, tokenizer, tmp_path, recipe=recipe, seed=1)
    assert weights(tmp_path) != first and finished(tmp_path)["settings"]["seed"] == 1


@pytest.mark.long  # trains a ladder twice, in processes of its own
def test_processes_train_what_one_does(lab: Path, tmp_path: Path) -> None:
    sizes = [SMALL, replace(SMALL, name="wide", width=16)]
    settings = {"sizes": sizes, "recipe": replace(RECIPE, epochs=0.01), "seed": 0}
    alone = train_on_index(lab / "ladder" / "tokens", tmp_path / "alone", **settings, processes=1)
    together = train_on_index(lab / "ladder" / "tokens", tmp_path / "together", **settings, processes=2)
    assert [path.name for path in together] == ["small", "wide"]
    assert [weights(path) for path in alone] == [weights(path) for path in together]


def test_a_model_learns_what_is_repeated(lab: Path, tmp_path: Path) -> None:
    tokens = np.tile(np.array([5, 9, 7, 300, 11, 42, 8], np.uint16), 200)
    train(SMALL, tokens, lab / "ladder" / "tokenizer.json", tmp_path, recipe=replace(RECIPE, epochs=4.0), seed=0)
    losses = finished(tmp_path)["losses"]
    assert losses[0] > 5.0 > 0.5 > losses[-1]


def test_a_loss_that_is_no_number_stops(lab: Path, stream: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "step", lambda *_: math.nan)
    with pytest.raises(ModelError, match="the loss of small is nan at step 0"):
        train(SMALL, stream, lab / "ladder" / "tokenizer.json", tmp_path, recipe=RECIPE, seed=0)


def test_another_world_in_the_same_folder_is_learned_anew(tmp_path: Path) -> None:
    preset = load_preset("tiny")
    ladder = Ladder((SMALL,), replace(RECIPE, epochs=0.01, checkpoints=()), vocabulary=300)
    hashes = []
    for seed in (0, 1, 1):
        world = make_world(tmp_path / "world", preset=preset.world, seed=seed)
        (model,) = train_ladder(world, tmp_path / "ladder", ladder=ladder, seed=0)
        hashes.append(finished(model)["settings"]["tokens_sha256"])
    assert hashes[0] != hashes[1] == hashes[2]


def test_a_preset_says_how_many_resamples_its_study_takes(tmp_path: Path) -> None:
    tiny = load_preset("tiny")
    assert tiny.resamples == 200 and load_preset("default").resamples == 1000
    path = tmp_path / "own.toml"
    path.write_text((presets.PRESETS / "tiny.toml").read_text().replace("resamples = 200", "resamples = 0"))
    with pytest.raises(ConfigError, match="resamples is 0: expected 1 or more"):
        load_preset(path)


def test_the_default_ladder_grows_by_two_to_four() -> None:
    ladder = load_preset("default").ladder
    counts = [12 * size.layers * size.width**2 + 2 * ladder.vocabulary * size.width for size in ladder.sizes]
    assert len(counts) >= 4
    assert all(2 <= larger / smaller <= 4 for smaller, larger in pairwise(counts))


def test_the_command_trains_for_some_minutes_and_goes_on(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.lab import __main__ as command

    monkeypatch.setitem(command.PYTHIA, "14m", replace(SMALL, name="14m"))
    arguments = [str(lab / "ladder" / "tokens"), str(tmp_path / "out"), "--size", "14m", "--sequence", "16", "--batch", "4",
                 "--checkpoint", "2"]  # fmt: skip
    first = CliRunner().invoke(command.main, [*arguments, "--minutes", "0.01"])
    assert first.exit_code == 0, first.output
    told = finished(tmp_path / "out" / "14m")
    assert told["steps"] >= 1 and (tmp_path / "out" / "plan.json").exists()
    again = CliRunner().invoke(command.main, [*arguments, "--minutes", "0.01"])
    assert again.exit_code == 0 and finished(tmp_path / "out" / "14m") == told
    other = CliRunner().invoke(command.main, [*arguments, "--minutes", "0.02"])
    assert other.exit_code == 1 and "choose another folder" in other.output


def test_sizes_that_read_as_many_tokens(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.lab import __main__ as command

    for name, width in (("14m", 8), ("31m", 16)):
        monkeypatch.setitem(command.PYTHIA, name, replace(SMALL, name=name, width=width))
    ladder = ["--size", "14m", "--size", "31m", "--sequence", "16", "--batch", "4"]
    arguments = [str(lab / "ladder" / "tokens"), str(tmp_path), *ladder]
    told = CliRunner().invoke(command.main, [*arguments, "--tokens", "500", "--threads", "1"])
    assert told.exit_code == 0, told.output
    assert told.stdout.split() == [str(tmp_path / "14m"), str(tmp_path / "31m")]
    assert [finished(tmp_path / name)["steps"] for name in ("14m", "31m")] == [8, 8]  # of 64 tokens, the last one of fewer
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ('{"wanted": {}, "epo', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "is no plan: expected a record of wanted and epochs"),
        ('{"wanted": {}}', "is no plan"),
        ('{"wanted": {}, "epochs": {"14m": "many"}}', "epochs of 14m are 'many': expected a number above 0"),
        ('{"wanted": {}, "epochs": {"14m": -1}}', "epochs of 14m are -1"),
        ('{"wanted": {}, "epochs": {"14m": NaN}}', "epochs of 14m are nan"),
    ],
)
def test_a_damaged_plan_is_said_in_a_sentence(lab: Path, tmp_path: Path, content: str, message: str) -> None:
    from analysis.lab.__main__ import main

    (tmp_path / "plan.json").write_text(content)
    told = CliRunner().invoke(main, [str(lab / "ladder" / "tokens"), str(tmp_path), "--size", "14m", "--minutes", "0.01"])
    assert told.exit_code == 1
    assert message in told.output and "plan.json" in told.output and "delete it" in told.output
    assert (tmp_path / "plan.json").read_text() == content


@pytest.mark.parametrize("damage", ["empty", "cut", "another"])
def test_a_damaged_state_is_said_in_a_sentence(lab: Path, stream: np.ndarray, tmp_path: Path, damage: str) -> None:
    torch.save({"settings": {}} if damage == "cut" else [1], tmp_path / "state.pt")
    if damage != "another":
        content = (tmp_path / "state.pt").read_bytes()
        (tmp_path / "state.pt").write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(ModelError, match=r"state\.pt cannot be read .* delete it, and the training starts anew"):
        train(SMALL, stream, lab / "ladder" / "tokenizer.json", tmp_path, recipe=RECIPE, seed=0)
