"""A platform, a browser, and visitors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, expect, sync_playwright
from xdist.scheduler import LoadFileScheduling

from browsing import ADMIN, Platform, Visitor, new_platform
from harbour import Things

CHROMIUM = "/usr/bin/chromium-headless-shell"
# Reached over plain HTTP, as in a LAN: browsers trust only this machine's own name without TLS.
OTHER_NAME = "moorage.test"
FLAGS = [
    f"--host-resolver-rules=MAP {OTHER_NAME} 127.0.0.1",
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
# A busy machine must not fail a test.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
# The software renderer's own remark, not the console's.
NOT_OURS = ("GPU stall due to ReadPixels", "Automatic fallback to software WebGL")


# A platform costs as much to start as a test or two. The tests of these files bear what others have
# made: each has an organization of its own, and counts nothing beside. They run in turn on one.
TOGETHER = {
    "test_api_store",
    "test_certificates",
    "test_invitations",
    "test_programs",
    "test_topic_rules",
    "test_trace",
}


class ByPlatform(LoadFileScheduling):
    """Gives a worker all tests of one platform."""

    def _split_scope(self, nodeid: str) -> str:
        stem = Path(nodeid.partition("::")[0]).stem
        return "together" if stem in TOGETHER else stem


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlatform:
    """Distribute by platform, not by file."""
    return ByPlatform(config, log)


@pytest.fixture(scope="session")
def shared_platform(
    server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """Give a platform that others use too."""
    with new_platform(server_url, tmp_path_factory.mktemp("platform")) as made:
        yield made


@pytest.fixture(scope="module")
def platform(
    request: pytest.FixtureRequest, server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """Give a platform with one administrator, which nobody has used yet unless it is shared."""
    if request.path.stem in TOGETHER:
        yield request.getfixturevalue("shared_platform")
        return
    with new_platform(server_url, tmp_path_factory.mktemp("platform")) as made:
        yield made


@pytest.fixture(scope="module")
def things(platform: Platform) -> Iterator[Things]:
    """Give an organisation with one thing of every kind."""
    with closing(platform.client()) as client:
        yield Things(client)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give Debian's Chromium, without the browser's own pages around: a third of the CPU."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, platform: Platform) -> Iterator[Any]:
    """Give a function that signs in, in light, dark, phone or Danish.

    It opens no page: that is the test's first `go`. With `by_link` it comes by a one-time link, as
    a person does, and sees the first page.
    """
    contexts: list[BrowserContext] = []

    def enter(mode: str = "light", email: str = ADMIN, *, by_link: bool = False) -> Visitor:
        phone = mode == "phone"
        context = browser.new_context(
            viewport={"width": 360, "height": 780} if phone else {"width": 1360, "height": 860},
            color_scheme="dark" if mode == "dark" else "light",
            locale="da-DK" if mode == "danish" else "en-GB",
            timezone_id="Europe/Copenhagen",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        visitor = Visitor(platform, page, mode)
        page.set_default_timeout(PATIENCE_MS)

        def heard(message: ConsoleMessage) -> None:
            ours = not any(words in message.text for words in NOT_OURS)
            if message.type in ("error", "warning") and ours:
                visitor.wrong.append(f"console: {message.text[:300]}")

        page.on("pageerror", lambda error: visitor.wrong.append(f"script: {error}"))
        if by_link:
            page.goto(platform.link(email))
            page.locator("h1").first.wait_for()
            page.wait_for_url(platform.url + "/")
            page.locator("#page h1").first.wait_for()
        else:
            with closing(platform.client(email)) as client:
                context.add_cookies(
                    [
                        {"name": cookie.name, "value": cookie.value or "", "url": platform.url}
                        for cookie in client.cookies.jar
                    ]
                )
        # Before the sign-in the console asks who it is and hears 401.
        page.on("console", heard)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((platform.url, "data:", "blob:"))
                else visitor.wrong.append(f"asks another host: {request.url}")
            ),
        )
        return visitor

    yield enter
    for context in contexts:
        context.close()
