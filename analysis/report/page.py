"""Draw the figures and fill the page."""

import base64
import io
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from analysis.errors import MissingDependencyError
from analysis.files import replacing
from analysis.report import first, listings
from analysis.report.listings import Listing, Origin
from analysis.report.sections import Figure, Section, left_out, sections
from analysis.report.selection import Row, StudyChoices, Tables
from analysis.report.style import NothingToDrawError, drawing

REM_AN_INCH = 8
"""So that a figure as wide as a page of paper fills the column on a screen."""


class Drawn(NamedTuple):
    """A figure as SVG in base64: as wide as a page, and with one panel a row for a telephone."""

    wide: str
    narrow: str
    width: float
    """Of the wide one, in letters of the page (rem)."""


def write_report(
    tables: Tables,
    study: StudyChoices,
    folder: Path,
    *,
    glance: Sequence[Row] = (),
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
    glance
        A row for each task: what :func:`analysis.report.first.glance` says of it.
    overview
        What stands before all sections: stages that failed, the models.
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
    whole = first.forest_rows(tables, study)
    forest = [Figure("forest", first.caption(study), lambda: first.forest(tables, study))] if whole else []
    pictures = draw_figures([*forest, *(figure for section in told for figure in section.figures)], folder / "figures")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    here = files("analysis.report")
    template = environment.from_string(here.joinpath("page.html").read_text(encoding="utf-8"))
    page = template.render(
        study=study,
        models=[Path(model.name).name for model in study.models],
        css=here.joinpath("page.css").read_text(encoding="utf-8"),
        sentences=first.sentences(tables, study),
        forest=forest,
        glance=first.glance(glance) if glance else None,
        shown=[*first.pairs(tables.get("shown_pairs", ())), *first.answers(tables.get("shown_answers", ()))],
        sections=[_with_drawn(section, pictures) for section in told if not section.absent],
        left_out=left_out(told),
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


def _with_drawn(section: Section, pictures: Mapping[str, Drawn]) -> Section:
    """The section with those of its figures that had something to show."""
    return section._replace(figures=[figure for figure in section.figures if figure.name in pictures])


def draw_figures(figures: Sequence[Figure], folder: Path) -> dict[str, Drawn]:
    """Write each figure that has something to show as PNG and PDF; return each for the page, by name, in their order."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError(_install("matplotlib")) from error
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {}
    for figure in figures:
        with drawing():
            try:
                drawn = _laid_out(figure)
            except NothingToDrawError:
                continue
            for kind in ("png", "pdf"):
                _write(folder / f"{figure.name}.{kind}", _bytes(drawn, kind))
            wide, width = _bytes(drawn, "svg"), REM_AN_INCH * drawn.get_figwidth()
        with drawing(narrow=True):
            narrow = _bytes(_laid_out(figure), "svg")
        both = [base64.b64encode(picture).decode() for picture in (wide, narrow)]
        pictures[figure.name] = Drawn(both[0], both[1], round(width, 1))
    return pictures


def _laid_out(figure: Figure) -> Any:
    drawn = figure.draw()
    drawn.get_layout_engine().execute(drawn)
    drawn.set_layout_engine("none")  # places are found once for all files
    return drawn


def _bytes(figure: Any, kind: str) -> bytes:
    """The same bytes each time: no date inside. By the canvas itself: ``savefig`` draws everything once more to measure it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    canvas: Any = {"png": FigureCanvasAgg, "pdf": FigureCanvasPdf, "svg": FigureCanvasSVG}[kind](figure)
    undated: dict[str, Any] = {"png": {}, "pdf": {"metadata": {"CreationDate": None}}, "svg": {"metadata": {"Date": None}}}
    getattr(canvas, f"print_{kind}")(buffer, **undated[kind])
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _install(package: str) -> str:
    return f"the report needs {package}, which is not installed: pip install 'suffixindex[analysis]'"
