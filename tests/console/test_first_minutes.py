"""The first ten minutes: from a sign-in link to the first value, as a newcomer does it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from httpx2 import Client
from playwright.sync_api import expect

from browsing import Platform, Visitor

pytestmark = pytest.mark.timeout(400)


def test_a_newcomer_gets_from_the_link_to_a_live_value(
    platform: Platform, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(by_link=True)
    page = visitor.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Moorage")
    assert "token" not in page.url
    visitor.look("welcome")

    page.get_by_role("main").get_by_role("link", name="Connect something").click()
    page.get_by_label("Name of the device").fill("Water level, Mill Bridge")
    page.get_by_role("button", name="New", exact=True).click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name="Name", exact=True).fill("Water levels")
    form.get_by_role("textbox", name="Organization").fill("Mill Town")
    form.get_by_role("button", name="Create").click()
    expect(form).to_be_hidden()
    page.clock.install()
    page.get_by_role("button", name="Get the commands").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect Water level, Mill Bridge")

    # A wrong key first: after half a minute of nothing the page says what the door saw.
    with Client(base_url=platform.url) as stranger:
        wrong = stranger.post("/ingest/v1/up", json={"t": 1}, headers={"X-Device-Key": "mdk_no"})
        assert wrong.status_code == 401
    page.clock.fast_forward(31_000)
    expect(page.get_by_text("Wrong credentials").first).to_be_visible()
    visitor.look("connect-silence")

    page.get_by_role("tab", name=re.compile("curl", re.IGNORECASE)).click()
    command = page.get_by_role("tabpanel").locator("code").inner_text()
    subprocess.run(["/bin/sh", "-ec", command], check=True, capture_output=True, timeout=60)
    expect(page.get_by_role("heading", name="The first message is here")).to_be_visible()
    visitor.look("connect-arrived")

    page.get_by_role("link", name="See it live").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Water level, Mill Bridge")
    expect(page.get_by_role("button", pressed=True)).to_be_visible()
    assert visitor.wrong == []


def test_a_spent_link_and_a_wrong_password_are_told_apart_from_success(
    platform: Platform, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go("/")
    page = visitor.page
    page.get_by_role("button", name=re.compile("Account of")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Moorage")
    page.get_by_label("E-mail").fill("anna@example.org")
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("are not right")
    page.get_by_text("Dansk").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log ind på Moorage")
    expect(page.get_by_label("E-mail")).to_have_value("anna@example.org")
