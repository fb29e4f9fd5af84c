"""Unusual machines: a build and a question there work, and what is out of the ordinary is said once."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
import pytest

from suffixindex.kernels.jit import helper, part, scratch
from tests.helpers.building import COMPILED, write_jsonl

WITHOUT_LOCATORS = """
import sys
from numba.core import caching
for name in ("InTreeCacheLocator", "InTreeCacheLocatorFsAgnostic", "UserWideCacheLocator", "ZipCacheLocator"):
    if hasattr(caching, name):
        setattr(getattr(caching, name), "from_function", classmethod(lambda cls, function, path: None))
"""
BUILD = """
import os
import suffixindex as si
from suffixindex.kernels import jit
si.build(sys.argv[1], sys.argv[2], tokenizer="words", progress=False)
print(si.open(sys.argv[2]).counts(["the cat"]).tolist(), os.environ.get("NUMBA_CACHE_DIR"))
"""


def run(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command: list[Any] = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "a.jsonl", ["the cat", "the cat sat"])


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
@pytest.mark.long  # compiles every kernel of a build and of its questions anew
def test_kernels_that_can_be_kept_nowhere_are_kept_until_the_process_ends(tmp_path: Path, corpus: Path) -> None:
    """As where the package's folder is read-only and there is no home."""
    (tmp_path / "tmp").mkdir()
    done = run(WITHOUT_LOCATORS + BUILD, corpus, tmp_path / "index", TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 0, done.stderr
    counts, folder = done.stdout.split()
    assert counts == "[2]" and folder.startswith(str(tmp_path / "tmp" / "suffixindex-kernels-"))
    said = f"compiled kernels are kept in {folder} until this process ends: set NUMBA_CACHE_DIR to a folder to keep them"
    assert done.stderr.splitlines() == [said]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
@pytest.mark.parametrize("spoiled", [b"cgone\nType\n.", b"", b"\x80"])
def test_kernels_that_an_earlier_version_kept_are_no_obstacle(tmp_path: Path, spoiled: bytes) -> None:
    """Their signatures name types, which may be gone."""
    (tmp_path / "kept.py").write_text("from suffixindex.kernels.jit import kernel\n\n@kernel\ndef twice(x):\n    return 2 * x\n")
    code = "from kept import twice\nfrom suffixindex.kernels.jit import is_ready\nprint(is_ready(twice, 2), twice(2))"
    where = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert [run(code, **where).stdout for _ in range(2)] == ["False 4\n", "True 4\n"]
    (index,) = [path for path in tmp_path.rglob("*.nbi") if "twice" in path.name]
    index.write_bytes(pickle.dumps(numba.__version__) + spoiled)
    assert [run(code, **where).stdout for _ in range(2)] == ["False 4\n", "True 4\n"]


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
@pytest.mark.parametrize("decorator", [helper, part])
def test_what_only_kernels_call_is_translated_as_a_piece_of_them(decorator: Callable[..., Any]) -> None:
    twice = decorator(lambda x: 2 * x)
    assert numba.njit(lambda x: twice(twice(x)))(np.int64(3)) == 12
    (code,) = twice.overloads.values()
    assert code.library.get_pointer_to_function(code.fndesc.mangled_name) == 0


def mixed(numbers, table, marks, size):
    """Elements from the end and of two axes, rows, arrays that change places, what one branch alone sets, numbers of one's own."""
    own = scratch(4, np.int64)
    for i in range(4):
        own[-1 - i] = numbers[i]
    here, there = numbers, own
    step = np.int64(0)
    while True:
        if marks[step - 2]:
            here, there = there, here
            last = here[-step]
        else:
            last = there[step] ** 2
        marks[step] = not marks[step]
        table[step & 1, -1 - step] += last
        row = table[-1]
        row[0] -= np.uint8(here[np.uint8(step)] & 7)
        step += 1
        if step == size:
            return here[0], there[0], last


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_compiled_code_does_what_its_python_does() -> None:
    inner = part(mixed)  # which no earlier run has kept
    compiled = numba.njit(lambda numbers, table, marks, size: inner(numbers, table, marks, size))  # noqa: PLW0108 - Python cannot call it
    for marked in range(16):
        marks = np.array([marked >> i & 1 for i in range(4)], bool)
        given = np.arange(5, 9, dtype=np.int64), np.arange(8, dtype=np.int32).reshape(2, 4), marks
        expected, found = [array.copy() for array in given], [array.copy() for array in given]
        assert compiled(*found, 4) == mixed_in_python(*expected, 4)
        assert all(map(np.array_equal, found, expected))


def mixed_in_python(*arguments: Any) -> Any:
    return FunctionType(mixed.__code__, {"np": np, "scratch": np.empty, "range": range})(*arguments)


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_a_numba_that_is_not_known_yet_compiles_kernels_as_it_does_all(tmp_path: Path) -> None:
    code = """
import numba
import numpy as np
numba.version_info = numba.version_info._replace(short=(9, 0))
from suffixindex.kernels.occurrences import documents_at
found = np.empty(2, np.int64)
documents_at(np.array([1, 3]), np.zeros(1, np.uint32), np.array([0, 2, 5], np.uint64), found)
print(documents_at.targetoptions.get("pipeline_class"), found)
"""
    for _ in range(2):  # compiled, and as it was kept
        assert run(code, NUMBA_CACHE_DIR=str(tmp_path)).stdout == "None [0 1]\n"


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_a_kernel_takes_arrays_of_which_others_were_compiled_before(tmp_path: Path) -> None:
    """What reads another engine's files is loaded with the first of them, when kernels were compiled without."""
    (tmp_path / "late.py").write_text("""
import numpy as np
from suffixindex.kernels.jit import kernel

@kernel
def size(array):
    return len(array)

print(size(np.zeros(2)))
from suffixindex.kernels.stored import StoredTable
size.compile((StoredTable(8),))
print(len(size.signatures))
""")
    where = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    done = run("import late", **where)
    assert done.stdout == "2\n2\n", done.stderr


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_scipy_is_not_loaded_for_kernels_and_others_find_it(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    code = """
import sys
import numba
import numpy as np
from suffixindex.tokenizers.splitting import split_batch
print(split_batch(["a b"]).lengths, "scipy.linalg" in sys.modules)
eye = np.eye(2)
print(numba.njit(lambda x: np.dot(x, x))(eye).sum(), numba.njit(lambda x: np.linalg.inv(x))(eye).sum())
print("scipy.linalg" in sys.modules)
"""
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)).stdout == "[2] False\n2.0 2.0\nTrue\n"


