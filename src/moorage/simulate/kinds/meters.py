"""Meters of water and power, and locks."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from ..curves import HOUR_S, along, between, chance, is_weekend, total, wander
from ..model import (
    BYTES,
    JSON,
    Command,
    CommandMisunderstood,
    Device,
    Door,
    Fault,
    Kind,
    Threshold,
    Values,
    to_json,
)
from .common import battery_percent, clock_of, is_surging

# A household's litres in each hour of the day, and its power in watts.
_WATER_L = (2, 1, 1, 1, 1, 4, 22, 34, 24, 14, 10, 10, 12, 10, 8, 9, 14, 22, 30, 26, 18, 14, 9, 4)
_POWER_W = (220, 200, 190, 190, 200, 260, 480, 620, 520, 430, 420, 430, 470, 430, 420, 470, 700,
            1150, 1320, 1080, 860, 700, 480, 300)  # fmt: skip
_EPOCH = 1_700_000_000.0  # Counters began then.
_STATUS = {"ok": 0x00, "battery low": 0x04, "leak": 0x30, "burst": 0xB0}
_LEAK_L_H = 90


# --- Water --------------------------------------------------------------------


def _litres(device: Device, at: float) -> int:
    people = between(0.6, 2.6, "household", device.serial)
    leaked = _LEAK_L_H * max(0.0, at - device.began_at) / HOUR_S if device.has(Fault.HIGH) else 0
    return int(people * (total(_WATER_L, at) - total(_WATER_L, _EPOCH)) + leaked)


def _water(device: Device, at: float) -> Values:
    clock = clock_of(device, at)
    logged = at - at % HOUR_S
    status = "ok"
    if device.has(Fault.BATTERY):
        status = "battery low"
    elif device.has(Fault.HIGH) and at >= device.began_at:
        status = "leak"
    return {
        "timestamp": clock,
        "status": status,
        "volume_m3": _litres(device, at) / 1000,
        "log_volume_m3": _litres(device, logged) / 1000,
        "last_hour_l": _litres(device, at) - _litres(device, at - HOUR_S),
    }


def _pack_w1(values: Values) -> bytes:
    clock = values["timestamp"]
    head = struct.pack(
        "<IBIII",
        clock, _STATUS[values["status"]], round(values["volume_m3"] * 1000),
        clock - clock % 3600, round(values["log_volume_m3"] * 1000),
    )  # fmt: skip
    return head + struct.pack("<15H", *(0,) * 14, values["last_hour_l"])


def _read_now(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    return {"volume_m3": _litres(device, at) / 1000}


WATER = Kind(
    "water", "Water meter", "Axioma", "Qalcosonic W1", Door.HTTP, "http", "axioma_w1", BYTES,
    _water, _pack_w1, Command("readNow", "Read the meter at once", _read_now),
    (Threshold("last_hour_l", above=80),),
)  # fmt: skip


# --- Power --------------------------------------------------------------------


def _power(device: Device, at: float) -> Values:
    size = between(0.6, 8, "house", device.serial)
    on = bool(device.settings.get("on", True))
    now = size * along(_POWER_W, at) * (1 + 0.15 * wander(at, 240, device.serial)) * on
    if is_surging(device, at):
        now += 14_000
    shares = [between(0.8, 1.2, phase, device.serial) / 3 for phase in "abc"]
    a, b = round(now * shares[0], 1), round(now * shares[1], 1)
    c = round(max(0.0, now - a - b), 1)
    energy_wh = size * (total(_POWER_W, at) - total(_POWER_W, _EPOCH))
    return {
        "timestamp": clock_of(device, at),
        "power_w": round(a + b + c, 1),
        "power_a_w": a,
        "power_b_w": b,
        "power_c_w": c,
        "voltage_v": round(230 + 3 * wander(at, 600, "grid"), 1),
        "energy_kwh": round(energy_wh, 1) / 1000,
        "output": on,
    }


def _pack_3em(values: Values) -> bytes:
    meter: Values = {"id": 0}
    for phase in "abc":
        power = values[f"power_{phase}_w"]
        meter[f"{phase}_voltage"] = values["voltage_v"]
        meter[f"{phase}_current"] = round(power / values["voltage_v"], 3)
        meter[f"{phase}_act_power"] = power
        meter[f"{phase}_pf"] = 0.97
        meter[f"{phase}_freq"] = 50.0
    meter["total_act_power"] = values["power_w"]
    return to_json(
        {
            "src": "shellypro3em-simulated",
            "dst": "moorage/events",
            "method": "NotifyFullStatus",
            "params": {
                "ts": values["timestamp"],
                "em:0": meter,
                "emdata:0": {"id": 0, "total_act": round(values["energy_kwh"] * 1000, 1)},
                "switch:100": {"id": 100, "output": values["output"]},
            },
        }
    )


def _switch(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    if not isinstance(payload.get("on"), bool):
        raise CommandMisunderstood('Say {"on": true} or {"on": false}.')
    was_on = bool(device.settings.get("on", True))
    device.settings["on"] = payload["on"]
    return {"was_on": was_on}


POWER = Kind(
    "power", "Power meter", "Shelly", "Pro 3EM", Door.MQTT, "mqtt", "shelly_pro_3em", JSON,
    _power, _pack_3em, Command("switch", "Switch the contactor on or off", _switch),
    (Threshold("power_w", above=13_500),),
)  # fmt: skip


# --- Locks --------------------------------------------------------------------


def _lock(device: Device, at: float) -> Values:
    busy = 7 <= (at + HOUR_S) % (24 * HOUR_S) / HOUR_S < 18 and not is_weekend(at)
    stood = device.settings.get("locked")
    locked = bool(stood) if stood is not None else not busy
    passing = not locked and chance("passing", device.serial, int(at // 20)) < 0.25
    battery = battery_percent(device, at)
    return {
        "state": "locked" if locked else "unlocked",
        "locked": locked,
        "door": "open" if passing or is_surging(device, at) else "closed",
        "battery": battery,
        "battery_critical": battery < 20,
    }


def _pack_nuki(values: Values) -> bytes:
    open_ = values["door"] == "open"
    return to_json(
        {
            "nukiId": 482_913_117,
            "deviceType": 4,
            "mode": 2,
            "state": 1 if values["locked"] else 3,
            "stateName": values["state"],
            "batteryCritical": values["battery_critical"],
            "batteryCharging": False,
            "batteryChargeState": values["battery"],
            "doorsensorState": 3 if open_ else 2,
            "doorsensorStateName": "door opened" if open_ else "door closed",
        }
    )


def _set_lock(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    if not isinstance(payload.get("locked"), bool):
        raise CommandMisunderstood('Say {"locked": true} or {"locked": false}.')
    device.settings["locked"] = payload["locked"]
    return {"success": True, "locked": payload["locked"]}


LOCK = Kind(
    "lock", "Door lock", "Nuki", "Smart Lock Pro", Door.HTTP, "http", "nuki_lock", JSON,
    _lock, _pack_nuki, Command("lock", "Lock or unlock the door", _set_lock),
    (Threshold("battery", below=10),),
)  # fmt: skip
