"""Lab mode as a process, with clients nobody here wrote.

The behaviours are those that Eclipse Paho's interoperability suites look at, for both versions.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gmqtt
import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from lab import Lab, started, until
from moorage.builtin.transports.mqtt import KIND
from moorage.plugin import Listening, MoorageError
from moorage_mqtt import (
    V5,
    V311,
    Auth,
    ClientConnection,
    ConnAck,
    Connect,
    Disconnect,
    Publish,
    PubRel,
    ReasonCode,
    Subscription,
    Will,
    decode,
    encode,
)
from parts import free_ports

both = pytest.mark.parametrize("version", [V311, V5])
PEERS = Path(__file__).parent / "peers"
SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run lab mode as its own process."""
    with started(tmp_path_factory.mktemp("lab"), files=128) as running:
        yield running


@pytest.fixture(autouse=True)
def _closed_lines() -> Iterator[None]:
    yield
    while lines:
        lines.pop().socket.close()


class Client:
    """A paho client whose callbacks fill lists."""

    def __init__(self, lab: Lab, client_id: str, version: int, **more: Any) -> None:
        self.lab = lab
        self.version = version
        self.messages: list[paho.MQTTMessage] = []
        self.answers: list[Any] = []
        self.connacks: list[Any] = []
        self.goodbyes: list[Any] = []
        self.acknowledged: list[Any] = []
        protocol = MQTTProtocolVersion(version)
        if version == V311:
            more["clean_session"] = more.pop("clean_start", True)
        self.clean_start = more.pop("clean_start", True)
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=protocol, reconnect_on_failure=False,
            **more,
        )  # fmt: skip
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.on_connect = lambda _c, _d, flags, code, properties: self.connacks.append(
            (flags, code, properties)
        )
        self.client.on_disconnect = lambda _c, _d, _f, code, properties: self.goodbyes.append(code)
        self.client.on_subscribe = lambda _c, _d, _mid, codes, properties: self.answers.append(
            [one.value for one in codes]
        )
        self.client.on_publish = lambda _c, _d, mid, code, properties: self.acknowledged.append(
            code.value
        )

    def connect(self, *, keep_alive_s: int = 30, port: int = 0, **properties: Any) -> Any:
        """Connect; gives the flags, reason code and properties of CONNACK."""
        more: dict[str, Any] = {}
        if self.version == V5:
            more["clean_start"] = self.clean_start
            more["properties"] = some(PacketTypes.CONNECT, **properties)
        self.client.connect("127.0.0.1", port or self.lab.port, keep_alive_s, **more)
        self.client.loop_start()
        count = len(self.connacks)
        until(lambda: len(self.connacks) > count or self.connacks)
        return self.connacks[-1]

    def subscribe(self, topic_filter: str, qos: int = 2, **options: Any) -> list[int]:
        """Subscribe and give the reason codes."""
        count = len(self.answers)
        if self.version == V5:
            identifier = options.pop("identifier", None)
            more = {} if identifier is None else {"SubscriptionIdentifier": identifier}
            self.client.subscribe(
                topic_filter,
                options=SubscribeOptions(qos, **options),
                properties=some(PacketTypes.SUBSCRIBE, **more),
            )
        else:
            self.client.subscribe(topic_filter, qos)
        until(lambda: len(self.answers) > count)
        codes: list[int] = self.answers[-1]
        return codes

    def publish(self, topic: str, payload: bytes, qos: int = 0, **more: Any) -> None:
        """Publish and wait for the acknowledgement."""
        retain = more.pop("retain", False)
        properties = some(PacketTypes.PUBLISH, **more) if self.version == V5 else None
        sent = self.client.publish(topic, payload, qos, retain, properties)
        sent.wait_for_publish(10)

    def got(self, count: int) -> list[paho.MQTTMessage]:
        """Wait for so many messages and take them."""
        until(lambda: len(self.messages) >= count)
        found, self.messages = self.messages, []
        return found

    def leave(self) -> None:
        self.client.disconnect()
        until(lambda: self.goodbyes)
        self.client.loop_stop()

    def lose(self) -> None:
        """Break the connection."""
        self.client.loop_stop()
        self.client.socket().close()


