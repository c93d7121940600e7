"""Bodies of the rules about topics."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.http import Body, Id, Out, Stamped

from ..model import DeviceKind, NewTopicRule

Topic = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=r"^[^\x00-\x1f]+$",
        description="An MQTT topic filter. {deviceId}, {name}, {serial}, {applicationId} and "
        "{organizationId} stand for what the device is, {operationId} for the operation that it "
        "hears of or answers there. Not below `v1/`: these are its own.",
        examples=["plant/{serial}/state"],
    ),
]
Channel = Annotated[
    str,
    Field(
        max_length=100,
        pattern=r"^([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$",
        description="What is published is the device's message of this channel, empty for the "
        "usual one. Null: it is passed on to whoever may subscribe, and not kept.",
    ),
]
Kind = Annotated[DeviceKind, Strict(False)]
Model = Annotated[str, Field(min_length=1, max_length=100)]


class TopicRuleBody(Body):
    """A topic that devices of an application may use."""

    topic: Topic
    publish: bool = False
    subscribe: bool = False
    channel: Channel | None = None
    device_id: Id | None = None
    device_kind: Kind | None = None
    model: Model | None = None

    def to_model(self) -> NewTopicRule:
        """Make the noun."""
        return NewTopicRule(**self.model_dump())


class TopicRulePatch(Body):
    """Fields of a rule to change (JSON Merge Patch)."""

    topic: Topic = "-"
    publish: bool = False
    subscribe: bool = False
    channel: Channel | None = None
    device_id: Id | None = None
    device_kind: Kind | None = None
    model: Model | None = None

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        return self.given()


class TopicRuleOut(Stamped):
    """A rule; null for device, kind and model means all of the application."""

    id: UUID
    application_id: UUID
    organization_id: UUID
    device_id: UUID | None
    device_kind: DeviceKind | None
    model: str | None
    topic: str
    publish: bool
    subscribe: bool
    channel: str | None


class TopicRightOut(Out):
    """What one device may use, its places filled.

    `operations` is the topic of one operation where the rule is about these: of its commands if it
    may subscribe, of its answers if it may publish.
    """

    topic: str
    publish: bool
    subscribe: bool
    channel: str | None
    rule_id: UUID
    operations: str | None
