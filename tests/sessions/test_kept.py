"""What devices find again: sessions and retained messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fleet import a_device, a_town
from moorage import devices, sessions
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.sessions import KeptSession, PresenceEvent, RetainedMessage, service, store


async def a_number(tx: Tx) -> int:
    return (await devices.enrol(tx, (town := await a_town(tx)).admin, a_device(town))).number


def a_session(number: int, client_id: str = "c", state: bytes | None = b"1") -> KeptSession:
    return KeptSession(number, client_id, state, 60, None)


async def keep(
    tx: Tx, kept: Sequence[KeptSession], retained: Sequence[RetainedMessage], name: str = "door"
) -> set[int]:
    """Write as the listener of a name, at which the devices are at home."""
    listener = await store.listeners.find_named(tx, name)
    if listener is None:
        listener = await sessions.start_listener(tx, name)
    numbers = [one.number for one in (*kept, *retained)]
    homes, _ = await sessions.claim(tx, listener, sorted(set(numbers)))
    return await sessions.keep(tx, listener, homes, kept, retained)


async def test_the_last_state_of_a_session_is_found_again(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        one, other = a_session(number), a_session(number, "other")
        await keep(tx, [one, other, replace(one, state=b"2")], [])
        await keep(tx, [replace(one, state=b"3", expiry_s=7)], [])
        found, _ = await sessions.kept_of(tx, [number])
        assert sorted(found, key=lambda kept: kept.client_id) == [
            replace(one, state=b"3", expiry_s=7), other,
        ]  # fmt: skip

        await keep(tx, [replace(one, state=None)], [])
        await keep(tx, [replace(other, state=None), replace(other, state=b"new")], [])
        assert (await sessions.kept_of(tx, [number]))[0] == [replace(other, state=b"new")]


async def test_who_comes_home_finds_what_is_kept_whoever_comes_beside_him(
    database: Database,
) -> None:
    """The same as by one statement after the other, whether all come home or some are elsewhere."""
    now = datetime.now(UTC)
    async with database.begin() as tx:
        town = await a_town(tx)
        here, there = [
            (await devices.enrol(tx, town.admin, a_device(town, serial=one))).number for one in "ab"
        ]
        gone = 2_000_000_000
        in_a_while, long_ago = now + timedelta(hours=1), now - timedelta(hours=1)
        kept = [
            KeptSession(here, "æ", b"\0\1", 60, None, shares=True),
            KeptSession(here, "ends", b"", 2**31 - 1, in_a_while, 0, in_a_while),
            KeptSession(here, "wills", b"w", 0, long_ago, 5, long_ago),
        ]
        retained = [
            RetainedMessage(here, "v1/up/ø", b"\0", None),
            RetainedMessage(here, "v1/up/b", b"", in_a_while),
        ]
        over = replace(kept[0], client_id="over", expires_at=long_ago)
        await keep(
            tx,
            [*kept, over, a_session(there)],
            [*retained, RetainedMessage(here, "over", b"", long_ago)],
        )
        door = await store.listeners.find_named(tx, "door")
        assert door is not None
        other = await sessions.start_listener(tx, "other")
        await sessions.release(tx, door, [there])
        await sessions.claim(tx, other, [there])
        before, _ = await sessions.claim(tx, door, [here])
    finder = sessions.Finder(database)
    for asked in ([here], [gone, here, there], [here, there], [there]):
        came = await finder.find(door, asked)
        assert set(came.homes) == {here} & set(asked)
        assert {number: one.id for number, one in came.elsewhere.items()} == (
            {there: other} if there in asked else {}
        )
        if here in asked:
            assert came.homes == before
            assert sorted(came.kept, key=lambda one: one.client_id) == sorted(
                kept, key=lambda one: one.client_id
            )
            assert sorted(came.retained, key=lambda one: one.topic) == sorted(
                retained, key=lambda one: one.topic
            )
        else:
            assert (came.kept, came.retained) == ([], [])
    await finder.close()


async def test_who_comes_home_after_the_server_has_ended_the_connection_is_found(
    database: Database,
) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        await keep(tx, [a_session(number)], [])
        door = await store.listeners.find_named(tx, "door")
    assert door is not None
    finder = sessions.Finder(database)
    for _ in range(2):
        async with asyncio.timeout(10):
            while True:  # Who asks before the end is noticed is told so.
                with suppress(DatabaseUnavailable):
                    assert (await finder.find(door, [number])).kept == [a_session(number)]
                    break
        async with database.begin() as tx:
            await tx.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE application_name = 'moorage-listen' AND datname = current_database()"
            )
    await finder.close()


async def test_a_retained_message_is_found_until_it_is_cleared(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        message = RetainedMessage(number, "v1/up/a", b"m", None)
        await keep(tx, [], [message, replace(message, topic="v1/up/b")])
        await keep(tx, [], [replace(message, message=b"n")])
        await keep(tx, [], [replace(message, topic="v1/up/b", message=None)])
        assert (await sessions.kept_of(tx, [number]))[1] == [replace(message, message=b"n")]


async def test_a_device_that_is_gone_keeps_nothing(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        await keep(
            tx, [a_session(number), a_session(number + 1)], [RetainedMessage(9_999, "t", b"", None)]
        )
        found, retained = await sessions.kept_of(tx, [number, number + 1, 9_999])
        assert (found, retained) == ([a_session(number)], [])


async def test_what_has_expired_is_not_found_and_is_forgotten(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        past, future = tx.now - timedelta(seconds=1), tx.now + timedelta(hours=1)
        kept = [replace(a_session(number, f"{at}"), expires_at=at) for at in (past, future, None)]
        retained = [RetainedMessage(number, f"{at}", b"m", at) for at in (past, future, None)]
        await keep(tx, kept, retained)
        for _ in range(2):
            found, messages = await sessions.kept_of(tx, [number])
            assert {one.expires_at for one in found} == {future, None}
            assert {one.expires_at for one in messages} == {future, None}
            await service.trim(tx)
        left = await tx.execute("SELECT count(*) AS n FROM session_kept")
        assert left.scalar_one() == 2


async def test_the_sessions_of_a_dead_listener_begin_to_expire(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        listener = await sessions.start_listener(tx, "door")
        event = PresenceEvent(number, True, tx.now, "c")
        await sessions.record(tx, listener, [event])
        away = replace(a_session(number, "away"), expires_at=tx.now + timedelta(hours=9))
        await keep(tx, [a_session(number), away], [])

        await sessions.start_listener(tx, "door")

        found = {one.client_id: one for one in (await sessions.kept_of(tx, [number]))[0]}
        assert found["c"].expires_at == tx.now + timedelta(seconds=60)
        assert found["away"] == away


async def test_a_device_is_at_home_at_one_listener_and_only_that_one_writes(
    database: Database,
) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        one = await sessions.start_listener(tx, "one", "127.0.0.1:1")
        other = await sessions.start_listener(tx, "other")
        first, _ = await sessions.claim(tx, one, [number])
        none, elsewhere = await sessions.claim(tx, other, [number])
        assert none == {}
        assert (elsewhere[number].id, elsewhere[number].address) == (one, "127.0.0.1:1")

        assert await sessions.keep(tx, other, first, [a_session(number)], []) == {number}
        assert await sessions.keep(tx, one, first, [a_session(number)], []) == set()

        await sessions.release(tx, one, [number])
        second, _ = await sessions.claim(tx, other, [number])
        assert second[number] > first[number]
        assert await sessions.keep(tx, one, first, [a_session(number, state=b"2")], []) == {number}
        assert (await sessions.kept_of(tx, [number]))[0] == [a_session(number)]


async def test_a_listener_that_cannot_be_reached_is_dead_if_nobody_listens_or_it_is_silent(
    database: Database,
) -> None:
    async with database.begin() as tx:
        near = await sessions.start_listener(tx, "here:1884")
        far = await sessions.start_listener(tx, "there:1883")
        assert not await sessions.bury(tx, near, by="here:1883", refused=False)
        assert await sessions.bury(tx, near, by="here:1883", refused=True)
        assert not await sessions.bury(tx, far, by="here:1883", refused=True)
        tx.now += timedelta(seconds=7)
        assert await sessions.bury(tx, far, by="here:1883", refused=False)
        assert await sessions.list_listeners(tx) == []


async def test_the_will_of_a_dead_listeners_session_is_due_after_its_delay(
    database: Database,
) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        listener = await sessions.start_listener(tx, "door")
        homes, _ = await sessions.claim(tx, listener, [number])
        willing = [
            replace(a_session(number, f"{delay}"), will_delay_s=delay) for delay in (0, 5, 500)
        ]
        await sessions.keep(tx, listener, homes, [a_session(number, "none"), *willing], [])
        assert await sessions.due_wills(tx, listener) == []
        await sessions.stop_listener(tx, listener)
        other = await sessions.start_listener(tx, "other")
        assert await sessions.due_wills(tx, other) == [number]
        kept, _ = await sessions.kept_of(tx, [number])
        due = {one.client_id: one.will_at and one.will_at - tx.now for one in kept}
        wanted = {"0": 0, "5": 5, "500": 60}  # The session ends before, and its will with it.
        assert due == {"none": None} | {name: timedelta(seconds=s) for name, s in wanted.items()}
