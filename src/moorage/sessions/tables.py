"""Tables of who is connected, and over which listener."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
)

from moorage.kit.tables import metadata

# One life of a listener process; the next one of the same name finds its predecessor dead.
session_listeners = Table(
    "session_listeners",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
)

session_presence = Table(
    "session_presence",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, primary_key=True),
    # No foreign key: a listener's row may be gone before what it left behind is tidied up.
    Column("listener_id", Uuid, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("connected_at", DateTime(timezone=True), nullable=False),
    Column("last_contact_at", DateTime(timezone=True), nullable=False),
    Column("disconnected_at", DateTime(timezone=True)),
    Column("cause", Text),
    Column("protocol", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("tls", Boolean, nullable=False),
    postgresql_with={"fillfactor": 70},
)
Index(
    "session_presence_connected",
    session_presence.c.listener_id,
    postgresql_where=session_presence.c.connected,
)
Index(
    "session_presence_gone",
    session_presence.c.disconnected_at,
    postgresql_where=~session_presence.c.connected,
)

# What a device finds again, whichever listener it comes to and whatever has happened to the last.
session_kept = Table(
    "session_kept",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, primary_key=True),
    Column("state", LargeBinary, nullable=False),
    Column("expiry_s", Integer, nullable=False),
    # Empty while it is connected.
    Column("expires_at", DateTime(timezone=True)),
    postgresql_with={"fillfactor": 70},
)
Index("session_kept_expires", session_kept.c.expires_at)

session_retained = Table(
    "session_retained",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("message", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    postgresql_with={"fillfactor": 70},
)
Index("session_retained_expires", session_retained.c.expires_at)
