"""A real HAProxy in front of the doors: the PROXY protocol before MQTT, certificates over HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client as HttpClient
from httpx2 import HTTPTransport, Response

from installation import DeviceKey, Installation, ok, running
from moorage.testing.authority import Authority
from moorage_mqtt import V5, ClientConnection, ConnAck
from ports import free_ports
from scenarios.client import Client

HAPROXY = "/usr/sbin/haproxy"
# Where the clients of the test come from; HAProxy itself speaks from 127.0.0.1.
CLIENT = "127.0.0.9"
Files = tuple[Path, Path]
# Each way in: how HAProxy sends the header, and whether it takes TLS off or passes it through.
_CONFIGURATION = """
global
  log stdout format raw local0
defaults
  mode tcp
  log global
  timeout connect 5s
  timeout client 60s
  timeout server 60s
{ways}
"""
_WAY = """
listen {name}
  bind 127.0.0.1:{port}{bind}
  server moorage 127.0.0.1:{to} {header} check inter 500
"""
# As docs/operating/running.md has it.
_ANY = "verify optional ca-ignore-err all crt-ignore-err all"
_HTTP = """
listen http
  mode http
  bind 127.0.0.1:{port} ssl crt {own} ca-file {own} {asked}
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request del-header Client-Cert
  http-request set-header Client-Cert :%[ssl_c_der,base64]: if {{ ssl_c_used }}
  server moorage 127.0.0.1:{to}
"""


@dataclass(frozen=True)
class Way:
    """One way in: the port of HAProxy, and whether a client speaks TLS there."""

    port: int
    tls: bool


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = tmp_path_factory.mktemp("haproxy") / "data"
    proxies = '["127.0.0.1"]'
    settings = {
        "MQTT_TRUSTED_PROXIES": proxies, "API_TRUSTED_PROXIES": proxies,
        "API_CLIENT_CERTIFICATES": "true",
    }  # fmt: skip
    with running(made, settings) as platform:
        yield platform


@pytest.fixture(scope="module")
def key(platform: Installation) -> DeviceKey:
    application = platform.application(platform.organization("Harbour"), "Cranes")
    return platform.device(application, "Crane", user_name="crane")


@pytest.fixture(scope="module")
def ways(
    platform: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Way]]:
    """Run HAProxy with one way in for each kind of header."""
    made = tmp_path_factory.mktemp("haproxy-own")
    certificate, private = Authority(made).files("localhost")
    own = made / "own.pem"
    own.write_text(certificate.read_text() + private.read_text())
    plain, tls = platform.mqtt_port, platform.tls_port
    kinds = {
        "v1": (plain, "send-proxy check-send-proxy", ""),
        "v2": (plain, "send-proxy-v2 check-send-proxy", ""),
        "v2-tls-passed-through": (tls, "send-proxy-v2 check-send-proxy", ""),
        "v2-tls-taken-off": (
            plain, "send-proxy-v2-ssl-cn check-send-proxy", f" ssl crt {own}",
        ),
    }  # fmt: skip
    ports = dict(zip((*kinds, "http"), free_ports(len(kinds) + 1), strict=True))
    blocks = [
        _WAY.format(name=name, port=ports[name], to=to, header=header, bind=bind)
        for name, (to, header, bind) in kinds.items()
    ]
    http = {"port": ports["http"], "own": own, "asked": _ANY, "to": platform.api_port}
    blocks.append(_HTTP.format(**http))
    configuration = made / "haproxy.cfg"
    configuration.write_text(_CONFIGURATION.format(ways="".join(blocks)))
    log = made / "haproxy.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [HAPROXY, "-db", "-f", str(configuration)], stdout=out, stderr=out
        )
    try:
        platform.until(lambda: all(map(listens, ports.values())), f"{log.read_text()}")
        yield {name: Way(port, "tls" in name) for name, port in ports.items()}
    finally:
        process.terminate()
        process.wait(20)
        sys.stdout.write(log.read_text())  # Shown if a test fails.


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


async def dialled(way: Way, key: DeviceKey) -> Client:
    context = None
    if way.tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", way.port, ssl=context, local_addr=(CLIENT, 0)
    )
    core = ClientConnection(
        "crane", now=0.0, version=V5, username=key.user_name, password=key.secret.encode()
    )
    client = Client(core, reader, writer)
    client.flush()
    return client


@pytest.mark.parametrize("name", ["v1", "v2", "v2-tls-passed-through", "v2-tls-taken-off"])
async def test_a_device_behind_haproxy_is_known_by_its_own_address(
    platform: Installation, key: DeviceKey, ways: dict[str, Way], name: str
) -> None:
    client = await dialled(ways[name], key)
    assert (await client.next(ConnAck)).reason_code == 0
    assert await client.publish("v1/up", b'{"t": 21}') == 0

    def shown() -> Any:
        found = platform.admin.get(f"/api/v1/devices/{key.id}/presence").json()
        return [one for one in found["connections"] if one["disconnectedAt"] is None]

    await asyncio.to_thread(platform.until, shown, "the connection is not shown")
    (connection,) = shown()
    assert connection["address"] == CLIENT
    client.writer.close()
    await asyncio.to_thread(platform.until, lambda: not shown(), "the connection stays")


async def test_what_haproxy_itself_asks_is_no_mistake_of_anybody(
    platform: Installation, ways: dict[str, Way]
) -> None:
    assert shutil.which(HAPROXY)
    await asyncio.sleep(3)  # Some rounds of its health checks, which say LOCAL or are cut short.
    refused = platform.admin.get("/api/v1/refusals").json()["items"]
    mistakes = [one for one in refused if one["reason"] == "proxy"]
    assert mistakes == [], str(mistakes)


async def test_who_goes_past_haproxy_is_refused_without_a_header(
    platform: Installation, key: DeviceKey
) -> None:
    client = await dialled(Way(platform.mqtt_port, tls=False), key)
    # From an address that is no proxy's it is a client like any other.
    assert (await client.next(ConnAck)).reason_code == 0
    client.writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.mqtt_port)
    writer.write(b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0")
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()

    def listed() -> bool:
        refused = platform.admin.get("/api/v1/refusals").json()["items"]
        return any(one["reason"] == "proxy" for one in refused)

    await asyncio.to_thread(platform.until, listed, "the refusal is not listed")


def through(ways: dict[str, Way], shown: Files | None) -> HttpClient:
    """Give a client of HTTP that shows HAProxy a certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if shown is not None:
        context.load_cert_chain(*shown)
    transport = HTTPTransport(verify=context, local_address=CLIENT)
    url = f"https://127.0.0.1:{ways['http'].port}"
    return HttpClient(base_url=url, transport=transport, timeout=30)


