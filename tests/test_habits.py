"""What all routes have in common (docs/api/README.md), each habit where it shows best."""

from __future__ import annotations

from typing import Any

import pytest

from borders import North, filled, settle
from web import World


@pytest.fixture
async def north(world: World) -> North:
    return await settle(world)


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
