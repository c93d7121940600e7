"""Sensors on a low-power network: indoor climate, parking, bins, weather."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from ..curves import (
    DAY_S,
    HOUR_S,
    along,
    between,
    chance,
    daylight,
    is_weekend,
    outdoor_temperature,
    rain_mm_h,
    wander,
)
from ..model import BYTES, Command, CommandMisunderstood, Device, Door, Kind, Threshold, Values
from .common import battery_percent, battery_v, is_surging

# Share of a class that is in its room, by hour.
_LESSONS = (0, 0, 0, 0, 0, 0, 0, 0.15, 0.9, 1, 0.5, 1, 0.3, 0.95, 0.8, 0.3, 0.1, 0, 0, 0, 0, 0, 0,
            0)  # fmt: skip
_PARKED = (0.2, 0.15, 0.1, 0.1, 0.1, 0.15, 0.25, 0.5, 0.75, 0.85, 0.9, 0.95, 0.95, 0.9, 0.85, 0.85,
           0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.3, 0.25)  # fmt: skip


# --- Indoor climate -----------------------------------------------------------


def _climate(device: Device, at: float) -> Values:
    people = 0.0 if is_weekend(at) else along(_LESSONS, at)
    people *= between(0.5, 1, "class", device.serial, int(at // HOUR_S))
    comfort = between(20.2, 22.4, "comfort", device.serial)
    temperature = comfort + 1.6 * people + 0.6 * wander(at, 3 * HOUR_S, "room", device.serial)
    co2 = 430 + 620 * people + 40 * wander(at, 1200, "air", device.serial)
    if is_surging(device, at):
        co2 += 1150
    lit = people > 0.05 or bool(device.settings.get("lamp"))
    return {
        "temperature": round(temperature, 1),
        "humidity": round(42 + 6 * people + 7 * wander(at, 7 * HOUR_S, "damp", device.serial)),
        "light": round(900 * daylight(at) * chance("window", device.serial) + 320 * lit),
        "motion": round(9 * people * chance("motion", device.serial, int(at // 60))),
        "co2": round(co2),
        "vdd": round(1000 * battery_v(device, full=3.65, empty=2.6)),
    }


def _pack_ers(values: Values) -> bytes:
    return struct.pack(
        ">BhBBBHBBBHBH",
        0x01, round(values["temperature"] * 10), 0x02, values["humidity"],
        0x04, values["light"], 0x05, values["motion"], 0x06, values["co2"], 0x07, values["vdd"],
    )  # fmt: skip


def _switch_lamp(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    device.settings["lamp"] = bool(payload.get("on", True))
    return {"lamp": device.settings["lamp"]}


CLIMATE = Kind(
    "climate", "Indoor climate", "Elsys", "ERS CO2", Door.MQTT, "mqtt", "elsys_ers_co2", BYTES,
    _climate, _pack_ers, Command("lamp", "Switch the lamp that shows bad air", _switch_lamp),
    (Threshold("co2", above=1400), Threshold("vdd", below=2700)),
)  # fmt: skip


# --- Parking ------------------------------------------------------------------


def _parking(device: Device, at: float) -> Values:
    # A car stays for a while that is the bay's own; who comes next is chance.
    stay = between(0.4, 2.5, "stay", device.serial) * HOUR_S
    likely = along(_PARKED, at) * (0.7 if is_weekend(at) else 1)
    return {
        "temperature": round(outdoor_temperature(at) + 3 * daylight(at), 1),
        "battery_v": round(battery_v(device, full=3.6, empty=2.7), 2),
        "occupied": chance("car", device.serial, int(at // stay)) < likely,
    }


def _pack_placepod(values: Values) -> bytes:
    return struct.pack(
        ">BBhBBhBBB",
        0x02, 0x67, round(values["temperature"] * 10),
        0x03, 0x02, round(values["battery_v"] * 100), 0x15, 0x66, values["occupied"],
    )  # fmt: skip


def _recalibrate(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    device.settings["calibrated_at"] = int(at)
    return {"calibratedAt": int(at), "field": round(between(44, 52, device.serial, at), 1)}


PARKING = Kind(
    "parking", "Parking bay", "PNI", "PlacePod", Door.MQTT, "mqtt", "pni_placepod", BYTES,
    _parking, _pack_placepod, Command("recalibrate", "Calibrate for an empty bay", _recalibrate),
    (Threshold("battery_v", below=2.8),),
)  # fmt: skip


# --- Bins ---------------------------------------------------------------------


def _bin(device: Device, at: float) -> Values:
    depth = int(device.metadata.get("depth_mm", "1500"))
    period = between(1.5, 4, "filling", device.serial) * DAY_S
    since = (at + between(0, period, "start", device.serial)) % period
    emptied_at = device.settings.get("emptied_at")
    if emptied_at is not None and emptied_at <= at:
        since = min(since, at - emptied_at)
    level = 0.97 if is_surging(device, at) else 0.02 + 0.8 * since / period
    distance = round(depth * (1 - level))
    return {
        "battery": battery_percent(device, at),
        "temperature": round(outdoor_temperature(at) + 4 * daylight(at), 1),
        "distance": distance,
        "tilted": False,
        "fill": round(100 * (1 - distance / depth)),
    }


def _pack_em400(values: Values) -> bytes:
    return struct.pack(
        "<2sB2sh2sH2sB",
        b"\x01\x75", values["battery"], b"\x03\x67", round(values["temperature"] * 10),
        b"\x04\x82", values["distance"], b"\x05\x00", values["tilted"],
    )  # fmt: skip


def _empty(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    device.settings["emptied_at"] = at
    return {"emptied": True}


BIN = Kind(
    "bin", "Fill level of a bin", "Milesight", "EM400-MUD", Door.MQTT, "mqtt",
    "milesight_em400_mud", BYTES, _bin, _pack_em400,
    Command("emptied", "Tell the sensor that the bin was emptied", _empty),
    (Threshold("fill", above=90), Threshold("battery", below=10)),
)  # fmt: skip


# --- Weather ------------------------------------------------------------------


def _weather(device: Device, at: float) -> Values:
    sun, rain = daylight(at), rain_mm_h(at)
    clouds = 0.55 + 0.45 * wander(at, 2 * HOUR_S, "clouds")
    storm = 11 if is_surging(device, at) else 0
    wind = 5.5 + 4 * wander(at, 6 * HOUR_S, "wind") + 1.5 * wander(at, 120, device.serial)
    settled = float(device.settings.get("rain_reset_at", 0)) > at - 60
    return {
        "temperature": round(outdoor_temperature(at) + 0.3 * wander(at, HOUR_S, device.serial), 1),
        "humidity": round(78 - 18 * sun + (14 if rain else 0) + 5 * wander(at, 9000, "damp")),
        "light_lux": round(90_000 * sun * (1 - 0.7 * clouds)),
        "uv_index": round(6.5 * sun * (1 - 0.6 * clouds), 1),
        "wind_speed_m_s": round(max(0.0, wind + storm), 1),
        "wind_direction": round(250 + 70 * wander(at, 10 * HOUR_S, "turn")) % 360,
        "rain_mm_h": 0.0 if settled else round(rain, 3),
        "pressure_hpa": round(1013 + 14 * wander(at, 3 * DAY_S, "pressure"), 1),
        "battery": battery_percent(device, at),
    }


def _pack_s2120(values: Values) -> bytes:
    first = struct.pack(
        ">BhBIBH",
        0x01, round(values["temperature"] * 10), values["humidity"], values["light_lux"],
        round(values["uv_index"] * 10), round(values["wind_speed_m_s"] * 10),
    )  # fmt: skip
    second = struct.pack(
        ">BHIH",
        0x02, values["wind_direction"], round(values["rain_mm_h"] * 1000),
        round(values["pressure_hpa"] * 10),
    )  # fmt: skip
    return first + second + bytes((0x03, values["battery"]))


def _reset_rain(device: Device, payload: Mapping[str, Any], at: float) -> Values:
    if payload.get("total") not in (None, 0):
        raise CommandMisunderstood("The rain gauge can only be set to 0.")
    device.settings["rain_reset_at"] = at
    return {"rain": 0}


WEATHER = Kind(
    "weather", "Weather station", "Seeed", "SenseCAP S2120", Door.MQTT, "mqtt", "sensecap_s2120",
    BYTES, _weather, _pack_s2120, Command("resetRain", "Set the rain gauge to 0", _reset_rain),
    (Threshold("wind_speed_m_s", above=17),),
)  # fmt: skip
