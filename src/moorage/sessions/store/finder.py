"""Where devices are at home and what they find again, asked for all that come in one turn.

A fleet that comes back asks this some hundred times a second, so it goes straight through libpq
(decision 48).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from struct import Struct, pack
from uuid import UUID

import psycopg

from moorage.kit.copying import EPOCH_2000_US, from_us, to_us
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.statement import Statement

from ..model import KeptSession, RetainedMessage

# As `listeners.claim`, but that a device which is gone stops all: few are. If the reading after it
# fails, what the listener knows of its devices still holds: the epochs of its own stay.
_CLAIM = b"""
INSERT INTO session_homes AS h (number, listener_id, epoch)
SELECT n, l.id, 1
FROM unnest($1) AS n, session_listeners l
WHERE l.id = $2
ORDER BY n
ON CONFLICT (number) DO UPDATE SET listener_id = excluded.listener_id,
    epoch = h.epoch + CAST(h.listener_id IS NULL AS integer)
WHERE h.listener_id IS NULL OR h.listener_id = excluded.listener_id
RETURNING h.number, h.epoch
"""
# As `kept.kept_sessions`, then as `kept.retained_messages`.
_READ = b"""
SELECT true, number, client_id, state, expires_at, expiry_s, will_delay_s, will_at, shares
FROM session_kept
WHERE number = ANY($1) AND (expires_at IS NULL OR expires_at > $2 OR will_at IS NOT NULL)
UNION ALL
SELECT false, number, topic, message, expires_at, NULL, NULL, NULL, NULL
FROM session_retained
WHERE number = ANY($1) AND (expires_at IS NULL OR expires_at > $2)
"""
# Of the parameters: integer[], uuid; integer[], timestamptz (pg_type.oid).
_CLAIM_TYPES, _READ_TYPES = (1007, 2950), (1007, 1184)
_INTEGER, _INSTANT = 23, Struct("!q")
# What is NULL is not read.
_NULL = b""


class Finder:
    """Claims and reads over a connection of its own, one turn after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claim: Statement | None = None
        self._read: Statement | None = None

    async def find(
        self, listener_id: UUID, numbers: Sequence[int], now: datetime
    ) -> tuple[dict[int, int], list[KeptSession], list[RetainedMessage]]:
        """Make a listener the home of devices that have none, and read what they find again.

        The two are transactions of their own: what the former home wrote last is read.

        Args:
            listener_id: who asks.
            numbers: devices, at least one, each once.
            now: what has expired by then is left out.

        Returns:
            The epochs of those at home there; their sessions; their retained messages. If one of
            the devices is gone, nothing of any.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        try:
            claim, read = await self._prepared()
            try:
                rows = await claim.rows((_integers(numbers), listener_id.bytes))
            except psycopg.errors.ForeignKeyViolation:
                return {}, [], []
            homes = {_int(number): _int(epoch) for number, epoch in rows}
            if not homes:
                return {}, [], []
            at = _INSTANT.pack(to_us(now) - EPOCH_2000_US)
            found = await read.rows((_integers(list(homes)), at))
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as failed:
            await self.close()
            raise DatabaseUnavailable from failed
        kept = [_session(row) for row in found if row[0] == b"\1"]
        return homes, kept, [_retained(row) for row in found if row[0] != b"\1"]

    async def close(self) -> None:
        """Give the connection back."""
        claim, self._claim, self._read = self._claim, None, None
        if claim is not None:
            await claim.close()

    async def _prepared(self) -> tuple[Statement, Statement]:
        if self._claim is None or self._read is None or self._claim.connection.closed:
            connection = await self._database.connect(name="moorage-listen")
            try:
                # Who is at home where may be forgotten in a crash: nothing can be written then for
                # a device that had moved.
                await connection.execute("SET synchronous_commit TO off")
                self._claim = await Statement.prepare(connection, _CLAIM, _CLAIM_TYPES)
                self._read = await Statement.prepare(connection, _READ, _READ_TYPES)
            except BaseException:
                await connection.close()
                raise
        return self._claim, self._read


def _integers(numbers: Sequence[int]) -> bytes:
    """Write integer[]: dimensions, no NULL, type, length, first index; each with its length."""
    each = [4] * (2 * len(numbers))
    each[1::2] = numbers
    return pack(f"!{5 + len(each)}i", 1, 0, _INTEGER, len(numbers), 1, *each)


def _int(value: bytes | None) -> int:
    return int.from_bytes(value or _NULL, signed=True)


def _text(value: bytes | None) -> str:
    return (value or _NULL).decode()


def _instant(value: bytes | None) -> datetime | None:
    return None if value is None else from_us(_int(value) + EPOCH_2000_US)


def _session(row: Sequence[bytes | None]) -> KeptSession:
    _, number, client_id, state, expires_at, expiry_s, will_delay_s, will_at, shares = row
    return KeptSession(
        _int(number),
        _text(client_id),
        state or _NULL,
        _int(expiry_s),
        _instant(expires_at),
        None if will_delay_s is None else _int(will_delay_s),
        _instant(will_at),
        shares == b"\1",
    )


def _retained(row: Sequence[bytes | None]) -> RetainedMessage:
    _, number, topic, message, expires_at, *_ = row
    return RetainedMessage(_int(number), _text(topic), message, _instant(expires_at))
