"""Models that run elsewhere: behind an OpenAI-compatible endpoint, which is asked with patience."""

from analysis.models.served.client import Client, RefusedError
from analysis.models.served.model import ServedModel, open_served

__all__ = ["Client", "RefusedError", "ServedModel", "open_served"]
