"""Places where devices connect: our own door, and brokers in front of an installation."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from fronts import rabbitmq
from fronts.broker import Place
from installation import DeviceKey, Installation, ok, running
from moorage.testing.authority import Authority
from moorage_mqtt import V311
from parts import MOORAGE, said
from ports import free_ports

SETTINGS = {
    "TARGETS_ALLOWED": '["127.0.0.0/8"]',
    "INGEST_LARGEST_MESSAGE": "20000",
    "INGEST_DEVICE_BURST": "10000",
}


@contextlib.contextmanager
def installation(directory: Path) -> Iterator[Installation]:
    """Run an installation that takes small messages and may reach the loopback."""
    with running(directory / "data", SETTINGS) as platform:
        yield platform


def _place(platform: Installation, port: int, **more: Any) -> Place:
    organization_id = platform.organization(f"Town {uuid4()}")
    application_id = platform.application(organization_id, "Plant")
    return Place(platform, organization_id, application_id, port, **more)


@contextlib.contextmanager
def own_door(platform: Installation, directory: Path) -> Iterator[Place]:
    """Give the platform's own door."""
    yield _place(platform, platform.mqtt_port)


@contextlib.contextmanager
def _registered(
    platform: Installation, kind: str, asked: dict[str, str] | None = None, **more: Any
) -> Iterator[tuple[Place, Any]]:
    """Register a broker; gives the place, still without a port, and what was shown."""
    place = _place(platform, 0, **more)
    body = {"organizationId": place.organization_id, "name": f"{kind} {uuid4()}", "kind": kind}
    body |= asked or {}
    shown = ok(platform.admin.post("/api/v1/brokers", json=body)).json()
    place.broker_id = shown["id"]
    yield place, shown


def _connect(place: Place, **connection: Any) -> None:
    """Have the platform fetch from a broker, and wait until it does."""
    path = f"/api/v1/brokers/{place.broker_id}/connect"
    source_id = ok(place.api.post(path, json=connection)).json()["sourceId"]

    def is_connected() -> bool:
        found = ok(place.api.get(f"/api/v1/sources/{source_id}")).json()["health"]
        return bool(found["state"] == "connected" and not found["error"])

    place.until(is_connected, "the broker is not fetched from")


@contextlib.contextmanager
def in_front_rabbitmq(platform: Installation, directory: Path) -> Iterator[Place]:
    """Run RabbitMQ in front, set up by the text that the platform gives."""
    management = free_ports(1)[0]
    asked = {"url": f"http://127.0.0.1:{management}"}
    with _registered(platform, "rabbitmq", asked, version=V311) as (place, shown):
        text = _here(platform, shown["pieces"][0]["text"])
        with rabbitmq.running(directory / "rabbitmq", text, management) as place.port:
            url = f"mqtt://127.0.0.1:{place.port}"
            _connect(place, url=url, secrets={"password": shown["token"]})
            yield place


def _here(platform: Installation, text: str) -> str:
    """Have a configuration ask where the installation listens, whatever it calls itself."""
    shown = ok(platform.admin.get("/api/v1/brokers")).request.url
    assert shown.host == "localhost"
    return text.replace("://localhost:", "://127.0.0.1:")


@contextlib.contextmanager
def in_front_nats(platform: Installation, directory: Path) -> Iterator[Place]:
    """Run NATS in front, which asks over a connection of ours."""
    directory = directory / "nats"
    directory.mkdir()
    client, port = free_ports(2)
    asked = {"url": f"nats://127.0.0.1:{client}"}
    with _registered(platform, "nats", asked, version=V311) as (place, shown):
        text = shown["pieces"][0]["text"]
        text = text.replace("/var/lib/nats", str(directory / "data"))
        text = text.replace("port: 1883", f'host: "127.0.0.1", port: {port}')
        text += f'host: "127.0.0.1"\nport: {client}\n'
        config = _file(directory / "nats.conf", text)
        executable = Path(sys.executable).with_name("nats-server")
        with (directory / "nats.log").open("ab") as log:
            process = subprocess.Popen([executable, "-c", config], stdout=log, stderr=log)
        try:
            _until_listening(port)
            place.port = port
            _connect(place, url=f"mqtt://127.0.0.1:{port}", secrets={"password": shown["token"]})
            yield place
        finally:
            process.terminate()
            process.wait(20)


