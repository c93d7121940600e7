from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from moorage.builtin.transports.mqtt.sessions import Kept, Sessions
from moorage.builtin.transports.mqtt.wheel import Wheel
from moorage.plugin import Sender
from moorage_mqtt import NEVER, Will


class Entry:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.due_at = -1


@given(
    st.lists(st.tuples(st.floats(0, 200), st.lists(st.floats(0, 200), max_size=3)), max_size=20),
    st.lists(st.floats(0, 5), min_size=1, max_size=30),
)
def test_the_wheel_gives_an_entry_within_a_second_of_its_last_deadline(
    plans: list[tuple[float, list[float]]], steps: list[float]
) -> None:
    wheel: Wheel[Entry] = Wheel(0.0)
    entries = []
    for first, later in plans:
        entry = Entry(first)
        for deadline in [first, *later]:
            entry.deadline = deadline
            wheel.put(entry, deadline)
        entries.append(entry)
    now, taken = 0.0, []
    for step in [*steps, *[50.0] * 5]:
        now += step
        for entry in wheel.due(now):
            if entry.deadline > now:
                wheel.put(entry, entry.deadline)
            else:
                taken.append(entry)
        assert not [one for one in entries if one.deadline + 1 < now and one not in taken]
    assert len(taken) == len(entries)


class Store:
    """Sessions with a clock of the test's own."""

    def __init__(self, per_device: int = 4) -> None:
        self.wills: list[bytes] = []
        self.sessions = Sessions(
            per_device, 0.0, lambda _sender, will: self.wills.append(will.payload)
        )

    def add(self, client_id: str, device: int = 1) -> Kept:
        sender = Sender(device, UUID(int=9), UUID(int=1), UUID(int=2), UUID(int=3), 1)
        kept = Kept(sender, client_id)
        self.sessions.add(kept)
        return kept


def test_a_session_ends_with_its_connection_or_when_it_expires() -> None:
    store = Store()
    brief, lasting = store.add("brief"), store.add("lasting")
    store.sessions.left(brief, None, 0, now=0.0)
    store.sessions.left(lasting, None, 100, now=0.0)
    assert store.sessions.of(1) == [lasting]
    store.sessions.tick(99.0)
    assert store.sessions.find(1, "lasting") is lasting
    store.sessions.tick(101.0)
    assert store.sessions.of(1) == []


def test_a_will_is_published_after_its_delay_or_when_its_session_ends() -> None:
    def will(text: bytes, delay: int) -> Will:
        return Will("t", text, properties={"will_delay_interval": delay})

    store = Store(per_device=10)
    plans = [("now", 0, 50), ("soon", 5, 50), ("expiry", 99, 10), ("gone", 99, 0)]
    for client_id, delay, expiry in plans:
        store.sessions.left(store.add(client_id), will(client_id.encode(), delay), expiry, now=0.0)
    assert store.wills == [b"now", b"gone"]
    store.sessions.tick(6.0)
    assert store.wills == [b"now", b"gone", b"soon"]
    store.sessions.tick(11.0)
    assert store.wills == [b"now", b"gone", b"soon", b"expiry"]
    store.sessions.left(store.add("cleared"), will(b"cleared", 99), NEVER, now=11.0)
    store.sessions.remove(store.sessions.of(1)[-1])
    assert store.wills[-1] == b"cleared"


def test_a_device_keeps_a_few_sessions_and_its_oldest_gives_way() -> None:
    store = Store(per_device=2)
    for n in range(5):
        store.sessions.left(store.add(str(n)), None, NEVER, now=0.0)
    store.add("other", device=2)
    assert [kept.client_id for kept in store.sessions.of(1)] == ["3", "4"]
    assert [kept.client_id for kept in store.sessions.of(2)] == ["other"]
