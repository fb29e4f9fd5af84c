"""Rooms keep their own matters to themselves: no underscore name is used in another room, and rooms and modules stay small."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for package in ("suffixindex", "analysis") for path in (ROOT / package).rglob("*.py"))
NAMED_TUPLE = {"_asdict", "_replace", "_fields", "_make", "_field_defaults"}
"""Public names of every NamedTuple, in spite of their underscore."""
THIRD_PARTY = {"_getvalue", "_load_index", "_exit"}
"""Numba's names for the value of a struct being made and for what it keeps of a kernel, and the system's for an end that waits
for no thread: there are no others."""
MOST_MODULES = 14
MOST_LINES = 400
LONG_MODULES = {"suffixindex/kernels/sort/ties.py": "one kernel, whose helpers are compiled and cached with it"}


def room(path: Path) -> str:
    """The folder of a module, from the repository's root."""
    return path.parent.relative_to(ROOT).as_posix()


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in NAMED_TUPLE | THIRD_PARTY


def defined(tree: ast.AST) -> Iterator[str]:
    """Underscore names that the objects of a module's classes have: methods, fields, and what is assigned to ``self``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield member.name
                elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    yield member.target.id
                elif isinstance(member, ast.Assign):
                    yield from (target.id for target in member.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            yield node.attr


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def foreign_names(tree: ast.AST, module: str, own: set[str]) -> Iterator[tuple[int, str]]:
    """(line, what) of each underscore name that is used on another object or taken from another room.

    ``other._name`` is allowed where a class of the same folder has ``_name``: then ``other`` is taken to be of that class.
    """
    folder = module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_self(node.value) and node.attr not in own:
            yield node.lineno, ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[0] != folder and node.module != folder:
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names if is_private(name.name))


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def test_no_underscore_name_crosses_a_room(trees: dict[Path, ast.AST]) -> None:
    own: dict[str, set[str]] = {}
    for path, tree in trees.items():
        own.setdefault(room(path), set()).update(defined(tree))
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path, tree in trees.items()
        for line, what in foreign_names(tree, ".".join(path.relative_to(ROOT).with_suffix("").parts), own[room(path)])
    ]
    assert not found, "use a public name, or move what is used:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("def f(other):\n    return other._hidden", ["other._hidden"]),
        ("def f(other):\n    return other._own", []),
        ("class A:\n    def f(self):\n        return self._hidden", []),
        ("def f(row):\n    return row._asdict() | row.__dict__", []),
        ("def f(index):\n    return index.shards[0]._map._tokens", ["index.shards[0]._map", "index.shards[0]._map._tokens"]),
        ("from package.other.module import _function", ["package.other.module._function"]),
        ("from package.room.module import _function", []),
    ],
)
def test_the_rule_on_examples(source: str, what: list[str]) -> None:
    assert sorted(name for _, name in foreign_names(ast.parse(source), "package.room.here", {"_own"})) == sorted(what)


def test_what_a_class_defines() -> None:
    source = "class A:\n    _a: int\n    _b = 1\n    def _c(self):\n        self._d, self._e = 1, 2\n        other._f = 3"
    assert {name for name in defined(ast.parse(source)) if is_private(name)} == {"_a", "_b", "_c", "_d", "_e"}


def test_no_folder_holds_more_modules_than_one_can_survey() -> None:
    sizes = Counter(room(path) for path in MODULES if path.name not in ("__init__.py", "__main__.py"))
    assert {name: size for name, size in sizes.items() if size > MOST_MODULES} == {}


def test_no_module_is_longer_than_one_reads_at_once() -> None:
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: number for name, number in lines.items() if number > MOST_LINES and name not in LONG_MODULES} == {}
    assert all(lines.get(name, MOST_LINES + 1) > MOST_LINES for name in LONG_MODULES), "an exception that is none any more"
