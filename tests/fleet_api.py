"""An API of the fleet's routes over real sockets' ASGI, signed in as whoever the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx2
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from moorage.decoders import Workshop
from moorage.devices.routes import applications, credentials, router, transfer
from moorage.groups.routes import router as groups_router
from moorage.kit.caller import Caller
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.http import install_errors
from moorage.notifications.routes import router as notices_router
from moorage.operations.routes import router as operations_router
from moorage.sessions.routes import router as sessions_router


def an_app(database: Database) -> FastAPI:
    """Build the application, its routers in the order of the platform."""
    app = FastAPI()
    app.state.database = database
    app.state.workshop = Workshop(database, Doorbells(database), {})
    app.state.settings = SimpleNamespace(
        public_url="https://iot.example.org", mqtt=SimpleNamespace(port=1883, tls_port=8883)
    )
    for each in (
        groups_router, applications, transfer, router, credentials, sessions_router,
        operations_router, notices_router,
    ):  # fmt: skip
        app.include_router(each)
    install_errors(app)
    return app


@asynccontextmanager
async def signed_in(database: Database, caller: Caller) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client whose every request is the caller's."""
    app = an_app(database)

    async def as_caller(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["caller"] = caller
        await app(scope, receive, send)

    transport = httpx2.ASGITransport(app=as_caller)
    async with httpx2.AsyncClient(transport=transport, base_url="http://moorage") as client:
        yield client
