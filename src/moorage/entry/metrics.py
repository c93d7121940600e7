"""Figures of the installation for Prometheus: what stands in the database, and this process.

Most of it is read from the database when asked, so every API process gives the same figures for the
whole installation, and the message path counts nothing for it. Requests, memory and CPU are those
of the API process that answers.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from moorage import devices, ingest, ledger, organizations, sessions, sources, targets
from moorage.entry import state
from moorage.entry.settings import Settings
from moorage.kit import db, disk
from moorage.kit.http import Signed, Tx, may_fail

router = APIRouter(prefix="/api/v1", tags=["metrics"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **may_fail(organizations.PermissionMissing),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def read_metrics(tx: Tx, caller: Signed, request: Request) -> Response:
    """Give figures of the installation in Prometheus's text format."""
    organizations.require(caller, organizations.Permission.READ_AUDIT, None)
    found = [
        *await _stored(tx),
        *await asyncio.to_thread(lambda: list(_of_machine(request.app.state.settings))),
    ]
    text = generate_latest(_Given(found)) + generate_latest(REGISTRY)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Given:
    """A registry of what was just read."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


async def _stored(tx: db.Tx) -> list[Metric]:
    """Read the figures that stand in the database."""
    kept = CounterMetricFamily(
        "moorage_ledger_entries", "Entries ever kept.", labels=["log", "partition"]
    )
    waiting = GaugeMetricFamily(
        "moorage_ledger_waiting",
        "Entries a consumer has not processed yet.",
        labels=["log", "partition", "consumer"],
    )
    for standing in await ledger.standings(tx):
        labels = [standing.log.name.lower(), str(standing.partition)]
        kept.add_metric(labels, standing.kept)
        for consumer, count in standing.waiting.items():
            waiting.add_metric([*labels, consumer], count)
    deliveries = await targets.totals(tx)
    in_outbox = 2 * deliveries.get("sent", 0) - sum(deliveries.values())
    return [
        kept,
        waiting,
        _gauge("moorage_devices", "Devices.", "state", await devices.count_by_state(tx)),
        _gauge(
            "moorage_connections",
            "Open connections of devices.",
            "protocol",
            await sessions.count_connected(tx),
        ),
        _gauge(
            "moorage_listeners",
            "Listeners that live.",
            "version",
            Counter(one.version for one in await sessions.living(tx)),
        ),
        _gauge("moorage_targets", "Data targets.", "health", await targets.count_by_health(tx)),
        _gauge(
            "moorage_sources", "Brokers fetched from.", "state", await sources.count_by_state(tx)
        ),
        _counter("moorage_deliveries", "Deliveries to targets.", "what", deliveries),
        GaugeMetricFamily("moorage_outbox", "Deliveries that wait.", value=in_outbox),
        _refusals(await ingest.count_refusals(tx)),
        _counter(
            "moorage_messages_shed",
            "Messages that were not stored, or not again.",
            "reason",
            await ingest.count_shed(tx),
        ),
    ]


def _of_machine(settings: Settings) -> Iterator[Metric]:
    """Read the figures of this machine: its disk, and the parts that run on it."""
    room = disk.measure(settings.data_dir)
    yield GaugeMetricFamily(
        "moorage_disk_used_ratio", "Used share of the data directory's disk.", value=room.used_share
    )
    running = state.read(settings.data_dir)
    if running is None:
        return
    ready = GaugeMetricFamily("moorage_part_ready", "1 if a part is ready.", labels=["part"])
    restarts = CounterMetricFamily(
        "moorage_part_restarts", "How often a part was started again.", labels=["part"]
    )
    for part in running.parts:
        ready.add_metric([part.name], part.state is state.PartState.READY)
        restarts.add_metric([part.name], part.restarts)
    yield ready
    yield restarts


def _refusals(counted: Mapping[tuple[str, str], int]) -> Metric:
    found = GaugeMetricFamily(
        "moorage_refusals",
        "What the doors turned away, of the kinds seen in 30 days.",
        labels=["reason", "protocol"],
    )
    for labels, count in counted.items():
        found.add_metric(labels, count)
    return found


def _gauge(name: str, text: str, label: str, values: Mapping[Any, float]) -> Metric:
    found = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        found.add_metric([str(key)], value)
    return found


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    found = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        found.add_metric([str(key)], value)
    return found
