"""HTTP of decoders."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import OrganizationUnknown, PermissionMissing

from . import service
from .errors import (
    DecoderInUse,
    DecoderNameTaken,
    DecoderUnknown,
    KindUnknown,
    RuntimeUnavailable,
    ScriptInvalid,
    ScriptNotWanted,
    TestCasesFailed,
    TestCasesInvalid,
    TrialsTooMany,
    TrialTooLong,
    VersionUnknown,
)
from .model import CaseResult, Decoder, DecoderKind, Overview, ProblemsOfDevice, TestCase, Version
from .schemas import (
    CaseResultOut,
    Cases,
    CopyBody,
    DecoderBody,
    DecoderInFullOut,
    DecoderOut,
    DecoderPatch,
    KindOut,
    OverviewOut,
    ProblemsOut,
    RestoreBody,
    SuggestBody,
    SuggestionsOut,
    TestCaseOut,
    TrialOut,
    TryBody,
    VersionInFullOut,
    VersionOut,
)

router = APIRouter(prefix="/api/v1/decoders", tags=["decoders"])
Force = Annotated[bool, Query(description="Save although test cases fail.")]
RUNS = (ScriptInvalid, KindUnknown, RuntimeUnavailable, TrialsTooMany, TrialTooLong)


async def workshop_of(request: Request) -> service.Workshop:
    """Give the workshop of this process."""
    workshop: service.Workshop = request.app.state.workshop
    return workshop


Workshop = Annotated[service.Workshop, Depends(workshop_of)]


@router.post("", status_code=201, response_model=DecoderOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, DecoderNameTaken,
                                ScriptNotWanted, TestCasesInvalid, TestCasesFailed,
                                *RUNS))  # fmt: skip
async def make_decoder(
    body: DecoderBody, workshop: Workshop, caller: Signed, response: Response,
    force: Force = False,
) -> Decoder:  # fmt: skip
    """Make a decoder, once its script loads and its test cases pass."""
    decoder = await service.make(workshop, caller, body.to_model(), force=force)
    response.headers["Location"] = f"/api/v1/decoders/{decoder.id}"
    tag(response, decoder.updated_at)
    return decoder


@router.get("", response_model=PageOut[OverviewOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_decoders(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    kind: Annotated[str | None, Query(max_length=100)] = None,
    shared: bool | None = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Part of the name or description.")
    ] = None,
) -> pages.Page[Overview]:  # fmt: skip
    """List the decoders of your organizations, and those that are shared."""
    return await service.list_decoders(
        tx, caller, asked, organization_id=organization_id, kind=kind, shared=shared, q=q
    )


@router.get("/kinds", response_model=list[KindOut])
async def list_decoder_kinds(workshop: Workshop, caller: Signed) -> list[DecoderKind]:
    """List the kinds of decoders that are installed."""
    return await service.kinds(workshop)


@router.post("/try", response_model=TrialOut,
             responses=may_fail(DecoderUnknown, VersionUnknown, PermissionMissing,
                                ScriptNotWanted, FieldInvalid, *RUNS))  # fmt: skip
async def try_decoder(body: TryBody, workshop: Workshop, caller: Signed) -> TrialOut:
    """Try a decoder or a script of your own on messages; nothing is kept."""
    messages = body.to_messages()
    return TrialOut.of(await service.try_out(workshop, caller, body.to_attempt(), messages))


@router.post("/suggest", response_model=SuggestionsOut,
             responses=may_fail(PermissionMissing, FieldInvalid, *RUNS))  # fmt: skip
async def suggest_decoders(body: SuggestBody, workshop: Workshop, caller: Signed) -> SuggestionsOut:
    """Try every decoder you may use on some bytes, and name those that make sense of them."""
    found = await service.suggest(workshop, caller, body.to_bytes(), body.port)
    return SuggestionsOut.of(found)


@router.get("/{decoder_id}", response_model=DecoderInFullOut,
            responses=may_fail(DecoderUnknown))  # fmt: skip
async def get_decoder(decoder_id: UUID, tx: Tx, caller: Signed, response: Response) -> Overview:
    """Read a decoder with its script."""
    decoder = await service.look(tx, caller, decoder_id)
    tag(response, decoder.updated_at)
    return decoder


@router.patch("/{decoder_id}", response_model=DecoderOut,
              responses=may_fail(DecoderUnknown, PermissionMissing, DecoderNameTaken,
                                 DecoderInUse, ScriptNotWanted, TestCasesFailed, VersionStale,
                                 *RUNS))  # fmt: skip
async def change_decoder(
    decoder_id: UUID, body: DecoderPatch, workshop: Workshop, caller: Signed, response: Response,
    if_match: IfMatch = None, force: Force = False,
) -> Decoder:  # fmt: skip
    """Change a decoder; a new script acts within a second."""
    decoder = await service.change(
        workshop, caller, decoder_id, body.to_changes(),
        force=force, match=partial(check_match, if_match),
    )  # fmt: skip
    tag(response, decoder.updated_at)
    return decoder


@router.delete("/{decoder_id}", status_code=204,
               responses=may_fail(DecoderUnknown, PermissionMissing, DecoderInUse))  # fmt: skip
async def remove_decoder(decoder_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a decoder that no device uses."""
    await service.remove(tx, caller, decoder_id)


