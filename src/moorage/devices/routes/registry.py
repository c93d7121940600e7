"""HTTP of devices themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.decoders import DecoderUnknown
from moorage.groups import ApplicationUnknown
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import GrantTooWide, PermissionMissing

from ..errors import (
    DecoderStays,
    DeviceUnknown,
    GatewayUnfit,
    IdentifierTaken,
    NotThereThen,
    PastNotKept,
    PastNotKnown,
    PhotoUnfit,
    PhotoUnknown,
    RemovedSince,
    SerialTaken,
    StateNotAllowed,
)
from ..model import Device, DevicePage, StateChange
from ..schemas.bodies import (
    DeviceBody,
    DeviceOut,
    DevicePageOut,
    DevicePatch,
    MapClusterOut,
    MoveBody,
    OwnerBody,
    PointOut,
    StateChangeOut,
)
from ..service import owners, past
from ..service import registry as service
from .filters import At, Wanted, read_box

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])


@router.post("", status_code=201, response_model=DeviceOut,
             responses=may_fail(ApplicationUnknown, PermissionMissing, SerialTaken, IdentifierTaken,
                                GatewayUnfit, DecoderUnknown, FieldInvalid))  # fmt: skip
async def enrol_device(body: DeviceBody, tx: Tx, caller: Signed, response: Response) -> Device:
    """Enrol a device."""
    device = await service.enrol(tx, caller, body.to_model())
    response.headers["Location"] = f"/api/v1/devices/{device.id}"
    tag(response, device.updated_at)
    return device


@router.get("", response_model=DevicePageOut,
            responses=may_fail(CursorInvalid, FieldInvalid, PastNotKept, PastNotKnown))  # fmt: skip
async def list_devices(tx: Tx, caller: Signed, asked: Asked, wanted: Wanted) -> DevicePage:
    """List the devices you may see; filters combine.

    With `at` as they were then, of those you may see both where they are and where they were;
    `removed` counts those that have been removed since, with all that is known of them.
    """
    return await service.list_devices(tx, caller, asked, wanted)


@router.get("/map", response_model=list[MapClusterOut],
            responses=may_fail(FieldInvalid, PastNotKept, PastNotKnown))  # fmt: skip
async def map_devices(
    tx: Tx, caller: Signed, wanted: Wanted,
    bbox: Annotated[str, Query(
        description="west,south,east,north in degrees; west over east crosses the antimeridian.",
        examples=["10.0,56.0,10.4,56.3"],
    )],
    cells: Annotated[int, Query(ge=1, le=64, description="Columns of the grid.")] = 24,
) -> list[MapClusterOut]:  # fmt: skip
    """Gather the devices of a part of the map into clusters."""
    clusters = await service.map_clusters(tx, caller, read_box(bbox), cells, wanted)
    return [
        MapClusterOut(
            location=PointOut(coordinates=[cluster.longitude, cluster.latitude]),
            count=cluster.count,
            silent=cluster.silent,
            device=None if cluster.device is None else dict(cluster.device),
        )
        for cluster in clusters
    ]


@router.get("/{device_id}", response_model=DeviceOut,
            responses=may_fail(DeviceUnknown, FieldInvalid, PastNotKept, NotThereThen,
                               RemovedSince))  # fmt: skip
async def get_device(
    device_id: UUID, tx: Tx, caller: Signed, response: Response, at: At = None
) -> Device:
    """Read a device, as it is or as it was."""
    if at is not None:
        return await past.get(tx, caller, device_id, at)
    device = await service.get(tx, caller, device_id)
    tag(response, device.updated_at)
    return device


@router.patch("/{device_id}", response_model=DeviceOut,
              responses=may_fail(DeviceUnknown, PermissionMissing, SerialTaken, IdentifierTaken,
                                 GatewayUnfit, DecoderUnknown, StateNotAllowed,
                                 VersionStale))  # fmt: skip
async def change_device(
    device_id: UUID, body: DevicePatch, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
    reason: Annotated[str, Query(max_length=500, description="Why, where the state changes.")] = "",
) -> Device:  # fmt: skip
    """Change a device, its lifecycle state among the rest."""
    check_match(if_match, (await service.get(tx, caller, device_id, lock=True)).updated_at)
    device = await service.change(tx, caller, device_id, body.to_changes(), reason=reason)
    tag(response, device.updated_at)
    return device


@router.delete("/{device_id}", status_code=204,
               responses=may_fail(DeviceUnknown, PermissionMissing))  # fmt: skip
async def remove_device(device_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a device with everything it sent; to keep its history, retire it instead."""
    await service.remove(tx, caller, device_id)


