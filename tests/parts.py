"""The platform's parts as an operator starts them, and what devices use to reach them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from httpx2 import Client, HTTPError

from ports import free_ports

MOORAGE = (sys.executable, "-P", "-m", "moorage.entry.cli")


def environment_of(data_dir: Path, **settings: object) -> dict[str, str]:
    """Give an environment with these settings and free ports, and no other setting."""
    api, mqtt, mqtt_tls = free_ports(3)
    ports = {"API_PORT": api, "MQTT_PORT": mqtt, "MQTT_TLS_PORT": mqtt_tls}
    given = {"DATA_DIR": data_dir, **ports, **settings}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")},
        **{f"MOORAGE_{name}": str(value) for name, value in given.items()},
    }


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends; its output goes to `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=cwd)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def said(command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None) -> str:
    """Run a command to its end and give what it printed."""
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def until(true: Callable[[], object], *needed: subprocess.Popen[bytes]) -> None:
    """Wait until something is true; the processes must live that long."""
    for _ in range(1200):
        if true():
            return
        for process in needed:
            assert process.poll() is None, process.args
        time.sleep(0.05)
    raise AssertionError("It did not come to pass.")


def answers(client: Client, path: str) -> bool:
    """Tell whether a GET is answered with 200."""
    try:
        return bool(client.get(path).status_code == 200)
    except HTTPError:
        return False


def sign_in(client: Client, link: str) -> None:
    """Sign in by a link that a command printed."""
    token = link.strip().rpartition("#token=")[2]
    answer = client.post("/api/v1/auth/link", json={"token": token})
    assert answer.status_code == 204, answer.text
    client.headers["X-CSRF-Token"] = client.get("/api/v1/auth/me").json()["csrfToken"]


def make(client: Client, path: str, **body: object) -> dict[str, Any]:
    """Create a thing by its route."""
    answer = client.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def device_with_key(client: Client) -> tuple[str, str]:
    """Make an organisation, an application and a device; give its id and secret."""
    organization = make(client, "/organizations", name="Town")
    application = make(client, "/applications", organizationId=organization["id"], name="Bins")
    device = make(client, "/devices", applicationId=application["id"], name="Bin 1")
    shown = make(client, f"/devices/{device['id']}/credentials")
    return str(device["id"]), str(shown["secret"])


def latest(client: Client, device_id: str) -> dict[str, Any]:
    """Read a device's latest values by series."""
    found = client.get(f"/api/v1/devices/{device_id}/latest").json()["latest"]
    return {one["series"]: one["value"] for one in found}


def curl(environment: Mapping[str, str], secret: str, **values: float) -> None:
    """Publish with curl."""
    url = f"http://127.0.0.1:{environment['MOORAGE_API_PORT']}/ingest/v1/up"
    said(
        [
            *("curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "20"),
            *("-H", f"X-Device-Key: {secret}", "-H", "Content-Type: application/json"),
            *("--data", json.dumps(values), url),
        ],
        environment,
    )


def mosquitto_pub(environment: Mapping[str, str], secret: str, *more: str) -> list[str]:
    """Give a command that publishes at QoS 1 to `v1/up`."""
    return [
        *("mosquitto_pub", "-h", "127.0.0.1", "-p", environment["MOORAGE_MQTT_PORT"]),
        *("-u", secret, "-q", "1", "-t", "v1/up", *more),
    ]
