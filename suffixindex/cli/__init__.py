"""The command line: a file for each kind of command; ``main`` runs them all."""

from suffixindex.cli.main import main

__all__ = ["main"]
