"""The client's end against a broker nobody here wrote."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from wires import publishes

from moorage_mqtt import (
    V5,
    V311,
    Acknowledged,
    ClientConnection,
    ConnAck,
    Publish,
    SubAck,
    Subscription,
    Will,
)

both = pytest.mark.parametrize("version", [V311, V5])


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Run Mosquitto on a free port of the loopback."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "Mosquitto is not installed: scripts/system-packages test"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    broker = subprocess.Popen([program, "-p", str(free)], stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", free)).close()
            break
        except OSError:
            time.sleep(0.02)
    yield free
    broker.terminate()
    broker.wait()


class Line:
    """A client on a blocking socket."""

    def __init__(self, port: int, client: ClientConnection) -> None:
        self.client = client
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.events: list[Any] = []

    def until(self, kind: type[Any]) -> Any:
        """Send, receive and acknowledge until an event of the kind comes."""
        while True:
            for at, event in enumerate(self.events):
                if isinstance(event, kind):
                    del self.events[at]
                    return event
            self.socket.sendall(self.client.take())
            data = self.socket.recv(65536)
            assert data, "Mosquitto closed the connection."
            new = self.client.receive(data, 0.0)
            self.client.acknowledge_many(one.packet_id for one in publishes(new) if one.qos)
            self.events += new

    def close(self) -> None:
        self.client.disconnect()
        self.socket.sendall(self.client.take())
        self.socket.close()


@both
def test_messages_of_every_qos_go_round_through_mosquitto(port: int, version: int) -> None:
    line = Line(port, ClientConnection(f"round-{version}", now=0.0, version=version))
    assert line.until(ConnAck).reason_code == 0
    line.client.subscribe(Subscription(f"round/{version}/#", 2))
    assert line.until(SubAck).reason_codes == (2,)
    sent = [(n % 3, b"%d" % n * (1 + 997 * (n % 7))) for n in range(60)]
    for qos, payload in sent:
        properties: Any = {"user_property": [("n", "1")], "content_type": "text/plain"}
        line.client.publish(f"round/{version}/é", payload, qos=qos, now=0.0, properties=properties)

    got = [line.until(Publish) for _ in sent]

    for level in range(3):
        wanted = [payload for qos, payload in sent if qos == level]
        assert [one.payload for one in got if one.qos == level] == wanted
    assert {one.topic for one in got} == {f"round/{version}/é"}
    if version == V5:
        assert got[0].properties == {"user_property": [("n", "1")], "content_type": "text/plain"}
    line.close()


@both
def test_a_session_at_mosquitto_survives_a_broken_connection(port: int, version: int) -> None:
    more: Any = {"properties": {"session_expiry_interval": 60}} if version == V5 else {}

    def connect(session: Any = None) -> Line:
        client = ClientConnection(
            f"lasting-{version}",
            now=0.0,
            version=version,
            clean_start=False,
            session=session,
            **more,
        )
        return Line(port, client)

    first = connect()
    first.until(ConnAck)
    first.client.subscribe(Subscription(f"lasting/{version}", 2))
    first.until(SubAck)
    for n in range(3):
        first.client.publish(f"lasting/{version}", b"%d" % n, qos=2, now=0.0)
    first.socket.sendall(first.client.take())
    first.socket.close()

    second = connect(first.client.session)
    assert second.until(ConnAck).session_present
    got = [second.until(Publish).payload for _ in range(3)]
    assert got == [b"0", b"1", b"2"]
    second.close()


def test_mosquitto_publishes_our_will_and_answers_with_reason_codes(port: int) -> None:
    watcher = Line(port, ClientConnection("watcher", now=0.0))
    watcher.until(ConnAck)
    watcher.client.subscribe(Subscription("wills/+", 1))
    watcher.until(SubAck)
    will = Will("wills/a", b"gone", 1, properties={"content_type": "text/plain"})
    lost = Line(port, ClientConnection("lost", now=0.0, will=will))
    lost.until(ConnAck)
    lost.socket.close()

    message = watcher.until(Publish)
    assert (message.topic, message.payload) == ("wills/a", b"gone")
    assert message.properties == {"content_type": "text/plain"}
    watcher.client.publish("nobody/listens", b"", qos=1, now=0.0, reference="mine")
    answer = watcher.until(Acknowledged)
    assert (answer.reference, answer.reason_code) == ("mine", 0x10)
    watcher.close()
