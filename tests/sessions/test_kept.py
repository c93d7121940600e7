"""What devices find again: sessions and retained messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fleet import a_device, a_town
from moorage import devices, sessions
from moorage.kit.db import Database, Tx
from moorage.sessions import KeptSession, PresenceEvent, RetainedMessage, service


async def a_number(tx: Tx) -> int:
    return (await devices.enrol(tx, (town := await a_town(tx)).admin, a_device(town))).number


def a_session(number: int, client_id: str = "c", state: bytes | None = b"1") -> KeptSession:
    return KeptSession(number, client_id, state, 60, None)


async def test_the_last_state_of_a_session_is_found_again(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        one, other = a_session(number), a_session(number, "other")
        await sessions.keep(tx, [one, other, replace(one, state=b"2")], [])
        await sessions.keep(tx, [replace(one, state=b"3", expiry_s=7)], [])
        found, _ = await sessions.kept_of(tx, [number])
        assert sorted(found, key=lambda kept: kept.client_id) == [
            replace(one, state=b"3", expiry_s=7), other,
        ]  # fmt: skip

        await sessions.keep(tx, [replace(one, state=None)], [])
        await sessions.keep(tx, [replace(other, state=None), replace(other, state=b"new")], [])
        assert (await sessions.kept_of(tx, [number]))[0] == [replace(other, state=b"new")]


async def test_a_retained_message_is_found_until_it_is_cleared(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        message = RetainedMessage(number, "v1/up/a", b"m", None)
        await sessions.keep(tx, [], [message, replace(message, topic="v1/up/b")])
        await sessions.keep(tx, [], [replace(message, message=b"n")])
        await sessions.keep(tx, [], [replace(message, topic="v1/up/b", message=None)])
        assert (await sessions.kept_of(tx, [number]))[1] == [replace(message, message=b"n")]


async def test_a_device_that_is_gone_keeps_nothing(database: Database) -> None:
    async with database.begin() as tx:
        number = await a_number(tx)
        await sessions.keep(
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
        await sessions.keep(tx, kept, retained)
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
        await sessions.keep(tx, [a_session(number), away], [])

        await sessions.start_listener(tx, "door")

        found = {one.client_id: one for one in (await sessions.kept_of(tx, [number]))[0]}
        assert found["c"].expires_at == tx.now + timedelta(seconds=60)
        assert found["away"] == away
