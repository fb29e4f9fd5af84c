"""Progress bars of a build, on standard error; none where that is no terminal."""

import sys
import warnings
from types import TracebackType
from typing import Any, Self

from suffixindex.kernels import COMPILING


class Bar:
    """One phase: how much of ``total`` is done, in ``unit``, how fast, the time left, and what else is counted.

    ``enabled=None`` shows the bar if standard error is a terminal.
    """

    def __init__(self, phase: str, total: int | None, unit: str, enabled: bool | None, initial: int = 0) -> None:
        with warnings.catch_warnings(action="ignore"):  # of its being new; `tqdm.auto` is the same, and loads asyncio too
            from tqdm.autonotebook import tqdm

        disable = sys.stderr is None or (None if enabled is None else not enabled)
        self._phase = phase
        self._bar: Any = tqdm(
            desc=phase,
            total=total,
            initial=initial,
            unit=unit,
            unit_scale=True,
            disable=disable,
            dynamic_ncols=True,
            mininterval=0.2,
        )

    def __enter__(self) -> Self:
        COMPILING.append(self._compiling)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        COMPILING.remove(self._compiling)
        self._bar.close()

    def show(self, done: int, **counts: int) -> None:
        """Say that ``done`` units are done in all, and with which counts."""
        if counts and not self._bar.disable:
            elapsed = max(self._bar.format_dict["elapsed"], 1e-3)
            shown = [f"{_short(count)} {name}" for name, count in counts.items()]
            shown += [f"{_short(counts['tokens'] / elapsed)} tokens/s"] if "tokens" in counts else []
            self._bar.set_postfix_str(", ".join(shown), refresh=False)
        self._bar.update(done - self._bar.n)

    def _compiling(self, begun: bool) -> None:
        """Say so, since nothing moves meanwhile."""
        self._bar.set_description(f"{self._phase} (compiling)" if begun else self._phase)


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"
