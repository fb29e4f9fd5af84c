"""Pages that mkdocs makes from the code and from files elsewhere: a new command or public name is on one by itself.

``mkdocs.yml`` names this as a hook. A page is made before the build from what the packages say of themselves: the public names of
``suffixindex``, the commands' own help, the study's settings and tables; and from the Markdown files that lie beside the code
that they are about.
"""

import inspect
import posixpath
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import suffixindex as si
from analysis.cli import main as study_commands
from analysis.config import Config
from analysis.settings import described
from suffixindex.cli.main import main as suffixindex_commands
from suffixindex.storage import format as storage_format

ROOT = Path(__file__).parents[1]
BESIDE_THE_CODE = {
    "index.md": "README.md",
    "study/index.md": "analysis/README.md",
    "benchmarks.md": "benchmarks/README.md",
    "deployment/page.md": "suffixindex/serve/README.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages, and the files that they are: these stay beside what they are about."""
LINK = re.compile(r"(?<=\]\()([^)\s:]+)(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for path, text in made().items():
        files.append(File.generated(config, path, content=text))
    return files


def made() -> dict[str, str]:
    """The text of every page that is made, by its path."""
    return {
        "reference/index.md": overview(),
        "reference/commands.md": commands("Commands", suffixindex_commands, "suffixindex"),
        "reference/SuffixIndex.md": names("SuffixIndex", ["SuffixIndex"], INDEX),
        "reference/functions.md": names("Functions", public("functions"), FUNCTIONS),
        "reference/results.md": names("Results", public("results"), RESULTS),
        "reference/errors.md": names("Errors", public("errors"), ERRORS),
        "reference/lm.md": module("Language models", "suffixindex.lm"),
        "reference/serve.md": module("Serving", "suffixindex.serve"),
        "study/commands.md": commands("The study's commands", study_commands, "python -m analysis"),
        "study/settings.md": settings(),
        "study/tables.md": tables(),
        "explanations/specification.md": specification(),
        "examples/index.md": examples(),
        **{page: elsewhere(page, source) for page, source in BESIDE_THE_CODE.items()},
    }


# ---- the public names ------------------------------------------------------------------------------------------------

INDEX = (
    "Every question stands on this one class. `si.open(path)` makes it, `si.connect(url)` one that asks a server in the same words."
)
FUNCTIONS = "What makes, opens and checks indexes: `import suffixindex as si`, then `si.build(…)`."
RESULTS = """What questions and builds return: frozen records with their evidence. `a, b = result` unpacks one, `==` compares all
fields, arrays included."""
ERRORS = """Every error says what failed, what was found, what was expected and what to do. All derive from `SuffixIndexError`, and
from the builtin that one would guess."""


def public(kind: str) -> list[str]:
    """The public names of a kind: ``functions`` (and values), ``results``, ``errors``."""
    return [name for name in si.__all__ if kind_of(name) == kind]


def kind_of(name: str) -> str:
    """On which page a public name stands."""
    value = getattr(si, name)
    if name == "SuffixIndex":
        return name
    if inspect.ismodule(value):
        return name
    if inspect.isclass(value):
        return "errors" if issubclass(value, Exception) else "results"
    return "functions"


def page_of(name: str) -> str:
    """The page, and the place on it, of a public name."""
    value, kind = getattr(si, name), kind_of(name)
    if inspect.ismodule(value):
        return f"{kind}.md"
    return f"{kind}.md#{full_name(si, name)}"


def full_name(home: ModuleType, name: str) -> str:
    """The name of something public where it is defined, by which the reference calls it."""
    value = getattr(home, name)
    return f"{getattr(value, '__module__', home.__name__)}.{name}"


def names(title: str, listed: list[str], about: str) -> str:
    """A page of names; of a result every field is shown, with a docstring or without."""
    fields = "\n    options:\n      show_if_no_docstring: true" if title == "Results" else ""
    return f"# {title}\n\n{about}\n\n" + "\n\n".join(f"::: {full_name(si, name)}{fields}" for name in listed) + "\n"


def module(title: str, name: str) -> str:
    """A page of a module: what it says of itself, and its public names where they are defined."""
    found = import_module(name)
    blocks = [f"::: {full_name(found, member)}" for member in found.__all__]
    return f"# {title}\n\n{first_line(found)}\n\n" + "\n\n".join(blocks) + "\n"


def first_line(value: object) -> str:
    text = (inspect.getdoc(value) or "").split("\n\n")[0]
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text.replace("\n", " ").replace("|", "\\|"))


def overview() -> str:
    """A table of all public names, and of all questions."""
    rows = "\n".join(f"| [`{name}`]({page_of(name)}) | {about(name)} |" for name in si.__all__)
    home = full_name(si, "SuffixIndex")
    questions = "\n".join(
        f"| [`{name}`](SuffixIndex.md#{home}.{name}) | {first_line(value)} |"
        for name, value in vars(si.SuffixIndex).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    )
    return (
        "# Reference\n\n`import suffixindex as si`; from the shell, [the commands](commands.md).\n\n"
        f"| `si.` | |\n|---|---|\n{rows}\n\n## Questions\n\n| `index.` | |\n|---|---|\n{questions}\n"
    )


def about(name: str) -> str:
    value = getattr(si, name)
    return first_line(value if callable(value) or inspect.ismodule(value) else type(value))


# ---- commands, settings, tables --------------------------------------------------------------------------------------


def commands(title: str, group: click.Group, shown: str) -> str:
    """What every command prints for ``--help``, in the order of use."""
    parts = [f"# {title}", "What each command prints for `--help`, in the order of their use.", help_of(group, shown)]
    for name in group.commands:
        parts += [f"## {name}", help_of(group.commands[name], f"{shown} {name}")]
    return "\n\n".join(parts) + "\n"


def help_of(command: click.Command, shown: str) -> str:
    with click.Context(command, info_name=shown, max_content_width=96, terminal_width=96) as context:
        context.help_option_names = ["-h", "--help"]
        return f"```text\n{command.get_help(context)}\n```"


def settings() -> str:
    """Every setting of a study's TOML file."""
    lines = ["# The study's settings", "", "What a study's TOML file may say: `python -m analysis settings` prints the same.", ""]
    for name, default, doc in described(Config):
        if name.startswith("["):
            lines += ["", f"## `{name}`", "", doc, "", "| setting | default | |", "|---|---|---|"]
        else:
            lines.append(f"| `{name}` | `{default}` | {doc} |".replace("\n", " "))
    return "\n".join(lines) + "\n"


def tables() -> str:
    """The columns of the study's tables, as ``analysis/schemas.py`` says them."""
    source = (ROOT / "analysis" / "schemas.py").read_text(encoding="utf-8")
    head = source.split('"""')[1]
    columns = source.split("def _schema")[1].split("\n\n\n", 1)[1].strip()
    return f"# The study's tables\n\n{head.strip()}\n\n```python\n{columns}\n```\n"


def specification() -> str:
    """The format on disk, as ``storage/format.py`` specifies it."""
    return "# The specification\n\n" + (inspect.getdoc(storage_format) or "").replace("\n::\n", "")


# ---- examples, and pages beside the code -----------------------------------------------------------------------------


def scripts() -> Iterator[tuple[Path, str, str]]:
    """(path, docstring, source) of each example."""
    for path in sorted((ROOT / "docs" / "examples").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        _, docstring, code = source.split('"""', 2)
        yield path, docstring, code


def examples() -> str:
    """All examples, each with its code."""
    parts = [(ROOT / "docs" / "examples" / "README.md").read_text(encoding="utf-8")]
    for path, docstring, code in scripts():
        title, _, rest = docstring.partition("\n")
        parts.append(f"## {title.rstrip('.')}\n\n{rest.strip()}\n\n[{path.name}]({path.name})\n\n```python\n{code.strip()}\n```\n")
    return "\n".join(parts)


def elsewhere(page: str, source: str) -> str:
    """A file beside the code as a page: links to files that are pages lead to these, others are the names of files."""
    text = (ROOT / source).read_text(encoding="utf-8")
    folder = posixpath.dirname(source)
    return re.sub(r"\[([^\]]+)\]\(([^)\s:]+)\)", lambda found: relinked(page, folder, found[1], found[2]), text)


def relinked(page: str, folder: str, shown: str, link: str) -> str:
    path, sign, anchor = link.partition("#")
    if not path:
        return f"[{shown}]({link})"
    path = posixpath.normpath(posixpath.join(folder, path))
    made_of = {source: target for target, source in BESIDE_THE_CODE.items()}
    target = made_of.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
    if target is None:
        return shown if "`" in shown else f"`{shown}`" if shown == path else f"{shown} (`{path}`)"
    return f"[{shown}]({posixpath.relpath(target, posixpath.dirname(page) or '.')}{sign}{anchor})"
