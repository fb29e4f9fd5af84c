"""The world: each module tells one part of its corpus, and ``make`` writes all of them."""

from analysis.lab.world.make import PLANTED_SCHEMA, TEMPLATES, World, WorldFiles, make_world

__all__ = ["PLANTED_SCHEMA", "TEMPLATES", "World", "WorldFiles", "make_world"]