@router.post("/{device_id}/move", response_model=DeviceOut,
             responses=may_fail(DeviceUnknown, ApplicationUnknown, PermissionMissing,
                                SerialTaken, DecoderStays))  # fmt: skip
async def move_device(device_id: UUID, body: MoveBody, tx: Tx, caller: Signed) -> Device:
    """Move a device to another application, with its history and credentials."""
    return await service.move(tx, caller, device_id, body.application_id)


@router.put("/{device_id}/owner", response_model=DeviceOut,
            responses=may_fail(DeviceUnknown, PermissionMissing, GrantTooWide, FieldInvalid,
                               VersionStale))  # fmt: skip
async def give_device(
    device_id: UUID, body: OwnerBody, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> Device:  # fmt: skip
    """Make a device somebody's own: they may do with it what groups give for one's own devices."""
    check_match(if_match, (await service.get(tx, caller, device_id, lock=True)).updated_at)
    device = await owners.give(tx, caller, device_id, body.user_id)
    tag(response, device.updated_at)
    return device


@router.delete("/{device_id}/owner", status_code=204,
               responses=may_fail(DeviceUnknown, PermissionMissing))  # fmt: skip
async def take_device(device_id: UUID, tx: Tx, caller: Signed) -> None:
    """Make a device nobody's own any more; what its owner held by that ends at once."""
    await owners.give(tx, caller, device_id, None)


@router.get("/{device_id}/states", response_model=list[StateChangeOut],
            responses=may_fail(DeviceUnknown))  # fmt: skip
async def list_states(device_id: UUID, tx: Tx, caller: Signed) -> list[StateChange]:
    """Read a device's life so far, the newest step first."""
    return await service.states_of(tx, caller, device_id)


@router.put("/{device_id}/photo", status_code=204,
            responses=may_fail(DeviceUnknown, PermissionMissing, PhotoUnfit),
            openapi_extra={"requestBody": {"required": True, "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("image/jpeg", "image/png", "image/webp")}}})  # fmt: skip
async def set_photo(device_id: UUID, request: Request, tx: Tx, caller: Signed) -> None:
    """Keep a photo of a device, in place of any before."""
    await service.get(tx, caller, device_id)
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > service.MOST_PHOTO:
            raise PhotoUnfit(limit=service.MOST_PHOTO)
    await service.set_photo(tx, caller, device_id, bytes(content))


@router.get("/{device_id}/photo", response_class=Response,
            responses={**may_fail(DeviceUnknown, PhotoUnknown),
                       200: {"content": {"image/*": {}}}})  # fmt: skip
async def get_photo(
    device_id: UUID, tx: Tx, caller: Signed,
    at: Annotated[datetime | None, Query(
        description="The device's `photoAt`: an address that changes with the photo may be kept.",
    )] = None,
) -> Response:  # fmt: skip
    """Read a device's photo."""
    kind, content = await service.photo_of(tx, caller, device_id)
    kept = "no-cache" if at is None else "max-age=3600"
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": f"private, {kept}"}
    return Response(content, media_type=kind, headers=headers)


@router.delete("/{device_id}/photo", status_code=204,
               responses=may_fail(DeviceUnknown, PermissionMissing, PhotoUnknown))  # fmt: skip
async def remove_photo(device_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a device's photo."""
    await service.remove_photo(tx, caller, device_id)
