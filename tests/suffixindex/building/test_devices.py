"""A build whose shards a GPU sorts, as torch's CPU device does it: the same bytes, two shards under way at a time."""

from pathlib import Path

import numpy as np
import pytest

import suffixindex as si
from suffixindex.building.budget import bytes_per_token, fixed_bytes, shard_capacity
from suffixindex.gpu_sort import device as devices
from tests.helpers import building

pytest.importorskip("torch")


@pytest.fixture
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """``cuda`` is torch's CPU device; the list tells how many shards were sorted there."""
    sorted_: list[int] = []
    monkeypatch.setattr(devices, "choose_device", lambda request, *_: "cpu" if request == "cpu" else "cpu:0")
    monkeypatch.setattr(devices, "_count_gpus", lambda: 1)
    real = devices.sort_tokens

    def counted(tokens: np.ndarray, *arguments: object, **options: object) -> np.ndarray:
        sorted_.append(len(tokens))
        return real(tokens, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("suffixindex.suffix_sort.devices.sort_tokens", counted)
    return sorted_


@pytest.mark.parametrize("tokenizer", ["bytes", "words"])
def test_the_bytes_are_the_same(tmp_path: Path, pretended_gpu: list[int], tokenizer: str) -> None:
    texts = [f"to be or not to be {number % 7} that is the question" for number in range(60)]
    corpus = building.write_jsonl(tmp_path / "a.jsonl", texts)
    settings = {"tokenizer": tokenizer, "shard_tokens": 500, "progress": False}
    si.build(corpus, tmp_path / "cpu", device="cpu", **settings)
    assert pretended_gpu == []
    report = si.build(corpus, tmp_path / "gpu", device="cuda", **settings)
    assert len(pretended_gpu) == report.num_shards > 1
    files = {path.relative_to(tmp_path / "cpu") for path in (tmp_path / "cpu").rglob("*") if path.is_file()}
    for name in files - {Path("provenance.json")}:
        assert (tmp_path / "gpu" / name).read_bytes() == (tmp_path / "cpu" / name).read_bytes(), name
    si.verify(tmp_path / "gpu", full=True)


def test_a_build_goes_on_on_another_device(tmp_path: Path, pretended_gpu: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", ["to be or not to be"] * 60)
    settings = {"tokenizer": "bytes", "shard_tokens": 400, "progress": False}
    with monkeypatch.context() as patch:
        patch.setattr("suffixindex.building.job.sort_shard", _fail_at_second(patch))
        with pytest.raises(si.BuildError):
            si.build(corpus, tmp_path / "index", device="cpu", **settings)
    report = si.build(corpus, tmp_path / "index", device="cuda", **settings)
    assert 0 < len(pretended_gpu) < report.num_shards
    si.verify(tmp_path / "index", full=True)


def _fail_at_second(patch: pytest.MonkeyPatch) -> object:
    from suffixindex.building.sort_shards import sort_shard

    calls: list[int] = []

    def failing(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device", "there")
        return sort_shard(*arguments, **options)  # type: ignore[arg-type]

    return failing


def test_the_memory_of_the_host_is_counted(pretended_gpu: list[int]) -> None:
    assert bytes_per_token("u16", 2) == bytes_per_token("u16") == 12
    assert bytes_per_token("u16", 5) == 5 * (4 + 2)  # the tokens and the suffix array of each shard under way
    assert fixed_bytes(2, 2) - fixed_bytes(2) == devices.HOST_BYTES
    with_gpu = shard_capacity("16GiB", None, "u16", 2, "cuda")
    assert with_gpu * bytes_per_token("u16", 2) + fixed_bytes(2, 2) <= 16 << 30
    assert with_gpu < shard_capacity("16GiB", None, "u16", 2)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", ""])
def test_what_is_no_device_is_refused(tmp_path: Path, device: str) -> None:
    corpus = building.write_jsonl(tmp_path / "a.jsonl", ["to be"])
    with pytest.raises(si.BuildError, match="is no device: cpu, cuda, cuda:NUMBER or auto"):
        si.build(corpus, tmp_path / "index", tokenizer="bytes", device=device, progress=False)
    assert not (tmp_path / "index" / "manifest.json").exists()
    with pytest.raises(si.BuildError, match="no device"):
        si.suffix_array(np.array([1, 2], np.uint16), device=device)


def test_the_sort_alone(pretended_gpu: list[int]) -> None:
    tokens = np.array([2, 1, 9, 2, 1, 9], np.uint16)
    assert si.suffix_array(tokens, separator=9, device="cuda").tolist() == [1, 4, 0, 3, 2, 5]
    with pytest.raises(ValueError, match="exceeds the separator"):
        si.suffix_array(tokens, separator=8, device="cuda")
    with pytest.raises(TypeError, match="dtype int64"):
        si.suffix_array(tokens.astype(np.int64), device="cuda")
    with pytest.raises(ValueError, match="shape"):
        si.suffix_array(tokens, device="cuda", out=np.empty(3, np.uint32))
