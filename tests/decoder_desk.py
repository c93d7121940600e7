"""What the tests of kept decoders share: scripts, callers, a workshop with real processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from moorage import decoders, organizations
from moorage.decoders import DecodeContext, DecoderRuntime, Job, NewDecoder, Workshop
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Database, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.organizations import NewOrganization, Permission, Role
from moorage.organizations.model import ROLE_PERMISSIONS

AT = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
ROOT = Caller(CallerKind.PERSON, uuid7(), "root", (Grant(frozenset(Permission)),))
# Temperature in tenths of a degree and humidity in percent; the port is the third byte's business.
TENTHS = """function decodeUplink(input) {
  if (input.bytes.length !== 3) return {errors: ["three bytes, please"]};
  return {data: {
    temperature: ((input.bytes[0] << 8) | input.bytes[1]) / 10, humidity: input.bytes[2]}};
}
function encodeDownlink(input) { return {bytes: [input.data.minutes], fPort: 7}; }
"""
HUNDREDTHS = TENTHS.replace("/ 10", "/ 100")


def administrator(organization_id: UUID) -> Caller:
    grant = Grant(ROLE_PERMISSIONS[Role.APPLICATION_ADMIN], organization_id)
    return Caller(CallerKind.PERSON, uuid7(), "administrator", (grant,))


def reader(organization_id: UUID) -> Caller:
    grant = Grant(ROLE_PERMISSIONS[Role.READ], organization_id)
    return Caller(CallerKind.PERSON, uuid7(), "reader", (grant,))


async def found(database: Database, name: str) -> UUID:
    async with database.begin(ROOT) as tx:
        return (await organizations.found(tx, ROOT, NewOrganization(name))).id


def a_decoder(organization_id: UUID, name: str = "Tenths", **fields: Any) -> NewDecoder:
    return NewDecoder(organization_id, name, **{"source": TENTHS, **fields})


def a_job(organization_id: UUID, decoder_id: UUID | None, payload: bytes, **fields: Any) -> Job:
    return Job(organization_id, decoder_id, DecodeContext(payload, AT, **fields))


async def facts(tx: Tx, name: str) -> list[Any]:
    query = "SELECT * FROM facts WHERE name = :name ORDER BY id"
    return list(await tx.execute(query, {"name": name}))


@contextlib.asynccontextmanager
async def opened(
    database_url: str, runtimes: Mapping[str, DecoderRuntime] | None = None
) -> AsyncIterator[Workshop]:
    """Open a workshop whose doorbells are listened to."""
    database = Database(database_url, pool_size=5, name="moorage-test")
    doorbells = Doorbells(database)
    workshop = Workshop(database, doorbells, runtimes or decoders.find_runtimes(workers=1))
    listening = asyncio.create_task(doorbells.run())
    try:
        yield workshop
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        if runtimes is None:
            await workshop.close()
        await database.close()
