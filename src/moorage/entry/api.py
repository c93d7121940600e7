"""The API, the console's files and the health answer, as one ASGI application and one process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from typing import Any, cast

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from moorage import (
    brokers,
    decoders,
    devices,
    identity_providers,
    ingest,
    ledger,
    sessions,
    targets,
    telemetry,
    user_stores,
    users,
)
from moorage.api_gateway import Catalogue, Limits, Meter, Origins, Plans, Throttle
from moorage.api_gateway.middleware import Gateway
from moorage.audit.jobs import system_log_kept
from moorage.brokers.routes import BrokerDoor
from moorage.brokers.routes import is_door as is_broker_door
from moorage.entry import (
    authority,
    decision_point,
    disk_room,
    metrics,
    openapi,
    ports,
    root_key,
    state,
)  # fmt: skip
from moorage.entry import database as databases
from moorage.entry.console import Console
from moorage.entry.lifeline import Lifeline
from moorage.entry.settings import ApiSettings, Settings
from moorage.entry.wiring import ROUTERS
from moorage.ingest.routes import UplinkDoor, is_door
from moorage.kit import asking, http
from moorage.kit.client_certificates import PassedOn
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells
from moorage.kit.http import Out
from moorage.kit.mail import Post
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer, keep_learning, load_sealer

log = structlog.get_logger()

POOL_SIZE = 10
HEALTH_TIMEOUT_S = 3.0
# Open feeds are cut after this when the process stops.
STOP_TIMEOUT_S = 5
BACKLOG = 2048
# Faster than a new key begins to sign.
KEYS_READ_EVERY_S = 20.0


class Health(Out):
    """Whether everything works, else what does not and why."""

    ready: bool
    not_ready: dict[str, str]


class Application(FastAPI):
    """The API, with the doors of devices and of brokers in front before everything else.

    These have credentials and limits of their own, looked after behind those doors.
    """

    def __init__(
        self, uplink: UplinkDoor, broker_door: BrokerDoor, proxied: ApiSettings, **options: Any
    ) -> None:
        super().__init__(**options)
        self.uplink, self.broker_door = uplink, broker_door
        self._front = _behind_proxies(self._pass, proxied)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take in one request."""
        await self._front(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_door(scope["path"]):
            await self.uplink(scope, receive, send)
        elif scope["type"] == "http" and is_broker_door(scope["path"]):
            await self.broker_door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _behind_proxies(app: ASGIApp, settings: ApiSettings) -> ASGIApp:
    """Have trusted proxies, and nobody else, believed what they say of the client.

    Who proved a certificate is asked first: from then on the client is at its own address.
    """
    if not settings.trusted_proxies:
        return app
    known: Any = ProxyHeadersMiddleware(cast("Any", app), settings.trusted_proxies)
    if settings.client_certificates:
        known = PassedOn(known, settings.client_certificate_header, settings.trusted_proxies)
    return cast("ASGIApp", known)


def build_app(
    settings: Settings,
    database: Database,
    sealer: Sealer,
    *,
    limits: Limits | None = None,
) -> Application:
    """Put the application together.

    Args:
        settings: of this process.
        database: its pool, closed by the caller.
        sealer: opens stored credentials.
        limits: of the API's callers; the defaults when None.
    """
    limits = limits or Limits()
    doorbells = Doorbells(database, name="moorage-api-doorbell")
    plans, origins = Plans(limits, doorbells), Origins(doorbells)
    uplink, broker_door = UplinkDoor(), BrokerDoor()
    registry = brokers.Registry(database, doorbells)
    room = disk_room.room_of(settings)
    decisions = decision_point.of(settings)
    # For trials only, so one process a kind; started when first needed.
    workshop = decoders.Workshop(database, doorbells, decoders.find_runtimes(workers=1))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with database.begin() as tx:
            app.state.signing_keys = await users.load_signing_keys(tx, sealer)
            partitions = await ledger.open_log(tx, settings.ledger.partitions)
            await plans.read(tx)
            await origins.read(tx)
        door = ingest.Door(
            database, doorbells, settings.ingest, partitions, room=room, decisions=decisions
        )
        uplink.door = door
        broker_door.guard, broker_door.registry = brokers.Guard(door, registry), registry
        app.state.feed = telemetry.Feed(database, doorbells)
        app.state.traces = sessions.Traces(database, doorbells)
        running = [
            asyncio.create_task(work)
            for work in (
                doorbells.run(),
                door.run(),
                registry.run(),
                plans.run(database),
                origins.run(database),
                app.state.throttle.run(),
                app.state.meter.run(),
                app.state.feed.run(),
                _renew_keys(app),
                keep_learning(database, sealer, functools.partial(root_key.load, settings)),
            )
        ]
        for task in running:
            task.add_done_callback(functools.partial(_ended, app))
        try:
            async with system_log_kept(database, part="api"):
                yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            app.state.probe.stop()
            await workshop.close()
            if decisions is not None:
                await decisions.close()

    app = Application(
        uplink,
        broker_door,
        settings.api,
        title="Moorage",
        version=version("moorage"),
        summary="One platform for a mixed fleet of devices.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.state.settings = settings
    app.state.broken = asyncio.Event()
    app.state.public_url = settings.public_url
    app.state.database = database
    app.state.probe = databases.Probe()
    app.state.sealer = sealer
    app.state.post = Post(sealer, settings.public_url, works=settings.mail.host is not None)
    app.state.doorbells = doorbells
    app.state.plans, app.state.throttle = plans, Throttle(limits, plans, database)
    app.state.meter, app.state.origins = Meter(database), origins
    app.state.workshop = workshop
    app.state.deriver = ingest.Deriver(database, doorbells, workshop)
    app.state.target_kinds = targets.find_kinds()
    app.state.decisions = decisions
    app.state.vouch = devices.why_not_vouched
    app.state.outbound = Outbound(settings.reachable)
    app.state.directories = user_stores.Directories(app.state.outbound)
    app.state.issuers = identity_providers.Issuers(app.state.outbound)
    stores = user_stores.People(database, sealer, app.state.directories)
    app.state.outside = identity_providers.People(database, stores)
    app.state.uplink, app.state.room = uplink, room
    app.router.routes.extend(_included())
    http.install_errors(app)
    _add_health(app)
    openapi.install(app)
    app.state.catalogue = Catalogue(app.openapi, settings.public_url)
    app.router.default = Console()
    app.add_middleware(Gateway, state=app.state, limits=limits)
    return app


@functools.cache
def _included() -> list[BaseRoute]:
    """Give the routes of every slice, made once a process: that takes longer than all the rest."""
    api = APIRouter(generate_unique_id_function=operation_id)
    for router in (*ROUTERS, authority.router):
        api.include_router(router, dependencies=asking.CHECKS)
    api.include_router(metrics.router)
    return api.routes


async def _renew_keys(app: FastAPI) -> None:
    """Follow the keys that sign access tokens, and make the next one in time."""
    while True:
        await asyncio.sleep(KEYS_READ_EVERY_S)
        with contextlib.suppress(DatabaseUnavailable):
            async with app.state.database.begin() as tx:
                await users.renew_signing_keys(tx, app.state.sealer, app.state.signing_keys)


def _ended(app: FastAPI, task: asyncio.Task[None]) -> None:
    """Have the process end, and be started again, if what it does beside requests has failed."""
    if not task.cancelled():
        log.critical("part_broken", exc_info=task.exception())
        app.state.broken.set()


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function, for generated clients."""
    return to_camel(route.name)


def _add_health(app: FastAPI) -> None:
    @app.get(
        "/health",
        tags=["health"],
        response_model=Health,
        responses={503: {"model": Health, "description": "Something is not ready."}},
    )
    async def health() -> JSONResponse:
        """Tell whether everything works."""
        not_ready = await find_not_ready(app)
        body = Health(ready=not not_ready, not_ready=not_ready)
        return JSONResponse(body.model_dump(by_alias=True), 503 if not_ready else 200)


async def find_not_ready(app: FastAPI) -> dict[str, str]:
    """Name what does not work, and why."""
    not_ready = {}
    settings: Settings = app.state.settings
    if (found := await asyncio.to_thread(state.read, settings.data_dir)) is not None:
        not_ready = found.not_ready
        # Whoever answers this works, whatever its supervisor has heard so far.
        not_ready.pop("api", None)
    if app.state.broken.is_set():
        not_ready["api"] = "starts again"
    if not await app.state.probe.answers(app.state.database, HEALTH_TIMEOUT_S):
        not_ready["database"] = "does not answer"
    return not_ready


# --- The process ----------------------------------------------------------


class _Server(uvicorn.Server):
    """Leaves signals to the lifeline."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, line: Lifeline) -> None:
    """Serve until `line.stop`. Raises PortTaken, RootKeyWrong."""
    ports.check(settings, ports.API)
    database = Database(databases.url_of(settings), pool_size=POOL_SIZE, name="moorage-api")
    try:
        sealer = await _first_contact(database, root_key.load(settings), line)
        if sealer is not None:
            app = build_app(settings, database, sealer)
            line.adjusted.append(functools.partial(_adjust, app))
            await _serve(settings, app, line)
    finally:
        await database.close()


def _adjust(app: FastAPI, settings: Settings) -> None:
    """Take on settings that were read again."""
    app.state.outbound.allow(settings.reachable)
    if hasattr(app.state.uplink, "door"):  # It opens when the application starts.
        app.state.uplink.door.adjust(settings.ingest)
    app.state.room.adjust(**disk_room.shares_of(settings))


async def _first_contact(database: Database, root: bytes, line: Lifeline) -> Sealer | None:
    """Wait for the database; gives nothing if told to stop first."""
    while not line.stop.is_set():
        try:
            async with database.begin() as tx:
                return await load_sealer(tx, root)
        except DatabaseUnavailable:
            line.waiting("database")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(line.stop.wait(), 0.5)
    return None


async def _serve(settings: Settings, app: FastAPI, line: Lifeline) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # The application looks at these itself; uvicorn believes anybody on this machine.
            proxy_headers=False,
            # Longer than proxies keep theirs, so that they, not we, end an idle connection.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
        )
    )
    with contextlib.ExitStack() as stack:
        listening = [
            stack.enter_context(
                socket.create_server(
                    (host, settings.api.port),
                    family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                    backlog=BACKLOG,
                )
            )
            for host in settings.api.host.split(",")
        ]
        serving = asyncio.create_task(server.serve(listening))
        watching = asyncio.create_task(_watch(server, app, line))
        ending = [asyncio.create_task(e.wait()) for e in (line.stop, app.state.broken)]
        await asyncio.wait((serving, *ending), return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        for task in ending:
            task.cancel()
        await serving
        watching.cancel()
    if app.state.broken.is_set():
        raise RuntimeError("The API cannot go on by itself.")


async def _watch(server: uvicorn.Server, app: FastAPI, line: Lifeline) -> None:
    """Tell the supervisor how things are."""
    while True:
        if not server.started:
            line.waiting("starting")
        elif app.state.doorbells.cut_off_s > HEALTH_TIMEOUT_S:
            line.waiting("database")
        else:
            line.ready()
        await asyncio.sleep(0.1 if not server.started else 1.0)
