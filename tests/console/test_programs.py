"""A program is made, asks a person, is allowed and taken back; a device without a browser too."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from browsing import Platform, Visitor
from moorage.testing.authority import Authority
from programs import CHALLENGE, DEVICE_GRANT, VERIFIER

pytestmark = pytest.mark.timeout(400)
BACK = "http://127.0.0.1:9/back"
TOKEN = "/api/v1/oauth/token"


def test_a_program_asks_a_person_who_allows_it_and_takes_it_back(
    platform: Platform, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    with closing(platform.client()) as client:
        for name in ("Works", "Other works"):
            client.post("/api/v1/organizations", json={"name": name}).raise_for_status()
        report = {"name": "Night report", "grantTypes": ["client_credentials"],
                  "scopes": ["devices:read"]}  # fmt: skip
        client.post("/api/v1/oauth/clients", json=report).raise_for_status()
    anna = visit()
    page = anna.page
    anna.go("/programs?new=true")
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name="Name").fill("Route planner")
    form.get_by_label("Organization").click()
    page.get_by_role("option", name="Works", exact=True).click()
    form.get_by_label("Where it leads people back to").fill(BACK)
    form.get_by_label("Rights it may ask for").click()
    for right in ("See devices", "See messages"):
        page.get_by_role("option", name=right).click()
    page.keyboard.press("Escape")
    anna.look("program-form")
    anna.examine("program-form")
    form.get_by_role("button", name="Create").click()
    shown = page.get_by_role("dialog", name="The new secret")
    secret = shown.get_by_text(re.compile("^mcs_")).inner_text()
    program_id = shown.get_by_text(re.compile("^client_id")).inner_text().split()[1]
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_text("Route planner")).to_be_visible()
    prove_by_certificate(anna, Authority(tmp_path).issue("planner")[0])
    for mode in ("phone", "light"):
        anna.turn(mode)
        anna.look("programs")
        anna.examine("programs")

    asked = (
        f"/oauth/authorize?response_type=code&client_id={program_id}&redirect_uri={BACK}"
        f"&state=s1&code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
    for modes in (("light", "phone", "dark"), ("danish",)):
        visitor = visit(modes[0])
        visitor.go(asked)
        who = visitor.page.get_by_text("Route planner", exact=True)
        expect(who).to_be_visible()
        for mode in modes:
            visitor.turn(mode)
            visitor.look("allow")
            if mode != "danish":
                visitor.examine("allow")
        assert visitor.wrong == []
    anna.go(asked)
    expect(page.get_by_text("See messages")).to_be_visible()
    page.route(f"{BACK}*", lambda route: route.fulfill(body="Back at the program."))
    page.get_by_role("button", name="Allow", exact=True).click()
    page.wait_for_url(f"{BACK}?*")
    led = parse_qs(urlsplit(page.url).query)
    assert (led["state"], led["iss"]) == (["s1"], [platform.url])
    with closing(platform.client()) as client:
        form_of = {
            "grant_type": "authorization_code", "code": led["code"][0], "redirect_uri": BACK,
            "code_verifier": VERIFIER,
        }  # fmt: skip
        answer = client.post(TOKEN, data=form_of, auth=(program_id, secret))
        assert answer.status_code == 200, answer.text
    visitor = visit()
    visitor.go("/settings")
    panel = visitor.page.get_by_role("region", name="Programs that act in your name")
    expect(panel.get_by_text("Route planner")).to_be_visible()
    visitor.settle()
    visitor.look("settings-programs")
    visitor.examine("settings-programs")
    panel.get_by_role("button", name="Take back").click()
    expect(panel.get_by_text("None.")).to_be_visible()
    assert visitor.wrong == []


def prove_by_certificate(visitor: Visitor, pem: str) -> None:
    """Have a program that keeps a secret prove itself by a certificate instead."""
    page = visitor.page
    row = page.get_by_role("row").filter(has_text="Night report")
    expect(row.get_by_role("button", name="New secret")).to_be_visible()
    row.get_by_role("button", name="Edit").click()
    form = page.get_by_role("dialog")
    field = form.get_by_role("textbox", name="Client certificates (PEM)")
    field.fill("no certificate")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("This is no certificate in PEM.")).to_be_visible()
    field.fill(pem)
    visitor.look("program-certificate")
    form.get_by_role("button", name="Save").click()
    expect(row.get_by_text("Proves itself by a certificate")).to_be_visible()
    expect(row.get_by_role("button", name="New secret")).to_have_count(0)


def test_a_device_shows_a_code_and_a_person_types_it(
    platform: Platform, visit: Callable[..., Visitor]
) -> None:
    with closing(platform.client()) as client:
        body = {
            "name": "Edge agent", "confidential": False, "grantTypes": [DEVICE_GRANT],
            "scopes": ["devices:read"],
        }  # fmt: skip
        made = client.post("/api/v1/oauth/clients", json=body).raise_for_status().json()
        named = {"client_id": made["id"]}
        path = "/api/v1/oauth/device-authorization"
        started = client.post(path, data=named).raise_for_status().json()
        anna = visit()
        page = anna.page
        anna.go(started["verification_uri_complete"].removeprefix(platform.url))
        expect(page.get_by_label("Code on the device")).to_have_value(started["user_code"])
        anna.look("allow-device-code")
        anna.examine("allow-device-code")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Edge agent", exact=True)).to_be_visible()
        anna.look("allow-device")
        page.get_by_role("button", name="Allow", exact=True).click()
        expect(page.get_by_text("The device goes on by itself")).to_be_visible()
        form = {"grant_type": DEVICE_GRANT, "device_code": started["device_code"], **named}
        assert client.post(TOKEN, data=form).status_code == 200
        assert anna.wrong == []
