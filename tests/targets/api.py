"""The API of targets without the gateway before it: who calls is set by the test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI

from moorage import ingest
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.http import install_errors
from moorage.targets import routes
from targets.world import KINDS, NETWORK, ROOT, World, a_workshop


class Signed:
    """Puts the caller of the moment where the gateway does."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.caller = ROOT

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {}).update(caller=self.caller, recognise=self._recognise)
        await self.app(scope, receive, send)

    async def _recognise(self, _tx: Tx) -> Caller:
        return self.caller


@dataclass
class Api:
    http: httpx2.AsyncClient
    gate: Signed

    async def __call__(self, method: str, path: str, status: int, **others: Any) -> Any:
        answer = await self.http.request(method, f"/api/v1{path}", **others)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@contextlib.asynccontextmanager
async def an_api(world: World) -> AsyncIterator[Api]:
    doorbells = Doorbells(world.database)
    workshop = a_workshop(world.database, doorbells)
    app = FastAPI()
    app.state.database = world.database
    app.state.sealer = world.sealer
    app.state.target_kinds = KINDS
    app.state.outbound = NETWORK
    app.state.workshop = workshop
    app.state.deriver = ingest.Deriver(world.database, doorbells, workshop)
    for name in routes.__all__:
        router = getattr(routes, name)
        app.include_router(router)
    install_errors(app)
    gate = Signed(app)
    transport = httpx2.ASGITransport(gate)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Api(http, gate)
    await workshop.close()
