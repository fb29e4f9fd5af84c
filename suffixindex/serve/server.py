"""The server of the command line: uvicorn, which tells its state before it stops, and never waits long for a slow client."""

import os
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from suffixindex.errors import SuffixIndexError

DRAIN_SECONDS = 8
"""How long questions under way may go on once the server is to stop."""
KEEP_ALIVE_SECONDS = 5
CONNECTIONS = 10_000
BACKLOG = 2048


class AddressError(SuffixIndexError, OSError):
    """The server cannot listen at this address."""


class Server(uvicorn.Server):
    """uvicorn's server, whose application knows that it is being stopped."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Turn unready first: who asks /readyz over an open connection is told."""
        application: Any = self.config.app
        application.state.serving.draining = True
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address, so that a port in use is one sentence and port 0 a free one.

    Raises
    ------
    AddressError
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        raise AddressError(f"cannot listen at {host}:{port}: {error.strerror or error}; choose another --port or --host") from error
    return opened


def run(application: FastAPI, opened: socket.socket, trusted_proxies: tuple[str, ...] = ()) -> None:
    """Serve until a signal comes; what is under way then has eight seconds."""
    _allow_connections()
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        limit_concurrency=CONNECTIONS,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    Server(config).run(sockets=[opened])


def leave(application: FastAPI) -> None:
    """End the process, also while compiled code, which nothing stops, still works for clients that are gone."""
    workers = application.state.serving.workers
    if workers.cheap.taken or workers.expensive.taken:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _allow_connections() -> None:
    """As many open files as the system lets this process have: an idle connection is one."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
