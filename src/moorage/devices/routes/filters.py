"""The filters that every list of devices takes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AwareDatetime

from moorage.kit.errors import FieldInvalid

from ..model import Circle, Connectivity, DeviceFilter, DeviceKind, DeviceState, MapBox, Ownership

At = Annotated[
    AwareDatetime | None,
    Query(description="As it was then (RFC 3339); up to 366 days ago."),
]


async def _filter(
    q: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Words, each part of name, identifiers, metadata, tags or other text.",
        ),
    ] = None,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    application_id: Annotated[
        list[UUID], Query(alias="applicationId", description="Any of these.")
    ] = [],  # noqa: B006
    state: Annotated[list[DeviceState], Query(description="Any of these.")] = [],  # noqa: B006
    kind: Annotated[list[DeviceKind], Query(description="Any of these.")] = [],  # noqa: B006
    connectivity: Connectivity | None = None,
    tag: Annotated[list[str], Query(description="All of these.")] = [],  # noqa: B006
    metadata: Annotated[
        list[str], Query(description="`key=value`; all of these.", examples=[["floor=2"]])
    ] = [],  # noqa: B006
    ownership: Ownership | None = None,
    owner_id: Annotated[
        UUID | None, Query(alias="ownerId", description="The person whose they are.")
    ] = None,
    gateway_id: Annotated[UUID | None, Query(alias="gatewayId")] = None,
    decoder_id: Annotated[UUID | None, Query(alias="decoderId")] = None,
    located: Annotated[bool | None, Query(description="With or without a location.")] = None,
    manufacturer: Annotated[str | None, Query(max_length=100)] = None,
    model: Annotated[str | None, Query(max_length=100)] = None,
    serial: Annotated[str | None, Query(max_length=100)] = None,
    owner: Annotated[str | None, Query(max_length=100)] = None,
    last_seen_from: Annotated[
        AwareDatetime | None, Query(alias="lastSeenFrom", description="In contact then or later.")
    ] = None,
    last_seen_to: Annotated[
        AwareDatetime | None,
        Query(alias="lastSeenTo", description="Last in contact before; never is no contact."),
    ] = None,
    bbox: Annotated[
        str | None,
        Query(
            description="west,south,east,north in degrees; west over east crosses the antimeridian."
        ),
    ] = None,
    near: Annotated[
        str | None,
        Query(description="longitude,latitude in degrees.", examples=["10.2039,56.1629"]),
    ] = None,
    within_m: Annotated[
        float, Query(alias="withinM", gt=0, le=1_000_000, description="Metres around `near`.")
    ] = 1_000,
    at: At = None,
) -> DeviceFilter:
    pairs = [entry.partition("=") for entry in metadata]
    if any(not equals for _, equals, _ in pairs):
        raise FieldInvalid("/metadata", "is written as key=value")
    return DeviceFilter(
        organization_id=organization_id,
        application_ids=tuple(application_id),
        states=tuple(state),
        kinds=tuple(kind),
        connectivity=connectivity,
        tags=tuple(tag),
        ownership=ownership,
        owner_id=owner_id,
        gateway_id=gateway_id,
        decoder_id=decoder_id,
        metadata={key: value for key, _, value in pairs},
        located=located,
        manufacturer=manufacturer,
        model=model,
        serial=serial,
        owner=owner,
        seen_from=last_seen_from,
        seen_to=last_seen_to,
        box=None if bbox is None else read_box(bbox),
        near=None if near is None else _circle(near, within_m),
        q=q,
        at=at,
    )


def read_box(bbox: str) -> MapBox:
    """Read a part of the map. Raises FieldInvalid."""
    try:
        west, south, east, north = (float(part) for part in bbox.split(","))
    except ValueError as wrong:
        raise FieldInvalid("/bbox", "is four numbers: west,south,east,north") from wrong
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise FieldInvalid("/bbox", "lies within -180,-90,180,90, south first")
    return MapBox(west, south, east, north)


def _circle(near: str, metres: float) -> Circle:
    try:
        longitude, latitude = (float(part) for part in near.split(","))
    except ValueError as wrong:
        raise FieldInvalid("/near", "is two numbers: longitude,latitude") from wrong
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise FieldInvalid("/near", "lies within -180,-90,180,90")
    return Circle(longitude, latitude, metres)


Wanted = Annotated[DeviceFilter, Depends(_filter)]
