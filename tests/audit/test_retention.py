"""Facts are kept as long as their organisation says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moorage.audit import jobs, service
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
    async with world.database.begin() as tx:
        for organization_id in (plain.id, short.id, long.id, None):
            for year in (0, 2, 4, 6, 11):
                await tx.execute(
                    "INSERT INTO facts (id, at, name, organization_id, subject_id, caller_kind, "
                    "caller_id, caller_label) VALUES (gen_random_uuid(), :at, 'test.happened', "
                    ":organization, gen_random_uuid(), 'system', gen_random_uuid(), '')",
                    {
                        "at": tx.now - timedelta(days=365 * year + 1),
                        "organization": organization_id,
                    },
                )
        await jobs.trim(tx)
        assert await years(tx) == {
            plain.id: [0, 2, 4], short.id: [0], long.id: [0, 2, 4, 6], None: [0, 2, 4],
        }  # fmt: skip
        # The change itself is a fact.
        told = await tx.execute(
            "SELECT after FROM facts WHERE name = 'organizations.changed' ORDER BY id"
        )
        assert [row.after["keep_facts"] for row in told] == ["P365D", "P3650D"]

    async with world.database.begin() as tx:
        await tx.execute("UPDATE organizations SET keep_facts = '3 years' WHERE id = :id",
                         {"id": plain.id})  # fmt: skip
        await tx.execute("UPDATE organizations SET keep_facts = '3 years' WHERE id = :id",
                         {"id": long.id})  # fmt: skip
    monkeypatch.setattr(service, "MOST_DROPPED", 1)
    async with world.database.begin() as tx:
        await jobs.trim(tx)
        assert sum(len(left) for left in (await years(tx)).values()) == 10
        for _ in range(3):
            await jobs.trim(tx)
        assert (await years(tx))[plain.id] == (await years(tx))[long.id] == [0, 2]


@pytest.mark.parametrize("keep", ["P29D", "P0D", "-P1D", "soon", 30])
async def test_facts_are_kept_for_thirty_days_at_least(world: World, keep: object) -> None:
    admin = await world.admin()
    organization = await world.organization("Aarhus")
    refused = await admin.patch(
        f"/api/v1/organizations/{organization.id}", json={"keepFacts": keep}
    )
    assert refused.status_code == 422
