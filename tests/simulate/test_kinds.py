"""What simulated devices write is what their vendors' formats say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from moorage.decoders import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    DecoderRuntime,
    Script,
    find_runtimes,
    hash_of,
    read_cases,
    run_given_cases,
)
from moorage.kit.ucum import is_unit
from moorage.simulate import curves, history, kinds, plan
from moorage.simulate.fleet import cut, message, obey
from moorage.simulate.kinds.common import STUCK_FOR_S
from moorage.simulate.model import Device, Fault, Kind, read_decoder, to_json

NOON = 1_790_000_000.0
DECODED = [kind for kind in kinds.KINDS if kind.script is not None]
by_kind = pytest.mark.parametrize("kind", DECODED, ids=lambda kind: kind.word)


@pytest.fixture(scope="module")
async def javascript() -> AsyncIterator[DecoderRuntime]:
    runtime = find_runtimes()["javascript"]
    yield runtime
    await runtime.close()


def a_device(kind: Kind, *faults: Fault, tags: tuple[str, ...] = ()) -> Device:
    metadata = {"depth_mm": "1500"} if kind is kinds.BIN else {}
    return Device(
        kind, "X-1", "one", metadata=metadata, tags=tags, faults=frozenset(faults), began_at=NOON
    )


async def decode(
    runtime: DecoderRuntime, device: Device, payloads: list[bytes]
) -> list[Decoded | DecodeFailure]:
    script = device.kind.script
    assert script is not None
    described = msgspec.Raw(to_json({"name": device.name, "metadata": device.metadata}))
    now = datetime.fromtimestamp(NOON, UTC)
    messages = [
        DecodeContext(p, now, device.kind.content_type, None, None, None, described)
        for p in payloads
    ]
    batch = DecodeBatch("tests", messages, Script(hash_of("javascript", script), script))
    return await runtime.decode(batch)


async def documents(runtime: DecoderRuntime, device: Device, payloads: list[bytes]) -> list[Any]:
    results = await decode(runtime, device, payloads)
    for result in results:
        assert isinstance(result, Decoded), result
    return [r.document and json.loads(r.document) for r in results if isinstance(r, Decoded)]


@by_kind
async def test_a_payload_decodes_to_what_was_measured(
    kind: Kind, javascript: DecoderRuntime
) -> None:
    device = a_device(kind)
    moments = [NOON + hours * 3600.0 for hours in range(-72, 3)]
    measured = [kind.measure(device, at) for at in moments]

    decoded = await documents(javascript, device, [kind.pack(values) for values in measured])

    for values, document in zip(measured, decoded, strict=True):
        assert document == pytest.approx(values, abs=1e-9)


@by_kind
async def test_what_was_kept_decodes_like_what_comes_at_once(
    kind: Kind, javascript: DecoderRuntime
) -> None:
    device = a_device(kind)
    at = NOON - 1800
    kept = to_json(history._item(device, at))

    at_once, later = await documents(javascript, device, [message(device, at), kept])

    assert at_once == later


@by_kind
async def test_a_message_that_was_cut_off_fails_in_words(
    kind: Kind, javascript: DecoderRuntime
) -> None:
    whole = message(a_device(kind), NOON)

    (result,) = await decode(javascript, a_device(kind), [cut(whole)])

    assert isinstance(result, DecodeFailure), result
    assert result.message


@by_kind
async def test_a_decoder_passes_its_own_cases(kind: Kind, javascript: DecoderRuntime) -> None:
    assert kind.script is not None
    script = Script(hash_of("javascript", kind.script), kind.script)
    cases = read_cases(read_decoder(f"{kind.decoder}.cases.json"))

    results = await run_given_cases(javascript, "tests", script, cases)

    assert results
    assert [(r.name, r.difference) for r in results if r.difference] == []


@by_kind
def test_every_number_that_a_decoder_gives_has_a_unit(kind: Kind) -> None:
    units = json.loads(read_decoder(f"{kind.decoder}.units.json"))
    values = kind.measure(a_device(kind), NOON)

    numbers = {name for name, value in values.items() if type(value) in {int, float}}
    assert numbers - {"timestamp", "latitude", "longitude"} <= units.keys()
    assert all(map(is_unit, units.values()))


@by_kind
@pytest.mark.parametrize("fault", [Fault.HIGH, Fault.BATTERY])
async def test_a_fault_still_makes_good_payloads(
    kind: Kind, fault: Fault, javascript: DecoderRuntime
) -> None:
    device = a_device(kind, fault)
    values = kind.measure(device, NOON + 1)

    assert await documents(javascript, device, [kind.pack(values)]) == [
        pytest.approx(values, abs=1e-9)
    ]


@pytest.mark.parametrize("kind", [k for k in kinds.KINDS if k.thresholds], ids=lambda k: k.word)
def test_the_faults_of_a_kind_cross_its_limits_and_health_does_not(kind: Kind) -> None:
    def crossed(device: Device, at: float) -> set[str]:
        values = kind.measure(device, at)
        return {
            limit.series
            for limit in kind.thresholds
            if (limit.above is not None and values[limit.series] > limit.above)
            or (limit.below is not None and values[limit.series] < limit.below)
        }

    ill = set()
    for fault in (Fault.HIGH, Fault.BATTERY):
        # An hour, since a leak takes its time.
        for minutes in range(70):
            ill |= crossed(a_device(kind, fault), NOON + 60 * minutes + 1)
    assert ill == {limit.series for limit in kind.thresholds}
    assert not any(crossed(a_device(kind), NOON + 600 * n) for n in range(-400, 400))


def test_a_stuck_sensor_says_the_same_from_six_hours_before_the_start() -> None:
    device = a_device(kinds.CLIMATE, Fault.STUCK)
    stuck_at = NOON - STUCK_FOR_S

    assert message(device, NOON) == message(device, NOON + 5000) == message(device, stuck_at)
    assert message(device, stuck_at - 40_000) != message(device, NOON)


def test_a_drifting_clock_is_beyond_what_the_platform_believes() -> None:
    values = kinds.WATER.measure(a_device(kinds.WATER, Fault.DRIFT), NOON)

    assert values["timestamp"] - NOON > 600


def test_counters_never_fall() -> None:
    device = a_device(kinds.WATER, Fault.HIGH)
    volumes = [kinds.WATER.measure(device, NOON + n * 977)["volume_m3"] for n in range(-300, 300)]

    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[0]


def test_nights_are_dark_and_class_rooms_empty() -> None:
    night = [h for h in range(24) if curves.hour_of(NOON + h * 3600) < 4]
    assert len(night) == 4
    for hours in night:
        assert curves.daylight(NOON + hours * 3600) == 0
        values = kinds.CLIMATE.measure(a_device(kinds.CLIMATE), NOON + hours * 3600)
        assert values["light"] == 0
        assert values["co2"] < 500


def test_each_kind_obeys_one_command_and_refuses_others_in_words() -> None:
    payloads: dict[str, dict[str, Any]] = {"switch": {"on": False}, "lock": {"locked": True}}
    for kind in (*kinds.KINDS, kinds.GATEWAY):
        device = a_device(kind)
        asked = {"code": kind.command.code, "payload": payloads.get(kind.command.code)}
        assert obey(device, to_json(asked), NOON)["state"] == "completed"
        other = obey(device, to_json({"code": "fly"}), NOON)
        assert other["state"] == "error"
        assert kind.command.code in other["problem"]
    assert obey(a_device(kinds.LOCK), b'"lock"', NOON)["state"] == "error"


def test_a_command_shows_in_what_a_device_measures() -> None:
    meter = a_device(kinds.POWER)
    assert kinds.POWER.measure(meter, NOON)["power_w"] > 0
    obey(meter, to_json({"code": "switch", "payload": {"on": False}}), NOON)
    assert kinds.POWER.measure(meter, NOON)["power_w"] == 0

    bin_ = a_device(kinds.BIN)
    obey(bin_, to_json({"code": "emptied"}), NOON)
    assert kinds.BIN.measure(bin_, NOON + 60)["fill"] <= 3


def test_the_demo_has_every_kind_every_fault_and_serials_of_its_own() -> None:
    devices = plan.demo().devices

    assert len(devices) >= 200
    assert len({device.serial for device in devices}) == len(devices)
    assert {device.kind.word for device in devices} == {
        kind.word for kind in (*kinds.KINDS, kinds.GATEWAY)
    }
    assert {fault for device in devices for fault in device.faults} == set(Fault)
    gateways = {d.serial for d in devices if d.kind is kinds.GATEWAY}
    assert {d.behind for d in devices if d.behind} == gateways


def test_a_fleet_of_nine_has_every_kind_and_its_faults() -> None:
    made = plan.fleet(9, [Fault.STUCK, Fault.OFF], name="Nine", prefix="SIM", interval_s=1).devices

    assert {device.kind for device in made} == set(kinds.KINDS)
    assert {fault for device in made for fault in device.faults} == {Fault.STUCK, Fault.OFF}
