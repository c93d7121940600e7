"""HTTP of targets, routes, dead letters and replays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from moorage.decoders import DecodeFailed, DecoderUnknown, TrialsTooMany, TrialTooLong, Turns
from moorage.devices import DeviceUnknown
from moorage.groups import ApplicationUnknown
from moorage.kit import pages
from moorage.kit.db import Database
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer
from moorage.ledger import PositionGone
from moorage.organizations import PermissionMissing

from .. import service
from ..errors import (
    DeadLetterUnknown,
    ReplayUnknown,
    RouteUnknown,
    TargetKindUnknown,
    TargetNameTaken,
    TargetUnknown,
    TargetUnreachable,
)
from ..model import LogEntry, Reason, Replay, Result, Route, Statement, Target, Trial
from ..schemas import (
    CountOut,
    DeadLetterOut,
    DeadLetterPatch,
    KindOut,
    LogEntryOut,
    ReplayBody,
    ReplayOut,
    ResultOut,
    RouteBody,
    RouteOut,
    RoutePatch,
    StatementOut,
    TargetBody,
    TargetOut,
    TargetPatch,
    TestBody,
    TrialOut,
)

router = APIRouter(prefix="/api/v1/targets", tags=["targets"])
kinds_router = APIRouter(prefix="/api/v1/target-kinds", tags=["targets"])
routes_router = APIRouter(prefix="/api/v1/routes", tags=["targets"])


@dataclass(frozen=True)
class Tools:
    """What this slice's routes need of the process."""

    database: Database
    sealer: Sealer
    kinds: service.Kinds
    network: Outbound
    deriver: service.Deriver
    turns: Turns


async def _tools(request: Request) -> Tools:
    state = request.app.state
    return Tools(
        state.database,
        state.sealer,
        state.target_kinds,
        state.outbound,
        state.deriver,
        state.workshop.turns,
    )


With = Annotated[Tools, Depends(_tools)]


@kinds_router.get("", response_model=PageOut[KindOut])
async def list_target_kinds(_caller: Signed, tools: With) -> PageOut[KindOut]:
    """List the kinds of target, with the schema of their settings and the names of secrets."""
    return PageOut[KindOut](
        items=[
            KindOut(
                kind=name,
                title=kind.title,
                settings_schema=dict(kind.schema),
                secrets=dict(kind.secrets),
            )
            for name, kind in tools.kinds
        ]
    )


# --- Targets --------------------------------------------------------------


@router.post("", status_code=201, response_model=TargetOut,
             responses=may_fail(ApplicationUnknown, PermissionMissing, TargetKindUnknown,
                                FieldInvalid, TargetNameTaken))  # fmt: skip
async def add_target(
    body: TargetBody, tx: Tx, caller: Signed, tools: With, response: Response
) -> Target:
    """Add a target to an application."""
    target = await service.add(tx, caller, body.to_model(), tools.kinds, tools.sealer)
    response.headers["Location"] = f"/api/v1/targets/{target.id}"
    tag(response, target.updated_at)
    return target


