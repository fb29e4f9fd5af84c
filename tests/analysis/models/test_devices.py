"""Where a model is put, on machines that the test only claims to have."""

from pathlib import Path
from typing import Any

import pytest

from analysis.errors import ConfigError, MissingDependencyError
from analysis.models import devices
from analysis.models.devices import find_device, over_several, weight_bytes
from analysis.models.generation import generate
from analysis.models.gradients import chosen_parameters, loss_gradient
from analysis.models.open import open_model
from analysis.models.scoring import score_targets
from analysis.models.token_spans import Text, read_texts
from tests.helpers.analysis_building import examples_table, write_model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

GB = 1 << 30


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The free bytes of each GPU; none at first."""
    free: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (free[number], free[number]))
    return free


def config(**sizes: int) -> Any:
    return transformers.GPTNeoXConfig(vocab_size=100, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, **sizes)


def test_bytes_of_weights_are_those_of_its_shapes() -> None:
    model = transformers.GPTNeoXForCausalLM(config(intermediate_size=16))
    numbers = sum(part.numel() for part in model.parameters())
    assert weight_bytes(model.config, torch.bfloat16) == 2 * numbers
    assert weight_bytes(model.config, torch.float32) == 4 * numbers


def test_a_model_that_one_gpu_has_no_room_for_is_laid_over_all(gpus: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "weight_bytes", lambda *_: 24 * GB)
    assert over_several("auto", dict, torch.bfloat16) == {}
    gpus[:] = [16 * GB]
    assert over_several("auto", dict, torch.bfloat16) == {}  # one GPU: it fits, or torch says that it does not
    gpus[:] = [16 * GB, 16 * GB]
    found = over_several("auto", dict, torch.bfloat16)
    assert found["device_map"] == "auto" and set(found["max_memory"]) == {0, 1}  # on no processor, and on no disk
    assert all(0 < size < 16 * GB for size in found["max_memory"].values())
    assert over_several("cuda:1", dict, torch.bfloat16) == {}  # a GPU that is named is the one
    gpus[:] = [80 * GB, 80 * GB]
    assert over_several("auto", dict, torch.bfloat16) == {}  # it fits on the first
    gpus[:] = [16 * GB, 16 * GB]
    monkeypatch.setattr(devices, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="a model over several GPUs needs accelerate"):
        over_several("auto", dict, torch.bfloat16)


def test_devices(gpus: list[int]) -> None:
    assert find_device("auto") == "cpu"
    gpus[:] = [GB, GB]
    assert find_device("auto") == "cuda" and find_device("cuda:1") == "cuda:1"
    with pytest.raises(ConfigError, match="device is 'cuda:2', and there are 2 GPUs, numbered from 0"):
        find_device("cuda:2")


def test_a_model_in_parts_scores_as_one(tmp_path: Path) -> None:
    """Laid out by accelerate, here over one processor: forward, gradients and fingerprint go through its hooks."""
    accelerate = pytest.importorskip("accelerate")
    folder = str(write_model(tmp_path))
    plain, parts = (open_model(folder, device="cpu") for _ in range(2))
    accelerate.dispatch_model(parts.model, {"": "cpu"}, force_hooks=True)
    assert hasattr(parts.model, "_hf_hook") and parts.fingerprint == plain.fingerprint
    text = [("the cat sat on ", "the mat")]
    assert score_targets(parts, text).log_probs == pytest.approx(score_targets(plain, text).log_probs, abs=1e-6)
    (reading,) = read_texts(parts, [Text("it", *text[0])])
    assert float(loss_gradient(parts, [reading], chosen_parameters(parts, "layers"))[0].abs().sum()) > 0
    assert generate(parts, examples_table({"prompt": "the ", "target": "x"}), max_tokens=4) != [None]
