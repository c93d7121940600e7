import random
from collections import Counter

import pytest
from wires import publishes, split

from moorage_mqtt import (
    V5,
    V311,
    Auth,
    ClientConnection,
    ConnAck,
    Connect,
    Disconnect,
    Failed,
    Limits,
    PingReq,
    PingResp,
    Publish,
    ReasonCode,
    ServerConnection,
    Session,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
    encode,
)

both = pytest.mark.parametrize("version", [V311, V5])


def connected(version: int = V5, **more: object) -> ClientConnection:
    client = ClientConnection("c", now=0.0, version=version, **more)  # type: ignore[arg-type]
    client.take()
    client.receive(encode(ConnAck(), version), 0.0)
    return client


@both
def test_connect_carries_everything_and_the_answer_opens_the_connection(version: int) -> None:
    will = Will("w", b"gone", 1, True)
    client = ClientConnection(
        "c", now=0.0, version=version, username="u", password=b"p", will=will, keep_alive_s=30
    )

    [connect] = split(client.take(), version)
    assert isinstance(connect, Connect)
    assert (connect.username, connect.password, connect.will) == ("u", b"p", will)
    assert client.receive(encode(ConnAck(), version), 0.0) == [ConnAck()]
    assert client.is_open


@pytest.mark.parametrize(("version", "code"), [(V311, 5), (V5, 0x87)])
def test_a_refusal_closes_the_client(version: int, code: int) -> None:
    client = ClientConnection("c", now=0.0, version=version)

    assert client.receive(encode(ConnAck(False, code), version), 0.0) == [ConnAck(False, code)]
    assert client.is_closed


@both
def test_the_client_pings_at_its_deadline_and_gives_up_without_answer(version: int) -> None:
    client = connected(version, keep_alive_s=10)
    assert client.deadline == 10.0
    assert client.tick(9.0) == []
    client.tick(10.0)
    assert split(client.take(), version) == [PingReq()]
    client.receive(encode(PingResp(), version), 11.0)
    client.tick(20.0)

    [failed] = client.tick(30.0)

    assert isinstance(failed, Failed)
    assert client.is_closed


def test_the_servers_keep_alive_and_limits_hold() -> None:
    client = ClientConnection("c", now=0.0, keep_alive_s=100)
    answer = ConnAck(properties={"server_keep_alive": 7, "receive_maximum": 1})
    client.receive(encode(answer, V5), 0.0)
    client.take()
    client.publish("a", b"1", qos=1, now=0.0)
    client.publish("a", b"2", qos=1, now=0.0)

    assert client.deadline == 7.0
    assert len(split(client.take(), V5)) == 1


@both
def test_subscriptions_are_answered_once(version: int) -> None:
    client = connected(version)
    asked, left = client.subscribe(Subscription("a/#", 1)), client.unsubscribe("b")
    assert split(client.take(), version) == [
        Subscribe(asked, (Subscription("a/#", 1),)),
        Unsubscribe(left, ("b",)),
    ]
    codes = (0,) if version == V5 else ()
    answers = encode(SubAck(asked, (1,)), version) + encode(UnsubAck(left, codes), version)
    assert client.receive(answers, 0.0) == [SubAck(asked, (1,)), UnsubAck(left, codes)]

    [failed] = client.receive(encode(SubAck(asked, (1,)), version), 0.0)
    assert isinstance(failed, Failed)


def test_a_server_may_end_the_connection_and_say_why() -> None:
    client = connected()
    goodbye = Disconnect(ReasonCode.SESSION_TAKEN_OVER)
    assert client.receive(encode(goodbye, V5), 0.0) == [goodbye]
    assert client.is_closed


def test_enhanced_authentication_answers_the_challenge() -> None:
    client = ClientConnection("c", now=0.0, properties={"authentication_method": "m"})
    client.take()
    challenge = Auth(0x18, {"authentication_method": "m", "authentication_data": b"1"})
    assert client.receive(encode(challenge, V5), 0.0) == [challenge]
    client.authenticate(ReasonCode.CONTINUE_AUTHENTICATION, b"2")
    assert split(client.take(), V5) == [
        Auth(0x18, {"authentication_method": "m", "authentication_data": b"2"})
    ]


