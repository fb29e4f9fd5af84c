"""Where a model runs, and in which numbers."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from analysis.errors import ConfigError, MissingDependencyError

log = logging.getLogger(__name__)

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
SHARE = 0.7
"""Of a GPU's free memory, what weights may take: the rest is for what a batch needs."""


def find_device(device: str) -> str:
    """The device of a setting: "auto" is the first GPU if there is one.

    Raises
    ------
    ConfigError
        An unknown device, or a GPU where there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        known = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"device is {device!r}: expected auto, cpu, cuda or cuda:N") from None
    if known.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device is {device!r}, but torch {torch.__version__} sees no GPU: choose cpu or auto")
    if known.type == "cuda" and (known.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device is {device!r}, and there are {torch.cuda.device_count()} GPUs, numbered from 0")
    return device


def find_dtype(dtype: str, device: str) -> str:
    """torch's name of a setting: "auto" is bf16 on a GPU that has it, else fp32.

    Raises
    ------
    ConfigError
        It is unknown.
    """
    import torch

    if dtype == "auto":
        return "bfloat16" if device.startswith("cuda") and torch.cuda.is_bf16_supported() else "float32"
    if dtype not in {*DTYPES, *DTYPES.values()}:
        raise ConfigError(f"dtype is {dtype!r}: expected auto, {', '.join(DTYPES)}")
    return DTYPES.get(dtype, dtype)


def over_several(device: str, config: Callable[[], Any], dtype: Any) -> dict[str, Any]:
    """Arguments of ``from_pretrained`` that lay a model over all GPUs, layer by layer; empty where it fits on one.

    Only with ``device`` "auto": a GPU that is named is the one. Processors are no place for layers, which would then be read
    a hundred times slower and nobody told.

    Raises
    ------
    MissingDependencyError
        accelerate is needed and not installed.
    """
    import torch

    if device != "auto" or torch.cuda.device_count() < 2:
        return {}
    free = [torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count())]
    needed = weight_bytes(config(), dtype)
    if needed <= SHARE * free[0]:
        return {}
    if find_spec("accelerate") is None:
        raise MissingDependencyError("a model over several GPUs needs accelerate: pip install 'suffixindex[gguf]'")
    log.info("%.1f GB of weights are laid over %d GPUs", needed / 1e9, len(free))
    return {"device_map": "auto", "max_memory": {number: int(SHARE * size) for number, size in enumerate(free)}}


def weight_bytes(config: Any, dtype: Any) -> int:
    """What a model of this configuration takes, from its shapes alone."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    size: int = sum(part.numel() for part in model.parameters()) * torch.empty((), dtype=dtype).element_size()
    return size
