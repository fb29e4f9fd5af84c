"""Causal language models: opened by Hugging Face name or folder, at any checkpoint, with what a study says of each."""

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import suffixindex as si
from analysis.errors import ConfigError, MissingDependencyError, ModelError

log = logging.getLogger(__name__)

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
CONTEXT_LENGTHS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length", "n_ctx")
STEP = re.compile(r"(?:^|[-_/])(?:step|checkpoint)[-_]?(\d+)(?![^-_/])")  # step3000, checkpoint-500, step1000-tokens4B
PROBES = (
    "It's we'RE I'll don'T  \t two\n\n three \r\n   \n four   ",
    "x1234567 3.14159e-10 ½ x² __init__(self, *args) -> {'a': [1, 2]}; //==!= <|im_start|><s></s>",
    "naïve e\u0301te\u0301 ÉCOLE ﬁ Å straße Привет שלום العربية हिन्दी ไทย 日本語のテキスト。中文，字 한국어",
    "😀👨\u200d👩\u200d👧 \u00a0\u2003\u3000\u200b𝔘𝔫𝔦 ▁ ▁▁ Ċ <0x0A>",
)
"""Texts on which tokenizers with one vocabulary differ: contractions, numbers, white space, accents, scripts, emoji."""


@dataclass(frozen=True, eq=False)
class CausalModel:
    """A causal language model in evaluation mode, its tokenizer, and the columns that say which one it is."""

    model: Any
    tokenizer: Any
    name: str
    revision: str
    num_parameters: int
    step: int
    """The training step of the checkpoint; -1: unknown."""
    device: str

    @property
    def columns(self) -> dict[str, Any]:
        """model, revision, num_parameters and step, as tables have them."""
        return {"model": self.name, "revision": self.revision, "num_parameters": self.num_parameters, "step": self.step}

    @property
    def label(self) -> str:
        """The model in a sentence."""
        return f"{self.name} at {self.revision}" if self.revision else self.name

    @property
    def context_length(self) -> int | None:
        """The most tokens that it reads; None where its configuration sets no limit."""
        config = self.model.config
        found = [getattr(config, name, None) for name in CONTEXT_LENGTHS]
        return next((int(length) for length in found if length), None)

    @property
    def num_outputs(self) -> int:
        """Ids that it gives a probability to; may be more than its tokenizer has, since vocabularies are padded."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of all that its answers depend on: weights with their types, configuration, tokenizer.

        Computed once, when a cache first asks; about 1 s a GB of weights.
        """
        digest = hashlib.sha256()
        for name, weights in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}\n".encode())
            digest.update(_content(weights))
        config = self.model.config.to_dict()
        for name in ("_name_or_path", "transformers_version", "dtype", "torch_dtype"):
            config.pop(name, None)
        digest.update(json.dumps(config, sort_keys=True, default=str).encode())
        digest.update(self.tokenizer.backend_tokenizer.to_str().encode())
        return digest.hexdigest()


def open_model(name: str, *, revision: str = "", device: str = "auto", dtype: str = "auto") -> CausalModel:
    """Open a causal language model.

    Parameters
    ----------
    name
        A Hugging Face name (``EleutherAI/pythia-70m``) or a folder that transformers saved.
    revision
        A checkpoint: of a name, its branch, tag or commit on the hub (``step3000``); of a folder, a subfolder, whose
        tokenizer may stand in the folder. "": the last.
    device
        "auto" (the GPU if there is one), "cpu", "cuda", "cuda:1" …
    dtype
        "auto" (bf16 on a GPU that has it, else fp32), "fp32", "bf16" or "fp16".

    Raises
    ------
    ModelError
        There is no such model or checkpoint, it cannot be read, or its tokenizer is not a fast one.
    ConfigError
        An unknown dtype or device.
    MissingDependencyError
        torch or transformers is not installed.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingDependencyError("models need torch and transformers: pip install 'suffixindex[analysis]'") from error
    chosen_device = _device(device)
    chosen_dtype = getattr(torch, _dtype(dtype, chosen_device))
    where, tokenizer_where, on_hub = _place(name, revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_where, revision=on_hub)
        model, loaded = AutoModelForCausalLM.from_pretrained(where, revision=on_hub, dtype=chosen_dtype, output_loading_info=True)
    except Exception as error:  # each format of weights raises its own
        reason = str(error).strip().partition("\n")[0]
        at = f" at revision {revision}" if revision else ""
        raise ModelError(
            f"the model {name}{at} could not be opened ({reason}): expected a Hugging Face name, or a folder with "
            "config.json, weights and tokenizer.json"
        ) from error
    if absent := sorted({*loaded["missing_keys"], *(str(key) for key in loaded["mismatched_keys"])}):
        raise ModelError(
            f"the weights of {name} lack {len(absent)} of the model's tensors ({absent[0]} …), which would be left random: they "
            "are damaged, or of another model"
        )
    try:
        model.to(chosen_device)
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(f"the model {name} does not fit on {chosen_device}: choose dtype bf16, or another device") from error
    opened = causal_model(model, tokenizer, name=name, revision=revision)
    log.info("%s: %s parameters, %s on %s", opened.label, f"{opened.num_parameters:,}", model.dtype, opened.device)
    return opened


def causal_model(model: Any, tokenizer: Any, *, name: str, revision: str = "") -> CausalModel:
    """A model that is in memory already, such as one just trained; it is put into evaluation mode.

    What its generation settings say of sampling and penalties is left out: scores and greedy text are the bare model's.

    Raises
    ------
    ModelError
        The tokenizer is not a fast one, or the model has no output embeddings.
    """
    from transformers import GenerationConfig

    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer of {name} is not a fast one, whose character offsets place n-grams: save it as tokenizer.json"
        )
    if model.get_output_embeddings() is None:
        raise ModelError(f"{name} has no output embeddings, so it is no causal language model")
    _keep_spaces_in_offsets(tokenizer)
    model.eval()
    model.generation_config = GenerationConfig(eos_token_id=_end_tokens(model, tokenizer))
    parameters = sum(part.numel() for part in model.parameters())
    return CausalModel(model, tokenizer, name, revision, parameters, step_of(name, revision), str(model.device))


def step_of(name: str, revision: str) -> int:
    """The training step in a revision (step3000, checkpoint-500, stage1-step1000-tokens4B), else in a folder's name; else -1."""
    found = STEP.search(revision) or (STEP.search(Path(name).name) if Path(name).is_dir() else None)
    return int(found[1]) if found else -1


