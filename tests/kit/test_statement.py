"""A statement run straight through libpq, on a real server that refuses, ends and is slow."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import uvloop

from moorage.entry import data_directory, postgres
from moorage.kit.db import Database
from moorage.kit.statement import Statement

BYTEA = 17
DOUBLED = b"SELECT $1 || $1 WHERE length($1) > 0"


async def doubled(database: Database) -> Statement:
    """Prepare a statement that doubles bytes."""
    return await Statement.prepare(await database.connect(name="statement"), DOUBLED, [BYTEA])


async def test_rows_come_back_as_bytes_and_none_as_none(database: Database) -> None:
    """It runs again and again, also after psycopg has used the connection."""
    statement = await doubled(database)
    assert await statement.run([b"\x00ab"]) == [b"\x00ab\x00ab"]
    assert await statement.run([b""]) is None
    cursor = await statement.connection.execute("SELECT 1")
    assert await cursor.fetchone() == (1,)
    assert await statement.run([b"c"]) == [b"cc"]
    await statement.close()
    await statement.close()


async def test_two_statements_on_one_connection_give_all_rows_and_null_as_none(
    database: Database,
) -> None:
    """One after the other, in any order."""
    one = await doubled(database)
    other = await Statement.prepare(
        one.connection, b"SELECT n, nullif(n, '\\x62') FROM unnest(ARRAY[$1, $2]) n", [BYTEA, BYTEA]
    )
    for _ in range(2):
        assert await other.rows([b"a", b"b"]) == [[b"a", b"a"], [b"b", None]]
        assert await one.rows([b"c"]) == [[b"cc"]]
        assert await one.rows([b""]) == []
    await one.close()


async def test_a_value_larger_than_the_socket_takes_at_once(database: Database) -> None:
    """Both sides wait for each other's room without blocking the event loop."""
    statement = await doubled(database)
    large = bytes(range(256)) * 60_000
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    assert await statement.run([large]) == [large * 2]
    turning.cancel()
    assert turns > 1
    await statement.close()


async def test_what_the_server_refuses_is_an_error_and_the_next_run_goes_on(
    database: Database,
) -> None:
    """The error is psycopg's, of the class of its SQLSTATE."""
    connection = await database.connect(name="statement")
    with pytest.raises(psycopg.errors.UndefinedTable, match="nothing_here"):
        await Statement.prepare(connection, b"SELECT $1 FROM nothing_here", [BYTEA])
    statement = await Statement.prepare(
        connection, b"SELECT decode(convert_from($1, 'UTF8'), 'hex')", [BYTEA]
    )
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        await statement.run([b"xyz"])
    assert await statement.run([b"00ff"]) == [b"\x00\xff"]
    await statement.close()


async def test_a_server_that_goes_away_is_told_and_leaves_nothing_behind(
    database: Database,
) -> None:
    """Whether it goes while somebody waits or before; sockets of the same number work after it."""
    for waits in (True, False):
        connection = await database.connect(name="statement")
        statement = await Statement.prepare(connection, b"SELECT pg_sleep(length($1))", [BYTEA])
        pid = connection.info.backend_pid
        running = asyncio.create_task(statement.run([b"x" * 60])) if waits else None
        async with database.begin() as tx:
            await tx.execute(
                "SELECT pg_terminate_backend(:pid, 5000) FROM pg_stat_activity WHERE pid = :pid",
                {"pid": pid},
            )
        if running is not None:
            with pytest.raises(psycopg.Error):
                await running
        with pytest.raises(psycopg.Error):
            await statement.run([b""])
        assert connection.closed
        others = [await doubled(database) for _ in range(3)]
        await statement.close()
        for other in others:
            assert await other.run([b"z"]) == [b"zz"]
            await other.close()


async def test_a_server_that_vanishes_without_a_word_is_a_lost_connection(
    database: Database,
) -> None:
    """As when its process is killed."""
    for waits in (True, False):
        connection = await database.connect(name="statement")
        statement = await Statement.prepare(connection, b"SELECT pg_sleep(length($1))", [BYTEA])
        running = asyncio.create_task(statement.run([b"x" * 60 if waits else b""]))
        if waits:
            await asyncio.sleep(0)
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)

        with pytest.raises(psycopg.OperationalError):
            await running

        assert connection.closed
        await statement.close()


