"""The forward pass: logits of just those tokens that are asked for, of texts of different lengths."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import ConfigError, ModelError
from analysis.models.open import CausalModel
from analysis.models.token_spans import Reading

if TYPE_CHECKING:
    import torch

LOGITS = 1 << 27  # of one batch at most (unless one text alone has more): 512 MiB in fp32
CHUNK = 256  # tokens of which all probabilities are normalised at a time


def batches(readings: Sequence[Reading], batch_tokens: int, num_outputs: int) -> Iterator[list[int]]:
    """Numbers of readings, cut into batches of like lengths, the longest first: what does not fit fails at once.

    A batch has at most ``batch_tokens`` tokens, padding included, and ``LOGITS`` logits, or is one reading.

    Raises
    ------
    ConfigError
        ``batch_tokens`` is below 1.
    """
    if batch_tokens < 1:
        raise ConfigError(f"batch_tokens is {batch_tokens}: expected 1 or more")
    batch: list[int] = []
    length = targets = 0
    for number in sorted(range(len(readings)), key=lambda number: -len(readings[number].ids)):
        targets += len(readings[number].positions)
        if batch and ((len(batch) + 1) * length > batch_tokens or targets * num_outputs > LOGITS):
            yield batch
            batch, targets = [], len(readings[number].positions)
        length = len(readings[batch[0] if batch else number].ids)
        batch.append(number)
    if batch:
        yield batch


def token_log_probs(model: CausalModel, batch: Sequence[Reading]) -> "list[torch.Tensor]":
    """log P of each target token after all tokens before it, in one forward pass: ``float32[targets]`` for each reading.

    The softmax is over all outputs of the model, in fp32 whatever the weights are. Padding stands on the right, where no
    token of a causal model sees it. Differentiable, unless gradients are off.

    Raises
    ------
    ModelError
        The batch does not fit into the device's memory.
    """
    import torch

    device = model.model.device
    longest = max(len(reading.ids) for reading in batch) - 1
    ids = torch.zeros(len(batch), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, reading in enumerate(batch):
        length = len(reading.ids) - 1
        ids[row, :length] = torch.from_numpy(reading.ids[:-1])
        mask[row, :length] = 1
    counts = [len(reading.positions) for reading in batch]
    rows = torch.repeat_interleave(torch.arange(len(batch)), torch.tensor(counts)).to(device)
    columns = torch.from_numpy(np.concatenate([reading.positions for reading in batch]) - 1).to(device)
    wanted = torch.from_numpy(np.concatenate([reading.ids[reading.positions] for reading in batch])).to(device)
    try:
        logits = _logits(model, ids.to(device), mask.to(device), rows, columns)
        pieces = [
            some.gather(1, of_them[:, None])[:, 0].float() - some.float().logsumexp(1)
            for some, of_them in zip(torch.split(logits, CHUNK), torch.split(wanted, CHUNK), strict=True)
        ]
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(
            f"{len(batch)} texts of up to {longest:,} tokens do not fit into the memory of {device} beside {model.label}: "
            "lower batch_tokens"
        ) from error
    together = torch.cat(pieces)
    return [together[stop - count : stop] for count, stop in zip(counts, accumulate(counts), strict=True)]


def next_log_probs(model: CausalModel, batch: Sequence[Reading]) -> "torch.Tensor":
    """log P of every token where each target token stands, in one forward pass: ``float32[targets of all, outputs]``."""
    import torch

    device = model.model.device
    longest = max(len(reading.ids) for reading in batch) - 1
    ids = torch.zeros(len(batch), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, reading in enumerate(batch):
        ids[row, : len(reading.ids) - 1] = torch.from_numpy(reading.ids[:-1])
        mask[row, : len(reading.ids) - 1] = 1
    rows = torch.repeat_interleave(torch.arange(len(batch)), torch.tensor([len(reading.positions) for reading in batch]))
    columns = torch.from_numpy(np.concatenate([reading.positions for reading in batch]) - 1)
    logits = _logits(model, ids.to(device), mask.to(device), rows.to(device), columns.to(device))
    return torch.log_softmax(logits.float(), dim=1)


def _logits(
    model: CausalModel, ids: "torch.Tensor", mask: "torch.Tensor", rows: "torch.Tensor", columns: "torch.Tensor"
) -> "torch.Tensor":
    """``[len(rows), outputs]``. The model computes them itself, with any scaling after its last layer, but of these tokens alone.

    All logits of a batch would be tokens × outputs numbers, 1.6 GB for 8,192 tokens of Pythia.
    """

    def select(_: object, inputs: "tuple[torch.Tensor, ...]") -> "tuple[torch.Tensor, ...]":
        return (inputs[0][rows.to(inputs[0].device), columns.to(inputs[0].device)][None], *inputs[1:])

    hook = model.model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        logits: torch.Tensor = model.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    finally:
        hook.remove()
    assert logits.shape[:2] == (1, len(rows)), "the model's output embeddings are not its last layer"
    return logits[0]
