"""Chains of facts for tests: facts of years ago, sealed and dropped as the worker does."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from moorage.audit import service
from web import World


async def happened(world: World, organization_id: UUID | None, *ages: int) -> None:
    """Write facts of some years ago, in that order."""
    for age in ages:
        async with world.database.begin() as tx:
            at = tx.now - timedelta(days=365 * age + 1)
            await tx.execute(
                "INSERT INTO facts (id, at, name, organization_id, subject_id, caller_kind, "
                "caller_id, caller_label) VALUES (gen_random_uuid(), :at, 'test.happened', "
                ":organization, gen_random_uuid(), 'system', gen_random_uuid(), '')",
                {"at": at, "organization": organization_id},
            )


async def sealed(world: World) -> None:
    """Seal everything; transactions of other tests on this server may hold it back a while."""
    while True:
        async with world.database.begin() as tx:
            await service.seal(tx)
            if not await service.any_waiting(tx):
                return


async def drop(world: World) -> None:
    """Drop what is due."""
    async with world.database.begin() as tx:
        await service.drop_due(tx, world.app.state.sealer)
