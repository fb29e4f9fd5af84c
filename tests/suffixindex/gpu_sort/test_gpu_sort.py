"""The sort of a GPU, on torch's CPU device: against its definition and the CPU's sort, in small pieces, short of memory."""

import logging
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import suffixindex as si
from suffixindex.gpu_sort import device as devices
from suffixindex.gpu_sort.device import choose_device, sort_tokens
from suffixindex.gpu_sort.plan import LARGEST_PIECE, Plan, plan_pieces

torch = pytest.importorskip("torch")
from torch.overrides import TorchFunctionMode  # noqa: E402

from suffixindex.gpu_sort.keys import wide  # noqa: E402
from suffixindex.gpu_sort.ranges import KEYS, WORDS, key_ranges  # noqa: E402
from suffixindex.gpu_sort.sort import OutOfMemory, Timed, sort_on_device  # noqa: E402
from suffixindex.gpu_sort.staging import Staging  # noqa: E402

Text = NDArray[np.unsignedinteger[Any]]
WHOLE = Plan(1 << 20, 1 << 10)
PLANS = [WHOLE, Plan(100, 50), Plan(30, 64), Plan(9, 40), Plan(1, 40)]


def oracle(tokens: Text, separator: int | None) -> list[int]:
    """Positions sorted by what the order is defined to be."""
    ids = tokens.tolist()

    def key(position: int) -> tuple[list[int], int]:
        rest = ids[position:]
        if separator in rest:
            return rest[: rest.index(separator) + 1], position
        return rest, 0

    return sorted(range(len(ids)), key=key)


def fail() -> NDArray[np.uint32]:
    raise AssertionError("nobody asked the CPU")


def sort(tokens: Text, separator: int | None = None, plan: Plan | None = None) -> list[int]:
    return sort_on_device(tokens, separator, "cpu", fail, plan=plan).tolist()


@st.composite
def texts(draw: st.DrawFn) -> tuple[Text, int | None]:
    """A text over 1, 2, 3 or 60,000 ids, and its separator, if any: random, periodic, doubled, of equal documents."""
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.uint32]))
    top = int(np.iinfo(dtype).max)
    separated = draw(st.booleans())
    alphabet = min(draw(st.sampled_from([1, 2, 3, 60_000])), top)
    low = draw(st.sampled_from([0, top - alphabet]))
    symbols = st.integers(low, low + alphabet - 1)
    separator = None
    if separated:
        separator = draw(st.sampled_from([low + alphabet, top, top + 1]))
        symbols = st.one_of(symbols, st.just(min(separator, top))) if draw(st.booleans()) else symbols
    body = draw(st.lists(symbols, max_size=draw(st.sampled_from([5, 40]))))
    if separated and draw(st.booleans()):
        body.append(min(separator, top))
    repeats = draw(st.sampled_from([1, 1, 2, 20]))
    return np.array((body * repeats)[:80], dtype), separator


@given(texts(), st.sampled_from(PLANS))
@settings(deadline=None)
def test_order_is_the_definition(text: tuple[Text, int | None], plan: Plan) -> None:
    tokens, separator = text
    found = sort(tokens, separator, plan)
    assert found == oracle(tokens, separator)
    assert found == si.suffix_array(tokens, separator=separator).tolist()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize(
    "ids", [[], [0], [7, 7], [1, 0, 1, 0], [0] * 20, ["top"], ["top"] * 20, [0, "top", 0], [3, "top", "top", 3, "top"]]
)
def test_tiny(dtype: type, ids: list[int | str]) -> None:
    top = int(np.iinfo(dtype).max)
    tokens = np.array([top if i == "top" else i for i in ids], dtype)
    for separator in (None, top):
        for plan in PLANS:
            assert sort(tokens, separator, plan) == oracle(tokens, separator)


