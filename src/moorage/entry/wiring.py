"""The map of the platform: which controllers the processes run."""

from __future__ import annotations

from fastapi import APIRouter

from moorage.audit import routes as audit
from moorage.decoders import routes as decoders
from moorage.organizations import routes as organizations
from moorage.users import routes as users

ROUTERS: tuple[APIRouter, ...] = (
    *users.ROUTERS,
    organizations.router,
    organizations.permissions,
    decoders.router,
    audit.router,
)
