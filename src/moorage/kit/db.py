"""One transaction, one clock reading, one commit.

`Database.begin()` is the only way to a transaction, and the only place that commits.
"""

from __future__ import annotations

import json
import select
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, cast
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import namedtuple_row
from sqlalchemy import Executable, Select, event, insert, text
from sqlalchemy.engine import Connection, CursorResult, make_url
from sqlalchemy.exc import InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from moorage.kit.caller import SYSTEM, Caller
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.facts import Fact, facts
from moorage.kit.ids import uuid7
from moorage.kit.trace import span

log = structlog.get_logger()

# What goes past SQLAlchemy, such as COPY, raises the driver's own errors.
_UNAVAILABLE = (
    OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError
)  # fmt: skip
_DIALECT = make_url("postgresql+psycopg://").get_dialect()()
FACTS_CHANNEL = "moorage_facts"
# A server that vanished without a word is noticed after a minute (libpq's names).
_ALIVE: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


class DatabaseUnavailable(MoorageError):
    """PostgreSQL does not answer."""

    kind = Kind.UNAVAILABLE
    code = "database_unavailable"
    message = "The database does not answer just now. Try again in a few seconds."


def to_json(value: Any) -> str:
    """Write JSON for jsonb columns: instants in RFC 3339, ids and enums as text."""
    return json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value, key=str)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form.")


def written(statement: Select[Any]) -> bytes:
    """Write a query as `Tx.run` takes it; bound parameters keep their names.

    SQLAlchemy finds a statement that it knows again in 0.1 to 0.2 ms of Python each time.
    """
    return str(statement.compile(dialect=_DIALECT)).encode()