def list_checkpoints(folder: str | Path) -> list[str]:
    """Revisions of a folder's checkpoints: its subfolders that hold a model, by step."""
    held = [path.parent.name for path in Path(folder).glob("*/config.json") if step_of("", path.parent.name) >= 0]
    return sorted(held, key=lambda revision: step_of("", revision))


def check_tokenizer(tokenizer: Any, index: "si.SuffixIndex", texts: Sequence[str] = ()) -> None:
    """Make sure that a model's tokenizer gives the ids of an index, which an ∞-gram of the same tokens needs.

    Compares the token of every id that the index knows, then the ids of texts on which tokenizers differ, and of ``texts``,
    for which the answer is proof. The model's may have more tokens than the index (padding, chat).

    Raises
    ------
    ModelError
        The index is not of a Hugging Face tokenizer, or at the first difference.
    """
    kind = index.info()["tokenizer"]["kind"]
    if kind != "huggingface":
        raise ModelError(
            f"the index {index.path} is of {kind}, not of the model's tokens: build one with --tokenizer and the model's name"
        )
    from tokenizers import Tokenizer

    advice = "build the index with this model's tokenizer, or choose a model that has the index's"
    known = Tokenizer.from_str(cast(Any, index.tokenizer).to_json()).get_vocab(with_added_tokens=True)
    own = {number: token for token, number in tokenizer.get_vocab().items()}
    for token, number in sorted(known.items(), key=lambda entry: entry[1]):
        if own.get(number) != token:
            stands = f"is {own[number]!r}" if number in own else "does not exist"
            raise ModelError(
                f"token {number} is {token!r} in the index {index.path} and {stands} in the model's tokenizer: {advice}"
            )
    for text in [*PROBES, *texts]:
        expected = index.encode(text).tolist()
        found = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if found != expected:
            at = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), len(expected))
            raise ModelError(
                f"the text {text[:60]!r} has the ids {expected[at : at + 4]} from token {at} on in the index {index.path}, and "
                f"{found[at : at + 4]} in the model's tokenizer: {advice}"
            )


def _keep_spaces_in_offsets(tokenizer: Any) -> None:
    """Have the tokenizer say all characters of a token: some leave out spaces, so that nobody knows whose they were."""
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    told = json.dumps(state["post_processor"])
    if '"trim_offsets": true' in told:  # ids do not depend on it
        state["post_processor"] = json.loads(told.replace('"trim_offsets": true', '"trim_offsets": false'))
        tokenizer.backend_tokenizer.post_processor = Tokenizer.from_str(json.dumps(state)).post_processor


def _end_tokens(model: Any, tokenizer: Any) -> list[int] | None:
    """Ids that end a text. A configuration's default may be some letter of this tokenizer: only its added tokens end texts."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    listed = [ends] if isinstance(ends, int) else list(ends or ())
    special = [end for end in listed if end in tokenizer.added_tokens_decoder]
    return special or (None if tokenizer.eos_token_id is None else [tokenizer.eos_token_id])


def _place(name: str, revision: str) -> tuple[str, str, str | None]:
    """Where transformers finds the model and its tokenizer, and at which revision of the hub."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return name, name, revision or None
    where = folder / revision
    if not (where / "config.json").is_file():
        held = ", ".join(list_checkpoints(folder)) or "none"
        raise ModelError(f"{where} holds no model (no config.json); the checkpoints in {folder}: {held}")
    own = any((where / file).is_file() for file in ("tokenizer.json", "tokenizer_config.json"))
    return str(where), str(where if own else folder), None  # checkpoints of one run may share the tokenizer above them


def _device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        known = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"device is {device!r}: expected auto, cpu, cuda or cuda:N") from None
    if known.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device is {device!r}, but torch {torch.__version__} sees no GPU: choose cpu or auto")
    return device


def _dtype(dtype: str, device: str) -> str:
    import torch

    if dtype == "auto":
        return "bfloat16" if device.startswith("cuda") and torch.cuda.is_bf16_supported() else "float32"
    if dtype not in {*DTYPES, *DTYPES.values()}:
        raise ConfigError(f"dtype is {dtype!r}: expected auto, {', '.join(DTYPES)}")
    return DTYPES.get(dtype, dtype)


def _content(weights: Any) -> memoryview:
    import torch

    return memoryview(weights.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
