"""Tables of OAuth clients and of what they were allowed."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

registration_tokens = Table(
    "oauth_registration_tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", ARRAY(Text), nullable=False),
    # Null is without a bound.
    Column("uses_left", Integer),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    *stamps(),
)
Index("oauth_registration_tokens_organization", registration_tokens.c.organization_id)

clients = Table(
    "oauth_clients",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("website", Text),
    Column("confidential", Boolean, nullable=False),
    # Of the secret; null for a client that is public, or has keys or a certificate.
    Column("digest", LargeBinary),
    Column("keys", JSONB, nullable=False),
    # What of a certificate names the client, and as what.
    Column("certificate_name", JSONB(none_as_null=True)),
    # In PEM.
    Column("certificates", ARRAY(Text), nullable=False),
    Column("certificate_bound", Boolean, nullable=False),
    Column("grant_types", ARRAY(Text), nullable=False),
    Column("redirect_uris", ARRAY(Text), nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    # Clients outlive the token they registered with.
    Column("registration_token_id", Uuid),
    # Of the token by which one that registered itself reads and changes itself.
    Column("registration_digest", LargeBinary, unique=True),
    Column("used_at", DateTime(timezone=True)),
    *stamps(),
)
Index(
    "oauth_clients_name_key",
    clients.c.organization_id,
    func.lower(clients.c.name),
    unique=True,
    postgresql_nulls_not_distinct=True,
)

# What a client was allowed; all its tokens end with it.
authorizations = Table(
    "oauth_authorizations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("client_id", ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False),
    # Null: the client acts as itself.
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("resources", ARRAY(Text), nullable=False),
    Column("proven", Boolean, nullable=False),
    # Of the refresh token that works now; null without one.
    Column("refresh_digest", LargeBinary, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("idle_until", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("oauth_authorizations_client", "client_id"),
    Index("oauth_authorizations_idle", "idle_until"),
)

# Refresh tokens that were exchanged: whoever shows one again has copied it, or it was copied.
spent_tokens = Table(
    "oauth_spent_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column(
        "authorization_id",
        ForeignKey("oauth_authorizations.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)

# Assertions that clients proved themselves by, until they expire: each holds once.
spent_assertions = Table(
    "oauth_spent_assertions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

codes = Table(
    "oauth_codes",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column(
        "client_id", ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("redirect_uri", Text, nullable=False),
    # Of PKCE, made with S256.
    Column("challenge", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("resources", ARRAY(Text), nullable=False),
    Column("proven", Boolean, nullable=False),
    # What came of it; set when it is spent.
    Column("authorization_id", Uuid),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

device_codes = Table(
    "oauth_device_codes",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_digest", LargeBinary, nullable=False, unique=True),
    Column(
        "client_id", ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("resources", ARRAY(Text), nullable=False),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("allowed", Boolean),
    Column("proven", Boolean, nullable=False),
    Column("interval", Interval, nullable=False),
    Column("polled_at", DateTime(timezone=True)),
    Column("origin", Text),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)
