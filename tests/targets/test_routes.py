"""The API of targets: what it shows, what it hides, and from whom."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from moorage import groups, organizations
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.ids import uuid7
from moorage.organizations import Permission
from targets.api import Api
from targets.servers import Answer, HttpServer
from targets.world import ROOT, World, a_message, a_worker


def a_body(world: World, server: HttpServer, **others: Any) -> dict[str, Any]:
    return {
        "applicationId": str(world.application.id),
        "name": "Warehouse",
        "kind": "http",
        "settings": {"url": server.url, "authentication": "header"},
        "secrets": {"authorization": "Token very-secret-123"},
        **others,
    }


async def test_secrets_are_written_and_never_read(
    world: World, server: HttpServer, api: Api
) -> None:
    made = await api("POST", "/targets", 201, json=a_body(world, server))
    shown = [made, await api("GET", f"/targets/{made['id']}", 200)]
    patch = {"secrets": {"authorization": "Token another-secret-456"}, "maxAge": "PT1H"}
    shown.append(await api("PATCH", f"/targets/{made['id']}", 200, json=patch))
    assert shown[-1]["secrets"] == ["authorization"]
    assert shown[-1]["maxAge"] == "PT1H"
    async with world.database.begin() as tx:
        facts = (await tx.execute("SELECT name, before, after FROM facts ORDER BY at")).all()
        stored = (await tx.execute("SELECT sealed_secrets FROM targets")).scalar_one()
    everything = str(shown) + str(facts) + repr(stored)
    assert "very-secret" not in everything
    assert "another-secret" not in everything
    changed = next(f for f in facts if f.name == "targets.changed")
    assert changed.after["secrets.authorization"] == "***"
    refused = await api("PATCH", f"/targets/{made['id']}", 422,
                        json={"secrets": {"authorization": None}})  # fmt: skip
    assert refused["errors"][0]["pointer"] == "/secrets/authorization"


async def test_a_ping_and_a_test_show_both_sides(
    world: World, server: HttpServer, api: Api
) -> None:
    server.behave = lambda r: Answer(200, b"thanks for " + r.headers["authorization"].encode())
    made = await api("POST", "/targets", 201, json=a_body(world, server))
    ping = await api("POST", f"/targets/{made['id']}/ping", 200)
    assert (ping["outcome"], ping["status"]) == ("accepted", 200)
    trial = await api("POST", f"/targets/{made['id']}/test", 200,
                      json={"document": {"temperature": 21}})  # fmt: skip
    assert trial["result"]["outcome"] == "accepted"
    assert '"temperature":21' in trial["request"]
    assert "Idempotency-Key" in trial["request"]
    assert "very-secret" not in str(trial)
    assert trial["result"]["answer"] == "thanks for ***"
    log = await api("GET", f"/targets/{made['id']}/log", 200)
    assert [entry["outcome"] for entry in log["items"]] == ["accepted"]
    statement = await api("GET", f"/targets/{made['id']}/statement?month=2026-11", 200)
    assert (statement["sent"], statement["timeZone"]) == (0, "Europe/Copenhagen")


async def test_a_dead_letter_is_edited_and_sent_again(
    world: World, server: HttpServer, api: Api
) -> None:
    server.behave = lambda r: Answer(200 if b"mended" in r.body else 422)
    device = await world.a_device("Bin")
    made = await api("POST", "/targets", 201, json=a_body(world, server))
    await api("POST", "/routes", 201, json={"targetId": made["id"], "name": "All"})
    async with a_worker(world):
        await world.derive(a_message(device, {"n": 1}))
        await server.wait_for(1)

        async def given_up() -> bool:
            return (await api("GET", f"/targets/{made['id']}", 200))["deadLetters"] == 1

        await world.until(given_up)
        path = f"/targets/{made['id']}/dead-letters"
        (letter,) = (await api("GET", path, 200))["items"]
        assert (letter["document"], letter["reason"], letter["deviceId"]) == (
            {"n": 1}, "refused", str(device.id),
        )  # fmt: skip
        one = f"{path}/{letter['id']}"
        await api("PATCH", one, 200, json={"document": {"n": 1, "mended": True}})
        assert await api("POST", f"{one}/send-again", 200) == {"count": 1}
        await server.wait_for(2)
        await api("GET", one, 404)


async def test_wrong_bodies_name_their_fields(world: World, server: HttpServer, api: Api) -> None:
    body = a_body(world, server, settings={"url": "nowhere"}, secrets={})
    refused = await api("POST", "/targets", 422, json=body)
    assert refused["errors"][0]["pointer"] == "/settings/url"
    unknown = await api("POST", "/targets", 422, json=a_body(world, server, kind="pigeon"))
    assert unknown["code"] == "targets.kind_unknown"
    await api("POST", "/targets", 201, json=a_body(world, server))
    taken = await api("POST", "/targets", 409, json=a_body(world, server, name="warehouse"))
    assert taken["code"] == "targets.name_taken"


async def test_an_outdated_change_is_refused(world: World, server: HttpServer, api: Api) -> None:
    made = await api("POST", "/targets", 201, json=a_body(world, server))
    path = f"/api/v1/targets/{made['id']}"
    tag = (await api.http.get(path)).headers["etag"]
    first = await api.http.patch(path, json={"name": "A"}, headers={"If-Match": tag})
    second = await api.http.patch(path, json={"name": "B"}, headers={"If-Match": tag})
    assert (first.status_code, second.status_code) == (200, 412)


async def test_nothing_crosses_the_border_of_an_organization_or_application(
    world: World, server: HttpServer, api: Api
) -> None:
    made = await api("POST", "/targets", 201, json=a_body(world, server))
    route = await api("POST", "/routes", 201, json={"targetId": made["id"], "name": "All"})
    async with world.database.begin(ROOT) as tx:
        new = organizations.NewOrganization(f"Other {uuid7().hex[-6:]}")
        other = await organizations.found(tx, ROOT, new)
        theirs = await groups.make(tx, ROOT, groups.NewApplication(other.id, "Theirs"))
        neighbour = await groups.make(
            tx, ROOT, groups.NewApplication(world.organization.id, "Neighbour")
        )
    everything = frozenset(Permission)
    strangers = (
        _caller(Grant(everything, other.id)),
        _caller(Grant(everything, world.organization.id, frozenset({neighbour.id}))),
    )
    nobody = str(uuid7())
    for caller in strangers:
        api.gate.caller = caller
        assert (await api("GET", "/targets", 200))["items"] == []
        assert (await api("GET", "/routes", 200))["items"] == []
        for method, path, body in _everything(made["id"], route["id"], nobody):
            answer = await api.http.request(method, f"/api/v1{path}", json=body)
            assert answer.status_code == 404, f"{method} {path}: {answer.text}"
        elsewhere = a_body(world, server, applicationId=str(world.application.id), name="Mine")
        await api("POST", "/targets", 404, json=elsewhere)
        await api("POST", "/routes", 404, json={"targetId": made["id"], "name": "Tap"})
    assert theirs.organization_id == other.id
    api.gate.caller = _caller(
        Grant(
            frozenset({Permission.READ_TARGETS, Permission.READ_APPLICATIONS}),
            world.organization.id,
            frozenset({world.application.id}),
        )
    )
    assert len((await api("GET", "/targets", 200))["items"]) == 1
    for method, path, body in _everything(made["id"], route["id"], nobody):
        if method != "GET":
            answer = await api.http.request(method, f"/api/v1{path}", json=body)
            assert answer.status_code == 403, f"{method} {path}: {answer.text}"


def _caller(*grants: Grant) -> Caller:
    return Caller(CallerKind.PERSON, uuid7(), "somebody", grants)


def _everything(target: str, route: str, letter: str) -> list[tuple[str, str, Any]]:
    at = f"/targets/{target}"
    period = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    assert UUID(letter)
    return [
        ("GET", at, None),
        ("PATCH", at, {"name": "x"}),
        ("DELETE", at, None),
        ("POST", f"{at}/pause", None),
        ("POST", f"{at}/resume", None),
        ("POST", f"{at}/ping", None),
        ("POST", f"{at}/test", {"document": {}}),
        ("GET", f"{at}/log", None),
        ("GET", f"{at}/statement?month=2026-11", None),
        ("GET", f"{at}/dead-letters", None),
        ("DELETE", f"{at}/dead-letters", None),
        ("POST", f"{at}/dead-letters/send-again", None),
        ("POST", f"{at}/replay", period),
        ("GET", f"{at}/replays", None),
        ("PATCH", f"/routes/{route}", {"enabled": False}),
        ("DELETE", f"/routes/{route}", None),
        ("GET", f"/routes/{route}", None),
    ]


async def test_a_route_is_made_changed_and_removed(
    world: World, server: HttpServer, api: Api
) -> None:
    target = await api("POST", "/targets", 201, json=a_body(world, server))
    body = {
        "targetId": target["id"],
        "name": "Warm",
        "conditions": [{"field": "readings.temperature", "comparison": "gt", "value": 20}],
        "sampling": {"interval": "PT5M"},
    }
    made = await api("POST", "/routes", 201, json=body)
    assert made["sampling"] == {"every": None, "interval": "PT5M"}
    changed = await api("PATCH", f"/routes/{made['id']}", 200,
                        json={"enabled": False, "sampling": {"every": 2, "interval": None},
                              "conditions": []})  # fmt: skip
    assert (changed["enabled"], changed["conditions"]) == (False, [])
    assert changed["sampling"] == {"every": 2, "interval": None}
    device = await world.a_device("Bin")
    patch = {"deviceIds": [str(device.id)]}
    await api("PATCH", f"/routes/{made['id']}", 200, json=patch)
    for asked, found in ((device.id, 1), (uuid7(), 0)):
        listed = await api("GET", f"/routes?deviceId={asked}&targetId={target['id']}", 200)
        assert len(listed["items"]) == found
    wrong = {**body, "conditions": [{"field": "secrets.x"}]}
    refused = await api("POST", "/routes", 422, json=wrong)
    assert refused["errors"][0]["pointer"] == "/conditions/0/field"
    await api("DELETE", f"/routes/{made['id']}", 204)
    await api("GET", f"/routes/{made['id']}", 404)


async def test_the_kinds_describe_their_forms(api: Api) -> None:
    kinds = {k["kind"]: k for k in (await api("GET", "/target-kinds", 200))["items"]}
    assert set(kinds) >= {"http", "mqtt"}
    assert kinds["http"]["settingsSchema"]["required"] == ["url"]
    assert "password" in kinds["mqtt"]["secrets"]
