"""What all routes have in common (docs/api/README.md), each habit where it shows best."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from borders import North, filled, settle
from moorage.kit.asking import JSON
from moorage.kit.exports import CSV, DOWNLOADS, NDJSON, PARQUET
from web import World


@pytest.fixture
async def north(world: World) -> North:
    return await settle(world)


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
    "/api/v1/targets/{target_id}/receipts": "messageId",
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