def test_a_temporary_folder_that_is_none_and_a_language_without_accents(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "é.jsonl", ["naïve café"])
    code = "import sys\n" + BUILD.replace("the cat", "café").replace("from suffixindex.kernels import jit", "")
    odd = {"TMPDIR": str(tmp_path / "nowhere"), "LANG": "C", "LC_ALL": "C"}
    done = run(code, corpus, tmp_path / "index", **odd)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[1]")
    command = [sys.executable, "-m", "suffixindex", "count", str(tmp_path / "index"), "café"]
    asked = subprocess.run(command, env={**os.environ, **odd}, capture_output=True, check=False)
    assert (asked.returncode, asked.stderr) == (0, b"")
    assert b'"count": 1' in asked.stdout


@pytest.mark.skipif(os.name == "nt", reason="no such limits")
def test_a_build_of_many_shards_and_its_questions_with_few_descriptors(tmp_path: Path) -> None:
    corpus = [write_jsonl(tmp_path / f"{number}.jsonl", ["the cat sat", "a cat"]) for number in range(40)]
    limit = "import resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))\n"
    code = """
import suffixindex as si
si.build(sys.argv[2:], sys.argv[1], tokenizer="words", shard_tokens=9, progress=False)
with si.open(sys.argv[1]) as index:
    print(index.num_shards, index.counts(["cat"]), index.document_count("cat"), len(index.documents("the", limit=None)))
    index.document(79).path
print(si.verify(sys.argv[1], full=True).shards)
"""
    done = run(limit + code, tmp_path / "index", *corpus)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "40 [80] 80 40\n40\n"
