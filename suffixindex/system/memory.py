"""How much memory there is, may be used, and was used."""

import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from suffixindex.errors import BuildError

MAX_TOKENS = 2**32 - 2
"""Tokens that one suffix array may have."""

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def parse_size(text: str | int) -> int:
    """Bytes of ``16GiB``, ``16GB``, ``16G``, ``512MiB`` or a plain number; G and GiB are 2**30, GB is 10**9.

    Raises
    ------
    BuildError
        The text is no size.
    """
    if isinstance(text, int):
        return text
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?b)?", text.strip().lower())
    if not match:
        raise BuildError(f"{text!r} is no size: write it as 16GiB, 500MB or a number of bytes")
    number, unit, suffix = match.groups()
    base = 1000 if suffix == "b" and unit else 1024
    return _whole(float(number) * base ** _UNITS[unit])


def parse_count(text: str | int) -> int:
    """A number of tokens: ``500M``, ``2G``, ``1e9`` or a plain number; M is 10**6.

    Raises
    ------
    BuildError
        The text is no positive number.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)\s*([kmgb]?)", str(text).strip().lower())
    count = _whole(float(match[1]) * 1000 ** {"b": 3, **_UNITS}[match[2]]) if match else 0
    if count < 1:
        raise BuildError(f"{text!r} is no number of tokens: write it as 500M, 2G or a number")
    return count


def _whole(number: float) -> int:
    return int(min(number, 2.0**63))


def total_memory() -> int:
    """Bytes that this process may use: the machine's, or less where a container or a batch system says so."""
    limits = [_memory_there_is()]
    for content in (*_cgroup_files("memory.max"), *_cgroup_files("memory.limit_in_bytes", "memory")):
        with suppress(ValueError):  # "max"
            limits.append(int(content))
    return min(limits)


def _memory_there_is() -> int:
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    import psutil

    return int(psutil.virtual_memory().total)


def _cgroup_files(name: str, controller: str = "") -> list[str]:
    """What the control groups of this process say in a file of a name, its own group and those around it.

    Of version 2, or of a ``controller`` of version 1. Inside a container its own group is the root of all that it sees.
    """
    groups = [Path("/")]
    with suppress(OSError):
        for line in OWN_CGROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                groups += [Path(path), *Path(path).parents]
    found = []
    for group in dict.fromkeys(groups):
        with suppress(OSError):
            found.append((CGROUPS / controller / str(group).lstrip("/") / name).read_text())
    return found


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    if sys.platform == "linux":  # getrusage also counts the parent, which a child shares until it is another program
        with suppress(OSError, StopIteration):
            lines = Path("/proc/self/status").read_text().splitlines()
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_count() -> int:
    """Cores that this process may run on, or has the time of, where a container has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [content.split() for content in _cgroup_files("cpu.max")]
    pairs = zip(_cgroup_files("cpu.cfs_quota_us", "cpu"), _cgroup_files("cpu.cfs_period_us", "cpu"), strict=False)
    for quota, period in [*quotas, *pairs]:
        with suppress(ValueError, ZeroDivisionError):  # "max"
            if int(quota) > 0:
                cores = min(cores, -(-int(quota) // int(period)))
    return cores


def sort_bytes_per_token(dtype: DTypeLike) -> float:
    """Bytes a token that a suffix sort takes at most, the suffix array included, the tokens not.

    Besides, it takes up to 64 MiB and another 48 MiB a thread. Ids that fill the dtype (65,535 of 16 bits, say) rank
    as the next wider ones.

    >>> sort_bytes_per_token(np.uint16)
    10.0
    """
    return 11.5 if np.dtype(dtype).itemsize == 4 else 10.0


@contextmanager
def no_garbage() -> Iterator[None]:
    """For making a million small objects without cycles: the collector, which would visit all of them again and again, waits.

    That took twice as long as making them. It goes on at the end, unless it was off.
    """
    waits = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if waits:
            gc.enable()
