"""log P of a target by a loop: one text at a time, one token after the other, of ids that the test itself has made."""

import math
from collections.abc import Sequence
from typing import Any


def log_probs(model: Any, before: Sequence[int], target: Sequence[int]) -> list[float]:
    """log P of each token of ``target`` after all tokens before it; ``model`` is transformers' own."""
    import torch

    found = []
    for place, token in enumerate(target):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*before, *target[:place]]])).logits[0, -1].double().tolist()
        top = max(logits)
        found.append(logits[token] - top - math.log(math.fsum(math.exp(logit - top) for logit in logits)))
    return found
