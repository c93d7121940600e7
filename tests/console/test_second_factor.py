"""A person sets up an app and a passkey, and signs in with either."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pyotp
import pytest
from playwright.sync_api import Page, expect

from browsing import Platform, Visitor

pytestmark = pytest.mark.timeout(400)
BO = "bo@example.org"
PASSWORD = "ostrich velvet quarry 17"


def give_authenticator(page: Page) -> None:
    """Let the browser have an authenticator that asks nobody (Chromium's WebAuthn domain)."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def leave(visitor: Visitor) -> None:
    """Forget who was signed in, and go to the sign-in page."""
    visitor.page.context.clear_cookies()
    visitor.go("/sign-in")


def test_an_app_and_a_passkey_are_set_up_and_let_in(
    platform: Platform, visit: Callable[..., Visitor]
) -> None:
    with closing(platform.client()) as client:
        client.post("/api/v1/users", json={"email": BO, "name": "Bo"}).raise_for_status()
    bo = visit("light", BO, fresh=True)
    page = bo.page
    give_authenticator(page)
    bo.go("/settings")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("region", name="Set a password").get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Change the password")).to_be_visible()
    panel = page.get_by_role("region", name="Second factor and passkeys")
    panel.get_by_role("button", name="Set up").click()
    page.get_by_role("button", name="Go on").click()
    secret = page.get_by_role("dialog").locator("code").inner_text().replace(" ", "")
    expect(page.get_by_alt_text("QR code")).to_be_visible()
    bo.look("second-factor-qr")
    bo.examine("second-factor-qr")
    page.get_by_role("dialog").get_by_label("Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("dialog").get_by_role("button", name="Set up").click()
    expect(page.get_by_role("dialog").get_by_text("Each works once")).to_be_visible()
    codes = page.get_by_role("dialog").locator("code").inner_text().split()
    assert len(codes) == 10
    bo.look("backup-codes")
    page.get_by_role("button", name="I have kept it").click()

    panel.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Go on").click()
    expect(panel.get_by_text("Laptop")).to_be_visible()
    expect(panel.get_by_text("10 backup codes are left")).to_be_visible()
    bo.settle()
    bo.look("second-factor")
    bo.examine("second-factor")
    assert bo.wrong == []

    leave(bo)
    bo.look("sign-in-ways")
    bo.examine("sign-in-ways")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(platform.url + "/")

    leave(bo)
    page.get_by_label("E-mail").fill(BO)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("This code is not right")).to_be_visible()
    bo.look("sign-in-second")
    bo.examine("sign-in-second")
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(platform.url + "/")

    leave(bo)
    page.get_by_label("E-mail").fill(BO)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(platform.url + "/")
    bo.go("/settings")
    expect(panel.get_by_text("9 backup codes are left")).to_be_visible()
    page.get_by_text("Dansk", exact=True).click()
    expect(page.get_by_text("9 reservekoder er tilbage")).to_be_visible()
    bo.look("second-factor-danish")
    page.set_viewport_size({"width": 360, "height": 780})
    bo.mode = "phone"
    bo.look("second-factor")
    leave(bo)
    bo.look("sign-in-ways")
    # The answers that ask for more show as errors of their own; no page scrolls sideways.
    assert [one for one in bo.wrong if "sideways" in one] == []
