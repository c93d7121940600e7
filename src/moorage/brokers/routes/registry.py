"""HTTP of the registry of brokers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import InstallationOnly, OrganizationUnknown, PermissionMissing
from moorage.sources import SourceNameTaken, SourcesTooMany

from .. import service
from ..errors import BrokerConnected, BrokerNameTaken, BrokersTooMany, BrokerUnknown, FilesUnfit
from ..model import Broker, ShownToken
from ..schemas import (
    BrokerBody,
    BrokerOut,
    BrokerPatch,
    ConnectionBody,
    FilesOut,
    PieceOut,
    SetupOut,
    ShownTokenOut,
    TokenBody,
)

router = APIRouter(prefix="/api/v1/brokers", tags=["brokers"])
_MANAGED = (BrokerUnknown, PermissionMissing, InstallationOnly)


def _shown(request: Request, response: Response, made: ShownToken) -> ShownTokenOut:
    response.headers["Cache-Control"] = "no-store"
    tag(response, made.broker.updated_at)
    public_url, issuer = request.app.state.public_url, made.broker.issuer or ""
    pieces = service.pieces(made.broker.kind, public_url, made.token, issuer)
    broker = BrokerOut.model_validate(made.broker)
    told = [PieceOut.model_validate(piece) for piece in pieces]
    return ShownTokenOut(**dict(broker), token=made.token, pieces=told)


@router.post("", status_code=201, response_model=ShownTokenOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                FieldInvalid, BrokerNameTaken, BrokersTooMany))  # fmt: skip
async def add_broker(
    body: BrokerBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> ShownTokenOut:
    """Register a broker that devices connect to in place of the platform; shows its token."""
    made = await service.add(tx, caller, body.to_model(), request.app.state.sealer)
    response.headers["Location"] = f"/api/v1/brokers/{made.broker.id}"
    return _shown(request, response, made)


@router.get("", response_model=PageOut[BrokerOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_brokers(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> pages.Page[Broker]:  # fmt: skip
    """List brokers."""
    return await service.list_brokers(tx, caller, asked, organization_id=organization_id, q=q)


@router.get("/{broker_id}", response_model=BrokerOut, responses=may_fail(BrokerUnknown))
async def get_broker(broker_id: UUID, tx: Tx, caller: Signed, response: Response) -> Broker:
    """Read a broker."""
    broker = await service.get(tx, caller, broker_id)
    tag(response, broker.updated_at)
    return broker


@router.get("/{broker_id}/setup", response_model=SetupOut, responses=may_fail(BrokerUnknown))
async def get_broker_setup(broker_id: UUID, tx: Tx, caller: Signed, request: Request) -> SetupOut:
    """Give what to write into the broker's configuration, with a placeholder for its token."""
    broker = await service.get(tx, caller, broker_id)
    public_url, issuer = request.app.state.public_url, broker.issuer or ""
    pieces = service.pieces(broker.kind, public_url, issuer=issuer)
    return SetupOut(pieces=[PieceOut.model_validate(piece) for piece in pieces])


@router.patch("/{broker_id}", response_model=BrokerOut,
              responses=may_fail(*_MANAGED, FieldInvalid, BrokerNameTaken,
                                 VersionStale))  # fmt: skip
async def change_broker(
    broker_id: UUID, body: BrokerPatch, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> Broker:  # fmt: skip
    """Change a broker."""
    check_match(if_match, (await service.get(tx, caller, broker_id, lock=True)).updated_at)
    broker = await service.change(tx, caller, broker_id, body.to_changes())
    tag(response, broker.updated_at)
    return broker


@router.post("/{broker_id}/rotate-token", response_model=ShownTokenOut,
             responses=may_fail(*_MANAGED, FieldInvalid))  # fmt: skip
async def rotate_broker_token(
    broker_id: UUID, body: TokenBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> ShownTokenOut:
    """Give a broker a new token, shown this once; the old one works on as long as asked for."""
    made = await service.rotate_token(
        tx,
        caller,
        broker_id,
        request.app.state.sealer,
        overlap=body.overlap,
        expires_at=body.expires_at,
    )
    return _shown(request, response, made)


@router.get("/{broker_id}/files", response_model=FilesOut,
            responses=may_fail(*_MANAGED, FilesUnfit))  # fmt: skip
async def get_broker_files(broker_id: UUID, tx: Tx, caller: Signed, response: Response) -> FilesOut:
    """Give the password file, the file of rights and the authorities of a Mosquitto.

    Passwords are hashed; authorities are those of the organization's device certificates.
    """
    response.headers["Cache-Control"] = "no-store"
    files = await service.files_of(tx, caller, broker_id)
    return FilesOut(files=[PieceOut.model_validate(one) for one in files])


@router.post("/{broker_id}/connect", response_model=BrokerOut,
             responses=may_fail(*_MANAGED, FieldInvalid, BrokerConnected, SourceNameTaken,
                                SourcesTooMany))  # fmt: skip
async def connect_broker(
    broker_id: UUID, body: ConnectionBody, tx: Tx, caller: Signed, request: Request
) -> Broker:  # fmt: skip
    """Have a broker's messages fetched and commands sent through it, by a source of its name."""
    await service.connect(tx, caller, broker_id, body.to_model(), request.app.state.sealer)
    return await service.get(tx, caller, broker_id)


@router.delete("/{broker_id}", status_code=204, responses=may_fail(*_MANAGED))
async def remove_broker(broker_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a broker; whoever asks with its token is refused from now on."""
    await service.remove(tx, caller, broker_id)
