"""Bodies of the routes of identity providers and requests for access."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.errors import FieldInvalid
from moorage.kit.http import Body, Id, Instant, Name, Out, Stamped, Storable
from moorage.users import Mapped

from .model import (
    PERSISTENT,
    Assurance,
    NewAccounts,
    NewProvider,
    OpenIdConnect,
    Protocol,
    Provider,
    Saml,
)
from .service import Brought

Text = Annotated[str, Storable]
Issuer = Annotated[
    Text,
    Field(
        min_length=8,
        max_length=1_000,
        description="The provider's own name of itself; its configuration is found below it.",
        examples=["https://login.example.org/realms/town"],
    ),
]
ClientId = Annotated[Text, Field(min_length=1, max_length=500)]
Scope = Annotated[Text, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$")]
Scopes = Annotated[list[Scope], Field(max_length=50)]
Claim = Annotated[
    Text,
    Field(min_length=1, max_length=200, description="Dots lead inwards: `realm_access.roles`."),
]
Pem = Annotated[Text, Field(min_length=1, max_length=50_000)]
Secret = Annotated[Text, Field(min_length=1, max_length=1_000)]
Group = Annotated[Text, Field(min_length=1, max_length=1_000, examples=["moorage-operators"])]
Groups = Annotated[
    list[Group],
    Field(max_length=50, description="One of these is needed to be let in at all; none if empty."),
]
Contexts = Annotated[
    list[Group],
    Field(
        max_length=50,
        description="Values of `acr` and `amr` that count as a second factor shown elsewhere.",
        examples=[["mfa"]],
    ),
]
Domain = Annotated[
    Text,
    Field(
        pattern=r"^(\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)$",
        max_length=253,
        examples=["example.org"],
    ),
]
Domains = Annotated[
    list[Domain],
    Field(
        max_length=50,
        description="Whose e-mail addresses it is believed; `*` all. By GlobalAdmins only.",
    ),
]


class GroupMappedBody(Body):
    """A group at the provider and the permission groups its people are put into."""

    group: Group
    permission_group_ids: Annotated[list[Id], Field(min_length=1, max_length=50)]

    def to_model(self) -> Mapped:
        """Make the noun."""
        return Mapped(self.group, tuple(dict.fromkeys(self.permission_group_ids)))


Mappings = Annotated[list[GroupMappedBody], Field(max_length=500)]


class _OpenIdConnectFields(Body):
    scopes: Scopes = ["openid", "profile", "email"]
    groups_claim: Claim = "groups"
    name_claim: Claim = "name"
    email_claim: Claim = "email"
    authority: Pem | None = None


class OpenIdConnectBody(_OpenIdConnectFields):
    """How a provider is spoken with by OpenID Connect."""

    issuer: Issuer
    client_id: ClientId

    def to_model(self) -> OpenIdConnect:
        """Make the noun."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return OpenIdConnect(**_nouns(values))


class OpenIdConnectPatch(_OpenIdConnectFields):
    """What changes of how a provider is spoken with."""

    issuer: Issuer = ""
    client_id: ClientId = ""


Metadata = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=500_000,
        description="What the provider says of itself (XML), where it cannot be fetched.",
    ),
]
Address = Annotated[Text, Field(min_length=8, max_length=2_000)]
Attribute = Annotated[Text, Field(min_length=1, max_length=500)]


class SamlBody(Body):
    """How a provider is spoken with by SAML 2.0."""

    metadata_url: Address | None = None
    metadata: Metadata | None = None
    entity_id: Annotated[Text, Field(min_length=1, max_length=1_024)] | None = None
    name_id_format: Attribute | None = PERSISTENT
    subject_attribute: Attribute | None = None
    groups_attribute: Attribute = "groups"
    name_attribute: Attribute = "displayName"
    email_attribute: Attribute = "mail"
    encrypted: Annotated[
        bool, Field(description="Assertions that are not encrypted are refused.")
    ] = False
    unsolicited: Annotated[
        bool, Field(description="People may come from the provider who did not set out here.")
    ] = False
    oiosaml: Annotated[
        bool, Field(description="OIOSAML 3: assertions signed, encrypted, of an NSIS level.")
    ] = False
    assurance: Annotated[
        Assurance | None, Strict(False), Field(description="The least NSIS level that is enough.")
    ] = None
    privilege_scopes: Annotated[
        list[Attribute],
        Field(
            max_length=50,
            description="For whom privileges must be given to count; all if empty.",
            examples=[["urn:dk:gov:saml:cvrNumberIdentifier:12345678"]],
        ),
    ] = []
    authority: Pem | None = None

    def to_model(self) -> Saml:
        """Make the noun."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Saml(**_nouns(values))


class _ProviderFields(Body):
    client_secret: Secret | None = None
    enabled: bool = True
    offered: bool = True
    new_accounts: Annotated[NewAccounts, Strict(False)] = NewAccounts.ASKING
    required: Groups = []
    proven_by: Contexts = []
    domains: Domains = []
    link_by_email: bool = False
    mappings: Mappings = []


class IdentityProviderBody(_ProviderFields):
    """A new identity provider."""

    organization_id: Id | None
    name: Name
    open_id_connect: OpenIdConnectBody | None = None
    saml: SamlBody | None = None

    def to_model(self) -> NewProvider:
        """Make the noun. Raises FieldInvalid: it speaks no protocol, or several."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        spoken = [one for one in (values.pop("open_id_connect"), values.pop("saml")) if one]
        if len(spoken) != 1:
            raise FieldInvalid("/openIdConnect", "or saml is needed, and not both")
        values["settings"] = spoken[0].to_model()
        return NewProvider(**_nouns(values))


