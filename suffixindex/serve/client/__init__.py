"""A client in Python: :func:`connect` gives an index that a server answers for. Needs nothing but the core package."""

from suffixindex.serve.client.remote import RemoteIndex
from suffixindex.serve.client.transport import Transport

__all__ = ["RemoteIndex", "connect"]


def connect(
    url: str, index: str | None = None, *, token: str | None = None, timeout: float = 120.0, retries: int = 3
) -> "RemoteIndex":
    """An index that a server answers for: ``si.connect("http://localhost:8008", "pile")``.

    Parameters
    ----------
    url
        Of ``suffixindex serve``.
    index
        Its name there; the only one unless given.
    token
        What the server's ``--token`` wants.
    timeout
        Seconds to wait for an answer.
    retries
        How often a question is asked again if the server is too busy.

    Raises
    ------
    ServerError
        Nothing answers there, or not as a server of ours does.
    QueryError
        No such index, or several to choose from.
    """
    return RemoteIndex(Transport(url, token, timeout, retries), index)
