"""Every page with something on it: looks, languages, widths, WCAG, and nobody else asked."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from httpx2 import Client
from playwright.sync_api import expect

from browsing import Platform, Visitor

pytestmark = pytest.mark.timeout(400)

SCRIPT = """function decodeUplink(input) {
  const b = input.bytes
  return { data: { temperature: ((b[0] << 8) | b[1]) / 10, humidity: b[2] } }
}
"""


class Things:
    """An organisation with one thing of every kind; its attributes are ids."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.organization = self.make("organizations", name="Harbour City")
        self.application = self.make(
            "applications", organizationId=self.organization, name="Street lights"
        )
        self.decoder = self.make(
            "decoders", organizationId=self.organization, name="Climate", script=SCRIPT
        )
        self.make("decoders", organizationId=self.organization, name="Meter", script=SCRIPT)
        self.device = self.make(
            "devices",
            applicationId=self.application,
            name="Lamp 1",
            location={"type": "Point", "coordinates": [10.2, 56.15]},
            thresholds=[{"series": "temperature", "above": 30}],
            tags=["quay"],
        )
        self.bare = self.make("devices", applicationId=self.application, name="Lamp 2")
        made = self.post(f"devices/{self.device}/credentials", {"kind": "key"})
        self.secret: str = made["secret"]
        made = self.post(f"devices/{self.bare}/credentials", {"kind": "key"})
        self.bare_secret: str = made["secret"]
        self.inbox_key: str = self.post(f"applications/{self.application}/inbox-key", {})["secret"]
        self.send_bytes(self.inbox_key, "00d737", sender="meter-1")
        self.target = self.make(
            "targets",
            applicationId=self.application,
            name="Open data",
            kind="http",
            settings={"url": "https://data.example.org/in"},
        )
        self.make("routes", targetId=self.target, name="Everything")
        self.broker = self.make(
            "brokers", organizationId=self.organization, name="Front", kind="rabbitmq"
        )
        self.source = self.make(
            "sources",
            organizationId=self.organization,
            name="Plant",
            url="mqtt://localhost:9",
            subscriptions=[{"topic": "plant/{device}/up"}],
        )
        self.post(f"devices/{self.device}/operations", {"code": "dim", "payload": {"level": 40}})
        groups = client.get("/api/v1/permissions", params={"organizationId": self.organization})
        self.group: str = groups.json()["items"][0]["id"]
        for value in (21.5, 33.0):
            self.send(temperature=value, mode="auto")

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Make something. Fails with the server's words."""
        answer = self._client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        """Read something."""
        return self._client.get(f"/api/v1/{path}").raise_for_status().json()

    def forget_language(self) -> None:
        """Let the browser say the administrator's language again."""
        me = self.get("auth/me")["id"]
        self._client.patch(f"/api/v1/users/{me}", json={"language": None}).raise_for_status()

    def remove_from_service(self, device: str) -> None:
        """Let a device take no operations any more."""
        body = {"state": "retired"}
        self._client.patch(f"/api/v1/devices/{device}", json=body).raise_for_status()

    def make(self, path: str, **body: Any) -> str:
        """Make something and give its id."""
        made: str = self.post(path, body)["id"]
        return made

    def remove(self, path: str) -> None:
        """Remove something."""
        self._client.delete(f"/api/v1/{path}").raise_for_status()

    def send(self, **values: Any) -> None:
        """Send a message as the device."""
        answer = self._client.post(
            "/ingest/v1/up", json=values, headers={"Authorization": f"Bearer {self.secret}"}
        )
        assert answer.status_code == 202, answer.text

    def send_bytes(self, secret: str, payload: str, *, sender: str = "") -> None:
        """Send bytes, as a device or as somebody nobody knows."""
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/octet-stream"}
        if sender:
            headers["X-Sender"] = sender
        answer = self._client.post("/ingest/v1/up", content=bytes.fromhex(payload), headers=headers)
        assert answer.status_code == 202, answer.text


