"""Whatever some clients do to the door over real sockets, the others are served."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import Lab, started, until
from moorage_mqtt import (
    V5,
    V311,
    Acknowledged,
    ClientConnection,
    ConnAck,
    Disconnect,
    Publish,
    ReasonCode,
    SubAck,
    Subscription,
    encode,
)

# More than what the clients of one test may have the door keep.
_BOUND_BYTES = 100_000_000
_RETAINED = 100_000


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with started(tmp_path_factory.mktemp("hostile")) as running:
        yield running


class Line:
    """A client on a blocking socket."""

    def __init__(self, lab: Lab, name: str, version: int = V5, *, receive_bytes: int = 0) -> None:
        self.core = ClientConnection(name, now=0.0, version=version)
        self.events: list[Any] = []
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(30)
        self.socket.connect((lab.host, lab.port))
        assert self.until(ConnAck).reason_code == 0

    def until(self, kind: type[Any]) -> Any:
        """Send, and receive until an event of a kind comes."""
        while True:
            self.send()
            for at, event in enumerate(self.events):
                if isinstance(event, kind):
                    del self.events[at]
                    return event
            data = self.socket.recv(262_144)
            assert data, "The door has closed the connection."
            self.events += self.core.receive(data, 0.0)

    def send(self) -> None:
        self.socket.sendall(self.core.take())

    def subscribe(self, *filters: str, qos: int = 1) -> tuple[int, ...]:
        self.core.subscribe(*(Subscription(one, qos) for one in filters))
        codes: tuple[int, ...] = self.until(SubAck).reason_codes
        return codes

    def publish(self, topic: str, payload: bytes = b"", *, retain: bool = False) -> int:
        """Publish with QoS 1; give the reason code of PUBACK."""
        self.core.publish(topic, payload, qos=1, retain=retain, now=0.0)
        code: int = self.until(Acknowledged).reason_code
        return code

    def close(self) -> None:
        self.socket.close()


@contextmanager
def serving(lab: Lab) -> Iterator[None]:
    """See, after what is done meanwhile, that a bystander is served and memory has a bound."""
    before = _resident(lab)
    with closing(Line(lab, "bystander")) as bystander:
        bystander.subscribe("own")
        yield
        bystander.publish("own", b"still here")
        assert bystander.until(Publish).payload == b"still here"
    assert _resident(lab) - before < _BOUND_BYTES


def _resident(lab: Lab) -> int:
    pages = int(Path(f"/proc/{lab.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\x10",
        b"\x10\xff\xff\x07\x00\x04MQTT",
        b"GET /mqtt HTTP/1.1\r\n",
        b"GET /mqtt HTTP/1.1\r\nX: " + b"x" * 4_000,
    ],
    ids=["nothing", "a byte", "a long CONNECT", "a request", "a long header"],
)
def test_hundreds_that_begin_and_do_not_go_on_keep_nobody_out(lab: Lab, beginning: bytes) -> None:
    with ExitStack() as slow, serving(lab):
        for _ in range(400):
            one = slow.enter_context(socket.create_connection((lab.host, lab.port)))
            one.sendall(beginning)


@pytest.mark.parametrize("version", [V311, V5])
def test_who_subscribes_and_never_reads_holds_up_nobody_else(lab: Lab, version: int) -> None:
    with ExitStack() as deaf, serving(lab):
        for n in range(20):
            one = Line(lab, f"deaf-{n}", version, receive_bytes=4_096)
            deaf.enter_context(closing(one)).subscribe("flood", qos=0)
        with closing(Line(lab, "loud")) as loud, closing(Line(lab, "reads")) as reads:
            reads.subscribe("end")
            for _ in range(400):
                loud.core.publish("flood", bytes(60_000), qos=0, now=0.0)
                loud.send()
            loud.publish("end")
            assert reads.until(Publish).topic == "end"


@pytest.mark.parametrize("version", [V311, V5])
def test_65_535_subscriptions_of_one_client_are_answered_and_forgotten(
    lab: Lab, version: int
) -> None:
    with serving(lab), closing(Line(lab, "greedy", version)) as greedy:
        for start in range(0, 65_535, 3_855):
            wanted = [f"many/{n}/+/#" for n in range(start, start + 3_855)]
            assert greedy.subscribe(*wanted) == (1,) * 3_855
        refusal = ReasonCode.QUOTA_EXCEEDED if version == V5 else 0x80
        assert greedy.subscribe("many/a", "many/b") == (1, refusal)
        with closing(Line(lab, "another")) as another:
            assert another.publish("many/65534/x/y", b"found") == 0
        assert greedy.until(Publish).payload == b"found"

    def forgotten() -> bool:
        with closing(Line(lab, "another")) as another:
            code = another.publish("many/65534/x/y")
        return code == ReasonCode.NO_MATCHING_SUBSCRIBERS

    until(forgotten)


@pytest.mark.parametrize(
    ("topic", "alias", "code"),
    [
        ("t", 0, ReasonCode.TOPIC_ALIAS_INVALID),
        ("t", 101, ReasonCode.TOPIC_ALIAS_INVALID),
        ("t", 65_535, ReasonCode.TOPIC_ALIAS_INVALID),
        ("", 100, ReasonCode.PROTOCOL_ERROR),
    ],
)
def test_an_alias_that_is_none_ends_its_own_connection_alone(
    lab: Lab, topic: str, alias: int, code: ReasonCode
) -> None:
    with serving(lab), closing(Line(lab, "alias")) as hostile:
        packet = bytearray(encode(Publish(topic, b"", properties={"topic_alias": 7}), V5))
        packet[-2:] = alias.to_bytes(2, "big")  # The codec would not write it.
        hostile.socket.sendall(bytes(packet))
        assert hostile.until(Disconnect).reason_code == code
        assert hostile.socket.recv(1) == b""


def test_every_alias_for_ever_new_long_topics_takes_no_more_than_the_last_of_each(
    lab: Lab,
) -> None:
    with serving(lab), closing(Line(lab, "alias")) as hostile:
        for n in range(5_000):
            topic = f"{n:05}" + "x" * 65_000
            alias = {"topic_alias": 1 + n % 100}
            hostile.socket.sendall(encode(Publish(topic, b"", properties=alias), V5))
        assert hostile.publish("own", b"still here") == 0


# The last one: what it leaves stays.
def test_a_flood_of_retained_messages_ends_at_the_bound_and_is_told(lab: Lab) -> None:
    with serving(lab), closing(Line(lab, "hoarder")) as hoarder:
        for start in range(0, _RETAINED + 500, 500):
            packets = [
                encode(Publish(f"kept/{n:06}", b"x", retain=True), V5)
                for n in range(start, start + 500)
            ]
            hoarder.socket.sendall(b"".join(packets))
        assert hoarder.publish("kept/more", b"x", retain=True) == ReasonCode.QUOTA_EXCEEDED
        assert hoarder.publish("kept/000000", b"again", retain=True) != ReasonCode.QUOTA_EXCEEDED
        assert hoarder.publish("kept/000001", b"", retain=True) != ReasonCode.QUOTA_EXCEEDED
        assert hoarder.publish("kept/more", b"x", retain=True) != ReasonCode.QUOTA_EXCEEDED
        with closing(Line(lab, "late")) as late:
            late.subscribe("kept/+")
            first = late.until(Publish)
            assert first.retain
