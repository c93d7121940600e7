"""Outgoing mail: queued with the change that it tells of, sent by the worker.

A letter may carry a one-time link, so it is stored sealed, and forgotten once it is sent. It is
sent at least once, and once only but for one gap: a worker that dies between the server's "250"
and its own note of it sends the letter again ten minutes later, under the same Message-ID.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    select,
    update,
)

from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.kit.secrets import RootKeyWrong, Sealer
from moorage.kit.smtp import Letter, NotSent, Server, send
from moorage.kit.tables import metadata

log = structlog.get_logger()

CHANNEL = "moorage_mails"
# Without a ring, the queue is looked at this often.
LOOK_EVERY_S = 5.0
# Between one try and the next; after the last the waits stay the same.
WAITS = tuple(timedelta(minutes=m) for m in (0.5, 2, 5, 15, 30, 60))
# Whoever took a letter and is silent for this long has died.
LEASE = timedelta(minutes=10)
GIVEN_UP_KEPT = timedelta(days=30)

mails = Table(
    "mails",
    metadata,
    Column("id", Uuid, primary_key=True),
    # The person it is about; it goes when they are erased.
    Column("about_id", Uuid, index=True),
    Column("purpose", Text, nullable=False),
    # Address, subject and text; gone once it was given up.
    Column("sealed", LargeBinary),
    Column("tries", Integer, nullable=False),
    Column("queued_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    # What it says holds no longer; a letter that was not sent until then is given up.
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("given_up_at", DateTime(timezone=True)),
    Column("reason", Text),
)
Index("mails_due", mails.c.due_at, postgresql_where=mails.c.given_up_at.is_(None))


@dataclass(frozen=True, slots=True)
class Post:
    """What it takes to write letters.

    Attributes:
        sealer: seals them until they are sent.
        public_url: where links lead, without a slash at the end.
        works: whether the operator has set a server; without one nothing is queued.
    """

    sealer: Sealer
    public_url: str
    works: bool


async def queue(
    tx: Tx,
    post: Post,
    letter: Letter,
    *,
    purpose: str,
    about_id: UUID | None,
    holds: timedelta = timedelta(days=1),
) -> None:
    """Queue a letter; it is sent once this transaction has committed.

    Args:
        tx: the change that it tells of.
        post: without a server nothing is queued.
        letter: to whom, and what.
        purpose: a word for logs, such as `users.invited`.
        about_id: the person it is about.
        holds: for how long it is worth sending.
    """
    if not post.works:
        return
    mail_id = uuid7()
    plain = json.dumps(asdict(letter)).encode()
    await tx.execute(
        insert(mails).values(
            id=mail_id,
            about_id=about_id,
            purpose=purpose,
            sealed=post.sealer.seal(plain, _context(mail_id)),
            tries=0,
            queued_at=tx.now,
            due_at=tx.now,
            expires_at=tx.now + holds,
        )
    )
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": CHANNEL})


async def forget(tx: Tx, about_id: UUID) -> None:
    """Delete what is queued about a person."""
    await tx.execute(delete(mails).where(mails.c.about_id == about_id))


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal what waits with the sealing key that is in use."""
    waiting = select(mails.c.id, mails.c.sealed).where(mails.c.sealed.is_not(None))
    for row in await tx.execute(waiting.with_for_update()):
        plain = sealer.open(row.sealed, _context(row.id))
        sealed = sealer.seal(plain, _context(row.id))
        await tx.execute(update(mails).where(mails.c.id == row.id).values(sealed=sealed))


async def clear_away(tx: Tx) -> None:
    """Give up what holds no longer, and forget what was given up a month ago; hourly."""
    gone = mails.c.given_up_at.is_(None) & (mails.c.expires_at <= tx.now - LEASE)
    rows = await tx.execute(select(mails.c.id, mails.c.purpose, mails.c.tries).where(gone))
    for row in rows.all():
        await _give_up(tx, row, "never_sent")
    await tx.execute(delete(mails).where(mails.c.given_up_at < tx.now - GIVEN_UP_KEPT))


