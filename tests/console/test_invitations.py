"""An organisation asks somebody of another one in, and they answer in the console."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import expect

from browsing import Platform, Visitor

pytestmark = pytest.mark.timeout(400)
CHIEF = "chief@example.org"


@pytest.fixture
def south(platform: Platform) -> str:
    """Found South with an administrator of its users; give the id of a group for readers."""
    with closing(platform.client()) as client:
        organization = client.post("/api/v1/organizations", json={"name": "South"}).json()["id"]
        query = {"organizationId": organization}
        items = client.get("/api/v1/permissions", params=query).json()["items"]
        groups = {group["name"]: group["id"] for group in items}
        body = {
            "email": CHIEF,
            "name": "Chief",
            "permissionGroupIds": [groups["Organization administrators"]],
        }
        client.post("/api/v1/users", json=body).raise_for_status()
        return str(groups["Readers"])


def test_an_invitation_is_made_seen_accepted_declined_and_withdrawn(
    south: str, platform: Platform, visit: Callable[..., Visitor]
) -> None:
    chief = visit("light", CHIEF)
    page = chief.page
    for email in ("anna@example.org", "nobody@example.org"):
        chief.go("/users")
        page.get_by_role("button", name="Invite a user").first.click()
        page.get_by_label("Name").fill("As typed")
        page.get_by_label("E-mail").fill(email)
        page.get_by_role("dialog").get_by_label("Permission groups").click()
        page.get_by_role("option", name="Readers").click()
        page.get_by_label("Name").click()
        page.get_by_role("button", name="Invite", exact=True).click()
        # In the same words, whether there is an account or not.
        expect(page.get_by_text("Who has no account makes one")).to_be_visible()
    for mode in ("light", "phone"):
        chief = visit(mode, CHIEF)
        chief.go("/users")
        expect(chief.page.get_by_text("anna@example.org")).to_be_visible()
        expect(chief.page.get_by_text("Anna", exact=True)).to_have_count(0)
        chief.settle()
        chief.look("invitations")
        chief.examine("invitations")
        assert chief.wrong == []

    for mode in ("light", "phone"):
        anna = visit(mode)
        expect(anna.page.get_by_text("South invites you")).to_be_visible()
        anna.settle()
        anna.look("invited")
        anna.examine("invited")
        assert anna.wrong == []
    anna.page.get_by_role("button", name="Accept").click()
    expect(anna.page.get_by_text("South invites you")).to_have_count(0)

    page = chief.page
    chief.go("/users")
    expect(page.get_by_text("Anna", exact=True)).to_be_visible()
    page.get_by_role("button", name="Withdraw").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("nobody@example.org")).to_have_count(0)
    with closing(platform.client()) as client:
        me = client.get("/api/v1/auth/me").json()["id"]
        group = client.get(f"/api/v1/permissions/{south}").json()
        client.delete(f"/api/v1/users/{me}/organizations/{group['organizationId']}")
        assert [m["id"] for m in client.get(f"/api/v1/permissions/{south}/members").json()] == []
    assert chief.wrong == []
