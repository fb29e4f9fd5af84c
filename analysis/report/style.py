"""How figures look: colours that the colour-blind and a grey printer tell apart, and a marker and a line style beside each."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito (2008), without the yellow that white paper hides."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
LINES = ("-", "--", ":", "-.")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx")
WIDTH = 7.2
"""Inches of a figure: what a page of A4 or Letter holds, so that print keeps the size of the letters."""
NARROW_WIDTH = 3.7
"""Inches of the same figure for a telephone: one panel a row."""
DPI = 200
LEAST_EXAMPLES = 10
"""Estimates of fewer are hollow."""
SHIFT = 2.6
"""Points between lines of one panel."""

_SETTINGS: Any = {
    "font.family": "DejaVu Sans", "font.size": 7.5, "axes.titlesize": 8, "axes.labelsize": 7.5, "legend.fontsize": 7,
    "xtick.labelsize": 6.5, "ytick.labelsize": 6.5, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#dddddd", "grid.linewidth": 0.5, "axes.axisbelow": True, "lines.linewidth": 1.2, "lines.markersize": 4,
    "legend.frameon": False, "hatch.linewidth": 0.6, "svg.hashsalt": "analysis", "pdf.fonttype": 42, "figure.dpi": DPI,
}  # fmt: skip


_narrow: ContextVar[bool] = ContextVar("narrow", default=False)


@contextmanager
def drawing(narrow: bool = False) -> Iterator[None]:
    """Figures made within look alike, on any machine and without a screen; narrow ones have one panel a row."""
    import matplotlib

    token = _narrow.set(narrow)
    try:
        with matplotlib.rc_context(_SETTINGS):
            yield
    finally:
        _narrow.reset(token)


class NothingToDrawError(Exception):
    """A figure without a panel: what it would show is in none of its rows."""


def panels(number: int, *, columns: int = 3, height: float = 2.0, wide: bool = False) -> tuple[Any, list[Any]]:
    """A figure of ``number`` panels, row by row, each ``height`` inches; no pyplot, so nothing is left open.

    One panel alone is narrower than a page unless it is to be ``wide``.

    Raises
    ------
    NothingToDrawError
        None: the report leaves such a figure out.
    """
    if not number:
        raise NothingToDrawError
    from matplotlib.figure import Figure

    narrow = _narrow.get()
    columns = 1 if narrow else 2 if number == 4 else min(number, columns)
    rows = -(-number // columns)
    taller = 1.1 if narrow else {1: 1.3, 2: 1.15}.get(columns, 1.0)
    width = NARROW_WIDTH if narrow else WIDTH if columns > 1 or wide else 0.6 * WIDTH
    figure = Figure(figsize=(width, height * taller * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
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
    axis: Any,
    xs: Sequence[float],
    rows: Sequence[dict[str, Any]],
    *,
    colour: Any,
    marker: str,
    style: Any,
    label: str,
    shift: float = 0.0,
) -> None:
    """A line through the estimates, a vertical bar for each interval; an estimate that is nan is left out.

    Estimates of few examples are hollow. ``shift`` moves all of it sideways, in points, so that bars of several lines stand
    beside each other.
    """
    kept = [(x, row) for x, row in zip(xs, rows, strict=True) if not math.isnan(row["estimate"])]
    if not kept:
        return
    at, estimates = [x for x, _ in kept], [row["estimate"] for _, row in kept]
    bars = [(x, row["low"], row["high"]) for x, row in kept if not (math.isnan(row["low"]) or math.isnan(row["high"]))]
    marked: list[Any] = [((at, estimates), {"linestyle": style, "linewidth": 1.2})]
    marked += [(((x, x), ends), {"linewidth": 0.9, "alpha": 0.8}) for x, *ends in bars]
    for few, face in ((False, colour), (True, "white")):
        some = [(x, row["estimate"]) for x, row in kept if is_few(row) == few]
        look = {"marker": marker, "markerfacecolor": face, "linestyle": "none"}
        marked.append((([x for x, _ in some], [estimate for _, estimate in some]), look))
    _add(axis, _moved(axis, shift), marked, colour)
    axis.update_datalim([*zip(at, estimates, strict=True), *((x, end) for x, *ends in bars for end in ends)])
    axis.autoscale_view()
    axis.plot([], [], color=colour, marker=marker, linestyle=style, label=label)  # what the key shows: never hollow


def _add(axis: Any, transform: Any, marked: Sequence[Any], colour: Any) -> None:
    """Lines at places of another transform than the data's, which are not what the limits follow."""
    from matplotlib.lines import Line2D

    for points, look in marked:
        drawn = Line2D(*points, color=colour, transform=transform, **look)
        drawn.set_clip_path(axis.patch)
        axis.add_artist(drawn)


def _moved(axis: Any, points: float, upright: bool = False) -> Any:
    from matplotlib.transforms import ScaledTranslation

    by = (0.0, points / 72) if upright else (points / 72, 0.0)
    return axis.transData + ScaledTranslation(*by, axis.figure.dpi_scale_trans)


def shifts(number: int) -> list[float]:
    """Points by which so many lines stand beside each other."""
    return [SHIFT * (i - (number - 1) / 2) for i in range(number)]


def is_few(row: dict[str, Any]) -> bool:
    """Whether an estimate rests on fewer examples than a reader should trust."""
    return bool(row.get("num_examples", row.get("num_pairs", LEAST_EXAMPLES)) < LEAST_EXAMPLES)