def some(packet: int, **values: Any) -> Properties:
    properties = Properties(packet)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


@dataclass
class Raw:
    """The core's client on a blocking socket, so that a test sees every packet."""

    lab: Lab
    client: ClientConnection
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.lab.port), timeout=10)
        lines.append(self)

    def send(self) -> None:
        self.socket.sendall(self.client.take())

    def until(self, kind: type[Any]) -> Any:
        """Send and receive until an event of the kind comes; None if the server closes before."""
        while True:
            for at, event in enumerate(self.events):
                if isinstance(event, kind):
                    del self.events[at]
                    return event
            self.send()
            data = self.socket.recv(65_536)
            if not data:
                return None
            self.events += self.client.receive(data, 0.0)


lines: list[Raw] = []


def raw(lab: Lab, client_id: str, version: int = V5, **more: Any) -> Raw:
    line = Raw(lab, ClientConnection(client_id, now=0.0, version=version, **more))
    assert line.until(ConnAck).reason_code == 0
    return line


# --- Both versions --------------------------------------------------------------------------------


@both
def test_paho_gets_its_own_messages_of_each_qos(lab: Lab, version: int) -> None:
    client = Client(lab, f"basic-{version}", version)
    client.connect()
    assert client.subscribe(f"basic/{version}/+") == [2]
    for qos in range(3):
        client.publish(f"basic/{version}/a", b"%d" % qos, qos)
    assert [(one.payload, one.qos) for one in client.got(3)] == [(b"0", 0), (b"1", 1), (b"2", 2)]
    client.leave()


@both
def test_any_credentials_are_accepted(lab: Lab, version: int) -> None:
    client = Client(lab, f"anybody-{version}", version)
    client.client.username_pw_set("whoever", "whatever")
    assert client.connect()[1].value == 0
    client.leave()


@both
def test_a_second_connect_ends_the_connection(lab: Lab, version: int) -> None:
    line = raw(lab, f"twice-{version}", version)
    line.socket.sendall(encode(Connect(f"twice-{version}", version), version))
    goodbye = line.until(Disconnect)
    if version == V5:
        assert goodbye.reason_code == ReasonCode.PROTOCOL_ERROR
    else:
        assert goodbye is None


@both
def test_a_client_without_an_id_is_given_one(lab: Lab, version: int) -> None:
    client = Client(lab, "", version)
    _, code, properties = client.connect()
    assert code.value == 0
    if version == V5:
        assert properties.AssignedClientIdentifier
    client.leave()


@both
def test_the_topic_that_suites_try_is_refused(lab: Lab, version: int) -> None:
    client = Client(lab, f"refused-{version}", version)
    client.connect()
    assert client.subscribe("test/nosubscribe") == [0x80]
    assert client.subscribe("test/subscribe") == [2]
    client.leave()


@both
def test_the_longest_names_there_can_be_are_taken(lab: Lab, version: int) -> None:
    """HiveMQ's `mqtt test` tries how long topics, client ids and payloads may be."""
    client = Client(lab, f"{version}" + "c" * 65_534, version)
    _flags, code, _properties = client.connect()
    assert code.value == 0
    topic = f"long/{version}/" + "\u6c34" * 21_842 + "t" * 2
    assert len(topic.encode()) == 65_535
    assert client.subscribe(topic, 1) == [1]
    client.publish(topic, bytes(100_000), 1)
    [longest] = client.got(1)
    assert (longest.topic, longest.payload) == (topic, bytes(100_000))
    client.leave()


@both
def test_retained_messages_come_to_those_who_subscribe_later(lab: Lab, version: int) -> None:
    topics = [f"kept/{version}/{n}" for n in range(3)]
    client = Client(lab, f"kept-{version}", version)
    client.connect()
    for qos, topic in enumerate(topics):
        client.publish(topic, b"qos %d" % qos, qos, retain=True)
    client.subscribe(f"kept/{version}/+")
    got = client.got(3)
    assert {(one.topic, one.qos, one.retain) for one in got} == {
        (topic, qos, True) for qos, topic in enumerate(topics)
    }
    client.leave()
    for topic in topics:
        clear = Client(lab, f"clear-{version}", version)
        clear.connect()
        clear.publish(topic, b"", 1, retain=True)
        clear.leave()
    later = Client(lab, f"later-{version}", version)
    later.connect()
    later.subscribe(f"kept/{version}/+")
    later.publish(f"kept/{version}/9", b"last", 1)
    assert [one.payload for one in later.got(1)] == [b"last"]
    later.leave()


