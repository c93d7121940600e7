"""A device's certificate in the console: added, seen, revoked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from browsing import Platform
from moorage.testing.authority import Authority

pytestmark = pytest.mark.timeout(300)


def test_a_certificate_is_added_seen_and_revoked(
    platform: Platform, visit: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    client = platform.client()
    request.addfinalizer(client.close)
    ids: dict[str, Any] = {}
    for path, body in (
        ("organizations", {"name": "Pumping station"}),
        ("applications", {"name": "Pumps", "organizationId": "organizations"}),
        ("devices", {"name": "Pump", "applicationId": "applications"}),
    ):
        filled = {name: ids.get(value, value) for name, value in body.items()}
        answer = client.post(f"/api/v1/{path}", json=filled)
        assert answer.status_code == 201, answer.text
        ids[path] = answer.json()["id"]
    certificate, key = Authority(tmp_path).issue("pump")
    visitor = visit()
    page = visitor.page
    visitor.go(f"/devices/{ids['devices']}?tab=settings")

    page.get_by_role("button", name="New credential").click()
    page.get_by_text("Certificate", exact=True).click()
    field = page.get_by_label("Certificate (PEM)")
    field.fill(certificate + key)
    page.get_by_role("button", name="Create").click()
    told = "holds a private key. That stays where it is used; send the certificate alone."
    expect(page.get_by_text(told, exact=True)).to_be_visible()
    field.fill(certificate)
    visitor.look("certificate-new")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    (held,) = client.get(f"/api/v1/devices/{ids['devices']}/credentials").json()
    row = page.get_by_role("row").filter(has_text=held["hint"][:16])
    expect(row).to_contain_text("Until")

    row.get_by_role("button", name="More actions").click()
    expect(page.get_by_role("menuitem", name="Make a new secret")).to_have_count(0)
    page.get_by_role("menuitem", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    expect(row.get_by_role("button")).to_have_count(0)
    visitor.settle()
    visitor.examine("certificate")
    visitor.look("certificate")
    # The browser's own word for the 422.
    assert [one for one in visitor.wrong if "422" not in one] == []
