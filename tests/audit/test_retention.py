"""Facts are kept as long as their organisation says; what is left of a chain stays proven."""

from __future__ import annotations

import pytest

from chains import drop, happened, sealed
from moorage.audit.service import checkpoints
from moorage.kit.db import Tx
from web import World


async def years(tx: Tx) -> dict[object, list[int]]:
    """Count the years since the facts of test, by organisation."""
    found = await tx.execute(
        "SELECT organization_id, at FROM facts WHERE name = 'test.happened' ORDER BY at DESC"
    )
    left: dict[object, list[int]] = {}
    for row in found:
        left.setdefault(row.organization_id, []).append((tx.now - row.at).days // 365)
    return left


async def test_facts_go_exactly_when_they_are_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await world.admin()
    plain, short, long = [await world.organization(n) for n in ("Aarhus", "Odense", "Aalborg")]
    for organization, keep in ((short, "P365D"), (long, "P3650D")):
        changed = await admin.patch(
            f"/api/v1/organizations/{organization.id}", json={"keepFacts": keep}
        )
        assert (changed.status_code, changed.json()["keepFacts"]) == (200, keep)
    # The change itself is a fact.
    asked = {"name": "organizations.changed", "sort": "at"}
    told = (await admin.get("/api/v1/audit", params=asked)).json()["items"]
    assert [one["after"]["keep_facts"] for one in told] == ["P365D", "P3650D"]
    async with world.database.begin() as tx:
        # What is dropped of a chain is its beginning, so that must not be of today.
        await tx.execute("UPDATE facts SET at = at - interval '13 years'")
    for organization_id in (plain.id, short.id, long.id, None):
        await happened(world, organization_id, 11, 6, 4, 2, 0)
    await sealed(world)
    await drop(world)
    async with world.database.begin() as tx:
        assert await years(tx) == {
            plain.id: [0, 2, 4], short.id: [0], long.id: [0, 2, 4, 6], None: [0, 2, 4],
        }  # fmt: skip
        for organization in (plain, long):
            await tx.execute(
                "UPDATE organizations SET keep_facts = '3 years' WHERE id = :id",
                {"id": organization.id},
            )
    monkeypatch.setattr(checkpoints, "MOST_DROPPED", 1)
    for left in (10, 9, 8, 8):
        await drop(world)
        async with world.database.begin() as tx:
            found = await years(tx)
            assert sum(map(len, found.values())) == left
    assert found[plain.id] == found[long.id] == [0, 2]


@pytest.mark.parametrize("keep", ["P29D", "P0D", "-P1D", "soon", 30])
async def test_facts_are_kept_for_thirty_days_at_least(world: World, keep: object) -> None:
    admin = await world.admin()
    organization = await world.organization("Aarhus")
    refused = await admin.patch(
        f"/api/v1/organizations/{organization.id}", json={"keepFacts": keep}
    )
    assert refused.status_code == 422