def test_a_server_that_crashes_with_the_question_unread_is_a_lost_connection(
    tmp_path: Path,
) -> None:
    """Its warning and that there is an error are told together, and only once."""
    tmp_path.chmod(0o755)  # The server may run under another user.
    with data_directory.locked(tmp_path), postgres.embedded(tmp_path, durable=False) as server:
        uvloop.run(ask_one_that_crashes(server.url))


async def ask_one_that_crashes(url: str) -> None:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    statement = await Statement.prepare(connection, b"SELECT $1", [BYTEA])
    backend = psutil.Process(connection.info.backend_pid)
    backend.suspend()
    asking = asyncio.create_task(statement.run([b"unread"]))
    await asyncio.sleep(0)
    backend.send_signal(signal.SIGQUIT)  # As the postmaster sends it when another one crashes.
    backend.resume()

    await is_told_of_the_loss(asking)

    await statement.close()


def test_an_answer_without_an_end_is_a_lost_connection(database_url: str, tmp_path: Path) -> None:
    """As when the postmaster is killed, and a backend sees that before it reads the question."""
    uvloop.run(ask_behind_one_that_breaks_off(database_url, tmp_path))


async def ask_behind_one_that_breaks_off(url: str, directory: Path) -> None:
    loop = asyncio.get_running_loop()
    given = psycopg.conninfo.conninfo_to_dict(url)
    name = f".s.PGSQL.{given.get('port', 5432)}"
    through = psycopg.conninfo.make_conninfo(url, host=str(directory))
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as server:
        for one in (door, server):
            one.setblocking(False)
        door.bind(str(directory / name))
        door.listen()
        connecting = asyncio.create_task(psycopg.AsyncConnection.connect(through, autocommit=True))
        client, _ = await loop.sock_accept(door)
        await loop.sock_connect(server, f"{given['host']}/{name}")
        ways = [asyncio.create_task(carry(*way)) for way in ((client, server), (server, client))]
        statement = await Statement.prepare(await connecting, b"SELECT $1", [BYTEA])
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        asking = asyncio.create_task(statement.run([b"unread"]))
        await asyncio.sleep(0)
        # ErrorResponse (PostgreSQL, 53.7); ReadyForQuery would follow.
        fields = b"SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0"
        client.send(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        client.close()

        await is_told_of_the_loss(asking)

        await statement.close()


async def carry(one: socket.socket, other: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(one, 65_536):
        await loop.sock_sendall(other, data)


async def is_told_of_the_loss(asking: asyncio.Task[Any]) -> None:
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(20):
            await asking


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("RAISE EXCEPTION 'not after all'", psycopg.errors.RaiseException),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", psycopg.OperationalError),
    ],
)
async def test_a_row_whose_transaction_does_not_commit_is_no_answer(
    database: Database, end: str, told: type[Exception]
) -> None:
    """The server sends a row before it commits; what then goes wrong, or who dies, comes after."""
    async with database.begin() as tx:
        for text in (
            "CREATE TABLE promises (what bytea)",
            f"CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF NEW.what = 'late' THEN {end}; END IF; RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON promises "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION break()",
        ):
            await tx.execute(text)
    statement = await Statement.prepare(
        await database.connect(name="statement"),
        b"INSERT INTO promises VALUES ($1) RETURNING what",
        [BYTEA],
    )
    assert await statement.run([b"kept"]) == [b"kept"]
    with pytest.raises(told):
        await statement.run([b"late"])
    async with database.begin() as tx:
        assert [bytes(row.what) for row in await tx.execute("SELECT what FROM promises")] == [
            b"kept"
        ]
    await statement.close()


async def test_a_connection_that_breaks_off_without_a_word_is_an_error(database: Database) -> None:
    """As when the server's process is killed."""
    connection = await database.connect(name="statement")
    statement = await Statement.prepare(connection, b"SELECT pg_sleep(length($1))", [BYTEA])
    running = asyncio.create_task(statement.run([b"x" * 60]))
    await asyncio.sleep(0.1)
    with socket.socket(fileno=connection.pgconn.socket) as ours:
        ours.shutdown(socket.SHUT_RDWR)
        ours.detach()
    with pytest.raises(psycopg.Error):
        await running
    await statement.close()
