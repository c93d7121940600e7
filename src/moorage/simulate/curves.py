"""Curves that look like life: pure functions of time, so that past and present fit together.

Time is seconds since 1970. Hours are those of Danish standard time the year round; an hour's
difference in summer is nothing a curve is about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b

HOUR_S, DAY_S = 3600.0, 86_400.0
YEAR_S = 365.2425 * DAY_S
_ZONE_S = HOUR_S


def chance(*parts: object) -> float:
    """Give a number from 0 up to 1 that is always the same for the same parts."""
    digest = blake2b(repr(parts).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


def between(low: float, high: float, *parts: object) -> float:
    """Give a number from `low` up to `high`, always the same for the same parts."""
    return low + (high - low) * chance(*parts)


def wander(at: float, period_s: float, *parts: object) -> float:
    """Give a smooth curve between -1 and 1 that turns about once in `period_s`."""
    step, share = divmod(at / period_s, 1)
    before, after = chance(step, *parts), chance(step + 1, *parts)
    blend = (1 - math.cos(math.pi * share)) / 2
    return 2 * (before + (after - before) * blend) - 1


def hour_of(at: float) -> float:
    """Give the hour of the day, 0 up to 24."""
    return (at + _ZONE_S) % DAY_S / HOUR_S


def is_weekend(at: float) -> bool:
    """Tell whether it is Saturday or Sunday; 1970 began on a Thursday."""
    return int((at + _ZONE_S) // DAY_S) % 7 in (2, 3)


def along(profile: Sequence[float], at: float) -> float:
    """Read a profile of 24 hourly values, straight between the full hours."""
    hour, share = divmod(hour_of(at), 1)
    before, after = profile[int(hour)], profile[(int(hour) + 1) % 24]
    return before + (after - before) * share


def total(profile: Sequence[float], at: float) -> float:
    """Sum up a profile of 24 hourly amounts since 1970; it never falls."""
    days, rest = divmod(at + _ZONE_S, DAY_S)
    hours, share = divmod(rest / HOUR_S, 1)
    return days * sum(profile) + sum(profile[: int(hours)]) + profile[int(hours)] * share


def outdoor_temperature(at: float) -> float:
    """Give a Danish coast's air temperature in °C."""
    year = math.cos(2 * math.pi * (at / YEAR_S - 0.57))  # Warmest late in July.
    day = math.cos(2 * math.pi * (hour_of(at) - 15) / 24)
    return 9 + 8 * year + 2.6 * day + 2.5 * wander(at, 2 * DAY_S, "weather")


def daylight(at: float) -> float:
    """Give how high the sun stands, 0 at night to 1, at 55° north."""
    year = math.cos(2 * math.pi * (at / YEAR_S - 0.47))  # Highest late in June.
    declination = math.radians(23.4 * year)
    latitude, turn = math.radians(55.06), math.radians(15 * (hour_of(at) - 12.3))
    sine = math.sin(latitude) * math.sin(declination)
    return max(0.0, sine + math.cos(latitude) * math.cos(declination) * math.cos(turn))


def rain_mm_h(at: float) -> float:
    """Give the rain's intensity; dry most of the time."""
    wet = wander(at, 5 * HOUR_S, "rain") - 0.45
    return 0.0 if wet <= 0 else 9 * wet * (0.6 + 0.4 * wander(at, 900, "shower"))
