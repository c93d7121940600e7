"""What brokers tell of their clients, as they tell it."""

from __future__ import annotations

import pytest

from moorage.sources import BrokerKind
from moorage.sources.service.events import Event, filters, read_event

LOG = "$SYS/broker/log/N"


def mosquitto(line: str) -> Event | None:
    return read_event(BrokerKind.MOSQUITTO, LOG, line.encode())


def test_mosquitto_tells_of_coming_and_going_in_its_log() -> None:
    came = "1763851234: New client connected from 127.0.0.1:40001 as c1 (p5, c1, k60, u'pump 7')."
    assert mosquitto(came) == Event(True, "c1", "pump 7", "127.0.0.1", "5")
    nameless = "1763851234: New client connected from ::1:40001 as c1 (p2, c0, k60)."
    assert mosquitto(nameless) == Event(True, "c1", "", "::1", "3.1.1")
    for how, cause in (
        (" disconnected.", "client"),
        (" closed its connection.", "lost"),
        (" has exceeded timeout, disconnecting.", "keep-alive"),
        (" already connected, closing old connection.", "taken-over"),
        (" disconnected due to protocol error.", "protocol"),
    ):
        assert mosquitto(f"1763851234: Client c1{how}") == Event(False, "c1", None, cause=cause)


def test_a_client_id_does_not_pass_for_another_user() -> None:
    posing = "x (p2, c1, k60, u'victim')."
    line = f"1763851234: New client connected from 1.2.3.4:5 as {posing} (p2, c1, k60, u'own')."
    event = mosquitto(line)
    assert event is not None and (event.client_id, event.name) == (posing, "own")


@pytest.mark.parametrize(
    "line",
    ["", "1763851234: mosquitto version 2.0.11 running", "New client", "1: Client", "\ud800"],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert read_event(BrokerKind.MOSQUITTO, LOG, line.encode("utf-8", "replace")) is None


def test_emqx_tells_of_coming_and_going_in_topics_of_its_own() -> None:
    topic = "$SYS/brokers/emqx@127.0.0.1/clients/c1/"
    came = b'{"username":"u","clientid":"c1","ipaddress":"1.2.3.4","proto_ver":5,"ts":1}'
    event = read_event(BrokerKind.EMQX, f"{topic}connected", came)
    assert event == Event(True, "c1", "u", "1.2.3.4", "5")
    went = b'{"username":"u","clientid":"c1","reason":"keepalive_timeout"}'
    event = read_event(BrokerKind.EMQX, f"{topic}disconnected", went)
    assert event == Event(False, "c1", "u", cause="keep-alive")
    assert read_event(BrokerKind.EMQX, f"{topic}subscribed", came) is None
    assert read_event(BrokerKind.EMQX, f"{topic}connected", b"{") is None


def test_only_what_tells_of_clients_is_subscribed_to() -> None:
    assert filters(BrokerKind.RABBITMQ) == {}
    assert filters(BrokerKind.GO_AUTH) == {LOG: 1}
