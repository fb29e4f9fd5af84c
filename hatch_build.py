"""The study in the wheel: ``analysis/`` of the checkout, under a name that collides with nobody's.

A checkout runs ``python -m analysis``; a wheel has ``suffixindex_analysis`` and the command ``suffixindex-analysis``. The files are
the same but for the package's name, which is rewritten here: in imports, in names of modules, in what commands and messages say.
"""

import re
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE, NAME, COMMAND = "analysis", "suffixindex_analysis", "suffixindex-analysis"
REWRITTEN = (
    (re.compile(r"python -m analysis\b(?!\.)"), COMMAND),
    (re.compile(r"\b(from|import) analysis\b"), rf"\1 {NAME}"),
    (re.compile(r"(?<![\w.])analysis\.(?=[a-z])"), f"{NAME}."),  # names of modules
    (re.compile(r"(?<![\w/])analysis/(?=[a-zA-Z])"), f"{NAME}/"),  # its files
)
EDITABLE = '''"""The study of the checkout: `python -m suffixindex_analysis` is `python -m analysis` there."""

import analysis

__path__ = analysis.__path__
'''


def rewritten(text: str) -> str:
    """A file of the study with the package's name in the wheel."""
    for pattern, name in REWRITTEN:
        text = pattern.sub(name, text)
    return text


def write_study(root: Path, target: Path) -> None:
    """Write the study below ``target`` as the wheel has it."""
    for path in sorted((root / SOURCE).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md":
            copy = target / path.relative_to(root / SOURCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")


class StudyHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the study to a wheel; to an editable install, a package that leads to the checkout's."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        target = Path(mkdtemp()) / NAME
        if version == "editable":
            target.mkdir()
            (target / "__init__.py").write_text(EDITABLE, encoding="utf-8")
            build_data["force_include_editable"][str(target)] = NAME
        else:
            write_study(Path(self.root), target)
            build_data["force_include"][str(target)] = NAME
