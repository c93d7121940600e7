"""Listeners are killed at random while devices at any of them talk to each other."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from installation import DeviceKey, Installation, ok, running
from moorage_mqtt import Acknowledged, Publish, Session, SubAck, Subscription
from scenarios.client import dialled
from scenarios.listeners import Listener, accepted, lasting, started

PACE_S = 0.1
KILLS = 3
BETWEEN_KILLS_S = (0.5, 2.0)
# A hearer and a speaker of each kind; what is kept enters the ledger as well.
SPEAKERS = (("line", 2), ("line", 1), ("kept", 2))


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give a running installation; its own listener is one of several."""
    with running(tmp_path_factory.mktemp("kills") / "data") as platform:
        yield platform


@pytest.fixture(scope="module")
def application(platform: Installation) -> str:
    made = platform.application(platform.organization("Works"), "Line")
    for topic, channel in (("line/#", None), ("kept/#", "kept")):
        body = {"topic": topic, "channel": channel, "publish": True, "subscribe": True}
        ok(platform.admin.post(f"/api/v1/applications/{made}/topic-rules", json=body))
    return made


@dataclass
class Place:
    """The listeners that live, and who chooses among them.

    Attributes:
        ports: of those that live.
        chance: of this run.
        is_quiet: nobody is killed any more.
        finished: all that was said is acknowledged.
    """

    ports: list[int]
    chance: random.Random
    is_quiet: bool = False
    finished: bool = False

    def port(self) -> int:
        return self.chance.choice(self.ports)


@dataclass
class Speaker:
    """Says one thing after the other as long as listeners are killed."""

    key: DeviceKey
    topic: str
    qos: int
    session: Session = field(default_factory=Session)
    answered: list[bytes] = field(default_factory=list)

    def is_done(self, place: Place) -> bool:
        return place.is_quiet and all(one.released for one in self.session.inflight.values())

    async def run(self, place: Place) -> None:
        while not self.is_done(place):
            with contextlib.suppress(OSError, AssertionError, TimeoutError):
                more = lasting(self.key, "speaks", session=self.session)
                async with dialled(place.port(), **more) as client:
                    await accepted(client)
                    while not self.is_done(place):
                        if all(one.released for one in self.session.inflight.values()):
                            body = b"%d" % len(self.answered)
                            client.core.publish(
                                self.topic, body, qos=self.qos, now=0.0, reference=body.decode()
                            )
                            client.flush()
                        told = await client.next(Acknowledged)
                        assert told.reason_code == 0
                        self.answered.append(str(told.reference).encode())
                        await asyncio.sleep(PACE_S)


@dataclass
class Hearer:
    """Hears all that the others say."""

    key: DeviceKey
    session: Session = field(default_factory=Session)
    got: dict[str, list[bytes]] = field(default_factory=dict)

    def has_heard(self, speakers: list[Speaker]) -> bool:
        return all(set(one.answered) <= set(self.got.get(one.topic, ())) for one in speakers)

    async def run(self, place: Place, speakers: list[Speaker]) -> None:
        while not (place.finished and self.has_heard(speakers)):
            with contextlib.suppress(OSError, AssertionError, TimeoutError):
                more = lasting(self.key, "hears", session=self.session)
                async with dialled(place.port(), **more) as client:
                    await accepted(client)
                    while not (place.finished and self.has_heard(speakers)):
                        async with asyncio.timeout(2):
                            message = await client.next(Publish)
                        self.got.setdefault(message.topic, []).append(message.payload)
                        client.core.acknowledge(message.packet_id)
                        client.flush()

    async def begin(self, place: Place) -> None:
        more = lasting(self.key, "hears", session=self.session)
        async with dialled(place.port(), **more) as client:
            await accepted(client)
            client.core.subscribe(Subscription("line/+", 2), Subscription("kept/+", 2))
            client.flush()
            assert (await client.next(SubAck)).reason_codes == (2, 2)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_what_is_acknowledged_arrives_in_order_whichever_listeners_are_killed(
    platform: Installation, application: str
) -> None:
    chance = random.Random(7)

    def device(name: str) -> DeviceKey:
        return platform.device(application, name, user_name=name)

    speakers = [
        Speaker(device(f"speaks-{at}"), f"{kind}/{at}", qos)
        for at, (kind, qos) in enumerate(SPEAKERS)
    ]
    hearers = [Hearer(device(f"hears-{at}")) for at in range(3)]
    with contextlib.ExitStack() as running_listeners:
        begin = running_listeners.enter_context
        listeners: list[Listener] = [begin(started(platform)) for _ in range(3)]
        place = Place([one.port for one in listeners], chance)
        for one in hearers:
            await one.begin(place)

        async def kill() -> None:
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(*BETWEEN_KILLS_S))
                dies = listeners.pop(chance.randrange(len(listeners)))
                dies.kill()
                place.ports.remove(dies.port)
                new = await asyncio.to_thread(begin, started(platform))
                listeners.append(new)
                place.ports.append(new.port)
            place.is_quiet = True

        async def speak() -> None:
            await asyncio.gather(*(one.run(place) for one in speakers), kill())
            place.finished = True

        async with asyncio.timeout(150):
            await asyncio.gather(speak(), *(one.run(place, speakers) for one in hearers))
    for hearer in hearers:
        for speaker in speakers:
            got, said = hearer.got[speaker.topic], speaker.answered
            assert said == [b"%d" % n for n in range(len(said))]
            if speaker.qos == 2:
                assert got == said, f"{speaker.topic} is not once and in order"
            else:
                assert list(dict.fromkeys(got)) == said, f"{speaker.topic} is not in order"