@both
def test_a_lost_clients_will_is_published(lab: Lab, version: int) -> None:
    hears, lost = Client(lab, f"hears-{version}", version), Client(lab, f"lost-{version}", version)
    hears.connect()
    hears.subscribe(f"wills/{version}")
    lost.client.will_set(f"wills/{version}", b"gone", 1)
    lost.connect()
    lost.lose()
    assert [one.payload for one in hears.got(1)] == [b"gone"]
    hears.leave()


@both
def test_silence_beyond_the_keep_alive_ends_the_connection(lab: Lab, version: int) -> None:
    line = raw(lab, f"silent-{version}", version, keep_alive_s=1)
    goodbye = line.until(Disconnect)
    if version == V5:
        assert goodbye.reason_code == ReasonCode.KEEP_ALIVE_TIMEOUT
    else:
        assert goodbye is None


@both
def test_messages_wait_for_a_client_that_is_away(lab: Lab, version: int) -> None:
    expiry = {"SessionExpiryInterval": 100} if version == V5 else {}
    away = Client(lab, f"away-{version}", version, clean_start=False)
    away.connect(**expiry)
    away.subscribe(f"away/{version}/#")
    away.leave()
    speaks = Client(lab, f"speaks-{version}", version)
    speaks.connect()
    for qos in (1, 2):
        speaks.publish(f"away/{version}/{qos}", b"%d" % qos, qos)
    speaks.leave()

    back = Client(lab, f"away-{version}", version, clean_start=False)
    assert back.connect(**expiry)[0].session_present
    assert [one.payload for one in back.got(2)] == [b"1", b"2"]
    back.leave()


@both
def test_what_was_not_acknowledged_is_sent_again(lab: Lab, version: int) -> None:
    properties: Any = {"session_expiry_interval": 100} if version == V5 else {}
    more: Any = {"clean_start": False, "properties": properties}
    line = raw(lab, f"again-{version}", version, **more)
    line.client.subscribe(Subscription(f"again/{version}", 2))
    for qos in (1, 2):
        line.client.publish(f"again/{version}", b"%d" % qos, qos=qos, now=0.0)
    assert not line.until(Publish).dup
    assert not line.until(Publish).dup
    line.socket.close()

    back = raw(lab, f"again-{version}", version, **more)
    got = [back.until(Publish) for _ in range(2)]
    assert [(one.payload, one.dup) for one in got] == [(b"1", True), (b"2", True)]
    back.socket.close()


@both
def test_what_a_client_sends_again_is_taken(lab: Lab, version: int) -> None:
    line = raw(lab, f"dup-{version}", version)
    line.client.subscribe(Subscription(f"dup/{version}", 2))
    line.send()
    for qos in (1, 2):
        again = Publish(f"dup/{version}", b"%d" % qos, qos, dup=True, packet_id=qos)
        line.socket.sendall(encode(again, version))
        got = line.until(Publish)
        assert (got.payload, got.dup) == (b"%d" % qos, False)
    line.socket.sendall(encode(PubRel(2), version))
    later = Publish(f"dup/{version}", b"later", 1, packet_id=3)
    line.socket.sendall(encode(later, version))
    assert line.until(Publish).payload == b"later"


@both
def test_a_message_of_qos_2_is_passed_on_when_it_is_released(lab: Lab, version: int) -> None:
    hears = Client(lab, f"released-hears-{version}", version)
    hears.connect()
    hears.subscribe(f"released/{version}")
    line = raw(lab, f"released-{version}", version, clean_start=version == V5)
    line.socket.sendall(encode(Publish(f"released/{version}", b"2", 2, packet_id=7), version))
    assert line.socket.recv(4)[0] == 0x50
    line.socket.sendall(encode(Publish(f"released/{version}", b"1", 1, packet_id=8), version))
    assert [one.payload for one in hears.got(1)] == [b"1"]
    if version == V311:  # It waits in the session.
        line.socket.close()
        line = raw(lab, f"released-{version}", version, clean_start=False)
    line.socket.sendall(encode(PubRel(7), version))
    assert [one.payload for one in hears.got(1)] == [b"2"]
    hears.leave()


