"""One thing of every kind in an organisation, for the test that nobody else gets at it.

A slice whose paths have a parameter registers a factory here; the test names what is missing.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from httpx2 import AsyncClient

import programs
from authenticator import Authenticator, add
from moorage import notifications, tasks
from moorage.audit import service as audit
from moorage.audit.model import Content as Sent
from moorage.audit.model import NewCollector
from moorage.kit.ids import uuid7
from moorage.notifications import NewNotice, NoticeKind, SubjectKind
from moorage.organizations import Permission, Role
from moorage.targets import Content
from moorage.targets import jobs as targets
from moorage.testing.authority import Authority
from web import OPERATOR, World

# Stands in every name made here, and must stand in no answer to somebody else.
MARK = "zq-north"


@dataclass
class North:
    """An organisation with one thing of every kind, and a client that may do everything in it."""

    world: World
    admin: AsyncClient
    organization_id: str
    ids: dict[str, str] = field(default_factory=dict)
    device_key: str = ""
    located: dict[str, str | None] = field(default_factory=dict)

    async def make(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a thing by its route."""
        answer = await self.admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, (path, answer.text)
        self.located[path] = answer.headers.get("Location")
        made: dict[str, Any] = answer.json()
        return made


Factory = Callable[[North], Awaitable[str]]
FACTORIES: dict[str, Factory] = {}


def thing(*names: str) -> Callable[[Factory], Factory]:
    """Register what fills a path parameter: `name`, or `/path/{name}` where names clash.

    Factories run in the order of registration; `north.ids` holds what was made before.
    """

    def register(factory: Factory) -> Factory:
        for name in names:
            FACTORIES[name] = factory
        return factory

    return register


async def settle(world: World) -> North:
    """Found the organisation and make one thing of every kind in it."""
    organization = await world.organization(f"{MARK} organization")
    admin = await world.person(
        f"{MARK}@example.org",
        organization.id,
        Role.USER_ADMIN,
        Role.APPLICATION_ADMIN,
        Role.GATEWAY_ADMIN,
        Role.READ,
    )
    north = North(world, admin, str(organization.id))
    made: dict[Factory, str] = {}
    for name, factory in FACTORIES.items():
        if factory not in made:
            made[factory] = await factory(north)
        north.ids[name] = made[factory]
    await leave(north)
    return north


def settled_in(world: World, north: North) -> North:
    """Give `north` in a world whose database is a copy of the one it was settled in."""
    admin = world.client(X_CSRF_Token=north.admin.headers["X-CSRF-Token"])
    admin.cookies.update(dict(north.admin.cookies))
    return replace(
        north, world=world, admin=admin, ids=dict(north.ids), located=dict(north.located)
    )


def filled(path: str, ids: dict[str, str]) -> str:
    """Fill a path's parameters. Raises KeyError for one that nobody registered."""
    done = ""
    for part in path.split("/")[1:]:
        if part.startswith("{"):
            name = part[1:-1]
            whole = next(
                (k for k in ids if k.startswith("/") and path.startswith(k) and k.endswith(part)),
                name,
            )
            if whole not in ids:
                raise KeyError(
                    f"Nothing fills {part} of {path}: register a factory in tests/borders.py."
                )
            part = ids[whole]
        done += f"/{part}"
    return done


@dataclass
class Answer:
    """What came back; of an endless answer, its beginning."""

    status: int
    text: str


async def ask(
    client: AsyncClient,
    method: str,
    path: str,
    *,
    query: dict[str, Any] | None = None,
    body: Any = None,
    endless: bool = False,
) -> Answer:
    """Ask; a feed is listened to for a moment only."""
    if not endless:
        answer = await client.request(method, path, params=query, json=body)
        return Answer(answer.status_code, answer.text)
    request = client.build_request(method, path, params=query)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": urlencode(query or {}).encode(), "state": {},
        "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
        "client": ("192.0.2.9", 40000), "server": ("localhost", 8080),
    }  # fmt: skip
    status, text = 0, bytearray()

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, text
        status = message.get("status", status)
        text += message.get("body", b"")

    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.sleep(0.3)
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    app: Any = client._transport.app  # type: ignore[attr-defined]
    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return Answer(status, text.decode(errors="replace"))


