"""An OpenAI-compatible endpoint: JSON asked and answered, once more where it was busy, and every failure in a sentence."""

import http.client
import json
import logging
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from analysis.errors import ConfigError, ModelError

log = logging.getLogger(__name__)

RETRIED = (408, 409, 429, 500, 502, 503, 504)
SHOWN = 300


class RefusedError(ModelError):
    """The endpoint says no, and would again: an unknown model, a wrong key, a text that is too long."""


@dataclass(frozen=True)
class Client:
    """What asks an endpoint.

    Raises
    ------
    ConfigError
        On asking: its address is none, or the variable of the key is not set.
    ModelError
        On asking: it cannot be reached after all retries, or answers what is no JSON; :class:`RefusedError` where it says no.
    """

    base_url: str
    """What paths are put after: ``http://localhost:8000/v1``."""
    api_key_env: str = ""
    """The environment variable that holds the key; "": none is needed."""
    timeout: float = 120.0
    """Seconds that an answer may take."""
    retries: int = 5
    pause: float = 1.0
    """Seconds before the first retry, doubled for each further one, unless the endpoint says how long to wait."""

    def get(self, path: str) -> Any:
        """The answer to a path."""
        return self._json(path, None)

    def post(self, path: str, body: Any) -> Any:
        """The answer to a path and what is sent there."""
        return self._json(path, json.dumps(body).encode())

    def url(self, path: str) -> str:
        """The address of a path."""
        return self.base_url.rstrip("/") + path

    def _json(self, path: str, body: bytes | None) -> Any:
        answer = self._ask(self.url(path), body)
        try:
            return json.loads(answer)
        except (ValueError, RecursionError) as error:
            shown = answer[:SHOWN].decode(errors="replace")
            raise ModelError(f"{self.url(path)} answered what is no JSON: {shown!r}; check its address") from error

    def _ask(self, url: str, body: bytes | None) -> bytes:
        request = urllib.request.Request(url, body, self._headers())
        pause = self.pause
        for attempt in range(self.retries + 1):
            wait = pause
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                reason = f"{error.code} {error.read()[:SHOWN].decode(errors='replace')}".strip()
                if error.code not in RETRIED:
                    raise RefusedError(f"{url} refuses: {reason}; check its address, the model's name and the key") from error
                told = error.headers.get("Retry-After", "")
                wait = float(told) if told.isdecimal() else pause
            except (OSError, http.client.HTTPException) as error:  # urllib's URLError and timeouts too; an answer that was cut
                reason = str(error) or type(error).__name__
            if attempt < self.retries:
                log.info("%s: %s; once more in %.0f s", url, reason, wait)
                time.sleep(wait)
                pause *= 2
        raise ModelError(f"{url} did not answer {self.retries + 1} times: {reason}; see that it runs, then start again")

    def _headers(self) -> dict[str, str]:
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url is {self.base_url!r}: expected http://… or https://…")
        headers = {"Content-Type": "application/json"}
        if self.api_key_env:
            key = os.environ.get(self.api_key_env)
            if not key:
                raise ConfigError(f"the environment variable {self.api_key_env} is not set: it holds the key of {self.base_url}")
            headers["Authorization"] = f"Bearer {key}"
        return headers
