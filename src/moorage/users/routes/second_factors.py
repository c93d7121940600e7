"""HTTP of what a person shows beside the password."""

from __future__ import annotations

import segno
from fastapi import APIRouter, Request

from moorage.kit.http import Signed, Tx, may_fail

from .. import service
from ..errors import (
    CredentialsWrong,
    PersonNeeded,
    SecondFactorMissing,
    SecondFactorRequired,
    SecondFactorThere,
    SecondFactorWrong,
    TooManyFailures,
)
from ..model import SecondFactors
from ..schemas import (
    BackupCodesOut,
    CodeBody,
    ConfirmBody,
    ConfirmWithCodeBody,
    SecondFactorsOut,
    TotpSetupOut,
)
from .auth import visitor_of

router = APIRouter(prefix="/api/v1/auth/second-factors", tags=["auth"])


@router.get("", response_model=SecondFactorsOut, responses=may_fail(PersonNeeded))
async def get_second_factors(tx: Tx, caller: Signed) -> SecondFactors:
    """Read what you can show beside the password."""
    return await service.my_second_factors(tx, caller)


@router.post("/totp", response_model=TotpSetupOut,
             responses=may_fail(CredentialsWrong, PersonNeeded, SecondFactorThere,
                                TooManyFailures))  # fmt: skip
async def begin_totp(body: ConfirmBody, caller: Signed, request: Request) -> TotpSetupOut:
    """Begin with an authenticator app; it counts once a code of it is shown."""
    state = request.app.state
    made = await service.begin_totp(
        state.database, caller, visitor_of(request), state.post, body.password
    )
    picture = segno.make(made.uri, micro=False).svg_data_uri(scale=5, border=4, light="#fff")
    return TotpSetupOut(secret=made.secret, uri=made.uri, qr=picture)


@router.post("/totp/confirm", response_model=BackupCodesOut,
             responses=may_fail(PersonNeeded, SecondFactorMissing, SecondFactorThere,
                                SecondFactorWrong))  # fmt: skip
async def confirm_totp(body: CodeBody, tx: Tx, caller: Signed, request: Request) -> BackupCodesOut:
    """Show a code of the new authenticator app; the answer has its backup codes, this once."""
    codes = await service.confirm_totp(tx, caller, request.app.state.post, body.code)
    return BackupCodesOut(codes=list(codes))


@router.post("/totp/remove", status_code=204,
             responses=may_fail(CredentialsWrong, PersonNeeded, SecondFactorMissing,
                                SecondFactorRequired, SecondFactorWrong,
                                TooManyFailures))  # fmt: skip
async def remove_totp(body: ConfirmWithCodeBody, caller: Signed, request: Request) -> None:
    """Remove your authenticator app and its backup codes."""
    state = request.app.state
    await service.end_totp(
        state.database, caller, visitor_of(request), state.post, body.password, body.code
    )


@router.post("/backup-codes", response_model=BackupCodesOut,
             responses=may_fail(CredentialsWrong, PersonNeeded, SecondFactorMissing,
                                SecondFactorWrong, TooManyFailures))  # fmt: skip
async def make_backup_codes(
    body: ConfirmWithCodeBody, caller: Signed, request: Request
) -> BackupCodesOut:
    """Make new backup codes, shown this once; those before work no longer."""
    state = request.app.state
    codes = await service.renew_codes(
        state.database, caller, visitor_of(request), state.post, body.password, body.code
    )
    return BackupCodesOut(codes=list(codes))
