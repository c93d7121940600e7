"""Tables of user stores, whose people are whom here, and how the stores fare."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

user_stores = Table(
    "user_stores",
    metadata,
    Column("id", Uuid, primary_key=True),
    # None: it is a store of the whole installation.
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), index=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("servers", ARRAY(Text), nullable=False),
    Column("authority", Text),
    Column("bind_name", Text, nullable=False),
    Column("sealed_password", LargeBinary),
    Column("base", Text, nullable=False),
    Column("new_base", Text, nullable=False),
    Column("user_filter", Text, nullable=False),
    Column("group_base", Text, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("nesting", Text),
    Column("domains", ARRAY(Text), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("new_accounts", Text, nullable=False),
    Column("link_by_email", Boolean, nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("sync_every", Interval, nullable=False),
    *stamps(),
    CheckConstraint("kind IN ('openLdap', 'activeDirectory')", name="kind"),
    CheckConstraint("mode IN ('readOnly', 'readWrite')", name="mode"),
    # Whoever runs a directory of one organisation could otherwise become anybody.
    CheckConstraint("organization_id IS NULL OR NOT link_by_email", name="link"),
    CheckConstraint("organization_id IS NULL OR NOT '*' = ANY (domains)", name="domains"),
)
Index("user_stores_prefix_key", func.lower(user_stores.c.prefix), unique=True)
Index(
    "user_stores_name_key",
    user_stores.c.organization_id,
    func.lower(user_stores.c.name),
    unique=True,
    postgresql_nulls_not_distinct=True,
)

user_store_mappings = Table(
    "user_store_mappings",
    metadata,
    Column("store_id", ForeignKey("user_stores.id", ondelete="CASCADE"), primary_key=True),
    # The distinguished name as it was written.
    Column("directory_group", Text, primary_key=True),
    Column(
        "permission_group_id",
        ForeignKey("permission_groups.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

user_store_accounts = Table(
    "user_store_accounts",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("store_id", ForeignKey("user_stores.id", ondelete="CASCADE"), nullable=False),
    Column("entry_id", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("store_id", "entry_id", name="user_store_accounts_entry_key"),
)

# What mappings gave; what somebody gave by hand stays theirs to take.
user_store_given = Table(
    "user_store_given",
    metadata,
    Column(
        "user_id",
        ForeignKey("user_store_accounts.user_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "permission_group_id",
        ForeignKey("permission_groups.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

# Beside the store, so that neither changes the other's ETag.
user_store_states = Table(
    "user_store_states",
    metadata,
    Column("store_id", ForeignKey("user_stores.id", ondelete="CASCADE"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("server", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("sync_asked", Boolean, nullable=False),
    Column("synced_at", DateTime(timezone=True)),
    Column("sync_error", Text, nullable=False),
    Column("people", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    CheckConstraint("state IN ('untried', 'reached', 'failing')", name="state"),
)
