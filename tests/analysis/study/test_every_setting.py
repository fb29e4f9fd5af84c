"""Every setting of a study against every stage: each changes what some table is made of, or is known to change none."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from analysis.config import Config, load_config
from analysis.settings import NO_SETTING
from analysis.study.plan import plan
from analysis.study.resources import Resources

STUDY = """
[study]
[index]
path = "index"
sources = ["corpus.jsonl"]
texts = "tokens"
[mining]
encoder = "hashing"
[corpus_models]
names = ["taskgram", "taskgram_smoothed", "infgram", "unigram", "kneser_ney"]
[novelty]
similar = true
[prior]
[learning]
[influence]
[prompts]
proposer = "instruct"
endpoint = "http://localhost:8000/v1"
[dose]
planted = "planted.parquet"
[counterfactual]
halves = "halves.parquet"
[[tasks]]
name = "t"
kind = "triviaqa"
source = ["t.jsonl"]
mine_from = ["train.jsonl"]
shots = 1
shots_from = ["train.jsonl"]
gamma = {1 = 0.5, 2 = 0.5}
sensitivity = [0.25]
[[models]]
name = "a"
parameters = 7
checkpoints = ["step1"]
[[models]]
name = "b"
[[models]]
name = "c"
"""

NO_TABLE = {
    "study.title": "a heading",
    "study.scheduler": "who computes",
    "study.threads": "how fast it computes",
    "index.memory": "how the index is built, not what is in it",
    "index.sources": "an index that is there is not built",
    "index.text_field": "an index that is there is not built",
    "models.device": "where it runs",
    "models.batch_tokens": "how many at a time",
    "models.batch_size": "how many at a time",
    "models.api_key_env": "a key's name",
    "models.timeout": "how long a server is waited for",
    "models.connections": "how many questions at a time",
    "mining.device": "where it runs",
    "mining.batch_size": "how many at a time",
    "prompts.api_key_env": "a key's name",
    **dict.fromkeys(
        ("prior.tasks", "influence.tasks", "prompts.tasks", "dose.tasks", "counterfactual.tasks"),
        "no name is all tasks, and here is one",
    ),
}
"""Settings that change no table, and why."""

ESTIMATES = {"correlate", "counterfactual", "dose", "influence", "learning", "novelty", "performance"}
GOVERNED = {
    "study.confidence": {*ESTIMATES, "contamination", "prompts"},
    "study.resamples": {*ESTIMATES, "prompts"},
    "study.seed": {*ESTIMATES, "prompts", "show", "tasks"},
    "index.path": {"contamination", "corpus-models", "count", "influence", "novelty", "prompts", "show"},
    **{
        f"models.{name}": {"generate", "influence", "learning", "prompts", "score"}
        for name in ("bos", "chat", "context_length", "dtype", "parameters", "served", "step", "tokenizer")
    },
    "models.too_long": {"generate", "influence", "prompts", "score"},
    "models.answers": {"correlate", "generate", "prompts"},
    "models.scores": {"correlate", "dose", "score"},
    "tasks.aliases": {"corpus-models", "count", "score"},
}
"""Commands of all that a setting governs; what others read of it changes with those tables."""

OTHERS: dict[str, Any] = {
    "tasks.gamma": {1: 0.25, 2: 0.5},
    "tasks.kind": "jsonl",
    "tasks.split": "validation",
    "tasks.template": "Q: {input}",
    "tasks.metric": "bleu",
    "tasks.subsets": ("en-fr",),
    "tasks.stop": ("!",),
    "tasks.encoder": "other",
    "tasks.fields": {"input": "q"},
    "models.answers": {"t": ("answers.jsonl",)},
    "models.scores": {"t": ("answers.jsonl",)},
    "influence.tasks": ("t",),
    "influence.models": ("a",),
    "learning.models": ("a",),
    "prompts.tasks": ("t",),
    "prior.tasks": ("t",),
    "dose.tasks": ("t",),
    "counterfactual.tasks": ("t",),
    "correlate.modes": ("paper",),
    "mining.encoder": "sentence-encoder",
}
"""Another value, where one cannot be made of the type."""


def settings_of(config: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name, of the first task and the first model."""
    hints = get_type_hints(type(config))
    for field in fields(config):
        if NO_SETTING in field.metadata:
            continue
        value = getattr(config, field.name)
        name = f"{above}{field.name}"
        if is_dataclass(value):
            yield from settings_of(value, f"{name}.")
        elif field.name in ("tasks", "models") and not above:
            yield from settings_of(value[0], f"{name}.")
        else:
            yield name, other_value(name, value, hints[field.name])


def other_value(name: str, value: Any, hint: Any) -> Any:
    if name in OTHERS:
        return OTHERS[name]
    if get_origin(hint) is Literal:
        return next(choice for choice in get_args(hint) if choice != value)
    if get_origin(hint) is tuple and get_origin(get_args(hint)[0]) is Literal:
        return tuple(reversed(value))[:1]
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value * 0.5
        case str():
            return f"{value}other"
        case (float(), *_) | (int(), *_):
            return tuple(one * 2 for one in value)
        case tuple():
            return (*value, "other")
    raise AssertionError(f"no other value for {name}: {value!r}")


def with_other(config: Config, name: str, value: Any) -> Config:
    part, _, rest = name.partition(".")
    found = getattr(config, part)
    if isinstance(found, tuple):
        return replace(config, **{part: (replace(found[0], **{rest: value}), *found[1:])})
    return replace(config, **{part: replace(found, **{rest: value})})


def made_of(config: Config) -> dict[str, tuple[Any, ...]]:
    """What each table is made of, by its stage."""
    with Resources(config) as resources:
        return {
            stage.name: (stage.command, repr(stage.provenance_settings), repr(sorted(stage.inputs.items())))
            for stage in plan(config, resources)
        }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Config:
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(STUDY)
    path.with_name("answers.jsonl").touch()
    return load_config(path)


def test_every_setting_changes_what_some_table_is_made_of(study: Config) -> None:
    before = made_of(study)
    governed = {}
    for name, value in settings_of(study):
        after = made_of(with_other(study, name, value))
        governed[name] = {
            command
            for stage in before.keys() | after.keys()
            if before.get(stage) != after.get(stage)
            for command, *_ in (after.get(stage) or before[stage],)
        }
    assert {name for name, commands in governed.items() if not commands} == NO_TABLE.keys()
    assert {name: governed[name] for name in GOVERNED} == GOVERNED
