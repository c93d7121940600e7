"""The table of operations: one row per device."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Interval,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

operations = Table(
    "operations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("device_id", Uuid, nullable=False),
    Column("device_number", Integer, nullable=False),
    Column("application_id", Uuid, nullable=False),
    Column("organization_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("payload", JSONB(none_as_null=True)),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("answer_within", Interval, nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("result", JSONB(none_as_null=True)),
    Column("problem", Text),
    Column("port", SmallInteger),
    Column("encoded", LargeBinary),
    Column("decoder_id", Uuid),
    Column("decoder_hash", Text),
    *stamps(),
    # Operations follow their device when it moves, and go when it goes.
    ForeignKeyConstraint(
        ["device_id", "application_id", "organization_id"],
        ["devices.id", "devices.application_id", "devices.organization_id"],
        onupdate="CASCADE",
        ondelete="CASCADE",
        name="operations_device_fkey",
    ),
    CheckConstraint(
        "kind IN ('command', 'config', 'message', 'info', 'profile', 'policy')", name="kind"
    ),
    CheckConstraint(
        "state IN ('pending', 'sent', 'inProgress', 'completed', 'error', 'notNow', 'repeated', "
        "'cancelled', 'expired', 'timedOut')",
        name="state",
    ),
)
_open = text("state IN ('pending', 'sent', 'inProgress', 'notNow')")
Index("operations_open", operations.c.device_number, operations.c.id, postgresql_where=_open)
Index("operations_of_device", operations.c.device_id, operations.c.created_at)
Index("operations_of_application", operations.c.application_id, operations.c.created_at)
Index("operations_of_organization", operations.c.organization_id, operations.c.created_at)
Index("operations_due", operations.c.expires_at, postgresql_where=_open)
Index(
    "operations_finished",
    operations.c.finished_at,
    postgresql_where=operations.c.finished_at.is_not(None),
)
