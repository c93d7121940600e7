"""HTTP of readings and messages, and the live feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from moorage import devices
from moorage.devices import DeviceUnknown, NotThereThen, PastNotKept, RemovedSince
from moorage.groups import ApplicationUnknown
from moorage.kit import pages
from moorage.kit.asking import AsForm
from moorage.kit.caller import Caller
from moorage.kit.db import DatabaseUnavailable
from moorage.kit.db import Tx as Transaction
from moorage.kit.errors import CursorInvalid, FieldInvalid, MoorageError
from moorage.kit.exports import DOWNLOADS, download, written
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail, opened
from moorage.ledger import PositionGone
from moorage.organizations import PermissionMissing

from . import service
from .errors import RangeReversed, RangeTooWide
from .model import Derived, DeviceLatest, Selection, State
from .schemas import (
    DeviceLatestOut,
    DeviceRowOut,
    ManyQuery,
    MessageOut,
    ReadingsOut,
    RecentOut,
    StateOut,
    WindowQuery,
    instant,
    message_out,
    recent_out,
    tables_of,
)

router = APIRouter(prefix="/api/v1", tags=["readings"])
At = Annotated[AwareDatetime | None, Query(description="As it was then (RFC 3339).")]
HEARTBEAT_S = 15.0
LOOK_EVERY_S = 0.5
# What ends by the clock, such as a token, rings no bell.
LOOK_AT_RIGHTS_S = 5.0


@router.get("/devices/{device_id}/latest", response_model=StateOut,
            responses=may_fail(DeviceUnknown, FieldInvalid, PastNotKept, NotThereThen,
                               RemovedSince))  # fmt: skip
async def get_latest(device_id: UUID, tx: Tx, caller: Signed, at: At = None) -> State:
    """Read a device's latest values, or those that were the latest at an instant."""
    return await service.latest(tx, caller, device_id, at)


@router.get("/latest", response_model=PageOut[DeviceLatestOut],
            responses=may_fail(ApplicationUnknown, DeviceUnknown, CursorInvalid, FieldInvalid,
                               PastNotKept))  # fmt: skip
async def list_latest(
    tx: Tx, caller: Signed,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=2000, description="The `next` before.")] = None,
    device_id: Annotated[list[UUID], Query(alias="deviceId", max_length=200)] = [],  # noqa: B006
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    at: At = None,
) -> pages.Page[DeviceLatest]:  # fmt: skip
    """Read the latest values of several devices: those with an id, of an application, or all."""
    chosen = Selection(tuple(set(device_id)), application_id, organization_id)
    return await service.latest_of_many(tx, caller, chosen, pages.PageRequest(limit, after), at)


@router.get("/devices/{device_id}/readings", response_model=ReadingsOut,
            responses={200: {"content": DOWNLOADS},
                       **may_fail(DeviceUnknown, RangeTooWide, RangeReversed)})  # fmt: skip
async def get_readings(
    device_id: UUID, tx: Tx, caller: Signed, request: Request, form: AsForm,
    asked: Annotated[WindowQuery, Query()],
) -> Any:  # fmt: skip
    """Read a device's readings of a period; by `Accept` as a download without a limit.

    CSV has a column a series. JSON lines and Parquet are as for several devices.
    """
    window = asked.to_window(tx.now)
    if form in DOWNLOADS:
        chosen = Selection((device_id,))
        await service.note_export(tx, caller, chosen, window)
        series = await service.series_of(tx, caller, device_id, window)
        batches = service.export(opened(request), chosen, window)
        return download(form, "readings", tables_of(form, batches, series))
    rows = await service.readings(tx, caller, device_id, window)
    return ReadingsOut.model_validate({"items": rows})


@router.get("/readings", response_model=PageOut[DeviceRowOut],
            responses={200: {"content": DOWNLOADS},
                       **may_fail(ApplicationUnknown, DeviceUnknown, RangeTooWide, RangeReversed,
                                  CursorInvalid)})  # fmt: skip
