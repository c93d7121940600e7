"""Fetching by one connection of a source: in order, acknowledged once it is durable."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets as dice
import time
from collections.abc import Mapping
from functools import partial

import structlog

from moorage.kit.errors import MoorageError
from moorage_mqtt import Acknowledged, Session

from .. import store
from ..model import UPLINK, BrokerSession, Share, Source
from .events import filters
from .front import Front
from .means import Means
from .notes import Notes
from .taking import Taking
from .topics import Template, readers
from .wire import Login, Lost, Wire, connect, is_refused, words_of

log = structlog.get_logger()

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# A connection that held for so long was a good one: the next pause is short again.
STEADY_S = 10.0
# A connection that the source has no longer is done with once the broker has sent nothing for so
# long.
DRAINED_S = 3.0
# How often what the broker refused to subscribe us to is asked for again.
ASK_AGAIN_S = 60.0
# A subscription that several clients share (MQTT 5, section 4.8.2), and what of it.
_SHARED = "$share/"
_UP = Template(UPLINK.topic).filter


class Intake:
    """Fetches the messages of a source by a connection that this process holds.

    With several connections each has a session of its own at the broker and takes part in one
    shared subscription to what devices send; what must keep its order comes by the first alone.

    One PUBLISH is acknowledged once all it carried is in the ledger, is known to be there, or was
    refused; the broker keeps the rest and sends it again on the next connection.
    """

    def __init__(
        self, means: Means, source: Source, secrets: Mapping[str, str], number: int = 0
    ) -> None:
        self._means = means
        self._share = Share(source.id, number)
        self._source = source
        self._secrets = secrets
        self._readers = readers(source.subscriptions)
        self._notes = Notes(source, number)
        self._front: Front | None = None
        if source.front is not None:
            self._front = Front(source, means.database, means.door, leads=not number)
        self._client = Session()
        self._session = BrokerSession()
        self._taking = Taking(means, source, self._readers, self._notes, self._front)
        self.is_removed = False
        """Whether the broker shall forget us at the end."""

    @property
    def _is_spare(self) -> bool:
        """Whether the source has this connection no longer: it is emptied, and that is all."""
        return self._share.number >= self._source.connections

    async def run(self) -> None:
        """Fetch until cancelled, or until there is no more to come by a spare connection.

        What was taken in is committed and acknowledged first.
        """
        writing = [asyncio.create_task(self._notes.write_for_ever(self._means.database))]
        if self._front is not None:
            writing.append(asyncio.create_task(self._front.follow()))
        failures = 0
        try:
            while True:
                began = time.monotonic()
                try:
                    if (reason := await self._connection()) is None:
                        return
                except (Lost, MoorageError) as lost:
                    reason = str(lost)
                except Exception:  # One source's trouble stops no other, and may pass.
                    log.exception("source_broken", source_id=self._source.id)
                    reason = "The platform failed; its system log says how."
                failures = 0 if time.monotonic() - began > STEADY_S else failures + 1
                most = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures, 10))
                # Many that lose one broker shall not all come back at once.
                pause = random.uniform(most / 2, most)  # noqa: S311
                self._notes.failing(reason, pause)
                await asyncio.sleep(pause)
        finally:
            for task in writing:
                task.cancel()
            await asyncio.wait(writing)

    # --- One connection ---------------------------------------------------

    async def _connection(self) -> str | None:
        """Connect and fetch; give why the connection ended, None if nothing more will come.

        Raises:
            Lost, MoorageError.
        """
        async with self._means.database.begin() as tx:
            self._session = await store.session_of(tx, self._share)
        self._taking.session_number = self._session.number
        if self._is_spare and not self._session.number:
            return None
        login = Login.of(self._source, self._secrets, self._share.number)
        wire, answer = await connect(
            login, self._means.network, self._taking.put, self._client, self._acknowledged
        )
        self._taking.wire = wire
        draining: asyncio.Task[None] | None = None
        try:
            if not answer.session_present or not self._session.number:
                await self._keep(BrokerSession(dice.randbits(31) + 1))
            draining = asyncio.create_task(self._taking.drain(wire))
            draining.add_done_callback(partial(_end_with, wire))
            await self._subscribe(wire, anew=True)
            if self._is_spare:
                return await self._emptied(wire)
            if self._front is not None and self._front.leads:
                self._front.connected(wire)
                self._means.fronts.opened(self._front)
            while not wire.lost.done():
                await asyncio.wait([wire.lost], timeout=ASK_AGAIN_S)
                if not wire.lost.done() and self._missing():
                    await self._subscribe(wire)
            return wire.lost.result()
        finally:
            await self._leave(wire, draining)

    async def _emptied(self, wire: Wire) -> str | None:
        """Wait until nothing more comes, and have the broker forget this connection."""
        taking = self._taking
        taking.came_at = time.monotonic()
        while not wire.lost.done():
            await asyncio.wait([wire.lost], timeout=DRAINED_S / 10)
            if not taking.is_busy and time.monotonic() - taking.came_at > DRAINED_S:
                wire.goodbye(forget=True)
                await self._keep(BrokerSession())
                return None
        return wire.lost.result()

    async def _leave(self, wire: Wire, draining: asyncio.Task[None] | None) -> None:
        """Let what was taken in be committed, and drop the rest: the broker has it."""
        wire.pause()
        if self._front is not None:
            self._means.fronts.closed(self._front)
            self._front.lost()
        if draining is not None:
            draining.cancel()
            await asyncio.wait([draining])
        await self._taking.settle()
        self._taking.wire = None
        if wire.lost.done():
            return
        wire.resume()
        if self.is_removed:
            with contextlib.suppress(Lost):
                await wire.unsubscribe(list(self._session.subscribed))
        wire.goodbye(forget=self.is_removed)

    def _wanted(self) -> dict[str, int]:
        source = self._source
        if self._is_spare:
            return {}
        wanted = {one.template.filter: one.asked.qos for one in self._readers}
        if source.front is None:
            return wanted
        shared: dict[str, int] = {}
        if source.connections > 1:
            # Answers to commands and reported states keep their order, so they are not shared.
            shared[f"{_SHARED}moorage-{source.id.hex}/{_UP}"] = wanted.pop(_UP)
        return shared if self._share.number else shared | wanted | filters(source.front)

    def _missing(self) -> dict[str, int]:
        had = self._session.subscribed
        return {name: qos for name, qos in self._wanted().items() if had.get(name) != qos}

    async def _subscribe(self, wire: Wire, *, anew: bool = False) -> None:
        """Have the broker's session hold our subscriptions and no others.

        Those it holds already are left as they are: some brokers would send retained messages anew.
        Shared ones bring none, and Mosquitto 2.0 has lost them when it was started again, so on a
        new connection they are asked for `anew`.
        """
        wanted, missing = self._wanted(), self._missing()
        if anew:
            missing |= {name: qos for name, qos in wanted.items() if name.startswith(_SHARED)}
        gone = [name for name in self._session.subscribed if name not in wanted]
        # What devices send goes over to a shared subscription without a gap.
        is_first = self._source.front is None
        if is_first:
            await wire.unsubscribe(gone)
        codes = await wire.subscribe(missing)
        if not is_first:
            await wire.unsubscribe(gone)
        refused = {name: code for name, code in codes.items() if is_refused(code)}
        held = {name: qos for name, qos in wanted.items() if name not in refused}
        if held != self._session.subscribed:
            await self._keep(BrokerSession(self._session.number, held))
        words = (f"{name} ({words_of(code, {})})" for name, code in refused.items())
        told = f"The broker refuses subscriptions: {', '.join(words)}." if refused else ""
        self._notes.connected(told)

    async def _keep(self, session: BrokerSession) -> None:
        async with self._means.database.begin() as tx:
            await store.put_session(tx, self._share, session)
        self._session = session
        self._taking.session_number = session.number

    def _acknowledged(self, event: Acknowledged) -> None:
        if self._front is not None:
            self._front.acknowledged(event)


def _end_with(wire: Wire, draining: asyncio.Task[None]) -> None:
    """End the connection if what looks at its messages has failed."""
    if not draining.cancelled() and (failed := draining.exception()) is not None:
        log.error("source_broken", exc_info=failed)
        wire.end("The platform failed; its system log says how.")
