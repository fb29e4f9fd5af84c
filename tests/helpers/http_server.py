"""A server of a folder's files, as servers are: with ranges or without, which drops connections, redirects, and changes a file."""

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Manner:
    """How a server behaves, and what it was asked."""

    ranges: bool = True
    length: bool = True
    """Whether it tells how long what it sends is."""
    etag: bool = True
    head: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    """Beside its own."""
    drop_after: int | None = None
    """Bytes of an answer after which it ends the connection."""
    drops: int = 1 << 62
    """How many answers it does so to."""
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """What it answers to the next requests of a path, instead of its file."""
    redirects: dict[str, str] = field(default_factory=dict)
    password: str | None = None
    """The Authorization that it wants."""
    seconds: float = 0.0
    """Until it answers."""
    at_once: int = 0
    most_at_once: int = 0
    """Requests that waited for an answer at a time."""
    asked: Counter[str] = field(default_factory=Counter)
    """Requests, by path."""
    sent: int = 0
    """Bytes of files."""
    ranges_asked: list[str] = field(default_factory=list)


class Server:
    """Serves a folder at ``url``; ``manner`` may be changed while it does."""

    def __init__(self, folder: Path, manner: Manner) -> None:
        self.manner = manner
        self.folder = folder
        self.lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            server_of = outer

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes is none of the server's errors."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Nothing is said."""

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, with_content: bool) -> None:
        manner = self.server_of.manner
        url = urlsplit(self.path)
        path = unquote(url.path)
        manner.asked[self.path] += 1
        with self.server_of.lock:
            manner.at_once += 1
            manner.most_at_once = max(manner.most_at_once, manner.at_once)
        time.sleep(manner.seconds)
        with self.server_of.lock:
            manner.at_once -= 1
        if manner.password is not None and self.headers.get("Authorization") != manner.password:
            return self._nothing(401)
        if manner.statuses.get(path):
            return self._nothing(manner.statuses[path].pop(0))
        if path in manner.redirects:
            return self._nothing(302, manner.redirects[path])
        if not with_content and not manner.head:
            return self._nothing(403)
        file = self.server_of.folder / path.lstrip("/")
        if file.is_dir():
            if not path.endswith("/"):
                return self._nothing(301, f"{path}/")
            names = sorted(f"{one.name}/" if one.is_dir() else one.name for one in file.iterdir())
            links = "".join(f'<a href="{name}">{name}</a>\n' for name in ["?C=N;O=D", "../", *names])
            return self._send(links.encode(), {"Content-Type": "text/html"}, with_content, 200)
        if not file.exists():
            return self._nothing(404)
        content = file.read_bytes()
        headers = {"Content-Type": "application/octet-stream", **manner.headers}
        if manner.etag:
            headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or not manner.ranges:
            return self._send(content, headers, with_content, 200)
        manner.ranges_asked.append(self.headers["Range"])
        first, last = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        if first >= len(content):
            headers["Content-Range"] = f"bytes */{len(content)}"
            return self._send(b"", headers, with_content, 416)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self._send(content[first : last + 1], headers, with_content, 206)

    def _nothing(self, status: int, location: str | None = None) -> None:
        self._send(b"", {} if location is None else {"Location": location}, True, status)

    def _send(self, content: bytes, headers: dict[str, str], with_content: bool, status: int) -> None:
        manner = self.server_of.manner
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        chunked = not manner.length and status == 200
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(content)))))
        self.end_headers()
        if not with_content:
            return
        cut = manner.drop_after is not None and manner.drops > 0 and len(content) > max(manner.drop_after, 1)
        if cut:
            manner.drops -= 1
            content = content[: manner.drop_after]
        manner.sent += len(content)
        try:
            if chunked:
                for start in range(0, len(content), 1 << 16):
                    block = content[start : start + (1 << 16)]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
                if not cut:
                    self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            cut = True
        if cut:
            self.close_connection = True


@contextmanager
def serving(folder: Path, **manner: object) -> Iterator[Server]:
    """A server of a folder."""
    server = Server(folder, Manner(**manner))  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.close()
