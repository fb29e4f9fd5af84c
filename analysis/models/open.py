"""Causal language models on this machine: opened by Hugging Face name, folder or GGUF file, at any checkpoint."""

import hashlib
import json
import logging
import re
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from analysis.errors import MissingDependencyError, ModelError
from analysis.models.asking import Bos
from analysis.models.devices import find_device, find_dtype, over_several
from analysis.models.language_model import LanguageModel

log = logging.getLogger(__name__)

CONTEXT_LENGTHS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length", "n_ctx")
STEP = re.compile(r"(?:^|[-_/])(?:step|checkpoint)[-_]?(\d+)(?![^-_/])")  # step3000, checkpoint-500, step1000-tokens4B
GGUF = ".gguf"


@dataclass(frozen=True, eq=False)
class CausalModel(LanguageModel):
    """A causal language model in evaluation mode, its tokenizer, and the columns that say which one it is."""

    model: Any
    device: str

    @property
    def context_length(self) -> int | None:
        """The most tokens that it reads; None where its configuration sets no limit."""
        if self.limit is not None:
            return self.limit
        config = self.model.config.get_text_config()
        found = [getattr(config, name, None) for name in CONTEXT_LENGTHS]
        return next((int(length) for length in found if length), None)

    @property
    def num_outputs(self) -> int:
        """Ids that it gives a probability to; may be more than its tokenizer has, since vocabularies are padded."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def end_tokens(self) -> list[int]:
        """Those that its configuration names, and in a chat the end of the assistant's turn."""
        turn = self.asking.end_of_turn
        ends = list(self.model.generation_config.eos_token_id or ())
        return ends if turn is None or turn in ends else [*ends, turn]

    @property
    def where(self) -> str:
        return f"{self.model.dtype} on {self.device}"

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
        for name in ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "quantization_config"):
            config.pop(name, None)
        digest.update(json.dumps(config, sort_keys=True, default=str).encode())
        digest.update(self.tokenizer.backend_tokenizer.to_str().encode())
        return digest.hexdigest()


class _Place(NamedTuple):
    """Where transformers finds something: a folder or a name of the hub, its revision there, and its file if it is GGUF."""

    where: str
    revision: str | None
    gguf: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        file = {} if self.gguf is None else {"gguf_file": self.gguf}
        return {"pretrained_model_name_or_path": self.where, "revision": self.revision, **file}


def open_model(
    name: str,
    *,
    revision: str = "",
    device: str = "auto",
    dtype: str = "auto",
    tokenizer: str = "",
    bos: Bos = "auto",
    chat: bool = False,
    limit: int | None = None,
) -> CausalModel:
    """Open a causal language model.

    Parameters
    ----------
    name
        A Hugging Face name (``EleutherAI/pythia-70m``), a folder that transformers saved, a GGUF file, or one of the hub
        (``owner/name:file.gguf``). The weights of a GGUF file are read into the dtype, whatever they are packed in.
    revision
        A checkpoint: of a name, its branch, tag or commit on the hub (``step3000``); of a folder, a subfolder, whose
        tokenizer may stand in the folder. "": the last.
    device
        "auto" (the GPU if there is one; with several, all of them for a model that does not fit on one), "cpu", "cuda",
        "cuda:1" …
    dtype
        "auto" (bf16 on a GPU that has it, else fp32), "fp32", "bf16" or "fp16".
    tokenizer
        Another's tokenizer: a name, folder or GGUF file. "": its own.
    bos, chat
        ``analysis.models.asking``.
    limit
        The most tokens that it may read; None: as its configuration says.

    Raises
    ------
    ModelError
        There is no such model or checkpoint, it cannot be read, or its tokenizer is not a fast one.
    ConfigError
        An unknown dtype or device; a ``bos`` or ``chat`` that the tokenizer cannot follow.
    MissingDependencyError
        torch or transformers is not installed; or what reads GGUF files, or lays a model over several GPUs.
    """
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError as error:
        raise MissingDependencyError("models need torch and transformers: pip install 'suffixindex[analysis]'") from error
    chosen_device = find_device(device)
    chosen_dtype = getattr(torch, find_dtype(dtype, chosen_device))
    place = _place(name, revision)
    read = open_tokenizer(tokenizer) if tokenizer else _tokenizer(_tokenizer_place(place, name), name)
    try:
        several = over_several(device, lambda: AutoConfig.from_pretrained(**place.arguments), chosen_dtype)
        model, loaded = AutoModelForCausalLM.from_pretrained(
            **place.arguments, dtype=chosen_dtype, output_loading_info=True, **several
        )
    except MissingDependencyError:
        raise
    except Exception as error:  # each format of weights raises its own
        raise _not_opened(name, revision, error) from error
    if absent := sorted({*loaded["missing_keys"], *(str(key) for key in loaded["mismatched_keys"])}):
        raise ModelError(
            f"the weights of {name} lack {len(absent)} of the model's tensors ({absent[0]} …), which would be left random: they "
            "are damaged, or of another model"
        )
    try:
        if not several:
            model.to(chosen_device)
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(f"the model {name} does not fit on {chosen_device}: choose dtype bf16, or another device") from error
    opened = replace(causal_model(model, read, name=name, revision=revision, bos=bos, chat=chat), limit=limit)
    log.info("%s: %s parameters, %s on %s", opened.label, f"{opened.num_parameters:,}", model.dtype, opened.device)
    return opened


