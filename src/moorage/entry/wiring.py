"""The map of the platform: which routes there are."""

from __future__ import annotations

from fastapi import APIRouter

from moorage.api_gateway import routes as api_gateway
from moorage.audit import routes as audit
from moorage.brokers import routes as brokers
from moorage.decoders import routes as decoders
from moorage.devices import routes as devices
from moorage.entry import demo_routes
from moorage.groups import routes as groups
from moorage.identity_providers import routes as identity_providers
from moorage.ingest import routes as ingest
from moorage.notifications import routes as notifications
from moorage.oauth import routes as oauth
from moorage.operations import routes as operations
from moorage.organizations import routes as organizations
from moorage.sessions import routes as sessions
from moorage.sources import routes as sources
from moorage.targets import routes as targets
from moorage.tasks import routes as tasks
from moorage.telemetry import routes as telemetry
from moorage.user_stores import routes as user_stores
from moorage.users import routes as users

ROUTERS: tuple[APIRouter, ...] = (
    *users.ROUTERS,
    *oauth.ROUTERS,
    user_stores.router,
    *identity_providers.ROUTERS,
    organizations.router,
    organizations.permissions,
    *api_gateway.ROUTERS,
    groups.router,
    # Paths with a word where another has an id come first: /devices/export before /devices/{id}.
    devices.transfer,
    devices.many,
    devices.applications,
    devices.claims,
    devices.topics,
    devices.router,
    devices.credentials,
    devices.certificates,
    devices.inbox,
    devices.inbox_keys,
    sessions.router,
    operations.router,
    notifications.router,
    tasks.router,
    telemetry.router,
    decoders.router,
    ingest.router,
    ingest.re_decodes,
    ingest.inbox,
    targets.receipts,
    targets.router,
    targets.deliveries,
    targets.kinds_router,
    targets.routes_router,
    sources.router,
    brokers.router,
    audit.router,
    audit.public,
    audit.collectors,
    demo_routes.router,
)
