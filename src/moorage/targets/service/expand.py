"""From messages to outbox rows: routes looked up in memory, filters, samples, one COPY.

`Routes.choose` finds who gets what, `decoding.decode` does what routes have decoders of their own
for, `take_in` writes.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from moorage import decoders, ledger
from moorage.kit.db import Tx
from moorage.kit.template import look_up

from .. import store
from ..model import (
    LOGGED_FAILURES,
    Comparison,
    Condition,
    Content,
    Outcome,
    Reason,
    Result,
    Route,
    Sampling,
    Source,
)
from ..store.outbox import Entry
from . import catalogue

_encode = msgspec.msgpack.Encoder().encode
_content = msgspec.msgpack.Decoder(Content).decode
_LARGEST_CACHE = 200_000
_ORDERS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.GREATER: operator.gt,
    Comparison.AT_LEAST: operator.ge,
    Comparison.LESS: operator.lt,
    Comparison.AT_MOST: operator.le,
}


class Arrival(NamedTuple):
    """One decoded message and whose it is, as the expander takes it.

    `received` is there only if one of its routes sends or decodes the bytes as received.
    """

    device: int
    application_id: UUID
    tags: frozenset[str]
    content: Content
    received: ledger.RawMessage | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A route, ready to be applied.

    `on_channel` are the conditions that need no decoding, `conditions` the others.
    """

    id: UUID
    target_id: UUID
    raw: bool
    decoder_id: UUID | None
    device_ids: frozenset[str] | None
    tags: frozenset[str]
    on_channel: tuple[Callable[[Mapping[str, Any]], bool], ...]
    conditions: tuple[Callable[[Mapping[str, Any]], bool], ...]
    reads_document: bool
    sampling: Sampling | None
    zone: ZoneInfo

    @property
    def reads_bytes(self) -> bool:
        """Whether it needs the bytes as received."""
        return self.raw or self.decoder_id is not None


class Chosen(NamedTuple):
    """A message and a route that may take it; `problem` says why its decoder could not."""

    arrival: Arrival
    plan: Plan
    problem: decoders.Problem | None = None


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

    def choose(
        self, arrivals: Iterable[Arrival], *, only_target: UUID | None = None
    ) -> list[Chosen]:
        """Give the routes of messages, as far as can be told before decoding for routes."""
        return [
            Chosen(arrival, plan)
            for arrival in arrivals
            for plan in self.of(
                arrival.device, arrival.application_id, arrival.content.device_id, arrival.tags
            )
            if (only_target is None or plan.target_id == only_target)
            and (
                not plan.on_channel
                or all(holds({"channel": arrival.content.channel}) for holds in plan.on_channel)
            )
        ]

    def drop(self, device: int) -> None:
        """Look a device's routes up again: it was changed or moved."""
        self._by_device.pop(device, None)


async def take_in(tx: Tx, chosen: Sequence[Chosen], *, replay: UUID | None = None) -> int:
    """Put messages into the outbox of the targets they were chosen for; tell how many there were.

    Those that their route's decoder could not do become dead letters at once. A replay goes under
    keys of its own, and leaves sampling counters alone.
    """
    if not chosen:
        return 0
    passed = await _sampled(tx, _filtered(chosen), keep=replay is None)
    if not passed:
        return 0
    entries = list(zip(_entries(tx, passed, replay), (one.problem for one in passed), strict=True))
    sent: dict[tuple[UUID, date], int] = defaultdict(int)
    dead: dict[tuple[UUID, date], int] = defaultdict(int)
    for entry, problem in entries:
        sent[entry.target_id, entry.day] += 1
        if problem is not None:
            dead[entry.target_id, entry.day] += 1
    if waiting := [entry for entry, problem in entries if problem is None]:
        await store.lock_outbox(tx)
        await store.enqueue(tx, waiting)
    there = await store.count(tx, "sent", sent)
    if dead:
        await store.count(tx, "dead", dead)
        await _set_aside(tx, [(e, p) for e, p in entries if p and e.target_id in there])
    return len(entries)


async def _set_aside(tx: Tx, failed: Sequence[tuple[Entry, decoders.Problem]]) -> None:
    """Keep what decoders could not do: as dead letters, with receipts, in logs, for pages."""
    by_target: dict[UUID, list[tuple[Entry, Result]]] = defaultdict(list)
    for entry, problem in failed:
        result = Result(Outcome.REFUSED, detail=problem.message)
        by_target[entry.target_id].append((entry, result))
    keep = await store.with_receipts(tx, by_target)
    for target_id, rows in by_target.items():
        if target_id in keep:
            await store.add_receipts(
                tx, target_id, [(tx.now, entry, 0, Reason.DECODER, r) for entry, r in rows]
            )
        await store.add_letters(tx, target_id, [(e, Reason.DECODER, r) for e, r in rows])
        attempts = [
            (tx.now, _content(entry.content), str(entry.key), 0, result)
            for entry, result in rows[-LOGGED_FAILURES:]
        ]
        await store.log_attempts(tx, target_id, attempts)


