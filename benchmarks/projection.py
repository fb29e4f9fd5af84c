"""What builds far larger than any machine here would take on a cluster, from measured figures and stated hardware.

    python -m benchmarks.projection [--nodes 16 --cores 64 --memory 256GiB --network 3.1GB --read 20GB --write 10GB …]
    python -m benchmarks.projection --check 12MB --link 2MB

The first computes the table of the page from ``results/scaling.json``: core seconds of encoding a byte of text and of sorting
a token, bytes a token. The model is that of :func:`project`: a slot of a worker reads, computes and writes in turn, as the
code does, so the terms of a phase add up; phases do not overlap, as the code has a barrier between them. The second holds it
against builds by 1, 2 and 4 workers on this machine, each behind a simulated link of so many bytes a second: with it even
two cores show how workers add up.
"""

import argparse
import logging
import os
import tempfile
from dataclasses import dataclass, replace
from math import ceil, log10
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import suffixindex as si
from benchmarks.tables import ROOT, insert, load, machine, markdown, save
from suffixindex.building.budget import GROWTH_PER_DECADE, bytes_per_token, fixed_bytes
from suffixindex.cli.demo import standard_library
from suffixindex.distributed.worker import SHARE
from suffixindex.storage.format import TOKEN_TYPES
from suffixindex.storage.tables import TABLE_BYTES
from suffixindex.suffix_sort.sort import MAX_TOKENS
from suffixindex.system.memory import cpu_count, parse_size

RESOURCES = ("cores", "hashing", "network", "filesystem")
CORPORA = {"Pile": 3e11, "Dolma": 3e12, "10 trillion": 1e13}


@dataclass(frozen=True)
class Hardware:
    """A cluster. Bandwidths are bytes a second; ``hashing`` of a task, the filesystem's of all nodes together."""

    nodes: int
    cores: int
    memory: int
    network: float
    read: float
    write: float
    hashing: float = float("inf")
    efficiency: float = 1.0
    """Of a core when all of its node work, of what it does when a few do."""


@dataclass(frozen=True)
class Costs:
    """What a token costs: core seconds, and bytes. ``sorted_length`` is the shard that ``sort`` was measured on."""

    encode: float
    sort: float
    sorted_length: int
    text: float
    metadata: float
    token_type: str


class Projection(NamedTuple):
    """What a build would take; ``phases[phase][resource]`` in seconds, ``disk`` in bytes, at its end and at most."""

    phases: dict[str, dict[str, float]]
    core_seconds: float
    shards: int
    shard_tokens: int
    disk: float
    disk_peak: float
    worker_memory: float

    def of(self, resource: str) -> float:
        """Seconds of a resource in all phases."""
        return sum(terms[resource] for terms in self.phases.values())

    @property
    def seconds(self) -> float:
        """Of the build: in each phase the cores', and those of the slowest of what moves its bytes."""
        return sum(terms["cores"] + max(terms[name] for name in RESOURCES[1:]) for terms in self.phases.values())

    @property
    def bottleneck(self) -> str:
        return max(RESOURCES, key=self.of)


def measured(row: dict[str, Any], cores: int) -> Costs:
    """The costs that a row of ``results/scaling.json`` shows, whose build used ``cores`` cores."""
    tokens, width = row["tokens"], row["array_bytes_per_token"]
    return Costs(
        encode=row["seconds"]["encode"] * cores / tokens,
        sort=row["seconds"]["sort"] * cores / tokens,
        sorted_length=tokens,
        text=row["text_bytes"] / tokens,
        metadata=row["bytes_per_token"] - width - TABLE_BYTES,
        token_type=row["token_type"],
    )


