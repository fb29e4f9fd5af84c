"""Progress bars: what they count, and that they say why nothing moves."""

import importlib
import os

import pytest

from suffixindex.kernels import COMPILING
from suffixindex.system.progress import Bar


def test_a_bar_says_that_something_compiles(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("sort", 100, "token", True) as bar:
        bar.show(10)
        for tell in COMPILING:
            tell(True)
        assert "sort (compiling): " in capsys.readouterr().err
        for tell in COMPILING:
            tell(False)
        assert capsys.readouterr().err.rpartition("sort")[2].startswith(": ")
    assert bar._compiling not in COMPILING


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"), reason="nothing compiles")
def test_compiling_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    told: list[bool] = []
    importlib.import_module("suffixindex.kernels.jit")
    monkeypatch.setattr("suffixindex.kernels.jit.COMPILING", [told.append])
    inner = numba.njit(lambda number: number + 1)
    outer = numba.njit(lambda number: inner(number) * 2)
    assert outer(3) == 8
    assert told == [True, False]
    assert outer(4) == 10 and told == [True, False]
