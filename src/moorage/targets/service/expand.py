"""From messages to outbox rows: routes looked up in memory, filters, samples, one COPY."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from moorage.kit.db import Tx
from moorage.kit.template import look_up

from .. import store
from ..model import Comparison, Condition, Content, Route, Sampling, Source
from ..store.outbox import Entry
from . import catalogue

_encode = msgspec.msgpack.Encoder().encode
_LARGEST_CACHE = 200_000
_ORDERS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.GREATER: operator.gt,
    Comparison.AT_LEAST: operator.ge,
    Comparison.LESS: operator.lt,
    Comparison.AT_MOST: operator.le,
}


class Arrival(NamedTuple):
    """One decoded message and whose it is, as the expander takes it.

    `payload` is there only if one of its routes sends the bytes as received.
    """

    device: int
    application_id: UUID
    tags: frozenset[str]
    content: Content
    payload: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A route, ready to be applied."""

    id: UUID
    target_id: UUID
    raw: bool
    device_ids: frozenset[str] | None
    tags: frozenset[str]
    conditions: tuple[Callable[[Mapping[str, Any]], bool], ...]
    reads_document: bool
    sampling: Sampling | None
    zone: ZoneInfo


class Routes:
    """The routes that are switched on, and which of them a device has; kept between batches.

    `forget` is called when something changed; the next batch reads them anew.
    """

    def __init__(self) -> None:
        self._plans: dict[UUID, list[Plan]] = {}
        self._by_device: dict[int, tuple[Plan, ...]] = {}
        self._known = False

    def forget(self) -> None:
        """Read the routes again before the next batch."""
        self._known = False

    async def refresh(self, tx: Tx) -> None:
        """Read the routes if they may have changed."""
        if self._known:
            return
        # Set before reading: what changes while we read makes us read again.
        self._known = True
        zones: dict[UUID, ZoneInfo] = {}
        plans: dict[UUID, list[Plan]] = defaultdict(list)
        try:
            for route in await store.enabled_routes(tx):
                if route.organization_id not in zones:
                    zones[route.organization_id] = await catalogue.zone_of(
                        tx, route.organization_id
                    )
                plans[route.application_id].append(plan_of(route, zones[route.organization_id]))
        except BaseException:
            self._known = False
            raise
        self._plans = dict(plans)
        self._by_device.clear()

    @property
    def empty(self) -> bool:
        """Whether no route is switched on at all."""
        return not self._plans

    def of(
        self, device: int, application_id: UUID, device_id: str, tags: frozenset[str]
    ) -> tuple[Plan, ...]:
        """Give the routes of a device."""
        found = self._by_device.get(device)
        if found is None:
            if len(self._by_device) >= _LARGEST_CACHE:
                self._by_device.clear()
            found = self._by_device[device] = tuple(
                plan
                for plan in self._plans.get(application_id, ())
                if (plan.device_ids is None or device_id in plan.device_ids) and plan.tags <= tags
            )
        return found

    def drop(self, device: int) -> None:
        """Look a device's routes up again: it was changed or moved."""
        self._by_device.pop(device, None)


async def take_in(
    tx: Tx,
    routes: Routes,
    arrivals: Sequence[Arrival],
    *,
    replay: UUID | None = None,
    only_target: UUID | None = None,
) -> int:
    """Put messages into the outbox of every target their routes lead to; tell how many rows.

    A replay goes to one target under keys of its own, and leaves sampling counters alone.
    """
    await routes.refresh(tx)
    chosen = [
        (arrival, plan)
        for arrival in arrivals
        for plan in routes.of(
            arrival.device, arrival.application_id, arrival.content.device_id, arrival.tags
        )
        if only_target is None or plan.target_id == only_target
    ]
    if not chosen:
        return 0
    passed = _filtered(chosen)
    passed = await _sampled(tx, passed, keep=replay is None)
    if not passed:
        return 0
    entries = _entries(tx, passed, replay)
    counts: dict[tuple[UUID, date], int] = defaultdict(int)
    for entry in entries:
        counts[entry.target_id, entry.day] += 1
    await store.lock_outbox(tx)
    await store.enqueue(tx, entries)
    await store.count(tx, "sent", counts)
    return len(entries)


def key_of(route_id: UUID, message_id: str, replay: UUID | None = None) -> UUID:
    """Make the idempotency key of (route, message), and of the replay if it is one."""
    hashed = blake2b(route_id.bytes + message_id.encode(), digest_size=16)
    if replay is not None:
        hashed.update(replay.bytes)
    return UUID(bytes=hashed.digest())


