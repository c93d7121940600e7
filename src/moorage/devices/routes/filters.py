"""The filters that every list of devices takes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from moorage.kit.errors import FieldInvalid

from ..model import Connectivity, DeviceFilter, DeviceKind, DeviceState, Ownership


def _filter(
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
    gateway_id: Annotated[UUID | None, Query(alias="gatewayId")] = None,
    decoder_id: Annotated[UUID | None, Query(alias="decoderId")] = None,
    located: Annotated[bool | None, Query(description="With or without a location.")] = None,
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
        gateway_id=gateway_id,
        decoder_id=decoder_id,
        metadata={key: value for key, _, value in pairs},
        located=located,
        q=q,
    )


Wanted = Annotated[DeviceFilter, Depends(_filter)]
