"""`moorage listen --lab` as a process of its own."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from parts import free_ports


@dataclass(frozen=True)
class Lab:
    """A running lab mode."""

    port: int
    websocket_port: int
    tls_port: int
    authority: Path
    pid: int = 0
    host: str = "127.0.0.1"


@contextmanager
def started(directory: Path, *, files: int | None = None, **settings: str) -> Iterator[Lab]:
    """Run lab mode.

    Args:
        directory: for its data.
        files: how many it may have open at first.
        settings: of its environment.
    """
    running = Lab(*free_ports(3), directory / "tls" / "authority.pem")
    environment = {
        **os.environ,
        "MOORAGE_DATA_DIR": str(directory),
        "MOORAGE_MQTT_LAB_WEBSOCKET_PORT": str(running.websocket_port),
        **settings,
    }
    command = [
        sys.executable, "-P", "-m", "moorage.entry.cli", "listen", "--lab",
        "--mqtt-port", str(running.port), "--mqtt-tls-port", str(running.tls_port),
    ]  # fmt: skip
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def with_few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files or hard, hard))

    process = subprocess.Popen(command, env=environment, preexec_fn=with_few_files)

    def answers() -> bool:
        assert process.poll() is None, "Lab mode has ended."
        with suppress(OSError), socket.create_connection((running.host, running.websocket_port)):
            return True
        return False

    try:
        until(answers, 30.0)
        yield replace(running, pid=process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
    assert code == 0


def until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "It did not come to pass."
        time.sleep(0.005)
