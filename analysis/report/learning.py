"""Figure and table of learning curves: models against n-gram distributions, along training and by size."""

from collections.abc import Sequence
from typing import Any

from analysis.report.by_size import lines_by_size
from analysis.report.listings import MODEL, SIZE, Listing, estimate, listing, text_column
from analysis.report.selection import Row, StudyChoices, distinct, final, model_label, picked, trajectory
from analysis.report.style import LINES, MARKERS, PALETTE, frame, legend_below, line, panels, shifts, size_axis, step_axis, title


def divergence(rows: Sequence[Row], study: StudyChoices) -> Any:
    """KL against training step, a panel a model that has earlier states; and of the last states against size, in a last panel."""
    models = [
        model for model in study.models if any(row["revision"] in model.checkpoints for row in picked(rows, model=model.name))
    ]
    last = final(rows, study)
    sizes = sorted(set(distinct(last, "num_parameters")))
    figure, axes = panels(len(models) + (len(sizes) > 1))
    ns = sorted(distinct(rows, "n"), key=lambda n: n or 1000)
    names = {n: f"n = {n}" if n else "the text (loss)" for n in ns}
    for axis, model in zip(axes, models, strict=False):
        path = [row for row in trajectory(rows, model) if row["step"] >= 0]
        for i, n in enumerate(ns):
            some = picked(path, n=n)
            look: dict[str, Any] = {"colour": PALETTE[i % 7], "marker": MARKERS[i % 10], "style": LINES[i % 4]}
            line(axis, [row["step"] for row in some], some, label=names[n], shift=shifts(len(ns))[i], **look)
        step_axis(axis, sorted({row["step"] for row in path}))
        _labelled(axis, model_label(path[-1]), path)
    if len(sizes) > 1:
        for i, n in enumerate(ns):
            look = {"colour": PALETTE[i % 7], "marker": MARKERS[i % 10], "label": names[n], "shift": shifts(len(ns))[i]}
            lines_by_size(axes[-1], picked(last, n=n), **look)
        size_axis(axes[-1], sizes)
        _labelled(axes[-1], "last states", last)
    legend_below(figure, axes, rows)
    return figure


def _labelled(axis: Any, heading: str, rows: Sequence[Row]) -> None:
    axis.set_ylabel("KL(n-gram ‖ model), nats")
    frame(axis, rows)
    title(axis, heading, [{"num_positions": row["num_positions"]} for row in rows])


def listed(rows: Sequence[Row]) -> Listing:
    """Divergence of n-gram distributions and models."""
    return listing(
        "KL of n-gram distributions of the next token and models', in nats.",
        [
            MODEL,
            SIZE,
            text_column("step", lambda row: f"{row['step']:,}" if row["step"] >= 0 else "?", True),
            text_column("n", lambda row: row["n"] or "the text", True),
            estimate("KL [interval]"),
            text_column("positions", lambda row: f"{row['num_positions']:,}", True),
            text_column("documents", lambda row: f"{row['num_examples']:,}", True),
        ],
        rows,
    )
