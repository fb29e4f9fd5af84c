"""The suffix sort against its definition, the linear checker and pydivsufsort."""

from collections.abc import Callable
from unittest import mock

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from suffixindex.kernels import jit
from suffixindex.suffix_sort import devices, doubling
from suffixindex.suffix_sort.check import check_suffix_array
from suffixindex.suffix_sort.divsufsort import divsufsort_suffix_array
from suffixindex.suffix_sort.sort import DEFAULT_CONFIG, SortConfig, suffix_array
from suffixindex.system.memory import sort_bytes_per_token

needs_jit = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="too slow without the JIT")
EXAMPLES = 15 if numba.config.DISABLE_JIT else 150
CONFIGS = [
    DEFAULT_CONFIG,
    SortConfig(thread_tokens=1, tokens_per_pair=0.001),
    SortConfig(thread_tokens=1, partition_size=4, max_partition_size=9, max_key_bits=6, block=64, rounds=2),
    SortConfig(thread_tokens=1, partition_size=4, max_key_bits=6, block=64, rounds=2, groups=3, tokens_per_pair=0.001),
    SortConfig(thread_tokens=1, partition_size=64, max_partition_size=1, block=64, scan=3, tokens_per_pair=0.001),
    SortConfig(thread_tokens=1, partition_size=16, max_partition_size=40, max_key_bits=3, block=40, rounds=3),
    SortConfig(thread_tokens=1, partition_size=1 << 20, max_partition_size=1, max_key_bits=3, block=48),  # all in place
    SortConfig(thread_tokens=1, partition_size=64, max_key_bits=3, block=1 << 10),  # all by refinement
]


def oracle(tokens: NDArray[np.unsignedinteger], separator: int | None) -> list[int]:
    """Positions sorted by what the order is defined to be."""
    ids = tokens.tolist()

    def key(position: int) -> tuple[list[int], int]:
        rest = ids[position:]
        if separator in rest:
            return rest[: rest.index(separator) + 1], position
        return rest, 0

    return sorted(range(len(ids)), key=key)


def doubled(tokens: NDArray[np.unsignedinteger], separator: int | None) -> list[list[int]]:
    """What the sort without compiled code gives, in one piece and in many."""
    found = []
    for piece in (doubling.PIECE, 3):
        with mock.patch.object(doubling, "PIECE", piece):
            found.append(doubling.suffix_array(tokens, separator).tolist())
    return found


@st.composite
def texts(draw: st.DrawFn) -> tuple[NDArray[np.unsignedinteger], int | None]:
    """A text over 1, 2, 3 or 60,000 ids, and its separator, if any: random, periodic, doubled, of equal documents."""
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.uint32]))
    top = int(np.iinfo(dtype).max)
    separated = draw(st.booleans())
    alphabet = min(draw(st.sampled_from([1, 2, 3, 60_000])), top)
    low = draw(st.sampled_from([0, top - alphabet]))
    symbols = st.integers(low, low + alphabet - 1)
    separator = None
    if separated:
        separator = draw(st.sampled_from([low + alphabet, top]))
        symbols = st.one_of(symbols, st.just(separator)) if draw(st.booleans()) else symbols
    body = draw(st.lists(symbols, min_size=1, max_size=draw(st.sampled_from([5, 40, 300]))))
    if separator is not None and draw(st.booleans()):
        body.append(separator)
    repeats = draw(st.sampled_from([1, 1, 2, 20]))
    return np.array((body * repeats)[:600], dtype), separator


@given(texts(), st.sampled_from(CONFIGS))
@settings(max_examples=EXAMPLES, deadline=None)
def test_order_is_the_definition(text: tuple[NDArray[np.unsignedinteger], int | None], config: SortConfig) -> None:
    tokens, separator = text
    expected = oracle(tokens, separator)
    for threads in (1, 2, 5):
        assert suffix_array(tokens, separator=separator, threads=threads, config=config).tolist() == expected
    assert divsufsort_suffix_array(tokens, separator).tolist() == expected
    assert doubled(tokens, separator) == [expected] * 2


