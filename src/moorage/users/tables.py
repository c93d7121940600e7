"""Tables of people, their sessions and keys."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
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
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text),
    Column("name", Text, nullable=False),
    # None: nobody has chosen one, so the console follows the browser.
    Column("language", Text),
    Column("password_hash", Text),
    Column("active", Boolean, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("signed_in_at", DateTime(timezone=True)),
    # An erased user keeps the row, without anything personal, so that ids still resolve.
    Column("erased_at", DateTime(timezone=True)),
    *stamps(),
)
Index("users_email_key", func.lower(users.c.email), unique=True)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("origin", Text),
    Column("agent", Text),
    Column("by_link", Boolean, nullable=False),
    # Whether a second factor was shown, or a passkey that stands for both.
    Column("proven", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("idle_until", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    CheckConstraint("kind IN ('console', 'token')", name="kind"),
)

# Refresh tokens that were exchanged: whoever shows one again has copied it.
user_spent_tokens = Table(
    "user_spent_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column(
        "session_id",
        ForeignKey("user_sessions.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)

# How somebody likes to see things: chosen columns, saved views.
user_preferences = Table(
    "user_preferences",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("preferences", JSONB, nullable=False),
)

user_links = Table(
    "user_links",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("kind IN ('signIn', 'invitation', 'reset')", name="kind"),
)

# Mail that somebody at the sign-in asked for or brought about, by an address that may be nobody's:
# the worker finds out, so that neither answer nor time tells.
user_wishes = Table(
    "user_wishes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("origin", Text),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("kind IN ('reset', 'locked')", name="kind"),
)

# Whom an organisation has asked to join it, until they accept, decline or a week has passed.
user_invitations = Table(
    "user_invitations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("language", Text),
    Column("account_expires_at", DateTime(timezone=True)),
    # Who may accept it signed in: the one whose address it was when it was made, or when the link
    # was opened. Whoever takes the address later needs the link.
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    *stamps(),
)
Index(
    "user_invitations_email_key",
    user_invitations.c.organization_id,
    func.lower(user_invitations.c.email),
    unique=True,
    postgresql_nulls_not_distinct=True,
)

user_invitation_groups = Table(
    "user_invitation_groups",
    metadata,
    Column(
        "invitation_id", ForeignKey("user_invitations.id", ondelete="CASCADE"), primary_key=True
    ),
    Column(
        "permission_group_id",
        ForeignKey("permission_groups.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

user_failures = Table(
    "user_failures",
    metadata,
    # `account` and the e-mail address tried (of a user or not), or `address` and the network's;
    # `resetAccount` and `resetAddress` likewise, where a mail was asked for.
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", DateTime(timezone=True), nullable=False, index=True),
    Column("blocked_until", DateTime(timezone=True)),
)

# One per person; it counts once a code of it has been shown.
user_totps = Table(
    "user_totps",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    # The time step of the last code that was taken; it and those before are worth nothing.
    Column("last_step", BigInteger, nullable=False),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

user_backup_codes = Table(
    "user_backup_codes",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
)

user_passkeys = Table(
    "user_passkeys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    UniqueConstraint("credential_id", name="user_passkeys_credential_key"),
)

# What a passkey is to sign, once and within five minutes.
user_challenges = Table(
    "user_challenges",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    # Whose passkeys may sign it; None is anybody's.
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    CheckConstraint("kind IN ('registration', 'signIn', 'secondFactor')", name="kind"),
)

user_signing_keys = Table(
    "user_signing_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    # For whoever checks what it signed, other processes of the platform among them.
    Column("public", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

api_keys = Table(
    "user_api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", ARRAY(Text)),
    Column("expires_at", DateTime(timezone=True)),
    # Whether it is taken as HTTP Basic too.
    Column("basic", Boolean, nullable=False),
    Column("used_at", DateTime(timezone=True)),
    *stamps(),
)
Index(
    "user_api_keys_name_key",
    api_keys.c.organization_id,
    func.lower(api_keys.c.name),
    unique=True,
    postgresql_nulls_not_distinct=True,
)