# --- What the slices register -----------------------------------------------


@thing("organization_id")
async def an_organization(north: North) -> str:
    return north.organization_id


@thing("/api/v1/permissions/{group_id}")
async def a_permission_group(north: North) -> str:
    body = {"organizationId": north.organization_id, "name": f"{MARK} group", "roles": ["Read"]}
    made = await north.make("/permissions", body)
    return str(made["id"])


@thing("user_id", "member_id")
async def a_user(north: North) -> str:
    group_id = UUID(north.ids["/api/v1/permissions/{group_id}"])
    return str((await north.world.user(f"{MARK}-user@example.org", group_id)).id)


@thing("invitation_id")
async def an_invitation(north: North) -> str:
    body = {
        "email": f"{MARK}-invited@example.org",
        "name": f"{MARK} invited",
        "permissionGroupIds": [north.ids["/api/v1/permissions/{group_id}"]],
    }
    return str((await north.make("/invitations", body))["id"])


@thing("/api/v1/permissions/{group_id}/members/{kind}")
async def a_member_kind(_north: North) -> str:
    return "user"


@thing("api_id")
async def an_api(_north: North) -> str:
    return "plans"


@thing("language")
async def a_language(_north: North) -> str:
    return "python"


@thing("session_id")
async def a_session(north: North) -> str:
    return str((await north.admin.get("/api/v1/auth/me")).json()["sessionId"])


@thing("/api/v1/users/{user_id}/sessions/{session_id}")
async def a_session_of_the_user(north: North) -> str:
    client = await north.world.sign_in(f"{MARK}-user@example.org")
    return str((await client.get("/api/v1/auth/me")).json()["sessionId"])


@thing("passkey_id")
async def a_passkey(north: North) -> str:
    client = await north.world.person(f"{MARK}-keys@example.org", None)
    return str((await add(client, Authenticator(), f"{MARK} passkey")).json()["id"])


@thing("key_id")
async def an_api_key(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} key",
        "permissionGroupIds": [north.ids["/api/v1/permissions/{group_id}"]],
    }
    made = await north.make("/api-keys", body)
    return str(made["id"])


@thing("program_id")
async def a_program(north: North) -> str:
    made = uuid7()
    async with north.world.database.begin() as tx:
        await tx.execute(
            "INSERT INTO session_programs (id, key_id, client_id, listener_id, connected_at,"
            " protocol, version, address, tls) VALUES (:id, :key, :mark, :id, now(), 'mqtt', '5',"
            " '192.0.2.1', true)",
            {"id": made, "key": UUID(north.ids["key_id"]), "mark": MARK},
        )
    return str(made)


@thing("client_id")
async def an_oauth_client(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} program",
        "redirectUris": [programs.BACK],
        "scopes": ["users:read"],
        "permissionGroupIds": [north.ids["/api/v1/permissions/{group_id}"]],
    }
    made = await north.make("/oauth/clients", body)
    program = programs.Program(north.world.client(), made["id"], made["clientSecret"])
    await programs.allowed(north.admin, program)
    return str(made["id"])


@thing("authorization_id")
async def an_authorization(north: North) -> str:
    (shown,) = (await north.admin.get("/api/v1/oauth/authorizations")).json()["items"]
    return str(shown["id"])


@thing("registration_token_id")
async def a_registration_token(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} registration",
        "scopes": ["users:read"],
        "expiresAt": "2099-01-01T00:00:00Z",
    }
    return str((await north.make("/oauth/registration-tokens", body))["id"])


@thing("plan_id")
async def a_plan(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} plan",
        "requestsPerSecond": 50,
        "burst": 300,
    }
    return str((await north.make("/plans", body))["id"])


