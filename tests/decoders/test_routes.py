"""The routes of decoders, for people of two organisations."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from httpx2 import AsyncClient

from decoder_desk import HUNDREDTHS, TENTHS
from moorage.organizations import Role
from web import World

DECODERS = "/api/v1/decoders"
CASE = {
    "name": "spring day",
    "input": {"bytes": "00e72d", "fPort": 1},
    "expected": {"data": {"temperature": 23.1, "humidity": 45}},
}


async def an_admin(world: World, name: str) -> tuple[AsyncClient, str]:
    """Found a town; give the client of its administrator, and its id."""
    organization = await world.organization(name)
    client = await world.person(
        f"admin@{name.lower()}.example", organization.id, Role.APPLICATION_ADMIN
    )
    return client, str(organization.id)


async def make(client: AsyncClient, organization_id: str, **fields: Any) -> dict[str, Any]:
    body = {"organizationId": organization_id, "name": "Tenths", "script": TENTHS, **fields}
    answer = await client.post(DECODERS, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{DECODERS}/{answer.json()['id']}"
    made: dict[str, Any] = answer.json()
    return made


async def test_a_decoder_lives_from_making_to_removing(world: World) -> None:
    client, organization_id = await an_admin(world, "Aarhus")
    made = await make(client, organization_id, testCases=[CASE])
    path = f"{DECODERS}/{made['id']}"

    read = await client.get(path)
    assert read.json()["script"] == TENTHS
    assert read.json()["failures"] == read.json()["deviceCount"] == 0
    refused = await client.patch(path, json={"script": HUNDREDTHS})
    assert refused.status_code == 422
    assert refused.json()["code"] == "decoders.test_cases_failed"
    assert refused.json()["failures"][0]["name"] == "spring day"
    forced = await client.patch(
        f"{path}?force=true", json={"script": HUNDREDTHS},
        headers={"If-Match": read.headers["ETag"]},
    )  # fmt: skip
    assert forced.json()["version"] == 2
    stale = await client.patch(
        path, json={"name": "Other"}, headers={"If-Match": read.headers["ETag"]}
    )
    assert stale.status_code == 412
    assert (await client.post(f"{path}/test")).json() == [
        {
            "name": "spring day",
            "passed": False,
            "difference": "data.temperature: expected 23.1, got 2.31",
        }
    ]
    versions = (await client.get(f"{path}/versions")).json()["items"]
    assert [(v["n"], v["current"]) for v in versions] == [(2, True), (1, False)]
    assert (await client.get(f"{path}/versions/1")).json()["script"] == TENTHS
    restored = await client.post(f"{path}/restore", json={"version": 1})
    assert restored.json()["hash"] == made["hash"]
    put = await client.put(f"{path}/test-cases", json=[])
    assert put.json() == (await client.get(f"{path}/test-cases")).json() == []
    assert (await client.get(f"{path}/problems")).json()["items"] == []
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


async def test_another_organization_sees_nothing_until_it_is_shared(world: World) -> None:
    owner, organization_id = await an_admin(world, "Aarhus")
    neighbour, other_id = await an_admin(world, "Odense")
    made = await make(owner, organization_id)
    path = f"{DECODERS}/{made['id']}"
    attempt = {"decoderId": made["id"], "messages": [{"payload": "00e72d"}]}
    asked: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("GET", f"{path}/versions", None),
        ("GET", f"{path}/versions/1", None),
        ("GET", f"{path}/test-cases", None),
        ("GET", f"{path}/problems", None),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/copy", {"organizationId": other_id}),
        ("POST", f"{DECODERS}/try", attempt),
    ]
    changes: list[tuple[str, str, Any]] = [
        ("PATCH", path, {"name": "Mine"}),
        ("DELETE", path, None),
        ("POST", f"{path}/restore", {"version": 1}),
        ("PUT", f"{path}/test-cases", []),
    ]

    for method, where, body in asked + changes:
        answer = await neighbour.request(method, where, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "decoders.unknown"), where
    assert (await neighbour.get(DECODERS)).json()["items"] == []
    foreign = await neighbour.post(
        DECODERS, json={"organizationId": organization_id, "name": "Theirs", "script": TENTHS}
    )
    assert foreign.status_code == 404

    await owner.patch(path, json={"shared": True})
    for method, where, body in asked:
        answer = await neighbour.request(method, where, json=body)
        assert answer.status_code in (200, 201), (where, answer.text)
    for method, where, body in changes:
        answer = await neighbour.request(method, where, json=body)
        assert answer.status_code == 403, (where, answer.text)
    listed = (await neighbour.get(DECODERS, params={"shared": True})).json()["items"]
    assert [d["id"] for d in listed] == [made["id"]]


async def test_a_trial_answers_document_readings_problem_and_time(world: World) -> None:
    client, _ = await an_admin(world, "Aarhus")
    messages = [
        {"payload": "00e72d", "port": 2},
        {"payload": "AOct", "encoding": "base64"},
        {"payload": "x", "encoding": "text"},
    ]

    answer = await client.post(f"{DECODERS}/try", json={"script": TENTHS, "messages": messages})

    trial = answer.json()
    assert answer.status_code == 200, answer.text
    first, second, third = trial["outcomes"]
    assert first["document"] == second["document"] == {"temperature": 23.1, "humidity": 45}
    assert first["readings"][0]["values"]["humidity"] == 45
    assert first["trace"]["function"] == "decodeUplink"
    assert third["problem"]["code"] == "decoders.decode_failed"
    assert trial["usedMs"] > 0


async def test_a_command_is_encoded_in_a_trial(world: World) -> None:
    client, _ = await an_admin(world, "Aarhus")
    body = {"script": TENTHS, "direction": "encode", "messages": [{"data": {"minutes": 10}}]}

    outcome = (await client.post(f"{DECODERS}/try", json=body)).json()["outcomes"][0]

    assert (outcome["bytes"], outcome["port"]) == ("0a", 7)


async def test_a_trial_that_cannot_be_says_why(world: World) -> None:
    client, _ = await an_admin(world, "Aarhus")
    asked: list[tuple[dict[str, Any], int, str]] = [
        ({"script": "", "messages": [{"payload": "00"}]}, 422, "decoders.script_invalid"),
        ({"script": TENTHS, "messages": [{"payload": "0g"}]}, 422, "field_invalid"),
        ({"script": TENTHS, "messages": []}, 422, "invalid"),
        ({"kind": "cobol", "messages": [{"payload": "00"}]}, 422, "decoders.kind_unknown"),
        ({"decoderId": str(uuid4()), "messages": [{}]}, 404, "decoders.unknown"),
        ({"decoderId": str(uuid4()), "script": "", "messages": [{}]}, 422, "invalid"),
    ]

    for body, status, code in asked:
        answer = await client.post(f"{DECODERS}/try", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    broken = {"script": "function (", "messages": [{"payload": "00"}]}
    outcome = (await client.post(f"{DECODERS}/try", json=broken)).json()["outcomes"][0]
    assert outcome["problem"]["code"] == "decoders.script_invalid"


async def test_scripts_run_for_nobody_without_rights(world: World) -> None:
    organization = await world.organization("Aarhus")
    reader = await world.person("reader@aarhus.example", organization.id, Role.READ)
    stranger = await world.person("stranger@aarhus.example", None)
    body = {"script": TENTHS, "messages": [{"payload": "00e72d"}]}

    assert (await world.client().post(f"{DECODERS}/try", json=body)).status_code == 401
    for client in (reader, stranger):
        answer = await client.post(f"{DECODERS}/try", json=body)
        assert (answer.status_code, answer.json()["permission"]) == (403, "decoders:manage")
    suggested = await stranger.post(f"{DECODERS}/suggest", json={"payload": "00"})
    assert suggested.status_code == 403
    assert (await stranger.get(DECODERS)).json()["items"] == []


async def test_unknown_bytes_are_suggested_a_decoder(world: World) -> None:
    client, organization_id = await an_admin(world, "Aarhus")
    made = await make(client, organization_id)

    answer = await client.post(f"{DECODERS}/suggest", json={"payload": "00 e7 2d", "port": 2})

    best = answer.json()["items"][0]
    assert best["decoderId"] == made["id"]
    assert best["outcome"]["document"] == {"temperature": 23.1, "humidity": 45}
    assert 0.5 < best["score"] <= 1


async def test_the_installed_kinds_are_listed(world: World) -> None:
    client, _ = await an_admin(world, "Aarhus")

    kinds = {kind["name"]: kind for kind in (await client.get(f"{DECODERS}/kinds")).json()}

    assert kinds["javascript"]["needsScript"]
    assert kinds["cayenne-lpp"] == {
        "name": "cayenne-lpp", "needsScript": False, "encodes": True, "contentTypes": [],
    }  # fmt: skip
    assert kinds["senml"]["contentTypes"] == [
        "application/senml+json", "application/sensml+json",
    ]  # fmt: skip
    assert not kinds["xml"]["encodes"]


async def test_texts_that_cannot_be_kept_are_refused(world: World) -> None:
    client, organization_id = await an_admin(world, "Aarhus")
    body = {"organizationId": organization_id, "name": "Tenths", "script": TENTHS}

    for text in ("nul \0", "half \ud800"):
        case = {**CASE, "expected": {"data": [text]}}
        for fields in ({"name": text}, {"script": text}, {"testCases": [case]}):
            answer = await client.post(
                DECODERS,
                content=json.dumps(body | fields),
                headers={"Content-Type": "application/json"},
            )
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
