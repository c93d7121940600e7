"""Certificates of devices and their authorities as JSON."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from moorage.kit import certificates
from moorage.kit.errors import FieldInvalid
from moorage.kit.http import Body, Instant, Name, Out, Stamped

from ..model import KnownList
from .bodies import Line

Pem = Annotated[
    str, Field(min_length=1, max_length=16_384, description="One certificate in PEM, no key.")
]


class CertificateBody(Body):
    """A certificate that a device connects with; its key stays with the device."""

    certificate: Pem
    label: Line = ""


class AuthorityBody(Body):
    """Who signs certificates of an organization's devices.

    `proof` is a certificate that it signed, whose common name is the organization's id: it shows
    that whoever registers the authority holds its key.
    """

    name: Name
    certificate: Pem
    proof: Pem


class RevocationListBody(Body):
    """The list of what an authority has revoked: the list itself, or where it is fetched.

    `list` is a complete list in PEM, or in DER written in base64. `url` begins with `http://` or
    `https://`; null means that it is fetched no more.
    """

    list: Annotated[str, Field(min_length=1, max_length=6_000_000)] | None = None
    url: Annotated[str, Field(min_length=1, max_length=2_000)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> RevocationListBody:
        if len(self.model_fields_set & {"list", "url"}) != 1 or (
            "list" in self.model_fields_set and self.list is None
        ):
            raise ValueError("give either the list or its url")
        return self

    def data(self) -> bytes:
        """Give the bytes of the list. Raises FieldInvalid."""
        text = self.list or ""
        if text.lstrip().startswith("-----BEGIN"):
            return text.encode()
        try:
            return b64decode("".join(text.split()), validate=True)
        except ValueError as wrong:
            raise FieldInvalid("/list", "is neither PEM nor base64.") from wrong


class RevocationListOut(Out):
    """What is known of the list of what an authority has revoked.

    `url` is where it is fetched, every 30 minutes; null where it is uploaded. `revoked` is how many
    certificates it holds. `lookedAt` is when it was fetched or uploaded last, `problem` why it
    could not be taken then; the one known before still counts.
    """

    url: str | None
    issued_at: Instant | None
    next_at: Instant | None
    revoked: int
    looked_at: Instant | None
    problem: str | None


class AuthorityOut(Stamped):
    """An authority; `subject` as RFC 4514 writes names."""

    id: UUID
    organization_id: UUID
    name: str
    subject: str
    certificate: str
    expires_at: Instant
    revocation_list: RevocationListOut

    @classmethod
    def of(cls, known: KnownList) -> AuthorityOut:
        """Show one."""
        authority = known.authority
        return cls(
            id=authority.id,
            organization_id=authority.organization_id,
            name=authority.name,
            subject=authority.subject,
            certificate=certificates.pem_of(authority.certificate),
            expires_at=authority.expires_at,
            revocation_list=RevocationListOut(
                url=authority.list_url,
                issued_at=authority.list_issued_at,
                next_at=authority.list_next_at,
                revoked=known.revoked,
                looked_at=authority.list_looked_at,
                problem=authority.list_problem,
            ),
            created_at=authority.created_at,
            updated_at=authority.updated_at,
            created_by=authority.created_by,
            updated_by=authority.updated_by,
        )
