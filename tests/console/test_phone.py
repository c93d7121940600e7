"""A phone that scanned the code: over plain HTTP at an address that is not this machine's name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import Platform, Visitor
from console.conftest import OTHER_NAME

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(params=["en-GB", "da-DK"])
def phone(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True,
        is_mobile=True, locale=request.param,
    )  # fmt: skip
    yield context.new_page()
    context.close()


def test_a_phone_becomes_a_device_sends_and_answers(platform: Platform, phone: Page) -> None:
    link = platform.moorage("phone").split()[-1].replace("localhost", OTHER_NAME)
    danish = phone.evaluate("navigator.language") == "da-DK"
    visitor = Visitor(platform, phone, "phone-da" if danish else "phone-en")
    phone.on("pageerror", lambda error: visitor.wrong.append(str(error)))
    phone.goto(link)
    assert phone.evaluate("isSecureContext") is False
    title = "Gør telefonen til en enhed" if danish else "Make this phone a device"
    expect(phone.get_by_role("heading", level=1)).to_have_text(title)
    visitor.look("phone-claim")
    visitor.examine("phone-claim")
    name = "Annas telefon" if danish else "Anna's phone"
    phone.get_by_role("textbox").fill(name)
    phone.get_by_role("button", name="Bliv en enhed" if danish else "Become a device").click()
    expect(phone.get_by_role("heading", level=1)).to_have_text(name)
    assert "claim" not in phone.url
    phone.get_by_role("button", name="Tryk på mig" if danish else "Press me").click()
    phone.get_by_role("slider").press("ArrowRight")
    expect(phone.get_by_text("presses", exact=True)).to_be_visible()
    expect(phone.get_by_text("screenWidth", exact=True)).to_be_visible()

    with contextlib.closing(platform.client()) as admin:
        devices = admin.get("/api/v1/devices", params={"q": name}).json()["items"]
        (device,) = [one for one in devices if one["name"] == name]
        assert device["kind"] == "phone"
        body = {"code": "wave", "payload": {"to": "Bo"}}
        asked = admin.post(f"/api/v1/devices/{device['id']}/operations", json=body)
        assert asked.status_code in (201, 202), asked.text
        expect(phone.get_by_role("log")).to_contain_text('wave {"to":"Bo"}')
        visitor.look("phone-sending")
        visitor.examine("phone-sending")
        while (done := admin.get(f"/api/v1/operations/{asked.json()['id']}").json())[
            "state"
        ] != "completed":
            phone.wait_for_timeout(100)
        assert json.dumps(done["result"]) == '{"shown": true}'

    # The key stays in the browser; the link is spent.
    phone.reload()
    expect(phone.get_by_role("heading", level=1)).to_have_text(name)
    phone.goto("about:blank")
    phone.goto(link)
    phone.get_by_role("button", name="Bliv en enhed" if danish else "Become a device").click()
    spent = "Linket er allerede brugt" if danish else "The link was used already"
    expect(phone.get_by_role("alert")).to_contain_text(spent)
    visitor.look("phone-spent")
    assert visitor.wrong == []