@thing("subscription_id")
async def a_subscription(north: North) -> str:
    body = {
        "planId": north.ids["plan_id"],
        "subscriberKind": "client",
        "subscriberId": north.ids["client_id"],
    }
    return str((await north.make("/subscriptions", body))["id"])


@thing("origin_id")
async def an_origin(north: North) -> str:
    body = {"clientId": north.ids["client_id"], "origin": f"https://{MARK}.example.org"}
    return str((await north.make("/allowed-origins", body))["id"])


@thing("application_id")
async def an_application(north: North) -> str:
    body = {"organizationId": north.organization_id, "name": f"{MARK} application"}
    return str((await north.make("/applications", body))["id"])


@thing("decoder_id")
async def a_decoder(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} decoder",
        "script": "function decodeUplink(input) { return { data: { n: input.bytes.length } }; }",
    }
    decoder_id = str((await north.make("/decoders", body))["id"])
    case = {"name": MARK, "input": {"bytes": "01"}, "expected": {"data": {"n": 1}}}
    path = f"/api/v1/decoders/{decoder_id}/test-cases"
    answer = await north.admin.put(path, json=[case])
    assert answer.status_code == 200, answer.text
    return decoder_id


@thing("/api/v1/decoders/{decoder_id}/versions/{n}")
async def a_version(_north: North) -> str:
    return "1"


@thing("device_id")
async def a_device(north: North) -> str:
    body = {
        "applicationId": north.ids["application_id"],
        "name": f"{MARK} device",
        "location": {"type": "Point", "coordinates": [10.2, 56.15]},
    }
    device_id = str((await north.make("/devices", body))["id"])
    photo = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
    answer = await north.admin.put(f"/api/v1/devices/{device_id}/photo", content=photo)
    assert answer.status_code == 204, answer.text
    return device_id


@thing("credential_id")
async def a_credential(north: North) -> str:
    made = await north.make(f"/devices/{north.ids['device_id']}/credentials", {})
    north.device_key = made["secret"]
    return str(made["credential"]["id"])


@thing("authority_id")
async def an_authority(north: North) -> str:
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(Path(directory))
        proof, _key = authority.issue(north.organization_id)
    body = {"name": MARK, "certificate": authority.certificate, "proof": proof}
    path = f"/organizations/{north.organization_id}/device-authorities"
    return str((await north.make(path, body))["id"])


@thing("rule_id")
async def a_topic_rule(north: North) -> str:
    path = f"/applications/{north.ids['application_id']}/topic-rules"
    return str((await north.make(path, {"topic": f"{MARK}/#", "publish": True}))["id"])


@thing("channel")
async def a_channel(_north: North) -> str:
    return "raw"


@thing("operation_id")
async def an_operation(north: North) -> str:
    made = await north.make(
        f"/devices/{north.ids['device_id']}/operations", {"code": f"{MARK}-reboot"}
    )
    return str(made["id"])


@thing("position")
async def a_message(north: North) -> str:
    device = north.world.client(X_Device_Key=north.device_key)
    sent = await device.post("/ingest/v1/up", json={"marked": MARK})
    assert sent.status_code == 202, sent.text
    await north.world.work()
    listed = await north.admin.get(f"/api/v1/devices/{north.ids['device_id']}/messages")
    return str(listed.json()["items"][0]["position"])


@thing("collector_id")
async def a_collector(north: North) -> str:
    new = NewCollector(f"{MARK} collector", "tcp://127.0.0.1:1", (Sent.FACTS,))
    async with north.world.database.begin(OPERATOR) as tx:
        made = await audit.add_collector(tx, OPERATOR, new, north.world.app.state.sealer)
    return str(made.id)


@thing("task_id")
async def a_task(north: North) -> str:
    new = tasks.NewTask(
        "nothing",
        UUID(north.ids["device_id"]),
        UUID(north.organization_id),
        UUID(north.ids["application_id"]),
        Permission.READ_DEVICES,
        Permission.MANAGE_DEVICES,
        {"name": MARK},
    )
    async with north.world.database.begin(OPERATOR) as tx:
        task = await tasks.start(tx, OPERATOR, new, [(1, MARK)])
        await tx.execute("UPDATE task_rows SET outcome = 'updated', name = :name", {"name": MARK})
        return str(task.id)