def causal_model(
    model: Any, tokenizer: Any, *, name: str, revision: str = "", bos: Bos = "auto", chat: bool = False
) -> CausalModel:
    """A model that is in memory already, such as one just trained; it is put into evaluation mode.

    What its generation settings say of sampling and penalties is left out: scores and greedy text are the bare model's.

    Raises
    ------
    ModelError
        The tokenizer is not a fast one, or the model has no output embeddings.
    ConfigError
        A ``bos`` or ``chat`` that the tokenizer cannot follow.
    """
    from transformers import GenerationConfig

    checked_tokenizer(tokenizer, name)
    if model.get_output_embeddings() is None:
        raise ModelError(f"{name} has no output embeddings, so it is no causal language model")
    model.eval()
    model.generation_config = GenerationConfig(eos_token_id=_end_tokens(model, tokenizer))
    parameters = sum(part.numel() for part in model.parameters())
    device = str(model.device) if len({part.device for part in model.parameters()}) == 1 else "several devices"
    step = step_of(name, revision)
    opened = CausalModel(tokenizer, name, revision, parameters, step, model, device, bos=bos, chat=chat)
    _ = opened.asking  # which refuses what the tokenizer cannot follow
    return opened


def open_tokenizer(name: str) -> Any:
    """The tokenizer of a Hugging Face name, a folder or a GGUF file. Errors as for :func:`open_model`."""
    place = _place(name, "", needs_model=False)
    return checked_tokenizer(_tokenizer(place, name), name)


def checked_tokenizer(tokenizer: Any, name: str) -> Any:
    """A fast tokenizer, made to say all characters of a token.

    Raises
    ------
    ModelError
        It is not a fast one.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer of {name} is not a fast one, whose character offsets place n-grams: save it as tokenizer.json"
        )
    _keep_spaces_in_offsets(tokenizer)
    return tokenizer


def step_of(name: str, revision: str) -> int:
    """The training step in a revision (step3000, checkpoint-500, stage1-step1000-tokens4B), else in a folder's name; else -1."""
    found = STEP.search(revision) or (STEP.search(Path(name).name) if Path(name).is_dir() else None)
    return int(found[1]) if found else -1


def list_checkpoints(folder: str | Path) -> list[str]:
    """Revisions of a folder's checkpoints: its subfolders that hold a model, by step."""
    held = [path.parent.name for path in Path(folder).glob("*/config.json") if step_of("", path.parent.name) >= 0]
    return sorted(held, key=lambda revision: step_of("", revision))


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


def _place(name: str, revision: str, *, needs_model: bool = True) -> _Place:
    """Where transformers finds a model, or no more than a tokenizer."""
    if name.endswith(GGUF):
        if missing := [package for package in ("gguf", "accelerate") if find_spec(package) is None]:
            raise MissingDependencyError(f"{name} needs {' and '.join(missing)}: pip install 'suffixindex[gguf]'")
        file = Path(name).expanduser()
        repository, _, inside = name.partition(":")
        if file.is_file():
            return _Place(str(file.parent), None, file.name)
        if inside and repository.count("/") == 1:
            return _Place(repository, revision or None, inside)
        raise ModelError(f"{name} does not exist: expected a GGUF file, or one of the hub as owner/name:file.gguf")
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return _Place(name, revision or None, None)
    where = folder / revision
    if needs_model and not (where / "config.json").is_file():
        held = ", ".join(list_checkpoints(folder)) or "none"
        raise ModelError(f"{where} holds no model (no config.json); the checkpoints in {folder}: {held}")
    return _Place(str(where), None, None)


def _tokenizer_place(place: _Place, name: str) -> _Place:
    """Checkpoints of one run may share the tokenizer above them."""
    folder, where = Path(name).expanduser(), Path(place.where)
    own = any((where / file).is_file() for file in ("tokenizer.json", "tokenizer_config.json"))
    return place if place.gguf or own or not folder.is_dir() else place._replace(where=str(folder))


def _tokenizer(place: _Place, name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(**place.arguments)
    except Exception as error:  # each format raises its own
        raise _not_opened(name, place.revision or "", error) from error


def _not_opened(name: str, revision: str, error: Exception) -> ModelError:
    reason = str(error).strip().partition("\n")[0]
    at = f" at revision {revision}" if revision else ""
    return ModelError(
        f"the model {name}{at} could not be opened ({reason}): expected a Hugging Face name, a GGUF file, or a folder with "
        "config.json, weights and tokenizer.json"
    )


def _content(weights: Any) -> memoryview:
    import torch

    return memoryview(weights.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
