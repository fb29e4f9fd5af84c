"""What a server allows: sizes, times, who may ask. One frozen record, set once at start."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Settings:
    """Limits of a server; times in seconds, sizes in bytes."""

    budget: float = 5.0
    """The dearest question that is answered, by its price."""
    bulk_budget: float = 60.0
    """The same for a bulk question, which is answered in blocks."""
    cheap: float = 0.02
    """What a question may cost and still go to the many cheap workers."""
    patience: float = 4.0
    """How many times its budget a question may take, and not less than ten seconds, before it is stopped between two blocks."""
    cheap_workers: int = 4
    expensive_workers: int = 2
    cheap_queue: int = 1024
    """Questions that wait for a cheap worker; more are told to come back."""
    expensive_queue: int = 16
    body_bytes: int = MEBIBYTE
    bulk_bytes: int = 64 * MEBIBYTE
    """The body of a bulk question."""
    bulk_bodies: int = 2
    """Bulk questions whose bodies are held at a time."""
    answer_bytes: int = 64 * MEBIBYTE
    token: str | None = None
    """What clients must send as ``Authorization: Bearer …``; None: nothing."""
    cors: tuple[str, ...] = ()
    """Origins whose pages may ask."""
    body_seconds: float = 30.0
    """How long a client may take to send a body, and a mebibyte of a bulk one."""
    root_path: str = ""
    """The path under which a proxy shows the server."""
    log_queries: bool = False
    """Whether the log says what was asked."""
