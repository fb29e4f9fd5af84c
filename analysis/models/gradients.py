"""Gradients of the loss on an n-gram, and their inner products: what a step on one text does to another."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.errors import ConfigError, ModelError
from analysis.models.forward import batches, token_log_probs
from analysis.models.open import CausalModel
from analysis.models.token_spans import Reading

if TYPE_CHECKING:
    import torch


def chosen_parameters(model: CausalModel, pattern: str) -> "dict[str, torch.nn.Parameter]":
    """The parameters whose name matches a regular expression somewhere, or "all"; those that are tied once.

    Raises
    ------
    ConfigError
        None matches, or it is no regular expression.
    """
    named = dict(model.model.named_parameters())
    try:
        found = {name: each for name, each in named.items() if pattern == "all" or re.search(pattern, name)}
    except re.error as error:
        raise ConfigError(f"parameters is {pattern!r}, which is no regular expression: {error}") from error
    if not found:
        raise ConfigError(f"no parameter of {model.label} matches {pattern!r}: its names are like {', '.join(list(named)[:3])}")
    return found


def loss_gradient(
    model: CausalModel, readings: Sequence[Reading], parameters: "dict[str, torch.nn.Parameter]"
) -> "list[torch.Tensor]":
    """∇ Σ ℓ over texts read in one pass, ℓ = -Σ_t log P(t | before) over a text's target tokens: a tensor a parameter.

    Raises
    ------
    ModelError
        A loss is nan.
    """
    import torch

    with torch.enable_grad():
        losses = [-log_probs.sum() for log_probs in token_log_probs(model, readings)]
        for reading, loss in zip(readings, losses, strict=True):
            if bool(loss.isnan()):
                raise ModelError(f"{reading.name}: {model.label} gives nan for its n-gram; try fp32")
        found: Any = torch.autograd.grad(torch.stack(losses).sum(), list(parameters.values()), allow_unused=True)
    return [torch.zeros_like(each) if part is None else part for part, each in zip(found, parameters.values(), strict=True)]


def mean_inner_product(
    model: CausalModel,
    gradient: "Sequence[torch.Tensor]",
    readings: Sequence[Reading],
    parameters: "dict[str, torch.nn.Parameter]",
    batch_tokens: int,
) -> float:
    """The mean over texts of ∇ℓ · gradient.

    An inner product is linear, so the texts of a batch need one backward pass and never a gradient each. Products are
    summed in float64, of fp32 factors.
    """
    import torch

    total = 0.0
    for numbers in batches(readings, batch_tokens, model.num_outputs):
        found = loss_gradient(model, [readings[number] for number in numbers], parameters)
        for one, other in zip(found, gradient, strict=True):
            total += float(torch.sum(one.float() * other.float(), dtype=torch.float64))
    return total / len(readings)
