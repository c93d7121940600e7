"""The HTTP kind against a real server that misbehaves on demand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from moorage.builtin.targets.http import KIND
from moorage.kit.errors import FieldInvalid
from moorage.kit.outbound import Outbound
from moorage.targets import Delivery, Outcome, Result
from moorage.testing.authority import Authority
from moorage.testing.targets import CHECKS, NETWORK, Bench, Received, a_delivery
from ports import free_port
from targets.servers import Answer, HttpServer, Request, http_server


@pytest_asyncio.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with http_server() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_http_kind_conforms(
    check: Callable[[Bench], Awaitable[None]], server: HttpServer
) -> None:
    server.behave = lambda r: Answer(422 if r.target == "/refuse" else 200)

    async def received() -> list[Received]:
        return [
            Received(r.headers["idempotency-key"], r.body)
            for r in server.requests
            if r.method == "POST"
        ]

    await check(
        Bench(
            KIND,
            {"url": f"{server.url}/in", "authentication": "basic", "user": "us"},
            received,
            {"url": f"{server.url}/refuse"},
            {"url": f"http://127.0.0.1:{free_port()}/"},
            {"url": "ftp://example.org/"},
            {"password": "a-very-secret-password"},
        )
    )


X = "https://x.example/"


async def send(
    settings: Mapping[str, Any],
    delivery: Delivery | None = None,
    secrets: Mapping[str, str] | None = None,
    network: Outbound = NETWORK,
) -> Result:
    KIND.check(settings, frozenset(secrets or ()))
    sender = await KIND.open(settings, secrets or {}, network, "moorage-test")
    try:
        (result,) = await sender.send([delivery or a_delivery(1)])
        return result
    finally:
        await sender.close()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ACCEPTED), (202, Outcome.ACCEPTED), (204, Outcome.ACCEPTED),
        (400, Outcome.REFUSED), (404, Outcome.REFUSED), (413, Outcome.REFUSED),
        (422, Outcome.REFUSED), (401, Outcome.FAILED), (403, Outcome.FAILED),
        (408, Outcome.OUTAGE), (429, Outcome.OUTAGE), (500, Outcome.FAILED),
        (502, Outcome.OUTAGE), (503, Outcome.OUTAGE), (301, Outcome.REFUSED),
    ],
)  # fmt: skip
async def test_each_status_has_its_outcome(
    status: int, outcome: Outcome, server: HttpServer
) -> None:
    server.behave = lambda _r: Answer(status, b"" if status == 204 else b"because")
    result = await send({"url": server.url})
    assert (result.outcome, result.status) == (outcome, status)


async def test_retry_after_is_heard_as_seconds_and_as_a_date(server: HttpServer) -> None:
    server.behave = lambda _r: Answer(429, headers={"Retry-After": "17"})
    assert (await send({"url": server.url})).retry_after_s == 17
    server.behave = lambda _r: Answer(503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})
    assert (await send({"url": server.url})).retry_after_s == 3600
    server.behave = lambda _r: Answer(503, headers={"Retry-After": "soon"})
    assert (await send({"url": server.url})).retry_after_s is None


async def test_url_body_and_headers_are_made_from_the_message(server: HttpServer) -> None:
    delivery = a_delivery(42)
    await send(
        {
            "url": f"{server.url}/things/{{{{device.id}}}}?n={{{{document.number}}}}",
            "method": "PUT",
            "headers": {"X-Site": "North"},
            "body": '{"id": {{message.id}}, "text": "<{{document.text}}>",'
            ' "n": {{readings.number}}}',
            "contentType": "application/vnd.x+json",
        },
        delivery,
    )
    (request,) = server.requests
    assert request.method == "PUT"
    assert request.target == f"/things/{delivery.content.device_id}?n=42"
    assert json.loads(request.body) == {
        "id": delivery.content.message_id,
        "text": '<a "quoted" text æøå>',
        "n": 42,
    }
    assert request.headers["content-type"] == "application/vnd.x+json"
    assert request.headers["x-site"] == "North"
    assert request.headers["idempotency-key"] == delivery.key


async def test_without_a_template_a_document_goes_in_an_envelope(server: HttpServer) -> None:
    delivery = a_delivery(3)
    await send({"url": server.url}, delivery)
    body = json.loads(server.requests[0].body)
    assert body["document"] == {"number": 3, "text": 'a "quoted" text æøå'}
    assert body["device"] == {"id": delivery.content.device_id, "name": "Conformance"}
    assert body["at"] == "2023-11-14T22:13:20.000Z"
    assert body["readings"] == {"number": 3.0}


async def test_a_signature_can_be_verified(server: HttpServer) -> None:
    key = bytes(range(32))
    delivery = a_delivery(1)
    await send({"url": server.url}, delivery,
               {"signingSecret": "whsec_" + base64.b64encode(key).decode()})  # fmt: skip
    (request,) = server.requests
    signed = b".".join(
        [delivery.key.encode(), request.headers["webhook-timestamp"].encode(), request.body]
    )
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert request.headers["webhook-id"] == delivery.key
    assert request.headers["webhook-signature"] == f"v1,{expected}"


async def test_an_oauth2_token_is_kept_and_renewed_when_refused(server: HttpServer) -> None:
    tokens = iter(range(100))
    good = {"Bearer t0"}

    def behave(request: Request) -> Answer:
        if request.target == "/token":
            token = f"t{next(tokens)}"
            return Answer(body=json.dumps({"access_token": token, "expires_in": 3600}).encode())
        return Answer(200 if request.headers.get("authorization") in good else 401)

    server.behave = behave
    settings = {
        "url": f"{server.url}/in",
        "authentication": "oauth2",
        "oauth2": {"tokenUrl": f"{server.url}/token", "clientId": "us", "scope": "write"},
    }
    sender = await KIND.open(settings, {"clientSecret": "s3cret"}, NETWORK, "moorage-test")
    try:
        results = await asyncio.gather(*(sender.send([a_delivery(n)]) for n in range(5)))
        assert all(r[0].outcome is Outcome.ACCEPTED for r in results)
        assert len([r for r in server.requests if r.target == "/token"]) == 1
        good.clear()
        good.add("Bearer t1")
        (result,) = await sender.send([a_delivery(9)])
    finally:
        await sender.close()
    assert result.outcome is Outcome.ACCEPTED
    asked = [r for r in server.requests if r.target == "/token"]
    assert len(asked) == 2
    assert asked[0].headers["authorization"] == "Basic " + base64.b64encode(b"us:s3cret").decode()
    assert asked[0].body == b"grant_type=client_credentials&scope=write"


async def test_a_slow_server_is_an_outage(server: HttpServer) -> None:
    server.behave = lambda _r: Answer(after_s=5)
    result = await send({"url": server.url, "timeoutS": 0.1})
    assert result.outcome is Outcome.OUTAGE
    assert "within 0.1 s" in result.detail


async def test_a_server_that_hangs_up_is_an_outage(server: HttpServer) -> None:
    server.behave = lambda _r: Answer(close=True)
    assert (await send({"url": server.url})).outcome is Outcome.OUTAGE


async def test_connections_are_kept_and_dead_ones_replaced(server: HttpServer) -> None:
    sender = await KIND.open({"url": server.url}, {}, NETWORK, "moorage-test")
    try:
        for n in range(10):
            await sender.send([a_delivery(n)])
        assert server.connections == 1
        server.behave = lambda _r: Answer(headers={"Connection": "close"})
        for n in range(2):
            (result,) = await sender.send([a_delivery(n)])
            assert result.outcome is Outcome.ACCEPTED
        assert server.connections == 2
    finally:
        await sender.close()


async def test_an_endless_answer_is_cut(server: HttpServer) -> None:
    server.behave = lambda _r: Answer(body=b"x" * 10_000_000)
    result = await send({"url": server.url})
    assert result.outcome is Outcome.ACCEPTED
    assert len(result.answer) == 2000


async def test_secrets_do_not_come_back_in_the_answer(server: HttpServer) -> None:
    server.behave = lambda r: Answer(400, b"You sent " + r.headers["authorization"].encode())
    secrets = {"authorization": "Token abc123def456"}
    result = await send({"url": server.url, "authentication": "header"}, None, secrets)
    assert "abc123def456" not in result.answer
    assert "***" in result.answer


async def test_a_redirect_is_not_followed(server: HttpServer) -> None:
    """Not even to an address that is allowed: where a message goes is for the settings to say."""
    server.behave = lambda r: Answer(
        307 if r.target == "/in" else 200,
        headers={"Location": "http://169.254.169.254/latest/meta-data/"},
    )
    result = await send({"url": f"{server.url}/in"})
    assert (result.outcome, result.status) == (Outcome.REFUSED, 307)
    assert len(server.requests) == 1


async def test_a_token_endpoint_passes_the_guard_too(server: HttpServer) -> None:
    settings = {
        "url": f"{server.url}/in",
        "authentication": "oauth2",
        "oauth2": {"tokenUrl": f"http://localhost:{server.port}/token", "clientId": "us"},
    }
    result = await send(settings, None, {"clientSecret": "x"}, Outbound())
    assert result.outcome is Outcome.OUTAGE
    assert "may not connect" in result.detail
    assert server.requests == []


@pytest.mark.parametrize(
    ("settings", "secrets", "pointer"),
    [
        ({}, (), "/settings/url"),
        ({"url": "https://user:pw@x.example/"}, (), "/settings/url"),
        ({"url": "https://{{device.name}}.example/"}, (), "/settings/url"),
        ({"url": "https://x.example/{{nothing.at.all}}"}, (), "/settings/url"),
        ({"url": X, "method": "GET"}, (), "/settings/method"),
        ({"url": X, "headers": {"Host": "y"}}, (), "/settings/headers/Host"),
        ({"url": X, "headers": {"X": "a\r\nB: c"}}, (), "/settings/headers/X"),
        ({"url": X, "authentication": "basic"}, (), "/secrets/password"),
        ({"url": X, "timeoutS": 0}, (), "/settings/timeoutS"),
        ({"url": X, "tls": {"authority": "no"}}, (), "/settings/tls/authority"),
        ({"url": X, "oauth2": {"clientId": "x"}}, (), "/settings/oauth2/tokenUrl"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(
    settings: Mapping[str, Any], secrets: tuple[str, ...], pointer: str
) -> None:
    with pytest.raises(FieldInvalid) as refused:
        KIND.check(settings, frozenset(secrets))
    assert refused.value.pointer == pointer


@contextlib.asynccontextmanager
async def tls_server(authority: Authority, *, clients: bool) -> AsyncIterator[HttpServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.load(context, "localhost")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.certificate)
    async with http_server(context) as made:
        yield made


async def test_certificates_are_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with tls_server(authority, clients=False) as server:
        url = f"https://localhost:{server.port}/"
        untrusted = await send({"url": url})
        assert untrusted.outcome is Outcome.OUTAGE
        assert "not trusted" in untrusted.detail
        private = {"url": url, "tls": {"authority": authority.certificate}}
        assert (await send(private)).outcome is Outcome.ACCEPTED
        wrong_name = {**private, "url": f"https://127.0.0.1:{server.port}/"}
        assert (await send(wrong_name)).outcome is Outcome.OUTAGE


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("moorage")
    async with tls_server(authority, clients=True) as server:
        tls = {"authority": authority.certificate}
        url = f"https://localhost:{server.port}/"
        assert (await send({"url": url, "tls": tls})).outcome is Outcome.OUTAGE
        shown = {"url": url, "tls": {**tls, "clientCertificate": certificate}}
        result = await send(shown, None, {"clientKey": key})
        assert result.outcome is Outcome.ACCEPTED
