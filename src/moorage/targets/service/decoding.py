"""Routes with a decoder of their own: what was received is decoded once more, for them only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import msgspec

from moorage import decoders, ledger, telemetry

from ..model import Content, Pending, Reading
from .expand import Arrival, Chosen

_encode = msgspec.msgpack.Encoder().encode
_content = msgspec.msgpack.Decoder(Content).decode


class Deriver(Protocol):
    """Makes of what was received what processing makes of it; nobody's message stops another's."""

    async def __call__(
        self, entries: Sequence[tuple[int, ledger.RawMessage]]
    ) -> Sequence[telemetry.Derived]:
        """Derive messages, given with their positions, as their devices' decoders are now."""
        ...

    async def with_decoders(
        self, asked: Sequence[tuple[ledger.RawMessage, UUID]]
    ) -> Sequence[tuple[telemetry.Derived, decoders.DecodeFailure | None]]:
        """Derive messages, each with the decoder named, in order; those that failed say why."""
        ...


async def decode(deriver: Deriver, chosen: Sequence[Chosen]) -> Sequence[Chosen]:
    """Decode for the routes that have decoders of their own, all of them together.

    What could not be decoded comes back with its problem. A message that is kept no longer, as
    after an erasure, is left out.
    """
    asked: dict[tuple[int, UUID], tuple[Arrival, ledger.RawMessage]] = {}
    for arrival, plan, _problem in chosen:
        if plan.decoder_id is not None and arrival.received is not None:
            asked[id(arrival), plan.decoder_id] = arrival, arrival.received
    if not asked:
        return [one for one in chosen if one.plan.decoder_id is None]
    results = await deriver.with_decoders(
        [(message, decoder_id) for (_, decoder_id), (_, message) in asked.items()]
    )
    made: dict[tuple[int, UUID], tuple[Arrival, decoders.Problem | None]] = {}
    for key, (derived, failure) in zip(asked, results, strict=True):
        arrival, _message = asked[key]
        if failure is None:
            made[key] = arrival._replace(content=_anew(derived, arrival.content)), None
        else:
            made[key] = arrival, _problem_of(key[1], derived, failure)
    decoded = []
    for one in chosen:
        if one.plan.decoder_id is None:
            decoded.append(one)
        elif (found := made.get((id(one.arrival), one.plan.decoder_id))) is not None:
            decoded.append(Chosen(found[0], one.plan, found[1]))
    return decoded


def undecoded_of(rows: Sequence[Pending]) -> dict[int, Content]:
    """Give the contents that are not decoded yet, by their rows' `n`."""
    contents = ((row.n, _content(row.content)) for row in rows)
    return {n: content for n, content in contents if content.undecoded is not None}


async def decode_again(
    deriver: Deriver,
    rows: Sequence[Pending],
    undecoded: Mapping[int, Content],
    decoders_of: Mapping[UUID, UUID],
) -> tuple[list[Pending], list[tuple[Pending, str]]]:
    """Decode the rows that are not decoded yet; give all that can be sent, and what failed why.

    Args:
        deriver: decodes.
        rows: of one target.
        undecoded: what `undecoded_of` gives of them.
        decoders_of: the decoders of its routes that have one of their own.
    """
    asked = {
        row.n: (_received(row.device, undecoded[row.n]), decoders_of[row.route_id])
        for row in rows
        if row.n in undecoded and row.route_id in decoders_of
    }
    results = dict(zip(asked, await deriver.with_decoders(list(asked.values())), strict=True))
    ready: list[Pending] = []
    failed: list[tuple[Pending, str]] = []
    for row in rows:
        if row.n not in undecoded:
            ready.append(row)
        elif row.n not in results:
            failed.append((row, "The route has no decoder of its own any more."))
        else:
            derived, failure = results[row.n]
            if failure is not None:
                failed.append((row, failure.message))
            elif derived.document is None:
                failed.append((row, "The decoder returned nothing."))
            else:
                content = _encode(_anew(derived, undecoded[row.n]))
                ready.append(replace(row, content=content))
    return ready, failed


def content_of(
    message: telemetry.Derived, device_id: str, device_name: str, application_id: str
) -> Content:
    """Make what carries a decoded message of a device."""
    readings: list[Reading] = []
    for point in message.points:
        units = point.units or {}
        readings.extend((name, value, units.get(name)) for name, value in point.values.items())
    return Content(
        str(UUID(bytes=message.id)),
        device_id,
        device_name,
        application_id,
        message.at_us,
        message.received_us,
        message.channel,
        message.document,
        tuple(readings),
    )


def _anew(derived: telemetry.Derived, was: Content) -> Content:
    return content_of(derived, was.device_id, was.device_name, was.application_id)


def _received(device: int, content: Content) -> ledger.RawMessage:
    """Give back the message that an undecoded content was made of."""
    return ledger.RawMessage(
        device,
        UUID(content.message_id).bytes,
        content.received_us,
        ledger.Protocol.HTTP,
        content.channel,
        content.payload or b"",
        content.content_type,
        device_us=content.at_us,
        meta=content.undecoded,
    )


def _problem_of(
    decoder_id: UUID, derived: telemetry.Derived, failure: decoders.DecodeFailure
) -> decoders.Problem:
    at = datetime.fromtimestamp(derived.received_us / 1_000_000, UTC)
    return decoders.Problem(
        decoder_id, derived.device, at, derived.decoder, failure.code, failure.message
    )
