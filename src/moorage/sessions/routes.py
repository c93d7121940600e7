"""HTTP of presence, and the live trace of a device's packets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from moorage.devices import DeviceUnknown
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import DatabaseUnavailable
from moorage.kit.errors import CursorInvalid, FieldInvalid, MoorageError
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.organizations import PermissionMissing

from . import service
from .errors import ConnectionUnknown, ProgramUnknown, TooManyTraces
from .model import Presence, PresenceFilter, Program, ProgramFilter, Watch
from .schemas import DevicePresenceOut, EndBody, PacketOut, PresenceOut, ProgramOut, packet_out

router = APIRouter(prefix="/api/v1", tags=["presence"])
LOOK_EVERY_S = 1.0
BEAT_S = 5.0
# What the data of an event `packet` is.
_PACKET = PacketOut.model_json_schema(mode="serialization")


@router.get("/presence", response_model=PageOut[PresenceOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_presence(
    tx: Tx, caller: Signed, asked: Asked,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    connected: bool | None = None,
    version: Annotated[str | None, Query(max_length=20, description="Of MQTT: 5 or 3.1.1.")] = None,
    tls: Annotated[bool | None, Query(description="Encrypted or not.")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the device's name, "
                                   "the client id or the address.")] = None,
) -> pages.Page[Presence]:  # fmt: skip
    """List the network connections of devices, present and past."""
    wanted = PresenceFilter(application_id, organization_id, None, connected, version, tls, q)
    return await service.list_presence(tx, caller, asked, wanted)


@router.get("/devices/{device_id}/presence", response_model=DevicePresenceOut,
            responses=may_fail(DeviceUnknown))  # fmt: skip
async def get_presence(device_id: UUID, tx: Tx, caller: Signed) -> DevicePresenceOut:
    """Read whether a device is connected, and over what."""
    device, connections = await service.presence_of(tx, caller, device_id)
    return DevicePresenceOut(
        connectivity=device.connectivity,
        last_seen_at=device.last_seen_at,
        silent_since=device.silent_since,
        connections=[PresenceOut.model_validate(c) for c in connections],
    )


@router.post("/devices/{device_id}/presence/end", status_code=204,
             responses=may_fail(DeviceUnknown, PermissionMissing, ConnectionUnknown,
                                FieldInvalid))  # fmt: skip
async def end_connection(device_id: UUID, body: EndBody, tx: Tx, caller: Signed) -> None:
    """End a connection of a device. It may come back: revoke its credential if it must not."""
    await service.end_connection(tx, caller, device_id, body.client_id)


# --- Programs ---------------------------------------------------------------


@router.get("/programs", response_model=PageOut[ProgramOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_programs(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    key_id: Annotated[UUID | None, Query(alias="keyId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the key's name, "
                                   "the client id or the address.")] = None,
) -> pages.Page[Program]:  # fmt: skip
    """List the programs that are connected now with the API keys you may see."""
    wanted = ProgramFilter(organization_id, key_id, q)
    return await service.list_programs(tx, caller, asked, wanted)


@router.post("/programs/{program_id}/end", status_code=204,
             responses=may_fail(ProgramUnknown, PermissionMissing))  # fmt: skip
async def end_program(program_id: UUID, tx: Tx, caller: Signed) -> None:
    """End the connection of a program. It may come back while its key holds."""
    await service.end_program(tx, caller, program_id)


# --- Packets ----------------------------------------------------------------


@router.get("/devices/{device_id}/trace", response_class=StreamingResponse,
            responses={200: {"content": {"text/event-stream": {"schema": _PACKET}}},
                       **may_fail(DeviceUnknown, TooManyTraces)})  # fmt: skip
async def trace_device(device_id: UUID, request: Request, caller: Signed) -> StreamingResponse:
    """Watch the MQTT packets of a device, as server-sent events, for at most 15 minutes.

    Events: `started`; `packet`; `dropped`, where more came than is shown; `ended`, because the time
    is up (`time`) or the caller may not see the device any more (`rights`). Passwords and other
    secrets are left out; payloads and the values of properties are for those who may read messages.
    """
    async with request.app.state.database.begin(caller) as tx:
        watch, shown = await service.start_trace(tx, caller, device_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _packets(request, caller, watch, shown)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _packets(
    request: Request, caller: Caller, watch: Watch, shown: dict[UUID, int]
) -> AsyncIterator[bytes]:
    """Write events until the client goes, the time is up, or the caller may not see the device."""
    traces: service.Traces = request.app.state.traces
    loop = asyncio.get_running_loop()
    with traces.told(watch) as watcher:
        yield _event("started", {"endsAt": watch.ends_at, "content": watch.shows_content})
        beat_at = loop.time()
        while True:
            rang = await watcher.wait(LOOK_EVERY_S)
            is_due = watcher.rights_changed or loop.time() >= beat_at
            if not rang and not is_due and watch.ends_at > datetime.now(UTC):
                continue
            try:
                async with request.app.state.database.begin() as tx:
                    if is_due:
                        watcher.rights_changed, beat_at = False, loop.time() + BEAT_S
                        caller = await request.scope["state"]["recognise"](tx)
                        await service.keep_alive(tx, caller, watch)
                    watch, batches = await service.read_packets(tx, caller, watch, shown)
            except DatabaseUnavailable:
                return  # Nobody's rights have ended: the client comes back by itself.
            except MoorageError:
                yield _event("ended", {"reason": "rights"})
                return
            for batch in batches:
                shown[batch.listener_id] = batch.n
                for packet in batch.packets:
                    yield _event("packet", packet_out(batch, packet, watch.shows_content))
                if batch.dropped:
                    yield _event("dropped", {"count": batch.dropped})
            if watch.ends_at <= tx.now:
                yield _event("ended", {"reason": "time"})
                return
            if is_due:
                yield b": alive\n\n"


_json = msgspec.json.Encoder().encode


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _json(data))
