"""Results -> JSON files and generated tables in Markdown pages. No figure of a page is written by hand."""

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suffixindex.system.memory import cpu_count, total_memory

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    memory = round(total_memory() / 2**30)
    return {"processor": model, "cores": cpu_count(), "memory_gib": memory, "python": platform.python_version()}


def save(name: str, results: dict[str, Any]) -> None:
    """Keep the figures as ``benchmarks/results/NAME.json``."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine(), **results}, indent=1) + "\n")


def load(name: str) -> dict[str, Any]:
    """The figures that were kept under a name; empty if there are none."""
    path = RESULTS / f"{name}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def markdown(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *[[str(cell) for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def insert(page: Path, name: str, content: str) -> None:
    """Replace what stands between ``<!-- NAME -->`` and ``<!-- end NAME -->`` in a page."""
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    text = page.read_text(encoding="utf-8")
    if start not in text or end not in text:
        raise SystemExit(f"{page} has no place for {name}: it needs the lines {start} and {end}")
    before, after = text.split(start)[0], text.split(end)[1]
    page.write_text(f"{before}{start}\n{content}\n{end}{after}", encoding="utf-8")
