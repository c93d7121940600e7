"""What all routes have in common (docs/api/README.md), each habit where it shows best."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from borders import MARK, North, filled
from moorage.kit.asking import JSON
from moorage.kit.exports import CSV, DOWNLOADS, NDJSON, PARQUET
from web import World

# --- Questions ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "wrong", "near"),
    [
        ("/api/v1/devices", "foo", "there are"),
        ("/api/v1/devices", "applicationid", "`applicationId`"),
        ("/api/v1/devices/export", "stat", "`state`"),
        ("/api/v1/audit", "organisationId", "`organizationId`"),
        ("/api/v1/readings", "organisationId", "`organizationId`"),
        ("/api/v1/messages", "total", "there are"),
        ("/api/v1/latest", "total", "there are"),
        ("/api/v1/feed", "deviceID", "`deviceId`"),
        ("/api/v1/auth/me", "x", "there are none"),
    ],
)
async def test_a_parameter_that_a_route_does_not_know_is_refused(
    world: World, path: str, wrong: str, near: str
) -> None:
    admin = await world.admin()
    answer = await admin.get(path, params={wrong: "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "field_invalid")
    (told,) = answer.json()["errors"]
    assert told["pointer"] == f"/{wrong}"
    assert near in told["detail"]


async def test_a_change_with_an_unknown_parameter_is_not_made(world: World, north: North) -> None:
    path = filled("/api/v1/applications/{application_id}", north.ids)
    answer = await north.admin.delete(path, params={"withdevices": "true"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/withdevices")
    assert (await north.admin.get(path)).status_code == 200
    # Devices can be set up once only, so their door passes over what it does not know.
    device = world.client(X_Device_Key=north.device_key)
    sent = await device.post("/ingest/v1/up", params={"foo": "1"}, json={"n": 1})
    assert sent.status_code == 202


LISTS = {
    "/api/v1/audit": "name", "/api/v1/devices/export": "name", "/api/v1/readings": "series",
    "/api/v1/devices/{device_id}/readings": "series",
    "/api/v1/devices/{device_id}/messages": "payload",
    "/api/v1/targets/{target_id}/receipts": "messageId", "/api/v1/usage": "calls",
}  # fmt: skip


async def test_whatever_streams_does_so_in_every_form(
    world: World, north: North, tmp_path: Path
) -> None:
    admin = await world.admin()
    device = world.client(X_Device_Key=north.device_key)
    await device.post("/ingest/v1/up", json={"n": 1})
    await world.work()
    for path, member in LISTS.items():
        url = filled(path, north.ids)
        for form in DOWNLOADS:
            answer = await admin.get(url, headers={"Accept": form})
            assert answer.status_code == 200, (path, form, answer.text)
            assert answer.headers["Content-Type"].startswith(form), (path, form)
            assert "attachment" in answer.headers["Content-Disposition"]
            if form == NDJSON:
                lines = [json.loads(line) for line in answer.text.splitlines()]
                assert ("values" if member == "series" else member) in lines[0]
            elif form == CSV:
                head, *rows = csv.reader(io.StringIO(answer.text))
                assert rows
                assert ("at" if member == "series" else member) in head
            else:
                file = tmp_path / "rows.parquet"
                file.write_bytes(answer.content)
                with duckdb.connect() as database:
                    found = database.sql(f"SELECT {member} FROM '{file}'").fetchall()
                assert found[0][0] is not None, path


async def test_no_answer_comes_in_another_form_than_asked_for(world: World, north: North) -> None:
    admin = await world.admin()
    for path, accept in (
        ("/api/v1/messages", NDJSON), ("/api/v1/devices", CSV), ("/api/v1/audit", "text/html"),
        ("/api/v1/devices/export", JSON), ("/api/v1/devices", f"{JSON};q=0"),
    ):  # fmt: skip
        answer = await admin.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (406, "form_not_offered"), path
        assert answer.json()["offered"].split(", ")[0] in (JSON, CSV)
    for accept, given in (
        ("*/*", JSON), ("text/html, application/*;q=0.9", JSON), (f"{JSON};q=0.5, text/*", CSV),
        (f"image/avif, {NDJSON};q=0.2, {PARQUET};q=0.4", PARQUET), ("", JSON),
    ):  # fmt: skip
        answer = await admin.get("/api/v1/audit", headers={"Accept": accept})
        assert answer.headers["Content-Type"].startswith(given), accept
    photo = filled("/api/v1/devices/{device_id}/photo", north.ids)
    for accept, status in (("image/png", 200), ("image/*", 200), ("*/*", 200), (JSON, 406)):
        answer = await admin.get(photo, headers={"Accept": accept})
        assert answer.status_code == status, accept


async def test_every_list_gives_only_the_fields_that_are_asked_for(
    world: World, north: North
) -> None:
    admin = await world.admin()
    document = world.app.openapi()["paths"]
    slimmed = 0
    for path, operations in document.items():
        operation = operations.get("get", {})
        if not any(asked["name"] == "fields" for asked in operation.get("parameters", ())):
            continue
        url = filled(path, north.ids)
        one = {"limit": 1} | {
            asked["name"]: north.ids[re.sub("Id$", "_id", asked["name"])]
            for asked in operation["parameters"]
            if asked["in"] == "query" and asked.get("required")
        }
        answer = await admin.get(url, params=one)
        assert answer.status_code == 200, (path, answer.text)
        if not answer.json()["items"]:
            continue
        (whole,) = answer.json()["items"]
        name = next(name for name in sorted(whole) if name != "id")
        page = (await admin.get(url, params=one | {"fields": name, "total": "true"})).json()
        assert page["items"] == [{k: v for k, v in whole.items() if k in (name, "id")}], path
        assert page["total"] >= 1
        refused = await admin.get(url, params=one | {"fields": f"{name}, colour"})
        assert refused.json()["errors"][0]["pointer"] == "/fields", path
        assert "has no colour" in refused.json()["errors"][0]["detail"]
        # What one request asks for is not kept for the next.
        assert (await admin.get(url, params=one)).json()["items"][0].keys() == whole.keys()
        slimmed += 1
    assert slimmed > 20
    csv_too = await admin.get("/api/v1/audit", params={"fields": "name"}, headers={"Accept": CSV})
    assert csv_too.json()["errors"][0]["detail"] == "is for pages; a download has every field"


# --- Changes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "member", "before", "patch", "after"),
    [
        (
            "/api/v1/organizations/{organization_id}", "settings",
            {"x": 1, "y": {"a": 1, "b": [1]}, "z": 0}, {"x": None, "y": {"a": None, "c": {"d": 1}}},
            {"y": {"b": [1], "c": {"d": 1}}, "z": 0},
        ),
        (
            "/api/v1/organizations/{organization_id}", "quotas",
            {"devices": 50, "series": 9}, {"devices": 60}, {"devices": 60, "series": 9},
        ),
        (
            "/api/v1/organizations/{organization_id}", "quotas",
            {"devices": 50, "series": 9}, {"devices": None}, {"series": 9},
        ),
        (
            "/api/v1/applications/{application_id}", "quotas",
            {"devices": 50, "series": 9}, {"devices": None, "messagesPerSecond": 5},
            {"series": 9, "messagesPerSecond": 5},
        ),
        (
            "/api/v1/applications/{application_id}", "metadata",
            {"a": "1", "b": "2"}, {"a": None, "c": "3"}, {"b": "2", "c": "3"},
        ),
        (
            "/api/v1/applications/{application_id}", "units",
            {"a": "Cel", "b": "%"}, {"a": None}, {"b": "%"},
        ),
        (
            "/api/v1/devices/{device_id}", "metadata",
            {"a": "1", "b": "2"}, {"a": None, "c": "3"}, {"b": "2", "c": "3"},
        ),
        (
            "/api/v1/devices/{device_id}", "location",
            {"type": "Point", "coordinates": [10.0, 56.0]}, {"coordinates": [11.0, 56.0]},
            {"type": "Point", "coordinates": [11.0, 56.0]},
        ),
        (
            "/api/v1/decoders/{decoder_id}", "units",
            {"a": "Cel", "b": "%"}, {"a": None}, {"b": "%"},
        ),
        (
            "/api/v1/targets/{target_id}", "settings",
            {"headers": {"X-A": "1", "X-B": "2"}, "timeoutS": 2},
            {"headers": {"X-A": None, "X-C": "3"}},
            {"headers": {"X-B": "2", "X-C": "3"}, "timeoutS": 2, "url": "http://localhost:9/"},
        ),
        (
            "/api/v1/routes/{route_id}", "sampling",
            {"every": 2, "interval": "PT5M"}, {"every": 3}, {"every": 3, "interval": "PT5M"},
        ),
    ],
)  # fmt: skip
async def test_what_lies_within_is_merged_and_null_removes_it(
    world: World, north: North, path: str, member: str, before: Any, patch: Any, after: Any
) -> None:
    admin = await world.admin()
    url = filled(path, north.ids)
    for given in (before, patch):
        answer = await admin.patch(url, json={member: given})
        assert answer.status_code == 200, answer.text
    assert answer.json()[member] == after
    assert (await admin.get(url)).json()[member] == after


async def test_preferences_are_merged_too(world: World) -> None:
    admin = await world.admin()
    path = "/api/v1/auth/preferences"
    await admin.patch(path, json={"map": {"zoom": 3, "layer": "roads"}, "other": 1})
    answer = await admin.patch(path, json={"map": {"zoom": None}, "other": None})
    assert answer.json() == {"map": {"layer": "roads"}}


async def test_the_settings_of_an_organization_are_bounded(world: World) -> None:
    admin = await world.admin()
    body = {"name": "North", "settings": {"x": "y" * 9_000}}
    made = await admin.post("/api/v1/organizations", json=body)
    assert made.status_code == 201
    path = f"/api/v1/organizations/{made.json()['id']}"
    large = {"settings": {"z": "y" * 9_000}}
    for refused in (
        await admin.patch(path, json=large),
        await admin.post(
            "/api/v1/organizations", json={"name": "South", "settings": {"x": "y" * 20_000}}
        ),
    ):
        assert refused.status_code == 422
        (wrong,) = refused.json()["errors"]
        assert wrong["pointer"] == "/settings"
        assert "at most 16384" in wrong["detail"]


@pytest.mark.parametrize("levels", [100, 900])
async def test_what_is_nested_too_deep_is_refused(north: North, levels: int) -> None:
    deep: Any = 1
    for _ in range(levels):
        deep = {"x": deep}
    for method, path, body in (
        ("PATCH", "/api/v1/organizations/{organization_id}", {"settings": deep}),
        ("PATCH", "/api/v1/targets/{target_id}", {"settings": {"a": deep}}),
        ("PATCH", "/api/v1/targets/{target_id}/dead-letters/{letter_id}", {"document": deep}),
        ("POST", "/api/v1/devices/{device_id}/operations", {"code": "a", "payload": deep}),
    ):
        answer = await north.admin.request(method, filled(path, north.ids), json=body)
        assert answer.status_code == 422, (path, answer.text)
        assert "deeper than 64" in answer.json()["errors"][0]["detail"]


async def test_what_is_made_lies_where_the_answer_and_the_document_say(
    world: World, north: North
) -> None:
    paths = world.openapi()["paths"]
    told = 0
    for path, location in north.located.items():
        template = next(
            one for one in paths
            if "post" in paths[one]
            and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(one)), f"/api/v1{path}")
        )  # fmt: skip
        headers = paths[template]["post"]["responses"]["201"]["headers"]
        assert ("Location" in headers) == (location is not None), (template, location)
        if location is not None:
            told += 1
            assert (await north.admin.get(location)).status_code == 200, location
    assert told >= 8


# --- Refusals -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "code", "pointer"),
    [
        ("/organizations", {"name": f" {MARK} Organization "}, "organizations.name_taken", "/name"),
        ("/users", {"email": f"{MARK}@example.org", "name": "x"}, "users.email_taken", "/email"),
        (
            "/applications",
            {"name": f"{MARK} application "},
            "groups.application_name_taken",
            "/name",
        ),
        (
            "/applications",
            {"name": "x", "startDate": "2026-02-01", "endDate": "2026-01-01"},
            "groups.dates_reversed",
            "/endDate",
        ),
        (
            "/decoders",
            {"name": f"{MARK} decoder", "script": "x"},
            "decoders.script_invalid",
            "/script",
        ),
        ("/api-keys", {"name": f" {MARK} key"}, "users.api_key_name_taken", "/name"),
        (
            "/api-keys",
            {"name": "x", "expiresAt": "2020-01-01T00:00:00Z"},
            "field_invalid",
            "/expiresAt",
        ),
        (
            "/permissions",
            {"name": f"{MARK} group "},
            "organizations.permission_group_name_taken",
            "/name",
        ),
        (
            "/targets",
            {
                "name": f"{MARK} target\t",
                "kind": "http",
                "settings": {"url": "http://localhost:9/"},
            },
            "targets.name_taken",
            "/name",
        ),
        (
            "/targets",
            {"name": "x", "kind": "none", "settings": {}},
            "targets.kind_unknown",
            "/kind",
        ),
        ("/devices", {"name": "x", "serial": "S1"}, "devices.serial_taken", "/serial"),
    ],
)
async def test_a_refusal_names_the_field_it_is_about(
    world: World, north: North, path: str, body: dict[str, Any], code: str, pointer: str
) -> None:
    admin = await world.admin()
    owned = {
        "/users": {},
        "/organizations": {},
        "/devices": {"applicationId": north.ids["application_id"]},
        "/targets": {"applicationId": north.ids["application_id"]},
    }.get(path, {"organizationId": north.organization_id})
    if path == "/api-keys":
        owned["permissionGroupIds"] = [north.ids["/api/v1/permissions/{group_id}"]]
    if path == "/devices":
        assert (await admin.post("/api/v1/devices", json={**owned, **body})).status_code == 201
    answer = await admin.post(f"/api/v1{path}", json={**owned, **body})
    assert answer.json()["code"] == code, answer.text
    (told,) = answer.json()["errors"]
    assert told["pointer"] == pointer
    assert told["detail"]


async def test_members_of_a_problem_are_camel_case(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    path = f"/api/v1/organizations/{north.id}"
    stale = await admin.patch(path, json={"name": "x"}, headers={"If-Match": '"0"'})
    assert stale.status_code == 412
    assert stale.json()["updatedAt"].endswith("Z")
    assert not [name for name in stale.json() if "_" in name]
    large = await world.client().post("/api/v1/auth/link", content=b"x" * 2_000_000)
    assert (large.status_code, large.json()["mostBytes"] > 1) == (413, True)


async def test_names_are_kept_without_the_spaces_around_them(world: World) -> None:
    admin = await world.admin()
    made = (await admin.post("/api/v1/organizations", json={"name": "  pad\t"})).json()
    assert made["name"] == "pad"
    other = (await admin.post("/api/v1/organizations", json={"name": "other"})).json()
    taken = await admin.patch(f"/api/v1/organizations/{other['id']}", json={"name": " pad "})
    assert (taken.status_code, taken.json()["errors"][0]["pointer"]) == (409, "/name")
    blank = await admin.post("/api/v1/organizations", json={"name": "   "})
    assert blank.status_code == 422


async def test_what_is_for_the_whole_installation_says_so(world: World, north: North) -> None:
    refused = await north.admin.get("/api/v1/system-log")
    assert (refused.status_code, refused.json()["code"]) == (403, "organizations.installation_only")
    assert "audit:read" in refused.json()["detail"]
    assert "whole installation" in refused.json()["detail"]
    assert (await north.admin.get("/api/v1/audit")).status_code == 200
