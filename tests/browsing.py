"""A platform of real processes, and a visitor who sees what is wrong on a page."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from httpx2 import Client, ConnectError, ReadError
from playwright.sync_api import Page, ViewportSize, expect

from cluster import fresh_database
from ports import free_ports

ROOT = Path(__file__).parents[1]
# The folder for what people look at; `make screenshots` gives it.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
ADMIN = "anna@example.org"
DESK = ViewportSize(width=1360, height=860)
PHONE = ViewportSize(width=360, height=780)
# The router tells by this where the page that is shown belongs.
ARRIVED = """(path) => {
  const { status, resolvedLocation } = window.__TSR_ROUTER__.state
  const place = (href) => {
    const { pathname, searchParams } = new URL(href, location)
    return `${pathname}?${searchParams}`
  }
  return status === 'idle' && place(resolvedLocation.href) === place(path)
}"""
# Until no colour is on its way and three frames in turn have the same shape.
STILL = """async () => {
  const shape = () => [...document.querySelectorAll('html, #root, #page')].map(
    (one) => [one.scrollWidth, one.scrollHeight]).join()
  for (let same = 0, last = ''; same < 3;) {
    await new Promise(requestAnimationFrame)
    const now = shape()
    const moving = document.getAnimations().some((one) => one instanceof CSSTransition)
    same = now === last && !moving ? same + 1 : 0
    last = now
  }
}"""
COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli"]


@dataclass
class Platform:
    """Running processes on a database of their own.

    Attributes:
        admin: the administrator, signed in to the API.
    """

    url: str
    environment: dict[str, str]
    admin: Client
    _visiting: dict[str, Client] = field(default_factory=dict)

    def moorage(self, *words: str) -> str:
        """Run a command of the platform and give what it printed."""
        done = subprocess.run(
            [*COMMAND, *words], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def link(self, email: str = ADMIN) -> str:
        """Make a sign-in link, for the administrator unless it says for whom."""
        people = self.admin.get("/api/v1/users").raise_for_status().json()["items"]
        (user_id,) = (person["id"] for person in people if person["email"] == email)
        made = self.admin.post(f"/api/v1/users/{user_id}/link").raise_for_status()
        url: str = made.json()["url"]
        return url

    def client(self, email: str = ADMIN) -> Client:
        """Give a client of the API, for the administrator unless it says for whom."""
        client = Client(base_url=self.url, timeout=60, headers={"Origin": self.url})
        sign_in(client, self.link(email))
        return client

    def session(self, email: str = ADMIN, *, anew: bool = False) -> dict[str, str]:
        """Give the cookies of somebody who is signed in: as they were given before, unless anew."""
        known = self._visiting.get(email)
        if anew or known is None or known.get("/api/v1/auth/me").status_code != 200:
            self.forget(email)
            known = self._visiting[email] = self.client(email)
        return {cookie.name: cookie.value or "" for cookie in known.cookies.jar}

    def forget(self, *emails: str) -> None:
        """Forget sessions that were given."""
        for email in emails:
            if known := self._visiting.pop(email, None):
                known.close()


def sign_in(client: Client, link: str) -> None:
    """Let a client in by a one-time link."""
    token = link.partition("#token=")[2]
    client.post("/api/v1/auth/link", json={"token": token}).raise_for_status()
    client.headers["X-CSRF-Token"] = client.get("/api/v1/auth/me").json()["csrfToken"]


def wait_until_ready(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait for a healthy answer; fail if a process ends instead."""
    with Client(base_url=url, timeout=60) as client:
        while True:
            assert all(process.poll() is None for process in processes)
            try:
                if client.get("/health").status_code == 200:
                    return
            except (ConnectError, ReadError):
                pass
            time.sleep(0.05)


@contextlib.contextmanager
def new_platform(server_url: str, directory: Path) -> Iterator[Platform]:
    """Run a platform nobody has used yet, with one administrator."""
    api, mqtt, mqtt_tls = free_ports(3)
    with fresh_database(server_url) as database_url:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MOORAGE_")},
            "MOORAGE_DATABASE_URL": database_url,
            "MOORAGE_DATA_DIR": str(directory),
            "MOORAGE_API_PORT": str(api),
            "MOORAGE_MQTT_PORT": str(mqtt),
            "MOORAGE_MQTT_TLS_PORT": str(mqtt_tls),
            "MOORAGE_PUBLIC_URL": f"http://localhost:{api}",
        }
        url = f"http://localhost:{api}"
        admin = Client(base_url=url, timeout=60, headers={"Origin": url})
        made = Platform(url, environment, admin)
        invited = made.moorage("user", "add", ADMIN, "Anna", "--admin").split()[-1]
        processes = [
            subprocess.Popen([*COMMAND, part], env=environment)
            for part in ("api", "listen", "work")
        ]
        try:
            wait_until_ready(url, processes)
            sign_in(admin, invited)
            yield made
        finally:
            made.forget(*made._visiting)
            admin.close()
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()


@dataclass
class Visitor:
    """A page, and everything on it that should not be."""

    platform: Platform
    page: Page
    mode: str
    wrong: list[str] = field(default_factory=list)

    def turn(self, mode: str) -> None:
        """Show the page in light, dark or on a phone, where it stands."""
        self.page.set_viewport_size(PHONE if mode == "phone" else DESK)
        scheme: Literal["light", "dark"] = "dark" if mode == "dark" else "light"
        self.page.emulate_media(color_scheme=scheme)
        self.mode = mode

    def still(self) -> None:
        """Wait until the page has taken its colours and its shape."""
        self.settle()
        self.page.evaluate(STILL)

    def go(self, path: str) -> None:
        """Go to an address of the console and wait for its heading."""
        self.page.goto(self.platform.url + path)
        self.page.locator("h1").first.wait_for()

    def follow(self, path: str) -> None:
        """Go on to an address as by a link of the console: a third of the work of loading it."""
        self.page.evaluate("(path) => history.pushState(null, '', path)", path)
        self.page.wait_for_function(ARRIVED, arg=path)
        self.page.locator("h1").first.wait_for()

    def settle(self) -> None:
        """Wait until nothing is being loaded into the page."""
        expect(self.page.locator(".mantine-Skeleton-root")).to_have_count(0)

    def look(self, name: str) -> None:
        """Find what is wrong with the page's shape, and keep a screenshot if somebody wants it."""
        self.still()
        if SCREENSHOTS:
            folder = Path(SCREENSHOTS)
            folder.mkdir(exist_ok=True)
            self.page.screenshot(path=folder / f"{name}-{self.mode}.png")
        wider = self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        if wider:
            self.wrong.append(f"{name}: scrolls sideways")

    def examine(self, name: str) -> None:
        """Ask axe about WCAG 2.2 A and AA."""
        if not self.page.evaluate("'axe' in window"):
            # Not as a script element: the page's own security policy refuses those.
            self.page.evaluate(AXE.read_text() + ";undefined")
        found: list[dict[str, Any]] = self.page.evaluate(
            """async () => (await axe.run(document, {
                 runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
                 resultTypes: ['violations'],
               })).violations.map(v => ({id: v.id, nodes: v.nodes.slice(0, 3).map(
                 n => n.html.slice(0, 200) + ' | ' + n.failureSummary.slice(0, 300))}))"""
        )
        self.wrong += [f"{name}: {one['id']}: {node}" for one in found for node in one["nodes"]]