async def list_readings(
    tx: Tx, caller: Signed, request: Request, form: AsForm, asked: Annotated[ManyQuery, Query()]
) -> Any:
    """Read readings of several devices, device by device; by `Accept` all of them as a download.

    CSV and Parquet have a row a value, JSON lines one an instant. A page may be short, even empty,
    and still have a `next`, which keeps to the period of the first.
    """
    window, chosen = asked.to_window(tx.now), asked.to_selection()
    if form in DOWNLOADS:
        await service.note_export(tx, caller, chosen, window)
        batches = service.export(opened(request), chosen, window)
        return download(form, "readings", tables_of(form, batches, None))
    return await service.readings_of_many(tx, caller, chosen, window, asked.after)


@router.get("/devices/{device_id}/messages", response_model=PageOut[MessageOut],
            responses={200: {"content": DOWNLOADS},
                       **may_fail(DeviceUnknown, PermissionMissing, CursorInvalid,
                                  FieldInvalid, RangeReversed)})  # fmt: skip
async def list_messages(
    device_id: UUID, tx: Tx, caller: Signed, asked: Asked, request: Request, form: AsForm,
    problems: Annotated[bool, Query(description="Only messages with a problem.")] = False,
    start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> Any:  # fmt: skip
    """List a device's messages, newest first, with their bytes.

    As a download all of them come, the oldest first.
    """
    if form in DOWNLOADS:
        await service.note_message_export(tx, caller, device_id, start, end)
        batches = _shown(service.export_messages(opened(request), device_id, start, end))
        return download(form, "messages", written(form, MessageOut, batches))
    page = await service.messages(
        tx, caller, device_id, asked, problems_only=problems, start=start, end=end
    )
    return pages.Page([message_out(row, raw) for row, raw in page.items], page.next, page.total)


async def _shown(batches: AsyncIterator[service.Messages]) -> AsyncIterator[list[MessageOut]]:
    async for batch in batches:
        yield [message_out(row, raw) for row, raw in batch]


@router.get("/messages", response_model=PageOut[RecentOut],
            responses=may_fail(ApplicationUnknown, DeviceUnknown, CursorInvalid))  # fmt: skip
async def list_recent_messages(
    tx: Tx, caller: Signed,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=2000, description="The `next` before.")] = None,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    device_id: Annotated[UUID | None, Query(alias="deviceId")] = None,
    start: Annotated[
        AwareDatetime | None, Query(alias="from", description="Received then or later.")
    ] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="Received before.")] = None,
    problems: Annotated[bool, Query(description="Only messages with a problem.")] = False,
) -> pages.Page[RecentOut]:  # fmt: skip
    """List the newest messages of all devices whose messages you may read, of the last days.

    A page may be short, even empty, and still have a `next`: so much is looked at per question.
    """
    page = await service.recent_messages(
        tx, caller, limit=limit, after=after, organization_id=organization_id,
        application_id=application_id, device_id=device_id, start=start, end=end,
        problems_only=problems,
    )  # fmt: skip
    return pages.Page([recent_out(one) for one in page.items], page.next)


@router.get("/devices/{device_id}/messages/{position}", response_model=MessageOut,
            responses=may_fail(DeviceUnknown, PermissionMissing, PositionGone))  # fmt: skip
async def get_message(device_id: UUID, position: str, tx: Tx, caller: Signed) -> MessageOut:
    """Read one message by its position."""
    place = service.Place.read(position)
    if place is None:
        raise PositionGone(position=position)
    return message_out(*await service.message(tx, caller, device_id, place.partition, place.n))


# --- Live -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody asked to follow."""

    device_ids: tuple[UUID, ...]
    wanted: devices.DeviceFilter

    async def devices_for(self, tx: Transaction, caller: Caller) -> dict[int, UUID]:
        """Find the devices. Raises DeviceUnknown, ApplicationUnknown."""
        if self.device_ids:
            found = [await devices.get(tx, caller, device_id) for device_id in self.device_ids]
            return {device.number: device.id for device in found}
        return await devices.numbers_seen(tx, caller, self.wanted)


