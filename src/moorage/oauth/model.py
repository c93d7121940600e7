"""OAuth clients, and what they were allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from moorage.kit.db import Tx
from moorage.organizations import Permission

# How long things hold.
ACCESS_TOKEN = timedelta(minutes=15)
CODE = timedelta(minutes=2)
# A code that was used is remembered, so that its second use is seen for what it is.
SPENT_CODE = timedelta(hours=1)
DEVICE_CODE = timedelta(minutes=10)
REFRESH_IDLE = timedelta(days=30)
REFRESH_ABSOLUTE = timedelta(days=365)
LAST_USE = timedelta(minutes=1)
# How far ahead a client's assertion may expire: as long it is remembered, to hold once.
LONGEST_ASSERTION = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=1)
# A device that polls faster than this is told to slow down, each time by as much again.
POLL = timedelta(seconds=5)

BY_SECRET = ("client_secret_basic", "client_secret_post")
NOT_AT_ALL = "none"
# How a client with keys proves itself, as OpenID Connect names it (Core 1.0, section 9).
BY_KEY = "private_key_jwt"
MOST_KEYS = 5
# How one with a certificate does (RFC 8705, sections 2.1.1 and 2.2.1): by who signed it and whom it
# names, or because it is this very one.
BY_NAME = "tls_client_auth"
BY_CERTIFICATE = "self_signed_tls_client_auth"
BY_SHOWING = (BY_NAME, BY_CERTIFICATE)
MOST_CERTIFICATES = 5

CLIENT_SECRET_PREFIX = "mcs_"  # noqa: S105
REFRESH_PREFIX = "mcr_"
REGISTRATION_PREFIX = "mcg_"
OWN_REGISTRATION_PREFIX = "mca_"
# Letters of a user code: no vowels, so no words, and none that look like others (RFC 8628, 6.1).
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


class GrantType(StrEnum):
    """By what a client gets a token."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    # Only where the operator has switched it on.
    PASSWORD = "password"  # noqa: S105


class NameKind(StrEnum):
    """What of a certificate names a client (RFC 8705, section 2.1.2)."""

    SUBJECT = "subjectDn"
    DNS = "sanDns"
    URI = "sanUri"
    IP = "sanIp"
    EMAIL = "sanEmail"


@dataclass(frozen=True, slots=True)
class CertificateName:
    """Whom a client's certificate names."""

    kind: NameKind
    value: str