@router.post("/{decoder_id}/copy", status_code=201, response_model=DecoderOut,
             responses=may_fail(DecoderUnknown, OrganizationUnknown, PermissionMissing,
                                DecoderNameTaken))  # fmt: skip
async def copy_decoder(
    decoder_id: UUID, body: CopyBody, tx: Tx, caller: Signed, response: Response
) -> Decoder:
    """Copy a decoder with its test cases into an organization."""
    decoder = await service.copy(tx, caller, decoder_id, body.organization_id, body.name)
    response.headers["Location"] = f"/api/v1/decoders/{decoder.id}"
    tag(response, decoder.updated_at)
    return decoder


@router.get("/{decoder_id}/versions", response_model=PageOut[VersionOut],
            responses=may_fail(DecoderUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_decoder_versions(
    decoder_id: UUID, tx: Tx, caller: Signed, asked: Asked
) -> pages.Page[Version]:
    """List the scripts a decoder has had."""
    return await service.list_versions(tx, caller, decoder_id, asked)


@router.get("/{decoder_id}/versions/{n}", response_model=VersionInFullOut,
            responses=may_fail(DecoderUnknown, VersionUnknown))  # fmt: skip
async def get_decoder_version(
    decoder_id: UUID, n: Annotated[int, Path(ge=1, le=2**31 - 1)], tx: Tx, caller: Signed
) -> Version:
    """Read one version with its script."""
    return await service.get_version(tx, caller, decoder_id, n)


@router.post("/{decoder_id}/restore", response_model=DecoderOut,
             responses=may_fail(DecoderUnknown, PermissionMissing, VersionUnknown))  # fmt: skip
async def restore_decoder(
    decoder_id: UUID, body: RestoreBody, tx: Tx, caller: Signed, response: Response
) -> Decoder:
    """Put an older version in force again; it acts within a second."""
    decoder = await service.restore(tx, caller, decoder_id, body.version)
    tag(response, decoder.updated_at)
    return decoder


@router.get("/{decoder_id}/test-cases", response_model=list[TestCaseOut],
            responses=may_fail(DecoderUnknown))  # fmt: skip
async def list_decoder_test_cases(
    decoder_id: UUID, tx: Tx, caller: Signed, response: Response
) -> tuple[TestCase, ...]:
    """List a decoder's test cases; the ETag is the decoder's."""
    tag(response, (await service.get(tx, caller, decoder_id)).updated_at)
    return await service.cases_of(tx, caller, decoder_id)


@router.put("/{decoder_id}/test-cases", response_model=list[TestCaseOut],
            responses=may_fail(DecoderUnknown, PermissionMissing, TestCasesInvalid,
                               VersionStale))  # fmt: skip
async def set_decoder_test_cases(
    decoder_id: UUID, body: Cases, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> tuple[TestCase, ...]:  # fmt: skip
    """Put test cases in place of the ones there are; run them with `test`."""
    cases, updated_at = await service.set_cases(
        tx, caller, decoder_id, [case.to_model() for case in body], partial(check_match, if_match)
    )
    tag(response, updated_at)
    return cases


@router.post("/{decoder_id}/test", response_model=list[CaseResultOut],
             responses=may_fail(DecoderUnknown, TestCasesInvalid, *RUNS))  # fmt: skip
async def test_decoder(decoder_id: UUID, workshop: Workshop, caller: Signed) -> list[CaseResult]:
    """Run a decoder's test cases on the version in force."""
    return await service.run_cases(workshop, caller, decoder_id)


@router.get("/{decoder_id}/problems", response_model=PageOut[ProblemsOut],
            responses=may_fail(DecoderUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_decoder_problems(
    decoder_id: UUID, tx: Tx, caller: Signed, asked: Asked
) -> pages.Page[ProblemsOfDevice]:
    """List the devices whose messages a decoder could not do in the last 30 days."""
    return await service.list_problems(tx, caller, decoder_id, asked)
