"""Set a fleet up in an organization, through the API; what is there already is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from moorage.kit.db import duration

from .errors import PlatformRefused
from .model import Device, Kind, read_decoder
from .plan import Application, Plan
from .platform import Platform

_AT_ONCE = 8
TARGET = "Simulated receiver"


async def install(
    platform: Platform,
    organization_id: str,
    plan: Plan,
    secrets: dict[str, str],
    on_secrets: Callable[[], None],
) -> dict[str, str]:
    """Make what is missing: decoders, applications, devices, and a key for each device.

    Args:
        platform: signed in with rights over the organization.
        organization_id: where.
        plan: what shall be there.
        secrets: known keys by serial; new ones are added.
        on_secrets: called when there are new ones.

    Returns:
        Device ids by serial.
    """
    decoders = await _decoders(platform, organization_id, plan)
    applications = await _applications(platform, organization_id, plan)
    ids = await _known(platform, organization_id)
    # Gateways first, since others name them.
    for by_radio in (False, True):
        missing = [d for d in plan.devices if d.serial not in ids and bool(d.behind) is by_radio]
        rows = [_row(d, applications[plan.application_of(d).name], decoders, ids) for d in missing]
        ids |= dict(zip((d.serial for d in missing), await _import(platform, rows), strict=True))
    await _keys(platform, plan, ids, secrets)
    on_secrets()
    return ids


async def install_target(platform: Platform, organization_id: str, plan: Plan, url: str) -> None:
    """Forward the readings of the plan's first application to `url`."""
    applications = await _applications(platform, organization_id, plan)
    application_id = applications[plan.applications[0].name]
    there = await platform.everything("/targets", applicationId=application_id)
    found = next((target for target in there if target["name"] == TARGET), None)
    if found is None:
        body = {
            "applicationId": application_id,
            "name": TARGET,
            "kind": "http",
            "settings": {"url": url},
        }
        made = await platform.call("POST", "/targets", body)
        await platform.call("POST", "/routes", {"targetId": made["id"], "name": "Everything"})
    elif found["settings"]["url"] != url:
        await platform.call("PATCH", f"/targets/{found['id']}", {"settings": {"url": url}})


async def _decoders(platform: Platform, organization_id: str, plan: Plan) -> dict[str, str]:
    """Give the ids of the decoders, by the word of the kind they read."""
    there = await platform.everything("/decoders", organizationId=organization_id)
    known = {d["name"]: d["id"] for d in there if d["organizationId"] == organization_id}
    found: dict[str, str] = {}
    for kind in _kinds(plan):
        if kind.script is None:
            continue
        name = f"{kind.manufacturer} {kind.model}"
        if name not in known:
            body = {
                "organizationId": organization_id,
                "name": name,
                "description": f"{kind.title}. Written from the vendor's data sheet.",
                "script": kind.script,
                "units": json.loads(read_decoder(f"{kind.decoder}.units.json")),
                "testCases": [
                    {"direction": "decode", **case}
                    for case in json.loads(read_decoder(f"{kind.decoder}.cases.json"))
                ],
            }
            known[name] = (await platform.call("POST", "/decoders", body))["id"]
        found[kind.word] = known[name]
    return found


async def _applications(platform: Platform, organization_id: str, plan: Plan) -> dict[str, str]:
    there = await platform.everything("/applications", organizationId=organization_id)
    known = {a["name"]: a["id"] for a in there}
    used = {plan.application_of(device).name for device in plan.devices}
    for application in plan.applications:
        if application.name in used and application.name not in known:
            body = {
                "organizationId": organization_id,
                "name": application.name,
                "description": application.description,
                "units": _units(application),
                "silentAfter": duration(plan.silent_after),
            }
            known[application.name] = (await platform.call("POST", "/applications", body))["id"]
    return known


def _units(application: Application) -> dict[str, str]:
    """Give the units of an application's devices that have no decoder."""
    plain = (kind for kind in application.kinds if kind.decoder is None)
    return {name: unit for kind in plain for name, unit in kind.units.items()}


async def _known(platform: Platform, organization_id: str) -> dict[str, str]:
    there = await platform.everything("/devices", organizationId=organization_id, fields="serial")
    return {device["serial"]: device["id"] for device in there if device["serial"]}


def _row(
    device: Device, application_id: str, decoders: Mapping[str, str], ids: Mapping[str, str]
) -> dict[str, Any]:
    kind = device.kind
    row: dict[str, Any] = {
        "applicationId": application_id,
        "name": device.name,
        "kind": kind.platform_kind,
        "manufacturer": kind.manufacturer,
        "model": kind.model,
        "serial": device.serial,
        "place": device.address,
        "comment": f"Command: {kind.command.code} ({kind.command.title}).",
        "metadata": dict(device.metadata),
        "tags": list(device.tags),
        "thresholds": [
            {name: value for name, value in asdict(limit).items() if value is not None}
            for limit in kind.thresholds
        ],
        "decoderId": decoders.get(kind.word),
        "gatewayId": ids[device.behind] if device.behind else None,
    }
    if device.place is not None:
        coordinates = [device.place.longitude, device.place.latitude]
        row["location"] = {"type": "Point", "coordinates": coordinates}
    return row


async def _import(platform: Platform, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Enrol devices; give their ids in order."""
    ids: list[str] = []
    for start in range(0, len(rows), 500):
        report = await platform.call("POST", "/devices/import", rows[start : start + 500])
        if not report["applied"]:
            problem = next(row["problem"] for row in report["rows"] if row["problem"])
            raise PlatformRefused(
                method="POST", path="/devices/import", status=200, detail=problem["detail"]
            )
        ids += [row["deviceId"] for row in report["rows"]]
    return ids


async def _keys(
    platform: Platform, plan: Plan, ids: Mapping[str, str], secrets: dict[str, str]
) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def make(serial: str) -> None:
        async with gate:
            made = await platform.call(
                "POST", f"/devices/{ids[serial]}/credentials", {"label": "simulator"}
            )
        secrets[serial] = made["secret"]

    async with asyncio.TaskGroup() as tasks:
        for device in plan.devices:
            if device.serial not in secrets:
                tasks.create_task(make(device.serial))


def _kinds(plan: Plan) -> list[Kind]:
    return list({device.kind.word: device.kind for device in plan.devices}.values())
