"""What is done every day beside devices: finding, decoders, the inbox, messages, targets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect

from browsing import Visitor
from harbour import Things

pytestmark = pytest.mark.timeout(400)


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
    visitor.follow(f"/applications/{things.application}?tab=about")
    visitor.settle()
    visitor.look("application-keeping")
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

    elsewhere = visit(fresh=True)
    elsewhere.go("/devices")
    other = elsewhere.page
    other.get_by_role("button", name="Views").click()
    other.get_by_role("button", name="On the quay", exact=True).click()
    expect(other.get_by_role("row")).to_have_count(2)
    expect(other.get_by_role("row").filter(has_text="Lamp 1")).to_be_visible()
    assert visitor.wrong + elsewhere.wrong == []


def test_the_palette_begins_what_is_done_every_day(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/")
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


def test_a_chosen_language_goes_with_the_person(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/settings")
    visitor.page.get_by_text("Dansk").click()
    try:
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Indstillinger")
        elsewhere = visit(fresh=True)
        elsewhere.go("/")
        places = elsewhere.page.get_by_role("navigation")
        expect(places.get_by_role("link", name="Enheder", exact=True)).to_be_visible()
    finally:
        things.forget_language()
    assert visitor.wrong + elsewhere.wrong == []


def test_the_palette_finds_whatever_has_a_name(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/")
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
        found = page.get_by_role("option").filter(has_text=name).filter(has_text=kind)
        # Every organization has its readers.
        expect(found.first).to_be_visible()
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
    visitor.go("/")
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
    visitor.follow(f"/targets/{target}?tab=receipts&outcome=dead")
    expect(page.get_by_text(refused)).to_be_visible()
    expect(page.get_by_text(accepted, exact=True)).to_have_count(0)

    visitor.follow(f"/devices/{things.device}?tab=messages")
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


@pytest.mark.parametrize("mode", ["light", "phone", "danish"])
def test_it_is_told_who_may_see_a_device_and_by_which_group(
    mode: str, things: Things, visit: Callable[..., Visitor]
) -> None:
    things.forget_language()
    operate, lost = (
        ("Sende operationer", "Ville gå tabt uden den")
        if mode == "danish"
        else ("Send operations", "Would be lost without it")
    )
    visitor = visit(mode)
    page = visitor.page
    visitor.go(f"/devices/{things.device}?tab=access")
    visitor.settle()
    visitor.look("access")
    visitor.examine("access")
    page.get_by_text("Global administrators").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(lost)).to_be_visible()
    expect(dialog.get_by_text(operate).first).to_be_visible()
    visitor.look("access-paths")
    visitor.examine("access-paths")
    assert visitor.wrong == []


def test_a_device_becomes_somebodys_own_and_is_theirs_to_see(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    things.forget_language()
    visitor = visit("light")
    page = visitor.page
    visitor.go("/permissions?new=true")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill("Owners of lamps")
    dialog.get_by_label("Organization").first.click()
    page.get_by_role("option", name="Harbour City").click()
    dialog.get_by_label("Every application").click()
    dialog.get_by_label("Each member's own devices").click()
    expect(dialog.get_by_label("Applications", exact=True)).to_be_hidden()
    visitor.look("owners-form")
    visitor.examine("owners-form")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Each member's own devices").first).to_be_visible()
    (owners,) = [
        one["id"]
        for one in things.get("permissions?limit=500")["items"]
        if one["name"] == "Owners of lamps"
    ]
    email = "olga@harbour.example"
    things.make("users", email=email, name="Olga Owner", permissionGroupIds=[owners])
    visitor.go(f"/devices/{things.bare}?tab=settings")
    page.get_by_label("Belongs to").first.fill("Olga")
    page.get_by_role("option", name="Olga Owner").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    visitor.look("owner")
    visitor.examine("owner")
    visitor.go(f"/devices/{things.bare}?tab=access")
    page.get_by_text("Owners of lamps").first.click()
    expect(page.get_by_role("dialog").get_by_text("as the owner")).to_be_visible()
    visitor.look("owner-access")
    assert visitor.wrong == []
    # Her own device is all she sees.
    theirs = visit("phone", email)
    theirs.go("/devices")
    expect(theirs.page.get_by_text("Lamp 2")).to_be_visible()
    expect(theirs.page.get_by_text("Lamp 1")).to_be_hidden()
    theirs.go(f"/devices/{things.bare}")
    expect(theirs.page.get_by_role("heading", name="Lamp 2")).to_be_visible()
    theirs.settle()
    theirs.look("owned")
    assert theirs.wrong == []
    things.remove(f"devices/{things.bare}/owner")


@pytest.mark.parametrize("mode", ["light", "phone", "danish"])
def test_a_group_joins_another_for_a_while(
    mode: str, things: Things, visit: Callable[..., Visitor]
) -> None:
    things.forget_language()
    danish = mode == "danish"
    add, put_in = ("Tilføj et medlem", "Tilføj") if danish else ("Add a member", "Add")
    who = "Person eller rettighedsgruppe" if danish else "Person or permission group"
    last_day = "Sidste dag" if danish else "Last day"
    everybody = "For alle dens medlemmer" if danish else "For all its members"
    remove = "Fjern Readers" if danish else "Remove Readers"
    visitor = visit(mode)
    page = visitor.page
    visitor.go(f"/permissions/{things.group}")
    page.get_by_role("button", name=add).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(who).first.click()
    page.get_by_role("option", name="Readers").click()
    dialog.get_by_label(last_day).fill("2999-01-31")
    visitor.look("member-form")
    visitor.examine("member-form")
    dialog.get_by_role("button", name=put_in, exact=True).click()
    expect(page.get_by_text(everybody)).to_be_visible()
    expect(page.get_by_text("2999")).to_be_visible()
    visitor.look("members")
    visitor.examine("members")
    page.get_by_role("button", name=remove).click()
    expect(page.get_by_text(everybody)).to_be_hidden()
    assert visitor.wrong == []


def test_who_manages_an_application_shares_it(
    things: Things, visit: Callable[..., Visitor]
) -> None:
    managers = things.make(
        "permissions", organizationId=things.organization, name="Managers of the lights",
        roles=["OrganizationApplicationAdmin"], permissions=["users:read"], everyApplication=False,
        applicationIds=[things.application],
    )  # fmt: skip
    email = "manager@harbour.example"
    things.make("users", email=email, name="Mona Manager", permissionGroupIds=[managers])
    visitor = visit("light", email)
    page = visitor.page
    visitor.go("/permissions?new=true")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill("Guests of the lights")
    visitor.look("share-form")
    dialog.get_by_label("Applications", exact=True).first.click()
    page.get_by_role("option", name="Street lights").click()
    visitor.examine("share-form")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_text("Guests of the lights").first.click()
    expect(page.get_by_role("button", name="Add a member")).to_be_visible()
    visitor.look("share")
    # What gives more than they manage is shown, and not theirs to change.
    visitor.follow(f"/permissions/{things.group}")
    expect(page.get_by_text("Every application")).to_be_visible()
    expect(page.get_by_role("button", name="Add a member")).to_be_hidden()
    assert visitor.wrong == []


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("light", ("Proof", "Sign now", "Everything is signed", "New log collector", "Create")),
        ("phone", ("Proof", "Sign now", "Everything is signed", "New log collector", "Create")),
        (
            "danish",
            ("Bevis", "Underskriv nu", "Alt er underskrevet", "Ny logmodtager", "Opret"),
        ),
    ],
)
def test_the_audit_shows_what_proves_it_and_where_logs_go(
    mode: str, words: tuple[str, ...], things: Things, visit: Callable[..., Visitor]
) -> None:
    things.forget_language()
    proof, sign, signed, new, create = words
    visitor = visit(mode)
    page = visitor.page
    visitor.go("/audit")
    page.get_by_role("button", name=proof, exact=True).click()
    drawer = page.get_by_role("dialog")
    chain = drawer.get_by_role("region").first
    # Signing is a fact itself, so whether all is signed shows for a moment only.
    chain.get_by_role("button", name=sign).or_(chain.get_by_text(signed)).first.click()
    expect(drawer.get_by_role("region").first).to_be_visible()
    visitor.settle()
    visitor.look("audit-proof")
    visitor.examine("audit-proof")
    visitor.follow("/log-collectors")
    page.get_by_role("button", name=new).first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox").nth(0).fill(f"SIEM {mode}")
    form.get_by_role("textbox").nth(1).fill("syslog://127.0.0.1:9")
    visitor.look("collector-form")
    form.get_by_role("button", name=create, exact=True).click()
    expect(page.get_by_text(f"SIEM {mode}").first).to_be_visible()
    expect(page.get_by_text("127.0.0.1:9").first).to_be_visible()
    visitor.look("collectors")
    visitor.examine("collectors")
    assert visitor.wrong == []
