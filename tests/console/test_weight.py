"""What a first visit downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from browsing import Platform, Visitor, new_platform

pytestmark = pytest.mark.timeout(400)

MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def platform(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Give a platform of its own: what others have made has its weight."""
    with new_platform(server_url, tmp_path_factory.mktemp("platform")) as made:
        yield made


class Scale:
    """Weighs what a page downloads: bodies as they travel, and their headers."""

    def __init__(self, page: Page) -> None:
        self.answers: list[Response] = []
        # What every browser understands; brotli comes only over TLS.
        page.set_extra_http_headers({"Accept-Encoding": "gzip"})
        page.on("response", lambda answer: self.answers.append(answer))

    def weigh(self) -> tuple[int, list[str]]:
        """Give the bytes of all answers, and each with its bytes."""
        found = []
        for answer in self.answers:
            answer.finished()
            sizes = answer.request.sizes()
            found.append((sizes["responseBodySize"] + sizes["responseHeadersSize"], answer.url))
        return sum(size for size, _ in found), [f"{size} {url}" for size, url in sorted(found)]


def test_the_first_page_before_and_behind_the_sign_in_is_light(
    platform: Platform, browser: Browser, visit: Callable[..., Visitor]
) -> None:
    context = browser.new_context()
    page = context.new_page()
    scale = Scale(page)
    page.goto(platform.url + "/sign-in")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    bytes_, each = scale.weigh()
    assert bytes_ < MOST_BYTES * 3 // 4, each
    context.close()

    with closing(platform.client()) as client:
        made = client.post("/api/v1/organizations", json={"name": "Light Town"}).json()["id"]
        body = {"organizationId": made, "name": "Lanterns"}
        application = client.post("/api/v1/applications", json=body).json()["id"]
        body = {"applicationId": application, "name": "Lantern 1"}
        client.post("/api/v1/devices", json=body).raise_for_status()
    visitor = visit(fresh=True)
    page = visitor.page
    scale = Scale(page)
    visitor.go("/")
    expect(page.get_by_role("region", name="Needs attention")).to_be_visible()
    visitor.settle()
    page.wait_for_load_state("networkidle")
    bytes_, each = scale.weigh()
    assert bytes_ < MOST_BYTES, each
    assert len(each) < 45
