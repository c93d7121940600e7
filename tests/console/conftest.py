"""A platform, a browser, and visitors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)
from xdist.scheduler import LoadFileScheduling

from browsing import ADMIN, Platform, Visitor, new_platform
from harbour import Things

HERE = Path(__file__).parent
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


# All but the scales run in turn on one platform, since one costs as much to start as a few tests:
# each file has an organization of its own and bears what others have made. These cannot.
UNUSED = "test_first_minutes.py"
CROWDED = "test_many.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what needs a platform nobody has used, and last what makes thousands of devices."""
    ours = [item for item in items if item.path.parent == HERE]
    turns = iter(sorted(ours, key=lambda i: (i.path.name != UNUSED, i.path.name == CROWDED)))
    items[:] = [next(turns) if item.path.parent == HERE else item for item in items]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Give a worker whole files, in the order above."""
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def platform(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Give a platform with one administrator."""
    with new_platform(server_url, tmp_path_factory.mktemp("platform")) as made:
        yield made


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def rested() -> dict[str, list[Page]]:
    """Keep pages that were left, by language.

    A new one is another process of the browser, and fetches and compiles the console anew.
    """
    return {}


@pytest.fixture
def visit(
    browser: Browser, platform: Platform, rested: dict[str, list[Page]]
) -> Iterator[Callable[..., Visitor]]:
    """Give a function that signs in, in light, dark, phone or Danish.

    It opens no page: that is the test's first `go`. `fresh` is a browser that nobody has used, with
    a session of its own. With `by_link` it comes by a one-time link, as a person does, and sees the
    first page.
    """
    leave = ExitStack()

    def enter(
        mode: str = "light", email: str = ADMIN, *, fresh: bool = False, by_link: bool = False
    ) -> Visitor:
        language = "da-DK" if mode == "danish" else "en-GB"
        left = rested.setdefault(language, [])
        fresh = fresh or by_link
        page = left.pop() if left and not fresh else new_page(browser, language)
        visitor = Visitor(platform, page, mode)
        visitor.turn(mode)

        def heard(message: ConsoleMessage) -> None:
            ours = not any(words in message.text for words in NOT_OURS)
            if message.type in ("error", "warning") and ours:
                visitor.wrong.append(f"console: {message.text[:300]}")

        def failed(error: Error) -> None:
            visitor.wrong.append(f"script: {error}")

        def asked(request: Request) -> None:
            if not request.url.startswith((platform.url, "data:", "blob:")):
                visitor.wrong.append(f"asks another host: {request.url}")

        def close() -> None:
            page.remove_listener("pageerror", failed)
            page.remove_listener("console", heard)
            page.remove_listener("request", asked)
            if fresh:
                page.context.close()
                return
            page.unroute_all()
            # A page of ours without a script.
            page.goto(f"{platform.url}/icon.svg")
            page.evaluate("localStorage.clear(), sessionStorage.clear()")
            page.context.clear_cookies()
            left.append(page)

        leave.callback(close)
        page.on("pageerror", failed)
        if by_link:
            page.goto(platform.link(email))
            page.locator("h1").first.wait_for()
            page.wait_for_url(platform.url + "/")
            page.locator("#page h1").first.wait_for()
        else:
            cookies = platform.session(email, anew=fresh)
            page.context.add_cookies(
                [{"name": k, "value": v, "url": platform.url} for k, v in cookies.items()]
            )
        # Before the sign-in the console asks who it is and hears 401.
        page.on("console", heard)
        page.on("request", asked)
        return visitor

    with leave:
        yield enter


def new_page(browser: Browser, language: str) -> Page:
    """Open a page of a browser that nobody has used."""
    context = browser.new_context(
        locale=language, timezone_id="Europe/Copenhagen", reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page
