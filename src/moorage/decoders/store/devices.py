"""What of devices and routes is known here: the slices that own them stand above."""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    column,
    table,
)

from moorage.kit.caller import Reach
from moorage.kit.reach import shows

# Known by name only, since this slice may not import theirs.
devices = table(
    "devices",
    column("id"),
    column("number"),
    column("name"),
    column("organization_id"),
    column("application_id"),
    column("decoder_id"),
)


routes = table("target_routes", column("organization_id"), column("decoder_id"))


def visible(seen: Reach) -> ColumnElement[bool]:
    """Keep to the devices that `seen` allows."""
    return shows(seen, devices.c.organization_id, devices.c.application_id, device_id=devices.c.id)
