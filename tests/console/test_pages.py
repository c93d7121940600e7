"""Every page with something on it: looks, languages, widths, WCAG, and nobody else asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browsing import Visitor
from harbour import Things

pytestmark = pytest.mark.timeout(400)


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


def test_every_page_is_sound(things: Things, visit: Callable[..., Visitor]) -> None:
    paths = pages(things)
    visitor = visit()
    visitor.go("/settings")
    for mode, names in (("light", paths.keys()), ("dark", DARK), ("phone", PHONE)):
        visitor.turn(mode)
        for name in paths:
            if name in names:
                visitor.follow(paths[name])
                visitor.look(name)
                visitor.examine(name)
    assert visitor.wrong == []


def test_pages_are_there_in_danish(things: Things, visit: Callable[..., Visitor]) -> None:
    things.forget_language()
    visitor = visit("danish")
    visitor.go("/users")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "da")
    for name, path in pages(things).items():
        if name in DANISH:
            visitor.follow(path)
            visitor.look(name)
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