def duration(value: timedelta) -> str:
    """Write a duration in ISO 8601: whole days as `P3D`, else as `P3DT4H5M6S`."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    clock = "".join(f"{n}{unit}" for n, unit in parts if n)
    days = f"{value.days}D" if value.days or not clock else ""
    return f"P{days}" + (f"T{clock}" if clock else "")


class Tx:
    """One transaction with one reading of the clock.

    Attributes:
        now: the instant of the transaction, the same for every row it writes.
        caller: who makes the changes; goes into each fact.
        announced: the facts so far, written just before the commit.
    """

    def __init__(self, connection: AsyncConnection, caller: Caller) -> None:
        self.connection = connection
        self.caller = caller
        self.now = datetime.now(UTC)
        self.announced: list[Fact] = []

    async def execute(
        self,
        statement: Executable | str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
    ) -> CursorResult[Any]:
        """Run one statement."""
        if isinstance(statement, str):
            statement = text(statement)
        return await self.connection.execute(statement, parameters)

    @property
    def driver(self) -> psycopg.AsyncConnection[Any]:
        """The psycopg connection beneath, for COPY and the message path's statements."""
        # `AsyncConnection.get_raw_connection` gives the same and takes as long as a statement.
        pooled = cast("Connection", self.connection.sync_connection).connection
        return cast("psycopg.AsyncConnection[Any]", pooled.driver_connection)

    async def run(
        self, statement: bytes, parameters: Mapping[str, Any]
    ) -> psycopg.AsyncCursor[Any]:
        """Run a statement of the message path: as it stands, prepared, values in binary."""
        return await self.driver.execute(statement, parameters, prepare=True, binary=True)

    async def rows(self, statement: bytes, parameters: Mapping[str, Any]) -> list[Any]:
        """Run a statement as `run` does; give its rows, their columns by name."""
        cursor = await self.run(statement, parameters)
        cursor.row_factory = namedtuple_row
        return await cursor.fetchall()

    def stamp(self, by: UUID | None = None) -> dict[str, Any]:
        """Give the four stamps of a new row."""
        who = by or self.caller.id
        return {
            "created_at": self.now,
            "updated_at": self.now,
            "created_by": who,
            "updated_by": who,
        }

    def restamp(self, by: UUID | None = None) -> dict[str, Any]:
        """Give the two stamps of a changed row."""
        return {"updated_at": self.now, "updated_by": by or self.caller.id}

    def announce(self, fact: Fact) -> None:
        """Write `fact` with this transaction."""
        self.announced.append(fact)

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Open a savepoint: an error takes back what was done and announced within, no more."""
        told = len(self.announced)
        try:
            async with self.connection.begin_nested():
                yield
        except BaseException:
            del self.announced[told:]
            raise

    async def flush(self) -> None:
        """Write the announced facts; called by the edge before the commit."""
        if not self.announced:
            return
        rows = [
            {
                "id": uuid7(),
                "at": self.now,
                "name": fact.name,
                "organization_id": fact.organization_id,
                "subject_id": fact.subject_id,
                "caller_kind": self.caller.kind.value,
                "caller_id": self.caller.id,
                "caller_label": self.caller.label,
                "origin": self.caller.origin,
                "before": fact.before,
                "after": fact.after,
                "personal": fact.personal_fields(),
            }
            for fact in self.announced
        ]
        await self.execute(insert(facts), rows)
        names = ",".join(sorted({fact.name for fact in self.announced}))
        await self.execute(
            "SELECT pg_notify(:channel, :names)", {"channel": FACTS_CHANNEL, "names": names[:7000]}
        )


# Opens a transaction, and tells who the caller is by now; for what outlasts a request.
Opened = Callable[[], AbstractAsyncContextManager[tuple[Tx, Caller]]]


class Database:
    """A pool of connections to one PostgreSQL.

    Args:
        url: libpq URL.
        pool_size: how many connections at most.
        name: what PostgreSQL lists them as.
        durable: whether a commit waits for the disk. If not, a crash of the server may undo the
            last transactions, always the last ones: for what is derived from the ledger and
            derived again.
    """

    def __init__(
        self, url: str, *, pool_size: int = 10, name: str = "moorage", durable: bool = True
    ) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            json_serializer=to_json,
            connect_args={
                "application_name": name, "connect_timeout": 5, "prepare_threshold": 3, **_ALIVE
            },
        )  # fmt: skip
        event.listen(self.engine.sync_engine, "checkout", _renew_if_cut)
        self._each = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        if not durable:
            event.listen(self.engine.sync_engine, "connect", _do_not_wait_for_disk)

    def begin(self, caller: Caller = SYSTEM) -> AbstractAsyncContextManager[Tx]:
        """Open a transaction; commit it with its facts when the block ends without an error.

        Raises:
            DatabaseUnavailable: the server is gone or never answered; after the block has ended
                it is not known whether the commit took place.
        """
        return self._open(self.engine, caller)

    def each(self) -> AbstractAsyncContextManager[Tx]:
        """Run statements each of which is a transaction of its own.

        For a few questions in a row, which need not hang together: BEGIN and COMMIT are two trips
        to the server more. Raises DatabaseUnavailable.
        """
        return self._open(self._each, SYSTEM)

    @asynccontextmanager
    async def _open(self, engine: AsyncEngine, caller: Caller) -> AsyncIterator[Tx]:
        try:
            with span("database.transaction"):
                async with engine.connect() as connection, connection.begin():
                    tx = Tx(connection, caller)
                    yield tx
                    await tx.flush()
        except _UNAVAILABLE as lost:
            # Whoever asked hears no more than that it is so; why is for who runs the database.
            log.warning("database_unavailable", error=str(lost).partition("\n")[0])
            raise DatabaseUnavailable from lost

    async def connect(self, *, name: str, autocommit: bool = True) -> psycopg.AsyncConnection[Any]:
        """Open one connection outside the pool, for what holds it for life."""
        return await psycopg.AsyncConnection.connect(
            self.url, autocommit=autocommit, application_name=name, connect_timeout=5, **_ALIVE
        )

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _renew_if_cut(connection: Any, _record: object, _pooled: object) -> None:
    """Let the pool open new connections if the server has closed this one.

    A server that ends or goes away for good closes its sockets, or the keep-alive does; either can
    be read off the socket. To ask the server before each transaction costs as much as a statement.
    """
    poll = select.poll()
    poll.register(connection.driver_connection.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        raise InvalidatePoolError


def _do_not_wait_for_disk(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    connection.commit()


def sqlalchemy_url(url: str) -> str:
    """Turn a libpq URL into SQLAlchemy's form for psycopg."""
    made = make_url(url).set(drivername="postgresql+psycopg")
    return made.render_as_string(hide_password=False)
