"""Text of infini-gram's API to ids and back: a space before it where a tokenizer's words have one, and nothing stripped."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from suffixindex.index import SuffixIndex

END = "<end of document>"
ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>", "<|im_end|>")
"""What tokenizers call the end of a text, the first that there is."""
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "(": ")", "[": "]", "`": "`"}


class Terms:
    """How an index's tokenizer is asked by clients of infini-gram."""

    def __init__(self, index: SuffixIndex) -> None:
        self._index = index

    @cached_property
    def _reference(self) -> Any:
        """The engine of a Hugging Face tokenizer; None for any other."""
        return getattr(self._index.tokenizer, "reference", None)

    @property
    def _marks_spaces(self) -> bool:
        """Whether words begin with a space in the vocabulary, as those of byte-level tokenizers do."""
        return self._reference is not None and self._reference.token_to_id("Ġ") is not None

    def encode(self, text: str) -> list[int]:
        """Ids of one term."""
        index = self._index
        if index.tokenizer.kind == "bytes":
            return _bytes(text)
        if text and self._marks_spaces:
            text = f" {text}"
        ids: list[int] = index.encode(text).tolist()
        if ids and self._reference is not None and not self._marks_spaces and ids[0] == self._reference.token_to_id("▁"):
            return ids[1:]
        return ids

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's own pieces: Ġ and ▁ are kept."""
        index = self._index
        known = [token for token in ids if token < index.vocabulary_size]
        if self._reference is not None:
            pieces = iter([self._reference.id_to_token(token) or "" for token in known])
        else:
            pieces = iter(index.pieces(known))
        return [next(pieces) if token < index.vocabulary_size else END for token in ids]

    @cached_property
    def end(self) -> int:
        """The id under which the end of a document is told as a continuation: the tokenizer's own, where it has one."""
        if self._reference is not None:
            for name in ENDS:
                if (found := self._reference.token_to_id(name)) is not None:
                    return int(found)
        return 65535 if self._index.vocabulary_size <= 65535 else self._index.separator

    def warning(self, term: str) -> str | None:
        """What a term says that its author may not have meant, if the ids show it."""
        stripped = term.strip()
        if len(stripped) > 2 and QUOTES.get(stripped[0]) == stripped[-1]:
            inside = stripped[1:-1]
            if self.encode(inside) != self.encode(term):
                return f"the marks around {term!r} are looked for as text: ask for {inside!r}"
        if stripped != term and stripped and self.encode(stripped) != self.encode(term):
            return f"the spaces around {term!r} are looked for as text: ask for {stripped!r}"
        return None


def _bytes(text: str) -> list[int]:
    r"""UTF-8, in which ``\xHH`` means that byte."""
    content = b""
    for place, part in enumerate(re.split(r"\\x([0-9a-fA-F]{2})", text)):
        content += bytes.fromhex(part) if place % 2 else part.encode(errors="surrogatepass")
    return list(content)