# Tells why no authority of an organisation stands for a certificate, as the rest of a sentence;
# nothing if one does.
Vouch = Callable[[Tx, bytes, UUID], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate that somebody has proved to hold, and who can tell what it is worth.

    Attributes:
        der: the certificate.
        vouch: asks the authorities of an organisation.
    """

    der: bytes
    vouch: Vouch


class Resource(StrEnum):
    """A door that tokens are for; as the path after the installation's address."""

    API = "/api/v1"
    MQTT = "/mqtt"


@dataclass(frozen=True, slots=True)
class Client:
    """A program that asks for tokens.

    Attributes:
        organization_id: the one it acts in; None is a client of the whole installation.
        confidential: whether it has a secret or keys; else it is public, and proves itself by PKCE
            alone.
        keys: public keys (RFC 7517); with any, it proves itself by these and by no secret.
        certificate_name: whom its certificate names, which an authority of its organisation has
            signed; with it, it proves itself by that alone.
        certificates: in PEM; with any, it proves itself by showing one of them.
        certificate_bound: its tokens are of use only beside the certificate that it showed for
            them; so are those of a client that proves itself by certificate.
        scopes: what it may ask for at most.
        permission_group_ids: what it holds as itself (client credentials), within its scopes.
        registration_token_id: by which it registered itself.
    """

    id: UUID
    organization_id: UUID | None
    name: str
    website: str | None
    confidential: bool
    grant_types: tuple[GrantType, ...]
    redirect_uris: tuple[str, ...]
    scopes: tuple[Permission, ...]
    permission_group_ids: tuple[UUID, ...]
    keys: tuple[Mapping[str, Any], ...]
    certificate_name: CertificateName | None
    certificates: tuple[str, ...]
    certificate_bound: bool
    registration_token_id: UUID | None
    used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class NewClient:
    """What makes a client."""

    organization_id: UUID | None
    name: str
    grant_types: tuple[GrantType, ...]
    scopes: tuple[Permission, ...]
    website: str | None = None
    confidential: bool = True
    redirect_uris: tuple[str, ...] = ()
    permission_group_ids: tuple[UUID, ...] = ()
    keys: tuple[Mapping[str, Any], ...] = ()
    registration_token_id: UUID | None = None
    certificate_name: CertificateName | None = None
    certificates: tuple[str, ...] = ()
    certificate_bound: bool = False


def method_of(client: Client | NewClient) -> str:
    """Tell how a client proves itself, by the first of the names of that (RFC 7591, section 2)."""
    if client.keys:
        return BY_KEY
    if client.certificates:
        return BY_CERTIFICATE
    if client.certificate_name is not None:
        return BY_NAME
    return BY_SECRET[0] if client.confidential else NOT_AT_ALL


def is_bound(client: Client | NewClient) -> bool:
    """Tell whether a client's tokens are bound to its certificate (RFC 8705, section 3)."""
    return client.certificate_bound or method_of(client) in BY_SHOWING


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a client was allowed, and every token that came of it.

    Attributes:
        user_id: in whose name; None where the client acts as itself.
        proven: whether the person had shown a second factor when they allowed it.
    """

    id: UUID
    client_id: UUID
    user_id: UUID | None
    scopes: tuple[Permission, ...]
    resources: tuple[Resource, ...]
    proven: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Allowed:
    """An authorisation, as people see it."""

    id: UUID
    client_id: UUID
    client_name: str
    organization_id: UUID | None
    user_id: UUID
    user_label: str
    scopes: tuple[Permission, ...]
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Code:
    """An authorisation code; `authorization_id` is what came of it, once it is spent."""

    digest: bytes
    client_id: UUID
    user_id: UUID
    redirect_uri: str
    challenge: str
    scopes: tuple[Permission, ...]
    resources: tuple[Resource, ...]
    proven: bool
    authorization_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a device without a browser waits for (RFC 8628).

    Attributes:
        user_id: who answered; None while nobody has.
        allowed: what they said.
        interval: between two polls.
    """

    digest: bytes
    user_digest: bytes
    client_id: UUID
    scopes: tuple[Permission, ...]
    resources: tuple[Resource, ...]
    user_id: UUID | None
    allowed: bool | None
    proven: bool
    interval: timedelta
    polled_at: datetime | None
    origin: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked to allow.

    Attributes:
        redirect_host: where the browser goes afterwards; None for a device.
        origin: from where a device asked.
        scopes: what is asked for, without what the person does not hold there.
        redirect_to: set where nothing is to be asked: the client's mistake, told to it.
    """

    client: Client | None
    organization_name: str | None = None
    redirect_host: str | None = None
    origin: str | None = None
    scopes: tuple[Permission, ...] = ()
    redirect_to: str | None = None


@dataclass(frozen=True, slots=True)
class RegistrationToken:
    """By which programs register themselves as clients (RFC 7591, initial access token)."""

    id: UUID
    organization_id: UUID | None
    name: str
    scopes: tuple[Permission, ...]
    uses_left: int | None
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class NewRegistrationToken:
    """What makes a registration token; without `uses` it holds until it expires."""

    organization_id: UUID | None
    name: str
    scopes: tuple[Permission, ...]
    expires_at: datetime
    uses: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A request of the protocol, as it came.

    Attributes:
        fields: of the form; each once (RFC 6749, section 3.2).
        resources: of the form; the only field that may come several times (RFC 8707).
        authorization: the header, if there was one.
        origin: the network address.
        certificate: that the asker has proved to hold.
    """

    fields: Mapping[str, str]
    resources: tuple[str, ...] = ()
    authorization: str | None = None
    origin: str | None = None
    certificate: ShownCertificate | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the protocol."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
