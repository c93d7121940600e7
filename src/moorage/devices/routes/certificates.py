"""HTTP of client certificates and of who signs them."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from moorage.kit.errors import FieldInvalid
from moorage.kit.http import Signed, Tx, may_fail
from moorage.organizations import OrganizationUnknown, PermissionMissing

from ..errors import (
    AuthorityTaken,
    AuthorityUnknown,
    CertificateTaken,
    DeviceUnknown,
    RevocationListOld,
    TooManyAuthorities,
    TooManyCertificates,
    TooManyCredentials,
)
from ..model import Credential
from ..schemas.bodies import CredentialOut
from ..schemas.certificates import (
    AuthorityBody,
    AuthorityOut,
    CertificateBody,
    RevocationListBody,
)
from ..service import certificates as service
from ..service import revocations

router = APIRouter(prefix="/api/v1", tags=["devices"])
_AUTHORITIES = "/organizations/{organization_id}/device-authorities"


@router.post("/devices/{device_id}/certificates", status_code=201, response_model=CredentialOut,
             responses=may_fail(DeviceUnknown, PermissionMissing, FieldInvalid, CertificateTaken,
                                TooManyCredentials, TooManyCertificates))  # fmt: skip
async def add_certificate(
    device_id: UUID, body: CertificateBody, tx: Tx, caller: Signed, response: Response
) -> Credential:
    """Let a device in over TLS by its own certificate, whoever signed that.

    It is listed, and revoked, as one of the device's credentials.
    """
    added = await service.add_certificate(tx, caller, device_id, body.certificate, label=body.label)
    response.headers["Location"] = f"/api/v1/devices/{device_id}/credentials/{added.id}"
    return added


@router.post(_AUTHORITIES, status_code=201, response_model=AuthorityOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, FieldInvalid,
                                AuthorityTaken, TooManyAuthorities))  # fmt: skip
async def add_authority(
    organization_id: UUID, body: AuthorityBody, tx: Tx, caller: Signed, response: Response
) -> AuthorityOut:
    """Let in devices by certificates that an authority signs.

    A certificate names its device by id or serial: in a URI (`urn:uuid:…`) or DNS name of its
    alternative names, or in its common name. It becomes one of the device's credentials when it is
    first shown.
    """
    added = await service.add_authority(
        tx, caller, organization_id, body.name, body.certificate, body.proof
    )
    path = f"/api/v1/organizations/{organization_id}/device-authorities/{added.id}"
    response.headers["Location"] = path
    return AuthorityOut.of((await revocations.with_lists(tx, [added]))[0])


@router.get(_AUTHORITIES, response_model=list[AuthorityOut],
            responses=may_fail(OrganizationUnknown))  # fmt: skip
async def list_authorities(organization_id: UUID, tx: Tx, caller: Signed) -> list[AuthorityOut]:
    """List who signs certificates of an organization's devices; at most 20."""
    found = await service.list_authorities(tx, caller, organization_id)
    return [AuthorityOut.of(one) for one in await revocations.with_lists(tx, found)]


@router.get(_AUTHORITIES + "/{authority_id}", response_model=AuthorityOut,
            responses=may_fail(OrganizationUnknown, AuthorityUnknown))  # fmt: skip
async def get_authority(
    organization_id: UUID, authority_id: UUID, tx: Tx, caller: Signed
) -> AuthorityOut:
    """Read an authority."""
    found = await service.get_authority(tx, caller, organization_id, authority_id)
    return AuthorityOut.of((await revocations.with_lists(tx, [found]))[0])


@router.put(_AUTHORITIES + "/{authority_id}/revocation-list", response_model=AuthorityOut,
            responses=may_fail(OrganizationUnknown, PermissionMissing, AuthorityUnknown,
                               FieldInvalid, RevocationListOld))  # fmt: skip
async def put_revocation_list(
    organization_id: UUID, authority_id: UUID, body: RevocationListBody, tx: Tx, caller: Signed
) -> AuthorityOut:
    """Say which certificates an authority has revoked, or where that is told (RFC 5280).

    Whoever is connected with one of them is cut off at once. A list replaces the one before, which
    must not be newer; a credential that was revoked stays so.
    """
    of = tx, caller, organization_id, authority_id
    if body.list is None:
        found = await revocations.set_address(*of, body.url)
    else:
        found = await revocations.put_list(*of, body.data())
    return AuthorityOut.of((await revocations.with_lists(tx, [found]))[0])


@router.delete(_AUTHORITIES + "/{authority_id}", status_code=204,
               responses=may_fail(OrganizationUnknown, PermissionMissing,
                                  AuthorityUnknown))  # fmt: skip
async def remove_authority(
    organization_id: UUID, authority_id: UUID, tx: Tx, caller: Signed
) -> None:
    """Take an authority back; whoever is connected with what it signed is cut off at once."""
    await service.remove_authority(tx, caller, organization_id, authority_id)
