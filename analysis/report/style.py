"""How figures look: colours that the colour-blind and a grey printer tell apart, and a marker and a line style beside each."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito (2008), without the yellow that white paper hides."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
LINES = ("-", "--", ":", "-.")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx")
WIDTH = 7.2
"""Inches of a figure: what a page of A4 or Letter holds, so that print keeps the size of the letters."""
DPI = 200

_SETTINGS: Any = {
    "font.family": "DejaVu Sans", "font.size": 7.5, "axes.titlesize": 8, "axes.labelsize": 7.5, "legend.fontsize": 7,
    "xtick.labelsize": 6.5, "ytick.labelsize": 6.5, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#dddddd", "grid.linewidth": 0.5, "axes.axisbelow": True, "lines.linewidth": 1.2, "lines.markersize": 4,
    "legend.frameon": False, "hatch.linewidth": 0.6, "svg.hashsalt": "analysis", "pdf.fonttype": 42, "figure.dpi": DPI,
}  # fmt: skip


@contextmanager
def drawing() -> Iterator[None]:
    """Figures made within look alike, on any machine and without a screen."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        yield


def panels(number: int, *, columns: int = 3, share_y: bool = True, height: float = 2.0) -> tuple[Any, list[Any]]:
    """A figure of ``number`` panels, row by row, each ``height`` inches; no pyplot, so nothing is left open."""
    from matplotlib.figure import Figure

    columns = 2 if number == 4 else min(number, columns)
    rows = -(-number // columns)
    taller = {1: 1.3, 2: 1.15}.get(columns, 1.0)
    figure = Figure(figsize=(WIDTH if columns > 1 else 0.6 * WIDTH, height * taller * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y).ravel().tolist()
    for unused in axes[number:]:
        unused.remove()
    for axis in axes[:number]:
        axis.tick_params(labelleft=True)
    return figure, axes[:number]


def series_colours(number: int) -> list[Any]:
    """Colours of an ordered series, small to large: dark blue to light green, never the yellow end."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.82 * i / max(number - 1, 1)) for i in range(number)]


def line(
    axis: Any, xs: Sequence[float], rows: Sequence[dict[str, Any]], *, colour: Any, marker: str, style: str, label: str
) -> None:
    """A line through the estimates, a vertical bar for each interval; an estimate that is nan is left out."""
    kept = [(x, row) for x, row in zip(xs, rows, strict=True) if not math.isnan(row["estimate"])]
    if not kept:
        return
    at = [x for x, _ in kept]
    axis.plot(at, [row["estimate"] for _, row in kept], color=colour, marker=marker, linestyle=style, label=label)
    bars = [(x, row) for x, row in kept if not (math.isnan(row["low"]) or math.isnan(row["high"]))]
    axis.vlines(
        [x for x, _ in bars], [r["low"] for _, r in bars], [r["high"] for _, r in bars], color=colour, linewidth=0.9, alpha=0.8
    )


def size_axis(axis: Any, sizes: Sequence[int], label: str = "parameters") -> None:
    """A logarithmic axis of model sizes with a tick at each."""
    axis.set_xscale("log")
    axis.set_xticks(sizes, [short(size) for size in sizes], rotation=45 if len(sizes) > 4 else 0)
    axis.set_xticks([], minor=True)
    axis.set_xlabel(label)


def step_axis(axis: Any, steps: Sequence[int]) -> None:
    """A logarithmic axis of training steps with 0 at its left end, and a tick at each."""
    if positive := [step for step in steps if step > 0]:
        axis.set_xscale("symlog", linthresh=positive[0], linscale=0.4)
    axis.set_xticks(steps, [short(step) for step in steps], rotation=45 if len(steps) > 4 else 0)
    axis.set_xticks([], minor=True)
    axis.set_xlabel("training step")


def legend_below(figure: Any, axes: Sequence[Any], columns: int = 4, title: str | None = None) -> None:
    """One legend under all panels, each label once."""
    named: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if named:
        figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=columns, title=title)


def nothing_here(axis: Any, sentence: str = "no estimate") -> None:
    """Say in a panel that it has nothing to show."""
    axis.text(0.5, 0.5, sentence, transform=axis.transAxes, ha="center", va="center", color="#555555")


def short(number: float) -> str:
    """A size as 14M or 1.4B."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.2g}{unit}" if number / size < 10 else f"{number / size:.0f}{unit}"
    return f"{number:.0f}"