# --- Sending ----------------------------------------------------------------


class Postman:
    """Sends what is queued, one letter at a time; several may work side by side.

    Args:
        database: where the queue is.
        doorbells: ring when something was queued.
        sealer: opens it.
        server: takes it; without one nothing is done.
    """

    def __init__(
        self, database: Database, doorbells: Doorbells, sealer: Sealer, server: Server | None
    ) -> None:
        self._database, self._sealer, self._server = database, sealer, server
        self._rung = asyncio.Event()
        doorbells.on(CHANNEL, lambda _payload: self._rung.set())

    async def run(self) -> None:
        """Send until cancelled."""
        while self._server is not None:
            self._rung.clear()
            try:
                while await self.step():
                    pass
            except DatabaseUnavailable as lost:
                log.warning("mail_postponed", error=str(lost))
            try:
                await asyncio.wait_for(self._rung.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue
        await asyncio.Event().wait()

    async def step(self) -> bool:
        """Send the letter that has been due longest; tells whether there was one."""
        if self._server is None:
            return False
        async with self._database.begin() as tx:
            row = await _take(tx)
        if row is None:
            return False
        try:
            if row.expires_at <= row.taken_at:
                raise NotSent("never_sent", for_good=True)
            await send(self._server, self._open(row), row.id)
        except NotSent as failed:
            async with self._database.begin() as tx:
                await _put_off(tx, row, failed)
        else:
            async with self._database.begin() as tx:
                await tx.execute(delete(mails).where(mails.c.id == row.id))
            log.info("mail_sent", mail_id=row.id.hex, purpose=row.purpose, tries=row.tries)
        return True

    def _open(self, row: Any) -> Letter:
        try:
            return Letter(**json.loads(self._sealer.open(row.sealed, _context(row.id))))
        except RootKeyWrong as wrong:
            # A key made since may not be known here yet.
            raise NotSent("not_opened", for_good=False) from wrong


# --- The queue --------------------------------------------------------------


async def _take(tx: Tx) -> Any:
    """Take the letter that has been due longest, for as long as the lease."""
    due = (
        select(mails.c.id)
        .where(mails.c.given_up_at.is_(None), mails.c.due_at <= tx.now)
        .order_by(mails.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = (
        update(mails)
        .where(mails.c.id == due)
        .values(tries=mails.c.tries + 1, due_at=tx.now + LEASE)
        .returning(
            mails.c.id,
            mails.c.purpose,
            mails.c.sealed,
            mails.c.tries,
            mails.c.expires_at,
            (mails.c.due_at - LEASE).label("taken_at"),
        )
    )
    return (await tx.execute(taken)).one_or_none()


async def _put_off(tx: Tx, row: Any, failed: NotSent) -> None:
    """Try again later, or not at all where that is of no use."""
    due_at: datetime = tx.now + WAITS[min(row.tries, len(WAITS)) - 1]
    if failed.for_good or due_at >= row.expires_at:
        await _give_up(tx, row, failed.reason)
        return
    again = update(mails).where(mails.c.id == row.id)
    await tx.execute(again.values(due_at=due_at, reason=failed.reason))
    log.info(
        "mail_put_off", mail_id=row.id.hex, purpose=row.purpose, tries=row.tries,
        reason=failed.reason,
    )  # fmt: skip


async def _give_up(tx: Tx, row: Any, reason: str) -> None:
    given_up = update(mails).where(mails.c.id == row.id)
    await tx.execute(given_up.values(given_up_at=tx.now, sealed=None, reason=reason))
    log.error(
        "mail_given_up", mail_id=row.id.hex, purpose=row.purpose, tries=row.tries, reason=reason
    )


def _context(mail_id: UUID) -> str:
    return f"mails:{mail_id}"