@pytest.fixture(scope="module")
def things(platform: Platform) -> Iterator[Things]:
    with closing(platform.client()) as client:
        yield Things(client)


def pages(things: Things) -> dict[str, str]:
    device, target = f"/devices/{things.device}", f"/targets/{things.target}"
    return {
        "overview": "/",
        "start": "/start",
        "connect": "/connect",
        "import": "/import",
        "notices": "/notices",
        "devices": "/devices",
        "device-live": device,
        "device-readings": f"{device}?tab=readings",
        "device-messages": f"{device}?tab=messages",
        "device-operations": f"{device}?tab=operations",
        "device-timeline": f"{device}?tab=timeline",
        "device-settings": f"{device}?tab=settings",
        "inbox": "/inbox",
        "inbox-key": "/inbox?key=true",
        "messages": "/messages",
        "map": "/map",
        "applications": "/applications",
        "application": f"/applications/{things.application}?tab=about",
        "application-form": "/applications?new=true",
        "decoders": "/decoders",
        "decoder": f"/decoders/{things.decoder}",
        "decoder-again": f"/decoders/{things.decoder}?tab=reDecode",
        "tasks": "/tasks",
        "decoder-cases": f"/decoders/{things.decoder}?tab=cases",
        "targets": "/targets",
        "target-form": "/targets?new=true",
        "brokers": "/brokers",
        "broker": f"/brokers/{things.broker}",
        "broker-form": "/brokers?new=true",
        "sources": "/sources",
        "source": f"/sources/{things.source}",
        "source-settings": f"/sources/{things.source}?tab=settings",
        "source-form": "/sources?new=true",
        "target": target,
        "target-receipts": f"{target}?tab=receipts",
        "target-log": f"{target}?tab=log",
        "target-test": f"{target}?tab=test",
        "target-statement": f"{target}?tab=statement",
        "operations": "/operations",
        "refusals": "/refusals",
        "organizations": "/organizations",
        "organization": f"/organizations/{things.organization}",
        "users": "/users",
        "permissions": "/permissions",
        "permission": f"/permissions/{things.group}",
        "api-keys": "/api-keys",
        "audit": "/audit",
        "system-log": "/system-log",
        "settings": "/settings",
    }


PHONE = {"overview", "devices", "device-live", "device-settings", "application-form", "decoder",
         "target", "notices", "connect", "users", "inbox", "inbox-key", "messages"}  # fmt: skip
DARK = {"overview", "devices", "device-readings", "map", "decoder", "target-form", "audit",
        "inbox", "messages"}  # fmt: skip
DANISH = {"overview", "devices", "device-live", "target-form", "permissions", "settings",
          "inbox", "messages", "start"}  # fmt: skip


def test_the_same_is_asked_of_many_devices(things: Things, visit: Callable[..., Visitor]) -> None:
    application = things.make("applications", organizationId=things.organization, name="Siren row")
    east, west, old = (
        things.make("devices", applicationId=application, name=f"Siren {name}")
        for name in ("east", "west", "old")
    )
    things.remove_from_service(old)
    visitor = visit()
    visitor.go(f"/applications/{application}")
    page = visitor.page
    expect(page.get_by_text("Siren east")).to_be_visible()
    page.get_by_role("checkbox", name="Select all shown").check()
    page.get_by_role("toolbar").get_by_role("button", name="Send an operation").click()
    dialog = page.get_by_role("dialog", name="Ask 3 devices to do something")
    dialog.get_by_role("textbox", name="Operation").fill("test alarm")
    dialog.get_by_role("button", name="Send", exact=True).click()
    expect(dialog.get_by_text("One word of letters")).to_be_visible()
    visitor.examine("ask-many")
    dialog.get_by_role("textbox", name="Operation").fill("test-alarm")
    dialog.get_by_role("button", name="Send", exact=True).click()
    expect(dialog.get_by_text("1 device was sent nothing")).to_be_visible()
    expect(dialog.get_by_text("Siren old: ")).to_be_visible()
    visitor.look("ask-many")
    dialog.get_by_role("button", name="Close").last.click()
    asked = things.get(f"operations?applicationId={application}")["items"]
    assert {(one["deviceId"], one["code"]) for one in asked} == {
        (east, "test-alarm"),
        (west, "test-alarm"),
    }
    assert visitor.wrong == []


