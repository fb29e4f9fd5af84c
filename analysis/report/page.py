"""Draw the figures and fill the page."""

import base64
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from analysis.errors import MissingDependencyError
from analysis.files import replacing
from analysis.report import listings
from analysis.report.listings import Listing, Origin
from analysis.report.sections import Section, sections
from analysis.report.selection import StudyChoices, Tables
from analysis.report.style import DPI, drawing


def write_report(
    tables: Tables,
    study: StudyChoices,
    folder: Path,
    *,
    overview: Sequence[Listing] = (),
    origins: Sequence[Origin] = (),
    inputs: Sequence[tuple[str, str]] = (),
    versions: Sequence[tuple[str, str]] = (),
    settings: str = "",
) -> Path:
    """Write ``report.html`` and ``figures/*.png`` and ``*.pdf`` into a folder; return the page's path.

    Parameters
    ----------
    tables
        Rows by kind: drops, correlations, performance, novelty, contamination, influence, prompts, dose_response.
    study
        Which of the rows lead.
    overview
        What stands before all sections: the tasks, the models.
    origins, inputs, versions, settings
        For the section of provenance: the stages' outputs, (name, sha256) of what they read, versions, the configuration as it is.

    Raises
    ------
    MissingDependencyError
        matplotlib or jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingDependencyError(_install("jinja2")) from error
    told = sections(tables, study)
    pictures = draw_figures(told, folder / "figures")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    here = files("analysis.report")
    template = environment.from_string(here.joinpath("page.html").read_text(encoding="utf-8"))
    page = template.render(
        study=study,
        models=[Path(model.name).name for model in study.models],
        css=here.joinpath("page.css").read_text(encoding="utf-8"),
        sections=told,
        pictures=pictures,
        numbers={name: number for number, name in enumerate(pictures, 1)},
        overview=overview,
        origins=listings.origins(origins),
        inputs=listings.inputs(inputs),
        versions=versions,
        settings=settings,
    )
    path = folder / "report.html"
    _write(path, page.encode())
    return path


def draw_figures(told: Sequence[Section], folder: Path) -> dict[str, str]:
    """Write each figure as PNG and PDF; return each as SVG in base64, by name, in the report's order."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError(_install("matplotlib")) from error
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {}
    with drawing():
        for figure in (figure for section in told for figure in section.figures):
            drawn = figure.draw()
            drawn.draw_without_rendering()
            drawn.set_layout_engine("none")  # places are found once for all three files
            for kind in ("png", "pdf"):
                _write(folder / f"{figure.name}.{kind}", _bytes(drawn, kind))
            pictures[figure.name] = base64.b64encode(_bytes(drawn, "svg")).decode()
    return pictures


def _bytes(figure: Any, kind: str) -> bytes:
    """The same bytes each time: no date inside."""
    buffer = io.BytesIO()
    undated = {"png": None, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
    figure.savefig(buffer, format=kind, dpi=DPI, metadata=undated)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _install(package: str) -> str:
    return f"the report needs {package}, which is not installed: pip install 'suffixindex[analysis]'"
