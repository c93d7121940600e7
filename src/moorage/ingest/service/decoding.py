"""From bytes to the entries of the derived log, with what is known of the devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from moorage import decoders, devices, groups, ledger, telemetry
from moorage.kit.db import Tx
from moorage.kit.formats import DEEPEST, is_too_deep

PAST_US = 30 * 86_400 * 1_000_000
FUTURE_US = 600 * 1_000_000
_to_json = msgspec.json.Encoder().encode
NOBODY = UUID(int=0)
# Answers to operations, reported state and what networks tell of themselves are kept as messages,
# but are no readings.
NO_TELEMETRY = ("op/", "twin/", "network/")
NO_READINGS = decoders.Decoded(None)
_CLOCK, _PROBLEM = int(telemetry.Flag.CLOCK), int(telemetry.Flag.PROBLEM)
_TOO_DEEP = f"The document is nested deeper than {DEEPEST} levels."
_ENVELOPE = {"at", "id", "port", "values"}
_WSO2_ENVELOPE = {"event"}
_json = msgspec.json.Decoder().decode


class Decoding:
    """Decodes batches, and remembers the devices they came from.

    Attributes:
        contexts: what is known of devices, by number.
        failures: what decoders could not do since the list was cleared.
    """

    def __init__(self, workshop: decoders.Workshop) -> None:
        self._workshop = workshop
        self._descriptions: dict[int, tuple[devices.DeviceContext, msgspec.Raw]] = {}
        self._changed = True
        self._mark: int | None = None
        self._units: Mapping[UUID, Mapping[str, str]] = {}
        self.contexts: dict[int, devices.DeviceContext] = {}
        self.failures: list[decoders.Problem] = []

    def look_again(self) -> None:
        """Ask which devices have changed before the next batch."""
        self._changed = True

    async def learn(self, tx: Tx, entries: Sequence[tuple[int, ledger.RawMessage]]) -> None:
        """Look up the devices that are not known yet, or have changed."""
        if self._changed:
            self._changed = False
            changes = await devices.contexts_changed(tx, self._mark)
            self._mark = changes.next
            self._units = await groups.units(tx)
            for number in changes.numbers:
                self.contexts.pop(number, None)
        missing = {m.device for _n, m in entries} - self.contexts.keys()
        if missing:
            self.contexts.update(await devices.context_of(tx, sorted(missing)))

    async def decode(
        self, entries: Sequence[tuple[int, ledger.RawMessage]]
    ) -> list[telemetry.Derived]:
        """Decode a batch: plain JSON here, the rest by runtime, grouped."""
        derived: list[telemetry.Derived | None] = [None] * len(entries)
        others: dict[int, list[int]] = {}
        for index, (n, message) in enumerate(entries):
            if message.channel and message.channel.startswith(NO_TELEMETRY):
                derived[index] = derive(n, message, None, NO_READINGS)
                continue
            context = self.contexts.get(message.device)
            if context is None or context.decoder_id is None:
                derived[index] = plain = _plain_json(n, message)
                if plain is not None:
                    continue
            others.setdefault(message.device, []).append(index)
        if others:
            await self._decode_others(entries, others, derived)
        found = [d for d in derived if d is not None]
        if self._units:
            self._name_units(found)
        return found

    def _name_units(self, derived: Sequence[telemetry.Derived]) -> None:
        """Give what came without a unit the one that the device's application has for it."""
        for entry in derived:
            context = self.contexts.get(entry.device)
            units = context and self._units.get(context.application_id)
            if units:
                for point in entry.points:
                    point.units = decoders.units_of(point.values, point.units, units)

    async def decode_with(
        self, asked: Sequence[tuple[ledger.RawMessage, UUID]]
    ) -> list[tuple[telemetry.Derived, decoders.DecodeFailure | None]]:
        """Decode a batch with the decoders named, whatever the devices' own are."""
        results = await self._workshop.decode(
            [replace(self._job(message), decoder_id=decoder_id) for message, decoder_id in asked]
        )
        return [
            (
                derive(0, message, version, result),
                result if isinstance(result, decoders.DecodeFailure) else None,
            )
            for (message, _decoder), (version, result) in zip(asked, results, strict=True)
        ]

    async def _decode_others(
        self,
        entries: Sequence[tuple[int, ledger.RawMessage]],
        others: Mapping[int, Sequence[int]],
        derived: list[telemetry.Derived | None],
    ) -> None:
        jobs = [self._job(entries[i][1]) for indexes in others.values() for i in indexes]
        order = [i for indexes in others.values() for i in indexes]
        results = await self._workshop.decode(jobs)
        for index, (decoder, result) in zip(order, results, strict=True):
            n, message = entries[index]
            derived[index] = derive(n, message, decoder, result)
            if isinstance(result, decoders.DecodeFailure):
                self._note_failure(message, decoder, result)

    def _note_failure(
        self, message: ledger.RawMessage, decoder: str | None, failure: decoders.DecodeFailure
    ) -> None:
        """Keep what a decoder could not do for its page."""
        context = self.contexts.get(message.device)
        if context is not None and context.decoder_id is not None:
            at = instant(message.received_us)
            self.failures.append(
                decoders.Problem(
                    context.decoder_id, message.device, at, decoder, failure.code, failure.message
                )
            )

    def _job(self, message: ledger.RawMessage) -> decoders.Job:
        context = self.contexts.get(message.device)
        meta = message.meta or {}
        content = decoders.DecodeContext(
            message.payload,
            instant(message.received_us),
            message.content_type or None,
            meta.get("port"),
            # What ChirpStack keeps as a device's variables is metadata here.
            None if context is None else context.metadata,
            meta.get("event"),
            None if context is None else self._description(context),
        )
        if context is None:
            return decoders.Job(NOBODY, None, content)
        return decoders.Job(context.organization_id, context.decoder_id, content)

    def _description(self, context: devices.DeviceContext) -> msgspec.Raw:
        """Give the device as a decoder's second argument sees it: no secrets, no keys."""
        known = self._descriptions.get(context.number)
        if known is None or known[0] is not context:
            place = context.location
            described = {
                "id": str(context.id),
                "name": context.name,
                "type": context.kind.value,
                "location": place
                and {"type": "Point", "coordinates": [place.longitude, place.latitude]},
                "commentOnLocation": context.place,
                "metadata": context.metadata,
                "deviceModel": {
                    "manufacturerName": context.manufacturer,
                    "modelName": context.model,
                },
                "serial": context.serial,
                "tags": context.tags,
            }
            known = self._descriptions[context.number] = context, msgspec.Raw(_to_json(described))
        return known[1]