@pytest.mark.parametrize("mode", ["light", "dark", "phone", "danish"])
def test_every_page_is_sound(mode: str, things: Things, visit: Callable[..., Visitor]) -> None:
    wanted = {"dark": DARK, "phone": PHONE, "danish": DANISH}.get(mode)
    visitor = visit(mode)
    for name, path in pages(things).items():
        if wanted is None or name in wanted:
            visitor.go(path)
            visitor.settle()
            visitor.look(name)
            if mode != "danish":
                visitor.examine(name)
    assert visitor.wrong == []


def test_values_move_without_a_reload(things: Things, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.go(f"/devices/{things.device}")
    page = visitor.page
    expect(page.get_by_role("status").filter(has_text="Live").first).to_be_visible()
    things.send(temperature=7.25)
    expect(page.get_by_role("button", name="temperature").first).to_contain_text("7.25")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").filter(has_text="Paused").first).to_be_visible()
    assert visitor.wrong == []


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "f8cf500f00038601805a34776b0000000049454e44ae426082"
)


def test_a_device_tells_what_happened_and_why(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    device = things.make("devices", applicationId=things.application, name="Lamp in the flood")
    visitor = visit()
    visitor.go(f"/devices/{device}?tab=settings")
    page = visitor.page
    page.get_by_role("button", name="Put under maintenance").click()
    why = page.get_by_role("dialog", name="Lamp in the flood becomes: Maintenance")
    why.get_by_role("textbox", name="Why").fill("The quay is flooded")
    why.get_by_role("button", name="Put under maintenance").click()
    expect(why).to_be_hidden()
    things.post(f"devices/{device}/operations", {"code": "dim"})
    page.get_by_role("tab", name="Timeline").click()
    line = page.get_by_role("tabpanel", name="Timeline")
    expect(line.get_by_text("The quay is flooded")).to_be_visible()
    expect(line.get_by_text("Operation dim sent")).to_be_visible()
    expect(line.get_by_text("Device enrolled")).to_be_visible()
    assert visitor.wrong == []


def test_a_command_is_seen_as_bytes_before_and_after_it_is_sent(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    encoder = """function decodeUplink(input) { return { data: {} } }
function encodeDownlink(input) {
  if (input.data.level > 100) throw new Error("level is 0 to 100")
  return { bytes: [0xa5, input.data.level], fPort: 12, warnings: ["slow lamp"] }
}
"""
    decoder = things.make(
        "decoders", organizationId=things.organization, name="Dimmer", script=encoder
    )
    device = things.make(
        "devices", applicationId=things.application, name="Dimmed lamp", decoderId=decoder
    )
    visitor = visit()
    visitor.go(f"/devices/{device}?tab=operations")
    page = visitor.page
    ask = page.get_by_role("region", name="Ask the device to do something")
    ask.get_by_role("textbox", name="Operation").fill("dim")
    payload = ask.locator(".cm-content")
    payload.fill('{"level": 40}')
    ask.get_by_role("button", name="Preview").click()
    expect(ask.get_by_text("a5 28")).to_be_visible()
    expect(ask.get_by_text("Port: 12")).to_be_visible()
    expect(ask.get_by_text("slow lamp")).to_be_visible()
    visitor.look("command-preview")
    visitor.examine("command-preview")
    payload.fill('{"level": 400}')
    expect(ask.get_by_text("a5 28")).to_be_hidden()
    ask.get_by_role("button", name="Preview").click()
    expect(ask.get_by_text("level is 0 to 100")).to_be_visible()
    ask.get_by_role("button", name="Send").click()
    expect(ask.get_by_role("alert")).to_contain_text("level is 0 to 100")
    visitor.look("command-refused")
    # The browser's own word for the 422.
    visitor.wrong = [one for one in visitor.wrong if "422" not in one]
    ask.get_by_role("switch", name="As JSON").click()
    ask.get_by_role("button", name="Preview").click()
    expect(ask.get_by_text("Goes down as JSON.")).to_be_visible()
    ask.get_by_role("switch", name="As JSON").click()
    payload.fill('{"level": 41}')
    ask.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The operation is on its way.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="dim")
    expect(row).to_have_count(2)
    row.filter(has_text="Waiting").click(position={"x": 40, "y": 10})
    sent = page.get_by_role("dialog", name="dim")
    expect(sent.get_by_text("a5 29")).to_be_visible()
    visitor.look("command-sent")
    visitor.examine("command-sent")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Timeline").click()
    line = page.get_by_role("tabpanel", name="Timeline")
    expect(line.get_by_text("Operation dim: Failed")).to_be_visible()
    expect(line.get_by_text("level is 0 to 100")).to_be_visible()
    expect(line.get_by_text("Operation dim sent")).to_have_count(1)
    assert visitor.wrong == []


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("phone", ("New organization", "Name", "Create", "Another organization has this name.")),
        ("danish", ("Ny organisation", "Navn", "Opret", "En anden organisation har dette navn.")),
    ],
)
def test_a_refusal_stands_beside_the_field_it_is_about(
    mode: str, words: tuple[str, str, str, str], things: Things, visit: Callable[..., Visitor]
) -> None:
    things.forget_language()
    new, name, create, taken = words
    visitor = visit(mode)
    visitor.go("/organizations")
    visitor.page.get_by_role("button", name=new).first.click()
    dialog = visitor.page.get_by_role("dialog")
    field = dialog.get_by_role("textbox", name=name)
    field.fill(" harbour city ")
    dialog.get_by_role("button", name=create, exact=True).click()
    expect(field).to_have_accessible_description(taken)
    visitor.look("name-taken")


