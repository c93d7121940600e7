"""A device with a history, and every question about it, for tests of both tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fleet import ROOT, a_device, a_town
from moorage import devices, ledger, telemetry
from moorage.kit import pages
from moorage.kit.db import Database, Tx
from moorage.kit.ids import uuid7, uuid7_bytes

DAY = timedelta(days=1)
_encode = msgspec.msgpack.Encoder().encode


def midnight() -> datetime:
    """Give when today began, for tests of what is still hot: a run may last past midnight."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


MIDNIGHT = midnight()


def us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond


@dataclass
class History:
    """A device, and what was derived from its messages."""

    database: Database
    device: devices.Device
    last: int = 0

    async def keep(self, messages: Sequence[tuple[list[telemetry.Point], int]]) -> None:
        """Keep messages: their points, and flags."""
        batch = []
        for points, flags in messages:
            self.last += 1
            at_us = points[0].at_us if points else us(MIDNIGHT - 4 * DAY)
            batch.append(
                telemetry.Derived(
                    self.last, self.device.number, bytes(16), at_us, at_us, "", None, None,
                    points, None, None, flags,
                )
            )  # fmt: skip
        async with self.database.begin() as tx:
            await telemetry.Keeper(0).append(tx, batch)

    async def answers(self) -> list[Any]:
        """Ask everything there is to ask."""
        found: list[Any] = []
        async with self.database.begin() as tx:
            for start, end, series in (
                (-40 * DAY, DAY, ()),
                (-4.5 * DAY, -3.25 * DAY, ()),
                (-40 * DAY, DAY, ("a", "s")),
            ):
                window = telemetry.Window(MIDNIGHT + start, MIDNIGHT + end, series)
                found.append(await telemetry.readings(tx, ROOT, self.device.id, window))
            for problems in (False, True):
                for sort in ("at", "-at"):
                    found.append(await self._pages(tx, sort, problems))
        return found

    async def _pages(self, tx: Any, sort: str, problems: bool) -> list[telemetry.MessageRow]:
        rows: list[telemetry.MessageRow] = []
        after = None
        while True:
            asked = pages.PageRequest(3, after, sort, total=True)
            page = await telemetry.messages(tx, ROOT, self.device.id, asked, problems_only=problems)
            rows += [row for row, _raw in page.items]
            if (after := page.next) is None:
                assert page.total == len(rows)
                return rows

    async def tiers(self) -> tuple[int, int]:
        """Count hot rows and sealed blocks."""
        async with self.database.begin() as tx:
            given = {"device": self.device.number}
            hot = await tx.execute(
                "SELECT count(*) FROM telemetry_history WHERE device = :device", given
            )
            cold = await tx.execute(
                "SELECT count(*) FROM telemetry_sealed WHERE device = :device", given
            )
            return hot.scalar_one(), cold.scalar_one()


async def a_history(database: Database) -> History:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx, f"Town {uuid7()}")
        device = await devices.enrol(tx, ROOT, a_device(town))
    return History(database, device)


def regular(start: datetime, count: int, step: timedelta) -> list[tuple[list[Any], int]]:
    return [
        ([telemetry.Point(us(start + i * step), {"a": i / 10})], 0) for i in range(count)
    ]  # fmt: skip


async def derive(tx: Tx, partition: int, device: devices.Device, *at: int) -> None:
    """Put messages into the derived log, in one envelope; odd ones have a problem."""
    frames = [
        _encode(
            telemetry.Derived(
                n, device.number, uuid7_bytes(), n * 1_000_000, n * 1_000_000, "", None, b"{}",
                [telemetry.Point(n * 1_000_000, {"n": float(n)})],
                problem="It is odd." if n % 2 else None,
            )
        )
        for n in at
    ]  # fmt: skip
    await ledger.place(tx, ledger.LogName.DERIVED, partition, frames)
