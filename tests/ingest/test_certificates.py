"""Client certificates as identity at the MQTT door: whose they are, and when they let nobody in."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion

from moorage import devices
from moorage.entry.anchors import Anchors, ask_for_certificates
from moorage.kit.outbound import LOOPBACK, Outbound
from moorage.testing.authority import Authority
from moorage_mqtt import V5, V311, ClientConnection, ConnAck, ReasonCode
from towns import Town, self_signed
from web import World


@pytest.fixture
async def town(world: World, tmp_path: Path) -> AsyncIterator[Town]:
    own = tmp_path / "server"
    own.mkdir()
    server = Authority(own)
    (tmp_path / "server.pem").write_text(server.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = server.files("localhost")
    context.load_cert_chain(certificate, key)
    ask_for_certificates(context)
    admin = await world.admin()
    async with world.mqtt(context) as port:
        one = Town(world, admin, tmp_path, port=port)
        one.anchors = Anchors(context, world.app.state.doorbells)
        await one.found("Aarhus")
        yield one


# --- Added one by one -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V311, V5])
async def test_a_device_connects_with_its_certificate_alone(town: Town, version: int) -> None:
    device_id = await town.device("pump")
    files = self_signed(town, "pump")
    added = await town.add(device_id, files)
    assert added["kind"] == "certificate"
    assert len(added["hint"]) == 64
    assert added["expiresAt"] is not None
    async with town.dialled(files, version=version) as client:
        assert (await client.next(ConnAck)).reason_code == 0
        assert await client.publish("v1/up", b'{"t": 1}') == 0
    await town.world.work()
    stored = (await town.admin.get(f"/api/v1/devices/{device_id}/messages")).json()["items"]
    assert len(stored) == 1
    assert (await town.answer(files, username="anything")).reason_code == 0


async def test_without_a_certificate_everything_is_as_before(town: Town) -> None:
    device_id = await town.device("pump")
    shown = await town.make(f"/devices/{device_id}/credentials", kind="password", userName="pump")
    both = {"username": "pump", "secret": shown["secret"]}
    assert (await town.answer(None, **both)).reason_code == 0
    assert (await town.answer(None)).reason_code == ReasonCode.NOT_AUTHORIZED
    # Beside a password the certificate does not count, whosever it is.
    other = self_signed(town, "valve")
    await town.add(await town.device("valve"), other)
    async with town.dialled(other, **both) as client:
        assert (await client.next(ConnAck)).reason_code == 0
        assert await client.publish(f"v1/devices/{device_id}/up", b"1") == 0
    wrong = await town.answer(other, username="pump", secret="wrong")
    assert wrong.reason_code == ReasonCode.BAD_USER_NAME_OR_PASSWORD


async def test_a_revoked_certificate_is_cut_off_at_once_and_never_let_in_again(town: Town) -> None:
    device_id = await town.device("pump")
    files = self_signed(town, "pump")
    added = await town.add(device_id, files)
    async with town.dialled(files) as client:
        assert (await client.next(ConnAck)).reason_code == 0
        await town.revoke(device_id, added["id"])
        said = await client.until_closed()
        assert said is not None
        assert said.reason_code == ReasonCode.ADMINISTRATIVE_ACTION
    answer = await town.answer(files)
    assert answer.reason_code == ReasonCode.NOT_AUTHORIZED
    assert "revoked" in str(answer.properties["reason_string"])
    await town.listed("it was revoked on", device=device_id)
    (listed,) = await town.credentials(device_id)
    assert listed["revokedAt"] is not None
    await town.revoke(device_id, added["id"])  # Once more is no mistake, and changes nothing.
    assert await town.credentials(device_id) == [listed]
    body = {"certificate": files[0].read_text()}
    for other in device_id, await town.device("valve"):
        again = await town.admin.post(f"/api/v1/devices/{other}/certificates", json=body)
        assert again.json()["code"] == "devices.certificate_taken"


async def test_a_certificate_that_expires_while_connected_ends_the_connection(town: Town) -> None:
    authority, _ = await town.authority("plant")
    device_id = await town.device("pump")
    files = authority.files("pump", lasts=timedelta(seconds=2))
    async with town.dialled(files) as client:
        assert (await client.next(ConnAck)).reason_code == 0
        said = await client.until_closed()
        assert said is not None
        assert said.reason_code == ReasonCode.ADMINISTRATIVE_ACTION
    answer = await town.answer(files)
    assert "expired" in str(answer.properties["reason_string"])
    await town.listed("expired on", device=device_id)


async def test_a_stranger_s_certificate_ends_the_handshake_and_is_listed(town: Town) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        await town.answer(self_signed(town, "stranger"))
    await town.listed("not known here")


async def test_a_known_certificate_without_its_key_is_worth_nothing(town: Town) -> None:
    device_id = await town.device("pump")
    files = self_signed(town, "pump")
    await town.add(device_id, files)
    thief = self_signed(town, "pump2")
    stolen = town.directory / "stolen.pem"
    stolen.write_bytes(files[0].read_bytes())
    with pytest.raises(ssl.SSLError):
        town.context((stolen, thief[1]))


async def test_what_is_no_single_valid_certificate_is_refused_with_the_reason(town: Town) -> None:
    device_id = await town.device("pump")
    path = f"/api/v1/devices/{device_id}/certificates"
    pem, key = (file.read_text() for file in self_signed(town, "pump"))
    expired = Authority(town.directory).issue("pump", lasts=timedelta(minutes=-1))[0]
    broken = pem.replace("MII", "MIX", 1)
    for text, reason in (
        ("words", "no certificate in PEM"),
        (broken, "no certificate in PEM"),
        (pem + pem, "2 certificates"),
        (pem + key, "private key"),
        (expired, "expired on"),
    ):
        refused = await town.admin.post(path, json={"certificate": text})
        assert refused.status_code == 422, (reason, refused.text)
        assert reason in refused.text
        assert "PRIVATE KEY" not in refused.text
    assert (await town.admin.post(path, json={"certificate": "x" * 16_385})).status_code == 422
    assert await town.credentials(device_id) == []
    added = await town.make(f"/devices/{device_id}/certificates", certificate=pem)
    rotate = {"credentialId": added["id"]}
    refused = await town.admin.post(f"/api/v1/devices/{device_id}/rotate-credential", json=rotate)
    assert refused.json()["code"] == "devices.certificate_not_rotated"


# --- Let in by who signed them --------------------------------------------------------------------


@pytest.mark.parametrize("named", ["serial", "id", "urn"])
async def test_a_certificate_of_an_authority_becomes_a_credential_of_the_device_it_names(
    town: Town, named: str
) -> None:
    authority, authority_id = await town.authority("plant")
    device_id = await town.device("pump")
    name = device_id if named == "id" else "pump"
    uri = f"urn:uuid:{device_id}" if named == "urn" else None
    files = authority.files("someone" if uri else name, uri=uri)
    assert (await town.answer(files)).reason_code == 0
    (credential,) = await town.credentials(device_id)
    assert (credential["kind"], credential["authorityId"]) == ("certificate", authority_id)
    assert (await town.answer(files)).reason_code == 0
    assert len(await town.credentials(device_id)) == 1
    # A renewed one is let in beside it; the old one is revoked alone.
    renewed = authority.files("someone" if uri else name, uri=uri)
    assert (await town.answer(renewed)).reason_code == 0
    assert len(await town.credentials(device_id)) == 2
    await town.revoke(device_id, credential["id"])
    assert (await town.answer(renewed)).reason_code == 0


async def test_an_authority_speaks_for_devices_of_its_own_organisation_only(town: Town) -> None:
    authority, _ = await town.authority("plant")
    north = town.organization
    await town.found("Odense")
    elsewhere = await town.device("pump")
    town.organization = north
    for name in "pump", elsewhere, "nobody", str(uuid4()):
        answer = await town.answer(authority.files(name))
        assert answer.reason_code == ReasonCode.NOT_AUTHORIZED
        await town.listed(f"it names {name}")
    assert await town.credentials(elsewhere) == []


async def put_list(town: Town, authority_id: str, **body: Any) -> Any:
    path = f"/api/v1/organizations/{town.organization}/device-authorities/{authority_id}"
    return await town.admin.put(f"{path}/revocation-list", json=body)


async def test_what_an_authority_has_revoked_is_cut_off_and_lets_in_no_more(town: Town) -> None:
    authority, authority_id = await town.authority("plant")
    device_id = await town.device("pump")
    await town.device("valve")
    files, other = (authority.files(name) for name in ("pump", "valve"))
    unseen = authority.files("unseen", uri=f"urn:uuid:{device_id}")
    async with town.dialled(files) as client, town.dialled(other) as stays:
        for one in (client, stays):
            assert (await one.next(ConnAck)).reason_code == 0
        revoked = [files[0].read_text(), unseen[0].read_text()]
        taken = await put_list(town, authority_id, list=authority.revoke(*revoked, number=7))
        assert taken.status_code == 200, taken.text
        assert taken.json()["revocationList"]["revoked"] == 2
        gone = await client.until_closed()
        assert gone is not None and gone.reason_code == ReasonCode.ADMINISTRATIVE_ACTION
        assert await stays.subscribe("v1/up") == 1
    assert (await town.answer(files)).reason_code == ReasonCode.NOT_AUTHORIZED
    await town.listed("it was revoked on", device=device_id)
    assert (await town.answer(unseen)).reason_code == ReasonCode.NOT_AUTHORIZED
    await town.listed("its authority revoked it on")
    (credential,) = await town.credentials(device_id)
    assert credential["revokedAt"] is not None
    facts = (await town.admin.get("/api/v1/audit?name=devices.revocation_list_changed")).json()
    assert [one["after"]["revoked"] for one in facts["items"]] == [2]


async def test_a_list_that_is_older_or_not_the_authoritys_is_refused(town: Town) -> None:
    authority, authority_id = await town.authority("plant")
    other, _ = await town.authority("other")
    files = authority.files("pump")
    known = authority.revoke(files[0].read_text(), number=7)
    assert (await put_list(town, authority_id, list=known)).status_code == 200
    assert (await put_list(town, authority_id, list=known)).status_code == 200
    older = await put_list(town, authority_id, list=authority.revoke(number=6))
    assert older.json()["code"] == "devices.revocation_list_old"
    delta = authority.revoke(number=8, extension=x509.DeltaCRLIndicator(7))
    odd = authority.revoke(number=8, extension=x509.FreshestCRL([_point()]))
    for text, reason in (
        ("words!", "neither PEM nor base64"),
        ("d29yZHM=", "no list of revoked certificates"),
        (files[0].read_text(), "no list of revoked certificates"),
        (other.revoke(number=8), "not signed by the authority"),
        (delta, "tells only what has changed"),
        (odd, "critical extension"),
    ):
        refused = await put_list(town, authority_id, list=text)
        assert (refused.status_code, reason in refused.text) == (422, True), refused.text
    for body in ({}, {"list": known, "url": None}, {"list": None}):
        assert (await put_list(town, authority_id, **body)).status_code == 422
    for url in ("ftp://x/y", "http://", "http://[::1/a", "http://x:99999/", "http://a:b@x/", "h x"):
        assert (await put_list(town, authority_id, url=url)).status_code == 422, url
    path = f"/api/v1/organizations/{town.organization}/device-authorities"
    (mine,) = [one for one in (await town.admin.get(path)).json() if one["name"] == "plant"]
    assert mine["revocationList"]["revoked"] == 1


def _point() -> x509.DistributionPoint:
    return x509.DistributionPoint(
        [x509.UniformResourceIdentifier("http://127.0.0.1/delta")], None, None, None
    )


async def test_a_list_is_fetched_from_where_it_is_published(town: Town) -> None:
    authority, authority_id = await town.authority("plant")
    device_id = await town.device("pump")
    files = authority.files("pump")
    assert (await town.answer(files)).reason_code == 0
    answers = [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
    crl = authority.revoke(files[0].read_text(), number=1).encode()
    answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(crl), crl))

    async def publish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0))
        writer.close()

    server = await asyncio.start_server(publish, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/plant.crl"

    async def fetched(allowed: Sequence[str]) -> dict[str, Any]:
        assert (await put_list(town, authority_id, url=url)).status_code == 200
        assert await devices.ListFetcher(town.world.database, Outbound(allowed)).fetch_due() == 1
        path = f"/api/v1/organizations/{town.organization}/device-authorities/{authority_id}"
        known: dict[str, Any] = (await town.admin.get(path)).json()["revocationList"]
        return known

    async with server:
        assert "may not connect to" in (await fetched(()))["problem"]
        assert "the answer is 404" in (await fetched(LOOPBACK))["problem"]
        assert (await town.answer(files)).reason_code == 0
        known = await fetched(LOOPBACK)
        assert (known["problem"], known["revoked"], known["url"]) == (None, 1, url)
        # Nothing is due now.
        again = devices.ListFetcher(town.world.database, Outbound(LOOPBACK))
        assert await again.fetch_due() == 0
    assert (await town.answer(files)).reason_code == ReasonCode.NOT_AUTHORIZED
    (credential,) = await town.credentials(device_id)
    assert credential["revokedAt"] is not None


async def test_an_expired_certificate_of_an_authority_lets_nobody_in(town: Town) -> None:
    authority, _ = await town.authority("plant")
    device_id = await town.device("pump")
    answer = await town.answer(authority.files("pump", lasts=timedelta(minutes=-1)))
    assert answer.reason_code == ReasonCode.NOT_AUTHORIZED
    await town.listed("expired on")
    assert await town.credentials(device_id) == []


async def test_an_authority_taken_back_takes_along_all_that_it_signed(town: Town) -> None:
    authority, authority_id = await town.authority("plant")
    device_id = await town.device("pump")
    files = authority.files("pump")
    path = f"/api/v1/organizations/{town.organization}/device-authorities"
    async with town.dialled(files) as client:
        assert (await client.next(ConnAck)).reason_code == 0
        assert (await town.admin.delete(f"{path}/{authority_id}")).status_code == 204
        assert await client.until_closed() is not None
    assert (await town.answer(files)).reason_code == ReasonCode.NOT_AUTHORIZED
    await town.listed("no registered authority has signed it")
    assert await town.credentials(device_id) == []
    assert (await town.admin.get(path)).json() == []


async def test_an_authority_is_registered_only_with_a_proof_of_its_key(town: Town) -> None:
    (town.directory / "a").mkdir()
    (town.directory / "b").mkdir()
    one, other = Authority(town.directory / "a"), Authority(town.directory / "b")
    path = f"/api/v1/organizations/{town.organization}/device-authorities"
    proof, _ = one.issue(town.organization)
    leaf, _ = one.issue("leaf")
    for body, reason in (
        ({"certificate": one.certificate, "proof": leaf}, "common name"),
        (
            {"certificate": one.certificate, "proof": other.issue(town.organization)[0]},
            "not signed",
        ),
        ({"certificate": leaf, "proof": proof}, "may sign no certificates"),
        ({"certificate": other.certificate, "proof": proof}, "not signed"),
    ):
        refused = await town.admin.post(path, json={"name": "Plant", **body})
        assert refused.status_code == 422, refused.text
        assert reason in refused.text
    body = {"name": "Plant", "certificate": one.certificate, "proof": proof}
    assert (await town.admin.post(path, json=body)).status_code == 201
    assert (await town.admin.post(path, json=body)).json()["code"] == "devices.authority_taken"
    # The proof is for one organisation.
    await town.found("Odense")
    path = f"/api/v1/organizations/{town.organization}/device-authorities"
    assert "common name" in (await town.admin.post(path, json=body)).text


# --- Clients that nobody here wrote ---------------------------------------------------------------


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    assert process.returncode == 0, said
    return said.decode()


@pytest.mark.parametrize("version", ["311", "5"])
async def test_mosquitto_publishes_with_a_certificate(town: Town, version: str) -> None:
    authority, _ = await town.authority("plant")
    device_id = await town.device("pump")
    for files in (authority.files("pump"), self_signed(town, "pump")):
        if ".own" in files[0].name:
            await town.add(device_id, files)
        await run(
            "mosquitto_pub", "-h", "127.0.0.1", "-p", str(town.port), "-V", version,
            "--insecure", "--cafile", str(town.server),
            "--cert", str(files[0]), "--key", str(files[1]),
            "-q", "1", "-t", "v1/up", "-m", '{"t": 1}',
        )  # fmt: skip
    assert await town.world.work() == 2


async def test_paho_connects_over_websocket_with_a_certificate(town: Town) -> None:
    device_id = await town.device("pump")
    files = self_signed(town, "pump")
    await town.add(device_id, files)

    def publish() -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, transport="websockets")
        client.ws_set_options(path="/mqtt")
        client.tls_set_context(town.context(files))
        client.connect("127.0.0.1", town.port)
        client.loop_start()
        client.publish("v1/up", b'{"t": 1}', qos=1).wait_for_publish(20)
        client.disconnect()
        client.loop_stop()

    await asyncio.to_thread(publish)
    assert await town.world.work() == 1


async def test_tls_1_2_and_resumed_sessions_show_the_certificate_too(town: Town) -> None:
    device_id = await town.device("pump")
    files = self_signed(town, "pump")
    added = await town.add(device_id, files)
    context = town.context(files)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def connect(session: ssl.SSLSession | None) -> tuple[int, bool, ssl.SSLSession | None]:
        with (
            socket.create_connection(("127.0.0.1", town.port), 20) as raw,
            context.wrap_socket(raw, session=session) as tls,
        ):
            core = ClientConnection("tester", now=0.0, version=V5)
            tls.sendall(core.take())
            (answer,) = core.receive(tls.recv(4096), 0.0)
            assert isinstance(answer, ConnAck)
            return answer.reason_code, bool(tls.session_reused), tls.session

    code, reused, session = await asyncio.to_thread(connect, None)
    assert (code, reused) == (0, False)
    code, reused, _ = await asyncio.to_thread(connect, session)
    assert (code, reused) == (0, True)
    await town.revoke(device_id, added["id"])
    code, reused, _ = await asyncio.to_thread(connect, session)
    assert (code, reused) == (ReasonCode.NOT_AUTHORIZED, True)
