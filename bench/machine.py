"""The machine: what it is, what a flush to its disk costs, which process spends what."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil


def describe(directory: Path) -> str:
    """Describe the machine in one line, its load before the measurement included."""
    model = platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"machine: {model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}\n"
        f"disk: {filesystem(directory)}, {flush_cost(directory)}"
    )


def filesystem(directory: Path) -> str:
    """Name the file system a directory lies on."""
    found = ("?", "")
    for mount in psutil.disk_partitions(all=True):
        point = mount.mountpoint
        if directory.resolve().is_relative_to(point) and len(point) >= len(found[1]):
            found = (mount.fstype, point)
    return found[0]


def flush_cost(directory: Path, rounds: int = 200) -> str:
    """Say what writing and flushing 8 KiB costs, as PostgreSQL's log does it (fdatasync)."""
    path = directory / "flush"
    spent = []
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(handle, 0, 8192 * rounds)
        os.fsync(handle)
        for number in range(rounds):
            began = time.perf_counter()
            os.pwrite(handle, b"x" * 8192, 8192 * number)
            os.fdatasync(handle)
            spent.append((time.perf_counter() - began) * 1000)
    finally:
        os.close(handle)
        path.unlink()
    spent.sort()
    return (
        f"8 KiB write + fdatasync: median {statistics.median(spent):.2f} ms, "
        f"p95 {spent[int(rounds * 0.95)]:.2f} ms"
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Give the value below which `share` of the values lie; NaN without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


@dataclass(frozen=True)
class Spent:
    """CPU time of a group of processes in seconds."""

    user_s: float = 0.0
    system_s: float = 0.0

    @property
    def total_s(self) -> float:
        """Both together."""
        return self.user_s + self.system_s


def times(processes: Mapping[int, str]) -> dict[int, Spent]:
    """Read the CPU time of processes by id; those that have ended are left out."""
    found = {}
    tick = os.sysconf("SC_CLK_TCK")
    for pid in processes:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[pid] = Spent(int(fields[11]) / tick, int(fields[12]) / tick)
    return found


def proportional_bytes(pids: Iterable[int]) -> int:
    """Add up the memory of processes, shared pages divided among those that share them (PSS)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total
