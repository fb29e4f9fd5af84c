"""What a model writes after a prompt: greedy, in batches, up to a stop; by weights here or by an endpoint."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from tqdm import tqdm

from analysis.errors import ConfigError, ModelError
from analysis.models.cache import Cache, key_of
from analysis.models.language_model import LanguageModel, Output, Sampling
from analysis.models.open import CausalModel
from analysis.models.served import ServedModel
from analysis.models.token_spans import first_tokens
from analysis.models.too_long import TooLong, num_dropped

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


class _Prompt(NamedTuple):
    """What is read, and the spaces at the prompt's end that are not."""

    ids: list[int]
    spaces: str


def generate(model: LanguageModel, examples: pa.Table, **settings: Any) -> list[str | None]:
    """The texts alone of what :func:`outputs` finds."""
    return [None if output is None else output.text for output in outputs(model, examples, **settings)]


def outputs(
    model: LanguageModel,
    examples: pa.Table,
    *,
    max_tokens: int,
    stop: Sequence[str] = ("\n",),
    batch_size: int = 16,
    cache: Path | None = None,
    too_long: TooLong = "drop",
) -> list[Output | None]:
    r"""What the model writes after each example's prompt, greedily.

    The text ends before the first ``stop``, at an end-of-text token, or after ``max_tokens`` tokens. Spaces at the prompt's
    end are left to the model, for they are part of its next token (" Paris") and part of it in scoring too
    (``analysis.models.token_spans``); the output is without them.

    Parameters
    ----------
    examples
        Table EXAMPLES.
    max_tokens, stop
        Where to end. Some of the tokens of ``stop`` may be written before its end is seen.
    batch_size
        Prompts that are continued together, those of like lengths, padded on the left. In fp32 the outputs are those of
        one at a time, up to rounding between two tokens that are all but equally likely; in bf16 rounding is 2⁻⁸.
    cache
        A folder. Outputs of finished batches are kept there and used again where a model reads the same.
    too_long
        What to do with a prompt that exceeds the model's context with ``max_tokens`` more: ``analysis.models.too_long``.

    Returns
    -------
    list of Output or None
        An output for each example; None where it was left out as too long.

    Raises
    ------
    ModelError
        A prompt and ``max_tokens`` exceed the model's context and are to be refused, or an endpoint refuses. Finished batches
        stay in the cache.
    ConfigError
        A number below 1, or an empty stop.
    """
    names = [f"example {name!r}" for name in examples["example_id"].to_pylist()]
    how: dict[str, Any] = {"max_tokens": max_tokens, "stop": stop, "batch_size": batch_size, "cache": cache, "too_long": too_long}
    return _continue_all(model, examples["prompt"].to_pylist(), names, sampling=None, **how)


def continue_texts(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    names: Sequence[str],
    max_tokens: int,
    stop: Sequence[str],
    batch_size: int = 16,
    cache: Path | None = None,
    sampling: Sampling | None = None,
    too_long: TooLong = "drop",
) -> list[str | None]:
    """:func:`generate` for prompts; with ``sampling``, drawn from all tokens, the same for one seed, batch and device."""
    how: dict[str, Any] = {"max_tokens": max_tokens, "stop": stop, "batch_size": batch_size, "cache": cache, "too_long": too_long}
    found = _continue_all(model, prompts, names, sampling=sampling, **how)
    return [None if output is None else output.text for output in found]


def _continue_all(
    model: LanguageModel,
    prompts: Sequence[str],
    names: Sequence[str],
    *,
    max_tokens: int,
    stop: Sequence[str],
    batch_size: int,
    cache: Path | None,
    sampling: Sampling | None,
    too_long: TooLong,
) -> list[Output | None]:
    if max_tokens < 1 or batch_size < 1:
        raise ConfigError(f"max_tokens is {max_tokens} and batch_size {batch_size}: expected 1 or more")
    if not all(stop):
        raise ConfigError("a stop is the empty text, which stands before every output: leave it out")
    read = [_prompt(model, name, prompt, max_tokens, too_long) for name, prompt in zip(names, prompts, strict=True)]
    settings = repr((max_tokens, list(stop), sampling, model.end_tokens))
    keys = [None if prompt is None else key_of(repr(prompt), settings) for prompt in read]
    known = Cache(cache, "outputs", model)
    waiting = {
        key: prompt for key, prompt in zip(keys, read, strict=True) if key is not None and prompt is not None and key not in known
    }
    todo = sorted(waiting, key=lambda key: -len(waiting[key].ids))
    log.info("%s: %s prompts to continue, %s known", model.label, f"{len(todo):,}", f"{len(set(keys) - {None}) - len(todo):,}")
    if left_out := keys.count(None):
        log.warning("%s: %s of %s prompts are too long and left out", model.label, f"{left_out:,}", f"{len(keys):,}")
    with tqdm(total=len(todo), desc=model.label, unit=" prompts", disable=None) as bar:
        for first in range(0, len(todo), batch_size):
            batch = todo[first : first + batch_size]
            written = _continue(model, [waiting[key] for key in batch], max_tokens, stop, sampling)
            known.add(dict(zip(batch, written, strict=True)))
            bar.update(len(batch))
    return [None if key is None else Output(*known[key]) for key in keys]


