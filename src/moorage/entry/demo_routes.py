"""HTTP of the demo: see a fleet, and be rid of it."""

from __future__ import annotations

import asyncio
import importlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from moorage import organizations
from moorage.entry import data_directory, state
from moorage.entry.settings import Settings
from moorage.kit.caller import Caller
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.http import Out, Signed, may_fail
from moorage.organizations import OrganizationInUse, Permission, PermissionMissing

router = APIRouter(prefix="/api/v1/demo", tags=["demo"])


class DemoElsewhere(MoorageError):
    """Nobody here can start the demo's process."""

    kind = Kind.CONFLICT
    code = "demo.no_supervisor"
    message = (
        "This platform was not started by `moorage run`, so it cannot start the demo. Run "
        "`moorage demo` on the machine of the API."
    )


class DemoUnknown(MoorageError):
    """There is no demo."""

    kind = Kind.NOT_FOUND
    code = "demo.unknown"
    message = "There is no demo here."


class DemoOut(Out):
    """The demo, a simulated fleet in an organization of its own."""

    organization_id: Annotated[
        UUID | None, Field(description="The demo's organization; null where there is no demo.")
    ]
    playing: Annotated[bool, Field(description="Whether its devices send just now.")]
    can_start: Annotated[bool, Field(description="Whether `POST` can start it.")]


@router.get("", response_model=DemoOut, responses=may_fail(PermissionMissing))
async def get_demo(request: Request, caller: Signed) -> DemoOut:
    """Tell whether there is a demo, and whether it plays."""
    organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
    return await _look(request, caller)


@router.post("", status_code=202, response_model=DemoOut,
             responses=may_fail(PermissionMissing, DemoElsewhere))  # fmt: skip
async def start_demo(request: Request, caller: Signed) -> DemoOut:
    """Add a simulated fleet and play it; it goes on at the next starts, until it is removed."""
    organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
    seen = await _look(request, caller)
    if seen.playing:
        return seen
    if not seen.can_start:
        raise DemoElsewhere
    directory = _settings(request).data_dir
    demo = await _entrance()
    async with request.app.state.database.begin(caller) as tx:
        made = await demo.let_in(tx, await asyncio.to_thread(demo.load_state, directory))
    # Whoever plays it looks for this after the commit.
    await asyncio.to_thread(demo.save_state, directory, made)
    await asyncio.to_thread(data_directory.demo_wish(directory).touch)
    return await _look(request, caller)


@router.delete("", status_code=204,
               responses=may_fail(PermissionMissing, DemoUnknown, OrganizationInUse))  # fmt: skip
async def remove_demo(request: Request, caller: Signed) -> None:
    """Remove the demo's organization with everything in it."""
    organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
    directory = _settings(request).data_dir
    demo = await _entrance()
    async with request.app.state.database.begin(caller) as tx:
        known = await asyncio.to_thread(demo.load_state, directory)
        if await demo.clear_away(tx, known) is None:
            raise DemoUnknown
    await asyncio.to_thread(demo.forget, directory)


async def _look(request: Request, caller: Caller) -> DemoOut:
    directory = _settings(request).data_dir
    demo = await _entrance()
    async with request.app.state.database.begin(caller) as tx:
        organization_id = await demo.find(tx, await asyncio.to_thread(demo.load_state, directory))
    return DemoOut(
        organization_id=organization_id,
        playing=await asyncio.to_thread(demo.is_playing, directory),
        can_start=await asyncio.to_thread(state.read, directory) is not None,
    )


async def _entrance() -> Any:
    # It brings the simulator with it, which nothing else here needs.
    return await asyncio.to_thread(importlib.import_module, "moorage.entry.demo")


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings
