"""HTTP of clients and registration tokens."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import (
    GrantTooWide,
    InstallationOnly,
    OrganizationUnknown,
    PermissionGroupUnknown,
    PermissionMissing,
)
from moorage.users import GroupForeign, PersonNeeded

from .. import service
from ..errors import ClientNameTaken, ClientUnknown, RegistrationTokenUnknown, SecretNotKept
from ..model import Client, RegistrationToken
from ..schemas import (
    ClientBody,
    ClientOut,
    ClientPatch,
    MadeClientOut,
    MadeTokenOut,
    RegistrationTokenBody,
    RegistrationTokenOut,
    SecretOut,
)

router = APIRouter(prefix="/api/v1/oauth", tags=["oauth"])


def _passwords(request: Request) -> bool:
    """Tell whether the operator lets programs show people's passwords."""
    switched_on: bool = request.app.state.settings.oauth.password_grant
    return switched_on


OrganizationId = Annotated[UUID | None, Query(alias="organizationId")]


@router.get("/clients", response_model=PageOut[ClientOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_oauth_clients(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: OrganizationId = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> pages.Page[Client]:  # fmt: skip
    """List the OAuth clients of your organizations."""
    return await service.list_clients(tx, caller, asked, organization_id=organization_id, q=q)


@router.post("/clients", status_code=201, response_model=MadeClientOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                PersonNeeded, PermissionGroupUnknown, GrantTooWide, GroupForeign,
                                ClientNameTaken, FieldInvalid))  # fmt: skip
async def make_oauth_client(
    body: ClientBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> MadeClientOut:
    """Make an OAuth client; its secret is in this answer and never shown again."""
    made, secret = await service.make(tx, caller, body.to_model(), passwords=_passwords(request))
    response.headers["Location"] = f"/api/v1/oauth/clients/{made.id}"
    tag(response, made.updated_at)
    shown = ClientOut.model_validate(made)
    return MadeClientOut(**shown.model_dump(by_alias=False), client_secret=secret)


@router.get("/clients/{client_id}", response_model=ClientOut,
            responses=may_fail(ClientUnknown))  # fmt: skip
async def get_oauth_client(client_id: UUID, tx: Tx, caller: Signed, response: Response) -> Client:
    """Read an OAuth client."""
    found = await service.get(tx, caller, client_id)
    tag(response, found.updated_at)
    return found


@router.patch("/clients/{client_id}", response_model=ClientOut,
              responses=may_fail(ClientUnknown, PersonNeeded, PermissionMissing,
                                 PermissionGroupUnknown, GrantTooWide, GroupForeign,
                                 ClientNameTaken, FieldInvalid, VersionStale))  # fmt: skip
async def change_oauth_client(
    client_id: UUID, body: ClientPatch, tx: Tx, caller: Signed, request: Request,
    response: Response, if_match: IfMatch = None,
) -> Client:  # fmt: skip
    """Change an OAuth client; it acts at once, on tokens that are out too."""
    check_match(if_match, (await service.get(tx, caller, client_id, lock=True)).updated_at)
    passwords = _passwords(request)
    found = await service.change(tx, caller, client_id, body.to_changes(), passwords=passwords)
    tag(response, found.updated_at)
    return found


@router.delete("/clients/{client_id}", status_code=204,
               responses=may_fail(ClientUnknown, PermissionMissing))  # fmt: skip
async def remove_oauth_client(client_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove an OAuth client; its tokens are refused from now on."""
    await service.remove(tx, caller, client_id)


@router.post("/clients/{client_id}/rotate-secret", response_model=SecretOut,
             responses=may_fail(ClientUnknown, PersonNeeded, PermissionMissing,
                                SecretNotKept))  # fmt: skip
async def rotate_client_secret(client_id: UUID, tx: Tx, caller: Signed) -> SecretOut:
    """Give a client a new secret; the one before works no longer."""
    return SecretOut(client_secret=await service.rotate_secret(tx, caller, client_id))


@router.get("/registration-tokens", response_model=PageOut[RegistrationTokenOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_registration_tokens(
    tx: Tx, caller: Signed, asked: Asked, organization_id: OrganizationId = None
) -> pages.Page[RegistrationToken]:
    """List the tokens by which programs register themselves."""
    return await service.list_tokens(tx, caller, asked, organization_id)


@router.post("/registration-tokens", status_code=201, response_model=MadeTokenOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                PersonNeeded, FieldInvalid))  # fmt: skip
async def make_registration_token(
    body: RegistrationTokenBody, tx: Tx, caller: Signed, response: Response
) -> MadeTokenOut:
    """Make a token by which programs register themselves (RFC 7591); it is shown this once."""
    made, secret = await service.make_token(tx, caller, body.to_model())
    response.headers["Location"] = f"/api/v1/oauth/registration-tokens/{made.id}"
    shown = RegistrationTokenOut.model_validate(made)
    return MadeTokenOut(**shown.model_dump(by_alias=False), token=secret)


@router.get("/registration-tokens/{registration_token_id}", response_model=RegistrationTokenOut,
            responses=may_fail(RegistrationTokenUnknown))  # fmt: skip
async def read_registration_token(
    registration_token_id: UUID, tx: Tx, caller: Signed
) -> RegistrationToken:
    """Read a token by which programs register themselves, but for what it is shown by."""
    return await service.get_token(tx, caller, registration_token_id)


@router.delete("/registration-tokens/{registration_token_id}", status_code=204,
               responses=may_fail(RegistrationTokenUnknown, PermissionMissing))  # fmt: skip
async def remove_registration_token(registration_token_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a registration token; who registered by it stays."""
    await service.remove_token(tx, caller, registration_token_id)