@pytest.mark.parametrize("largest", [1, 254, 255, 65_533, 65_534, 65_535, 100_000, (1 << 21) - 2, 2**31, 2**32 - 2, 2**32 - 1])
def test_every_width_of_ids(largest: int) -> None:
    random = np.random.default_rng(largest)
    tokens = random.choice(random.integers(0, largest, 20, dtype=np.uint64, endpoint=True), 200)
    tokens[[0, 50, 51, -1]] = [largest, 0, largest, 0]
    narrowest = next(dtype for dtype in (np.uint8, np.uint16, np.uint32) if largest <= np.iinfo(dtype).max)
    for dtype in {narrowest, np.uint32}:
        text = tokens.astype(dtype)
        for separator in (None, largest, largest + 1):
            assert sort(text, separator, WHOLE) == sort(text, separator, Plan(70, 100)) == oracle(text, separator)


def fibonacci(size: int) -> list[int]:
    word, following = [0], [0, 1]
    while len(word) < size:
        word, following = following, following + word
    return word[:size]


def natural(size: int) -> list[int]:
    """Zipf-distributed documents, some of them repeated in whole or in part, each closed by a separator."""
    random = np.random.default_rng(7)
    tokens = np.minimum(random.zipf(1.2, size), 250)
    for _ in range(size // 200):
        length = int(random.integers(10, size // 10))
        source, target = random.integers(0, size - length, 2)
        tokens[target : target + length] = tokens[source : source + length].copy()
    tokens[random.integers(0, size, size // 100)] = 255
    return tokens.tolist()


FAMILIES: dict[str, Callable[[int], list[int]]] = {
    "all equal": lambda size: [0] * size,
    "period 2": lambda size: [0, 1] * (size // 2),
    "period 7": lambda size: list(range(7)) * (size // 7),
    "fibonacci": fibonacci,
    "text twice": lambda size: natural(size // 2) * 2,
    "half equal": lambda size: natural(size // 2) + [3] * (size // 2),
    "one document many times": lambda size: [*natural(29), 255] * (size // 30),
    "only separators": lambda size: [255] * size,
    "a separator at every second position": lambda size: [5, 255] * (size // 2),
    "one document": lambda size: [min(i, 250) for i in natural(size - 1)] + [255],
    "natural": natural,
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str, dtype: type) -> None:
    tokens = np.array(FAMILIES[family](3000), dtype)
    for separator in (None, 255):
        expected = si.suffix_array(tokens, separator=separator).tolist()
        for plan in (WHOLE, Plan(1000, 500), Plan(300, 1000)):
            assert sort(tokens, separator, plan) == expected


def test_every_step_and_round_is_told() -> None:
    tokens = np.array(natural(2000), np.uint16)
    told: list[Timed] = []
    shares: list[float] = []
    sort_on_device(tokens, 255, "cpu", fail, plan=Plan(600, 300), progress=shares.append, tell=told.append)
    assert set(told[0].seconds) == {"upload", "pack", "count", "keys", "sort", "ranks", "doubling", "download"}
    assert 0 < told[0].sort_seconds < sum(told[0].seconds.values())
    assert list(told[0].rounds) == sorted(told[0].rounds, reverse=True)
    assert len(told[0].rounds) > 1
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


# ---- too little memory -------------------------------------------------------------------------------------------


class LackOfMemory(TorchFunctionMode):
    """Raises what torch raises, at each call of torch from ``first`` on and before ``last``; any call may allocate."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.calls: list[tuple[str, int, str]] = []  # file, line, function

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is not torch.device:
            frame = sys._getframe(1)
            while frame.f_back and "gpu_sort" not in frame.f_code.co_filename:
                frame = frame.f_back
            self.calls.append((frame.f_code.co_filename, frame.f_lineno, function.__name__))
        if self.first <= len(self.calls) < self.last:
            raise OutOfMemory("planned")
        return function(*args, **kwargs or {})


SHORT_TEXTS = [
    (np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 255] * 4, np.uint16), 255, Plan(20, 40, smallest=1)),
    (np.array([0] * 30, np.uint8), None, Plan(20, 30, smallest=1)),
]


@pytest.mark.parametrize("text", [pytest.param(SHORT_TEXTS[0], marks=pytest.mark.long), *SHORT_TEXTS[1:]])
def test_a_lack_of_memory_at_any_call(text: tuple[Text, int | None, Plan]) -> None:
    """The first time and the last time that a line calls a function of torch."""
    tokens, separator, plan = text
    expected = oracle(tokens, separator)
    with LackOfMemory(0, 0) as lack:
        assert sort(tokens, separator, plan) == expected
    number = {call: k for k, call in enumerate(lack.calls, 1)}
    last = set(number.values())
    number = {call: k for k, call in reversed(list(enumerate(lack.calls, 1)))}
    assert len(number) > 50
    for k in sorted(last | set(number.values())):
        with LackOfMemory(k, k + 1):
            assert sort(tokens, separator, plan) == expected


@pytest.mark.parametrize("first", [1, 2, 5, 20, 60])
def test_a_lasting_lack_of_memory_leaves_it_to_the_cpu(first: int, caplog: pytest.LogCaptureFixture) -> None:
    tokens = np.array(natural(200), np.uint16)
    out = np.empty(200, np.uint32)
    with LackOfMemory(first, 1 << 60), caplog.at_level(logging.WARNING, "suffixindex"):
        found = sort_on_device(
            tokens,
            255,
            "cpu",
            lambda: si.suffix_array(tokens, separator=255, out=out),
            plan=Plan(160, 100, smallest=40),
            out=out,
        )
    assert found is out
    assert out.tolist() == oracle(tokens, 255)
    assert [record.getMessage() for record in caplog.records] == [
        "cpu ran out of memory on 200 tokens in pieces of 160: again with 80",
        "cpu ran out of memory on 200 tokens in pieces of 80: again with 40",
        "cpu ran out of memory on 200 tokens in pieces of 40: the CPU sorts them",
    ]


def test_what_cannot_fit_is_not_tried(caplog: pytest.LogCaptureFixture) -> None:
    tokens = np.zeros(1000, np.uint16)
    with caplog.at_level(logging.WARNING, "suffixindex"):
        found = sort_on_device(tokens, None, "cpu", lambda: si.suffix_array(tokens), free_bytes=10_000)
    assert found.tolist() == oracle(tokens, None)
    assert [record.getMessage() for record in caplog.records] == [
        "cpu has 10,000 bytes free, too few for 1,000 tokens: the CPU sorts them"
    ]


def test_a_device_that_does_not_start_leaves_it_to_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    if torch.cuda.is_available():
        pytest.skip("the device starts")
    tokens = np.zeros(10, np.uint16)
    with caplog.at_level(logging.WARNING, "suffixindex"):
        assert sort_on_device(tokens, None, "cuda:0", lambda: si.suffix_array(tokens)).tolist() == oracle(tokens, None)
    (record,) = caplog.records
    assert record.getMessage().startswith("cuda:0 does not start, the CPU sorts 10 tokens: ")


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ValueError, match="separator 1 is smaller than the id 2"):
        sort(np.array([1, 2], np.uint16), 1)


@given(st.integers(1, 2**32 - 2), st.sampled_from([1, 2, 4]), st.integers(0, 2 * 10**11))
def test_plans_fit(size: int, itemsize: int, free: int) -> None:
    plan = plan_pieces(size, itemsize, free)
    if plan is not None:
        assert 1 <= plan.piece <= min(size, LARGEST_PIECE)
        assert size * max(itemsize + 13, 16) + 64 * plan.piece <= free
        assert size < 10**9 or (itemsize + 13) * size + 64 * plan.piece <= 41 * size
        halves = plan.halved()
        assert halves is None or halves.chunk <= halves.piece <= plan.piece // 2


# ---- parts -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -(2**63), 2**63 - 1]), min_size=1), st.integers(1, 5))
def test_ranges_hold_all_keys(keys: list[int], capacity: int) -> None:
    for some, span in ((keys, KEYS), ([key & 0xFFFFFFFF for key in keys], WORDS)):
        tensor = torch.tensor(some, dtype=torch.int64)
        ranges = key_ranges(lambda tensor=tensor: iter([(tensor, tensor)]), span, len(some), capacity)
        assert [sum(low <= key <= high for key in some) for low, high, _ in ranges] == [size for _, _, size in ranges]
        assert sum(size for _, _, size in ranges) == len(some)
        assert all(before.high < after.low for before, after in pairwise(ranges))
        assert all(size <= capacity or low == high for low, high, size in ranges)


def test_positions_past_31_bits() -> None:
    numbers = torch.tensor([0, 2**31 - 1, 2**31, 2**32 - 2])
    held = torch.empty(4, dtype=torch.int32)
    held[:] = numbers
    assert wide(held).tolist() == numbers.tolist()
    assert wide(held[2:].add_(1)).tolist() == [2**31 + 1, 2**32 - 1]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_copies_in_blocks(block: int) -> None:
    array = np.arange(100, dtype=np.uint32)
    held, back = torch.empty(100, dtype=torch.int32), np.zeros(100, np.uint32)
    staging = Staging(torch.device("cpu"), array.nbytes, block)
    staging.upload(array, held)
    staging.download(held, back)
    assert np.array_equal(array, back)


def test_fills_out_and_reads_memmaps(tmp_path: Path) -> None:
    tokens = np.array(natural(2000), np.uint16)
    tokens.tofile(tmp_path / "tokens.u16")
    source = np.memmap(tmp_path / "tokens.u16", np.uint16, "r")
    out = np.memmap(tmp_path / "suffix_array.u32", np.uint32, "w+", shape=len(tokens))
    assert sort_on_device(source, 255, "cpu", fail, out=out) is out
    assert np.array_equal(out, si.suffix_array(tokens, separator=255))


# ---- which device ------------------------------------------------------------------------------------------------


def test_the_choice_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_installed", lambda: True)
    monkeypatch.setattr(devices, "_count_gpus", lambda: 2)
    monkeypatch.setattr(devices, "_may_have_gpu", lambda: True)
    many = devices.WORTH_TOKENS
    assert [choose_device("auto", many, shard) for shard in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert choose_device("auto", many - 1) == "cpu"
    assert choose_device("cpu", many) == "cpu"
    assert choose_device("cuda", 5, 1) == "cuda:1"
    assert choose_device("cuda:1", 5, 0) == "cuda:1"
    for request in ("cuda:2", "gpu", "cuda:", "cuda:-1", ""):
        with pytest.raises(si.BuildError):
            choose_device(request, many)
    monkeypatch.setattr(devices, "_count_gpus", lambda: 0)
    assert choose_device("auto", many) == "cpu"
    with pytest.raises(si.BuildError, match="torch sees 0 GPUs"):
        choose_device("cuda", many)
    monkeypatch.setattr(devices, "_installed", lambda: False)
    assert choose_device("auto", many) == "cpu"
    with pytest.raises(si.MissingDependencyError, match="pip install torch"):
        choose_device("cuda", many)


def test_the_cpu_is_asked_where_it_is_chosen() -> None:
    tokens = np.array([2, 1, 2, 1], np.uint16)
    assert sort_tokens(tokens, None, "auto", lambda: si.suffix_array(tokens)).tolist() == [3, 1, 2, 0]


def test_torch_is_not_imported_for_the_cpu(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("to be or not to be\n" * 20, encoding="utf-8")
    script = f"""
import sys
import numpy as np
import suffixindex as si
from suffixindex.gpu_sort.device import sort_tokens
tokens = np.arange(50, dtype=np.uint16)
for device in ("cpu", "auto"):
    sort_tokens(tokens, None, device, lambda: si.suffix_array(tokens))
si.build({str(tmp_path / "a.txt")!r}, {str(tmp_path / "index")!r}, tokenizer="words", progress=False)
assert not [name for name in sys.modules if name.partition(".")[0] == "torch"]
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
