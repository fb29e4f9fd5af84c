"""The guard of a build: it costs what it may, and finds engines that differ, in long documents and in short ones."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from suffixindex.errors import TokenizerError
from suffixindex.tokenizers import guard
from suffixindex.tokenizers.batches import BatchTokenizer
from suffixindex.tokenizers.guard import Guard
from tests.helpers.pipelines import FAST, SLOW, TEXTS

pytest.importorskip("fastokens")

LONG = " ".join(f"{number} {text}" for number, text in enumerate(TEXTS * 20))


def loaded(name: str) -> BatchTokenizer:
    return BatchTokenizer.from_json(json.dumps(FAST[name]()))


class Damaged:
    """An engine that differs on what ``wrong`` says of a text's ids."""

    def __init__(self, engine: Any, wrong: Callable[[np.ndarray], None]) -> None:
        self._engine = engine
        self._wrong = wrong

    def encode_batch_flat(self, texts: list[str]) -> tuple[bytes, bytes]:
        content, bounds = self._engine.encode_batch_flat(texts)
        ids, offsets = np.frombuffer(content, "<u4").copy(), np.frombuffer(bounds, "<u8")
        for start, stop in pairwise(offsets.tolist()):
            self._wrong(ids[start:stop])
        return ids.tobytes(), bounds


def damaged(name: str, wrong: Callable[[np.ndarray], None]) -> BatchTokenizer:
    tokenizer = loaded(name)
    tokenizer._fast_choice = (Damaged(tokenizer._fast, wrong), None)
    return tokenizer


def stopped() -> float:
    """A clock by which checks take no time, however busy the machine is."""
    return 0.0


@pytest.mark.parametrize("name", ["neox", "llama3", "llama2"])
@pytest.mark.parametrize("texts", [["", *TEXTS, LONG, LONG + "x"], [LONG], [], [""], ["a 'ſ\u180e" * 2000, "\u180e"]])
def test_what_is_right_passes(name: str, texts: list[str]) -> None:
    tokenizer = loaded(name)
    ids, lengths = Guard(tokenizer).encode(texts)
    expected = [tokenizer.encode(text) for text in texts]
    assert lengths.tolist() == [len(row) for row in expected]
    assert np.array_equal(ids, np.concatenate([np.empty(0, np.uint32), *expected]))


@pytest.mark.parametrize("name", ["neox", "llama3", "llama2"])
@pytest.mark.parametrize("texts", [TEXTS, [LONG]])
def test_a_difference_is_found(name: str, texts: list[str]) -> None:
    def wrong(ids: np.ndarray) -> None:
        ids[::40] += 1

    with pytest.raises(TokenizerError, match=r"encode a document differently: near .* --tokenizer-engine tokenizers"):
        Guard(damaged(name, wrong), stopped).encode(texts)


def test_a_difference_that_only_a_long_document_has_is_found() -> None:
    def wrong(ids: np.ndarray) -> None:
        if len(ids) > 5000:
            ids[len(ids) // 3 :] = ids[len(ids) // 3 :][::-1].copy()

    with pytest.raises(TokenizerError, match="differently"):
        Guard(damaged("neox", wrong), stopped).encode([LONG])


def test_the_reference_is_not_checked_against_itself() -> None:
    tokenizer = BatchTokenizer.from_json(json.dumps(SLOW["bert"][0]()))
    checks = Guard(tokenizer)
    checks.encode(TEXTS)
    assert not checks.checked


def test_checks_take_their_share_of_the_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that gives a batch a second, and each excerpt three seconds: three hundred batches pay for one."""
    monkeypatch.setattr(guard, "FIRST_SECONDS", 0.0)
    now = 0.0

    def clock() -> float:
        return now

    tokenizer = loaded("gpt2")
    checks = Guard(tokenizer, clock)
    encode, check = tokenizer.encode_batch, tokenizer.check_sample

    def slowly(texts: list[str]) -> Any:
        nonlocal now
        now += 1.0
        return encode(texts)

    def costly(*arguments: Any) -> None:
        nonlocal now
        now += 3.0
        check(*arguments)

    monkeypatch.setattr(tokenizer, "encode_batch", slowly)
    monkeypatch.setattr(tokenizer, "check_sample", costly)
    for batches in range(1, 2000):
        checks.encode(["The cat sat. ", "It sat."])
        assert checks.earned == pytest.approx(guard.SHARE * batches)
        assert checks.spent <= checks.earned + 3.0  # never more than the excerpt under way
    assert checks.checked >= 5


def test_one_excerpt_of_a_long_document_costs_an_excerpt(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = loaded("neox")
    seen: list[int] = []
    encode = tokenizer.encode
    monkeypatch.setattr(tokenizer, "encode", lambda text: seen.append(len(text)) or encode(text))
    Guard(tokenizer).encode([LONG * 3, LONG])
    assert seen and max(seen) <= 3 * guard.EXCERPT
