"""What a model has answered: kept on disk by the content of the question, so that a stopped run goes on where it was."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.models.language_model import LanguageModel

log = logging.getLogger(__name__)


class Cache:
    """Answers of one model to questions of one kind; without a folder, in memory alone.

    A file of JSON lines to which each finished batch is appended at once: whoever kills the run loses one batch. A line that
    the kill cut short is passed over. The file is named by the kind and the model's fingerprint, a line's key by what the
    model reads, so other weights, prompts or tokenizers never meet an old answer.
    """

    def __init__(self, folder: Path | None, kind: str, model: LanguageModel) -> None:
        self._path = None if folder is None else folder / f"{kind}-{model.fingerprint[:32]}.jsonl"
        self._known: dict[str, Any] = {}
        if self._path is not None and self._path.exists():
            self._read(self._path)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def add(self, answers: Mapping[str, Any]) -> None:
        """Keep the answers of a batch."""
        self._known.update(answers)
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps([key, answer]) + "\n" for key, answer in answers.items())
        with open(self._path, "ab") as file:
            file.write(lines.encode())

    def _read(self, path: Path) -> None:
        content = path.read_bytes()
        for line in content.splitlines():
            try:
                key, answer = json.loads(line)
            except (ValueError, TypeError, RecursionError):  # the last line of a run that was killed
                log.info("%s: passed over a line that was cut short", path.name)
                continue
            self._known[key] = answer
        if content and not content.endswith(b"\n"):
            with open(path, "ab") as file:
                file.write(b"\n")


def key_of(*parts: bytes | str | int) -> str:
    """A key of what an answer depends on; no two lists of parts share one."""
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        digest.update(f"{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()
