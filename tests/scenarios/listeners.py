"""Listeners beside an installation's own, and clients whose sessions last."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from installation import DeviceKey, Installation
from moorage_mqtt import V5, ConnAck
from ports import free_ports
from scenarios.client import Client

LISTEN = [sys.executable, "-P", "-m", "moorage.entry.cli", "listen"]


@dataclass
class Listener:
    """One `moorage listen` beside the installation's own."""

    process: subprocess.Popen[bytes]
    port: int
    tls_port: int
    log: Path

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def started(platform: Installation, **settings: str) -> Iterator[Listener]:
    """Run one more listener on the installation's database."""
    port, tls_port = free_ports(2)
    log = platform.directory.with_name(f"listen-{port}.log")
    environment = {
        **platform.environment(),
        "MOORAGE_DATABASE_URL": platform.database_url,
        "MOORAGE_MQTT_PORT": str(port),
        "MOORAGE_MQTT_TLS_PORT": str(tls_port),
        **{f"MOORAGE_{name}": value for name, value in settings.items()},
    }
    with log.open("ab") as out:
        process = subprocess.Popen(LISTEN, env=environment, stdout=out, stderr=out)
    listener = Listener(process, port, tls_port, log)
    try:
        platform.until(lambda: lives(platform, listener), f"{log} does not live")
        yield listener
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        sys.stdout.write(log.read_text())  # Shown if the test fails.


def lives(platform: Installation, listener: Listener) -> bool:
    """Tell whether a listener has said that it lives."""
    assert listener.process.poll() is None, listener.log.read_text()
    with psycopg.connect(platform.database_url) as database:
        rows = database.execute("SELECT name FROM session_listeners").fetchall()
    return any(name.endswith(f":{listener.port}") for (name,) in rows)


def lasting(key: DeviceKey, client_id: str, version: int = V5, **more: Any) -> dict[str, Any]:
    """Give how a client connects to a session that lasts."""
    return {
        "version": version,
        "username": key.user_name,
        "secret": key.secret,
        "client_id": client_id,
        "clean_start": False,
        "properties": {"session_expiry_interval": 600} if version == V5 else None,
        **more,
    }


async def accepted(client: Client) -> bool:
    """Wait for CONNACK; tell whether the session was there."""
    answer = await client.next(ConnAck)
    assert answer.reason_code == 0, answer
    return answer.session_present