def _plain_json(n: int, message: ledger.RawMessage) -> telemetry.Derived | None:
    """Derive from a JSON body without a decoder; None if it is something else."""
    payload = message.payload
    # A whole array is SenML or a list of bare values: the workshop tells which.
    if payload[:1] != b"{" or "senml" in message.content_type:
        return _decoded_by_network(n, message)
    try:
        document = _json(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded_by_network(n, message)
    values = document
    if type(document) is dict and document.keys() <= _ENVELOPE and "values" in document:
        # Time and id concern the message; the door has taken them up.
        values = document["values"]
    elif type(document) is dict and document.keys() == _WSO2_ENVELOPE:
        values = document["event"]
        if type(values) is dict and "payloadData" in values:
            values = values["payloadData"]
        else:
            values = document
    readings, dropped = decoders.take_readings(values)
    if len(readings) == 1 and not dropped:
        (only,) = readings
        if only.at is None and only.location is None and only.units is None:
            # What most messages are, in the fewest steps; `derive` would say the same.
            at_us, flags = _settle(message.device_us, message.received_us)
            return telemetry.Derived(
                n, message.device, message.id, message.received_us, at_us, message.channel, None,
                payload, [telemetry.Point(at_us, only.values)], None, None, flags,
            )  # fmt: skip
    decoded = decoders.Decoded(payload, readings, dropped=dropped)
    return derive(n, message, None, decoded)


def _decoded_by_network(n: int, message: ledger.RawMessage) -> telemetry.Derived | None:
    """Derive from what a LoRaWAN server's own codec made of a message; None if it has none."""
    event = (message.meta or {}).get("event")
    document = event.get("object") if isinstance(event, dict) else None
    if not isinstance(document, dict):
        return None
    readings, dropped = decoders.take_readings(document)
    decoded = decoders.Decoded(_to_json(document), readings, dropped=dropped)
    return derive(n, message, None, decoded)


def derive(
    n: int,
    message: ledger.RawMessage,
    decoder: str | None,
    result: decoders.Decoded | decoders.DecodeFailure,
) -> telemetry.Derived:
    """Settle the times and make the entry of the derived log."""
    received_us = message.received_us
    own_us, flags = _settle(message.device_us, received_us)
    if isinstance(result, decoders.DecodeFailure):
        return _failed(n, message, decoder, result.message, own_us, flags)
    if result.document is not None and is_too_deep(result.document):
        return _failed(n, message, decoder, _TOO_DEEP, own_us, flags)
    points = []
    location = None
    at_us = own_us
    for readings in result.readings:
        point_us = own_us
        if readings.at is not None:
            point_us, clock = _settle(int(readings.at.timestamp() * 1_000_000), received_us)
            flags |= clock
        if readings.location is not None:
            place = readings.location
            location = (place.latitude, place.longitude, place.altitude_m)
        if readings.values:
            points.append(telemetry.Point(point_us, readings.values, readings.units))
    if points:
        at_us = points[0].at_us
    problem = "; ".join(result.problems) or None
    if result.dropped:
        problem = f"{problem}; " if problem else ""
        problem += f"{result.dropped} values could not become readings"
    return telemetry.Derived(
        n, message.device, message.id, received_us, at_us, message.channel, decoder,
        result.document, points, location, problem,
        flags | (_PROBLEM if problem else 0),
    )  # fmt: skip


def failed(n: int, message: ledger.RawMessage, why: str) -> telemetry.Derived:
    """Make the entry of a message of which nothing can be kept but the bytes."""
    return _failed(n, message, None, why, *_settle(message.device_us, message.received_us))


def _failed(
    n: int, message: ledger.RawMessage, decoder: str | None, why: str, at_us: int, flags: int
) -> telemetry.Derived:
    return telemetry.Derived(
        n, message.device, message.id, message.received_us, at_us, message.channel, decoder,
        None, [], None, why, flags | _PROBLEM,
    )  # fmt: skip


def _settle(device_us: int | None, received_us: int) -> tuple[int, int]:
    """Take the device's time if it is believable, else the time of receipt, and say so."""
    if device_us is None:
        return received_us, 0
    if received_us - PAST_US <= device_us <= received_us + FUTURE_US:
        return device_us, 0
    return received_us, _CLOCK


def instant(us: int) -> datetime:
    """Give the instant of microseconds since 1970."""
    return datetime.fromtimestamp(us / 1_000_000, UTC)
