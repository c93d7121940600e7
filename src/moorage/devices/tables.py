"""Tables of devices: slots, the units bound to them, credentials, contacts, the past."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from moorage.kit.tables import metadata, stamps

devices = Table(
    "devices",
    metadata,
    Column("id", Uuid, primary_key=True),
    # What the message path uses instead of the id; no API shows it.
    Column("number", Integer, Identity(always=True), nullable=False, unique=True),
    Column("application_id", Uuid, nullable=False),
    Column("organization_id", Uuid, nullable=False),
    # The gateway that may speak for this device.
    Column("gateway_id", ForeignKey("devices.id", ondelete="SET NULL"), index=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("manufacturer", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("serial", Text),
    Column("longitude", Float),
    Column("latitude", Float),
    Column("altitude_m", Float),
    Column("place", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("owner", Text, nullable=False),
    Column("ownership", Text),
    # Who may do with it what permission groups give for one's own devices.
    Column("owner_id", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("state", Text, nullable=False),
    # The type is said: the versions of a device copy it, whichever slice is loaded first.
    Column("decoder_id", Uuid, ForeignKey("decoders.id")),
    Column("silent_after", Interval),
    Column("thresholds", JSONB, nullable=False),
    # Everything `q` looks through, case folded; words of it are found by their trigrams.
    Column("search", Text, nullable=False),
    *stamps(),
    ForeignKeyConstraint(
        ["application_id", "organization_id"],
        ["groups.id", "groups.organization_id"],
        onupdate="CASCADE",
        name="devices_application_fkey",
    ),
    # Operations, notices and the like refer to all three and so follow a device that moves.
    UniqueConstraint("id", "application_id", "organization_id"),
    UniqueConstraint("organization_id", "serial"),
    CheckConstraint("(longitude IS NULL) = (latitude IS NULL)", name="location"),
)
_name = func.lower(devices.c.name)
Index("devices_by_name", _name, devices.c.id)
Index("devices_of_organization", devices.c.organization_id, _name, devices.c.id)
Index("devices_of_application", devices.c.application_id, _name, devices.c.id)
Index("devices_by_creation", devices.c.created_at, devices.c.id)
Index("devices_by_change", devices.c.updated_at, devices.c.id)
Index("devices_decoder", devices.c.decoder_id)
Index("devices_by_serial", func.lower(devices.c.serial))
Index("devices_by_model", func.lower(devices.c.model), func.lower(devices.c.manufacturer))
Index("devices_by_owner", func.lower(devices.c.owner))
Index("devices_own", devices.c.owner_id, postgresql_where=devices.c.owner_id.is_not(None))
Index("devices_tags", devices.c.tags, postgresql_using="gin")
Index(
    "devices_search",
    devices.c.search,
    postgresql_using="gin",
    postgresql_ops={"search": "gin_trgm_ops"},
)
Index(
    "devices_map",
    devices.c.longitude,
    devices.c.latitude,
    postgresql_where=devices.c.longitude.is_not(None),
)
Index("devices_planned", devices.c.number, postgresql_where=devices.c.state == "planned")
Index("devices_waiting", devices.c.application_id, postgresql_where=devices.c.state == "waiting")
Index(
    "devices_with_thresholds",
    devices.c.number,
    postgresql_where=text("thresholds <> '[]'::jsonb"),
)

# Written by the message path, so it is apart from the wide and much indexed table above: as no
# indexed column changes on most contacts, PostgreSQL updates the row in place.
device_contacts = Table(
    "device_contacts",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("last_seen_at", DateTime(timezone=True)),
    Column("connected", Boolean, nullable=False, server_default=text("false")),
    Column("usual_interval_s", Float),
    Column("contacts", BigInteger, nullable=False, server_default=text("0")),
    Column("silent_since", DateTime(timezone=True)),
    postgresql_with={"fillfactor": 70},
)
Index(
    "device_contacts_silent",
    device_contacts.c.number,
    postgresql_where=device_contacts.c.silent_since.is_not(None),
)

device_units = Table(
    "device_units",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("bound_at", DateTime(timezone=True), nullable=False),
    Column("unbound_at", DateTime(timezone=True)),
    Column("serial", Text),
    Column("hardware", JSONB, nullable=False),
)
Index(
    "device_units_bound",
    device_units.c.device_id,
    unique=True,
    postgresql_where=device_units.c.unbound_at.is_(None),
)

device_identifiers = Table(
    "device_identifiers",
    metadata,
    Column("network", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False, index=True),
    Column(
        "unit_id", ForeignKey("device_units.id", ondelete="CASCADE"), nullable=False, index=True
    ),
)

# Who signs certificates of an organisation's devices.
device_authorities = Table(
    "device_authorities",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column(
        "organization_id",
        ForeignKey("organizations.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # As certificates name it: SHA-256 of the subject's DER.
    Column("subject_digest", LargeBinary, nullable=False, index=True),
    # SHA-256 of its public key: whoever registers a key first proves that it is his.
    Column("key_digest", LargeBinary, nullable=False, unique=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    # The list of what it has revoked: where it is fetched, which one is known, how that went.
    Column("list_url", Text),
    Column("list_number", Numeric),
    Column("list_issued_at", DateTime(timezone=True)),
    Column("list_next_at", DateTime(timezone=True)),
    Column("list_looked_at", DateTime(timezone=True)),
    Column("list_problem", Text),
    *stamps(),
)

device_revocations = Table(
    "device_revocations",
    metadata,
    Column(
        "authority_id", ForeignKey("device_authorities.id", ondelete="CASCADE"), primary_key=True
    ),
    # As its issuer numbers certificates, in hexadecimal digits.
    Column("serial", Text, primary_key=True),
    Column("revoked_at", DateTime(timezone=True), nullable=False),
)

device_credentials = Table(
    "device_credentials",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("user_name", Text, unique=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    # After a rotation the old secret may stay valid for a while.
    Column("previous_digest", LargeBinary, unique=True),
    Column("previous_until", DateTime(timezone=True)),
    Column("hint", Text, nullable=False),
    # Of a password, in the form of Mosquitto's password file; made when the secret is.
    Column("mosquitto_hash", Text),
    # Of a password, for SCRAM-SHA-256, in PostgreSQL's form; none of one that SASLprep forbids.
    Column("scram_hash", Text),
    Column("version", Integer, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    # Of a device that goes on as on the platform it comes from: how it was called there.
    Column("platform", Text),
    Column("old_topic", Text),
    # Of a certificate: since when it holds; the whole of one that somebody added; who signed one
    # that came by itself. A revoked one is kept, so that it is told from a stranger's.
    Column("valid_from", DateTime(timezone=True)),
    Column("certificate", LargeBinary),
    Column("authority_id", ForeignKey("device_authorities.id", ondelete="CASCADE"), index=True),
    Column("serial", Text),
    Column("revoked_at", DateTime(timezone=True)),
    *stamps(),
    CheckConstraint("kind IN ('key', 'password', 'certificate')", name="kind"),
    CheckConstraint("platform IN ('os2iot', 'wso2')", name="platform"),
    CheckConstraint("(kind = 'password') = (user_name IS NOT NULL)", name="user_name"),
)
Index(
    "device_credentials_pinned",
    device_credentials.c.device_id,
    postgresql_where=device_credentials.c.certificate.is_not(None),
)

device_inboxes = Table(
    "device_inboxes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("application_id", Uuid, nullable=False, unique=True),
    Column("organization_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    *stamps(),
    ForeignKeyConstraint(
        ["application_id", "organization_id"],
        ["groups.id", "groups.organization_id"],
        onupdate="CASCADE",
        ondelete="CASCADE",
        name="device_inboxes_application_fkey",
    ),
)

# One-time tokens that each make one device; see service.claims.
device_claims = Table(
    "device_claims",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("application_id", Uuid, nullable=False, index=True),
    Column("organization_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    *stamps(),
    ForeignKeyConstraint(
        ["application_id", "organization_id"],
        ["groups.id", "groups.organization_id"],
        onupdate="CASCADE",
        ondelete="CASCADE",
        name="device_claims_application_fkey",
    ),
)

# What devices may publish and subscribe to beyond their own topics; see service.topics.
device_topic_rules = Table(
    "device_topic_rules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("application_id", Uuid, nullable=False, index=True),
    Column("organization_id", Uuid, nullable=False),
    # For whom: null means every device, kind, model of the application.
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), index=True),
    Column("device_kind", Text),
    Column("model", Text),
    Column("topic", Text, nullable=False),
    Column("publish", Boolean, nullable=False),
    Column("subscribe", Boolean, nullable=False),
    # What is published is kept as a message of this channel; null passes it on only.
    Column("channel", Text),
    *stamps(),
    ForeignKeyConstraint(
        ["application_id", "organization_id"],
        ["groups.id", "groups.organization_id"],
        onupdate="CASCADE",
        ondelete="CASCADE",
        name="device_topic_rules_application_fkey",
    ),
    CheckConstraint("publish OR subscribe", name="use"),
    CheckConstraint("publish OR channel IS NULL", name="channel"),
)

# Which devices changed in what doors and workers remember of them; read by transaction, so that a
# late commit is never passed over, and trimmed after an hour.
device_changes = Table(
    "device_changes",
    metadata,
    Column(
        "transaction",
        BigInteger,
        primary_key=True,
        server_default=text("pg_current_xact_id()::text::bigint"),
    ),
    # No foreign key: a removed device must be cut off too.
    Column("number", Integer, primary_key=True),
    # Whether it is about its right to send, and not only about what it is called and the like.
    Column("sender", Boolean, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
)

device_states = Table(
    "device_states",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Uuid, nullable=False),
    Index("device_states_of_device", "device_id", "at"),
)

# --- The past ---------------------------------------------------------------
# Each row says: so it was until then. The one with the least `until` after an instant tells of that
# instant; where there is none, the device is as it was. What a removed device was goes with it.

PLACE = ("longitude", "latitude", "altitude_m")

# What people have written of a device, before each change.
device_versions = Table(
    "device_versions",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("until", DateTime(timezone=True), primary_key=True),
    *(
        Column(column.name, column.type, nullable=column.nullable)
        for column in devices.c
        if column.name != "number" and column.name not in PLACE
    ),
    # [kind, value, network] of each.
    Column("identifiers", JSONB, nullable=False),
    Index("device_versions_until", "until"),
)


def _course() -> list[Column[Any]]:
    return [
        Column("connected", Boolean, nullable=False),
        Column("last_seen_at", DateTime(timezone=True)),
        Column("silent_since", DateTime(timezone=True)),
        *(Column(name, Float) for name in PLACE),
    ]


# A device's contact and place as last written down, and since when they are so.
device_noted = Table(
    "device_noted",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
    *_course(),
    postgresql_with={"fillfactor": 70},
)

device_courses = Table(
    "device_courses",
    metadata,
    Column("number", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("until", DateTime(timezone=True), primary_key=True),
    *_course(),
    Index("device_courses_until", "until"),
)

# That there was a device, and whose it was; nothing else is known of it.
device_removals = Table(
    "device_removals",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("application_id", Uuid, nullable=False),
    Column("organization_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("removed_at", DateTime(timezone=True), nullable=False, index=True),
)

device_photos = Table(
    "device_photos",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("content_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
