"""Bodies of the routes about readings and messages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from moorage import ledger
from moorage.kit.http import Instant, Out

from ..model import Calendar, MessageRow, Quality, Recent, Selection, Window

Value = float | bool | str


class LatestOut(Out):
    """The newest good value of one series."""

    series: str
    value: Value
    at: Instant
    unit: str | None


class StateOut(Out):
    """What a device sent last; `droppedValues` came for series beyond the most it may have.

    With `at` only the values are known, by the time of the readings.
    """

    received_at: Instant | None
    message_count: int | None
    latest: list[LatestOut]
    dropped_values: int | None


class RowOut(Out):
    """The values of one instant."""

    at: Instant
    values: dict[str, Value]
    units: dict[str, str]
    quality: Quality


class ReadingsOut(Out):
    """Readings of a period, by time."""

    items: list[RowOut]


class WindowQuery(BaseModel):
    """Which readings are asked for.

    `from` is a day before `to` if not given, `to` now. `step` groups by that length (ISO 8601,
    counted from 1970 UTC), `every` by the organisation's days, weeks or months, each with
    `aggregate`. More rows than `limit` are refused, never cut off silently; downloads have none.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    series: list[str] = Field(default=[], max_length=200)
    start: AwareDatetime | None = Field(default=None, alias="from")
    end: AwareDatetime | None = Field(default=None, alias="to")
    step: timedelta | None = Field(default=None, ge=timedelta(seconds=1))
    every: Calendar | None = None
    aggregate: Literal["mean", "min", "max", "sum", "count", "first", "last"] = "mean"
    limit: int = Field(default=20_000, ge=1, le=200_000)

    @model_validator(mode="after")
    def _group_one_way(self) -> Self:
        if self.step is not None and self.every is not None:
            raise ValueError("give step or every, not both")
        return self

    def to_window(self, now: datetime) -> Window:
        """Make the question."""
        end = (self.end or now).astimezone(UTC)
        start = (self.start or end - timedelta(days=1)).astimezone(UTC)
        step_s = None if self.step is None else round(self.step.total_seconds())
        return Window(start, end, self.series, step_s, self.every, self.aggregate, self.limit)


class ManyQuery(WindowQuery):
    """Which readings of which devices are asked for.

    All devices you may see, or those of an organization, an application, or with an id. What is
    given together must hold together. `limit` is that of a page; a download has none.
    """

    device_id: list[UUID] = Field(default=[], max_length=200, alias="deviceId")
    application_id: UUID | None = Field(default=None, alias="applicationId")
    organization_id: UUID | None = Field(default=None, alias="organizationId")
    limit: int = Field(default=1_000, ge=1, le=10_000)
    after: str | None = Field(default=None, max_length=2_000, description="The `next` before.")

    def to_selection(self) -> Selection:
        """Name the devices."""
        return Selection(tuple(set(self.device_id)), self.application_id, self.organization_id)


class DeviceRowOut(RowOut):
    """The values of one instant of one of several devices."""

    device_id: UUID
    device_name: str


class DeviceLatestOut(StateOut):
    """What one of several devices sent last."""

    device_id: UUID
    device_name: str


class MessageOut(Out):
    """One message, as received and what came of it.

    `payload` is base64, `text` the same as text where it is text; both are null once the message
    is past its retention, while its values are kept longer.
    """

    position: str
    at: Instant
    received_at: Instant | None
    message_id: UUID | None
    protocol: str | None
    channel: str | None
    content_type: str | None
    payload: str | None
    text: str | None
    size: int | None
    meta: dict[str, Any] | None
    problem: bool
    values: dict[str, Value]


class RecentOut(Out):
    """One of the newest messages; `position` finds it whole among its device's messages."""

    device_id: UUID
    device_name: str
    position: str
    message_id: UUID
    at: Instant
    received_at: Instant
    channel: str
    values: dict[str, Value]
    document: Annotated[Any, Field(description="What the decoder made of it.")] = None
    problem: str | None


def recent_out(recent: Recent) -> RecentOut:
    """Show a message beside those of other devices; of several instants, the first."""
    entry = recent.entry
    return RecentOut(
        device_id=recent.device_id,
        device_name=recent.device_name,
        position=f"{recent.partition}:{entry.n}",
        message_id=UUID(bytes=entry.id),
        at=instant(entry.at_us),
        received_at=instant(entry.received_us),
        channel=entry.channel,
        values=dict(entry.points[0].values) if entry.points else {},
        document=entry.document and msgspec.json.decode(entry.document),
        problem=entry.problem,
    )


PROTOCOLS = {int(protocol): protocol.name.lower() for protocol in ledger.Protocol}


def message_out(row: MessageRow, raw: ledger.RawMessage | None) -> MessageOut:
    """Join a message's place in the history with its bytes."""
    known: dict[str, Any] = dict.fromkeys(
        (
            "received_at", "message_id", "protocol", "channel", "content_type", "payload",
            "text", "size", "meta",
        )
    )  # fmt: skip
    if raw is not None:
        known = {
            "received_at": instant(raw.received_us),
            "message_id": UUID(bytes=raw.id),
            "protocol": PROTOCOLS.get(raw.protocol, str(raw.protocol)),
            "channel": raw.channel,
            "content_type": raw.content_type or None,
            "payload": base64.b64encode(raw.payload).decode(),
            "text": _text(raw.payload),
            "size": len(raw.payload),
            "meta": raw.meta,
        }
    return MessageOut(
        position=f"{row.partition}:{row.n}",
        at=row.at,
        problem=row.problem,
        values=dict(row.values),
        **known,
    )


def instant(us: int) -> datetime:
    """Give the instant of microseconds since 1970."""
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def _text(payload: bytes) -> str | None:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in "\r\n\t" for c in text) else None
