"""A prepared statement run a thousand times a second.

psycopg's cursor takes three times as long a run (`python -m bench ledger`): it converts, looks up
and waits anew each time. Here libpq is given bytes, and the socket stays watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import psycopg
from psycopg import errors, pq

_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_numbers = count()


class Statement:
    """One statement on a connection of its own, values and rows in PostgreSQL's binary form.

    psycopg, or another statement, may use the connection between two runs, not during one.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], parameters: int) -> None:
        self.connection = connection
        self._name = b"moorage_%d" % next(_numbers)
        self._pgconn = connection.pgconn
        # libpq closes it by itself when the server is gone, and then gives it no more.
        self._socket = connection.pgconn.socket
        self._loop = asyncio.get_running_loop()
        self._formats = [pq.Format.BINARY] * parameters
        self._watches = self._told = False
        self._waiter: asyncio.Future[None] | None = None

    @classmethod
    async def prepare(
        cls, connection: psycopg.AsyncConnection[Any], text: bytes, types: Sequence[int]
    ) -> Statement:
        """Prepare a statement.

        Args:
            connection: to run it on.
            text: SQL with $1, $2 and so on.
            types: PostgreSQL's number of each parameter's type (pg_type.oid).

        Raises:
            psycopg.Error: the server does not take it, or is gone.
        """
        made = cls(connection, len(types))
        await made._ask(lambda: made._pgconn.send_prepare(made._name, text, types))
        return made

    async def run(self, values: Sequence[bytes]) -> list[bytes] | None:
        """Run it with a value for each parameter; give the first row, None if there is none.

        After a cancelled run the connection is of no more use.

        Raises:
            psycopg.Error: the server refused, or is gone.
        """
        result = await self._run(values)
        if result.ntuples == 0:
            return None
        return [result.get_value(0, column) or b"" for column in range(result.nfields)]

    async def rows(self, values: Sequence[bytes]) -> list[list[bytes | None]]:
        """Run it as `run`; give all rows, NULL as None."""
        result = await self._run(values)
        columns = range(result.nfields)
        return [[result.get_value(row, one) for one in columns] for row in range(result.ntuples)]

    async def _run(self, values: Sequence[bytes]) -> pq.abc.PGresult:
        return await self._ask(
            lambda: self._pgconn.send_query_prepared(
                self._name, values, self._formats, pq.Format.BINARY
            )
        )

    async def _ask(self, send: Callable[[], None]) -> pq.abc.PGresult:
        if self.connection.closed:
            raise psycopg.OperationalError("the connection is closed")
        # Anew each time: when psycopg has waited for the connection it watches it no more.
        self._loop.add_reader(self._socket, self._readable)
        self._watches, self._told = True, False
        try:
            send()
            return await self._result()
        except BaseException:
            self._watch_no_more()
            raise

    async def _result(self) -> pq.abc.PGresult:
        pgconn, loop = self._pgconn, self._loop
        while pgconn.flush():
            room = loop.create_future()
            loop.add_writer(self._socket, _settle, room)
            try:
                await room
            finally:
                loop.remove_writer(self._socket)
        # A row comes before its transaction has ended: a server that goes down in between sends the
        # row all the same, and after it that it ends. So all counts, not the first.
        results: list[pq.abc.PGresult] = []
        while (result := await self._next()) is not None:
            results.append(result)
        for result in results:
            if result.status not in _DONE:
                failed = errors.error_from_result(result)
                # Without a state it is libpq's own: the server has vanished.
                raise failed if failed.sqlstate else psycopg.OperationalError(str(failed))
        if not results or pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError("the connection is lost")
        return results[0]

    async def _next(self) -> pq.abc.PGresult | None:
        """Wait for the next result; None once the server is through with it."""
        while self._pgconn.is_busy():
            if self._told and self._watches:
                # libuv watches no more once it has told of an error, as of a server that crashed
                # and left the question unread, though its last words are to be read before that.
                self._loop.remove_reader(self._socket)
                self._loop.add_reader(self._socket, self._readable)
            self._told = False
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._pgconn.get_result()

    def _readable(self) -> None:
        """Take in what the server sent, also when nobody waits for it: else we are called again."""
        self._told = True
        try:
            self._pgconn.consume_input()
        except psycopg.Error:
            # What has been lost, the next result tells.
            self._watch_no_more()
        if self._waiter is not None:
            _settle(self._waiter)

    def _watch_no_more(self) -> None:
        """Stop watching, once and at once: when it is closed, its number is soon another's."""
        if self._watches:
            self._watches = False
            self._loop.remove_reader(self._socket)

    async def close(self) -> None:
        """Close the connection."""
        if not self.connection.closed:
            self._loop.remove_reader(self._socket)
        await self.connection.close()


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
