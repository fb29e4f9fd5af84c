"""What stages share while a study runs: the index, one encoder and one language model, opened when first needed."""

import logging
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

import suffixindex as si
from analysis.config import Config, Task
from analysis.errors import ConfigError
from analysis.model_settings import Model
from analysis.models.doubts import doubts_of
from analysis.models.language_model import LanguageModel
from analysis.models.open import CausalModel, open_model
from analysis.models.served import Client, open_served
from analysis.pairs.cluster_encoder import cluster_encoder
from analysis.pairs.embeddings import Encoder, open_encoder
from analysis.schemas import MODELS
from analysis.tables import table_of
from analysis.threads import torch_threads

log = logging.getLogger(__name__)


class Resources:
    """Opens each thing once; of language models it holds one at a time, for two may not fit."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._exit = ExitStack()
        self._indexes: dict[str, si.SuffixIndex] = {}
        self._encoders: dict[str, Encoder] = {}
        self._model: tuple[tuple[str, str], LanguageModel] | None = None
        self._bounded = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._model = None
        self._exit.close()

    @property
    def cache(self) -> Path:
        """Where encoders and models keep what they computed, by content; safe to delete."""
        return self._config.folder / "cache"

    def index(self) -> si.SuffixIndex:
        """The corpus, by words."""
        return self._open(self._config.index.path, self._config.study.scheduler or None)

    def texts(self) -> si.SuffixIndex | None:
        """The corpus by a model's tokens, from which a document can be read as it is; None where there is none."""
        return self._open(self._config.index.texts) if self._config.index.texts else None

    def _open(self, name: str, scheduler: str | None = None) -> si.SuffixIndex:
        if name not in self._indexes:
            self._indexes[name] = self._exit.enter_context(si.open(self._config.path(name), scheduler=scheduler))
        return self._indexes[name]

    def encoder(self, task: Task) -> Encoder:
        """What embeds the n-grams of a task."""
        mining = self._config.mining
        name = task.encoder or mining.encoder
        self._bound_threads()
        if name not in self._encoders:
            how: dict[str, Any] = {
                "cache": self.cache / "embeddings",
                "device": mining.device,
                "prefix": mining.prefix if name == mining.encoder else "",
                "batch_size": mining.batch_size,
            }
            if scheduler := self._config.study.scheduler:
                self._encoders[name] = self._exit.enter_context(cluster_encoder(scheduler, self._config.place(name), **how))
            else:
                self._encoders[name] = open_encoder(self._config.place(name), **how)
        return self._encoders[name]

    def model(self, model: Model, revision: str) -> LanguageModel:
        """A language model at one of its states, called in tables what the configuration calls it."""
        key = (model.called, revision)
        if self._model is None or self._model[0] != key:
            self._model = None  # let the one before go first
            quiet_transformers()
            self._bound_threads()
            opened = self._served(model) if model.is_server else self._local(model, revision)
            step = model.step if revision == model.revision and opened.step < 0 else opened.step
            parameters = model.parameters or opened.num_parameters
            self._model = key, replace(opened, name=model.called, step=step, num_parameters=parameters)
        return self._model[1]

    def weights(self, model: Model, revision: str) -> CausalModel:
        """The same, of weights that are here, which gradients need.

        Raises
        ------
        ConfigError
            It runs elsewhere.
        """
        found = self.model(model, revision)
        if not isinstance(found, CausalModel):
            raise ConfigError(f"{model.called} runs behind a server, which gives no gradients: leave it out of influence.models")
        return found

    def described(self, model: Model) -> pa.Table:
        """MODELS of its last state; what is doubtful in how it is asked is warned of."""
        opened = self.model(model, model.revision)
        doubts = doubts_of(opened)
        for doubt in doubts:
            log.warning("%s", doubt)
        about = {
            **opened.columns,
            "begins": opened.asking.begins,
            "bos": model.bos,
            "chat": model.chat,
            "has_template": bool(opened.tokenizer.chat_template),
            "context_length": opened.context_length or -1,
            "where": opened.where,
            "doubts": doubts,
        }
        return table_of([about], MODELS)

    def _bound_threads(self) -> None:
        """From the first model or encoder on: a study without any need not import torch."""
        if self._config.study.threads and not self._bounded:
            self._exit.enter_context(torch_threads(self._config.study.threads))
            self._bounded = True

    def _local(self, model: Model, revision: str) -> LanguageModel:
        place, read = self._config.place(model.name), self._tokenizer(model)
        how: dict[str, Any] = {"tokenizer": read, "bos": model.bos, "chat": model.chat, "limit": model.context_length or None}
        return open_model(place, revision=revision, device=model.device, dtype=model.dtype, **how)

    def _served(self, model: Model) -> LanguageModel:
        how: dict[str, Any] = {"bos": model.bos, "chat": model.chat, "limit": model.context_length or None}
        how |= {"served": model.served, "tokenizer": self._tokenizer(model), "connections": model.connections}
        client = Client(model.name, model.api_key_env, model.timeout)
        return open_served(model.name, num_parameters=model.parameters, client=client, **how)

    def _tokenizer(self, model: Model) -> str:
        return self._config.place(model.tokenizer) if model.tokenizer else ""


def quiet_transformers() -> None:
    """No bar for each file of weights that is read or written: a study reads dozens of checkpoints."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def weights_of(config: Config, model: Model, revision: str) -> list[Any]:
    """What a local model's files are, so that a model trained anew is not taken for the one before; empty for the hub's."""
    if model.is_server:
        return []
    place = Path(config.place(model.name))
    if place.is_file():
        found = [place]  # GGUF
    elif (place / revision).is_dir():
        found = sorted(file for file in (place / revision).iterdir() if file.is_file())
    else:
        return []
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in found]


def index_sources(config: Config) -> list[str]:
    """What the study's index is built of: paths from the configuration's folder, data sets of the hub as they are."""
    return [name if name.startswith("hf:") else str(config.path(name)) for name in config.index.sources]


def build_index(config: Config) -> Path:
    """The study's index, built of its sources unless it is there; an interrupted build goes on.

    Raises
    ------
    ConfigError
        The index is of other sources, or they cannot be read.
    """
    path = config.path(config.index.path)
    if config.index.sources:
        try:
            si.build(
                index_sources(config),
                path,
                tokenizer="words",
                memory=config.index.memory or None,
                text_field=config.index.text_field,
                scheduler=config.study.scheduler or None,
            )
        except si.BuildError as error:
            raise ConfigError(f"{error}; without index.sources the study takes the index as it is") from error
    return path