def key_of(route_id: UUID, message_id: str, replay: UUID | None = None) -> UUID:
    """Make the idempotency key of (route, message), and of the replay if it is one."""
    hashed = blake2b(route_id.bytes + message_id.encode(), digest_size=16)
    if replay is not None:
        hashed.update(replay.bytes)
    return UUID(bytes=hashed.digest())


def plan_of(route: Route, zone: ZoneInfo) -> Plan:
    """Make a route ready to be applied."""
    sampled = route.sampling.every is not None or route.sampling.interval_s is not None
    early = [c for c in route.conditions if c.field == "channel"]
    late = [c for c in route.conditions if c.field != "channel"]
    return Plan(
        route.id,
        route.target_id,
        route.source is Source.RAW,
        route.decoder_id,
        None if route.device_ids is None else frozenset(str(d) for d in route.device_ids),
        frozenset(route.tags),
        tuple(partial(_holds, ("channel",), c) for c in early),
        tuple(partial(_holds, tuple(c.field.split(".")), c) for c in late),
        any(c.field.startswith("document.") for c in late),
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
        if isinstance(found, str):
            return isinstance(wanted, str) and wanted in found
        return isinstance(found, list) and wanted in found
    number = isinstance(found, int | float) and not isinstance(found, bool)
    return number and _ORDERS[comparison](found, wanted)


def _filtered(chosen: Sequence[Chosen]) -> list[Chosen]:
    passed = []
    scopes: dict[int, dict[str, Any]] = {}
    for one in chosen:
        arrival, plan, problem = one
        if problem is not None:
            passed.append(one)
            continue
        if plan.raw and arrival.received is None:
            continue
        if not plan.raw and arrival.content.document is None:
            continue
        if plan.conditions:
            scope = scopes.get(id(arrival))
            if scope is None:
                scope = scopes[id(arrival)] = {
                    "readings": {name: value for name, value, _unit in arrival.content.readings}
                }
            if plan.reads_document and "document" not in scope:
                document = arrival.content.document
                scope["document"] = None if document is None else msgspec.json.decode(document)
            if not all(holds(scope) for holds in plan.conditions):
                continue
        passed.append(one)
    return passed


async def _sampled(tx: Tx, passed: list[Chosen], *, keep: bool) -> list[Chosen]:
    pairs = {(one.plan.id, one.arrival.device) for one in passed if one.plan.sampling}
    if not pairs:
        return passed
    states = await store.load_samples(tx, list(pairs)) if keep else {}
    chosen = []
    for one in passed:
        arrival, plan, _problem = one
        if plan.sampling is not None:
            pair = (plan.id, arrival.device)
            seen, passed_us = states.get(pair, (0, -(2**62)))
            wanted, seen, passed_us = _samples(plan.sampling, seen, passed_us, arrival.content)
            states[pair] = (seen, passed_us)
            if not wanted:
                continue
        chosen.append(one)
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


def _entries(tx: Tx, passed: Sequence[Chosen], replay: UUID | None) -> list[Entry]:
    packed: dict[tuple[int, bool, bool], bytes] = {}
    days: dict[str, date] = {}
    entries = []
    for arrival, plan, problem in passed:
        form = id(arrival), plan.raw, problem is not None
        content = packed.get(form)
        if content is None:
            as_it_came = (plan.raw or problem is not None) and arrival.received is not None
            content = packed[form] = _encode(
                as_received(arrival, undecoded=not plan.raw) if as_it_came else arrival.content
            )
        day = days.get(plan.zone.key)
        if day is None:
            day = days[plan.zone.key] = tx.now.astimezone(plan.zone).date()
        key = key_of(plan.id, arrival.content.message_id, replay)
        entries.append(Entry(plan.target_id, plan.id, arrival.device, key, content, tx.now, day))
    return entries


def as_received(arrival: Arrival, *, undecoded: bool) -> Content:
    """Make what carries the bytes as received, for the target or for its route's decoder."""
    content, received = arrival.content, arrival.received
    if received is None:
        raise ValueError("only what was received can be sent as received")
    return Content(
        content.message_id,
        content.device_id,
        content.device_name,
        content.application_id,
        content.at_us,
        content.received_us,
        content.channel,
        payload=received.payload,
        content_type=received.content_type,
        undecoded=(received.meta or {}) if undecoded else None,
    )
