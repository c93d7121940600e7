"""The conformance suite of target kinds: what every kind must do, ours and strangers'.

Run each of `CHECKS` with a `Bench` of your kind; a check fails with an AssertionError.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moorage.plugin import (
    Content,
    Delivery,
    FieldInvalid,
    Outbound,
    Outcome,
    TargetKind,
    TargetSender,
)


@dataclass(frozen=True)
class Received:
    """What the other side saw: the idempotency key, and the body."""

    key: str
    body: bytes


@dataclass(frozen=True)
class Bench:
    """A kind and a real other side for it, on loopback.

    Attributes:
        settings: lead to a side that takes everything.
        secrets: that go with them.
        received: gives what that side has seen so far, in order.
        refusing: settings whose messages are refused for good; None if the protocol has no such
            thing.
        unreachable: settings that lead to a port where nobody listens.
        wrong: settings that `check` must refuse.
    """

    kind: TargetKind
    settings: Mapping[str, Any]
    received: Callable[[], Awaitable[Sequence[Received]]]
    refusing: Mapping[str, Any] | None
    unreachable: Mapping[str, Any]
    wrong: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)


DOCUMENT = b'{"number":%d,"text":"a \\"quoted\\" text \xc3\xa6\xc3\xb8\xc3\xa5"}'
NETWORK = Outbound(("127.0.0.0/8", "::1/128"))


def a_delivery(number: int, *, device: str | None = None, attempt: int = 1) -> Delivery:
    """Make a delivery whose document carries `number`."""
    return Delivery(
        str(uuid4()),
        Content(
            str(uuid4()),
            device or str(uuid4()),
            "Conformance",
            str(uuid4()),
            1_700_000_000_000_000 + number,
            1_700_000_000_500_000 + number,
            document=DOCUMENT % number,
            readings=(("number", float(number), None),),
        ),
        attempt,
    )


async def takes_messages_in_order(bench: Bench) -> None:
    """Every message of a device arrives once, in order, whatever the batch."""
    sender = await _opened(bench, bench.settings)
    device = str(uuid4())
    deliveries = [a_delivery(n, device=device) for n in range(25)]
    try:
        await _send_all(sender, deliveries)
    finally:
        await sender.close()
    seen = [r.key for r in await bench.received()]
    assert [k for k in seen if k in {d.key for d in deliveries}] == [d.key for d in deliveries]


async def repeats_under_the_same_key(bench: Bench) -> None:
    """A second attempt carries the key of the first, over a new sender too."""
    delivery = a_delivery(7)
    for _ in range(2):
        sender = await _opened(bench, bench.settings)
        try:
            await _send_all(sender, [delivery])
        finally:
            await sender.close()
    bodies = [r.body for r in await bench.received() if r.key == delivery.key]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


async def tells_a_refusal_from_an_outage(bench: Bench) -> None:
    """What the target will never take is refused; nobody listening is an outage."""
    sender = await _opened(bench, bench.unreachable)
    try:
        (result,) = await sender.send([a_delivery(1)])
    finally:
        await sender.close()
    assert result.outcome is Outcome.OUTAGE
    assert result.detail, "An outage must say what is wrong."
    if bench.refusing is None:
        return
    sender = await _opened(bench, bench.refusing)
    try:
        (result,) = await sender.send([a_delivery(2)])
    finally:
        await sender.close()
    assert result.outcome is Outcome.REFUSED, result
    assert result.detail, "A refusal must say what is wrong."


async def pings_without_a_message(bench: Bench) -> None:
    """A ping tells both ways, and sends no message."""
    before = len(await bench.received())
    for settings, outcome in (
        (bench.settings, Outcome.ACCEPTED),
        (bench.unreachable, Outcome.OUTAGE),
    ):
        sender = await _opened(bench, settings)
        try:
            assert (await sender.ping()).outcome is outcome
        finally:
            await sender.close()
    assert len(await bench.received()) == before


async def respects_the_guard(bench: Bench) -> None:
    """Without the operator's leave, loopback is out of reach."""
    sender = await bench.kind.open(bench.settings, bench.secrets, Outbound(), "moorage-test")
    try:
        (result,) = await sender.send([a_delivery(1)])
    finally:
        await sender.close()
    assert result.outcome is Outcome.OUTAGE
    assert "may not connect" in result.detail


async def refuses_wrong_settings(bench: Bench) -> None:
    """Settings that cannot work are refused by name, and so are unknown ones."""
    bench.kind.check(bench.settings, frozenset(bench.secrets))
    for wrong in (bench.wrong, {**bench.settings, "noSuchSetting": 1}):
        try:
            bench.kind.check(wrong, frozenset(bench.secrets))
        except FieldInvalid as refused:
            assert (refused.pointer or "").startswith(("/settings", "/secrets"))
        else:
            raise AssertionError(f"These settings were not refused: {wrong}")


async def shows_no_secret(bench: Bench) -> None:
    """The request is shown without its secrets."""
    sender = await _opened(bench, bench.settings)
    try:
        shown = sender.show(a_delivery(1))
    finally:
        await sender.close()
    assert shown
    for name, secret in bench.secrets.items():
        assert secret not in shown, f"{name} is shown"


CHECKS: Sequence[Callable[[Bench], Awaitable[None]]] = (
    takes_messages_in_order,
    repeats_under_the_same_key,
    tells_a_refusal_from_an_outage,
    pings_without_a_message,
    respects_the_guard,
    refuses_wrong_settings,
    shows_no_secret,
)


async def _opened(bench: Bench, settings: Mapping[str, Any]) -> TargetSender:
    return await bench.kind.open(settings, bench.secrets, NETWORK, f"moorage-{uuid4().hex[:8]}")


async def _send_all(sender: TargetSender, deliveries: Sequence[Delivery]) -> None:
    for start in range(0, len(deliveries), sender.batch):
        part = deliveries[start : start + sender.batch]
        results = await sender.send(part)
        assert [r.outcome for r in results] == [Outcome.ACCEPTED] * len(part), results