def _prompt(model: LanguageModel, name: str, prompt: str, max_tokens: int, too_long: TooLong) -> _Prompt | None:
    asked = model.asking.prompt(prompt)
    read = asked.text.rstrip(" ")
    (encoded,) = model.asking.encode([read])
    ids, special = encoded.ids, encoded.special
    while len(ids) > 1 and special[-1] and not all(special):  # a tokenizer that ends every text with a token
        ids.pop()
        special.pop()
    stops = [stop for _, stop in encoded.offsets[: len(ids)]]
    head = next((place for place, mark in enumerate(special) if not mark and stops[place] > asked.head), len(ids)) if ids else 1
    tail = sum(1 for start, _ in encoded.offsets[head : len(ids)] if asked.tail and start >= len(asked.text) - asked.tail)
    ids = ids or first_tokens(model, name)
    excess = 0 if model.context_length is None else len(ids) + max_tokens - model.context_length
    what = (
        f"{name} has a prompt of {len(ids):,} tokens, and with {max_tokens:,} more it exceeds the {model.context_length or 0:,} "
        f"that {model.label} reads"
    )
    dropped = num_dropped(excess, len(ids) - head - max(tail, 1), too_long, what)
    return None if dropped is None else _Prompt(ids[:head] + ids[head + dropped :], asked.text[len(read) :])


def _continue(
    model: LanguageModel, prompts: Sequence[_Prompt], max_tokens: int, stop: Sequence[str], sampling: Sampling | None
) -> list[Output]:
    """One batch."""
    if isinstance(model, ServedModel):
        found = model.continued([prompt.ids for prompt in prompts], max_tokens, stop, sampling)
    elif isinstance(model, CausalModel):
        found = _continued(model, prompts, max_tokens, stop, sampling)
    else:
        raise AssertionError(f"{type(model)} writes nothing")
    return [_cut(output, prompt, stop) for output, prompt in zip(found, prompts, strict=True)]


def _cut(output: Output, prompt: _Prompt, stop: Sequence[str]) -> Output:
    """Without the spaces that the prompt ended with, and without a stop and what follows it."""
    spaces, text = prompt.spaces, output.text
    text = text[len(spaces) :] if text.startswith(spaces) else text.lstrip(" ")
    found = [text.index(end) for end in stop if end in text]
    return Output(text[: min(found)], "stop") if found else Output(text, output.ended)


def _continued(
    model: CausalModel, prompts: Sequence[_Prompt], max_tokens: int, stop: Sequence[str], sampling: Sampling | None
) -> list[Output]:
    """By the weights, the prompts padded on the left."""
    import torch
    from transformers import StoppingCriteriaList

    longest = max(len(prompt.ids) for prompt in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt.ids) :] = torch.tensor(prompt.ids)
        mask[row, longest - len(prompt.ids) :] = 1

    def written(tokens: "torch.Tensor") -> list[Output]:
        return [_output(model, prompt, row) for prompt, row in zip(prompts, tokens[:, longest:].tolist(), strict=True)]

    def stopped(tokens: "torch.Tensor", _: object, **__: object) -> "torch.Tensor":
        texts = [_cut(output, prompt, ()).text for output, prompt in zip(written(tokens), prompts, strict=True)]
        return torch.tensor([any(end in text for end in stop) for text in texts], device=tokens.device)

    device = model.model.device
    settings = {"do_sample": False} if sampling is None else {"do_sample": True, "temperature": sampling.temperature, "top_k": 0}
    ends = model.end_tokens
    try:
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(0 if sampling is None else sampling.seed)
            tokens = model.model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=max_tokens,
                eos_token_id=ends or None,
                pad_token_id=ends[0] if ends else 0,
                stopping_criteria=StoppingCriteriaList([stopped] if stop else []),
                **settings,
            )
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(
            f"{len(prompts)} prompts of up to {longest:,} tokens do not fit into the memory of {device} beside {model.label}: "
            "lower batch_size"
        ) from error
    return written(tokens)


def _output(model: CausalModel, prompt: _Prompt, tokens: list[int]) -> Output:
    """The text of what follows a prompt. Decoded after the prompt's last token, for some tokenizers drop a text's first space."""
    ends = [tokens.index(end) for end in model.end_tokens if end in tokens]
    kept = tokens[: min(ends, default=len(tokens))]
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    before = model.tokenizer.decode(prompt.ids[-1:], **options)
    text = str(model.tokenizer.decode([*prompt.ids[-1:], *kept], **options))[len(before) :]
    return Output(text, "stop" if ends else "length")