# --- Mosquitto, which asks nobody -------------------------------------------


@contextlib.contextmanager
def in_front_mosquitto(platform: Installation, directory: Path) -> Iterator[Place]:
    """Run Mosquitto with the files that `moorage broker export` writes."""
    with _plain_mosquitto(platform, directory / "mosquitto", 1) as place:
        yield place


@contextlib.contextmanager
def in_front_shared(platform: Installation, directory: Path) -> Iterator[Place]:
    """Run Mosquitto with several connections that share what devices send."""
    with _plain_mosquitto(platform, directory / "shared", 3) as place:
        yield place


@contextlib.contextmanager
def _plain_mosquitto(platform: Installation, directory: Path, connections: int) -> Iterator[Place]:
    with _registered(platform, "mosquitto") as (place, shown):
        place.port = free_ports(1)[0]
        lines = [f"listener {place.port} 127.0.0.1"]
        with _mosquitto(place, directory, shown, place.port, lines):
            asked = {"url": f"mqtt://127.0.0.1:{place.port}", "connections": connections}
            _connect(place, secrets={"password": shown["token"]}, **asked)
            yield place


@contextlib.contextmanager
def in_front_certificates(platform: Installation, directory: Path) -> Iterator[Place]:
    """Run Mosquitto for devices that prove themselves by certificates of their organisation's."""
    directory = directory / "certificates"
    directory.mkdir()
    authority = Authority(directory)
    certificate, key = authority.files("localhost")
    with _registered(platform, "mosquitto") as (place, shown):
        plain, port = free_ports(2)
        proof, _key = authority.issue(place.organization_id)
        body = {"name": "Ours", "certificate": authority.certificate, "proof": proof}
        path = f"/api/v1/organizations/{place.organization_id}/device-authorities"
        ok(platform.admin.post(path, json=body))
        lines = [
            # The platform signs in with its token, beside the devices.
            f"listener {plain} 127.0.0.1",
            "use_username_as_clientid true",
            f"listener {port} 127.0.0.1",
            f"cafile {directory}/moorage/authorities.pem",
            f"certfile {certificate}",
            f"keyfile {key}",
            "require_certificate true",
            "use_identity_as_username true",
        ]

        def tls_of(device: DeviceKey) -> ssl.SSLContext:
            context = ssl.create_default_context(cadata=authority.certificate)
            context.check_hostname = False
            authority.load(context, device.id)
            return context

        place.tls_of, place.port = tls_of, port
        with _mosquitto(place, directory, shown, plain, lines):
            _connect(place, url=f"mqtt://127.0.0.1:{plain}", secrets={"password": shown["token"]})
            yield place


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@contextlib.contextmanager
def _mosquitto(
    place: Place, directory: Path, shown: Any, port: int, lines: list[str]
) -> Iterator[None]:
    directory.mkdir(exist_ok=True)
    files = directory / "moorage"
    files.mkdir()
    text = shown["pieces"][0]["text"].replace("/etc/mosquitto/moorage", str(files))
    head = ["user root", "persistence true", f"persistence_location {directory}/"]
    config = _file(directory / "mosquitto.conf", "\n".join([*head, text, *lines, ""]))
    command = [*MOORAGE, "broker", "export", place.broker_id, "--directory", str(files)]
    environment = place.platform.environment()
    said(command, environment)
    executable = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert executable, "Mosquitto is not installed; run scripts/system-packages test."
    with (directory / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen([executable, "-c", str(config)], stdout=log, stderr=log)

    def refresh() -> None:
        said(command, environment)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)

    place.refresh = refresh
    try:
        _until_listening(port)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _until_listening(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, f"nobody listens on {port}"
        time.sleep(0.05)


Opening = Callable[[Installation, Path], contextlib.AbstractContextManager[Place]]
ALL: tuple[Opening, ...] = (
    own_door,
    in_front_mosquitto,
    in_front_shared,
    in_front_certificates,
    in_front_rabbitmq,
    in_front_nats,
)
