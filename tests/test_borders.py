"""Every route of the OpenAPI document, asked by callers it is not for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import AsyncClient

from borders import FACTORIES, MARK, Answer, North, ask, filled
from moorage.api_gateway.middleware import PUBLIC, is_public
from moorage.organizations import Role
from moorage.organizations.model import APPLICATION_SCOPED
from web import World

OPEN = frozenset({"/health"}) | PUBLIC
JSON = "application/json"
LONG = "ostrich velvet quarry 17"
DEVICES_DOOR = "/ingest/"
# Everybody signed in may ask these, about themselves.
OWN = ("/api/v1/auth/",)
# Everybody signed in may read what the API is.
FOR_ALL = ("/api/v1/apis/",)
ALL = (Role.USER_ADMIN, Role.APPLICATION_ADMIN, Role.GATEWAY_ADMIN, Role.READ)


def is_open(path: str) -> bool:
    """Tell whether a door asks for no credential; each has tests of its own."""
    return path in OPEN or is_public(path)


def operations(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in world.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def is_endless(operation: dict[str, Any]) -> bool:
    return "text/event-stream" in operation["responses"].get("200", {}).get("content", {})


def sample(schema: dict[str, Any], document: dict[str, Any], ids: dict[str, str]) -> Any:
    """Make a small value that a schema allows, with North's ids wherever one fits."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return sample(document["components"]["schemas"][name], document, ids)
    for either in ("anyOf", "oneOf"):
        if either in schema:
            choice = next((s for s in schema[either] if s.get("type") != "null"), {})
            return sample(choice, document, ids)
    if "allOf" in schema:
        return sample(schema["allOf"][0], document, ids)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "default" in schema and schema["default"] is not None and schema.get("type") != "object":
        return schema["default"]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        made = {}
        for name, inner in schema.get("properties", {}).items():
            known = ids.get(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
            if known is not None:
                made[name] = known
            elif name == "permissionGroupIds":
                made[name] = [ids["/api/v1/permissions/{group_id}"]]
            elif name in schema.get("required", []):
                made[name] = sample(inner, document, ids)
        return made
    if kind == "array":
        least = schema.get("minItems", 0)
        return [sample(schema.get("items", {}), document, ids) for _ in range(least)]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    form = {"uuid": next(iter(ids.values())), "date-time": "2030-01-01T00:00:00Z"}
    pattern = schema.get("pattern", "")
    text = "a@example.org" if "@" in pattern else "xyz"
    return form.get(schema.get("format", ""), text)


def body_of(operation: dict[str, Any], world: World, ids: dict[str, str]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return None if schema is None else sample(schema, world.openapi(), ids)


def query_of(operation: dict[str, Any], ids: dict[str, str]) -> dict[str, str]:
    """Fill the filters that name a thing, a place or an instant with North's."""
    known = ids | {"bbox": "-180,-90,180,90", "at": datetime.now(UTC).isoformat()}
    query = {}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", parameter["name"]).lower()
            if name in known:
                query[parameter["name"]] = known[name]
    return query


@pytest.fixture
async def foreigners(world: World, north: North) -> dict[str, AsyncClient]:
    """Give callers with every role, in another organisation."""
    south = await world.organization("South")
    person = await world.person("south@example.org", south.id, *ALL)
    group_id = await world.group(south.id, *ALL)
    admin = await world.admin()
    body = {"organizationId": str(south.id), "name": "key", "permissionGroupIds": [str(group_id)]}
    key = (await admin.post("/api/v1/api-keys", json=body)).json()["key"]
    return {"person": person, "key": world.client(X_API_KEY=key)}


def check_nothing_leaks(answer: Answer, sent: str, north: North, where: str) -> None:
    assert MARK not in answer.text, (where, answer.text)
    for name, known in north.ids.items():
        if len(known) > 30 and known not in sent:
            assert known not in answer.text, (where, name, answer.text)


async def test_nobody_gets_anywhere_without_a_credential(world: World, north: North) -> None:
    client = world.client()
    for method, path, operation in operations(world):
        if is_open(path):
            continue
        body = body_of(operation, world, north.ids)
        url = filled(path, north.ids)
        answer = await ask(client, method, url, body=body, endless=is_endless(operation))
        assert answer.status == 401, (method, path, answer)
        check_nothing_leaks(answer, url, north, f"{method} {path}")


async def test_a_key_that_has_expired_gets_nowhere(world: World, north: North) -> None:
    body = {
        "organizationId": north.organization_id,
        "name": "old key",
        "permissionGroupIds": [north.ids["/api/v1/permissions/{group_id}"]],
        "expiresAt": "2099-01-01T00:00:00Z",
    }
    key = (await north.make("/api-keys", body))["key"]
    async with world.database.begin() as tx:
        await tx.execute("UPDATE user_api_keys SET expires_at = now() WHERE name = 'old key'")
    client = world.client(X_API_KEY=key)
    for method, path, operation in operations(world):
        if is_open(path):
            continue
        answer = await ask(
            client,
            method,
            filled(path, north.ids),
            body=body_of(operation, world, north.ids),
            endless=is_endless(operation),
        )
        assert answer.status == 401, (method, path, answer)


@pytest.mark.parametrize("caller", ["person", "key"])
async def test_nothing_crosses_the_border_of_an_organization(
    world: World, north: North, foreigners: dict[str, AsyncClient], caller: str
) -> None:
    client = foreigners[caller]
    before = await facts_about(world, north)
    for method, path, operation in operations(world):
        if is_open(path) or (caller == "person" and path.endswith("/sign-out")):
            continue
        where = f"{method} {path} as {caller}"
        url = filled(path, north.ids)
        body = body_of(operation, world, north.ids)
        endless = is_endless(operation)
        for query in ({}, query_of(operation, north.ids)):
            answer = await ask(client, method, url, query=query, body=body, endless=endless)
            assert answer.status < 500, (where, answer)
            check_nothing_leaks(answer, f"{url} {query} {body}", north, where)
            if path.startswith(DEVICES_DOOR):
                # Whoever is no device is nobody there.
                assert answer.status == 401, (where, answer)
                continue
            if path.startswith(FOR_ALL):
                assert answer.status == 200, (where, answer)
                continue
            named = "{" in path or MARK in str(body)
            if named and method in ("GET", "DELETE"):
                assert answer.status in (403, 404), (where, answer)
            elif named and not path.startswith(OWN):
                assert answer.status in (403, 404, 409, 422), (where, answer)
    assert await facts_about(world, north) == before, "Something of the other organization changed."


_NOBODYS = {
    "sign-in": ({"email": "nobody@example.org", "password": "wrong and long enough"}, 401),
    "token": ({"email": "nobody@example.org", "password": "wrong and long enough"}, 401),
    "link": ({"token": "ml_nobody-was-given-this"}, 401),
    "reset-password": ({"token": "ml_nobody-was-given-this", "newPassword": LONG}, 401),
    "refresh": ({"refreshToken": "mr_nobody-was-given-this"}, 401),
    # No mail is sent here, which is told whoever asks.
    "reset": ({"email": "nobody@example.org"}, 409),
}


@pytest.mark.parametrize("door", sorted(_NOBODYS))
async def test_what_nobody_was_given_opens_no_door_that_stands_open(
    world: World, door: str
) -> None:
    made_up, status = _NOBODYS[door]
    url, client = f"/api/v1/auth/{door}", world.client()
    assert (await client.post(url, json=made_up)).status_code == status
    secret = next((n for n in made_up if n not in ("email", "newPassword")), "email")
    for wrong in (
        {},
        [],
        {name: value for name, value in made_up.items() if name != secret},
        *({**made_up, secret: value} for value in (None, 7, ["x"], {}, "x" * 5000)),
        {**made_up, "more": 1},
    ):
        answer = await client.post(url, json=wrong)
        assert answer.status_code == 422, (wrong, answer.text)
    for content in (b"", b"{", b"\xff", b'{"a":' * 200):
        answer = await client.post(url, content=content, headers={"Content-Type": JSON})
        assert answer.status_code in (400, 422), (content, answer.text)


# Whatever they may otherwise: themselves with what they asked, and the organization they are of.
_ANYBODYS = (*OWN, *FOR_ALL, "/api/v1/organizations", "/api/v1/usage")
# What anybody of an organization reads, so as to ask for it.
_MEMBERS_READ = ("/api/v1/plans",)
# Facts of its own that are no change: what it was refused, an export in which there is nothing.
_NO_CHANGE = ("api_gateway.access_refused ", "devices.exported by narrow")


@pytest.mark.parametrize("bound", ["scope", "application"])
async def test_a_credential_gets_nowhere_beyond_its_scope(
    world: World, north: North, bound: str
) -> None:
    """A key of North: for gateways alone, of which there are none; for one empty application."""
    body: dict[str, Any] = {"organizationId": north.organization_id, "name": "narrow"}
    if bound == "scope":
        groups = [north.ids["/api/v1/permissions/{group_id}"]]
        key = body | {"scopes": ["gateways:read"], "permissionGroupIds": groups}
    else:
        empty = await north.make("/applications", body)
        within = body | {"everyApplication": False, "applicationIds": [empty["id"]]}
        given = within | {"permissions": sorted(APPLICATION_SCOPED)}
        key = body | {"permissionGroupIds": [(await north.make("/permissions", given))["id"]]}
    client = world.client(X_API_KEY=(await north.make("/api-keys", key))["key"])
    before = await facts_about(world, north)
    for method, path, operation in operations(world):
        if is_open(path) or path.startswith(_ANYBODYS):
            continue
        if method == "GET" and path.startswith(_MEMBERS_READ):
            continue
        url, body = filled(path, north.ids), body_of(operation, world, north.ids)
        query = query_of(operation, north.ids) if bound == "application" else {}
        endless = is_endless(operation)
        answer = await ask(client, method, url, query=query, body=body, endless=endless)
        where = f"{method} {path}"
        check_nothing_leaks(answer, f"{url} {query} {body}", north, where)
        if path.startswith(DEVICES_DOOR):
            assert answer.status == 401, (where, answer)
        elif "{" in path:
            assert answer.status in (403, 404, 409, 422), (where, answer)
        else:
            assert answer.status < 500, (where, answer)
    told = [f for f in await facts_about(world, north) if not f.startswith(_NO_CHANGE)]
    assert told == before, "Something changed beyond its scope."


async def test_the_owner_gets_everywhere_that_the_others_did_not(
    world: World, north: North
) -> None:
    """Without this, a path that answers 404 to everybody would pass the tests above."""
    # What is the whole installation's has a GlobalAdmin as its owner.
    chief = await world.admin()
    for method, path, operation in operations(world):
        if path.startswith(DEVICES_DOOR) or is_open(path):
            continue
        if method == "GET" and "{" in path:
            url = filled(path, north.ids)
            owner = chief if path.startswith("/api/v1/log-collectors") else north.admin
            answer = await ask(owner, method, url, endless=is_endless(operation))
            assert answer.status == 200, (path, answer)


async def test_every_list_shows_what_there_is(world: World, north: North) -> None:
    """Without this, what cannot be written in the answer's shape would show with data only."""
    admin = await world.admin()
    body = {
        "email": "admin@example.org",
        "name": "Admin",
        "permissionGroupIds": [north.ids["/api/v1/permissions/{group_id}"]],
    }
    await north.make("/invitations", body)
    empty = set()
    for method, path, operation in operations(world):
        if method != "GET" or path.startswith(DEVICES_DOOR) or is_open(path):
            continue
        url, filters = filled(path, north.ids), query_of(operation, north.ids)
        needed = {p["name"] for p in operation.get("parameters", []) if p.get("required")}
        least = {name: value for name, value in filters.items() if name in needed}
        for query in (least, *(least | {name: filters[name]} for name in filters), filters):
            answer = await ask(admin, method, url, query=query, endless=is_endless(operation))
            assert answer.status == 200, (path, query, answer)
            if query == least and ('"items":[]' in answer.text or answer.text == "[]"):
                empty.add(path)
    assert not empty, "Make one in tests/borders.py."


async def facts_about(world: World, north: North) -> list[str]:
    async with world.database.begin() as tx:
        query = "SELECT name, caller_label FROM facts WHERE organization_id = :id ORDER BY id"
        rows = await tx.execute(query, {"id": north.organization_id})
        return [f"{row.name} by {row.caller_label}" for row in rows]


def test_every_factory_fills_a_parameter_of_the_document(world: World) -> None:
    paths = " ".join(world.openapi()["paths"])
    for name in FACTORIES:
        assert (name if name.startswith("/") else "{" + name + "}") in paths, name


def test_every_operation_has_its_own_name(world: World) -> None:
    names = [operation["operationId"] for _, _, operation in operations(world)]
    assert sorted(set(names)) == sorted(names)
