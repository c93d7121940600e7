"""HTTP of credentials and of connecting."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from moorage.kit.http import Signed, Tx, may_fail
from moorage.organizations import PermissionMissing

from ..errors import (
    CertificateNotRotated,
    CredentialUnknown,
    DeviceUnknown,
    SecretTaken,
    TooManyCredentials,
    UserNameTaken,
)
from ..model import Credential, ShownSecret
from ..schemas.bodies import (
    ConnectOut,
    CredentialBody,
    CredentialOut,
    RotateBody,
    ShownSecretOut,
)
from ..schemas.connect import Doors, connect
from ..service import registry
from ..service import senders as service

router = APIRouter(prefix="/api/v1/devices/{device_id}", tags=["devices"])


def doors_of(request: Request) -> Doors:
    """Give where devices reach this platform."""
    settings: Any = request.app.state.settings
    return Doors(settings.public_url, settings.mqtt.port, settings.mqtt.tls_port)


def _shown(request: Request, response: Response, shown: ShownSecret) -> ShownSecretOut:
    response.headers["Cache-Control"] = "no-store"
    made = shown.credential
    return ShownSecretOut(
        credential=CredentialOut.model_validate(made),
        secret=shown.secret,
        connect=connect(
            doors_of(request), made.device_id, user_name=made.user_name, secret=shown.secret
        ),
    )


@router.post("/credentials", status_code=201, response_model=ShownSecretOut,
             responses=may_fail(DeviceUnknown, PermissionMissing, UserNameTaken, SecretTaken,
                                TooManyCredentials))  # fmt: skip
async def make_credential(
    device_id: UUID, body: CredentialBody, tx: Tx, caller: Signed, request: Request,
    response: Response,
) -> ShownSecretOut:  # fmt: skip
    """Give a device a credential; its secret is shown this once."""
    shown = await service.make_credential(
        tx, caller, device_id, body.kind, label=body.label, user_name=body.user_name,
        expires_at=body.expires_at, secret=body.secret, platform=body.platform,
        old_topic=body.old_topic,
    )  # fmt: skip
    return _shown(request, response, shown)


@router.get("/credentials", response_model=list[CredentialOut], responses=may_fail(DeviceUnknown))
async def list_credentials(device_id: UUID, tx: Tx, caller: Signed) -> list[Credential]:
    """List a device's credentials, never a secret."""
    return await service.credentials_of(tx, caller, device_id)


@router.get("/credentials/{credential_id}", response_model=CredentialOut,
            responses=may_fail(DeviceUnknown, CredentialUnknown))  # fmt: skip
async def get_credential(
    device_id: UUID, credential_id: UUID, tx: Tx, caller: Signed
) -> Credential:
    """Read a credential, never its secret."""
    return await service.get_credential(tx, caller, device_id, credential_id)


@router.delete("/credentials/{credential_id}", status_code=204,
               responses=may_fail(DeviceUnknown, PermissionMissing, CredentialUnknown))  # fmt: skip
async def revoke_credential(device_id: UUID, credential_id: UUID, tx: Tx, caller: Signed) -> None:
    """Take a credential back; whoever is connected with it is cut off at once."""
    await service.revoke_credential(tx, caller, device_id, credential_id)


@router.post("/rotate-credential", response_model=ShownSecretOut,
             responses=may_fail(DeviceUnknown, PermissionMissing, CredentialUnknown,
                                CertificateNotRotated))  # fmt: skip
async def rotate_credential(
    device_id: UUID, body: RotateBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> ShownSecretOut:
    """Give a credential a new secret; the old one lives on as long as asked for."""
    shown = await service.rotate_credential(
        tx, caller, device_id, body.credential_id, overlap=body.overlap
    )
    return _shown(request, response, shown)


@router.get("/connect", response_model=ConnectOut, responses=may_fail(DeviceUnknown))
async def get_connect(device_id: UUID, tx: Tx, caller: Signed, request: Request) -> ConnectOut:
    """Give ready commands and code to connect a device, with a placeholder for its secret."""
    await registry.get(tx, caller, device_id)
    held = await service.credentials_of(tx, caller, device_id)
    names = [credential.user_name for credential in held if credential.user_name]
    return connect(doors_of(request), device_id, user_name=names[0] if names else None)
