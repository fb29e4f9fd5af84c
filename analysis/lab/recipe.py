"""Shapes of models, and how they are trained: plain numbers, of which torch knows nothing."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """A model's shape: GPTNeoX as in Pythia, untied embeddings, parallel residual, rotary quarter of each head."""

    name: str
    layers: int
    width: int
    heads: int
    learning_rate: float


PYTHIA = {
    size.name: size
    for size in (
        Size("14m", 6, 128, 4, 1e-3),
        Size("31m", 6, 256, 8, 1e-3),
        Size("70m", 6, 512, 8, 1e-3),
        Size("160m", 12, 768, 12, 6e-4),
        Size("410m", 24, 1024, 16, 3e-4),
    )
}
"""Shapes and learning rates of the Pythia suite (arXiv 2304.01373)."""


@dataclass(frozen=True)
class Recipe:
    """How to train: AdamW with warm-up and a cosine decay to a tenth."""

    sequence: int
    """Tokens of a sequence, and the longest that the model takes."""
    batch: int
    """Sequences of a step."""
    epochs: float
    """Passes over the stream."""
    checkpoints: tuple[int, ...]
    """Steps after which the model is saved, as ``checkpoints/stepK``; 0 is before the first."""
    warmup: float = 0.02
    """Share of the steps."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of a gradient."""
    state_steps: int = 500
    """Steps between saved states, from which a killed training goes on."""

    @property
    def tokens_per_step(self) -> int:
        """Positions whose next token a step learns."""
        return self.batch * self.sequence

    def num_targets(self, tokens: int) -> int:
        """Next tokens that a training on a stream of ``tokens`` learns, each as often as there are epochs; one at least."""
        return max(1, round(self.epochs * (tokens - 1)))

    def num_steps(self, tokens: int) -> int:
        """Optimizer steps of a training on a stream of ``tokens``; the last one may be short of tokens."""
        return -(-self.num_targets(tokens) // self.tokens_per_step)

    def rate(self, peak: float, step: int, steps: int) -> float:
        """Learning rate of a step: a linear warm-up, then a cosine from ``peak`` to a tenth of it."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return peak * (step + 1) / warm
        share = (step - warm) / max(1, steps - warm)
        return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))