def test_a_device_shows_haproxy_its_certificate_and_nobody_forges_one(
    platform: Installation, key: DeviceKey, ways: dict[str, Way], tmp_path: Path
) -> None:
    device = ok(platform.admin.get(f"/api/v1/devices/{key.id}")).json()
    organization_id = device["organizationId"]
    authority = Authority(tmp_path)
    body = {"name": "Harbour", "certificate": authority.certificate,
            "proof": authority.issue(organization_id)[0]}  # fmt: skip
    path = f"/api/v1/organizations/{organization_id}/device-authorities"
    ok(platform.admin.post(path, json=body))
    files = authority.files(key.id)
    own = files[0].read_text()
    forged = f":{base64.b64encode(ssl.PEM_cert_to_DER_cert(own)).decode()}:"
    (tmp_path / "elsewhere").mkdir()
    stranger = Authority(tmp_path / "elsewhere").files(key.id)

    def send(shown: Files | None, **headers: str) -> Response:
        with through(ways, shown) as client:
            return client.post("/ingest/v1/up", json={"t": 21}, headers=headers)

    assert send(files).status_code == 202
    assert send(files, **{"Client-Cert": "nonsense"}).status_code == 202
    # What a client writes itself HAProxy takes away, whatever certificate it shows beside it.
    assert send(None, **{"Client-Cert": forged}).json()["code"] == "ingest.sender_unknown"
    refused = send(stranger, **{"Client-Cert": forged})
    assert (refused.status_code, "no registered authority" in refused.text) == (401, True)
    expired = send(authority.files("expired", lasts=timedelta(minutes=-1)))
    assert (expired.status_code, "expired on" in expired.text) == (401, True)

    def listed() -> bool:
        found = platform.admin.get("/api/v1/refusals").json()["items"]
        return any(one["protocol"] == "http" and one["address"] == CLIENT for one in found)

    platform.until(listed, "the refusal is not listed with the client's own address")
    held = ok(platform.admin.get(f"/api/v1/devices/{key.id}/credentials")).json()
    (credential,) = [one for one in held if one["kind"] == "certificate"]
    ok(platform.admin.delete(f"/api/v1/devices/{key.id}/credentials/{credential['id']}"))
    platform.until(lambda: send(files).status_code == 401, "the revoked certificate lets in", 10)


def test_a_program_shows_haproxy_its_certificate_and_its_token_goes_nowhere_without(
    platform: Installation, ways: dict[str, Way], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    mine, other = Authority(tmp_path).files("report"), Authority(tmp_path / "other").files("report")
    organization_id = platform.organization("Programs")
    body = {
        "organizationId": organization_id, "name": "Report", "scopes": ["organizations:read"],
        "grantTypes": ["client_credentials"], "certificates": [mine[0].read_text()],
        "permissionGroupIds": platform.groups_of(organization_id)[:1],
    }  # fmt: skip
    program = ok(platform.admin.post("/api/v1/oauth/clients", json=body)).json()
    form = {"grant_type": "client_credentials", "client_id": program["id"]}
    shown: tuple[Files | None, ...] = (mine, other, None)
    answers = []
    for files in shown:
        with through(ways, files) as client:
            answers.append(client.post("/api/v1/oauth/token", data=form))
    assert [one.status_code for one in answers] == [200, 401, 401]
    headers = {"Authorization": f"Bearer {answers[0].json()['access_token']}"}
    seen = []
    for files in shown:
        with through(ways, files) as client:
            seen.append(client.get("/api/v1/auth/me", headers=headers).status_code)
    assert seen == [200, 401, 401]