def overlapping(lab: Lab, count: int) -> list[tuple[int, list[int]]]:
    """Publish to two filters of one client; give QoS and identifiers of what it gets, sorted."""
    client = Client(lab, "overlap", V5)
    client.connect()
    client.subscribe("overlap/#", 2, identifier=10)
    client.subscribe("overlap/+", 1, identifier=20)
    client.subscribe("end", 2)
    client.publish("overlap/a", b"x", 2)
    client.publish("end", b"", 2)  # As what came before: paho gives it when it is released.
    *got, end = client.got(count + 1)
    assert end.topic == "end"
    client.leave()
    return sorted((one.qos, sorted(one.properties.SubscriptionIdentifier)) for one in got)


def test_filters_that_overlap_give_one_copy_with_the_identifiers_of_all(lab: Lab) -> None:
    assert overlapping(lab, 1) == [(2, [10, 20])]


def test_filters_that_overlap_may_be_told_to_give_a_copy_each(tmp_path: Path) -> None:
    with started(tmp_path, MOORAGE_MQTT_LAB_COPIES="each") as lab:
        assert overlapping(lab, 2) == [(1, [20]), (2, [10])]


@both
def test_topics_with_a_dollar_are_not_matched_by_wildcards(lab: Lab, version: int) -> None:
    client = Client(lab, f"dollar-{version}", version)
    client.connect()
    client.subscribe("+/dollar")
    client.subscribe("$secret/dollar")
    client.publish("$secret/dollar", b"x", 1)
    client.publish("plain/dollar", b"y", 1)
    assert [one.payload for one in client.got(2)] == [b"x", b"y"]
    client.leave()


def test_another_protocol_name_is_no_mqtt(lab: Lab) -> None:
    with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as stranger:
        stranger.sendall(b"\x10\x0e\0\2hj\4\2\0\x3c\0\4abcd")
        assert stranger.recv(100) == b""


# --- MQTT 5 ---------------------------------------------------------------------------------------


def test_connack_says_what_there_is(lab: Lab) -> None:
    client = Client(lab, "told", V5)
    _, _, properties = client.connect(keep_alive_s=120, RequestResponseInformation=1)
    assert properties.ServerKeepAlive == 60
    assert properties.ResponseInformation == "response/told"
    assert properties.ReceiveMaximum == 1_000
    assert properties.TopicAliasMaximum == 100
    assert properties.MaximumPacketSize == 1_048_576
    client.leave()
    silent = Client(lab, "untold", V5)
    assert not hasattr(silent.connect()[2], "ResponseInformation")
    silent.leave()


def test_sessions_last_as_long_as_was_asked(lab: Lab) -> None:
    def present(expiry_s: int) -> bool:
        client = Client(lab, "expiring", V5, clean_start=False)
        flags, _, _ = client.connect(SessionExpiryInterval=expiry_s)
        client.leave()
        found: bool = flags.session_present
        return found

    assert not present(0)
    assert not present(2)
    assert present(2)
    time.sleep(2.1)
    assert not present(0)


def test_a_delayed_will_comes_with_the_end_of_its_session_or_after_its_delay(lab: Lab) -> None:
    hears = Client(lab, "hears-delayed", V5)
    hears.connect()
    hears.subscribe("delayed/+")
    for client_id, delay_s, expiry_s in (("session", 60, 1), ("delay", 1, 60), ("none", 60, 0)):
        will = Will(f"delayed/{client_id}", b"gone", 1, properties={"will_delay_interval": delay_s})
        properties: Any = {"session_expiry_interval": expiry_s}
        raw(lab, f"delayed-{client_id}", will=will, properties=properties).socket.close()
    got = hears.got(3)
    assert got[0].topic == "delayed/none"
    assert {one.topic for one in got[1:]} == {"delayed/session", "delayed/delay"}
    hears.leave()


