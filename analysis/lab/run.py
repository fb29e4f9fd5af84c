"""A model in training: its optimizer, one step, and how it is saved and taken up again."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from analysis.errors import ModelError
from analysis.files import replacing
from analysis.lab.recipe import Recipe, Size

log = logging.getLogger(__name__)

STATE = "state.pt"
END_ID = 0
"""Ends a document, as in Pythia's vocabulary."""


def hash_of(folder: Path) -> str:
    """sha256 of a saved model's weights."""
    with open(folder / "model.safetensors", "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Run:
    """The model and the optimizer. On a GPU if there is one, in bfloat16 there; on a processor in float32.

    At these sizes a processor without matrix units computes bfloat16 no faster than float32.
    """

    def __init__(self, size: Size, tokenizer: Path, folder: Path, recipe: Recipe, seed: int) -> None:
        import torch
        from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

        self.folder, self.recipe = folder, recipe
        self.tokenizer: Any = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer))
        end = self.tokenizer.convert_ids_to_tokens(END_ID)
        self.tokenizer.add_special_tokens({"bos_token": end, "eos_token": end, "unk_token": end})
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(seed)
        config = GPTNeoXConfig(
            vocab_size=len(self.tokenizer),
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=4 * size.width,
            max_position_embeddings=recipe.sequence,
            bos_token_id=END_ID,
            eos_token_id=END_ID,
        )
        model: Any = GPTNeoXForCausalLM(config)
        self.model = model.to(self.device)
        self.num_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.num_non_embedding = self.num_parameters - 2 * size.width * len(self.tokenizer)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=size.learning_rate, betas=(0.9, 0.95), weight_decay=recipe.weight_decay, fused=True
        )

    def step(self, inputs: Any, targets: Any, rate: float) -> float:
        """One step of the optimizer at a learning rate; the mean loss of its tokens before it, in nats."""
        import torch

        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            logits = self.model(input_ids=inputs.to(self.device), use_cache=False).logits
        flat = targets.to(self.device).flatten()
        loss: Any = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), flat, ignore_index=-100)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Save as a Hugging Face folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def save_checkpoint(self, folder: Path, manifest: str, told: Mapping[str, Any]) -> None:
        """Save as a folder that is there whole or not at all, with what is told of it in the file ``manifest``."""
        temporary = folder.with_name(folder.name + ".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        self.save(temporary)
        (temporary / manifest).write_text(json.dumps({**told, "sha256": hash_of(temporary)}, indent=1) + "\n")
        os.replace(temporary, folder)

    def save_state(self, settings: Mapping[str, Any], losses: list[float], seconds: float) -> None:
        """Save all that a killed training needs to go on as if it had not been."""
        import torch

        told = {"settings": settings, "losses": losses, "seconds": seconds}
        with replacing(self.folder / STATE) as temporary:
            torch.save({**told, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, temporary)

    def take_up(self, settings: Mapping[str, Any]) -> tuple[list[float], float]:
        """Go on with a state of the same settings if there is one: losses so far, and seconds spent.

        Raises
        ------
        ModelError
            The state is damaged.
        """
        import torch

        path = self.folder / STATE
        if path.exists():
            try:
                state = torch.load(path, map_location=self.device, weights_only=True)
                made_with = state["settings"]
            except (EOFError, LookupError, OSError, RuntimeError, TypeError, UnpicklingError) as error:
                reason = str(error).partition("\n")[0]
                told = f"{path} cannot be read ({reason}): expected the state of a killed training"
                raise ModelError(f"{told}; delete it, and the training starts anew") from error
            if made_with == settings:
                self.model.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
                log.info("going on with %s after step %d", self.folder, len(state["losses"]))
                return state["losses"], state["seconds"]
            path.unlink()
        return [], 0.0
