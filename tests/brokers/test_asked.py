"""Brokers ask in their own words: who somebody is, and what he may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from brokers.desk import Desk
from moorage import devices
from moorage.devices import CredentialKind
from moorage.sources import BrokerKind
from web import OPERATOR

MAY, MAY_NOT = True, False
ASKING = [BrokerKind.GO_AUTH, BrokerKind.EMQX, BrokerKind.VERNEMQ, BrokerKind.RABBITMQ]


async def signs_in(
    desk: Desk, kind: BrokerKind, token: str, name: str, password: str, client_id: str = ""
) -> bool:
    """Ask whether somebody may sign in, as a broker of the kind does."""
    said = {"username": name, "password": password}
    if kind is BrokerKind.GO_AUTH:
        answer = await desk.ask(token, "user", **said, clientid=client_id)
        assert answer.json()["ok"] is (answer.status_code == 200)
        return answer.status_code == 200
    if kind is BrokerKind.EMQX:
        answer = await desk.ask(token, "authn", **said, clientid=client_id, peerhost="192.0.2.9")
        return bool(answer.json()["result"] == "allow")
    if kind is BrokerKind.RABBITMQ:
        answer = await desk.ask(token, "user", form={**said, "client_id": client_id, "vhost": "/"})
        return answer.text.split()[0] == "allow"
    named = {"client_id": client_id, "mountpoint": "", "peer_addr": "192.0.2.9", "peer_port": 1}
    answer = await desk.ask(token, "hook", hook="auth_on_register", **said, **named)
    return bool(answer.json()["result"] == "ok")


async def may(desk: Desk, kind: BrokerKind, token: str, name: str, action: str, topic: str) -> bool:
    """Ask whether somebody may publish or subscribe, as a broker of the kind does."""
    if kind is BrokerKind.GO_AUTH:
        access = 2 if action == "publish" else 4
        said = {"username": name, "clientid": "c", "topic": topic, "acc": access}
        return (await desk.ask(token, "acl", **said)).status_code == 200
    if kind is BrokerKind.EMQX:
        said = {"username": name, "clientid": "c", "topic": topic, "action": action}
        return bool((await desk.ask(token, "authz", **said)).json()["result"] == "allow")
    if kind is BrokerKind.RABBITMQ:
        form = {
            "username": name, "vhost": "/", "resource": "topic", "name": "amq.topic",
            "permission": "write" if action == "publish" else "read",
            "routing_key": topic.replace("/", ".").replace("+", "*"),
        }  # fmt: skip
        return (await desk.ask(token, "topic", form=form)).text == "allow"
    said = {"username": name, "client_id": "c", "mountpoint": ""}
    if action == "publish":
        more: dict[str, Any] = {"topic": topic, "qos": 1, "payload": "aGk=", "retain": False}
    else:
        more = {"topics": [{"topic": topic, "qos": 1}]}
    answer = await desk.ask(token, "hook", hook=f"auth_on_{action}", **said, **more)
    return bool(answer.json()["result"] == "ok")


async def until(holds: Callable[[], Awaitable[bool]]) -> float:
    """Wait until something holds; give how long it took, in seconds."""
    began = time.monotonic()
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ASKING)
async def test_a_device_is_known_and_keeps_to_its_own_topics(desk: Desk, kind: BrokerKind) -> None:
    token = (await desk.broker(kind)).token
    one, other = await desk.thing(), await desk.thing(user_name="other")
    key = await desk.thing(kind=CredentialKind.KEY)
    for thing in (one, other, key):
        assert await signs_in(desk, kind, token, thing.user_name, thing.secret, thing.id)
        own = f"v1/devices/{thing.id}"
        assert await may(desk, kind, token, thing.user_name, "publish", f"{own}/up")
        assert await may(desk, kind, token, thing.user_name, "publish", f"{own}/up/a/b")
        assert await may(desk, kind, token, thing.user_name, "publish", f"{own}/op/1/result")
        assert await may(desk, kind, token, thing.user_name, "subscribe", f"{own}/op/#")
    assert not await signs_in(desk, kind, token, one.user_name, other.secret)
    assert not await signs_in(desk, kind, token, "nobody", one.secret + "x")
    foreign = f"v1/devices/{other.id}"
    for action, topic in (
        ("publish", f"{foreign}/up"),
        ("publish", "anything"),
        ("publish", f"v1/devices/{one.id}/op/1"),
        ("publish", ""),
        ("subscribe", f"{foreign}/op/#"),
        ("subscribe", "v1/devices/+/op/#"),
        ("subscribe", "#"),
        ("subscribe", f"$share/g/v1/devices/{one.id}/op/#"),
    ):
        assert not await may(desk, kind, token, one.user_name, action, topic), topic


@pytest.mark.parametrize("kind", ASKING)
async def test_nobody_takes_the_session_of_another_by_its_client_id(
    desk: Desk, kind: BrokerKind
) -> None:
    token = (await desk.broker(kind)).token
    one, other = await desk.thing(), await desk.thing(user_name="other")
    for client_id in (one.id, f"{one.id}-2", ""):
        assert await signs_in(desk, kind, token, one.id, one.secret, client_id)
    for client_id in (other.id, "other", f"{one.id}2", "x"):
        assert not await signs_in(desk, kind, token, one.id, one.secret, client_id)


@pytest.mark.parametrize("kind", ASKING)
async def test_another_organizations_device_is_refused(desk: Desk, kind: BrokerKind) -> None:
    token = (await desk.broker(kind)).token
    everybodys = (await desk.broker(kind, organization_id=None)).token
    foreign = await desk.thing(application_id=await desk.elsewhere())
    assert not await signs_in(desk, kind, token, foreign.user_name, foreign.secret)
    topic = f"v1/devices/{foreign.id}/up"
    assert not await may(desk, kind, token, foreign.user_name, "publish", topic)
    assert await signs_in(desk, kind, everybodys, foreign.user_name, foreign.secret)
    assert await may(desk, kind, everybodys, foreign.user_name, "publish", topic)


@pytest.mark.parametrize("kind", ASKING)
async def test_what_is_revoked_is_refused_within_a_second(desk: Desk, kind: BrokerKind) -> None:
    token = (await desk.broker(kind)).token
    thing = await desk.thing()
    topic = f"v1/devices/{thing.id}/up"
    assert await signs_in(desk, kind, token, thing.user_name, thing.secret)
    assert await may(desk, kind, token, thing.user_name, "publish", topic)
    async with desk.world.database.begin(OPERATOR) as tx:
        await devices.revoke_credential(tx, OPERATOR, UUID(thing.id), thing.credential_id)

    async def refused() -> bool:
        return not await may(desk, kind, token, thing.user_name, "publish", topic)

    await until(refused)
    assert not await signs_in(desk, kind, token, thing.user_name, thing.secret)


async def test_a_device_whose_credential_has_expired_is_refused(desk: Desk) -> None:
    kind = BrokerKind.EMQX
    token = (await desk.broker(kind)).token
    thing = await desk.thing(expires_at=datetime.now(UTC) + timedelta(seconds=3))
    topic = f"v1/devices/{thing.id}/up"
    assert await signs_in(desk, kind, token, thing.user_name, thing.secret)
    assert await may(desk, kind, token, thing.user_name, "publish", topic)

    async def refused() -> bool:
        return not await may(desk, kind, token, thing.user_name, "publish", topic)

    await until(refused)
    assert not await signs_in(desk, kind, token, thing.user_name, thing.secret)


@pytest.mark.parametrize("kind", ASKING)
async def test_the_platform_signs_in_with_the_token(desk: Desk, kind: BrokerKind) -> None:
    made = await desk.broker(kind)
    assert await signs_in(desk, kind, made.token, "moorage", made.token, "moorage-1")
    # Each of several connections has a name of its own.
    assert await signs_in(desk, kind, made.token, "moorage-15", made.token)
    assert not await signs_in(desk, kind, made.token, "moorage-15", "")
    assert not await signs_in(desk, kind, made.token, "moorage-16", made.token)
    assert await may(desk, kind, made.token, "moorage", "subscribe", "v1/devices/+/#")
    assert await may(desk, kind, made.token, "moorage", "publish", "v1/devices/x/op/1")
    # The name is not to be had with a device's password.
    thing = await desk.thing(user_name="moorage")
    assert not await signs_in(desk, kind, made.token, "moorage", thing.secret)
    assert not await signs_in(desk, kind, made.token, "moorage", "")


async def test_no_foreign_and_expired_tokens_are_refused(desk: Desk) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    made = await desk.broker(BrokerKind.RABBITMQ, expires_at=soon)
    asked = {"username": "moorage", "password": made.token}
    # With the tag by which the management tells of connections and ends them.
    assert (await desk.ask(made.token, "user", form=asked)).text == "allow administrator"

    async def refused() -> bool:
        path = f"/brokers/v1/{made.token}/user"
        return (await desk.client.post(path, data=asked)).status_code == 401

    await until(refused)
    for path in ("user", "mbk_guess/user", f"{made.token[:-1]}/user", ""):
        answer = await desk.client.post(f"/brokers/v1/{path}", data=asked)
        assert (answer.status_code, answer.json()["code"]) == (401, "brokers.token_refused")
    bearer = {"Authorization": "Bearer guess"}
    answer = await desk.client.post("/brokers/v1/user", data=asked, headers=bearer)
    assert answer.status_code == 401


async def test_a_token_gives_way_to_a_new_one(desk: Desk) -> None:
    made = await desk.broker(BrokerKind.EMQX)
    assert await signs_in(desk, BrokerKind.EMQX, made.token, "moorage", made.token)
    new = await desk.rotate(made.broker, overlap=timedelta(hours=1))
    assert await signs_in(desk, BrokerKind.EMQX, new.token, "moorage", made.token)
    assert await signs_in(desk, BrokerKind.EMQX, made.token, "moorage", new.token)
    last = await desk.rotate(made.broker)
    assert await signs_in(desk, BrokerKind.EMQX, last.token, "moorage", last.token)
    for old in (made.token, new.token):
        path = f"/brokers/v1/{old}/authn"
        assert (await desk.client.post(path, json={})).status_code == 401
    # In a header, where a broker can send one, and nothing in the path.
    bearer = {"Authorization": f"Bearer {last.token}"}
    said = {"username": "moorage", "password": last.token}
    answer = await desk.client.post("/brokers/v1/authn", json=said, headers=bearer)
    assert answer.json() == {"result": "allow", "is_superuser": True}


async def test_a_certificate_names_a_device_by_its_id(desk: Desk) -> None:
    thing = await desk.thing(user_name="named")
    checks = (await desk.broker(BrokerKind.RABBITMQ, certified=True)).token
    plain = (await desk.broker(BrokerKind.RABBITMQ)).token
    asked = {"username": thing.id, "client_id": thing.id}
    assert (await desk.ask(checks, "user", form=asked)).text == "allow"
    topic = f"v1/devices/{thing.id}/up"
    assert await may(desk, BrokerKind.RABBITMQ, checks, thing.id, "publish", topic)
    assert (await desk.ask(plain, "user", form=asked)).text == "deny"
    assert not await may(desk, BrokerKind.RABBITMQ, plain, thing.id, "publish", topic)
    # With a password it is the password that counts.
    guessed = {**asked, "password": "guess"}
    assert (await desk.ask(checks, "user", form=guessed)).text == "deny"
    assert (await desk.ask(checks, "user", form={**asked, "password": ""})).text == "deny"


async def test_a_key_beside_a_name_of_nobody_is_refused(desk: Desk) -> None:
    """The broker passes on the user name only, so a device must be known by that."""
    token = (await desk.broker(BrokerKind.EMQX)).token
    key = await desk.thing(kind=CredentialKind.KEY)
    assert not await signs_in(desk, BrokerKind.EMQX, token, "anything", key.secret)
    assert await signs_in(desk, BrokerKind.EMQX, token, key.secret, "")


async def test_rabbitmq_shows_a_device_no_more_than_its_session(desk: Desk) -> None:
    token = (await desk.broker(BrokerKind.RABBITMQ)).token
    one, other = await desk.thing(), await desk.thing()

    async def allowed(question: str, **form: str) -> bool:
        asked = {"username": one.id, "vhost": "/", **form}
        return (await desk.ask(token, question, form=asked)).text == "allow"

    assert await allowed("vhost")
    assert not await allowed("vhost", vhost="other")
    assert await allowed("vhost?only=iot", vhost="iot")
    queue = f"mqtt-subscription-{one.id}-2qos1"
    for permission in ("configure", "read", "write"):
        assert await allowed("resource", resource="queue", name=queue, permission=permission)
        foreign = f"mqtt-subscription-{other.id}qos1"
        for name in (foreign, "tasks", ""):
            assert not await allowed("resource", resource="queue", name=name, permission=permission)
    exchange = {"resource": "exchange", "name": "amq.topic"}
    assert await allowed("resource", **exchange, permission="write")
    assert not await allowed("resource", **exchange, permission="configure")
    assert not await allowed("resource", resource="exchange", name="", permission="write")
    key = f"v1.devices.{one.id}.up"
    topic = {"resource": "topic", "permission": "write", "routing_key": key}
    assert await allowed("topic", **topic, name="amq.topic")
    assert not await allowed("topic", **topic, name="amq.headers")


@pytest.mark.parametrize("version", ["", "_m5"])
async def test_vernemq_is_told_the_topics_as_they_are_for_all(desk: Desk, version: str) -> None:
    token = (await desk.broker(BrokerKind.VERNEMQ)).token
    one, other = await desk.thing(), await desk.thing()

    async def hook(name: str, **more: Any) -> Any:
        said = {"username": one.id, "client_id": one.id, "mountpoint": "", **more}
        return await desk.ask(token, "hook", hook=name + version, **said)

    answer = await hook("auth_on_publish", topic="v1/up/hall", qos=1, payload="", retain=False)
    full = f"v1/devices/{one.id}/up/hall"
    assert answer.json() == {"result": "ok", "modifiers": {"topic": full}}
    assert answer.headers["cache-control"] == "max-age=1"
    answer = await hook("auth_on_publish", topic=full, qos=1, payload="", retain=False)
    assert answer.json() == {"result": "ok"}
    wanted = [
        {"topic": "v1/op/#", "qos": 1},
        {"topic": f"v1/devices/{other.id}/op/#", "qos": 1},
    ]
    refused = 135 if version else 128
    topics = [
        {"topic": f"v1/devices/{one.id}/op/#", "qos": 1},
        {"topic": f"v1/devices/{other.id}/op/#", "qos": refused},
    ]
    told = {"modifiers": {"topics": topics}} if version else {"topics": topics}
    assert (await hook("auth_on_subscribe", topics=wanted)).json() == {"result": "ok", **told}
    answer = await hook("auth_on_subscribe", topics=wanted[1:])
    assert answer.json() == {"result": {"error": "not_allowed"}}
    assert "cache-control" not in answer.headers
    answer = await hook("on_deliver", topic=f"v1/devices/{one.id}/op/7", payload="e30=")
    assert answer.json() == {"result": "ok", "modifiers": {"topic": "v1/op/7"}}


async def test_go_auth_is_answered_in_each_of_its_modes(desk: Desk) -> None:
    token = (await desk.broker(BrokerKind.GO_AUTH)).token
    thing = await desk.thing()
    form = {"username": thing.id, "password": thing.secret, "clientid": thing.id}
    answer = await desk.ask(token, "user", form=form)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "error": ""})
    assert (await desk.ask(token, "user?mode=text", form=form)).text == "ok"
    wrong = {**form, "password": "wrong"}
    answer = await desk.ask(token, "user?mode=text", form=wrong)
    assert (answer.status_code, answer.text) == (403, "refused")
    for name, is_super in (("moorage", True), (thing.id, False), ("nobody", False)):
        assert (await desk.ask(token, "superuser", username=name)).json()["ok"] is is_super
    own = f"v1/devices/{thing.id}"
    for access, topic, allowed in (
        (1, f"{own}/op/7", MAY),
        (2, f"{own}/up", MAY),
        (3, f"{own}/up", MAY),
        (3, f"{own}/op/7", MAY_NOT),
        (4, f"{own}/op/#", MAY),
    ):
        asked = {"username": thing.id, "clientid": thing.id, "topic": topic}
        answer = await desk.ask(token, "acl", form={**asked, "acc": str(access)})
        assert answer.json()["ok"] is allowed, (access, topic)


async def test_what_cannot_be_read_is_said_to_be_so(desk: Desk) -> None:
    rabbit = (await desk.broker(BrokerKind.RABBITMQ)).token
    emqx = (await desk.broker(BrokerKind.EMQX)).token
    verne = (await desk.broker(BrokerKind.VERNEMQ)).token
    go_auth = (await desk.broker(BrokerKind.GO_AUTH)).token
    await desk.ask(go_auth, "user", form={})

    async def code(token: str, name: str, **more: Any) -> tuple[int, str]:
        answer = await desk.client.post(f"/brokers/v1/{token}/{name}", **more)
        return answer.status_code, answer.json()["code"]

    malformed = 400, "brokers.question_malformed"
    assert await code(emqx, "authn", content=b"{") == malformed
    assert await code(emqx, "authn", content=b"[]") == malformed
    assert await code(emqx, "authn", json={"username": 7}) == malformed
    assert await code(verne, "hook", json={"username": "moorage"}) == malformed
    assert await code(go_auth, "acl", data={"username": "moorage", "acc": "9"}) == malformed
    odd = {"username": "moorage", "action": "all"}
    assert await code(emqx, "authz", json=odd) == malformed
    assert await code(rabbit, "authn", json={}) == (404, "brokers.question_unknown")
    large = b"x" * (12 * 1024 * 1024 + 1)
    assert await code(emqx, "authn", content=large) == (413, "ingest.message_too_large")
    nul = {"username": "a\0b", "password": "c"}
    assert (await desk.ask(rabbit, "user", form=nul)).text == "deny"


async def test_wrong_guesses_at_one_name_are_bounded_and_others_go_on(desk: Desk) -> None:
    token = (await desk.broker(BrokerKind.RABBITMQ)).token
    thing, other = await desk.thing(), await desk.thing()

    async def guess(n: int) -> str:
        said = {"username": thing.id, "password": f"guess {n}"}
        return (await desk.ask(token, "user", form=said)).text

    # More at once than are forgiven, also by a machine that is slow.
    for first in range(0, 600, 100):
        assert set(await asyncio.gather(*map(guess, range(first, first + 100)))) == {"deny"}
    listed = await desk.world.admin()
    found = (await listed.get("/api/v1/refusals", params={"limit": "100"})).json()["items"]

    def details() -> set[str]:
        return {row["detail"] for row in found}

    async def is_listed() -> bool:
        nonlocal found
        found = (await listed.get("/api/v1/refusals", params={"limit": "100"})).json()["items"]
        return "Too many attempts from this address." in details()

    await until(is_listed)
    assert await signs_in(desk, BrokerKind.RABBITMQ, token, other.id, other.secret)
