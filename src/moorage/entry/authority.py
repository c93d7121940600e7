"""The authority that devices trust: who connects over TLS checks the doors' certificate with it."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from moorage.entry import tls
from moorage.entry.settings import Settings
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.http import may_fail

router = APIRouter(prefix="/api/v1", tags=["devices"])


class AuthorityUnknown(MoorageError):
    """There is no authority of this installation that devices would have to trust."""

    kind = Kind.NOT_FOUND
    code = "authority_unknown"
    message = (
        "There is no authority to trust: the doors have a certificate of a public one, or have not "
        "been opened on this machine yet."
    )


@router.get(
    "/authority.pem",
    response_class=Response,
    responses={
        **may_fail(AuthorityUnknown),
        200: {"content": {"application/x-pem-file": {"schema": {"type": "string"}}}},
    },
)
async def read_authority(request: Request) -> Response:
    """Give the certificate that devices check the doors with; it is public."""
    settings: Settings = request.app.state.settings
    pem = await asyncio.to_thread(_read, settings)
    return Response(
        pem,
        media_type="application/x-pem-file",
        headers={"Content-Disposition": 'attachment; filename="authority.pem"'},
    )


def _read(settings: Settings) -> bytes:
    """Read the authority's certificate. Raises AuthorityUnknown."""
    path = tls.authority_of(settings)
    if path is None or not path.exists():
        raise AuthorityUnknown
    return path.read_bytes()
