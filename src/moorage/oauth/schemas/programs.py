"""Bodies of clients and registration tokens."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, JsonValue, Strict, StringConstraints

from moorage.kit.http import Body, Id, Instant, Name, Out, Stamped, Storable
from moorage.organizations import Permission

from ..model import (
    MOST_CERTIFICATES,
    MOST_KEYS,
    CertificateName,
    GrantType,
    NameKind,
    NewClient,
    NewRegistrationToken,
)

Scope = Annotated[Permission, Strict(False)]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=100)]
Grant = Annotated[GrantType, Strict(False)]
Grants = Annotated[list[Grant], Field(min_length=1, max_length=10)]
Redirects = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=2_000), Storable]],
    Field(
        max_length=20,
        description="Where the browser may be led back to: https, this machine itself, or an "
        "app's own scheme; compared to the letter.",
    ),
]
Groups = Annotated[
    list[Id],
    Field(
        max_length=100,
        description="What the client holds as itself (client_credentials), within its scopes.",
    ),
]
Keys = Annotated[
    list[dict[str, JsonValue]],
    Field(
        max_length=MOST_KEYS,
        description="Public keys (RFC 7517). With any, the client proves itself by what it signs "
        "with them (private_key_jwt), and by no secret.",
    ),
]
Certificates = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=16_384), Storable]],
    Field(
        max_length=MOST_CERTIFICATES,
        description="Certificates in PEM, signed by whomever. With any, the client proves itself "
        "by showing one of them over TLS (self_signed_tls_client_auth), and by no secret.",
    ),
]
Bound = Annotated[
    bool,
    Field(
        description="Whether its tokens are of use only beside the certificate that it showed for "
        "them; those of a client that proves itself by certificate always are.",
    ),
]
Website = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://\S+$"), Storable]


def _once(values: list[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


class CertificateNameBody(Body):
    """Whom a certificate that an authority of the organization signed names (tls_client_auth)."""

    kind: Annotated[NameKind, Strict(False)]
    value: Annotated[str, Field(min_length=1, max_length=500), Storable]

    def to_model(self) -> CertificateName:
        """Make the noun."""
        return CertificateName(self.kind, self.value)


class CertificateNameOut(Out):
    """Whom a client's certificate names."""

    kind: NameKind
    value: str


class ClientBody(Body):
    """A new OAuth client."""

    organization_id: Id | None = None
    name: Name
    website: Website | None = None
    confidential: Annotated[
        bool,
        Field(description="Whether it can keep a secret, as no program on a phone can."),
    ] = True
    grant_types: Grants = [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN]
    redirect_uris: Redirects = []
    scopes: Scopes
    permission_group_ids: Groups = []
    keys: Keys = []
    certificate_name: CertificateNameBody | None = None
    certificates: Certificates = []
    certificate_bound: Bound = False

    def to_model(self) -> NewClient:
        """Make the noun."""
        return NewClient(
            self.organization_id,
            self.name,
            _once(self.grant_types),
            _once(self.scopes),
            self.website,
            self.confidential,
            _once(self.redirect_uris),
            _once(self.permission_group_ids),
            tuple(self.keys),
            certificate_name=self.certificate_name.to_model() if self.certificate_name else None,
            certificates=tuple(self.certificates),
            certificate_bound=self.certificate_bound,
        )


class ClientPatch(Body):
    """Fields of a client to change (JSON Merge Patch)."""

    name: Name = ""
    website: Website | None = None
    grant_types: Grants = []
    redirect_uris: Redirects = []
    scopes: Scopes = []
    permission_group_ids: Groups = []
    keys: Keys = []
    certificate_name: CertificateNameBody | None = None
    certificates: Certificates = []
    certificate_bound: Bound = False

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, lists as tuples without repeats."""
        given = self.given()
        keys = {"keys": tuple(given.pop("keys"))} if "keys" in given else {}
        if (name := given.get("certificate_name")) is not None:
            given["certificate_name"] = name.to_model()
        return {k: _once(v) if isinstance(v, list) else v for k, v in given.items()} | keys


class ClientOut(Stamped):
    """An OAuth client, without its secret; `id` is its client_id."""

    id: UUID
    organization_id: UUID | None
    name: str
    website: str | None
    confidential: bool
    grant_types: list[GrantType]
    redirect_uris: list[str]
    scopes: list[Permission]
    permission_group_ids: list[UUID]
    keys: list[dict[str, JsonValue]]
    certificate_name: CertificateNameOut | None
    certificates: list[str]
    certificate_bound: bool
    registration_token_id: UUID | None
    used_at: Instant | None


class MadeClientOut(ClientOut):
    """A new client with its secret, which is shown this once; a public one has none."""

    client_secret: str | None


class SecretOut(Out):
    """A client's new secret, shown this once."""

    client_secret: str


class RegistrationTokenBody(Body):
    """A new registration token."""

    organization_id: Id | None = None
    name: Name
    scopes: Scopes
    expires_at: Instant
    uses: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    def to_model(self) -> NewRegistrationToken:
        """Make the noun."""
        return NewRegistrationToken(
            self.organization_id, self.name, _once(self.scopes), self.expires_at, self.uses
        )


class RegistrationTokenOut(Stamped):
    """A registration token, without its secret."""

    id: UUID
    organization_id: UUID | None
    name: str
    scopes: list[Permission]
    uses_left: int | None
    expires_at: Instant


class MadeTokenOut(RegistrationTokenOut):
    """A new registration token with its secret, which is shown this once."""

    token: str
