"""What moves: trackers on vehicles and boats, phones; and the gateways that stand still."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..curves import between, chance, hour_of, wander
from ..model import BYTES, JSON, Command, Device, Door, Kind, Threshold, Values, to_json
from ..town import OLD_TOWN, ROAD, SEA, moved, travel
from .common import battery_percent, battery_v, clock_of, is_surging

# --- Trackers -----------------------------------------------------------------


def _tracker(device: Device, at: float) -> Values:
    boat = "boat" in device.tags
    speed = between(14, 22, device.serial) if boat else between(28, 46, device.serial)
    moving = device.settings.get("recovery", False) or 5 <= hour_of(at) < 23
    way = SEA if boat else ROAD
    start = between(0, 9000, "start", device.serial)
    clock = at if moving else at - at % 3600
    place, heading = travel(way, start + clock * speed / 3.6, closed=not boat)
    if is_surging(device, at):
        speed += 55
    return {
        "latitude": round(place.latitude, 7),
        "longitude": round(place.longitude, 7),
        "in_trip": moving,
        "fix_failed": False,
        "heading": round(heading / 5.625) % 64 * 5.625,
        "speed_km_h": round(speed + 3 * wander(at, 60, device.serial)) if moving else 0,
        "battery_v": round(battery_v(device, full=5.1, empty=3.6) / 0.025) * 25 / 1000,
    }


def _pack_oyster(values: Values) -> bytes:
    flags = values["in_trip"] | values["fix_failed"] << 1 | round(values["heading"] / 5.625) << 2
    return struct.pack(
        "<iiBBB",
        round(values["latitude"] * 1e7), round(values["longitude"] * 1e7), flags,
        values["speed_km_h"], round(values["battery_v"] / 0.025),
    )  # fmt: skip


def _recover(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    device.settings["recovery"] = bool(payload.get("on", True))
    return {"recovery": device.settings["recovery"]}


TRACKER = Kind(
    "tracker", "Tracker", "Digital Matter", "Oyster3", Door.MQTT, "mqtt", "digital_matter_oyster",
    BYTES, _tracker, _pack_oyster, Command("recovery", "Report without pause", _recover),
    (Threshold("speed_km_h", above=80), Threshold("battery_v", below=3.7)),
)  # fmt: skip


# --- Phones -------------------------------------------------------------------


def _phone(device: Device, at: float) -> Values:
    home = device.place or OLD_TOWN.middle
    place = moved(
        home,
        500 * wander(at, 1500, "north", device.serial),
        500 * wander(at, 1500, "east", device.serial),
    )
    # Charged at night, used by day.
    charge = 100 - 3.6 * ((hour_of(at) - 6.5) % 24)
    return {
        "timestamp": clock_of(device, at),
        "latitude": place.latitude,
        "longitude": place.longitude,
        "accuracy_m": round(between(4, 40, device.serial, int(at // 60))),
        "battery": min(battery_percent(device, at), max(12, round(charge))),
        "network": "wifi" if chance("wifi", device.serial, int(at // 900)) < 0.5 else "mobile",
    }


def _pack_owntracks(values: Values) -> bytes:
    return to_json(
        {
            "_type": "location",
            "tid": "hd",
            "tst": values["timestamp"],
            "lat": values["latitude"],
            "lon": values["longitude"],
            "acc": values["accuracy_m"],
            "batt": values["battery"],
            "conn": {"wifi": "w", "mobile": "m"}[values["network"]],
            "t": "p",
        }
    )


def _report_location(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    here = _phone(device, at)
    return {"latitude": here["latitude"], "longitude": here["longitude"]}


PHONE = Kind(
    "phone", "Phone", "OwnTracks", "Android", Door.HTTP, "phone", "owntracks", JSON,
    _phone, _pack_owntracks, Command("reportLocation", "Tell where it is", _report_location),
    (Threshold("battery", below=10),),
)  # fmt: skip


# --- Gateways -----------------------------------------------------------------


def _gateway(device: Device, at: float) -> Values:
    heard = 12 + round(10 * chance("heard", device.serial, int(at // 30)))
    return {
        "stat": {
            "time": datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%d %H:%M:%S GMT"),
            "rxnb": heard,
            "rxok": heard - 1,
            "rxfw": heard - 1,
            "ackr": 100.0,
            "dwnb": round(3 * chance("down", device.serial, int(at // 30))),
            "txnb": round(3 * chance("down", device.serial, int(at // 30))),
            "temp": round(31 + 6 * wander(at, 5000, device.serial), 1),
        }
    }


def _restart(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    device.settings["restarted_at"] = int(at)
    return {"restartedAt": int(at)}


# The status report of Semtech's packet forwarder, which needs no decoder.
GATEWAY = Kind(
    "gateway", "Radio gateway", "Kerlink", "Wirnet iStation", Door.MQTT, "gateway", None, JSON,
    _gateway, to_json, Command("restart", "Restart the packet forwarder", _restart),
    units={"stat.temp": "Cel", "stat.ackr": "%"},
)  # fmt: skip
