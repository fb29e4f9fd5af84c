"""The stage of learning curves: of a model, not of a task."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.config import Config
from analysis.measures.learning.divergence import divergences
from analysis.model_settings import Model
from analysis.study.pipeline import Stage
from analysis.study.plan.models import state_name, state_settings
from analysis.study.resources import Resources


def learning_curves(config: Config, resources: Resources, model: Model) -> Iterator[Stage]:
    """Every state of a model against n-gram distributions of its tokens."""
    chosen = config.learning
    if chosen is None or (chosen.models and model.called not in chosen.models):
        return
    revisions = (*model.checkpoints, model.revision)

    def make(**settings: Any) -> pa.Table:
        texts = resources.texts()
        assert texts is not None
        states = [partial(resources.model, model, revision) for revision in revisions]
        return divergences(states, texts, batch_tokens=model.batch_tokens, **settings)

    study = config.study
    settings = {name: value for name, value in asdict(chosen).items() if name != "models"}
    settings |= {"confidence": study.confidence, "resamples": study.resamples, "seed": study.seed}
    name = state_name(model, model.revision)
    about: Mapping[str, Any] = {
        "files": {"texts": config.path(config.index.texts)},
        "settings": settings,
        "depends_on": {"states": [state_settings(config, model, revision) for revision in revisions]},
        "kind": "learning_curves",
    }
    output = config.folder / "learning" / f"{name}.parquet"
    yield Stage("learning", f"learning {name}", output, schemas.LEARNING_CURVES, make, **about)
