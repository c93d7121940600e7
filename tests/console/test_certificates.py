"""Certificates in the console: a device's own, and who signs those of an organisation."""

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
        ("organizations", {"name": "Harbour"}),
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


def test_an_authority_is_registered_its_list_taken_and_the_authority_withdrawn(
    platform: Platform, visit: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    client = platform.client()
    request.addfinalizer(client.close)
    made = client.post("/api/v1/organizations", json={"name": "Dockyard"}).json()["id"]
    authority = Authority(tmp_path)
    proof, _ = authority.issue(made)
    stranger, _ = authority.issue("somebody")
    crl = tmp_path / "plant.crl"
    crl.write_text(authority.revoke(proof, stranger, number=1))
    visitor = visit()
    page = visitor.page
    visitor.go(f"/organizations/{made}")
    panel = page.get_by_role("region", name="Device authorities")
    expect(panel).to_contain_text("Register who signs them")

    panel.get_by_role("button", name="Register an authority").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Plant")
    dialog.get_by_label("Its certificate (PEM)").fill(authority.certificate)
    dialog.get_by_label("Proof (PEM)").fill(stranger)
    dialog.get_by_role("button", name="Register", exact=True).click()
    expect(dialog.get_by_text(f"must have the common name {made}.").first).to_be_visible()
    visitor.look("authority-new")
    dialog.get_by_label("Proof (PEM)").fill(proof)
    dialog.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(panel).to_contain_text("CN=Test authority")

    panel.get_by_role("button", name="More actions: Plant").click()
    page.get_by_role("menuitem", name="Revoked certificates").click()
    with page.expect_file_chooser() as chooser:
        dialog.get_by_role("button", name="The list").click()
    chooser.value.set_files(crl)
    visitor.look("authority-list")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(panel).to_contain_text("2 certificates revoked")
    visitor.settle()
    visitor.examine("authorities")
    visitor.look("authorities")
    for mode in ("phone", "danish"):
        other = visit(mode)
        other.go(f"/organizations/{made}")
        other.page.get_by_text("CN=Test authority").scroll_into_view_if_needed()
        other.settle()
        other.look("authorities")

    panel.get_by_role("button", name="More actions: Plant").click()
    page.get_by_role("menuitem", name="Take the authority back").click()
    dialog.get_by_role("textbox").fill("Plant")
    dialog.get_by_role("button", name="Take the authority back").click()
    expect(panel).to_contain_text("Register who signs them")
    assert [one for one in visitor.wrong if "422" not in one] == []
