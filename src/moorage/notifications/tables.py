"""The table of notices."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata

notices = Table(
    "notices",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    # What tells two causes of one kind and subject apart, such as the series of a threshold.
    Column("cause", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("subject_name", Text, nullable=False),
    Column("device_id", Uuid),
    Column("application_id", Uuid),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("detail", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("acknowledged_by", Uuid),
    Column("cleared_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    # A device's notices follow it when it moves, and go when it goes.
    ForeignKeyConstraint(
        ["device_id", "application_id", "organization_id"],
        ["devices.id", "devices.application_id", "devices.organization_id"],
        onupdate="CASCADE",
        ondelete="CASCADE",
        name="notices_device_fkey",
    ),
    CheckConstraint("state IN ('open', 'acknowledged', 'cleared')", name="state"),
)
_standing = text("state <> 'cleared'")
Index(
    "notices_cause_key",
    notices.c.subject_id,
    notices.c.kind,
    notices.c.cause,
    unique=True,
    postgresql_where=_standing,
)
Index("notices_of_organization", notices.c.organization_id, notices.c.opened_at)
Index("notices_of_application", notices.c.application_id, notices.c.opened_at)
Index("notices_of_device", notices.c.device_id)
Index("notices_standing", notices.c.opened_at, notices.c.id, postgresql_where=_standing)
Index("notices_cleared", notices.c.cleared_at, postgresql_where=text("state = 'cleared'"))