def test_options_of_subscriptions_are_kept(lab: Lab) -> None:
    client, other = Client(lab, "options", V5), Client(lab, "options-other", V5)
    client.connect()
    other.connect()
    client.subscribe("options/local", noLocal=True)
    client.subscribe("options/kept", retainAsPublished=True, identifier=456789)
    client.publish("options/local", b"mine", 1)
    other.publish("options/local", b"theirs", 1)
    other.publish("options/kept", b"kept", 1, retain=True)
    first, second = client.got(2)
    assert first.payload == b"theirs"
    assert (second.payload, second.retain) == (b"kept", True)
    assert second.properties.SubscriptionIdentifier == [456789]
    client.subscribe("options/kept", retainHandling=1)
    client.subscribe("options/kept", retainHandling=2)
    client.subscribe("options/kept", retainHandling=0)
    other.publish("options/kept", b"", 1, retain=True)
    assert [one.payload for one in client.got(2)] == [b"kept", b""]
    client.leave()
    other.leave()


def test_a_request_finds_its_answer(lab: Lab) -> None:
    asks, answers = Client(lab, "asks", V5), Client(lab, "answers", V5)
    asks.connect()
    answers.connect()
    asks.subscribe("answers/asks")
    answers.subscribe("questions")
    asks.publish(
        "questions", b"?", 1, ResponseTopic="answers/asks", CorrelationData=b"334",
        UserProperty=[("a", "1"), ("a", "2")], ContentType="text/plain", PayloadFormatIndicator=1,
    )  # fmt: skip
    [question] = answers.got(1)
    properties = question.properties
    assert properties.UserProperty == [("a", "1"), ("a", "2")]
    assert (properties.ContentType, properties.PayloadFormatIndicator) == ("text/plain", 1)
    answers.publish(properties.ResponseTopic, b"!", 1, CorrelationData=properties.CorrelationData)
    assert asks.got(1)[0].properties.CorrelationData == b"334"
    asks.leave()
    answers.leave()


def test_a_packet_too_long_is_told_so_before_the_end(lab: Lab) -> None:
    """The rest of it is still on its way when the server says goodbye."""
    line = raw(lab, "too-long")
    with suppress(ConnectionError):
        line.socket.sendall(encode(Publish("t", b"x" * 3_000_000), V5))
    assert line.until(Disconnect).reason_code == ReasonCode.PACKET_TOO_LARGE


def test_more_than_the_receive_maximum_is_told_so_before_the_end(lab: Lab) -> None:
    line = raw(lab, "too-many")
    line.client.limits = line.client.limits.__class__(send_maximum=2_000)
    line.client._window_out = 2_000
    for _ in range(1_001):
        line.client.publish("t", b"x", qos=2, now=0.0)
    assert line.until(Disconnect).reason_code == ReasonCode.RECEIVE_MAXIMUM_EXCEEDED


def test_a_client_gets_no_more_than_its_receive_maximum_and_packet_size(lab: Lab) -> None:
    line = raw(
        lab, "bounded", properties={"receive_maximum": 2, "maximum_packet_size": 64}
    )  # fmt: skip
    line.client.subscribe(Subscription("bounded", 2))
    for payload in (b"1", b"x" * 64, b"2", b"3"):
        line.client.publish("bounded", payload, qos=1, now=0.0)
    first, second = line.until(Publish), line.until(Publish)
    assert (first.payload, second.payload) == (b"1", b"2")
    line.client.acknowledge(second.packet_id)
    line.client.acknowledge(first.packet_id)
    third = line.until(Publish)
    assert third.payload == b"3"
    line.socket.close()


def test_the_first_message_of_a_topic_sets_its_alias(lab: Lab) -> None:
    line = raw(lab, "aliased", properties={"topic_alias_maximum": 1})
    line.client.limits = line.client.limits.__class__(topic_alias_maximum=1)
    line.client.subscribe(Subscription("aliased/+", 0))
    for name in "aab":
        line.client.publish(f"aliased/{name}", b"x", now=0.0)
    assert [line.until(Publish).topic for _ in range(3)] == ["aliased/a"] * 2 + ["aliased/b"]
    line.socket.close()


