"""The lab: a small world whose truth is known, and a ladder of models trained on exactly its corpus.

>>> from analysis.lab import load_preset, make_world, train_ladder
>>> preset = load_preset("default")                                                       # doctest: +SKIP
>>> world = make_world(folder / "world", preset=preset.world, seed=0)                     # doctest: +SKIP
>>> models = train_ladder(world, folder / "models", ladder=preset.ladder, seed=0)         # doctest: +SKIP
"""

from analysis.lab.halves import HALVES_SCHEMA, Halves, train_halves
from analysis.lab.ladder import Ladder, train_ladder, train_on_index
from analysis.lab.presets import Preset, load_preset
from analysis.lab.recipe import PYTHIA, Recipe, Size
from analysis.lab.train import CHECKPOINTS, finished
from analysis.lab.world import PLANTED_SCHEMA, TEMPLATES, World, WorldFiles, make_world

__all__ = [
    "CHECKPOINTS",
    "HALVES_SCHEMA",
    "PLANTED_SCHEMA",
    "PYTHIA",
    "TEMPLATES",
    "Halves",
    "Ladder",
    "Preset",
    "Recipe",
    "Size",
    "World",
    "WorldFiles",
    "finished",
    "load_preset",
    "make_world",
    "train_halves",
    "train_ladder",
    "train_on_index",
]
