"""What devices of an application may share, made and taken back on its page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browsing import Platform, Visitor

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def application(platform: Platform) -> str:
    """Give an application's id."""
    with contextlib.closing(platform.client()) as admin:
        organization = admin.post("/api/v1/organizations", json={"name": "Plant"}).json()["id"]
        body = {"organizationId": organization, "name": "Line 1"}
        return str(admin.post("/api/v1/applications", json=body).json()["id"])


@pytest.mark.parametrize("mode", ["light", "phone", "danish"])
def test_a_topic_is_allowed_and_taken_back(
    mode: str, platform: Platform, application: str, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(mode)
    page = visitor.page
    new, topic, channel, make, kept = (
        ("Tillad et emne", "Emne", "Kanal", "Opret", "Gem, hvad der sendes")
        if mode == "danish"
        else ("Allow a topic", "Topic", "Channel", "Create", "Keep what is published")
    )
    visitor.go(f"/applications/{application}?tab=topics")
    visitor.settle()
    visitor.look("topic-rules-none")
    page.get_by_role("button", name=new).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(topic).fill("v1/mine")
    dialog.get_by_role("button", name=make).click()
    expect(dialog.get_by_label(topic)).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label(topic).fill("line/{serial}/state")
    dialog.get_by_label(kept).check()
    dialog.get_by_label(channel).fill("state")
    visitor.look("topic-rule")
    visitor.examine("topic-rule")
    dialog.get_by_role("button", name=make).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("line/{serial}/state")).to_be_visible()
    visitor.look("topic-rules")
    visitor.examine("topic-rules")
    assert [one for one in visitor.wrong if "422" not in one] == []

    with contextlib.closing(platform.client()) as admin:
        path = f"/api/v1/applications/{application}/topic-rules"
        (rule,) = admin.get(path).json()
        assert (rule["publish"], rule["subscribe"], rule["channel"]) == (True, True, "state")
        assert admin.delete(f"{path}/{rule['id']}").status_code == 204