def test_a_method_of_authentication_nobody_knows_is_refused(lab: Lab) -> None:
    properties: Any = {"authentication_method": "SECRET", "authentication_data": b"x"}
    line = Raw(lab, ClientConnection("methodical", now=0.0, properties=properties))
    assert line.until(ConnAck).reason_code == ReasonCode.BAD_AUTHENTICATION_METHOD
    stranger = raw(lab, "unmethodical")
    stranger.socket.sendall(encode(Auth(0x19, {"authentication_method": "SECRET"}), V5))
    assert stranger.until(Disconnect).reason_code == ReasonCode.PROTOCOL_ERROR


# --- Other peers ----------------------------------------------------------------------------------


@both
def test_paho_speaks_over_websocket(lab: Lab, version: int) -> None:
    for port in (lab.websocket_port, lab.port):
        client = Client(lab, f"web-{version}", version, transport="websockets")
        client.client.ws_set_options("/mqtt")
        client.connect(port=port)
        client.subscribe(f"web/{version}")
        for size in (1, 200, 70_000):
            client.publish(f"web/{version}", b"x" * size, 2)
        assert [len(one.payload) for one in client.got(3)] == [1, 200, 70_000]
        client.leave()


@both
@pytest.mark.parametrize("scheme", ["mqtt", "ws"])
def test_mqtt_js_speaks_over_tcp_and_websocket(lab: Lab, version: int, scheme: str) -> None:
    url = f"mqtt://127.0.0.1:{lab.port}"
    if scheme == "ws":
        url = f"ws://127.0.0.1:{lab.websocket_port}/mqtt"
    done = subprocess.run(
        [SCRIPTS / "node", "node", "mqtt_js.mjs", url, str(version)],
        cwd=PEERS, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["payload"], one["qos"], one["retain"]) for one in got] == [
        ("kept", 1, True), ("qos 0", 0, False), ("qos 1", 1, False), ("qos 2", 2, False),
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["311", "5"])
def test_mosquittos_tools_publish_and_subscribe(lab: Lab, version: str) -> None:
    common = ["-h", "127.0.0.1", "-p", str(lab.port), "-V", version]
    topic = f"tools/{version}"
    for qos in "012":
        command = ["mosquitto_pub", *common, "-q", qos, "-t", f"{topic}/{qos}", "-m", qos, "-r"]
        subprocess.run(command, check=True, timeout=20)
    command = ["mosquitto_sub", *common, "-q", "2", "-t", f"{topic}/+", "-C", "3", "-F", "%q %r %p"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert sorted(done.stdout.split("\n")) == ["", "0 1 0", "1 1 1", "2 1 2"]


@pytest.mark.parametrize("version", ["311", "5"])
def test_paho_in_c_publishes_and_subscribes(lab: Lab, version: str) -> None:
    connections = {
        "tcp": f"tcp://127.0.0.1:{lab.port}",
        "ws": f"ws://127.0.0.1:{lab.websocket_port}/mqtt",
    }
    for scheme, url in connections.items():
        common = ["-c", url, "-V", version]
        topic = f"c/{scheme}/{version}"

        def publish(qos: str, *more: str, common: list[str] = common, topic: str = topic) -> None:
            command = ["paho_c_pub", *common, "-i", "c-pub", "-q", qos, "-t", f"{topic}/{qos}"]
            subprocess.run([*command, "-m", f"qos {qos}", *more], check=True, timeout=20)

        publish("1", "-r")
        command = ["paho_c_sub", *common, "-i", "c-sub", "-q", "2", "-t", f"{topic}/+"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hearing:
            try:
                # What is retained says that it subscribes by now. It tells much besides.
                lines = iter(hearing.stdout or ())
                assert any("qos 1" in line for line in lines)
                publish("0")
                assert any("qos 0" in line for line in lines)
                publish("2")
                assert any("qos 2" in line for line in lines)
            finally:
                hearing.kill()


def test_how_the_listener_is_is_told_again_and_again(lab: Lab) -> None:
    words = ["-p", str(lab.port), "-t", "$SYS/broker/uptime", "-C", "2", "-W", "30"]
    answer = subprocess.run(["mosquitto_sub", *words], capture_output=True, text=True, check=True)
    before, after = (int(line.removesuffix(" seconds")) for line in answer.stdout.splitlines())
    assert after > before


@both
def test_what_the_listener_says_of_itself_nobody_else_says(lab: Lab, version: int) -> None:
    client = Client(lab, f"impostor-{version}", version)
    client.connect()
    client.subscribe("$SYS/broker/version", 0)
    (told,) = client.got(1)
    assert told.payload.startswith(b"moorage ")
    client.publish("$SYS/broker/version", b"another", 1)
    assert client.acknowledged == [ReasonCode.NOT_AUTHORIZED if version == V5 else 0]
    client.subscribe("$SYS/broker/version", 0)
    assert [one.payload for one in client.got(1)] == [told.payload]
    client.leave()


def test_a_will_below_sys_is_refused(lab: Lab) -> None:
    client = Client(lab, "impostor", V5)
    client.client.will_set("$SYS/broker/version", b"another")
    _flags, code, _properties = client.connect()
    assert code.value == ReasonCode.NOT_AUTHORIZED


@pytest.mark.parametrize("way", ["", "bridge_protocol_version mqttv50"])
def test_a_mosquitto_passes_messages_on_both_ways_and_none_twice(
    lab: Lab, tmp_path: Path, way: str
) -> None:
    """As it comes: of 3.1.1 it says that it is a bridge, and below $SYS whether it is up."""
    [port] = free_ports(1)
    name = f"edge{len(way)}"
    place = tmp_path / "mosquitto.conf"
    lines = f"""
        listener {port} 127.0.0.1
        allow_anonymous true
        connection {name}
        address 127.0.0.1:{lab.port}
        remote_clientid {name}
        {way}
        topic {name}/# both 1
    """
    place.write_text("\n".join(line.strip() for line in lines.splitlines()))
    here, there = Client(lab, f"here-{name}", V5), Client(replace(lab, port=port), "there", V5)
    here.connect()
    here.subscribe(f"{name}/#", retainAsPublished=True)
    here.subscribe(f"$SYS/broker/connection/{name}/state")
    here.publish(f"{name}/kept", b"down", 1, retain=True)
    here.got(1)
    with subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(place)]) as edge:
        try:
            (state,) = here.got(1)
            assert (state.topic, state.payload) == (f"$SYS/broker/connection/{name}/state", b"1")
            until(lambda: answers_at(port))
            there.connect()
            there.subscribe(f"{name}/#", retainAsPublished=True)
            (kept,) = there.got(1)
            assert (kept.payload, kept.retain) == (b"down", True)
            for one, other, payload in ((there, here, b"up"), (here, there, b"down")):
                one.publish(f"{name}/live", payload, 1, retain=True)
                one.publish(f"{name}/last", payload, 1)
                for client in (one, other):
                    found = [(one.topic, one.payload, one.retain) for one in client.got(2)]
                    assert found == [
                        (f"{name}/live", payload, True), (f"{name}/last", payload, False)
                    ]  # fmt: skip
            there.leave()
        finally:
            edge.kill()
    (state,) = here.got(1)
    assert state.payload == b"0"
    for topic in ("kept", "live"):
        here.publish(f"{name}/{topic}", b"", 1, retain=True)
    here.leave()