@thing("/api/v1/inbox/{device_id}")
async def a_waiting_sender(north: North) -> str:
    made = await north.make(f"/applications/{north.ids['application_id']}/inbox-key", {})
    stranger = north.world.client(X_Device_Key=made["secret"], X_Sender=f"{MARK}-stranger")
    sent = await stranger.post("/ingest/v1/up", json={"marked": MARK})
    assert sent.status_code == 202, sent.text
    await north.world.work()
    (waits,) = (await north.admin.get("/api/v1/inbox")).json()["items"]
    return str(waits["id"])


@thing("notice_id")
async def a_notice(north: North) -> str:
    new = NewNotice(
        NoticeKind.SILENCE,
        SubjectKind.DEVICE,
        UUID(north.ids["device_id"]),
        f"{MARK} device",
        UUID(north.organization_id),
        UUID(north.ids["application_id"]),
    )
    async with north.world.database.begin() as tx:
        (made,) = await notifications.open_all(tx, [new])
    return str(made.id)


@thing("target_id")
async def a_target(north: North) -> str:
    body = {
        "applicationId": north.ids["application_id"],
        "name": f"{MARK} target",
        "kind": "http",
        "settings": {"url": "http://localhost:9/", "timeoutS": 1},
    }
    return str((await north.make("/targets", body))["id"])


@thing("source_id")
async def a_source(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} source",
        "url": "mqtt://localhost:9",
        "subscriptions": [{"topic": "plant/{device}/up"}],
    }
    return str((await north.make("/sources", body))["id"])


@thing("store_id")
async def a_user_store(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} store",
        "prefix": MARK,
        "kind": "openLdap",
        "servers": ["ldaps://localhost:9"],
        "base": "dc=example,dc=org",
    }
    return str((await north.make("/user-stores", body))["id"])


@thing("entry_id")
async def an_entry(_north: North) -> str:
    return "whom-the-directory-knows"


@thing("provider_id")
async def an_identity_provider(north: North) -> str:
    body = {
        "organizationId": north.organization_id,
        "name": f"{MARK} provider",
        "saml": {"metadataUrl": f"https://localhost:9/{MARK}"},
    }
    return str((await north.make("/identity-providers", body))["id"])


@thing("/api/v1/identity-providers/{provider_id}/keys/{key_id}")
async def a_key_towards_a_provider(north: North) -> str:
    path = f"/identity-providers/{north.ids['provider_id']}/keys"
    return str((await north.make(path, None))["id"])


@thing("access_request_id")
async def a_request_for_access(north: North) -> str:
    request_id = uuid7()
    async with north.world.database.begin() as tx:
        await tx.execute(
            "INSERT INTO access_requests (id, organization_id, provider_id, subject, name, email,"
            " groups, expires_at, created_at, updated_at, created_by, updated_by) VALUES (:id,"
            " :organization, :provider, :mark, :mark, :mark, ARRAY[:mark],"
            " now() + interval '1 day', now(), now(), :id, :id)",
            {
                "id": request_id,
                "organization": UUID(north.organization_id),
                "provider": UUID(north.ids["provider_id"]),
                "mark": f"{MARK} person",
            },
        )
    return str(request_id)


@thing("broker_id")
async def a_broker(north: North) -> str:
    body = {"organizationId": north.organization_id, "name": f"{MARK} broker"} | {
        "kind": "mosquitto"
    }
    return str((await north.make("/brokers", body))["id"])


@thing("route_id")
async def a_route(north: North) -> str:
    body = {"targetId": north.ids["target_id"], "name": f"{MARK} route", "enabled": False}
    return str((await north.make("/routes", body))["id"])