def plan_of(route: Route, zone: ZoneInfo) -> Plan:
    """Make a route ready to be applied."""
    sampled = route.sampling.every is not None or route.sampling.interval_s is not None
    return Plan(
        route.id,
        route.target_id,
        route.source is Source.RAW,
        None if route.device_ids is None else frozenset(str(d) for d in route.device_ids),
        frozenset(route.tags),
        tuple(partial(_holds, tuple(c.field.split(".")), c) for c in route.conditions),
        any(c.field.startswith("document.") for c in route.conditions),
        route.sampling if sampled else None,
        zone,
    )


def _holds(names: tuple[str, ...], condition: Condition, scope: Mapping[str, Any]) -> bool:
    found = look_up(scope, names)
    comparison, wanted = condition.comparison, condition.value
    if comparison is Comparison.EXISTS:
        return (found is not None) == (wanted is not False)
    if comparison is Comparison.EQUAL:
        return bool(found == wanted)
    if comparison is Comparison.UNEQUAL:
        return bool(found != wanted)
    if comparison is Comparison.CONTAINS:
        return isinstance(found, str | list) and wanted in found
    number = isinstance(found, int | float) and not isinstance(found, bool)
    return number and _ORDERS[comparison](found, wanted)


def _filtered(chosen: list[tuple[Arrival, Plan]]) -> list[tuple[Arrival, Plan]]:
    passed = []
    scopes: dict[int, dict[str, Any]] = {}
    for arrival, plan in chosen:
        if not plan.raw and arrival.content.document is None:
            continue
        if plan.raw and arrival.payload is None:
            continue
        if plan.conditions:
            scope = scopes.get(id(arrival))
            if scope is None:
                scope = scopes[id(arrival)] = {
                    "readings": {name: value for name, value, _unit in arrival.content.readings},
                    "channel": arrival.content.channel,
                }
            if plan.reads_document and "document" not in scope:
                document = arrival.content.document
                scope["document"] = None if document is None else msgspec.json.decode(document)
            if not all(holds(scope) for holds in plan.conditions):
                continue
        passed.append((arrival, plan))
    return passed


async def _sampled(
    tx: Tx, passed: list[tuple[Arrival, Plan]], *, keep: bool
) -> list[tuple[Arrival, Plan]]:
    pairs = {(plan.id, arrival.device) for arrival, plan in passed if plan.sampling}
    if not pairs:
        return passed
    states = await store.load_samples(tx, list(pairs)) if keep else {}
    chosen = []
    for arrival, plan in passed:
        if plan.sampling is not None:
            pair = (plan.id, arrival.device)
            seen, passed_us = states.get(pair, (0, -(2**62)))
            wanted, seen, passed_us = _samples(plan.sampling, seen, passed_us, arrival.content)
            states[pair] = (seen, passed_us)
            if not wanted:
                continue
        chosen.append((arrival, plan))
    if keep:
        await store.put_samples(tx, states)
    return chosen


def _samples(
    sampling: Sampling, seen: int, passed_us: int, content: Content
) -> tuple[bool, int, int]:
    wanted = True
    if sampling.every is not None:
        wanted = seen % sampling.every == 0
    if sampling.interval_s is not None:
        wanted = wanted and content.received_us - passed_us >= sampling.interval_s * 1_000_000
    return wanted, seen + 1, content.received_us if wanted else passed_us


def _entries(tx: Tx, passed: Sequence[tuple[Arrival, Plan]], replay: UUID | None) -> list[Entry]:
    packed: dict[tuple[int, bool], bytes] = {}
    days: dict[str, date] = {}
    entries = []
    for arrival, plan in passed:
        content = packed.get((id(arrival), plan.raw))
        if content is None:
            content = packed[id(arrival), plan.raw] = _encode(
                _raw(arrival) if plan.raw else arrival.content
            )
        day = days.get(plan.zone.key)
        if day is None:
            day = days[plan.zone.key] = tx.now.astimezone(plan.zone).date()
        key = key_of(plan.id, arrival.content.message_id, replay)
        entries.append(Entry(plan.target_id, plan.id, arrival.device, key, content, tx.now, day))
    return entries


def _raw(arrival: Arrival) -> Content:
    content = arrival.content
    return Content(
        content.message_id,
        content.device_id,
        content.device_name,
        content.application_id,
        content.at_us,
        content.received_us,
        content.channel,
        payload=arrival.payload,
        content_type=arrival.content_type,
    )