@router.get("", response_model=PageOut[TargetOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_targets(
    tx: Tx, caller: Signed, asked: Asked,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> pages.Page[Target]:  # fmt: skip
    """List targets."""
    return await service.list_targets(
        tx, caller, asked, application_id=application_id, organization_id=organization_id, q=q
    )


@router.get("/{target_id}", response_model=TargetOut, responses=may_fail(TargetUnknown))
async def get_target(target_id: UUID, tx: Tx, caller: Signed, response: Response) -> Target:
    """Read a target."""
    target = await service.get(tx, caller, target_id)
    tag(response, target.updated_at)
    return target


@router.patch("/{target_id}", response_model=TargetOut,
              responses=may_fail(TargetUnknown, PermissionMissing, FieldInvalid, TargetNameTaken,
                                 TargetKindUnknown, VersionStale))  # fmt: skip
async def change_target(
    target_id: UUID, body: TargetPatch, tx: Tx, caller: Signed, tools: With, response: Response,
    if_match: IfMatch = None,
) -> Target:  # fmt: skip
    """Change a target; it acts on the next delivery."""
    check_match(if_match, (await service.get(tx, caller, target_id, lock=True)).updated_at)
    changes = body.to_changes()
    target = await service.change(tx, caller, target_id, changes, tools.kinds, tools.sealer)
    tag(response, target.updated_at)
    return target


@router.delete("/{target_id}", status_code=204,
               responses=may_fail(TargetUnknown, PermissionMissing))  # fmt: skip
async def remove_target(target_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a target with its routes and all that waits for it."""
    await service.remove(tx, caller, target_id)


@router.post("/{target_id}/pause", response_model=TargetOut,
             responses=may_fail(TargetUnknown, PermissionMissing))  # fmt: skip
async def pause_target(target_id: UUID, tx: Tx, caller: Signed) -> Target:
    """Stop delivering; what arrives meanwhile waits."""
    return await service.pause(tx, caller, target_id, paused=True)


@router.post("/{target_id}/resume", response_model=TargetOut,
             responses=may_fail(TargetUnknown, PermissionMissing))  # fmt: skip
async def resume_target(target_id: UUID, tx: Tx, caller: Signed) -> Target:
    """Go on delivering."""
    return await service.pause(tx, caller, target_id, paused=False)


@router.post("/{target_id}/ping", response_model=ResultOut,
             responses=may_fail(TargetUnknown, PermissionMissing, FieldInvalid, TargetKindUnknown,
                                TargetUnreachable))  # fmt: skip
async def ping_target(target_id: UUID, caller: Signed, tools: With) -> Result:
    """Tell whether a target can be reached and takes its credentials, sending no message."""
    return await service.ping(
        tools.database, caller, target_id, tools.kinds, tools.sealer, tools.network
    )


@router.post("/{target_id}/test", response_model=TrialOut,
             responses=may_fail(TargetUnknown, DeviceUnknown, RouteUnknown, PermissionMissing,
                                FieldInvalid, TargetKindUnknown, TargetUnreachable, PositionGone,
                                DecodeFailed, TrialsTooMany, TrialTooLong))  # fmt: skip
async def test_target(target_id: UUID, body: TestBody, caller: Signed, tools: With) -> Trial:
    """Send one message now, and show the request and the answer; it counts in no statement."""
    return await service.try_out(
        tools.database,
        caller,
        target_id,
        body.to_model(),
        tools.kinds,
        tools.sealer,
        tools.network,
        tools.deriver,
        tools.turns,
    )


@router.get("/{target_id}/log", response_model=PageOut[LogEntryOut],
            responses=may_fail(TargetUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_target_log(
    target_id: UUID, tx: Tx, caller: Signed, asked: Asked,
    failures: Annotated[bool, Query(description="Leave out what was accepted.")] = False,
) -> pages.Page[LogEntry]:  # fmt: skip
    """List a target's latest attempts, newest first: every failure, a sample of successes."""
    return await service.log_of(tx, caller, target_id, asked, failures=failures)


@router.get("/{target_id}/statement", response_model=StatementOut,
            responses=may_fail(TargetUnknown, FieldInvalid))  # fmt: skip
async def get_target_statement(
    target_id: UUID, tx: Tx, caller: Signed,
    month: Annotated[
        str | None,
        Query(pattern=r"^\d{4}-\d{2}$", examples=["2026-11"], description="This month if unset."),
    ] = None,
) -> Statement:  # fmt: skip
    """Sum up a month: sent = accepted + dead + pending."""
    return await service.statement(tx, caller, target_id, month)


# --- Dead letters ---------------------------------------------------------


@router.get("/{target_id}/dead-letters", response_model=PageOut[DeadLetterOut],
            responses=may_fail(TargetUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_dead_letters(
    target_id: UUID, tx: Tx, caller: Signed, asked: Asked, reason: Reason | None = None
) -> PageOut[DeadLetterOut]:
    """List what was given up, newest first."""
    page = await service.list_letters(tx, caller, target_id, asked, reason=reason)
    items = [DeadLetterOut.of(letter) for letter in page.items]
    return PageOut[DeadLetterOut](items=items, next=page.next, total=page.total)


@router.delete("/{target_id}/dead-letters", response_model=CountOut,
               responses=may_fail(TargetUnknown, PermissionMissing))  # fmt: skip
async def discard_dead_letters(target_id: UUID, tx: Tx, caller: Signed) -> CountOut:
    """Throw away up to 10,000 dead letters."""
    return CountOut(count=await service.discard(tx, caller, target_id))


@router.post("/{target_id}/dead-letters/send-again", response_model=CountOut,
             responses=may_fail(TargetUnknown, PermissionMissing))  # fmt: skip
async def send_dead_letters_again(target_id: UUID, tx: Tx, caller: Signed) -> CountOut:
    """Put up to 10,000 dead letters back into the outbox, oldest first."""
    return CountOut(count=await service.send_again(tx, caller, target_id))


@router.get("/{target_id}/dead-letters/{letter_id}", response_model=DeadLetterOut,
            responses=may_fail(TargetUnknown, DeadLetterUnknown))  # fmt: skip
async def get_dead_letter(
    target_id: UUID, letter_id: UUID, tx: Tx, caller: Signed, response: Response
) -> DeadLetterOut:
    """Read a dead letter."""
    letter = await service.get_letter(tx, caller, target_id, letter_id)
    tag(response, letter.updated_at)
    return DeadLetterOut.of(letter)


@router.patch("/{target_id}/dead-letters/{letter_id}", response_model=DeadLetterOut,
              responses=may_fail(TargetUnknown, PermissionMissing, DeadLetterUnknown,
                                 VersionStale))  # fmt: skip
async def edit_dead_letter(
    target_id: UUID, letter_id: UUID, body: DeadLetterPatch, tx: Tx, caller: Signed,
    response: Response, if_match: IfMatch = None,
) -> DeadLetterOut:  # fmt: skip
    """Change what a dead letter carries, before it is sent again."""
    letter = await service.get_letter(tx, caller, target_id, letter_id, lock=True)
    check_match(if_match, letter.updated_at)
    letter = await service.edit_letter(tx, caller, target_id, letter_id, body.to_changes())
    tag(response, letter.updated_at)
    return DeadLetterOut.of(letter)


@router.delete("/{target_id}/dead-letters/{letter_id}", status_code=204,
               responses=may_fail(TargetUnknown, PermissionMissing, DeadLetterUnknown))  # fmt: skip
async def discard_dead_letter(target_id: UUID, letter_id: UUID, tx: Tx, caller: Signed) -> None:
    """Throw a dead letter away."""
    await service.discard(tx, caller, target_id, letter_id)


@router.post("/{target_id}/dead-letters/{letter_id}/send-again", response_model=CountOut,
             responses=may_fail(TargetUnknown, PermissionMissing, DeadLetterUnknown))  # fmt: skip
async def send_dead_letter_again(
    target_id: UUID, letter_id: UUID, tx: Tx, caller: Signed
) -> CountOut:
    """Put a dead letter back into the outbox, under its old key."""
    return CountOut(count=await service.send_again(tx, caller, target_id, letter_id))


# --- Replays --------------------------------------------------------------


@router.post("/{target_id}/replay", status_code=202, response_model=ReplayOut,
             responses=may_fail(TargetUnknown, PermissionMissing, FieldInvalid))  # fmt: skip
async def replay_to_target(
    target_id: UUID, body: ReplayBody, tx: Tx, caller: Signed, response: Response
) -> Replay:
    """Send what was received in a period once more, under new keys; watch it by its Location."""
    replay = await service.ask_replay(tx, caller, target_id, body.from_, body.to)
    response.headers["Location"] = f"/api/v1/targets/{target_id}/replays/{replay.id}"
    return replay


@router.get("/{target_id}/replays", response_model=PageOut[ReplayOut],
            responses=may_fail(TargetUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_replays(target_id: UUID, tx: Tx, caller: Signed, asked: Asked) -> pages.Page[Replay]:
    """List a target's replays, newest first."""
    return await service.list_replays(tx, caller, target_id, asked)


@router.get("/{target_id}/replays/{replay_id}", response_model=ReplayOut,
            responses=may_fail(TargetUnknown, ReplayUnknown))  # fmt: skip
async def get_replay(target_id: UUID, replay_id: UUID, tx: Tx, caller: Signed) -> Replay:
    """Read how far a replay is."""
    return await service.get_replay(tx, caller, target_id, replay_id)


@router.post("/{target_id}/replays/{replay_id}/cancel", response_model=ReplayOut,
             responses=may_fail(TargetUnknown, PermissionMissing, ReplayUnknown))  # fmt: skip
async def cancel_replay(target_id: UUID, replay_id: UUID, tx: Tx, caller: Signed) -> Replay:
    """Stop a replay; what is in the outbox already is still delivered."""
    return await service.cancel_replay(tx, caller, target_id, replay_id)


# --- Routes ---------------------------------------------------------------


@routes_router.post("", status_code=201, response_model=RouteOut,
                    responses=may_fail(TargetUnknown, PermissionMissing, FieldInvalid,
                                       DecoderUnknown))  # fmt: skip
async def make_route(body: RouteBody, tx: Tx, caller: Signed, response: Response) -> Route:
    """Make a route from devices of an application to one of its targets."""
    route = await service.connect(tx, caller, body.to_model())
    response.headers["Location"] = f"/api/v1/routes/{route.id}"
    tag(response, route.updated_at)
    return route


@routes_router.get("", response_model=PageOut[RouteOut],
                   responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_routes(
    tx: Tx, caller: Signed, asked: Asked,
    target_id: Annotated[UUID | None, Query(alias="targetId")] = None,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    device_id: Annotated[
        UUID | None, Query(alias="deviceId", description="Routes that name this device.")
    ] = None,
) -> pages.Page[Route]:  # fmt: skip
    """List routes."""
    return await service.list_routes(
        tx,
        caller,
        asked,
        target_id=target_id,
        application_id=application_id,
        device_id=device_id,
    )


@routes_router.get("/{route_id}", response_model=RouteOut, responses=may_fail(RouteUnknown))
async def get_route(route_id: UUID, tx: Tx, caller: Signed, response: Response) -> Route:
    """Read a route."""
    route = await service.get_route(tx, caller, route_id)
    tag(response, route.updated_at)
    return route


@routes_router.patch("/{route_id}", response_model=RouteOut,
                     responses=may_fail(RouteUnknown, PermissionMissing, FieldInvalid,
                                        DecoderUnknown, VersionStale))  # fmt: skip
async def change_route(
    route_id: UUID, body: RoutePatch, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> Route:  # fmt: skip
    """Change a route; it acts on the next message."""
    check_match(if_match, (await service.get_route(tx, caller, route_id, lock=True)).updated_at)
    route = await service.change_route(tx, caller, route_id, body.to_changes())
    tag(response, route.updated_at)
    return route


@routes_router.delete("/{route_id}", status_code=204,
                      responses=may_fail(RouteUnknown, PermissionMissing))  # fmt: skip
async def remove_route(route_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a route; what waits already is still delivered."""
    await service.remove_route(tx, caller, route_id)
