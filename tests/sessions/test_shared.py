"""What devices of an application share: written down by one listener, read by others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from fleet import a_device, a_town
from moorage import devices, sessions
from moorage.kit.db import Database, Tx
from moorage.sessions import KeptSession, SharedMessage, service
from moorage.sessions.store import shared as store


async def a_home(tx: Tx) -> tuple[UUID, dict[int, int], SharedMessage]:
    """Make a listener with a device at home there, and a message of it."""
    town = await a_town(tx)
    device = await devices.enrol(tx, town.admin, a_device(town))
    listener = await sessions.start_listener(tx, "one")
    homes, _ = await sessions.claim(tx, listener, [device.number])
    return listener, homes, SharedMessage(device.number, town.application_id, 1, "t", b"1")


async def test_who_missed_something_reads_it_in_order(database: Database) -> None:
    async with database.begin() as tx:
        one, homes, message = await a_home(tx)
        other = await sessions.start_listener(tx, "other")
        application = message.application_id
        more = [replace(message, place=place, message=b"%d" % place) for place in (1, 2, 3)]
        assert await sessions.keep(tx, one, homes, [], [], more) == set()
        service_s = replace(message, number=-1, message=b"other")
        assert await sessions.keep(tx, other, {}, [], [], [service_s]) == set()

        async def read(*wanted: UUID, **heard: int) -> list[tuple[UUID, bytes]]:
            places = {{"one": one, "other": other}[name]: at for name, at in heard.items()}
            found, _ = await sessions.shared_since(tx, wanted, places)
            return [(listener, body) for _, listener, _, body in map(_plain, found)]

        assert await read(application) == [
            (one, b"1"), (one, b"2"), (one, b"3"), (other, b"other"),
        ]  # fmt: skip
        assert await read(application, one=2, other=1) == [(one, b"3")]
        assert await read(UUID(int=9)) == []

        tx.now += timedelta(minutes=6)
        await service.end_lost(tx)
        assert await read(application) == []


def _plain(one: sessions.PassedMessage) -> tuple[UUID, UUID, int, bytes]:
    return one.application_id, one.listener_id, one.place, one.message


async def test_who_is_given_up_writes_nothing_more(database: Database) -> None:
    async with database.begin() as tx:
        one, homes, message = await a_home(tx)
        program_s = replace(message, number=-1, place=2, retains=True)
        assert await sessions.bury(tx, one, by=":1", refused=True)
        lost = await sessions.keep(tx, one, homes, [], [], [message, program_s])
        assert lost == {message.number}
        assert await sessions.shared_since(tx, [message.application_id], {}) == ([], [])


async def test_the_last_retained_message_of_a_topic_is_found_until_it_is_cleared(
    database: Database,
) -> None:
    async with database.begin() as tx:
        listener, homes, message = await a_home(tx)
        application = message.application_id
        first = replace(message, place=0, retains=True)
        nowhere = replace(first, number=-1, application_id=UUID(int=7))
        later = replace(first, topic="u", message=b"u", expires_at=tx.now + timedelta(seconds=9))
        for batch in ([first, later, nowhere], [replace(first, message=b"2")]):
            assert await sessions.keep(tx, listener, homes, [], [], batch) == set()

        async def retained() -> list[tuple[UUID, bytes]]:
            passed, found = await sessions.shared_since(tx, [application], {})
            assert passed == []
            return found

        assert await retained() == [(application, b"2"), (application, b"u")]
        tx.now += timedelta(seconds=10)
        assert await retained() == [(application, b"2")]
        await sessions.keep(tx, listener, homes, [], [], [replace(first, message=b"", empty=True)])
        assert await retained() == []


async def test_an_application_retains_so_many_messages(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_RETAINED", 2)
    async with database.begin() as tx:
        listener, homes, message = await a_home(tx)
        for topic in ("a", "b", "c", "a"):
            one = replace(message, place=0, retains=True, topic=topic, message=topic.encode())
            await sessions.keep(tx, listener, homes, [], [], [one])
        _, found = await sessions.shared_since(tx, [message.application_id], {})
        assert [body for _, body in found] == [b"a", b"b"]


async def test_an_application_retains_so_many_bytes_beside_small_messages(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_RETAINED", 10)
    monkeypatch.setattr(store, "MOST_RETAINED_BYTES", 100)
    async with database.begin() as tx:
        listener, homes, message = await a_home(tx)

        async def sizes() -> list[int]:
            _, found = await sessions.shared_since(tx, [message.application_id], {})
            return [len(body) for _, body in found]

        for topic, size, expected in (
            ("a", 60, [60]),
            ("b", 41, [60]),
            ("b", 40, [60, 40]),
            ("c", 11, [60, 40]),
            ("c", 10, [60, 40, 10]),
            ("a", 61, [60, 40, 10]),
            ("a", 50, [50, 40, 10]),
            ("b", 1, [50, 1, 10]),
        ):
            one = replace(message, place=0, retains=True, topic=topic, message=bytes(size))
            await sessions.keep(tx, listener, homes, [], [], [one])
            assert await sizes() == expected


async def test_sessions_that_others_may_send_something_are_found_when_they_are_at_home_nowhere(
    database: Database,
) -> None:
    async with database.begin() as tx:
        listener, homes, message = await a_home(tx)
        kept = KeptSession(message.number, "c", b"1", 60, None, shares=True)
        await sessions.keep(tx, listener, homes, [kept, replace(kept, client_id="d")], [])
        assert await sessions.unhearing(tx) == []
        await sessions.release(tx, listener, [message.number])
        assert await sessions.unhearing(tx) == [message.number]
        homes, _ = await sessions.claim(tx, listener, [message.number])
        quiet = [replace(kept, client_id=name, shares=False) for name in "cd"]
        await sessions.keep(tx, listener, homes, quiet, [])
        await sessions.release(tx, listener, [message.number])
        assert await sessions.unhearing(tx) == []
