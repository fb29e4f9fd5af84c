"""The settings of one language model: [[models]] of a study's TOML file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from analysis.errors import ConfigError
from analysis.settings import setting


@dataclass(frozen=True, kw_only=True)
class Model:
    """One language model, at its last state and on the way there."""

    name: str = setting(
        "A folder, a name on the Hugging Face hub, a GGUF file (x.gguf, owner/name:x.gguf), or a server: http://host:8000/v1."
    )
    label: str = setting("What tables and figures call it; \"\": its name, of a server the served model's or the host's.", "")
    revision: str = setting('The state that is scored and that writes; "" for the last.', "")
    checkpoints: tuple[str, ...] = setting(
        "Revisions (or subfolders) before it, oldest first: scored, and summed over for influence.", ()
    )
    step: int = setting("Training step of the last state, where its revision does not say; -1: unknown.", -1)
    parameters: int = setting("How many parameters it has; 0: as many as its weights, or as its server says.", 0)
    device: str = setting(
        "auto, cpu, cuda or cuda:1. auto: the first GPU, or all of them for a model that one has no room for; else the processor.",
        "auto",
    )
    dtype: str = setting("auto, fp32, bf16 or fp16.", "auto")
    tokenizer: str = setting(
        "Another's tokenizer: a folder, a name or a GGUF file; \"\": its own, of a server the served model's.", ""
    )
    bos: Literal["auto", "always", "never"] = setting(
        "The token that begins a text stands before each: as the tokenizer, or the chat's template, has it (auto), always, never.",
        "auto",
    )
    chat: bool = setting("Ask by the chat template of its tokenizer, each prompt as the user's message.", False)
    served: str = setting('What a server calls it; "": the one model that the server has.', "")
    api_key_env: str = setting("Environment variable that holds a server's key.", "")
    timeout: float = setting("Seconds that an answer of a server may take, before it is asked again.", 120.0)
    connections: int = setting("Questions that a server is asked at a time.", 8)
    context_length: int = setting(
        "The most tokens that it reads, where its configuration or server does not say; 0: as they say.", 0
    )
    batch_tokens: int = setting("Tokens of a batch that is scored.", 8192)
    batch_size: int = setting("Prompts of a batch that is continued.", 16)
    too_long: Literal["drop", "truncate_left", "error"] = setting(
        "An example longer than its context: left out and counted, or cut at the prompt's start, or an error.", "drop"
    )
    score: bool = setting("Let it score pairs.", True)
    generate: bool = setting("Let it write answers.", True)
    answers: Mapping[str, tuple[str, ...]] | None = setting(
        "Task -> files of its answers, in place of writing them: samples_*.jsonl of lm-evaluation-harness, or records of id "
        "(or input) and output. Globs are allowed. With score = false and generate = false nothing else is asked of the model.",
        None,
    )
    scores: Mapping[str, tuple[str, ...]] | None = setting(
        "Task -> files of log P of whole answers, in place of scoring: the same files, or records of id (or input) and log_prob. "
        "Pairs whose y is a part of the answer stay without.",
        None,
    )

    def __post_init__(self) -> None:
        for holds, name, expected in (
            (bool(self.name), "name", "a folder, a name, a GGUF file or a server's address"),
            (self.timeout > 0, "timeout", "a number above 0"),
            (self.connections > 0, "connections", "1 or more"),
            (self.parameters >= 0, "parameters", "0 or more"),
            (self.context_length >= 0, "context_length", "0 or more"),
            (self.parameters > 0 or not (self.answers or self.scores), "parameters", "their number, which files do not say"),
            (not (self.is_server and self.checkpoints), "checkpoints", "[], for a server has one state"),
            (not (self.is_server and self.revision), "revision", '"", for a server has one state'),
        ):
            if not holds:
                raise ConfigError(f"model {self.name}: {name} is {getattr(self, name)!r}; expected {expected}")

    @property
    def is_server(self) -> bool:
        """Whether it runs behind an endpoint."""
        return self.name.startswith(("http://", "https://"))

    @property
    def called(self) -> str:
        """What tables call it."""
        served = Path(self.served).name or urlsplit(self.name).netloc if self.is_server else ""
        return self.label or served or self.name

    @property
    def file_name(self) -> str:
        """What it is called in names of files."""
        return Path(self.called).name.replace(":", "-")

    def files(self) -> Iterator[tuple[str, str]]:
        """(setting and task, a file or glob) of answers and scores that are read in place of the model's."""
        for name, given in (("answers", self.answers), ("scores", self.scores)):
            for task, patterns in (given or {}).items():
                yield from ((f"model {self.called}, {name}.{task}", pattern) for pattern in patterns)
