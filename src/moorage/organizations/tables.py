"""Tables of organisations and permission groups."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Interval,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

organizations = Table(
    "organizations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("contacts", JSONB, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("quotas", JSONB, nullable=False),
    Column("time_zone", Text, nullable=False),
    # Null means what the platform keeps by default; an application may say otherwise.
    Column("keep_messages", Interval),
    Column("keep_readings", Interval),
    Column("keep_summaries", Interval),
    Column("keep_results", Interval),
    Column("keep_facts", Interval),
    # Of whom a second factor is asked before they see anything of the organisation.
    Column("second_factor", Text, nullable=False),
    *stamps(),
    CheckConstraint("second_factor IN ('nobody', 'administrators', 'everybody')", name="factor"),
)
Index("organizations_name_key", func.lower(organizations.c.name), unique=True)

permission_groups = Table(
    "permission_groups",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("every_application", Boolean, nullable=False),
    Column("add_new_applications", Boolean, nullable=False),
    Column("own_devices", Boolean, nullable=False),
    # What it gives is withheld from people who have shown no second factor.
    Column("proven_only", Boolean, nullable=False),
    *stamps(),
    CheckConstraint("organization_id IS NOT NULL OR every_application", name="global"),
    CheckConstraint(
        "NOT own_devices OR NOT (every_application OR add_new_applications)", name="own"
    ),
)
Index(
    "permission_groups_name_key",
    permission_groups.c.organization_id,
    func.lower(permission_groups.c.name),
    unique=True,
    postgresql_nulls_not_distinct=True,
)

permission_group_applications = Table(
    "permission_group_applications",
    metadata,
    Column(
        "permission_group_id",
        ForeignKey("permission_groups.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    # The applications themselves are groups; see the slice of that name.
    Column(
        "application_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True
    ),
)

permission_group_members = Table(
    "permission_group_members",
    metadata,
    Column(
        "permission_group_id",
        ForeignKey("permission_groups.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    # A group is in another as its members are, with what that one gives.
    Column("kind", Text, primary_key=True),
    Column("member_id", Uuid, primary_key=True),
    Column("until", DateTime(timezone=True)),
    Index("permission_group_members_member", "kind", "member_id"),
    Index("permission_group_members_ending", "until", postgresql_where=text("until IS NOT NULL")),
    CheckConstraint("kind IN ('user', 'apiKey', 'client', 'group')", name="kind"),
)
