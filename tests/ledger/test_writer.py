"""The writer loses nothing and keeps nothing twice, whatever happens to its connection."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator

import psycopg
import pytest

from moorage import ledger
from moorage.kit.db import Database, Tx
from moorage.kit.ids import uuid7_bytes
from moorage.ledger.service import HIGH_WATER_FRAMES


def a_message(device: int, text: str, own_id: bytes | None = None) -> ledger.RawMessage:
    return ledger.RawMessage(
        device, own_id or uuid7_bytes(), 1, 1, "", text.encode(), own_id=own_id is not None
    )


async def everything(database: Database) -> list[str]:
    found = []
    position = ledger.Position(1, ledger.FIRST_DAY)
    async with database.begin() as tx:
        while envelopes := await ledger.read(tx, ledger.LogName.RAW, 0, position, 10_000):
            for envelope in envelopes:
                assert envelope.first == position.next, "positions must have no gaps"
                found += [m.payload.decode() for m in ledger.messages(envelope)]
                position = ledger.Position(envelope.first + envelope.count, envelope.day)
    return found


@contextlib.asynccontextmanager
async def running(writer: ledger.Writer) -> AsyncIterator[None]:
    task = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def put(writer: ledger.Writer, *messages: ledger.RawMessage) -> None:
    kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: Exception | None) -> None:
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)

    writer.put([ledger.frame_of(m) for m in messages], done)
    await kept


@pytest.fixture
async def log(database: Database) -> Database:
    async with database.begin() as tx:
        await ledger.open_log(tx, 1)
    return database


async def test_what_is_done_is_in_the_ledger_in_order(log: Database) -> None:
    writer = ledger.Writer(log)
    async with running(writer):
        await asyncio.gather(*(put(writer, a_message(1, str(n))) for n in range(500)))
    assert await everything(log) == [str(n) for n in range(500)]


async def test_two_writers_share_one_gapless_partition(log: Database) -> None:
    one, other = ledger.Writer(log), ledger.Writer(log)
    async with running(one), running(other):
        await asyncio.gather(
            *(
                put(w, a_message(1, f"{k}-{n}"))
                for n in range(300)
                for k, w in enumerate((one, other))
            )
        )
    found = await everything(log)
    assert len(found) == 600
    for k in range(2):
        assert [f for f in found if f.startswith(f"{k}-")] == [f"{k}-{n}" for n in range(300)]


async def test_a_known_key_is_done_but_not_kept_again(log: Database) -> None:
    writer = ledger.Writer(log)
    async with running(writer):
        await put(writer, a_message(1, "a", b"x" * 16))
        await put(writer, a_message(1, "again", b"x" * 16), a_message(1, "b", b"y" * 16))
        await put(writer, a_message(1, "again", b"x" * 16))
        await put(writer, a_message(1, "c"))
    assert await everything(log) == ["a", "b", "c"]


async def test_nothing_is_lost_or_doubled_when_connections_are_killed(log: Database) -> None:
    writer = ledger.Writer(log)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # As long as it takes to connect and append here: an end hits all parts of that, and on a busy
    # machine too some appends come through.
    began = loop.time()
    first = ledger.Writer(log)
    async with running(first):
        await put(first, a_message(99, "99-0"))
    takes = loop.time() - began
    chance = random.Random(7)

    async def kill() -> None:
        async with await log.connect(name="killer") as connection:
            while not stop.is_set():
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'moorage-ledger' AND datname = current_database()"
                )
                await asyncio.sleep(chance.uniform(0, 4 * takes))

    async def send(client: int) -> None:
        for n in range(40):
            own_id = f"{client:08}{n:08}".encode() if client % 3 == 0 else None
            await put(writer, a_message(client, f"{client}-{n}", own_id))

    killer = asyncio.create_task(kill())
    async with running(writer):
        await asyncio.gather(*(send(client) for client in range(20)))
        stop.set()
        await killer
    found = await everything(log)
    assert sorted(found) == sorted(["99-0", *(f"{c}-{n}" for c in range(20) for n in range(40))])


async def test_a_full_queue_says_so_and_is_relieved(log: Database) -> None:
    writer = ledger.Writer(log)
    done: list[Exception | None] = []
    frame = ledger.frame_of(a_message(1, "x"))
    for _ in range(HIGH_WATER_FRAMES + 1):
        writer.put([frame], done.append)
    assert writer.overloaded
    relieved = asyncio.Event()
    writer.when_relieved(relieved.set)
    async with running(writer):
        await relieved.wait()
    assert not writer.overloaded
    assert len(done) == HIGH_WATER_FRAMES + 1
    assert set(done) == {None}


async def test_a_batch_longer_than_an_envelope_is_kept_in_several_and_each_message_is_found(
    log: Database,
) -> None:
    writer = ledger.Writer(log)
    async with running(writer):
        await put(writer, *(a_message(1, str(n)) for n in range(9_000)))
    assert await everything(log) == [str(n) for n in range(9_000)]
    async with log.begin() as tx:
        for position in (1, 4_097, 9_000):
            message = await ledger.get(tx, 1, 0, position)
            assert message.payload == str(position - 1).encode()


async def test_an_empty_put_waits_for_all_before_and_keeps_nothing(log: Database) -> None:
    writer = ledger.Writer(log)
    async with running(writer):
        first = asyncio.create_task(put(writer, a_message(1, "first")))
        await asyncio.sleep(0)
        await put(writer)
        assert first.done()
    assert await everything(log) == ["first"]


async def test_the_answer_to_the_very_first_append_is_lost_while_it_commits(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as done once, and what comes next is kept, not taken for it."""
    connections: list[psycopg.AsyncConnection[object]] = []
    connect = log.connect

    async def noted(**options: str) -> psycopg.AsyncConnection[object]:
        connections.append(await connect(**options))
        return connections[-1]

    monkeypatch.setattr(log, "connect", noted)
    async with log.begin() as tx:
        for text in (
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON ledger_keys "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()",
        ):
            await tx.execute(text)
    writer = ledger.Writer(log)
    async with running(writer):
        async with log.begin() as tx:
            await tx.execute("SELECT pg_advisory_xact_lock(77)")
            first = asyncio.create_task(put(writer, a_message(1, "first", b"1" * 16)))
            await _await_waiting(tx, 1)
            with socket.socket(fileno=connections[0].pgconn.socket) as lost:
                lost.shutdown(socket.SHUT_RDWR)
                lost.detach()
            await _await_waiting(tx, 2)
        await first
        await put(writer, a_message(1, "second"))
    assert await everything(log) == ["first", "second"]


async def _await_waiting(tx: Tx, count: int) -> None:
    """Wait until some connections of ledgers wait for a lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'moorage-ledger' AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20):
        while (await tx.execute(query)).scalar_one() != count:
            await tx.execute("SELECT pg_stat_clear_snapshot()")
            await asyncio.sleep(0.02)