@pytest.mark.parametrize(
    ("mode", "days", "words"),
    [
        ("light", 400, ("Keeping", "Keep the audit for", "Save")),
        ("danish", 500, ("Opbevaring", "Gem revisionsloggen i", "Gem")),
    ],
)
def test_an_organization_says_how_long_it_keeps_things(
    mode: str,
    days: int,
    words: tuple[str, str, str],
    things: Things,
    visit: Callable[..., Visitor],
) -> None:
    things.forget_language()
    title, audit, save = words
    visitor = visit(mode)
    page = visitor.page
    visitor.go(f"/organizations/{things.organization}")
    keeping = page.get_by_role("region", name=title, exact=True)
    keeping.get_by_role("textbox", name=audit).fill("10")
    keeping.get_by_role("button", name=save, exact=True).click()
    expect(keeping.get_by_text("30").first).to_be_visible()
    visitor.look("keeping-refused")
    keeping.get_by_role("textbox", name=audit).fill(str(days))
    keeping.get_by_role("button", name=save, exact=True).click()
    expect(page.locator(".mantine-Notification-root")).to_be_visible()
    kept = things.get(f"organizations/{things.organization}")
    assert (kept["keepFacts"], kept["keepResults"]) == (f"P{days}D", None)
    visitor.look("keeping")
    visitor.examine("keeping")
    visitor.go(f"/applications/{things.application}?tab=about")
    visitor.settle()
    visitor.look("application-keeping")
    assert visitor.wrong == []


