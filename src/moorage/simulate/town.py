"""A Danish harbour town: Svendborg, its quarters, streets, a round by road and one by boat."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from .curves import chance


@dataclass(frozen=True)
class Point:
    """A place on earth, in degrees (WGS 84)."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Quarter:
    """A part of the town: its middle, how far it reaches, and streets in it."""

    name: str
    middle: Point
    reach_m: float
    streets: Sequence[str]


OLD_TOWN = Quarter(
    "Old town",
    Point(55.0608, 10.6086),
    260,
    ("Gerritsgade", "Møllergade", "Brogade", "Torvet", "Kattesundet", "Bagergade"),
)
HARBOUR = Quarter(
    "Harbour",
    Point(55.0584, 10.6128),
    110,
    ("Jessens Mole", "Havnepladsen", "Nordre Kajgade", "Toldbodvej"),
)
WEST = Quarter(
    "West",
    Point(55.0612, 10.5965),
    420,
    ("Dronningemaen", "Valdemarsgade", "Hulgade", "Johannes Jørgensens Vej", "Brydevej"),
)
NORTH = Quarter(
    "North",
    Point(55.0692, 10.6085),
    420,
    ("Odensevej", "Marslevvej", "Ring Nord", "Ørbækvej", "Skovsbovej"),
)
EAST = Quarter(
    "East",
    Point(55.0622, 10.6275),
    330,
    ("Linkenkærsvej", "Nyborgvej", "Abildvej", "Sejlskibsvej", "Christiansmindevej"),
)
QUARTERS = (OLD_TOWN, HARBOUR, WEST, NORTH, EAST)

# A service vehicle's round through all quarters, and a ferry's way through the sound.
ROAD = (
    Point(55.0592, 10.6120), Point(55.0606, 10.6105), Point(55.0626, 10.6078),
    Point(55.0650, 10.6068), Point(55.0692, 10.6080), Point(55.0716, 10.6040),
    Point(55.0690, 10.5985), Point(55.0645, 10.5950), Point(55.0612, 10.5952),
    Point(55.0598, 10.6020), Point(55.0602, 10.6080), Point(55.0618, 10.6140),
    Point(55.0634, 10.6215), Point(55.0622, 10.6280), Point(55.0604, 10.6210),
)  # fmt: skip
SEA = (
    Point(55.0574, 10.6150), Point(55.0552, 10.6170), Point(55.0528, 10.6140),
    Point(55.0510, 10.6060), Point(55.0490, 10.5960), Point(55.0440, 10.5840),
    Point(55.0380, 10.5700), Point(55.0270, 10.5560), Point(55.0140, 10.5420),
)  # fmt: skip


def spot(quarter: Quarter, *parts: object) -> Point:
    """Give a place in a quarter, always the same for the same parts."""
    far = quarter.reach_m * math.sqrt(chance("far", *parts))
    turn = 2 * math.pi * chance("turn", *parts)
    return moved(quarter.middle, far * math.cos(turn), far * math.sin(turn))


def address(quarter: Quarter, *parts: object) -> str:
    """Give an address in a quarter."""
    street = quarter.streets[int(chance("street", *parts) * len(quarter.streets))]
    return f"{street} {1 + int(chance('house', *parts) * 60)}"


def moved(place: Point, north_m: float, east_m: float) -> Point:
    """Give the place so many metres away."""
    latitude = place.latitude + north_m / 111_320
    east = east_m / (111_320 * math.cos(math.radians(place.latitude)))
    return Point(round(latitude, 6), round(place.longitude + east, 6))


def travel(way: Sequence[Point], metres: float, *, closed: bool) -> tuple[Point, float]:
    """Follow a way: the place after so many metres, and the heading in degrees.

    A closed way goes round; an open one to its end and back again.
    """
    stops = [*way, way[0]] if closed else [*way, *reversed(way[:-1])]
    legs = [(a, b, distance_m(a, b)) for a, b in itertools.pairwise(stops)]
    left = metres % sum(length for _, _, length in legs)
    for start, end, length in legs:  # noqa: B007
        if left <= length:
            break
        left -= length
    share = min(1.0, left / length)
    north, east = end.latitude - start.latitude, end.longitude - start.longitude
    heading = math.degrees(math.atan2(east * math.cos(math.radians(start.latitude)), north)) % 360
    here = Point(start.latitude + north * share, start.longitude + east * share)
    return here, heading


def distance_m(one: Point, other: Point) -> float:
    """Give the distance of two places near each other."""
    north = (one.latitude - other.latitude) * 111_320
    scale = 111_320 * math.cos(math.radians(one.latitude))
    return math.hypot(north, (one.longitude - other.longitude) * scale)
