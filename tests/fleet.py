"""Builders of two towns with applications and devices, for the tests of the fleet's slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from moorage import devices, groups, organizations
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.organizations import Permission, Role
from moorage.organizations.model import ROLE_PERMISSIONS

EVERYTHING = frozenset(Permission)
ROOT = Caller(CallerKind.PERSON, uuid7(), "root", (Grant(EVERYTHING),))


def administrator(organization_id: UUID, *application_ids: UUID) -> Caller:
    """Make a person who administers an organisation, or only some applications of it."""
    applications = frozenset(application_ids) or None
    grant = Grant(ROLE_PERMISSIONS[Role.APPLICATION_ADMIN], organization_id, applications)
    return Caller(CallerKind.PERSON, uuid7(), "administrator", (grant,))


def reader(organization_id: UUID, *application_ids: UUID) -> Caller:
    """Make a person who may only read."""
    applications = frozenset(application_ids) or None
    grant = Grant(ROLE_PERMISSIONS[Role.READ], organization_id, applications)
    return Caller(CallerKind.PERSON, uuid7(), "reader", (grant,))


@dataclass(frozen=True)
class Town:
    """An organisation with one application and its administrator."""

    organization_id: UUID
    application_id: UUID
    admin: Caller


async def a_town(tx: Tx, name: str = "Aarhus") -> Town:
    """Found a town."""
    organization = await organizations.found(tx, ROOT, organizations.NewOrganization(name))
    application = await groups.make(
        tx, ROOT, groups.NewApplication(organization.id, f"Bins of {name}")
    )
    return Town(organization.id, application.id, administrator(organization.id))


def a_device(town: Town, name: str = "Bin 1", **fields: Any) -> devices.NewDevice:
    """Make what enrols a device of a town."""
    return devices.NewDevice(fields.pop("application_id", town.application_id), name, **fields)