class IdentityProviderPatch(_ProviderFields):
    """Fields of an identity provider to change (JSON Merge Patch); lists are replaced."""

    name: Name = ""
    open_id_connect: OpenIdConnectPatch = OpenIdConnectPatch()
    saml: SamlBody = SamlBody()

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent, as the noun has them. Raises FieldInvalid: of two protocols."""
        given = self.given()
        spoken = {
            protocol: given.pop(name)
            for name, protocol in (
                ("open_id_connect", Protocol.OPENID_CONNECT), ("saml", Protocol.SAML)
            )
            if name in given
        }  # fmt: skip
        if len(spoken) > 1:
            raise FieldInvalid("/saml", "and openIdConnect are two protocols")
        for protocol, settings in spoken.items():
            given["protocol"] = protocol
            given["settings"] = _nouns(settings.given())
        return _nouns(given)


def _nouns(values: dict[str, Any]) -> dict[str, Any]:
    made = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    if "mappings" in made:
        made["mappings"] = tuple(one.to_model() for one in made["mappings"])
    if "client_secret" in made:
        made["secret"] = made.pop("client_secret")
    return made


class TryProviderBody(Body):
    """Changes that a provider is tried with."""

    changes: IdentityProviderPatch = IdentityProviderPatch()


class GroupMappedOut(Out):
    """A group at the provider and the permission groups its people are put into."""

    group: str
    permission_group_ids: list[UUID]


class OpenIdConnectOut(Out):
    """How a provider is spoken with by OpenID Connect."""

    issuer: str
    client_id: str
    scopes: list[str]
    groups_claim: str
    name_claim: str
    email_claim: str
    authority: str | None


class SamlOut(Out):
    """How a provider is spoken with by SAML 2.0."""

    metadata_url: str | None
    metadata: str | None
    entity_id: str | None
    name_id_format: str | None
    subject_attribute: str | None
    groups_attribute: str
    name_attribute: str
    email_attribute: str
    encrypted: bool
    unsolicited: bool
    oiosaml: bool
    assurance: Assurance | None
    privilege_scopes: list[str]
    authority: str | None


class KeyBody(Body):
    """A key of ours that is brought; one is made where nothing is."""

    certificate: Pem
    private_key: Pem

    def to_model(self) -> Brought:
        """Make the noun."""
        return Brought(self.certificate, self.private_key)


class KeyOut(Out):
    """A key of ours towards an identity provider; the private half is never shown."""

    id: UUID
    certificate: str
    signs: bool
    expires_at: Instant
    created_at: Instant


class IdentityProviderOut(Stamped):
    """An identity provider; its client secret is never shown."""

    id: UUID
    organization_id: UUID | None
    name: str
    protocol: Protocol
    open_id_connect: OpenIdConnectOut | None
    saml: SamlOut | None
    has_client_secret: bool
    enabled: bool
    offered: bool
    new_accounts: NewAccounts
    required: list[str]
    proven_by: list[str]
    domains: list[str]
    link_by_email: bool
    mappings: list[GroupMappedOut]
    people: int

    @classmethod
    def of(cls, provider: Provider) -> IdentityProviderOut:
        """Show a provider."""
        plain = {
            name: getattr(provider, name)
            for name in cls.model_fields
            if name not in ("open_id_connect", "saml", "has_client_secret", "mappings")
        }
        by_saml = isinstance(provider.settings, Saml)
        return cls(
            **plain,
            open_id_connect=(
                None if by_saml else OpenIdConnectOut.model_validate(provider.settings)
            ),
            saml=SamlOut.model_validate(provider.settings) if by_saml else None,
            has_client_secret=provider.has_secret,
            mappings=[GroupMappedOut.model_validate(one) for one in provider.mappings],
        )


class ProviderStepOut(Out):
    """One step of trying a provider out."""

    name: str
    passed: bool
    detail: str


class ProviderTrialOut(Out):
    """What trying a provider out showed."""

    passed: bool
    steps: list[ProviderStepOut]


class OfferOut(Out):
    """An identity provider as the sign-in page shows it."""

    id: UUID
    name: str
    protocol: Protocol


class SignedOutOut(Out):
    """Where the browser goes to sign out at the identity provider too, if anywhere."""

    address: str | None


class AccessRequestOut(Stamped):
    """Somebody an identity provider knows who would have an account."""

    id: UUID
    organization_id: UUID | None
    provider_id: UUID
    provider_name: str
    name: str
    email: str | None
    groups: list[str]
    created_at: Instant


class AcceptBody(Body):
    """The permission groups that somebody is let in to."""

    permission_group_ids: Annotated[list[Id], Field(max_length=50)] = []


class AcceptedOut(Out):
    """The account that was made."""

    user_id: UUID
