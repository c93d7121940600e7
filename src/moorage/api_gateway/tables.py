"""Tables of the gateway: answers kept for repeats, plans, who is on them, and what they used."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from moorage.kit.tables import metadata, stamps

api_answers = Table(
    "api_answers",
    metadata,
    # Digest of caller, path and idempotency key.
    Column("digest", LargeBinary, primary_key=True),
    Column("content_digest", LargeBinary, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, index=True),
    Column("finished_at", DateTime(timezone=True)),
    # Sealed, since answers may hold secrets that are shown once; null if too long to keep.
    Column("sealed", LargeBinary),
)

plans = Table(
    "api_plans",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("requests_per_second", Double, nullable=False),
    Column("burst", Integer, nullable=False),
    Column("requests", BigInteger),
    Column("data_bytes", BigInteger),
    Column("period", Interval, nullable=False),
    Column("needs_approval", Boolean, nullable=False),
    *stamps(),
)
Index(
    "api_plans_name_key",
    plans.c.organization_id,
    func.lower(plans.c.name),
    unique=True,
    postgresql_nulls_not_distinct=True,
)

subscriptions = Table(
    "api_subscriptions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("plan_id", ForeignKey("api_plans.id", ondelete="CASCADE"), nullable=False, index=True),
    # The subscriber's; the subscriber itself where no other is named.
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), index=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("api_key_id", ForeignKey("user_api_keys.id", ondelete="CASCADE"), index=True),
    Column("client_id", ForeignKey("oauth_clients.id", ondelete="CASCADE"), index=True),
    Column("subscriber_kind", Text, nullable=False),
    Column(
        "subscriber_id",
        Uuid,
        Computed("coalesce(user_id, api_key_id, client_id, organization_id)", persisted=True),
        nullable=False,
    ),
    Column("state", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    *stamps(),
    CheckConstraint(
        "num_nonnulls(user_id, api_key_id, client_id) = "
        "CASE subscriber_kind WHEN 'organization' THEN 0 ELSE 1 END",
        name="subscriber",
    ),
    CheckConstraint("state IN ('asked', 'active', 'refused')", name="state"),
)
# One plan holds at a time, and one question waits at a time.
Index(
    "api_subscriptions_one_each",
    subscriptions.c.subscriber_id,
    subscriptions.c.state,
    unique=True,
)

# What was handed out of each allowance, to whichever process; a row each that was used lately.
allowances = Table(
    "api_allowances",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tokens", Double, nullable=False),
    Column("refilled_at", DateTime(timezone=True), nullable=False),
    Column("period", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("data_bytes", BigInteger, nullable=False),
    # What the last lease was given: an UPDATE can tell of the new row only.
    Column("given", BigInteger, nullable=False, server_default=text("0")),
    Column("given_bytes", BigInteger, nullable=False, server_default=text("0")),
    # After this it says nothing that a new row would not.
    Column("stale_at", DateTime(timezone=True), nullable=False, index=True),
)

usage = Table(
    "api_usage",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hour", DateTime(timezone=True), nullable=False),
    Column("caller_kind", Text, nullable=False),
    Column("caller_id", Uuid, nullable=False),
    # No references: what was used stays when who used it is gone.
    Column("client_id", Uuid),
    Column("organization_id", Uuid),
    Column("area", Text, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Index("api_usage_organization", "organization_id", "hour", "id"),
    Index("api_usage_hour", "hour", "id"),
)
Index(
    "api_usage_one_each",
    usage.c.caller_id,
    usage.c.hour,
    usage.c.area,
    usage.c.client_id,
    usage.c.organization_id,
    unique=True,
    postgresql_nulls_not_distinct=True,
)

# Each process's last batch of counts, so that one whose answer was lost is not added twice.
meters = Table(
    "api_meters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

origins = Table(
    "api_origins",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("client_id", ForeignKey("oauth_clients.id", ondelete="CASCADE"), index=True),
    Column("origin", Text, nullable=False),
    *stamps(),
)
Index(
    "api_origins_one_each",
    origins.c.organization_id,
    origins.c.client_id,
    origins.c.origin,
    unique=True,
    postgresql_nulls_not_distinct=True,
)
