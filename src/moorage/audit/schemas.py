"""Bodies of the audit's routes."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, PlainSerializer, Strict, WithJsonSchema

from moorage.kit.http import Body, Id, Instant, Name, Out, Stamped, Storable

from .model import Content, NewCollector

# Bytes as lower-case hexadecimal figures.
Hex = Annotated[
    bytes, PlainSerializer(bytes.hex, return_type=str), WithJsonSchema({"type": "string"})
]


class FactOut(Out):
    """One fact: who, when, what, before and after, from where."""

    id: UUID
    number: int | None
    at: Instant
    name: str
    organization_id: UUID | None
    subject_id: UUID
    caller_kind: str
    caller_id: UUID
    caller_label: str
    origin: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ChainedFactOut(FactOut):
    """One fact with what proves it, as the export shows it (docs/audit.md)."""

    personal: Annotated[list[str], BeforeValidator(lambda names: list(names or ()))]
    place: int | None
    link: Hex | None
    caller_salt: Hex | None
    caller_digest: Hex | None
    about_salt: Hex | None
    about_digest: Hex | None


class ChainOut(Out):
    """Where a chain stands; without `organizationId` it is the installation's."""

    organization_id: UUID | None
    place: int
    number: int
    link: Hex
    signed_place: int
    dropped_place: int


class CheckpointOut(Out):
    """A signed word on how far a chain went."""

    organization_id: UUID | None
    place: int
    number: int
    link: Hex
    at: Instant
    key_id: UUID
    key: Hex
    signature: Hex


class CheckpointBody(Body):
    """Which chain to sign now; without `organizationId` the installation's."""

    organization_id: Id | None = None


class KeyOut(Out):
    """A key that signs or signed checkpoints (RFC 8037)."""

    kty: str
    crv: str
    use: str
    kid: str
    x: str
    created_at: Annotated[str, Field(description="Since when it signs.")]
    retired_at: Annotated[str | None, Field(description="When it was replaced.")]


class KeySetOut(Out):
    """The keys of the audit's signer (JWK Set, RFC 7517)."""

    keys: list[KeyOut]


class SystemEntryOut(Out):
    """A warning or error of a process or an integration."""

    id: int
    at: Instant
    part: str
    component: str
    level: str
    event: str
    detail: dict[str, Any]


Url = Annotated[
    str,
    Storable,
    Field(
        min_length=1,
        max_length=1_024,
        description="syslog:// or syslog+tls:// (RFC 5424 with octet counts), tcp:// or tcp+tls:// "
        "(JSON lines), http:// or https:// (POST of JSON lines).",
        examples=["syslog+tls://siem.example.org"],
    ),
]
Contents = Annotated[
    tuple[Annotated[Content, Strict(False)], ...],
    Strict(False),
    Field(min_length=1, max_length=3, description="What is sent."),
]
Pem = Annotated[
    str, Storable, Field(max_length=50_000, description="Authorities to trust, in PEM.")
]
Token = Annotated[
    str,
    Field(min_length=1, max_length=4_096, pattern=r"^[\x21-\x7e]+$",
          description="Sent as `Authorization: Bearer` over HTTP; never shown."),
]  # fmt: skip


class CollectorBody(Body):
    """A new collector: a place outside to which the audit and the system log are sent."""

    name: Name
    url: Url
    contents: Contents
    from_start: Annotated[bool, Field(description="All that is kept, not only what comes.")] = False
    authority: Pem | None = None
    token: Token | None = None

    def to_model(self) -> NewCollector:
        """Make the noun."""
        return NewCollector(**{name: getattr(self, name) for name in type(self).model_fields})


class CollectorPatch(Body):
    """Fields of a collector to change (JSON Merge Patch)."""

    name: Name = ""
    url: Url = ""
    contents: Contents = ()
    authority: Pem | None = None
    token: Token | None = None
    paused: bool = False

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        return self.given()


class CollectorOut(Stamped):
    """A collector, and how far it has come."""

    id: UUID
    name: str
    url: str
    contents: list[Content]
    authority: str | None
    has_token: bool
    paused: bool
    number: Annotated[int, Field(description="Of the last fact it took.")]
    taken_at: Instant | None
    failing_since: Instant | None
    error: Annotated[str, Field(description="Why nothing gets through.")]
