"""Operations go when their application's time, or its organisation's, has come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet import ROOT, Town, a_device, a_town
from moorage import devices, groups, operations
from moorage.kit.db import Database, Tx
from moorage.operations import NewOperation, jobs, service
from moorage.organizations import service as organizations_service

AGES = (10, 40, 400, 800)


async def ask_long_ago(tx: Tx, town: Town, application_id: object = None) -> None:
    """Have a device with an operation finished so many days ago each, and one still open."""
    fields = {} if application_id is None else {"application_id": application_id}
    device = await devices.enrol(tx, ROOT, a_device(town, f"Bin {application_id}", **fields))
    now = tx.now
    for days in (*AGES, 0):
        tx.now = now - timedelta(days=days or 900)
        asked = NewOperation("open", expires_in=timedelta(days=2000))
        issued = await operations.issue(tx, ROOT, device.id, asked)
        if days:
            await operations.cancel(tx, ROOT, issued.id)
    tx.now = now


async def ages(tx: Tx, organization_id: object) -> dict[object, list[int]]:
    """Tell how many days ago what is left was finished, by application; -1 is open."""
    found = await tx.execute(
        "SELECT application_id, finished_at FROM operations WHERE organization_id = :id "
        "ORDER BY finished_at DESC NULLS LAST",
        {"id": organization_id},
    )
    left: dict[object, list[int]] = {}
    for row in found:
        ago = -1 if row.finished_at is None else (tx.now - row.finished_at).days
        left.setdefault(row.application_id, []).append(ago)
    return left


async def test_results_go_exactly_when_they_are_due(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        plain, short = await a_town(tx, "Aarhus"), await a_town(tx, "Odense")
        keep = {"keep_results": timedelta(days=30)}
        await organizations_service.change(tx, ROOT, short.organization_id, keep)
        own = await groups.make(
            tx, ROOT, groups.NewApplication(
                short.organization_id, "Lamps", keep_results=timedelta(days=500)
            )
        )  # fmt: skip
        await ask_long_ago(tx, plain)
        await ask_long_ago(tx, short)
        await ask_long_ago(tx, short, own.id)
    async with database.begin() as tx:
        await jobs.trim(tx)
        assert await ages(tx, plain.organization_id) == {plain.application_id: [10, 40, -1]}
        assert await ages(tx, short.organization_id) == {
            short.application_id: [10, -1],
            own.id: [10, 40, 400, -1],
        }


async def test_a_run_removes_so_many_and_the_next_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_TRIMMED", 1)
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        await ask_long_ago(tx, town)
        assert [await service.trim(tx) for _ in range(3)] == [1, 1, 0]
