"""Tables of identity providers, whose people are whom here, and who asks for access."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps


def _provider() -> Column[object]:
    return Column(
        "provider_id", ForeignKey("identity_providers.id", ondelete="CASCADE"), nullable=False
    )


identity_providers = Table(
    "identity_providers",
    metadata,
    Column("id", Uuid, primary_key=True),
    # None: it is a provider of the whole installation.
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), index=True),
    Column("name", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("sealed_secret", LargeBinary),
    Column("enabled", Boolean, nullable=False),
    Column("offered", Boolean, nullable=False),
    Column("new_accounts", Text, nullable=False),
    Column("required", ARRAY(Text), nullable=False),
    Column("proven_by", ARRAY(Text), nullable=False),
    Column("domains", ARRAY(Text), nullable=False),
    Column("link_by_email", Boolean, nullable=False),
    *stamps(),
    CheckConstraint("protocol IN ('openIdConnect', 'saml')", name="protocol"),
    # Whoever runs a provider of one organisation could otherwise become anybody.
    CheckConstraint("organization_id IS NULL OR NOT link_by_email", name="link"),
    CheckConstraint("organization_id IS NULL OR NOT '*' = ANY (domains)", name="domains"),
)
Index(
    "identity_providers_name_key",
    identity_providers.c.organization_id,
    func.lower(identity_providers.c.name),
    unique=True,
    postgresql_nulls_not_distinct=True,
)

identity_provider_mappings = Table(
    "identity_provider_mappings",
    metadata,
    Column("provider_id", ForeignKey("identity_providers.id", ondelete="CASCADE"),
           primary_key=True),
    Column("provider_group", Text, primary_key=True),
    Column(
        "permission_group_id",
        ForeignKey("permission_groups.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)  # fmt: skip

# What we sign and decrypt with towards a provider (SAML); two while one takes over.
identity_provider_keys = Table(
    "identity_provider_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    _provider(),
    Column("certificate", Text, nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
    Column("signs", Boolean, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
Index("identity_provider_keys_provider_idx", identity_provider_keys.c.provider_id)
Index(
    "identity_provider_keys_signs_key",
    identity_provider_keys.c.provider_id,
    unique=True,
    postgresql_where=identity_provider_keys.c.signs,
)

identity_provider_people = Table(
    "identity_provider_people",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    _provider(),
    Column("subject", Text, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("provider_id", "subject", name="identity_provider_people_subject_key"),
)

# What mappings gave; what somebody gave by hand stays theirs to take.
identity_provider_given = Table(
    "identity_provider_given",
    metadata,
    Column(
        "user_id",
        ForeignKey("identity_provider_people.user_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "permission_group_id",
        ForeignKey("permission_groups.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

identity_provider_sessions = Table(
    "identity_provider_sessions",
    metadata,
    Column("session_id", ForeignKey("user_sessions.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "user_id",
        ForeignKey("identity_provider_people.user_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    # What the provider calls the session and (digested) the person in it, and what it wants to
    # see again at its end.
    Column("name", Text),
    Column("person", LargeBinary, index=True),
    Column("sealed_hint", LargeBinary),
)

# Who is on the way to a provider; coming back uses the row up.
identity_provider_attempts = Table(
    "identity_provider_attempts",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column(
        "provider_id",
        ForeignKey("identity_providers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("browser", LargeBinary, nullable=False),
    Column("to", Text, nullable=False),
    # What the provider has said by another way than this browser.
    Column("arrived", LargeBinary),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

# What a provider may say once only, until it would no longer hold.
identity_provider_spent = Table(
    "identity_provider_spent",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

access_requests = Table(
    "access_requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    # Of the provider.
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), index=True),
    _provider(),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("groups", ARRAY(Text), nullable=False),
    Column("rejected_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    *stamps(),
    UniqueConstraint("provider_id", "subject", name="access_requests_subject_key"),
)
