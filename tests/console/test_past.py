"""The fleet as it was: a slider over time on list, map and device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from playwright.sync_api import expect

from browsing import Platform, Visitor
from harbour import administrator

pytestmark = pytest.mark.timeout(400)

PILOT = "pilot@fairway.example"
ITS = "number = (SELECT number FROM devices WHERE id = %(device)s)"
# What was done just now was done half an hour ago, of devices two days old.
BEFORE = (
    "UPDATE devices SET created_at = created_at - interval '2 days' WHERE id = %(device)s",
    f"UPDATE device_noted SET since = since - interval '30 minutes' WHERE {ITS}",
    f"UPDATE device_versions SET until = until - interval '30 minutes' WHERE {ITS}",
    f"UPDATE device_courses SET until = until - interval '30 minutes' WHERE {ITS}",
    "UPDATE device_removals SET created_at = created_at - interval '2 days', "
    "removed_at = removed_at - interval '30 minutes' WHERE id = %(gone)s",
)


@pytest.fixture(scope="module")
def buoy(platform: Platform) -> Iterator[str]:
    """Give a device that was renamed and towed away half an hour ago, when another was removed."""
    with closing(platform.client()) as client:

        def make(path: str, **body: Any) -> str:
            answer = client.post(f"/api/v1/{path}", json=body)
            assert answer.status_code == 201, answer.text
            return str(answer.json()["id"])

        organization = make("organizations", name="Fairway City")
        administrator(client, organization, PILOT, "Pilot")
        application = make("applications", organizationId=organization, name="Fairway")
        at = {"type": "Point", "coordinates": [10.2, 56.15]}
        device = make("devices", applicationId=application, name="Buoy 1", location=at)
        gone = make("devices", applicationId=application, name="Buoy 2", location=at)
        credential = client.post(f"/api/v1/devices/{device}/credentials", json={"kind": "key"})
        sent = client.post(
            "/ingest/v1/up",
            json={"level": 2.5},
            headers={"Authorization": f"Bearer {credential.json()['secret']}"},
        )
        assert sent.status_code == 202
        changes = {
            "name": "Beacon 1",
            "location": {"type": "Point", "coordinates": [10.3, 56.2]},
            "state": "maintenance",
        }
        path = f"/api/v1/devices/{device}"
        assert client.patch(path, json=changes).status_code == 200
        assert client.delete(f"/api/v1/devices/{gone}").status_code == 204
        ids = {"device": device, "gone": gone}
        with psycopg.connect(platform.environment["MOORAGE_DATABASE_URL"]) as connection:
            for statement in BEFORE:
                connection.execute(statement, ids)  # type: ignore[call-overload]
        yield device


def test_the_fleet_is_shown_as_it_was(buoy: str, visit: Callable[..., Visitor]) -> None:
    visitor = visit("light", PILOT)
    page = visitor.page
    visitor.go("/devices")
    row = page.get_by_role("row")
    expect(row.filter(has_text="Beacon 1")).to_be_visible()
    assert page.get_by_role("checkbox").count() > 0

    page.get_by_role("button", name="Look back in time").click()
    banner = page.get_by_role("region", name="Look back in time")
    expect(banner.get_by_role("status")).to_contain_text("As it was on")
    expect(row.filter(has_text="Buoy 1")).to_be_visible()
    expect(page.get_by_text("1 device of that time has been removed since")).to_be_visible()
    here = page.locator("#page")
    expect(here.get_by_role("link", name="Connect something")).to_have_count(0)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    assert "at=" in page.url
    shared = page.url

    # The slider goes by keyboard, and the address with it.
    slider = banner.get_by_role("slider", name="Time")
    slider.focus()
    page.keyboard.press("End")
    expect(row.filter(has_text="Beacon 1")).to_be_visible()
    page.keyboard.press("Home")
    expect(row.filter(has_text="Buoy 1")).to_be_visible()
    assert page.url != shared
    banner.get_by_label("Date and time").fill("2020-01-01T12:00")
    expect(page.get_by_role("alert")).to_contain_text("366 days")
    # Browsers say so of every refusal.
    assert all("422" in one for one in visitor.wrong)
    visitor.wrong.clear()
    page.go_back()
    expect(row.filter(has_text="Beacon 1")).to_be_visible()
    assert "at=" not in page.url

    # What was shared shows the same, and the way goes on at that time.
    page.goto(shared)
    page.get_by_role("cell", name="Buoy 1").click()
    page.get_by_role("dialog").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Buoy 1")
    assert "at=" in page.url
    expect(page.get_by_text("Active")).to_be_visible()
    for name in ("Settings", "Operations"):
        expect(page.get_by_role("tab", name=name)).to_have_count(0)
    expect(page.get_by_text("It had sent nothing by then.")).to_be_visible()
    page.get_by_role("button", name="This page as REST calls").click()
    expect(page.get_by_text("latest?at=")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Beacon 1")
    expect(page.get_by_role("tab", name="Settings")).to_be_visible()
    assert visitor.wrong == []


@pytest.mark.parametrize("modes", [("light", "dark", "phone"), ("danish",)])
def test_the_past_is_sound(
    modes: tuple[str, ...], buoy: str, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(modes[0], PILOT)
    visitor.go("/devices")
    name = "Se tilbage i tiden" if modes[0] == "danish" else "Look back in time"
    visitor.page.get_by_role("button", name=name).click()
    expect(visitor.page.get_by_role("slider")).to_be_visible()
    at = visitor.page.url.partition("?")[2]
    for mode in modes:
        visitor.turn(mode)
        for place, path in (("map", "/map"), ("device", f"/devices/{buoy}"), ("list", "/devices")):
            visitor.follow(f"{path}?{at}")
            expect(visitor.page.get_by_text("Buoy 1").first).to_be_visible()
            visitor.look(f"past-{place}")
            visitor.examine(f"past-{place}")
    assert visitor.wrong == []
