"""OAuth clients, and what they were allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

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

# How a client with keys proves itself, as OpenID Connect names it (Core 1.0, section 9).
BY_KEY = "private_key_jwt"
MOST_KEYS = 5

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
    """

    fields: Mapping[str, str]
    resources: tuple[str, ...] = ()
    authorization: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the protocol."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
