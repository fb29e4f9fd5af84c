"""Opening models and checkpoints, what is said of them, and whether their tokenizer is an index's."""

import shutil
from pathlib import Path

import pytest

import suffixindex as si
from analysis.errors import ConfigError, ModelError
from analysis.models.open import causal_model, list_checkpoints, open_model, step_of
from analysis.models.same_tokenizer import check_tokenizer
from tests.helpers.analysis_building import tiny_tokenizer, write_model

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with two checkpoints below it, one without a tokenizer of its own."""
    folder = write_model(tmp_path_factory.mktemp("models") / "tiny")
    for step in (1000, 200):
        write_model(folder / f"step{step}", seed=step)
    (folder / "step200" / "tokenizer.json").unlink()
    (folder / "step200" / "tokenizer_config.json").unlink()
    (folder / "notes").mkdir()
    return folder


def test_a_folder_and_its_checkpoints(folder: Path) -> None:
    assert list_checkpoints(folder) == ["step200", "step1000"]
    models = [open_model(str(folder), revision=revision, device="cpu") for revision in ("", *list_checkpoints(folder))]
    assert [model.step for model in models] == [-1, 200, 1000]
    assert [model.label for model in models] == [str(folder), f"{folder} at step200", f"{folder} at step1000"]
    assert len({model.fingerprint for model in models}) == 3
    for model in models:
        # embeddings twice, 2 layers of 4 × 32² + 2 × 32 × 64 weights and their biases, norms
        assert model.num_parameters == 2 * 384 * 32 + 2 * (4 * 32**2 + 4 * 32 + 2 * 32 * 64 + 64 + 32 + 4 * 32) + 2 * 32
        assert (model.context_length, model.num_outputs, model.device) == (128, 384, "cpu")
        assert not model.model.training and model.model.dtype == torch.float32
        assert model.tokenizer("the cat")["input_ids"] == models[0].tokenizer("the cat")["input_ids"]
    assert (
        open_model(str(folder / "step200"), device="cpu").step == 200 if (folder / "step200" / "tokenizer.json").exists() else True
    )


def test_step() -> None:
    known = {"step3000": 3000, "step1000-tokens4B": 1000, "stage1-step140000-tokens294B": 140000, "checkpoint-500": 500, "step0": 0}
    unknown = dict.fromkeys(["main", "", "stepfun", "misstep3", "step3b"], -1)
    for revision, step in {**known, **unknown}.items():
        assert step_of("EleutherAI/pythia-70m", revision) == step, revision


def test_types(folder: Path) -> None:
    assert open_model(str(folder), device="cpu", dtype="bf16").model.dtype == torch.bfloat16
    assert open_model(str(folder), device="cpu", dtype="float16").model.dtype == torch.float16
    with pytest.raises(ConfigError, match="dtype is 'int8': expected auto, fp32, bf16, fp16"):
        open_model(str(folder), device="cpu", dtype="int8")
    with pytest.raises(ConfigError, match="device is 'gpu': expected auto, cpu, cuda"):
        open_model(str(folder), device="gpu")
    if not torch.cuda.is_available():
        assert open_model(str(folder)).device == "cpu"
        with pytest.raises(ConfigError, match="sees no GPU"):
            open_model(str(folder), device="cuda")


def test_what_cannot_be_opened(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"step7 holds no model \(no config.json\); the checkpoints in .*: step200, step1000$"):
        open_model(str(folder), revision="step7", device="cpu")
    with pytest.raises(ModelError, match=r"notes holds no model .*: none$"):
        open_model(str(folder / "notes"), device="cpu")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        ModelError, match=r"the model no/such/model at revision step1 could not be opened \(.*expected a Hugging Face name"
    ):
        open_model("no/such/model", revision="step1", device="cpu")
    broken = shutil.copytree(folder / "step1000", tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="broken could not be opened"):
        open_model(str(broken), device="cpu")
    safetensors = pytest.importorskip("safetensors.torch")
    weights = safetensors.load_file(folder / "step1000" / "model.safetensors")
    del weights["gpt_neox.layers.1.mlp.dense_4h_to_h.weight"]
    safetensors.save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"broken lack 1 of the model's tensors \(gpt_neox.layers.1.mlp.dense_4h_to_h.weight"):
        open_model(str(broken), device="cpu")


def test_generation_settings_of_the_folder_are_left_out() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPTNeoXConfig(
        vocab_size=384, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    model = transformers.GPTNeoXForCausalLM(config)
    model.generation_config = transformers.GenerationConfig(do_sample=True, repetition_penalty=3.0, eos_token_id=[0, 6])
    opened = causal_model(model, tiny_tokenizer(), name="in memory", revision="step9")
    assert opened.model.generation_config.eos_token_id == [0]  # 6 is a letter
    assert opened.model.generation_config.repetition_penalty in (None, 1.0)
    assert opened.columns == {"model": "in memory", "revision": "step9", "num_parameters": opened.num_parameters, "step": 9}


# ---- the tokenizer of an index ---------------------------------------------------------------------------------------


def build(folder: Path, tokenizer: str) -> si.SuffixIndex:
    (folder / "corpus.txt").write_text("the cat sat on the mat\n")
    si.build(folder / "corpus.txt", folder / "index", tokenizer=tokenizer, progress=False)
    return si.open(folder / "index")


@pytest.mark.usefixtures("no_fsync")
def test_a_model_of_the_indexs_tokens(folder: Path, tmp_path: Path) -> None:
    index = build(tmp_path, str(folder))
    model = open_model(str(folder), device="cpu")
    check_tokenizer(model.tokenizer, index, ["the cat é"])
    model.tokenizer.add_tokens(["<|pad|>"])  # more tokens, none of them in the index
    check_tokenizer(model.tokenizer, index)
    with pytest.raises(ModelError, match=r"the text 'a<\|pad\|>' has the ids \[.*\] from token 1 on in the index"):
        check_tokenizer(model.tokenizer, index, ["the cat", "a<|pad|>"])
    other = tiny_tokenizer(["quite other words, other words altogether"])
    with pytest.raises(ModelError, match=r"token \d+ is '.*' in the index .* and is '.*' in the model's tokenizer: build"):
        check_tokenizer(other, index)
    smaller = tiny_tokenizer(size=260)
    with pytest.raises(ModelError, match="does not exist in the model's tokenizer"):
        check_tokenizer(smaller, index)


@pytest.mark.usefixtures("no_fsync")
def test_one_vocabulary_but_other_ids(folder: Path, tmp_path: Path) -> None:
    """A tokenizer that puts a space before every text has the tokens of the index, and other ids for a text."""
    tokenizers = pytest.importorskip("tokenizers")
    index = build(tmp_path, str(folder))
    other = open_model(str(folder), device="cpu").tokenizer
    other.backend_tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    with pytest.raises(ModelError, match=r"the text \"It's .* has the ids"):
        check_tokenizer(other, index)


@pytest.mark.usefixtures("no_fsync")
def test_an_index_of_words_has_no_models_tokens(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is of words, not of the model's tokens"):
        check_tokenizer(tiny_tokenizer(), build(tmp_path, "words"))
