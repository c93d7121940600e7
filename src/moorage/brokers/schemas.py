"""Bodies of the brokers' routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.http import Body, Duration, Id, Instant, Name, Out, Stamped

from .model import BrokerKind, NewBroker

LONGEST_OVERLAP = timedelta(days=30)
CERTIFIED = (
    "Whether the broker checks client certificates; whoever it names without a password is then "
    "known by his device's id."
)
Certified = Annotated[bool, Field(description=CERTIFIED)]


class BrokerBody(Body):
    """A new broker; without `organizationId` it serves the whole installation."""

    organization_id: Id | None = None
    name: Name
    kind: Annotated[BrokerKind, Strict(False)]
    certified: Certified = False
    expires_at: Annotated[Instant | None, Field(description="When its token stops working.")] = None

    def to_model(self) -> NewBroker:
        """Make the noun."""
        return NewBroker(
            self.organization_id, self.name, self.kind, self.certified, self.expires_at
        )


class BrokerPatch(Body):
    """Fields of a broker to change (JSON Merge Patch)."""

    name: Name = ""
    certified: Certified = False

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        return self.given()


class TokenBody(Body):
    """How a token gives way to a new one."""

    overlap: Annotated[
        Duration, Field(ge=timedelta(), le=LONGEST_OVERLAP, description="The old one works on.")
    ] = timedelta()
    expires_at: Annotated[Instant | None, Field(description="When the new one ends.")] = None


class BrokerOut(Stamped):
    """A broker; `hint` is the end of its token, `askedAt` when it last asked."""

    id: UUID
    organization_id: UUID | None
    name: str
    kind: BrokerKind
    certified: bool
    hint: str
    expires_at: Instant | None
    previous_until: Instant | None
    asked_at: Instant | None


class PieceOut(Out):
    """A part of the broker's configuration: where it belongs, and what to put there."""

    name: str
    text: str


class SetupOut(Out):
    """What to write into the broker's configuration, with a placeholder for its token."""

    pieces: list[PieceOut]


class ShownTokenOut(Out):
    """A broker with its token, which is shown this once, and its configuration."""

    broker: BrokerOut
    token: str
    pieces: list[PieceOut]
