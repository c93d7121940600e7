"""Mosquitto of Debian with one subscriber that writes what it hears to a file.

It does less: it acknowledges before anything is on disk, keeps no readings and no latest state.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.generator import Job
from bench.installation import directory, free_ports, print_spent
from bench.load import Load
from bench.machine import Spent, times


def compare(seconds: float, connections: int, ours: float) -> None:
    """Measure Mosquitto under the same load and print the ratio."""
    broker, subscriber = shutil.which("mosquitto", path="/usr/sbin:/usr/bin"), "mosquitto_sub"
    if broker is None or shutil.which(subscriber) is None:
        print("  rival: Mosquitto is not installed (apt-get install mosquitto mosquitto-clients)")
        return
    with directory() as made, contextlib.ExitStack() as stack:
        (port,) = free_ports(1)
        configuration = made / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_type error\n"
            "max_queued_messages 0\nmax_inflight_messages 0\n"
        )
        server = stack.enter_context(_process([broker, "-c", str(configuration)], made / "log"))
        time.sleep(0.5)
        heard = made / "heard"
        listener = stack.enter_context(
            _process(
                [subscriber, "-p", str(port), "-q", "1", "-t", "v1/#", "-F", "%I %t %p"], heard
            )
        )
        time.sleep(0.5)
        keys = [f"device-{n}" for n in range(connections)]
        load = stack.enter_context(Load(Job(mode="closed", port=port, keys=keys, seconds=seconds)))
        load.start()
        result = load.result()
        until = time.monotonic() + 60
        while _lines(heard) < result.accepted and time.monotonic() < until:
            time.sleep(0.2)
        drained_at = time.monotonic()
        spent = times({server.pid: "", listener.pid: ""})
        names = {server.pid: "mosquitto", listener.pid: "mosquitto_sub into a file"}
        parts = {names[pid]: time_ for pid, time_ in spent.items()}
        parts["generator"] = Spent(*result.cpu_s)
        rate = _lines(heard) / (drained_at - result.began)
    print(f"  rival: Mosquitto, no flush, mosquitto_sub into a file: {rate:,.0f}/s; "
          f"ours is {ours / rate:.2f} of it")  # fmt: skip
    print_spent(parts, result.accepted, drained_at - result.began)


@contextlib.contextmanager
def _process(command: list[str], output: Path) -> Iterator[psutil.Popen]:
    with output.open("wb") as out:
        process = psutil.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _lines(path: Path) -> int:
    count = 0
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            count += block.count(b"\n")
    return count
