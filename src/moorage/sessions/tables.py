"""Tables of who is connected, and over which listener."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata

# One life of a listener process; the next one of the same name finds its predecessor dead.
session_listeners = Table(
    "session_listeners",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # Where the others reach it; empty where it has no door that they could come to.
    Column("address", Text),
    Column("version", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    # How many others it is sent messages by, of those it knows.
    Column("follows", Integer, nullable=False, server_default="0"),
    # Since when it is asked whether it still lives; its next beat empties this.
    Column("doubted_at", DateTime(timezone=True)),
)

# At which listener all that concerns a device's sessions happens. The epoch grows with each change,
# so that who has lost a device without knowing can write nothing more for it.
session_homes = Table(
    "session_homes",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("listener_id", ForeignKey("session_listeners.id", ondelete="SET NULL")),
    Column("epoch", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 70},
)
Index(
    "session_homes_listener",
    session_homes.c.listener_id,
    postgresql_where=session_homes.c.listener_id.is_not(None),
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
    # Fields of `Terms`, where the door knows them.
    Column("terms", JSONB(none_as_null=True)),
    # Fields of `Figures` that were measured: on the way of its end, and when somebody looked.
    Column("figures", JSONB(none_as_null=True)),
    Column("measured_at", DateTime(timezone=True)),
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

# Programs that are connected. Of what has ended nothing is kept.
session_programs = Table(
    "session_programs",
    metadata,
    Column("id", Uuid, primary_key=True),
    # No foreign key: one that is removed ends its connections.
    Column("key_id", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("listener_id", Uuid, nullable=False),
    Column("connected_at", DateTime(timezone=True), nullable=False),
    Column("protocol", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("tls", Boolean, nullable=False),
    Column("terms", JSONB(none_as_null=True)),
    Column("figures", JSONB(none_as_null=True)),
    Column("measured_at", DateTime(timezone=True)),
    UniqueConstraint("listener_id", "key_id", "client_id", name="session_programs_key"),
)

# Who traces a device's packets. A process that dies leaves its watch behind, which ends by itself.
session_watches = Table(
    "session_watches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), nullable=False),
    Column("caller_id", Uuid, nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("alive_until", DateTime(timezone=True), nullable=False),
)
Index("session_watches_number", session_watches.c.number)

# What those see: a minute of it. It is worth nothing after a crash of the server.
session_packets = Table(
    "session_packets",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("listener_id", Uuid, primary_key=True),
    # Counts the batches of a listener.
    Column("n", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("packets", LargeBinary, nullable=False),
    prefixes=["UNLOGGED"],
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
    # Whether it subscribes to what devices share, so that others may send it something.
    Column("shares", Boolean, nullable=False),
    # Of the will in `state`, if there is one: its delay, and when it is due once the connection
    # has ended.
    Column("will_delay_s", Integer),
    Column("will_at", DateTime(timezone=True)),
    postgresql_with={"fillfactor": 70},
)
Index("session_kept_expires", session_kept.c.expires_at)
Index("session_kept_shares", session_kept.c.number, postgresql_where=session_kept.c.shares)
Index(
    "session_kept_will",
    session_kept.c.will_at,
    postgresql_where=session_kept.c.will_at.is_not(None),
)

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

# What was published to the topics that devices of an application share, at one listener of several:
# each listener's in its order, until all sessions that wait for it have it (decision 27).
session_passed = Table(
    "session_passed",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    # No foreign key: what a dead listener has written is still to be read.
    Column("listener_id", Uuid, primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("message", LargeBinary, nullable=False),
    Column("passed_at", DateTime(timezone=True), nullable=False),
)
Index("session_passed_passed_at", session_passed.c.passed_at)

session_shared_retained = Table(
    "session_shared_retained",
    metadata,
    Column("application_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("message", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    postgresql_with={"fillfactor": 70},
)
Index("session_shared_retained_expires", session_shared_retained.c.expires_at)
