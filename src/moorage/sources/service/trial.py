"""Trying a broker out: sign in, subscribe, and see what the first messages would become."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from moorage import devices
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.ids import uuid7
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer
from moorage_mqtt import Publish

from ..facts import SourceTested
from ..model import Granted, Health, NewSource, Outcome, Sample, Source, Trial
from . import catalogue
from .notes import excerpt_of
from .reading import Reading, Refused
from .topics import readers
from .wire import LARGEST_PACKET, Login, Lost, Wire, connect, is_refused, words_of

LISTEN_S = 3.0
MOST_SAMPLES = 10


async def try_new(database: Database, caller: Caller, new: NewSource, network: Outbound) -> Trial:
    """Try what would make a source; no transaction is open meanwhile.

    Raises:
        OrganizationUnknown, PermissionMissing, ApplicationUnknown, FieldInvalid.
    """
    async with database.begin(caller) as tx:
        await catalogue.to_add(tx, caller, new)
        about, source_id = {"url": new.url}, uuid7()
        subject = new.organization_id or source_id
        tx.announce(SourceTested(subject, new.organization_id, after=about))
    return await _try(database, _source_of(new, source_id), new.secrets, network)


async def try_change(
    database: Database,
    caller: Caller,
    source_id: UUID,
    changes: Mapping[str, Any],
    sealer: Sealer,
    network: Outbound,
) -> Trial:
    """Try a source as it would be with some changes; no transaction is open meanwhile.

    Raises:
        SourceUnknown, PermissionMissing, FieldInvalid.
    """
    async with database.begin(caller) as tx:
        source = await catalogue.to_manage(tx, caller, source_id)
        secrets = await catalogue.secrets_of(tx, source_id, sealer)
        new = catalogue.changed(source, secrets, changes)
        catalogue.check(new)
        tx.announce(SourceTested(source_id, source.organization_id, after={"url": new.url}))
    return await _try(database, _source_of(new, source_id), new.secrets, network)


def _source_of(new: NewSource, source_id: UUID) -> Source:
    values = {name: getattr(new, name) for name in NewSource.__dataclass_fields__}
    now = datetime.now(UTC)
    return Source(
        **values | {"secrets": tuple(new.secrets)}, id=source_id, paused=False, health=Health(),
        created_at=now, updated_at=now, created_by=source_id, updated_by=source_id,
    )  # fmt: skip


async def _try(
    database: Database, source: Source, secrets: Mapping[str, str], network: Outbound
) -> Trial:
    # Beside whoever fetches, and without a trace: another client id, a session of no past.
    own_id = source.client_id[:80] or "moorage"
    login = Login.of(source, secrets, client_id=f"{own_id}-test-{uuid7().hex[-8:]}", clean=True)
    came: list[Publish] = []
    enough = asyncio.Event()

    def published(publish: Publish) -> None:
        if len(came) < MOST_SAMPLES:
            came.append(publish)
        else:
            enough.set()

    began = time.perf_counter()
    try:
        wire, _answer = await connect(login, network, published)
    except Lost as lost:
        return Trial(connected=False, detail=str(lost), latency_ms=_ms(began))
    latency_ms = _ms(began)
    try:
        granted = await _subscribe(wire, source)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_S):
                await enough.wait()
    except Lost as lost:
        return Trial(connected=True, detail=str(lost), latency_ms=latency_ms)
    finally:
        wire.goodbye(forget=True)
    async with database.begin() as tx:
        samples = [one for publish in came for one in await _samples(tx, source, publish)]
    detail = "The broker lets us in."
    if any(one.qos is None for one in granted):
        detail = "The broker lets us in, but refuses subscriptions."
    return Trial(True, detail, latency_ms, tuple(granted), tuple(samples[:MOST_SAMPLES]))


async def _subscribe(wire: Wire, source: Source) -> list[Granted]:
    asked = readers(source.subscriptions)
    codes = await wire.subscribe({r.template.filter: r.asked.qos for r in asked}, retained=True)
    granted = []
    for reader in asked:
        code, topic = codes[reader.template.filter], reader.asked.topic
        if is_refused(code):
            granted.append(Granted(topic, None, f"Refused: {words_of(code, {})}."))
        elif code < reader.asked.qos:
            granted.append(Granted(topic, code, f"The broker grants QoS {code} only."))
        else:
            granted.append(Granted(topic, code, ""))
    return granted


async def _samples(tx: Tx, source: Source, publish: Publish) -> Sequence[Sample]:
    """Tell what would become of a message; nobody begins to wait by it."""
    reading = Reading(source.id, readers(source.subscriptions), LARGEST_PACKET)
    topic, excerpt = publish.topic, excerpt_of(publish.payload)
    try:
        items = reading.items(publish)
    except Refused as refused:
        return [Sample(topic, Outcome.REFUSED, "", "", None, str(refused), excerpt)]
    found = []
    for item in items[:MOST_SAMPLES]:
        if isinstance(item.name, Refused):
            told = Sample(topic, Outcome.REFUSED, "", "", None, str(item.name), excerpt)
        else:
            outcome, detail = await _judged(tx, source, item.name)
            told = Sample(topic, outcome, item.name, item.channel, item.port, detail, excerpt)
        found.append(told)
    return found


async def _judged(tx: Tx, source: Source, name: str) -> tuple[Outcome, str]:
    would_wait = False

    def may_add() -> bool:
        nonlocal would_wait
        would_wait = True
        return False

    kind = devices.DeviceKind.MQTT
    try:
        sender = await devices.find_called(tx, source.naming, name, kind, may_add)
    except devices.CalledUnfit as unfit:
        if would_wait:
            return Outcome.TAKEN, "The sender is new; it would wait in the inbox."
        return Outcome.REFUSED, str(unfit)
    if not sender.may_send:
        return Outcome.REFUSED, f"The device is {sender.state.value}."
    return Outcome.TAKEN, ""


def _ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
