"""Lines over the sizes of models: one for each family, since models of two families are no ladder."""

from collections.abc import Sequence
from typing import Any

from analysis.measures.size_trend import family
from analysis.report.selection import Row, by_size, model_label
from analysis.report.style import LINES, line, short


def lines_by_size(axis: Any, rows: Sequence[Row], *, colour: Any, marker: str, label: str, shift: float = 0.0) -> None:
    """The estimates of ``rows`` against parameters; of several families the key names each once, by its style of line."""
    families = list(dict.fromkeys(family(row["model"]) for row in by_size(rows)))
    for i, name in enumerate(sorted(families)):
        ordered = [row for row in by_size(rows) if family(row["model"]) == name]
        look: dict[str, Any] = {"colour": colour, "marker": marker, "style": LINES[i % 4]}
        line(axis, [row["num_parameters"] for row in ordered], ordered, label=label, shift=shift, **look)
        if len(families) > 1:
            axis.plot([], [], color="#444444", linestyle=LINES[i % 4], label=name)


def size_label(row: Row, models: Sequence[str]) -> str:
    """A model in a key: its size, with its family where there are several; its name where the size is unknown."""
    if row["num_parameters"] <= 0:
        return model_label(row)
    several = len({family(model) for model in models}) > 1
    return f"{family(row['model'])} {short(row['num_parameters'])}" if several else short(row["num_parameters"])
