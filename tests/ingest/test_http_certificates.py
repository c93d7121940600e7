"""Client certificates at the devices' HTTP door, as a proxy passes them on (RFC 9440)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from httpx2 import Response

import web
from moorage.kit.certificates import read_pem
from moorage.testing.authority import Authority
from towns import Town, self_signed

PROXY, DEVICE = "10.0.0.5", "198.51.100.7"


@pytest.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    settings = {
        "MOORAGE_API_TRUSTED_PROXIES": f'["{PROXY}"]', "MOORAGE_API_CLIENT_CERTIFICATES": "true",
    }  # fmt: skip
    async with web.running(database_url, tmp_path / "data", **settings) as world:
        world.origin = PROXY
        one = Town(world, await world.admin(), tmp_path)
        await one.found("Aarhus")
        yield one


def by_rfc(pem: str) -> str:
    return f":{plain(pem)}:"


def escaped(pem: str) -> str:
    return quote(pem, safe="")


def plain(pem: str) -> str:
    return base64.b64encode(read_pem(pem).der).decode()


async def send(
    town: Town, *certificates: str, origin: str = PROXY, path: str = "up", **headers: str
) -> Response:
    """Send a message as a proxy does that has been shown a certificate."""
    given = [("Client-Cert", one) for one in certificates]
    given += [("X-Forwarded-For", DEVICE), ("X-Forwarded-Proto", "https")]
    given += [(name.replace("_", "-"), value) for name, value in headers.items()]
    town.world.origin = origin
    client = town.world.client()
    return await client.post(f"/ingest/v1/{path}", json={"t": 1}, headers=given)


async def settles(town: Town, certificate: str, status: int) -> Response:
    """Send until it is answered so, which a change does within a second."""
    async with asyncio.timeout(10):
        while (answer := await send(town, certificate)).status_code != status:
            await asyncio.sleep(0.02)
    return answer


async def refusals(town: Town) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await town.admin.get("/api/v1/refusals")).json()["items"]
    return found


async def test_a_device_sends_with_its_certificate_alone(town: Town) -> None:
    authority, authority_id = await town.authority("plant")
    pump, valve = await town.device("pump"), await town.device("valve")
    own = self_signed(town, "valve")
    await town.add(valve, own)
    signed = authority.issue("pump")[0]
    for form in (by_rfc, escaped, plain, lambda pem: quote(plain(pem), safe="")):
        for pem in (signed, own[0].read_text()):
            answer = await send(town, form(pem))
            assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert await town.world.work() == 8
    (credential,) = await town.credentials(pump)
    assert (credential["kind"], credential["authorityId"]) == ("certificate", authority_id)
    assert await refusals(town) == []


async def test_from_anybody_else_the_header_is_not_read(town: Town) -> None:
    files = self_signed(town, "pump")
    await town.add(await town.device("pump"), files)
    header = by_rfc(files[0].read_text())
    assert (await send(town, header)).status_code == 202
    for origin in (DEVICE, "10.0.0.6", "127.0.0.1"):
        answer = await send(town, header, origin=origin)
        assert (answer.status_code, answer.json()["code"]) == (401, "ingest.sender_unknown")
        # Nor does it help to say that a proxy stands in between.
        stranger = await send(town, header, origin=origin, X_Forwarded_For=PROXY)
        assert stranger.status_code == 401
    await town.listed("not in api.trusted_proxies")
    assert {one["reason"] for one in await refusals(town)} == {"proxy", "credentials"}


async def test_without_the_setting_nobody_comes_in_by_the_header(
    database_url: str, tmp_path: Path
) -> None:
    trusting = {"MOORAGE_API_TRUSTED_PROXIES": f'["{PROXY}"]'}
    async with web.running(database_url, tmp_path / "data", **trusting) as world:
        world.origin = PROXY
        town = Town(world, await world.admin(), tmp_path)
        await town.found("Aarhus")
        files = self_signed(town, "pump")
        await town.add(await town.device("pump"), files)
        answer = await send(town, by_rfc(files[0].read_text()))
        assert (answer.status_code, answer.json()["code"]) == (401, "ingest.sender_unknown")


async def test_a_header_that_holds_no_certificate_lets_nobody_in(town: Town) -> None:
    files = self_signed(town, "pump")
    await town.add(await town.device("pump"), files)
    pem, key = (file.read_text() for file in files)
    good = by_rfc(pem)
    for wrong in (
        ":", "::", ":AAAA:", ":A:", "nonsense", "%00", "%", "x" * 40_000, f"{good};a=1", good[:-1],
        good[1:-2], f"{good}, {good}", good.replace("M", "-"), f":{escaped(pem)}:", escaped(key),
        escaped(pem + pem), escaped(pem + key), escaped(pem.replace("MII", "MIX", 1)),
        escaped(pem)[:-30], f":{base64.b64encode(b'0' * 20_000).decode()}:",
    ):  # fmt: skip
        answer = await send(town, wrong)
        assert answer.status_code == 401, wrong[:60]
        assert answer.json()["code"] == "ingest.certificate_refused", wrong[:60]
    # Which of two the proxy means, nobody can tell.
    assert (await send(town, good, good)).json()["code"] == "ingest.certificate_refused"
    assert (await send(town, "")).json()["code"] == "ingest.sender_unknown"
    await town.listed("it is no certificate")
    assert DEVICE in {one["address"] for one in await refusals(town)}
    assert (await send(town, good)).status_code == 202


async def test_what_holds_no_more_lets_nobody_in_and_is_listed(town: Town) -> None:
    authority, authority_id = await town.authority("plant")
    device_id = await town.device("pump")
    pems = [authority.issue("pump")[0] for _ in range(2)]
    first, second = map(by_rfc, pems)
    for one in (first, second):
        assert (await send(town, one)).status_code == 202
    held = {one["hint"]: one["id"] for one in await town.credentials(device_id)}
    await town.revoke(device_id, held[read_pem(pems[0]).fingerprint.hex()])
    refused = await settles(town, first, 401)
    assert refused.json()["code"] == "ingest.certificate_refused"
    await town.listed("it was revoked on", device=device_id)
    assert (await send(town, second)).status_code == 202
    # What its authority has revoked, whether it was seen before or not.
    unseen = authority.issue("pump")[0]
    taken = await town.admin.put(
        f"/api/v1/organizations/{town.organization}/device-authorities/{authority_id}"
        "/revocation-list",
        json={"list": authority.revoke(unseen, number=1)},
    )
    assert taken.status_code == 200
    answer = await send(town, by_rfc(unseen))
    assert (answer.status_code, "its authority revoked it" in answer.text) == (401, True)
    expired = await send(town, by_rfc(authority.issue("pump", lasts=timedelta(minutes=-1))[0]))
    assert (expired.status_code, "expired on" in expired.text) == (401, True)
    # Suspended, it is told from a stranger.
    body = {"state": "suspended"}
    assert (await town.admin.patch(f"/api/v1/devices/{device_id}", json=body)).status_code == 200
    assert (await settles(town, second, 401)).json()["code"] == "ingest.sender_unknown"
    await town.listed("The device is suspended", device=device_id)
    body = {"state": "active"}
    assert (await town.admin.patch(f"/api/v1/devices/{device_id}", json=body)).status_code == 200
    assert (await settles(town, second, 202)).status_code == 202
    # The authority taken back takes along all that it signed.
    path = f"/api/v1/organizations/{town.organization}/device-authorities/{authority_id}"
    assert (await town.admin.delete(path)).status_code == 204
    gone = await settles(town, second, 401)
    assert "no registered authority has signed it" in gone.text


async def test_a_certificate_speaks_for_a_device_of_its_authoritys_organisation_only(
    town: Town,
) -> None:
    authority, _ = await town.authority("plant")
    (town.directory / "unknown").mkdir()
    unknown = Authority(town.directory / "unknown")
    pump = await town.device("pump")
    north = town.organization
    await town.found("Odense")
    elsewhere = await town.device("tank")
    town.organization = north
    for name in ("tank", elsewhere, "nobody", str(uuid4())):
        answer = await send(town, by_rfc(authority.issue(name)[0]))
        assert (answer.status_code, answer.json()["code"]) == (401, "ingest.certificate_refused")
        assert f"it names {name}" in answer.text
    for pem, reason in (
        (unknown.issue("pump")[0], "no registered authority"),
        (self_signed(town, "pump")[0].read_text(), "no registered authority"),
        (authority.issue("pump", purpose=ExtendedKeyUsageOID.SERVER_AUTH)[0], "not for clients"),
    ):
        answer = await send(town, by_rfc(pem))
        assert (answer.status_code, reason in answer.text) == (401, True), answer.text
    assert await town.credentials(pump) == [] == await town.credentials(elsewhere)
    # It may do here what its device may: not speak for another, and not sign in at the API.
    good = by_rfc(authority.issue("pump", purpose=ExtendedKeyUsageOID.CLIENT_AUTH)[0])
    assert (await send(town, good)).status_code == 202
    assert (await send(town, good, path=f"devices/{elsewhere}/up")).status_code == 403
    assert (await send(town, good, path=f"devices/{pump}/up")).status_code == 202
    me = await town.world.client(Client_Cert=good).get("/api/v1/auth/me")
    assert me.status_code == 401


async def test_beside_a_key_the_certificate_does_not_count(town: Town) -> None:
    authority, _ = await town.authority("plant")
    pump, valve = await town.device("pump"), await town.device("valve")
    key = (await town.make(f"/devices/{valve}/credentials", kind="key"))["secret"]
    header = by_rfc(authority.issue("pump")[0])
    assert (await send(town, header, X_Device_Key=key)).status_code == 202
    assert (
        await send(town, header, X_Device_Key=key, path=f"devices/{pump}/up")
    ).status_code == 403
    wrong = await send(town, header, X_Device_Key="mdk_wrong")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "ingest.sender_unknown")
    # A key works with a certificate that nobody knows, which is not looked at.
    assert (await send(town, "nonsense", X_Device_Key=key)).status_code == 202
    assert await town.credentials(pump) == []
    # ChirpStack's events name their devices themselves: that takes a key.
    event = await send(town, header, path="chirpstack")
    assert event.json()["code"] == "ingest.sender_unknown"


async def test_a_message_sent_again_with_a_certificate_is_stored_once(town: Town) -> None:
    authority, _ = await town.authority("plant")
    device_id = await town.device("pump")
    header = by_rfc(authority.issue("pump")[0])
    for _ in range(2):
        assert (await send(town, header, Idempotency_Key="one")).status_code == 202
    await town.world.work()
    stored = (await town.admin.get(f"/api/v1/devices/{device_id}/messages")).json()["items"]
    assert len(stored) == 1
