"""Measure the MQTT core: microseconds a message without any socket."""

from __future__ import annotations

import platform
import socket
import statistics
import time
from collections.abc import Callable

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from moorage_mqtt import (
    V5,
    V311,
    Bounds,
    Broker,
    ClientConnection,
    Connect,
    Limits,
    Member,
    Publish,
    ServerConnection,
    Session,
    Subscribe,
    Subscription,
    encode,
)

_MESSAGES = 50_000
_ROUNDS = 5
_PAYLOAD = b'{"temperature":21.5,"humidity":40,"battery":3.61}'


def _pair(version: int) -> tuple[ClientConnection, ServerConnection]:
    client = ClientConnection("bench", now=0.0, version=version)
    server = ServerConnection(Limits(), 0.0)
    server.receive(client.take(), 0.0)
    server.accept(Session(), now=0.0, session_present=False)
    client.receive(server.take(), 0.0)
    return client, server


def _one_in_flight(version: int, qos: int) -> Callable[[], None]:
    """Receive, acknowledge and fetch the answer, message by message."""
    client, server = _pair(version)
    client.publish("v1/up", _PAYLOAD, qos=qos, now=0.0)
    frame = client.take()

    def run() -> None:
        for _ in range(_MESSAGES):
            for event in server.receive(frame, 1.0):
                if isinstance(event, Publish) and event.qos:
                    server.acknowledge(event.packet_id)
            server.take()

    return run


def _batches(version: int) -> Callable[[], None]:
    """Receive and acknowledge 50 messages of QoS 1 a chunk."""
    client, server = _pair(version)
    for _ in range(50):
        client.publish("v1/up", _PAYLOAD, qos=1, now=0.0)
    chunk = client.take()

    def run() -> None:
        for _ in range(_MESSAGES // 50):
            events = server.receive(chunk, 1.0)
            server.acknowledge_many([e.packet_id for e in events if isinstance(e, Publish)])
            server.take()

    return run


def _client(version: int) -> Callable[[], None]:
    """Publish with QoS 1 from the client's end and take the PUBACK, one in flight."""
    client, _ = _pair(version)

    def run() -> None:
        for _ in range(_MESSAGES):
            client.publish("v1/up", _PAYLOAD, qos=1, now=0.0)
            client.take()
            client.receive(b"\x40\x02" + client.session.last_packet_id.to_bytes(2, "big"), 0.0)

    return run


def _fan_out(qos: int) -> Callable[[], None]:
    """Route a message to 1,000 connections that subscribe, and fetch what is to be sent."""
    limits = Limits(send_maximum=0xFFFF)
    broker = Broker(limits, Bounds(sessions=2_000), Member, _nothing, _nothing, 0.0)
    for n in range(1_000):
        server = ServerConnection(limits, 0.0)
        server.receive(encode(Connect(str(n), V311), V311), 0.0)
        member, _ = broker.attach(None, str(n), server, clean_start=True, now=0.0)
        server.accept(member.session, now=0.0, session_present=False)
        broker.answer_subscribe(member, Subscribe(1, (Subscription("t", qos),)), _granted, 0.0)
        server.take()
    message = Publish("t", _PAYLOAD, qos, packet_id=min(qos, 1))

    def run() -> None:
        for _ in range(_MESSAGES // 1_000):
            broker.publish(None, message, 1.0)
            for member in broker.touched:
                if member.connection is not None:
                    member.connection.take()
                    member.session.inflight.clear()
            broker.touched.clear()

    return run


def _nothing(*_given: object) -> None:
    """Do nothing."""


def _granted(wanted: Subscription) -> int:
    return wanted.qos


class _PahoOnBytes(paho.Client):
    """Paho's own packet reader, fed from memory instead of a socket."""

    def feed(self, data: bytes) -> None:
        self._bytes, self._at = data, 0

    def _sock_recv(self, size: int) -> bytes:
        at = self._at
        self._at = at + size
        return self._bytes[at : at + size]

    def _send_puback(self, _mid: int) -> MQTTErrorCode:
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _paho() -> Callable[[], None]:
    """Receive QoS 1 with paho, its socket and its PUBACK left out."""
    client, _ = _pair(V311)
    client.publish("v1/up", _PAYLOAD, qos=1, now=0.0)
    frame = client.take()
    rival = _PahoOnBytes(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    rival.on_message = lambda *_: None
    rival._sock = socket.socket()  # Only its presence is looked at.

    def run() -> None:
        for _ in range(_MESSAGES // 5):
            rival.feed(frame)
            rival._packet_read()

    return run


def main() -> None:
    """Print machine, method, medians and the rival of the same run."""
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread, no socket")
    print(f"median of {_ROUNDS} rounds of {_MESSAGES} messages of {len(_PAYLOAD)} bytes")
    rows: list[tuple[str, Callable[[], None], int]] = [
        ("3.1.1 QoS 0 in", _one_in_flight(V311, 0), _MESSAGES),
        ("3.1.1 QoS 1 in, PUBACK out", _one_in_flight(V311, 1), _MESSAGES),
        ("5 QoS 1 in, PUBACK out", _one_in_flight(V5, 1), _MESSAGES),
        ("3.1.1 QoS 1 in, 50 a chunk", _batches(V311), _MESSAGES),
        ("3.1.1 QoS 1 client: out, PUBACK in", _client(V311), _MESSAGES),
        ("5 QoS 1 client: out, PUBACK in", _client(V5), _MESSAGES),
        ("3.1.1 QoS 0 routed, to 1,000", _fan_out(0), _MESSAGES),
        ("3.1.1 QoS 1 routed, to 1,000", _fan_out(1), _MESSAGES),
        ("paho 3.1.1 QoS 1 in, no answer", _paho(), _MESSAGES // 5),
    ]
    for name, run, messages in rows:
        times = []
        for _ in range(_ROUNDS):
            begun = time.perf_counter()
            run()
            times.append((time.perf_counter() - begun) / messages * 1e6)
        print(f"  {name:36} {statistics.median(times):6.2f} µs a message")


if __name__ == "__main__":
    main()