@st.composite
def mosaics(draw: st.DrawFn) -> tuple[NDArray[np.unsignedinteger], int | None]:
    """Spans of 1 to 150 tokens cut from a short text, so that most suffixes share many tokens with some others."""
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.uint32]))
    alphabet = draw(st.sampled_from([2, 3, 6, 40]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    source = random.integers(0, alphabet, draw(st.integers(20, 250)))
    separator = draw(st.sampled_from([None, alphabet, int(np.iinfo(dtype).max)]))
    if separator is not None:
        source[random.random(len(source)) < draw(st.sampled_from([0.0, 0.02, 0.2]))] = separator
    lengths = random.geometric(1 / draw(st.sampled_from([8, 64, 150])), 100)
    starts = random.integers(0, len(source), 100)
    spans = [source[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    return np.concatenate(spans)[:700].astype(dtype), separator


@given(mosaics(), st.sampled_from(CONFIGS))
@settings(max_examples=EXAMPLES, deadline=None)
def test_mosaics_are_sorted(text: tuple[NDArray[np.unsignedinteger], int | None], config: SortConfig) -> None:
    tokens, separator = text
    expected = oracle(tokens, separator)
    for threads in (1, 3):
        assert suffix_array(tokens, separator=separator, threads=threads, config=config).tolist() == expected
    assert doubled(tokens, separator) == [expected] * 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize(
    "ids", [[], [0], [7, 7], [1, 0, 1, 0], ["top"], ["top", "top"], [0, "top", 0], [3, "top", "top", 3, "top"]]
)
def test_tiny(dtype: type, ids: list[int | str]) -> None:
    top = int(np.iinfo(dtype).max)
    tokens = np.array([top if i == "top" else i for i in ids], dtype)
    for separator in (None, top):
        assert suffix_array(tokens, separator=separator).tolist() == oracle(tokens, separator)
        assert doubled(tokens, separator) == [oracle(tokens, separator)] * 2


@pytest.mark.parametrize(
    "largest", [254, 255, 65_534, 65_535, 100_000, 1_000_000, (1 << 21) - 2, 1 << 21, 2**32 - 4_200, 2**32 - 1]
)
def test_every_width_of_ids(largest: int) -> None:
    random = np.random.default_rng(largest)
    ids = np.unique(np.r_[0, largest, random.integers(0, largest, 70_000 if largest == 65_535 else 300)])
    tokens = random.choice(ids, 500).astype(np.uint32)
    tokens[[0, -1]] = [largest, 0]
    separator = largest if largest == 2**32 - 1 else largest + 1
    tokens[::50] = separator
    for config in CONFIGS:
        assert suffix_array(tokens, separator=separator, config=config).tolist() == oracle(tokens, separator)
        assert suffix_array(tokens, config=config).tolist() == oracle(tokens, None)


@needs_jit
def test_all_ids_of_16_bits_occur() -> None:
    tokens = np.tile(np.random.default_rng(0).permutation(1 << 16), 2).astype(np.uint16)
    for separator in (None, 0xFFFF):
        assert check_suffix_array(tokens, suffix_array(tokens, separator=separator), separator) == -1


def fibonacci(size: int) -> NDArray[np.uint16]:
    word, following = [0], [0, 1]
    while len(word) < size:
        word, following = following, following + word
    return np.array(word[:size], np.uint16)


def natural(size: int) -> NDArray[np.uint16]:
    """Zipf-distributed documents, some of them repeated in whole or in part, each closed by a separator."""
    random = np.random.default_rng(7)
    tokens = np.minimum(random.zipf(1.2, size), 5_000).astype(np.uint16)
    for _ in range(size // 5_000):
        length = int(random.integers(10, 3_000))
        source, target = random.integers(0, size - length, 2)
        tokens[target : target + length] = tokens[source : source + length].copy()
    tokens[random.integers(0, size, size // 500)] = 0xFFFF
    return tokens


def mosaic(size: int) -> NDArray[np.uint16]:
    """Spans of 64 tokens on average, each part of a text about four times."""
    random = np.random.default_rng(5)
    source = natural(size // 4)
    lengths = np.minimum(random.geometric(1 / 64, size // 40 + 50), len(source))
    starts = random.integers(0, len(source) - lengths + 1)
    spans = [source[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    return np.concatenate(spans)[:size]


def many_copies(size: int) -> NDArray[np.uint16]:
    document = np.append(np.random.default_rng(3).integers(0, 50, size // 10_000 - 1), 0xFFFF)
    return np.tile(document, 10_000).astype(np.uint16)


FAMILIES: dict[str, Callable[[int], NDArray[np.uint16]]] = {
    "all equal": lambda size: np.zeros(size, np.uint16),
    "period 7": lambda size: np.tile(np.arange(7, dtype=np.uint16), size // 7 + 1)[:size],
    "period 1000": lambda size: np.tile(np.random.default_rng(0).integers(0, 9, 1000), size // 1000 + 1)[:size].astype(np.uint16),
    "fibonacci": fibonacci,
    "text twice": lambda size: np.tile(natural(size // 2), 2),
    "half equal": lambda size: np.r_[natural(size // 2), np.full(size // 2, 3, np.uint16)],
    "one document 10,000 times": many_copies,
    "empty documents": lambda size: np.full(size, 0xFFFF, np.uint16),
    "a separator at every second position": lambda size: np.tile(np.array([5, 0xFFFF], np.uint16), size // 2),
    "one giant document": lambda size: np.append(np.minimum(natural(size - 1), 5_000), 0xFFFF).astype(np.uint16),
    "natural": natural,
    "mosaic": mosaic,
    "mosaic of few ids": lambda size: (mosaic(size) % 5).astype(np.uint16),
    "two spans, 4,000 times": lambda size: np.tile(mosaic(300), size // 300),
}


@needs_jit
@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_a_million(family: str) -> None:
    tokens = FAMILIES[family](1_200_000)
    for separator in (None, 0xFFFF):
        result = suffix_array(tokens, separator=separator, threads=2)
        assert check_suffix_array(tokens, result, separator) == -1
        small = SortConfig(partition_size=1 << 10, max_partition_size=1 << 13, max_key_bits=20, block=1 << 9, rounds=3, groups=0)
        assert np.array_equal(suffix_array(tokens, separator=separator, threads=5, config=small), result)


@needs_jit
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
def test_other_dtypes_of_a_million(dtype: type) -> None:
    tokens = natural(1_000_000)
    tokens = (tokens % 200 if dtype == np.uint8 else tokens * np.uint32(100_003)).astype(dtype)
    result = suffix_array(tokens, threads=2)
    assert check_suffix_array(tokens, result) == -1
    assert np.array_equal(result, divsufsort_suffix_array(tokens))


@needs_jit
def test_divsufsort_agrees_on_a_million() -> None:
    tokens = natural(1_000_000)
    assert np.array_equal(divsufsort_suffix_array(tokens, 0xFFFF), suffix_array(tokens, separator=0xFFFF))


def test_fills_out_and_reads_memmaps(tmp_path) -> None:
    tokens = np.random.default_rng(1).integers(0, 4, 3_000).astype(np.uint16)
    tokens.tofile(tmp_path / "tokens.u16")
    source = np.memmap(tmp_path / "tokens.u16", np.uint16, "r")
    out = np.memmap(tmp_path / "suffix_array.u32", np.uint32, "w+", shape=len(tokens))
    assert suffix_array(source, out=out) is out
    assert np.array_equal(out, suffix_array(tokens))
    assert check_suffix_array(tokens, out) == -1


def test_refuses_what_it_cannot_sort() -> None:
    tokens = np.array([1, 2], np.uint16)
    with pytest.raises(ValueError, match="separator 1 is smaller than the id 2"):
        suffix_array(tokens, separator=1)
    with pytest.raises(TypeError, match="int64"):
        suffix_array(tokens.astype(np.int64))
    with pytest.raises(ValueError, match="one dimension"):
        suffix_array(tokens.reshape(1, 2))
    with pytest.raises(TypeError, match="float32"):
        suffix_array(tokens, out=np.empty(2, np.float32))
    with pytest.raises(ValueError, match=r"\(3,\)"):
        suffix_array(tokens, out=np.empty(3, np.uint32))
    with pytest.raises(ValueError, match="at most 4,294,967,294"):
        suffix_array(np.broadcast_to(np.uint8(0), 2**32))


def test_bytes_per_token() -> None:
    assert sort_bytes_per_token(np.uint16) == 10.0


@needs_jit
def test_progress_only_grows_and_ends_at_one() -> None:
    tokens = np.random.default_rng(0).integers(0, 9, 200_000).astype(np.uint16)
    told: list[float] = []
    suffix_array(tokens, threads=2, progress=told.append)
    assert len(told) >= 4
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("size", [0, 10, 11, 15, 16, 20, 21])
def test_who_sorts(monkeypatch: pytest.MonkeyPatch, size: int, ready: bool, loaded: bool) -> None:
    """Few tokens never wait for a compiler, some more not for what it has compiled, some million not for one that has not run."""
    asked: list[str] = []
    monkeypatch.setattr(devices, "modules", {"numba": None} if loaded else {})
    monkeypatch.setattr(devices, "FEW_TOKENS", 10)
    monkeypatch.setattr(devices, "UNLOADED_TOKENS", 15)
    monkeypatch.setattr(devices, "COMPILING_TOKENS", 20)
    monkeypatch.setattr("suffixindex.suffix_sort.sort.is_compiled", lambda tokens, separator: ready)
    for module in ("sort", "doubling"):
        monkeypatch.setattr(
            f"suffixindex.suffix_sort.{module}.suffix_array",
            lambda *_, module=module, **__: asked.append(module) or np.arange(size),
        )
    devices.suffix_array(np.zeros(size, np.uint8))
    assert asked == ["sort" if size > 20 or (size > (10 if loaded else 15) and ready) else "doubling"]


def test_doubling_of_ids_far_apart_and_of_one_that_exceeds_the_separator() -> None:
    random = np.random.default_rng(0)
    tokens = random.choice(np.array([5, 2**31, 2**32 - 2, 70_000, 2**32 - 1], np.uint32), 400)
    shares: list[float] = []
    out = np.empty(400, np.uint32)
    assert doubling.suffix_array(tokens, 2**32 - 1, out, shares.append) is out
    assert out.tolist() == oracle(tokens, 2**32 - 1)
    assert shares == sorted(shares) and shares[-1] == 1.0
    with pytest.raises(ValueError, match=r"the separator 6 is smaller than the id 4294967295"):
        doubling.suffix_array(tokens, 6)
    with pytest.raises(TypeError, match="expected uint8, uint16 or uint32"):
        devices.suffix_array(np.zeros(3, np.int64))


@needs_jit
def test_what_is_compiled_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from suffixindex.kernels.sort import ties
    from suffixindex.suffix_sort import sort

    tokens = np.array([3, 1, 2, 255], np.uint8)
    suffix_array(tokens, separator=255)
    assert sort.is_compiled(tokens, 255)
    monkeypatch.setattr(ties, "refine_ties", numba.njit(lambda text: text))
    assert not sort.is_compiled(tokens, 255)


@needs_jit
@pytest.mark.parametrize(("dtype", "vocabulary_size"), [(np.uint8, 256), (np.uint16, 1000), (np.uint32, 100_000)])
def test_what_is_loaded_beforehand_is_what_a_corpus_takes(
    monkeypatch: pytest.MonkeyPatch, dtype: type[np.unsignedinteger], vocabulary_size: int
) -> None:
    separator = int(np.iinfo(dtype).max)
    once = np.arange(min(vocabulary_size, separator), dtype=dtype)
    tokens = np.concatenate([once, np.random.default_rng(0).integers(0, 200, 1 << 16, dtype), once])
    suffix_array(tokens, separator=separator)
    compiled: list[bool] = []
    monkeypatch.setattr(jit, "COMPILING", [compiled.append])
    devices.load(np.dtype(dtype), vocabulary_size, separator)
    suffix_array(tokens, separator=separator)
    assert compiled == []
