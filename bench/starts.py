"""How soon a killed part is back, and what its start costs.

A part of a running platform is killed; what is measured goes from there until it is ready, the
supervisor's pause of 0.25 s included. The rival: the same part started by itself beside the
platform, on its database, which imports the platform as every part did before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.installation import Installation, NotReady, directory, free_ports, running
from bench.machine import proportional_bytes, times
from moorage.entry import lifeline, state
from moorage.entry.state import PartState

PARTS = ("api", "listen", "work")
ROUNDS = 5
PATIENCE_S = 60.0


class Start(NamedTuple):
    """One start."""

    wall_s: float
    cpu_s: float


def main() -> None:
    """Kill parts in turn with starting them by themselves; print medians."""
    with directory() as made, running(made) as platform:
        pids = list(platform.processes())
        print(f"  memory (PSS) of the platform at rest: {proportional_bytes(pids) / 1e6:.0f} MB")
        heading = "forked: wall, CPU", "by itself: wall, CPU", "ratio"
        print(f"  {'part':<8} {heading[0]:>20} {heading[1]:>22} {heading[2]:>14}")
        for part in PARTS:
            forked, alone = [], []
            for _ in range(ROUNDS):
                forked.append(killed(platform, part))
                alone.append(by_itself(platform, part))
            ours, theirs = median(forked), median(alone)
            ratios = f"{theirs.wall_s / ours.wall_s:.1f}, {theirs.cpu_s / ours.cpu_s:.1f}"
            print(
                f"  {part:<8} {ours.wall_s:11.2f} s {ours.cpu_s:5.2f} s "
                f"{theirs.wall_s:13.2f} s {theirs.cpu_s:5.2f} s {ratios:>14}"
            )


def killed(platform: Installation, name: str) -> Start:
    """Kill a part and wait until it is ready again."""
    before = ready(platform, name)
    began = time.perf_counter()
    os.kill(before, signal.SIGKILL)
    until(lambda: ready(platform, name) not in (0, before))
    return Start(time.perf_counter() - began, cpu_s(ready(platform, name)))


def ready(platform: Installation, name: str) -> int:
    """Give a part's process id, 0 while it is not ready."""
    found = state.read(platform.directory)
    for part in found.parts if found else ():
        if part.name == name and part.state is PartState.READY:
            return part.pid or 0
    return 0


def by_itself(platform: Installation, name: str) -> Start:
    """Start a part beside the platform and wait until it is ready."""
    ports = zip(("API_PORT", "MQTT_PORT", "MQTT_TLS_PORT"), free_ports(3), strict=True)
    ours, theirs = socket.socketpair()
    environment = {
        **os.environ,
        **{f"MOORAGE_{name}": str(port) for name, port in ports},
        "MOORAGE_DATABASE_URL": platform.url,
        "MOORAGE_DATA_DIR": str(platform.directory),
        lifeline.VARIABLE: str(theirs.fileno()),
    }
    command = [sys.executable, "-P", "-m", "moorage.entry.cli", name, "--log-level", "error"]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
    theirs.close()
    try:
        with ours, contextlib.closing(ours.makefile()) as lines:
            ours.settimeout(PATIENCE_S)
            if not any(line == "ready\n" for line in lines):
                raise NotReady(f"`{name}` ended with status {process.wait()}.")
            return Start(time.perf_counter() - began, cpu_s(process.pid))
    finally:
        process.terminate()
        process.wait()


def cpu_s(pid: int) -> float:
    """Give the CPU time a process has spent."""
    return times({pid: ""})[pid].total_s


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so. Raises NotReady."""
    limit = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > limit:
            raise NotReady("A killed part did not come back.")
        time.sleep(0.01)


def median(starts: list[Start]) -> Start:
    """Give the median of each figure."""
    return Start(*(statistics.median(values) for values in zip(*starts, strict=True)))
