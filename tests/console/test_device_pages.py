"""What is done with devices, one and many, on their pages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browsing import Visitor
from harbour import Things

pytestmark = pytest.mark.timeout(400)


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "f8cf500f00038601805a34776b0000000049454e44ae426082"
)


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
    bar.get_by_role("button", name="Add tags").click()
    form = page.get_by_role("dialog", name="Add tags")
    form.get_by_role("combobox", name="Tags").fill("north")
    page.keyboard.press("Enter")
    form.get_by_role("button", name="Add").click()
    expect(form).to_be_hidden()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    for device in (things.device, things.bare):
        assert "north" in things.get(f"devices/{device}")["tags"]
    assert visitor.wrong == []


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
