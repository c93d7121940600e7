"""What several kinds of device have in common."""

from __future__ import annotations

from ..curves import DAY_S, HOUR_S, between
from ..model import Device, Fault

DRIFT_S = 5_400.0
STUCK_FOR_S = 6 * HOUR_S
OFF_FOR_S = 5 * DAY_S
SURGE_S, SURGE_EVERY_S = 240.0, 420.0


def battery_percent(device: Device, at: float) -> int:
    """Give the charge of a battery that lasts some years, or of one that is nearly empty."""
    if device.has(Fault.BATTERY):
        return 4
    left = between(40, 100, "battery", device.serial)
    return max(20, round(left - (at - device.began_at) / (30 * DAY_S)))


def battery_v(device: Device, *, full: float, empty: float) -> float:
    """Give a battery's voltage between two limits."""
    if device.has(Fault.BATTERY):
        return empty
    return between(empty + 0.5 * (full - empty), full, "battery", device.serial)


def clock_of(device: Device, at: float) -> int:
    """Give the time that the device believes it is."""
    return int(at + DRIFT_S) if device.has(Fault.DRIFT) else int(at)


def is_surging(device: Device, at: float) -> bool:
    """Tell whether a device whose fault it is measures more than it should just now."""
    since = at - device.began_at
    return device.has(Fault.HIGH) and since >= 0 and since % SURGE_EVERY_S < SURGE_S
