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
from typing import Any

from httpx2 import Client, ConnectError, ReadError
from playwright.sync_api import Page, expect

from cluster import fresh_database
from ports import free_ports

ROOT = Path(__file__).parents[1]
SCREENSHOTS = ROOT / "console" / "screenshots"
AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
ADMIN = "anna@example.org"
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

    def go(self, path: str) -> None:
        """Go to an address of the console and wait for its heading."""
        self.page.goto(self.platform.url + path)
        self.page.locator("h1").first.wait_for()

    def settle(self) -> None:
        """Wait until nothing is being loaded into the page."""
        expect(self.page.locator(".mantine-Skeleton-root")).to_have_count(0)

    def look(self, name: str) -> None:
        """Keep a screenshot, and find what is wrong with the page's shape."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{self.mode}.png")
        wider = self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        if wider:
            self.wrong.append(f"{name}: scrolls sideways")

    def examine(self, name: str) -> None:
        """Ask axe about WCAG 2.2 A and AA."""
        # Not as a script element: the page's own security policy refuses those.
        self.page.evaluate(AXE.read_text() + ";undefined")
        found: list[dict[str, Any]] = self.page.evaluate(
            """async () => (await axe.run(document, {
                 runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
               })).violations.map(v => ({id: v.id, nodes: v.nodes.slice(0, 3).map(
                 n => n.html.slice(0, 200) + ' | ' + n.failureSummary.slice(0, 300))}))"""
        )
        self.wrong += [f"{name}: {one['id']}: {node}" for one in found for node in one["nodes"]]