def project(tokens: float, costs: Costs, hardware: Hardware, compression: float, shard_tokens: int | None = None) -> Projection:
    """Seconds of every phase on every resource, the size of shards, disk and memory.

    Encoding reads compressed text and writes parts: tokens and metadata. Making shards reads the parts, writes tokens and
    metadata again, then the suffix array and tables. A node's bytes go through its link and share the filesystem. Shards
    are as large as let every node sort two at once, and are sorted in rounds.
    """
    per_token = bytes_per_token(costs.token_type)
    usable = hardware.memory * SHARE - fixed_bytes(hardware.cores)
    shard = shard_tokens or int(min(usable / 2 / per_token, MAX_TOKENS, max(tokens / hardware.nodes / 2, 1)))
    shards = ceil(tokens / shard)
    at_once = max(1, min(hardware.cores, int(usable / (shard * per_token))))
    rounds = ceil(shards / (at_once * hardware.nodes))
    idle = rounds * at_once * hardware.nodes / shards  # the last round is not full
    cores = hardware.nodes * hardware.cores * hardware.efficiency
    width = TOKEN_TYPES[costs.token_type].itemsize
    part, made = width + costs.metadata, width + costs.metadata + 4 + TABLE_BYTES
    grown = costs.sort * (1 + GROWTH_PER_DECADE * max(0.0, log10(shard / costs.sorted_length)))

    def moved(read: float, written: float, tasks: int) -> dict[str, float]:
        return {
            "hashing": written * tokens / (hardware.hashing * tasks * hardware.nodes),
            "network": (read + written) * tokens / (hardware.network * hardware.nodes),
            "filesystem": max(read * tokens / hardware.read, written * tokens / hardware.write),
        }

    phases = {
        "encode": {"cores": tokens * costs.encode / cores, **moved(costs.text / compression, part, hardware.cores)},
        "sort": {"cores": tokens * grown * idle / cores, **moved(part, made, at_once)},
    }
    return Projection(
        phases=phases,
        core_seconds=tokens * (costs.encode + grown),
        shards=shards,
        shard_tokens=shard,
        disk=tokens * made,
        disk_peak=tokens * (made + part),
        worker_memory=fixed_bytes(hardware.cores) + at_once * shard * per_token,
    )


# ---- the check -----------------------------------------------------------------------------------------------------

SLOW_LINK = """
import time
from suffixindex.storage import files
from suffixindex.building import parts
from suffixindex.building import writer as tokens
LINK = {link}
def slow(size):
    time.sleep(size / LINK)
def original(module, name):  # Dask may run this twice
    return vars(module).setdefault("original_" + name, getattr(module, name))
def write_blocks(path, blocks, real=original(files, "write_blocks")):
    def counted():
        for block in blocks:
            slow(len(block))
            yield block
    return real(path, counted())
def write(file, block, real=original(tokens, "write")):
    slow(len(block))
    real(file, block)
def read(path, start, stop, real=original(parts, "_blocks")):
    slow(stop - start)
    return real(path, start, stop)
files.write_blocks = parts.write_blocks = write_blocks
tokens.write, parts._blocks = write, read
"""


