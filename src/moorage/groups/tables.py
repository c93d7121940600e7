"""The table of groups; an application is a group of kind `application`."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Interval,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

groups = Table(
    "groups",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_date", Date),
    Column("end_date", Date),
    Column("category", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("contacts", JSONB, nullable=False),
    Column("personal_data", Boolean, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("controlled_properties", ARRAY(Text), nullable=False),
    Column("device_kinds", ARRAY(Text), nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("quotas", JSONB, nullable=False),
    # UCUM codes by series name, for what its devices send without a unit.
    Column("units", JSONB, nullable=False),
    # Null means what the organisation or the platform keeps by default.
    Column("keep_messages", Interval),
    Column("keep_readings", Interval),
    Column("keep_summaries", Interval),
    Column("keep_results", Interval),
    Column("encode_commands", Boolean, nullable=False),
    Column("silent_after", Interval),
    *stamps(),
    # What owns things here refers to both columns, so that a move takes them along in one step.
    UniqueConstraint("id", "organization_id"),
    CheckConstraint("kind IN ('application')", name="kind"),
    CheckConstraint(
        "status IN ('none', 'inOperation', 'project', 'prototype', 'other')", name="status"
    ),
    CheckConstraint("end_date >= start_date", name="dates"),
)
Index(
    "groups_name_key",
    groups.c.organization_id,
    groups.c.kind,
    func.lower(groups.c.name),
    unique=True,
)
Index("groups_end", groups.c.end_date, postgresql_where=groups.c.end_date.is_not(None))