def answers_at(port: int) -> bool:
    """Tell whether somebody listens at a port of the loopback."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_mosquitto_rr_gets_its_answer(lab: Lab) -> None:
    answers = Client(lab, "rr", V5)
    answers.connect()
    answers.subscribe("rr/questions")

    def answer() -> None:
        [question] = answers.got(1)
        answers.publish(question.properties.ResponseTopic, question.payload.upper(), 1)

    answering = threading.Thread(target=answer)
    answering.start()
    command = ["mosquitto_rr", "-h", "127.0.0.1", "-p", str(lab.port), "-V", "5", "-q", "1"]
    command += ["-t", "rr/questions", "-e", "rr/answers", "-m", "loud"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    answering.join()
    assert done.stdout.strip() == "LOUD"
    answers.leave()


async def test_gmqtt_publishes_and_subscribes(lab: Lab) -> None:
    client = gmqtt.Client("gmqtt")
    got: asyncio.Queue[tuple[str, bytes, int]] = asyncio.Queue()
    subscribed = asyncio.Event()

    def on_message(_client: Any, topic: str, payload: bytes, qos: int, _properties: Any) -> int:
        got.put_nowait((topic, payload, qos))
        return 0

    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    await client.connect("127.0.0.1", lab.port)
    client.subscribe("gmqtt/#", qos=2)
    async with asyncio.timeout(10):
        await subscribed.wait()
        for qos in range(3):
            client.publish("gmqtt/a", b"%d" % qos, qos=qos)
        assert {await got.get() for _ in range(3)} == {
            ("gmqtt/a", b"0", 0), ("gmqtt/a", b"1", 1), ("gmqtt/a", b"2", 2),
        }  # fmt: skip
    await client.disconnect()


def test_many_clients_connect_where_few_files_are_allowed_at_first(lab: Lab) -> None:
    soft, hard = resource.prlimit(lab.pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, 100_256)
    many = [raw(lab, f"many-{n}", V311) for n in range(200)]
    assert len(many) == 200


# --- Where it ends --------------------------------------------------------------------------------


def request(
    lab: Lab, path: str, protocol: str = "mqtt", *, after: bytes = b"", end: bytes | None = None
) -> bytes:
    """Ask for a WebSocket and send bytes; gives what is answered, up to `end`."""
    with socket.create_connection(("127.0.0.1", lab.websocket_port), timeout=10) as line:
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        )
        answer = line.recv(4096)
        line.sendall(after)
        with suppress(ConnectionError):
            while not (end and end in answer) and (data := line.recv(4096)):
                answer += data
    return answer


def test_a_websocket_is_for_mqtt_alone(lab: Lab) -> None:
    assert request(lab, "/chat").startswith(b"HTTP/1.1 404")
    assert request(lab, "/mqtt", "chat").startswith(b"HTTP/1.1 400")
    masked_text = b"\x81\x82\0\0\0\0hi"
    answer = request(lab, "/mqtt", after=masked_text)
    assert answer.startswith(b"HTTP/1.1 101")
    assert b"\x03\xeb" in answer.partition(b"\r\n\r\n")[2]  # 1003: it cannot take text.


def test_packets_may_lie_across_websocket_frames(lab: Lab) -> None:
    connect = encode(Connect("cut", V5), V5) + b"\xc0\0"
    frames = b"".join(b"\x82\x81\0\0\0\0" + connect[at : at + 1] for at in range(len(connect)))
    answer = request(lab, "/mqtt", after=frames, end=b"\xd0\0").partition(b"\r\n\r\n")[2]
    connack = decode(answer[2 : 4 + answer[3]], V5)
    assert isinstance(connack, ConnAck)
    assert connack.reason_code == 0


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1,192.0.2.1", "::", "example.org"])
def test_lab_mode_listens_on_the_loopback_only(host: str) -> None:
    with pytest.raises(MoorageError, match="loopback"):
        KIND.open_lab(Listening(host, 0, "127.0.0.1", 0, CONTEXT, 0), 0)
    with pytest.raises(MoorageError, match="loopback"):
        KIND.open_lab(Listening("127.0.0.1", 0, host, 0, CONTEXT, 0), 0)


def test_the_command_refuses_an_address_that_others_can_reach(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "moorage.entry.cli", "listen", "--lab"]
    done = subprocess.run(
        [*command, "--mqtt-host", "0.0.0.0", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "loopback" in done.stderr


def test_lab_mode_is_open_over_tls_too(lab: Lab) -> None:
    words = ["-p", str(lab.tls_port), "--cafile", str(lab.authority), "-t", "tls", "-q", "1"]
    command = ["mosquitto_sub", *words, "-C", "1", "-W", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as heard:
        while heard.poll() is None:
            subprocess.run(["mosquitto_pub", *words, "-m", "sealed"], check=True, timeout=30)
        assert heard.stdout is not None
        assert heard.stdout.read() == "sealed\n"
