"""Indexes over HTTP: an API of our own, infini-gram's API for the clients it has, and a page. ``app`` is the ASGI application."""

from typing import Any

__all__ = ["Settings", "app"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from suffixindex.serve.application import app
        from suffixindex.serve.settings import Settings
    except ModuleNotFoundError as error:
        from suffixindex.errors import MissingDependencyError

        raise MissingDependencyError(f"serving needs {error.name}: pip install 'suffixindex[serve]'") from error
    return {"app": app, "Settings": Settings}[name]
