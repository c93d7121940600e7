"""Bodies of what happens to applications together with their devices."""

from __future__ import annotations

from uuid import UUID

from moorage.kit.http import Body, Id, Out


class MoveApplicationBody(Body):
    """The organization an application goes to."""

    organization_id: Id


class MovedApplicationOut(Out):
    """Where an application is now."""

    id: UUID
    organization_id: UUID
    name: str
    device_count: int
