"""Many devices at once: what is asked for in a list is a task, with progress and an outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from httpx2 import Client
from playwright.sync_api import expect

from browsing import Platform, Visitor

pytestmark = pytest.mark.timeout(300)
COUNT = 130


class Street:
    """An application with more devices than a page of the list shows."""

    def __init__(self, client: Client) -> None:
        self.client = client
        made = client.post("/api/v1/organizations", json={"name": "Lamp Town"}).json()
        self.organization: str = made["id"]
        body = {"organizationId": self.organization, "name": "Avenue lamps"}
        self.application: str = client.post("/api/v1/applications", json=body).json()["id"]
        rows = [{"name": f"Lamp {n:03}"} for n in range(COUNT)]
        query = {"applicationId": self.application}
        client.post("/api/v1/devices/import", json=rows, params=query).raise_for_status()

    def count(self, **query: str) -> int:
        """Count devices."""
        asked = {"applicationId": self.application, "total": "true", "limit": "1", **query}
        found: int = self.client.get("/api/v1/devices", params=asked).json()["total"]
        return found


@pytest.fixture(scope="module")
def street(platform: Platform) -> Iterator[Street]:
    with closing(platform.client()) as client:
        yield Street(client)


def test_all_there_is_gets_a_tag_though_not_all_is_shown(
    street: Street, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go(f"/applications/{street.application}")
    page = visitor.page
    page.get_by_role("checkbox", name="Select all shown").check()
    bar = page.get_by_role("toolbar")
    bar.get_by_role("button", name=f"Select all {COUNT}").click()
    expect(bar).to_contain_text(f"{COUNT} selected")
    visitor.look("devices-everything")
    bar.get_by_role("button", name="Tags").click()
    form = page.get_by_role("dialog", name="Tags")
    form.get_by_role("combobox", name="Add tags").fill("north")
    page.keyboard.press("Enter")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(bar).to_be_hidden()
    assert street.count(tag="north") == COUNT
    assert visitor.wrong == []


def test_what_could_not_be_done_is_told_by_name(
    street: Street, visit: Callable[..., Visitor]
) -> None:
    query = {"applicationId": street.application, "q": "Lamp 001"}
    (lamp,) = street.client.get("/api/v1/devices", params=query).json()["items"]
    path = f"/api/v1/devices/{lamp['id']}"
    street.client.patch(path, json={"state": "retired"}).raise_for_status()
    visitor = visit()
    visitor.go("/devices?q=Lamp 00")
    page = visitor.page
    expect(page.get_by_role("row")).to_have_count(12)
    page.get_by_role("checkbox", name="Select all shown").check()
    page.get_by_role("toolbar").get_by_role("button", name="Set state").click()
    page.get_by_role("menuitem", name="Maintenance").click()
    page.get_by_role("dialog").get_by_label("Why").fill("new lamps")
    page.get_by_role("dialog").get_by_role("button").last.click()
    outcome = page.get_by_role("dialog", name="Change devices")
    expect(outcome.get_by_role("listitem")).to_contain_text("Lamp 001")
    visitor.look("devices-many-outcome")
    visitor.examine("devices-many-outcome")
    outcome.get_by_role("button", name="Close").last.click()
    assert street.count(state="maintenance") == 10
    assert visitor.wrong == []


def test_a_file_too_long_for_one_step_is_imported_as_a_task(
    street: Street, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    body = {"organizationId": street.organization, "name": "Bins"}
    bins = street.client.post("/api/v1/applications", json=body).json()["id"]
    file = tmp_path / "bins.csv"
    rows = "".join(f"{bins},Bin {n},{'twice' if n < 2 else ''}\n" for n in range(2_100))
    file.write_text(f"applicationId,name,serial\n{rows}")
    visitor = visit()
    visitor.go("/import")
    page = visitor.page
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="See what would happen").click()
    outcome = page.get_by_role("dialog", name="What would happen")
    expect(outcome.get_by_role("listitem")).to_contain_text("Line 3: serial: ")
    outcome.get_by_role("button", name="Close").last.click()
    assert street.client.get(f"/api/v1/applications/{bins}").json()["deviceCount"] == 0
    page.get_by_role("button", name="Import", exact=True).click()
    outcome = page.get_by_role("dialog", name="What happened")
    expect(outcome).to_contain_text("2,099")
    visitor.look("import-outcome")
    outcome.get_by_role("button", name="Close").last.click()
    assert street.client.get(f"/api/v1/applications/{bins}").json()["deviceCount"] == 2_099
    assert visitor.wrong == []


def test_an_application_goes_with_its_devices(
    street: Street, visit: Callable[..., Visitor]
) -> None:
    visitor = visit()
    visitor.go(f"/applications/{street.application}")
    page = visitor.page
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Remove").click()
    form = page.get_by_role("dialog")
    expect(form).to_contain_text(f"{COUNT} devices and everything they ever sent")
    form.get_by_role("textbox").fill("Avenue lamps")
    form.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/applications")
    expect(page.get_by_role("row").filter(has_text="Avenue lamps")).to_have_count(0)
    assert street.count() == 0
    assert visitor.wrong == []