def point(
    axis: Any, ys: Sequence[float], rows: Sequence[dict[str, Any]], *, colour: Any, marker: str, label: str, shift: float = 0.0
) -> None:
    """Estimates from left to right with their intervals, one a line at ``ys``; of few examples hollow; ``shift`` in points."""
    marked: list[Any] = []
    for y, row in zip(ys, rows, strict=True):
        face = "white" if is_few(row) else colour
        marked.append((((row["low"], row["high"]), (y, y)), {"linewidth": 0.9, "alpha": 0.8}))
        marked.append((([row["estimate"]], [y]), {"marker": marker, "markerfacecolor": face, "linestyle": "none"}))
    _add(axis, _moved(axis, shift, upright=True), marked, colour)
    axis.plot([], [], color=colour, marker=marker, label=label)


def frame(axis: Any, rows: Sequence[dict[str, Any]], null: float | None = None) -> None:
    """Limits by the estimates and their usual intervals: one bar from end to end does not press all others flat.

    A bar that goes on beyond them is cut, which a small arrow at the panel's corner says.
    """
    if limits := _limits(rows, null):
        axis.set_ylim(*limits)
        for beyond, place, marker in zip(_cut(rows, limits), (0.0, 1.0), ("v", "^"), strict=True):
            if beyond:
                axis.plot([0.985], [place], marker=marker, transform=axis.transAxes, **_ARROW)


def frame_along(axis: Any, rows: Sequence[dict[str, Any]], null: float | None = None) -> None:
    """The same of a panel whose estimates stand from left to right."""
    if limits := _limits(rows, null):
        axis.set_xlim(*limits)
        for beyond, place, marker in zip(_cut(rows, limits), (0.0, 1.0), ("<", ">"), strict=True):
            if beyond:
                axis.plot([place], [0.02], marker=marker, transform=axis.transAxes, **_ARROW)


_ARROW: Any = {"color": "#444444", "markersize": 3.5, "clip_on": False}


def _limits(rows: Sequence[dict[str, Any]], null: float | None) -> tuple[float, float] | None:
    known = [row for row in rows if not math.isnan(row["estimate"])]
    if not known:
        return None
    sure = [row for row in known if not is_few(row)] or known
    widths = sorted(row["high"] - row["low"] for row in sure if row["high"] > row["low"])
    reach = 2 * widths[len(widths) // 2] if widths else math.inf
    ends = [row["estimate"] for row in known] + ([] if null is None else [null])
    ends += [max(row["low"], row["estimate"] - reach) for row in known if not math.isnan(row["low"])]
    ends += [min(row["high"], row["estimate"] + reach) for row in known if not math.isnan(row["high"])]
    margin = 0.06 * (max(ends) - min(ends) or abs(max(ends)) or 1.0)
    return min(ends) - margin, max(ends) + margin


def _cut(rows: Sequence[dict[str, Any]], limits: tuple[float, float]) -> tuple[bool, bool]:
    return any(row["low"] < limits[0] for row in rows), any(row["high"] > limits[1] for row in rows)


def title(axis: Any, text: str, rows: Sequence[dict[str, Any]]) -> None:
    """A panel's title, and below it how many pairs and examples stand behind its estimates."""
    axis.set_title(text, loc="left", pad=10)
    if said := [told for name in ("num_pairs", "num_ngrams", "num_examples") if (told := _range(rows, name))]:
        axis.annotate(
            " · ".join(said), (0, 1), (0, 2), xycoords="axes fraction", textcoords="offset points", fontsize=6, color="#444444"
        )


def above(axis: Any, text: str, place: float) -> None:
    """A small text on a panel's upper edge, from the left (0) to the right (1)."""
    where: Any = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axis.annotate(text, (place, 1), (0, 2), fontsize=6, color="#444444", **where)


def _range(rows: Sequence[dict[str, Any]], name: str) -> str:
    numbers = sorted({row[name] for row in rows if name in row})
    few = f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,}–{numbers[-1]:,}" if numbers else ""
    return few and f"{few} {name.removeprefix('num_').replace('ngrams', 'n-grams')}"


def size_axis(axis: Any, sizes: Sequence[int], label: str = "parameters") -> None:
    """A logarithmic axis of model sizes with a tick at each."""
    axis.set_xscale("log")
    axis.set_xticks(sizes, [short(size) for size in sizes], rotation=45 if len(sizes) > 4 else 0)
    axis.set_xticks([], minor=True)
    axis.set_xlabel(label)
    if len(sizes) == 1 or not axis.dataLim.width > 0:  # no line whose ends say where the axis ends
        axis.set_xlim(min(sizes) / 2, max(sizes) * 2)


def step_axis(axis: Any, steps: Sequence[int]) -> None:
    """A logarithmic axis of training steps with 0 at its left end, and a tick at each."""
    if positive := [step for step in steps if step > 0]:
        axis.set_xscale("symlog", linthresh=positive[0], linscale=0.4)
    axis.set_xticks(steps, [short(step) for step in steps], rotation=45 if len(steps) > 4 else 0)
    axis.set_xticks([], minor=True)
    axis.set_xlabel("training step")


def legend_below(figure: Any, axes: Sequence[Any], rows: Sequence[dict[str, Any]] = (), title: str | None = None) -> None:
    """One legend under all panels, each label once; of ``rows`` it says what hollow marks are, where there are such."""
    from matplotlib.lines import Line2D

    named: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if any(is_few(row) and not math.isnan(row["estimate"]) for row in rows):
        hollow: Any = {"color": "#444444", "marker": "o", "markerfacecolor": "white", "linestyle": "none"}
        named[f"fewer than {LEAST_EXAMPLES} examples"] = Line2D([], [], **hollow)
    if named:
        columns = max(1, int(figure.get_figwidth() * 13 / (max(map(len, named)) + 6)))
        figure.set_figheight(figure.get_figheight() + 0.14 * (-(-len(named) // columns) - 1 + (title is not None)))
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
