"""Identity providers, what they say of a person, and requests for access."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from moorage.users import Mapped

MASKED = "***"
# A name that never changes and is told to one service alone (SAML Core, section 8.3.7).
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
# A domain that stands for all; only a provider of the installation may have it.
EVERY_DOMAIN = "*"
# Between setting out for the provider and coming back from it.
ON_THE_WAY = timedelta(minutes=15)
# Clocks of providers and ours may differ by this much.
CLOCK_SKEW = timedelta(seconds=60)
# Who was rejected may ask again after this.
REJECTED_FOR = timedelta(days=7)
# What nobody has answered by then is forgotten.
REQUEST_KEPT = timedelta(days=90)


class Protocol(StrEnum):
    """What is spoken with a provider."""

    OPENID_CONNECT = "openIdConnect"
    SAML = "saml"


class NewAccounts(StrEnum):
    """What happens when somebody comes for the first time.

    `mapped` makes an account for people of a mapped group, `asking` too and has everybody else
    ask for access, `everybody` makes one for all, `nobody` for none.
    """

    NOBODY = "nobody"
    MAPPED = "mapped"
    ASKING = "asking"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class OpenIdConnect:
    """How a provider is spoken with by OpenID Connect.

    Attributes:
        issuer: where `/.well-known/openid-configuration` is, exactly as the provider writes it.
        client_id: what the provider calls us.
        scopes: what is asked for; `openid` is always among it.
        groups_claim, name_claim, email_claim: what the provider calls these; dots lead inwards.
        authority: PEM of the authorities to trust instead of the system's.
    """

    issuer: str
    client_id: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    name_claim: str = "name"
    email_claim: str = "email"
    authority: str | None = None


class Assurance(StrEnum):
    """How sure a provider is of who somebody is (NSIS 2.0, section 3), from the least."""

    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Saml:
    """How a provider is spoken with by SAML 2.0.

    Attributes:
        metadata_url, metadata: where the provider says what it is and which keys it has, or what
            it says there; one of them.
        entity_id: what the provider calls itself; needed where the metadata tell of several.
        name_id_format: the kind of name that is asked for; None leaves it to the provider.
        subject_attribute: who somebody is, where the NameID changes from time to time.
        groups_attribute, name_attribute, email_attribute: what the provider calls these.
        encrypted: whether an assertion that anybody on the way could read is refused.
        unsolicited: whether people come from the provider who did not set out here.
        oiosaml: whether the provider keeps to OIOSAML 3; privileges count as groups.
        assurance: the least level of assurance (NSIS) that is enough.
        privilege_scopes: for whom privileges must be given to count; all if empty.
        authority: PEM of the authorities to trust at `metadata_url` instead of the system's.
    """

    metadata_url: str | None = None
    metadata: str | None = None
    entity_id: str | None = None
    name_id_format: str | None = PERSISTENT
    subject_attribute: str | None = None
    groups_attribute: str = "groups"
    name_attribute: str = "displayName"
    email_attribute: str = "mail"
    encrypted: bool = False
    unsolicited: bool = False
    oiosaml: bool = False
    assurance: Assurance | None = None
    privilege_scopes: tuple[str, ...] = ()
    authority: str | None = None


Settings = OpenIdConnect | Saml


@dataclass(frozen=True, slots=True)
class NewProvider:
    """What makes an identity provider.

    Attributes:
        organization_id: None is the whole installation.
        settings: of its protocol.
        enabled: whether people sign in by it.
        offered: whether the sign-in page shows it to everybody.
        new_accounts: what happens when somebody comes for the first time.
        required: groups one of which a person must be in to be let in at all; empty asks none.
        proven_by: authentication contexts (`acr`) and methods (`amr`) that count as a second
            factor shown to the provider.
        domains: whose e-mail addresses the provider is believed.
        link_by_email: an account without password here and with an address that the provider is
            believed becomes its person's.
        mappings: what groups at the provider give here.
        secret: of the client.
    """

    organization_id: UUID | None
    name: str
    settings: Settings
    enabled: bool = True
    offered: bool = True
    new_accounts: NewAccounts = NewAccounts.ASKING
    required: tuple[str, ...] = ()
    proven_by: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    link_by_email: bool = False
    mappings: tuple[Mapped, ...] = ()
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider as it is kept; its client secret is sealed elsewhere."""

    id: UUID
    organization_id: UUID | None
    name: str
    settings: Settings
    enabled: bool
    offered: bool
    new_accounts: NewAccounts
    required: tuple[str, ...]
    proven_by: tuple[str, ...]
    domains: tuple[str, ...]
    link_by_email: bool
    mappings: tuple[Mapped, ...]
    has_secret: bool
    people: int
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID

    @property
    def protocol(self) -> Protocol:
        """What is spoken with it."""
        return protocol_of(self.settings)


def protocol_of(settings: Settings) -> Protocol:
    """Say which protocol settings are of."""
    return Protocol.SAML if isinstance(settings, Saml) else Protocol.OPENID_CONNECT


@dataclass(frozen=True, slots=True)
class Key:
    """A key of ours towards one provider; the private half is sealed elsewhere.

    Attributes:
        certificate: PEM.
        signs: whether what we send is signed with it; one key of a provider does.
    """

    id: UUID
    provider_id: UUID
    certificate: str
    signs: bool
    expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider says of somebody who has just signed in there.

    Attributes:
        subject: never changes there, and is nobody else's.
        email: None where the provider itself says that it has not been checked.
        groups: as the provider names them.
        proven: whether a second factor was shown.
        session: the provider's name of the session, if it has one.
        hint: what the provider wants to see again when the person signs out.
        name_id: what the provider calls the person when it signs them out, where that is not
            the subject.
    """

    subject: str
    name: str
    email: str | None
    groups: frozenset[str]
    proven: bool
    session: str | None = None
    hint: str | None = field(default=None, repr=False)
    name_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Whose account somebody of a provider has, and what mappings gave it."""

    user_id: UUID
    provider_id: UUID
    subject: str
    given: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody on the way to a provider and back.

    Attributes:
        nonce, verifier: what the provider shows again (OpenID Connect Core 1.0, section 3.1.2.1)
            and what proves that we asked (RFC 7636). By SAML, `nonce` is the request's ID.
        browser: digest of what only the browser that set out holds.
        to: a path of the console to go on to.
        arrived: sealed; what the provider has said meanwhile, for that browser to fetch.
    """

    provider_id: UUID
    nonce: str
    verifier: str
    browser: bytes
    to: str
    arrived: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A session opened by a provider.

    Attributes:
        id: of the session here.
        name: of the session there.
        hint: sealed; shown to the provider again when the person signs out.
    """

    id: UUID
    provider_id: UUID
    user_id: UUID
    name: str | None
    hint: bytes | None


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Somebody a provider knows who has no account here and would have one.

    Attributes:
        email, groups: as the provider said them last.
        rejected_at: since when they are refused; they may ask again a week later.
    """

    id: UUID
    organization_id: UUID | None
    provider_id: UUID
    provider_name: str
    subject: str
    name: str
    email: str | None
    groups: tuple[str, ...]
    rejected_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider as the sign-in page shows it."""

    id: UUID
    name: str
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One step of trying a provider out, and what was seen."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a provider out showed."""

    passed: bool
    steps: tuple[Step, ...]
