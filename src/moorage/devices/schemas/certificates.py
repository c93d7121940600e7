"""Certificates of devices and their authorities as JSON."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from moorage.kit import certificates
from moorage.kit.http import Body, Instant, Name, Stamped

from ..model import DeviceAuthority
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


class AuthorityOut(Stamped):
    """An authority; `subject` as RFC 4514 writes names."""

    id: UUID
    organization_id: UUID
    name: str
    subject: str
    certificate: str
    expires_at: Instant

    @classmethod
    def of(cls, authority: DeviceAuthority) -> AuthorityOut:
        """Show one."""
        return cls(
            id=authority.id,
            organization_id=authority.organization_id,
            name=authority.name,
            subject=authority.subject,
            certificate=certificates.pem_of(authority.certificate),
            expires_at=authority.expires_at,
            created_at=authority.created_at,
            updated_at=authority.updated_at,
            created_by=authority.created_by,
            updated_by=authority.updated_by,
        )
