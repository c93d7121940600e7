"""Simulated devices: what they are, what is wrong with them, and the words for both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from importlib import resources
from typing import Any

from .town import Point

Values = dict[str, Any]
BYTES = "application/octet-stream"
JSON = "application/json"


class Door(StrEnum):
    """Which door of the platform a device sends to."""

    MQTT = "mqtt"
    HTTP = "http"


class Fault(StrEnum):
    """What can be wrong with a device."""

    OUTAGE = "outage"
    """Its gateway is dead: silent for minutes, back for minutes."""
    OFF = "off"
    """Switched off long ago."""
    DRIFT = "drift"
    """Its clock runs ahead."""
    STUCK = "stuck"
    """Its sensor always says the same."""
    BATTERY = "battery"
    """Its battery is nearly empty."""
    GARBLED = "garbled"
    """Some of its messages arrive cut off, and their decoder fails."""
    HIGH = "high"
    """What it measures crosses its limit, again and again."""
    WRONG_KEY = "wrong-key"
    """Somebody typed its key in wrongly."""


@dataclass(frozen=True)
class Threshold:
    """A limit that the platform shall watch."""

    series: str
    above: float | None = None
    below: float | None = None


@dataclass
class Device:
    """One simulated device.

    Attributes:
        serial: names it in its organization, and makes it unlike the others of its kind.
        settings: what commands have changed.
        behind: the serial of its gateway.
        began_at: when its fleet was set up, in seconds since 1970; its faults go by that.
    """

    kind: Kind
    serial: str
    name: str
    place: Point | None = None
    address: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    faults: frozenset[Fault] = frozenset()
    behind: str | None = None
    began_at: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    def has(self, fault: Fault) -> bool:
        """Tell whether something is wrong with it."""
        return fault in self.faults


@dataclass(frozen=True)
class Command:
    """The command that a kind of device understands."""

    code: str
    title: str
    obey: Callable[[Device, Mapping[str, Any], float], Values]


class CommandMisunderstood(Exception):
    """A device cannot do what it was asked; the text says why."""


@dataclass(frozen=True)
class Kind:
    """A model of device: what it measures and how it writes that down.

    Attributes:
        word: short, in serial numbers.
        platform_kind: what the platform files it under.
        decoder: the file in `decoders/`; None if the payload needs none.
        measure: values of a device at a time, named and rounded as its decoder gives them.
        pack: the vendor's bytes for them.
        thresholds: limits that a fleet asks to be watched.
        units: UCUM codes by series, where no decoder has them.
    """

    word: str
    title: str
    manufacturer: str
    model: str
    door: Door
    platform_kind: str
    decoder: str | None
    content_type: str
    measure: Callable[[Device, float], Values]
    pack: Callable[[Values], bytes]
    command: Command
    thresholds: tuple[Threshold, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict, hash=False)

    @cached_property
    def script(self) -> str | None:
        """The decoder with what lets it read kept messages."""
        if self.decoder is None:
            return None
        script = read_decoder(f"{self.decoder}.js")
        return script if self.content_type == JSON else f"{script}\n{read_decoder('kept.js')}"


def read_decoder(name: str) -> str:
    """Read a file of `decoders/`."""
    return (resources.files(__package__) / "decoders" / name).read_text(encoding="utf-8")


def to_json(values: Any) -> bytes:
    """Write compact JSON."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