@thing("replay_id")
async def a_replay(north: North) -> str:
    period = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    path = f"/api/v1/targets/{north.ids['target_id']}/replay"
    answer = await north.admin.post(path, json=period)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@thing("letter_id")
async def a_dead_letter(north: North) -> str:
    letter_id = uuid7()
    content = Content(str(uuid7()), north.ids["device_id"], f"{MARK} device",
                      north.ids["application_id"], 0, 0, document=b'{"marked":true}')  # fmt: skip
    async with north.world.database.begin() as tx:
        await tx.execute(
            "INSERT INTO target_letters (id, target_id, route_id, device, key, content,"
            " enqueued_at, day, attempts, reason, detail, answer, created_at, updated_at,"
            " created_by, updated_by) VALUES (:id, :target, :route, 1, :id, :content, now(),"
            " current_date, 1, 'refused', '', '', now(), now(), :id, :id)",
            {
                "id": letter_id,
                "target": UUID(north.ids["target_id"]),
                "route": UUID(north.ids["route_id"]),
                "content": msgspec.msgpack.encode(content),
            },
        )
    return str(letter_id)


# --- What processes write ----------------------------------------------------

# In no path, yet in some list: as a listener, a worker and the doors leave it.
LEFT = (
    "INSERT INTO audit_keys (id, public, created_at) VALUES (:id, decode('00', 'hex'), now())",
    "INSERT INTO audit_chains (organization_id, place, number, link) "
    "VALUES (:organization, 1, 1, decode('00', 'hex'))",
    "INSERT INTO audit_checkpoints (organization_id, place, number, link, at, key_id, signature) "
    "VALUES (:organization, 1, 1, decode('00', 'hex'), now(), :id, decode('00', 'hex'))",
    "INSERT INTO session_presence (number, client_id, listener_id, connected, connected_at,"
    " last_contact_at, protocol, version, address, tls) SELECT number, :mark, :id, true, now(),"
    " now(), 'mqtt', '5.0', '192.0.2.1', true FROM devices WHERE id = :device",
    "INSERT INTO decoder_problems (decoder_id, device_number, day, count, last_at, hash, code,"
    " message) SELECT :decoder, number, current_date, 1, now(), NULL, 'decoders.crashed', :mark"
    " FROM devices WHERE id = :device",
    "INSERT INTO ingest_refusals (id, digest, reason, detail, protocol, address, hint, device_id,"
    " organization_id, application_id, first_at, last_at, count) VALUES (:id, 'x', 'malformed',"
    " :mark, 'http', '192.0.2.1', '', :device, :organization, :application, now(), now(), 1)",
    "INSERT INTO target_receipts (at, target_id, message_id, key, device, day, status, outcome,"
    " attempts, detail) SELECT now(), :target, :id, :id, number, current_date, 200, 0, 1, :mark"
    " FROM devices WHERE id = :device",
    "INSERT INTO target_log (target_id, at, outcome, device_id, message_id, key, attempt, status,"
    " latency_ms, detail, answer) VALUES (:target, now(), 'accepted', :device, '', '', 1, 200, 1.5,"
    " :mark, '')",
    "INSERT INTO source_log (source_id, at, outcome, topic, device_id, size, detail, excerpt)"
    " VALUES (:source, now(), 'taken', :mark, :device, 1, '', '')",
    "INSERT INTO system_log (at, part, component, level, event, detail) VALUES (now(), 'api',"
    " 'moorage.api', 'warning', :mark, '{}')",
)


async def leave(north: North) -> None:
    """Leave what the processes write about the organisation's things."""
    given = {
        "id": uuid7(),
        "mark": MARK,
        "organization": UUID(north.organization_id),
        **{
            name: UUID(north.ids[f"{name}_id"])
            for name in ("application", "device", "decoder", "target", "source")
        },
    }
    async with north.world.database.begin() as tx:
        await targets.make_days(tx)
        for statement in LEFT:
            wanted = {name: value for name, value in given.items() if f":{name}" in statement}
            await tx.execute(statement, wanted)
    await north.world.app.state.meter.write()