async def _asked(
    device_id: Annotated[
        list[UUID], Query(alias="deviceId", max_length=100, description="Any of these; then no "
                          "other filter counts.")] = [],  # noqa: B006
    application_id: Annotated[
        list[UUID], Query(alias="applicationId", max_length=100, description="Any of these.")
    ] = [],  # noqa: B006
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    tag: Annotated[list[str], Query(description="All of these.")] = [],  # noqa: B006
    q: Annotated[str | None, Query(max_length=200, description="Words, as in a list.")] = None,
) -> _Asked:  # fmt: skip
    wanted = devices.DeviceFilter(
        organization_id=organization_id,
        application_ids=tuple(application_id),
        tags=tuple(tag),
        q=q,
    )
    return _Asked(tuple(device_id), wanted)


@router.get("/feed", response_class=StreamingResponse,
            responses={200: {"content": {"text/event-stream": {}}},
                       **may_fail(DeviceUnknown, ApplicationUnknown)})  # fmt: skip
async def follow(
    request: Request, caller: Signed, asked: Annotated[_Asked, Depends(_asked)],
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> StreamingResponse:  # fmt: skip
    """Follow what devices send, as server-sent events; resumes after `Last-Event-ID`.

    Devices that match later are followed from then on. Events: `message`; `lost` when this client
    is too slow and some were left out; `ended` when the caller's rights are.
    """
    database = request.app.state.database
    async with database.begin(caller) as tx:
        followed = await asked.devices_for(tx, caller)
    stream = _events(request, asked, followed, last_event_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _events(
    request: Request, asked: _Asked, followed: dict[int, UUID], last_event_id: str | None
) -> AsyncIterator[bytes]:
    """Write events until the client goes, or may no longer see what it follows."""
    feed: service.Feed = request.app.state.feed
    loop = asyncio.get_running_loop()
    with feed.follow(followed) as follower:
        yield b"retry: 2000\n: following\n\n"
        if after := service.read_id(last_event_id):
            follower.shown |= after
            for place, entry in await feed.missed(followed, after):
                yield _event(place, entry, follower)
        beat_at = loop.time() + HEARTBEAT_S
        look_at = loop.time() + LOOK_AT_RIGHTS_S
        while True:
            if follower.rights_changed or loop.time() >= look_at:
                changed, follower.rights_changed = follower.rights_changed, False
                look_at = loop.time() + LOOK_AT_RIGHTS_S
                try:
                    found = await _still(request, asked if changed else None)
                except DatabaseUnavailable:
                    return  # Nobody's rights have ended: the client comes back by itself.
                except MoorageError:
                    yield b"event: ended\ndata: {}\n\n"
                    return
                if found is not None:
                    feed.follow_others(follower, found)
            for place, entry in await follower.take(LOOK_EVERY_S):
                is_new = place.n > follower.shown.get(place.partition, 0)
                if is_new and entry.device in follower.numbers:
                    yield _event(place, entry, follower)
            if follower.lost:
                follower.lost = False
                yield b"event: lost\ndata: {}\n\n"
            if loop.time() >= beat_at:
                beat_at = loop.time() + HEARTBEAT_S
                yield b": alive\n\n"


async def _still(request: Request, asked: _Asked | None) -> dict[int, UUID] | None:
    """Recognise the caller anew, and what may be followed now if that is `asked`."""
    async with request.app.state.database.begin() as tx:
        caller = await request.scope["state"]["recognise"](tx)
        return None if asked is None else await asked.devices_for(tx, caller)


_json = msgspec.json.Encoder().encode


def _event(place: service.Place, entry: Derived, follower: service.Follower) -> bytes:
    """Write one message as an event; several instants make several `points`."""
    follower.shown[place.partition] = place.n
    event_id = service.write_id(follower.shown)
    body = {
        "position": f"{place.partition}:{entry.n}",
        "deviceId": follower.numbers[entry.device],
        "messageId": UUID(bytes=entry.id),
        "receivedAt": _text(entry.received_us),
        "at": _text(entry.at_us),
        "channel": entry.channel,
        "points": [
            {"at": _text(point.at_us), "values": point.values, "units": point.units or {}}
            for point in entry.points
        ],
        "location": entry.location
        and {
            "type": "Point",
            "coordinates": [entry.location[1], entry.location[0]],
        },
        "problem": entry.problem,
    }
    return b"id: %s\nevent: message\ndata: %s\n\n" % (event_id.encode(), _json(body))


def _text(us: int) -> str:
    return instant(us).isoformat(timespec="milliseconds").replace("+00:00", "Z")