def check(text_bytes: int, link: float, shards: int) -> list[dict[str, Any]]:
    """Builds by 1, 2 and 4 workers, and what the model says of 2 and 4 given the core seconds of 1."""
    from distributed import LocalCluster

    rows: list[dict[str, Any]] = []
    costs: Costs
    corpus, total = [], 0
    for path in standard_library():
        if total < text_bytes and os.path.getsize(path) < text_bytes / shards / 4:
            corpus.append(path)
            total += os.path.getsize(path)
    size = ceil(total * 1.01 / shards)
    with tempfile.TemporaryDirectory() as folder, mock.patch("suffixindex.building.parts.PART_BYTES", size):
        for workers in (1, 1, 2, 4):  # the first compiles what is not compiled
            preload = SLOW_LINK.format(link=link)
            with LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.ERROR, preload=[preload]
            ) as cluster:
                index = Path(folder) / f"index-{workers}"
                options: dict[str, Any] = {"shard_tokens": size, "on_error": "skip", "restart": True, "progress": False}
                report = si.build(corpus, index, tokenizer="bytes", scheduler=cluster.scheduler_address, **options)
            tokens = report.num_tokens + report.num_documents
            hardware = Hardware(workers, 1, 1 << 40, link, float("inf"), float("inf"))
            if workers == 1:
                metadata = report.num_bytes / tokens - TOKEN_TYPES[report.token_type].itemsize - 4 - TABLE_BYTES
                costs = Costs(0.0, 0.0, size, 0.0, metadata, report.token_type)
                moving = project(tokens, costs, hardware, 1, size).phases
                computing = {phase: report.seconds[phase] - moving[phase]["network"] for phase in moving}
                costs = replace(costs, encode=computing["encode"] / tokens, sort=computing["sort"] / tokens)
                rows.clear()
            model = project(tokens, costs, hardware, 1, size)
            shared = max(workers / cpu_count(), 1)  # more workers than cores share them
            took = report.seconds["encode"] + report.seconds["sort"]
            said = model.of("cores") * shared + model.of("network")
            rows.append({"workers": workers, "shards": report.num_shards, "measured": took, "model": said})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 4, 16, 64, 256])
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--memory", default="256GiB", help="of a node")
    parser.add_argument("--network", default="3.1GB", help="a second and node: 25 Gbit/s")
    parser.add_argument("--read", default="20GB", help="a second, of the shared filesystem")
    parser.add_argument("--write", default="10GB")
    parser.add_argument("--hashing", default="1GB", help="a second, of one task that writes and hashes a file")
    parser.add_argument("--efficiency", type=float, default=0.5, help="of a core when all of its node work")
    parser.add_argument("--compression", type=float, default=3.0, help="of the corpus on disk")
    parser.add_argument("--tokenizer", default="pythia", help="row of results/scaling.json")
    parser.add_argument("--check", metavar="SIZE", help="hold the model against builds of so much text here")
    parser.add_argument("--link", default="2MB", help="a second and worker, of the simulated link")
    parser.add_argument("--shards", type=int, default=16, help="of the check, and parts")
    options = parser.parse_args()
    kept = load("projection")
    if options.check:
        link, size = parse_size(options.link), parse_size(options.check)
        kept["check"] = {"link": link, "text_bytes": size, "rows": check(size, link, options.shards)}
    scaling = load("scaling")
    row = next(row for row in scaling["rows"] if row["tokenizer"] == options.tokenizer)
    costs = measured(row, scaling["machine"]["cores"])
    bandwidths = [parse_size(size) for size in (options.network, options.read, options.write, options.hashing)]
    cells = []
    for name, tokens in CORPORA.items():
        for nodes in options.nodes:
            hardware = Hardware(nodes, options.cores, parse_size(options.memory), *bandwidths, options.efficiency)
            found = project(tokens, costs, hardware, options.compression)
            cells.append([name, nodes, *_cells(found)])
    header = ["corpus", "nodes", "hours", "core-hours", "disk: index, peak", "shards", "memory of a node"]
    header += [*(f"hours of {resource}" for resource in RESOURCES), "bottleneck"]
    page = (
        f"{markdown(header, cells)}\n\n{options.tokenizer} tokens: {costs.encode * 1e9:.0f} core ns to encode each and "
        f"{costs.sort * 1e9:.0f} to sort it, more in longer shards, {1 / options.efficiency:g} times as many where all cores of a "
        f"node work; nodes of {options.cores} cores as the one measured, {options.memory}, {options.network}/s; a filesystem of "
        f"{options.read}/s to read and {options.write}/s to write, shared by all; a task writes and hashes {options.hashing}/s; "
        f"text compressed {options.compression:g} times."
    )
    if "check" in kept:
        checked = kept["check"]
        rows = [[row["workers"], f"{row['measured']:.1f} s", f"{row['model']:.1f} s"] for row in checked["rows"]]
        page += (
            f"\n\n{markdown(['workers', 'measured', 'model'], rows)}\n\nThe model against builds of "
            f"{checked['text_bytes'] / 1e6:.0f} MB by `bytes`: workers of one thread, each behind a link of "
            f"{checked['link'] / 1e6:g} MB/s, on {machine()['cores']} cores. Its core seconds are those of one worker."
        )
    save("projection", {"costs": vars(costs), **({"check": kept["check"]} if "check" in kept else {})})
    insert(ROOT / "benchmarks" / "README.md", "projection", page)


def _cells(found: Projection) -> list[str]:
    return [
        f"{found.seconds / 3600:,.1f}",
        f"{found.core_seconds / 3600:,.0f}",
        f"{found.disk / 1e12:,.1f}, {found.disk_peak / 1e12:,.1f} TB",
        f"{found.shards:,} of {found.shard_tokens / 1e9:.2f} G",
        f"{found.worker_memory / 2**30:,.0f} GiB",
        *(f"{found.of(resource) / 3600:,.2f}" for resource in RESOURCES),
        found.bottleneck,
    ]


if __name__ == "__main__":
    main()
