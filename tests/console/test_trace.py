"""A device's packets live, what is known of its connection, and who is connected at all."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from browsing import Platform, Visitor

pytestmark = pytest.mark.timeout(600)
WORDS = {
    "light": ("Start a trace", "Watching", "Packets"),
    "danish": ("Begynd en sporing", "Følger med", "Pakker"),
}


@pytest.fixture(scope="module")
def device(platform: Platform) -> dict[str, str]:
    """Give a device's id and its key."""
    with contextlib.closing(platform.client()) as admin:

        def make(path: str, **body: object) -> dict[str, str]:
            answer = admin.post(f"/api/v1{path}", json=body)
            assert answer.status_code == 201, answer.text
            made: dict[str, str] = answer.json()
            return made

        organization = make("/organizations", name="Harbour")["id"]
        application = make("/applications", organizationId=organization, name="Quay")["id"]
        made = make("/devices", applicationId=application, name="Tide 1", kind="mqtt")
        shown = make(f"/devices/{made['id']}/credentials", kind="password")
        return {"id": made["id"], "secret": shown["secret"]}


def publish(platform: Platform, device: dict[str, str], *words: str, password: str = "") -> None:
    port = platform.environment["MOORAGE_MQTT_PORT"]
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-V", "5", "-i", "tide"]
    who = ["-u", device["id"], "-P", password or device["secret"]]
    subprocess.run([*command, *who, *words], timeout=60, check=not password, capture_output=True)


def until_seen(page: Page, publish: Callable[[], None], words: str) -> None:
    """Publish until it is seen: a trace begins a moment after it was asked for."""
    found = page.get_by_role("log").get_by_text(words)
    for _ in range(60):
        publish()
        page.wait_for_timeout(500)
        if found.count():
            return
    raise AssertionError(f"{words} is not seen")


@pytest.mark.parametrize("mode", ["light", "dark", "phone", "danish"])
def test_packets_are_seen_as_they_come(
    mode: str, platform: Platform, device: dict[str, str], visit: Callable[..., Visitor]
) -> None:
    visitor = visit(mode)
    page = visitor.page
    start, watching, packets = WORDS.get(mode, WORDS["light"])
    visitor.go(f"/devices/{device['id']}?tab=trace")
    visitor.settle()
    visitor.look("trace-before")
    page.get_by_role("button", name=start).click()
    expect(page.get_by_text(watching, exact=True)).to_be_visible()

    will = ("--will-topic", "v1/up/last", "--will-payload", "gone", "--will-qos", "1")
    told = ("-t", "v1/up/level", "-m", '{"level": 4.2}', "-q", "1", *will)
    named = ("-D", "publish", "user-property", "site", "quay 4")
    until_seen(page, lambda: publish(platform, device, *told, *named), "DISCONNECT")
    # The trace may have begun in the middle of that one.
    publish(platform, device, *told, *named)
    log = page.get_by_role("log", name=packets)
    for kind in ("CONNECT", "CONNACK", "PUBLISH", "PUBACK"):
        expect(log.get_by_text(kind, exact=True).first).to_be_visible()
    publish(platform, device, *told, password="wrong")
    expect(log.get_by_text("bad user name or password").first).to_be_visible()
    log.get_by_role("button").filter(has_text="PUBLISH").first.click()
    expect(log.get_by_text("site = quay 4")).to_be_visible()
    assert device["secret"] not in log.inner_text()
    visitor.look("trace")
    visitor.examine("trace")
    assert visitor.wrong == []


def test_a_connection_says_on_which_terms_it_is_and_how_it_goes(
    platform: Platform, device: dict[str, str], visit: Callable[..., Visitor]
) -> None:
    port = platform.environment["MOORAGE_MQTT_PORT"]
    who = ["-i", "tide", "-u", device["id"], "-P", device["secret"], "-k", "50", "-V", "5"]
    will = ["--will-topic", "v1/up/last", "--will-payload", "gone", "--will-retain"]
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", port, *who, *will, "-t", "v1/op/#"]
    connected = subprocess.Popen(command)
    try:
        visitor = visit()
        visitor.go(f"/devices/{device['id']}")
        panel = visitor.page.get_by_role("region", name="Connection")
        expect(panel.get_by_text("50 seconds")).to_be_visible()
        expect(panel.get_by_text("v1/up/last, QoS 0, retained, 4 bytes")).to_be_visible()
        expect(panel.get_by_text(" ms")).to_be_visible()
        visitor.look("connection")
        visitor.examine("connection")
        assert visitor.wrong == []
    finally:
        connected.terminate()
        connected.wait()


@pytest.mark.parametrize("mode", ["light", "phone", "danish"])
def test_who_is_connected_is_seen_and_a_connection_ended(
    mode: str, platform: Platform, device: dict[str, str], visit: Callable[..., Visitor]
) -> None:
    end, ended, programs, none = (
        ("Afslut denne forbindelse", "Ingen enhed er forbundet", "Programmer", "Intet program")
        if mode == "danish"
        else ("End this connection", "No device is connected", "Programs", "No program")
    )
    more = "Flere handlinger" if mode == "danish" else "More actions"
    visitor = visit(mode)
    page = visitor.page
    port = platform.environment["MOORAGE_MQTT_PORT"]
    who = ["-u", device["id"], "-P", device["secret"], "-i", "listens", "-V", "5"]
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", port, *who, "-t", "v1/op/+", "-q", "1"]
    with subprocess.Popen([*command, "-W", "120"], stdout=subprocess.DEVNULL) as listens:
        try:
            visitor.go("/connections")
            expect(page.get_by_role("link", name="Tide 1")).to_be_visible()
            visitor.settle()
            visitor.look("connections")
            visitor.examine("connections")
            page.get_by_role("button", name=more).first.click()
            page.get_by_role("menuitem", name=end).click()
            visitor.look("connection-end")
            listens.send_signal(signal.SIGSTOP)  # Else it is back before anybody has looked.
            page.get_by_role("dialog").get_by_role("button", name=end).click()
            expect(page.get_by_text(ended)).to_be_visible()
            visitor.look("connections-none")
            page.get_by_role("tab", name=programs).click()
            expect(page.get_by_text(none)).to_be_visible()
            visitor.look("programs-none")
        finally:
            listens.kill()
    assert visitor.wrong == []