def test_a_device_has_a_photo_for_whoever_must_find_it(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go(f"/devices/{things.bare}?tab=settings")
    page = visitor.page
    photo = page.get_by_role("region", name="Photo")
    file = page.locator("input[type=file]")
    file.set_input_files({"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    expect(photo.get_by_role("alert")).to_contain_text("JPEG, PNG or WebP")
    large = {"name": "a.png", "mimeType": "image/png", "buffer": PNG + bytes(2_000_000)}
    file.set_input_files(large)
    expect(photo.get_by_role("alert")).to_contain_text("at most")
    file.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": PNG})
    shown = photo.get_by_role("img", name="Photo of Lamp 2")
    expect(shown).to_be_visible()
    expect(photo.get_by_role("alert")).to_be_hidden()
    page.get_by_role("tab", name="Live").click()
    expect(page.get_by_role("img", name="Photo of Lamp 2")).to_be_visible()
    page.get_by_role("tab", name="Settings").click()
    photo.get_by_role("button", name="Remove").click()
    expect(photo.get_by_text("No photo yet")).to_be_visible()
    assert visitor.wrong == []


def test_identifiers_keep_their_networks_when_one_goes(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    identifiers = [
        {"kind": "label", "value": "A-1", "network": "north"},
        {"kind": "tag", "value": "B-2", "network": "south"},
    ]
    device = things.make(
        "devices", applicationId=things.application, name="Labelled", identifiers=identifiers
    )
    visitor = visit()
    visitor.go(f"/devices/{device}?tab=settings")
    page = visitor.page
    details = page.get_by_role("region", name="What it is")
    details.get_by_role("button", name="Remove").first.click()
    details.get_by_role("textbox", name="Latitude").fill("56.15")
    details.get_by_role("textbox", name="Longitude").fill("10.2")
    details.get_by_role("textbox", name="Altitude (m)").fill("12.5")
    details.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    kept = things.get(f"devices/{device}")
    assert kept["identifiers"] == identifiers[1:]
    assert kept["location"]["coordinates"] == [10.2, 56.15, 12.5]
    assert visitor.wrong == []


def test_devices_are_found_by_place_and_by_when_they_were_seen(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    north = {"type": "Point", "coordinates": [24.9, 60.2]}
    far = things.make(
        "devices", applicationId=things.application, name="North buoy", location=north
    )
    visitor = visit()
    visitor.go("/map")
    page = visitor.page
    page.get_by_role("link", name="As a list").click()
    expect(page.get_by_role("row").filter(has_text="North buoy")).to_be_visible()
    visitor.go("/devices?bbox=20,60,30,61")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="More filters").click()
    page.get_by_role("menuitem", name="Last seen").click()
    page.get_by_role("menuitem", name="within a day", exact=True).click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="North buoy")).to_be_visible()
    things.remove(f"devices/{far}")
    assert visitor.wrong == []


def test_a_saved_view_is_there_in_every_browser_of_the_person(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/devices")
    page = visitor.page
    page.get_by_role("button", name="More filters").click()
    page.get_by_role("menuitem", name="Tags").click()
    page.get_by_placeholder("quay").fill("quay")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Views").click()
    page.get_by_role("textbox", name="Save this view as").fill("On the quay")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="On the quay", exact=True)).to_be_visible()

    elsewhere = visit()
    elsewhere.go("/devices")
    other = elsewhere.page
    other.get_by_role("button", name="Views").click()
    other.get_by_role("button", name="On the quay", exact=True).click()
    expect(other.get_by_role("row")).to_have_count(2)
    expect(other.get_by_role("row").filter(has_text="Lamp 1")).to_be_visible()
    assert visitor.wrong + elsewhere.wrong == []


def test_a_phone_selects_sorts_and_changes_many(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit("phone")
    visitor.go("/devices?q=Lamp")
    page = visitor.page
    page.get_by_role("button", name="Sort").click()
    page.get_by_role("menuitemradio", name="Last seen").click()
    page.wait_for_url("**sort=lastSeenAt*")
    page.get_by_role("button", name="Sort").click()
    expect(page.get_by_role("menuitemradio", name="Last seen")).to_be_checked()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Choose columns").click()
    expect(page.get_by_role("menuitemcheckbox", name="State")).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("button", name="Select some").click()
    page.get_by_role("checkbox", name="Lamp 1").check()
    # A tap anywhere on the card selects, and opens nothing.
    page.get_by_role("listitem").filter(has_text="Lamp 2").get_by_text("Last seen").click()
    expect(page.get_by_role("checkbox", name="Lamp 2")).to_be_checked()
    visitor.look("devices-selected")
    visitor.examine("devices-selected")
    bar = page.get_by_role("toolbar")
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Tags").click()
    form = page.get_by_role("dialog", name="Tags")
    form.get_by_role("combobox", name="Add tags").fill("north")
    page.keyboard.press("Enter")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    for device in (things.device, things.bare):
        assert "north" in things.get(f"devices/{device}")["tags"]
    assert visitor.wrong == []


def test_the_palette_begins_what_is_done_every_day(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    page = visitor.page

    def do(words: str, name: str) -> None:
        page.keyboard.press("Control+K")
        page.get_by_role("combobox", name="Type a name").fill(words)
        page.get_by_role("option").filter(has_text=name).first.click()

    do("register", "Register a device")
    expect(page.get_by_label("Name of the device")).to_be_visible()
    for words in ("New API key", "New decoder", "New permission group", "Invite a user"):
        do(words.lower(), words)
        form = page.get_by_role("dialog", name=words)
        expect(form).to_be_visible()
        page.keyboard.press("Escape")
        expect(form).to_be_hidden()
    visitor.go(f"/devices/{things.device}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lamp 1")
    do("ask the device", "Lamp 1")
    expect(page.get_by_role("region", name="Ask the device to do something")).to_be_visible()
    do("dark", "Dark colours")
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    do("sign out", "Sign out")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Moorage")
    # The browser's own word for what it asks just after the session has ended.
    assert [one for one in visitor.wrong if "401" not in one] == []


def test_a_device_shows_the_numbers_that_matter_above_its_tabs(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    things.send(temperature=19.25, humidity=51, battery_v=3.6, rssi_dbm=-71)
    visitor = visit()
    visitor.go(f"/devices/{things.device}?tab=timeline")
    page = visitor.page
    for label, value in (
        ("temperature", "19.25"), ("humidity", "51"), ("Battery", "3.6"), ("Signal", "-71"),
        ("Last seen", re.compile("now|ago")),
    ):  # fmt: skip
        term = page.locator("#page dl > div").filter(has=page.get_by_text(label, exact=True))
        expect(term.filter(has_text=value).first).to_be_visible()
    assert visitor.wrong == []


def test_a_chosen_language_goes_with_the_person(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/settings")
    visitor.page.get_by_text("Dansk").click()
    try:
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Indstillinger")
        elsewhere = visit()
        places = elsewhere.page.get_by_role("navigation")
        expect(places.get_by_role("link", name="Enheder", exact=True)).to_be_visible()
    finally:
        things.forget_language()
    assert visitor.wrong + elsewhere.wrong == []


def test_the_palette_finds_whatever_has_a_name(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    page = visitor.page
    for words, name, kind in (
        ("climate", "Climate", "Decoder"),
        ("open d", "Open data", "Target"),
        ("anna", "Anna", "User"),
        ("harbour", "Harbour City", "Organization"),
        ("readers", "Readers", "Permission group"),
    ):
        page.keyboard.press("Control+K")
        page.get_by_role("combobox", name="Type a name").fill(words)
        expect(
            page.get_by_role("option").filter(has_text=name).filter(has_text=kind)
        ).to_be_visible()
        page.keyboard.press("Escape")
    assert visitor.wrong == []


def test_a_decoder_is_tried_before_it_is_saved(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go(f"/decoders/{things.decoder}")
    page = visitor.page
    editor = page.get_by_role("textbox", name="Script")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("function decodeUplink(i) { return { data: { first: i.bytes[0] } } }")
    page.get_by_role("textbox", name="Bytes").fill("2a")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text('"first": 42')).to_be_visible()
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Version 2 is in force.")).to_be_visible()
    assert visitor.wrong == []


def test_the_palette_finds_a_device_by_keyboard(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    page = visitor.page
    expect(page.get_by_role("button", name="Find or do something")).to_be_visible()
    page.keyboard.press("Control+K")
    page.get_by_role("combobox", name="Type a name").fill("Lamp 1")
    expect(page.get_by_role("option", name="Lamp 1")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lamp 1")
    assert visitor.wrong == []


def test_a_stranger_is_adopted_with_the_decoder_that_fits(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/inbox")
    page = visitor.page
    page.get_by_role("cell", name="meter-1").click()
    waiting = page.get_by_role("dialog")
    fits = waiting.get_by_role("region", name="Nothing understands these bytes yet")
    expect(fits.get_by_text("temperature 21.5 · humidity 55").first).to_be_visible()
    visitor.look("inbox-waiting")
    fits.get_by_role("button", name="Use this decoder: Meter").click()
    expect(waiting.get_by_role("combobox", name="Decoder")).to_have_value("Meter")
    waiting.get_by_role("textbox", name="Name").fill("Meter 1")
    waiting.get_by_role("button", name="Adopt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Meter 1")
    page.get_by_role("link", name="Inbox").click()
    expect(page.get_by_role("heading", name="Nobody waits")).to_be_visible()
    assert visitor.wrong == []


def test_who_waits_is_discarded_only_after_a_question(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    things.send_bytes(things.inbox_key, "ff", sender="noise")
    visitor = visit()
    visitor.go("/inbox")
    page = visitor.page
    row = page.get_by_role("row").filter(has_text="noise")
    row.get_by_role("button", name="Discard").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("noise goes with everything it sent")
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    row.get_by_role("button", name="Discard").click()
    question.get_by_role("button", name="Discard").click()
    expect(row).to_have_count(0)
    assert visitor.wrong == []


def test_unknown_bytes_get_a_decoder_in_one_click(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    things.send_bytes(things.bare_secret, "00c832")
    visitor = visit()
    visitor.go(f"/devices/{things.bare}")
    page = visitor.page
    fits = page.get_by_role("region", name="Nothing understands these bytes yet")
    visitor.settle()
    visitor.look("device-unknown")
    fits.get_by_role("button", name="Use this decoder: Meter").click()
    expect(fits).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text="Live").first).to_be_visible()
    things.send_bytes(things.bare_secret, "00d232")
    expect(page.get_by_text("temperature 21").first).to_be_visible()
    assert visitor.wrong == []


@pytest.mark.parametrize(
    ("mode", "new", "name", "what", "own", "decoder", "create"),
    [
        ("light", "New route", "Name", "What", "Own decoder", "Decoder", "Create"),
        ("danish", "Ny rute", "Navn", "Hvad", "Egen dekoder", "Dekoder", "Opret"),
        ("phone", "New route", "Name", "What", "Own decoder", "Decoder", "Create"),
    ],
)
def test_a_route_gets_a_decoder_of_its_own(
    mode: str, new: str, name: str, what: str, own: str, decoder: str, create: str,
    things: Things, visit: Callable[..., Visitor],
) -> None:  # fmt: skip
    visitor = visit(mode)
    visitor.go(f"/targets/{things.target}")
    page = visitor.page
    page.get_by_role("button", name=new, exact=True).click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name=name).fill(f"Own, {mode}")
    form.get_by_role("combobox", name=what, exact=True).click()
    page.get_by_role("option", name=own).click()
    form.get_by_role("button", name=create).click()
    expect(form.get_by_role("combobox", name=decoder)).to_have_attribute("aria-invalid", "true")
    form.get_by_role("combobox", name=decoder).click()
    page.get_by_role("option", name="Meter").click()
    visitor.settle()
    visitor.look("route-form")
    visitor.examine("route-form")
    form.get_by_role("button", name=create).click()
    expect(form).to_be_hidden()
    expect(page.get_by_text(f"{own} · Meter").first).to_be_visible()
    visitor.look("routes")
    assert visitor.wrong == []


def test_messages_of_all_devices_are_found_and_looked_into(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    things.send(note="over here")
    visitor = visit()
    visitor.go("/messages?period=hour")
    page = visitor.page
    page.get_by_role("combobox", name="Device").fill("Lamp 1")
    page.get_by_role("option", name="Lamp 1").click()
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as kept:
        page.get_by_role("menuitem", name="JSON lines").click()
    lines = kept.value.path().read_text().splitlines()
    assert any("over here" in line for line in lines)
    page.get_by_role("row").filter(has_text="note over here").first.click(
        position={"x": 40, "y": 10}
    )
    whole = page.get_by_role("dialog", name="Message")
    expect(whole.get_by_role("link", name="Lamp 1")).to_be_visible()
    expect(whole.get_by_role("region", name="Document").locator("code")).to_contain_text(
        "over here"
    )
    whole.get_by_text("Hex").click()
    expect(whole.get_by_role("region", name="Payload")).to_contain_text("7b 22 6e 6f 74 65")
    visitor.look("messages-one")
    page.keyboard.press("Escape")
    expect(whole).to_be_hidden()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").filter(has_text="Paused")).to_be_visible()
    assert visitor.wrong == []


class Receiver(BaseHTTPRequestHandler):
    """Takes what is not too hot, and refuses the rest."""

    def do_POST(self) -> None:
        """Answer one message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hot = json.loads(body)["document"].get("temperature", 0) > 30
        self.send_response(422 if hot else 204)
        self.end_headers()

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Give the address of a web service that takes messages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("mode", ["light", "phone", "danish"])
def test_a_message_tells_which_targets_took_it(
    mode: str, things: Things, receiver: str, visit: Callable[..., Visitor]
) -> None:
    name = f"Warehouse {mode}"
    target = things.make(
        "targets", applicationId=things.application, name=name, kind="http",
        settings={"url": receiver},
    )  # fmt: skip
    visitor = visit(mode)
    page = visitor.page
    visitor.go(f"/targets/{target}?tab=receipts")
    expect(page.get_by_text("Ingen kvitteringer" if mode == "danish" else "No receipts yet")
           ).to_be_visible()  # fmt: skip
    visitor.look("receipts-none")
    things.make("routes", targetId=target, name="Everything")
    for value in (19.5, 44.5):
        things.send(temperature=value)
    accepted, refused, delivered = (
        ("Modtaget", "Endeligt afvist", "Leveret til")
        if mode == "danish"
        else ("Accepted", "Refused for good", "Delivered to")
    )

    expect(page.get_by_text(refused)).to_be_visible()
    expect(page.get_by_text(accepted, exact=True)).to_be_visible()
    visitor.look("receipts")
    if mode != "danish":
        visitor.examine("receipts")
    visitor.go(f"/targets/{target}?tab=receipts&outcome=dead")
    expect(page.get_by_text(refused)).to_be_visible()
    expect(page.get_by_text(accepted, exact=True)).to_have_count(0)

    visitor.go(f"/devices/{things.device}?tab=messages")
    page.get_by_text("temperature 44").first.click()
    panel = page.get_by_role("region", name=delivered)
    expect(panel.get_by_role("link", name=name)).to_be_visible()
    expect(panel.get_by_text(refused)).to_be_visible()
    panel.scroll_into_view_if_needed()
    visitor.look("receipts-message")
    if mode != "danish":
        visitor.examine("receipts-message")
    things.remove(f"targets/{target}")
    assert visitor.wrong == []


def test_where_nothing_watches_over_the_parts_the_demo_has_a_command(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/start")
    page = visitor.page
    page.get_by_role("button", name="Start the demo").click()
    how = page.get_by_role("dialog", name="See a fleet")
    expect(how.get_by_text("moorage demo", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(how).to_be_hidden()
    assert visitor.wrong == []