@pytest.mark.parametrize("packet", [PingResp(), Connect("c", V5), Publish("a", b"")])
def test_a_server_must_begin_with_connack(packet: PingResp) -> None:
    client = ClientConnection("c", now=0.0)

    [failed] = client.receive(encode(packet, V5), 0.0)

    assert isinstance(failed, Failed)


class LossyLink:
    """A client and a server whose network cuts bytes anywhere and breaks now and then."""

    def __init__(self, version: int, chance: random.Random) -> None:
        self.version = version
        self.chance = chance
        self.limits = Limits(receive_maximum=5, send_maximum=4, packet_bytes=4_000)
        self.sessions = Session(), Session()
        self.got: tuple[list[bytes], list[bytes]] = ([], [])
        self.client, self.server = self._connect(first=True)
        self.wires = bytearray(), bytearray()
        self.due: list[int] = []

    def _connect(self, first: bool = False) -> tuple[ClientConnection, ServerConnection]:
        client = ClientConnection(
            "c", now=0.0, version=self.version, limits=self.limits, session=self.sessions[0],
            clean_start=first,
        )  # fmt: skip
        server = ServerConnection(self.limits, 0.0)
        server.receive(client.take(), 0.0)
        assert not server.accept(self.sessions[1], now=0.0, session_present=not first)
        return client, server

    def breaks(self) -> None:
        self.server.acknowledge_many(self.due)  # The commit outlives the connection.
        self.due.clear()
        self.client, self.server = self._connect()
        self.wires = bytearray(), bytearray()

    def step(self, loss: float) -> None:
        if self.chance.random() < loss:
            return self.breaks()
        ends = self.client, self.server
        for n, end in enumerate(ends):
            self.wires[n].extend(end.take())
            some = self.chance.randrange(len(self.wires[n]) + 1)
            events = ends[1 - n].receive(bytes(self.wires[n][:some]), 0.0)
            del self.wires[n][:some]
            assert not [one for one in events if isinstance(one, Failed)]
            for message in publishes(events):
                self.got[1 - n].append(message.payload)
                if message.qos and n == 0:
                    self.due.append(message.packet_id)
                elif message.qos:
                    self.client.acknowledge(message.packet_id)
        self.chance.shuffle(self.due)
        while self.due and self.chance.random() < 0.6:
            self.server.acknowledge(self.due.pop())
        return None


@both
@pytest.mark.parametrize("seed", range(12))
def test_qos_1_comes_at_least_once_and_qos_2_once_over_a_network_that_breaks(
    version: int, seed: int
) -> None:
    link = LossyLink(version, random.Random(seed))
    wanted: tuple[list[bytes], list[bytes]] = ([], [])
    for n in range(120):
        for end, other in ((link.client, 1), (link.server, 0)):
            payload = b"%d:%d" % (n % 3, n)
            end.publish("t", payload, qos=n % 3, now=0.0)
            wanted[other].append(payload)
        link.step(0.08)
    for _ in range(600):
        link.step(0.02)
    for _ in range(600):
        link.step(0)

    assert not any(one.inflight or one.queue or one.received for one in link.sessions)
    for got, sent in zip(link.got, wanted, strict=True):
        times = Counter(got)
        assert set(times) <= set(sent)
        assert all(times[one] <= 1 for one in sent if one[:1] == b"0")
        assert all(times[one] >= 1 for one in sent if one[:1] == b"1")
        assert [one for one in got if one[:1] == b"2"] == [one for one in sent if one[:1] == b"2"]


def test_what_was_under_way_is_sent_anew_to_a_server_that_forgot_the_session() -> None:
    session = Session()
    first = connected(session=session)
    first.publish("a", b"1", qos=1, now=0.0)
    first.publish("a", b"2", qos=2, now=0.0)

    back = ClientConnection("c", now=0.0, session=session, clean_start=False)
    back.take()
    back.receive(encode(ConnAck(False), V5), 0.0)

    sent = split(back.take(), V5)
    assert [(one.payload, one.qos, one.dup) for one in sent if isinstance(one, Publish)] == [
        (b"1", 1, False),
        (b"2", 2, False),
    ]
