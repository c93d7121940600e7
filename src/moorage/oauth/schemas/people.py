"""Bodies of what people allow programs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from moorage.kit.http import Body, Duration, Instant, Out
from moorage.organizations import Permission

Query = Annotated[
    str,
    Field(
        min_length=1,
        max_length=8_000,
        description="What stood behind the `?` as the program sent the browser here.",
    ),
]
UserCode = Annotated[str, Field(min_length=1, max_length=50, examples=["WDJB-MJHT"])]


class AskBody(Body):
    """A program's request for access."""

    query: Query


class AnswerBody(Body):
    """A person's answer to a program's request."""

    query: Query
    allow: bool


class DeviceAskBody(Body):
    """The code that a device shows."""

    user_code: UserCode


class DeviceAnswerBody(Body):
    """A person's answer to a device."""

    user_code: UserCode
    allow: bool


class AskedOut(Out):
    """What a program asks you to allow; with `redirectTo` there is nothing to be asked."""

    client_id: UUID | None
    client_name: str | None
    website: str | None
    organization_id: UUID | None
    organization_name: str | None
    redirect_host: str | None
    origin: Annotated[str | None, Field(description="The network address that a device asks from.")]
    scopes: list[Permission]
    registered_itself: bool
    holds: Annotated[Duration, Field(description="How long it holds at most.")]
    rests: Annotated[
        Duration | None, Field(description="After how long without use it ends before that.")
    ]
    redirect_to: str | None


class LedOut(Out):
    """Where the browser is to go."""

    redirect_to: str


class AllowedOut(Out):
    """What a program was allowed in somebody's name."""

    id: UUID
    client_id: UUID
    client_name: str
    organization_id: UUID | None
    user_id: UUID
    user_label: str
    scopes: list[Permission]
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
