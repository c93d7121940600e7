"""Which devices there are: the demo's town, and fleets of any size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from . import kinds
from .curves import chance
from .model import Device, Door, Fault, Kind
from .town import EAST, HARBOUR, OLD_TOWN, QUARTERS, Quarter, address, spot

DEMO_ORGANIZATION = "Harbour Demo"
INTERVAL_S = 10.0


@dataclass(frozen=True)
class Application:
    """An application that owns devices of a fleet."""

    name: str
    description: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Plan:
    """A fleet, and how it is filed.

    Attributes:
        interval_s: between two messages of a device.
    """

    applications: Sequence[Application]
    devices: list[Device]
    interval_s: float

    @property
    def silent_after(self) -> timedelta:
        """Give how long a device may say nothing."""
        return timedelta(seconds=max(10, round(3 * self.interval_s)))

    def application_of(self, device: Device) -> Application:
        """Give the application that a device belongs to."""
        return next(a for a in self.applications if device.kind in a.kinds)


@dataclass(frozen=True)
class _Share:
    """How many of a kind the demo has, what they are called, and what is wrong with which."""

    kind: Kind
    count: int
    name: str
    faults: Mapping[int, Fault] = field(default_factory=dict)


_SCHOOLS = ("Vestermark School", "Harbour School", "North School", "Town Hall", "Sound College")
_DEMO = (
    _Share(kinds.CLIMATE, 48, "{school}, room {n}", {
        2: Fault.HIGH, 6: Fault.STUCK, 10: Fault.BATTERY, 14: Fault.GARBLED, 20: Fault.WRONG_KEY,
        31: Fault.HIGH,
    }),
    _Share(kinds.WATER, 40, "Water meter {address}", {
        3: Fault.HIGH, 8: Fault.DRIFT, 16: Fault.BATTERY, 21: Fault.OFF, 30: Fault.WRONG_KEY,
    }),
    _Share(kinds.PARKING, 48, "Bay {n}, {address}", {5: Fault.BATTERY, 27: Fault.STUCK}),
    _Share(kinds.BIN, 24, "Bin {address}", {1: Fault.HIGH, 7: Fault.BATTERY}),
    _Share(kinds.POWER, 16, "Power {address}", {2: Fault.HIGH, 11: Fault.DRIFT}),
    _Share(kinds.WEATHER, 4, "Weather {quarter}", {1: Fault.HIGH}),
    _Share(kinds.TRACKER, 10, "{vehicle} {n}", {3: Fault.HIGH}),
    _Share(kinds.LOCK, 16, "Door {address}", {5: Fault.BATTERY, 9: Fault.GARBLED}),
    _Share(kinds.PHONE, 10, "Phone {n}", {1: Fault.OFF, 4: Fault.OFF, 6: Fault.BATTERY,
                                          7: Fault.DRIFT}),
)  # fmt: skip
# What speaks over a radio network, and falls silent with its gateway.
_BY_RADIO = (kinds.PARKING, kinds.BIN, kinds.WEATHER)


def demo(interval_s: float = INTERVAL_S) -> Plan:
    """Plan the demo's town: a fleet of more than two hundred, faults included."""
    applications = (
        Application("School climate", "Air and warmth in class rooms.", (kinds.CLIMATE,)),
        Application("Water meters", "Consumption, and leaks.", (kinds.WATER,)),
        Application("Streets", "Parking bays and bins.", (kinds.PARKING, kinds.BIN)),
        Application("Energy", "Power in public buildings.", (kinds.POWER,)),
        Application("Harbour", "Weather, ferries and vehicles.", (kinds.WEATHER, kinds.TRACKER)),
        Application("Doors and phones", "Locks, and what staff carry.", (kinds.LOCK, kinds.PHONE)),
        Application("Radio network", "Gateways of the radio network.", (kinds.GATEWAY,)),
    )
    devices = [_gateway(quarter) for quarter in QUARTERS]
    devices += [_demo_device(share, index) for share in _DEMO for index in range(share.count)]
    return Plan(applications, devices, interval_s)


def fleet(
    count: int, faults: Iterable[Fault], *, name: str, prefix: str, interval_s: float
) -> Plan:
    """Plan a fleet of any size; of each fault one device in twenty has it.

    Args:
        count: devices.
        faults: that occur.
        name: of the application.
        prefix: begins every serial number.
        interval_s: between two messages of a device.
    """
    weights = [share.count for share in _DEMO]
    made: list[Device] = []
    chosen = sorted(set(faults))
    for index in range(count):
        share = _DEMO[_pick(weights, index)]
        quarter = QUARTERS[index % len(QUARTERS)]
        # A stride apart, so that the first devices of a small fleet already have one each.
        own = {f for k, f in enumerate(chosen) if index % max(20, len(chosen)) == k}
        made.append(
            Device(
                share.kind,
                f"{prefix}-{index + 1:06d}",
                f"{share.kind.title} {index + 1}",
                spot(quarter, prefix, index),
                address(quarter, prefix, index),
                _metadata(share.kind, index),
                (share.kind.word,),
                frozenset(own),
            )
        )
    application = Application(name, "Made by `moorage simulate`.", kinds.KINDS)
    return Plan((application,), made, interval_s)


def _pick(weights: Sequence[int], index: int) -> int:
    """Choose a place in a list by weight; the first ones go through the list once."""
    if index < len(weights):
        return index
    left = chance("kind", index) * sum(weights)
    for place, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return place
    return 0


def _gateway(quarter: Quarter) -> Device:
    faults = frozenset({Fault.OUTAGE}) if quarter is EAST else frozenset()
    return Device(
        kinds.GATEWAY,
        _gateway_serial(quarter),
        f"Gateway {quarter.name}",
        quarter.middle,
        address(quarter, "gateway"),
        {"quarter": quarter.name},
        ("gateway", quarter.name),
        faults,
    )


def _gateway_serial(quarter: Quarter) -> str:
    return f"HD-gateway-{QUARTERS.index(quarter) + 1:02d}"


def _demo_device(share: _Share, index: int) -> Device:
    kind, serial = share.kind, f"HD-{share.kind.word}-{index + 1:02d}"
    quarter = QUARTERS[index % len(QUARTERS)]
    vehicle, tags = "Vehicle", [kind.word, quarter.name]
    if kind is kinds.TRACKER:
        vehicle, quarter, kin = (
            ("Ferry", HARBOUR, "boat") if index < 3 else ("Van", OLD_TOWN, "road")
        )
        tags = [kind.word, kin]
    faults = {share.faults[index]} if index in share.faults else set()
    behind = None
    if kind in _BY_RADIO:
        behind = _gateway_serial(quarter)
        if quarter is EAST:
            faults.add(Fault.OUTAGE)
    where = address(quarter, serial)
    name = share.name.format(
        n=index + 1,
        school=_SCHOOLS[index % len(_SCHOOLS)],
        address=where,
        quarter=quarter.name,
        vehicle=vehicle,
    )
    return Device(
        kind,
        serial,
        name,
        spot(quarter, serial),
        where,
        {"quarter": quarter.name, **_metadata(kind, index)},
        tuple(tags),
        frozenset(faults),
        behind,
    )


def _metadata(kind: Kind, index: int) -> dict[str, str]:
    return {"depth_mm": str((1200, 1500, 1800)[index % 3])} if kind is kinds.BIN else {}


def is_by_mqtt(device: Device) -> bool:
    """Tell whether a device keeps a connection."""
    return device.kind.door is Door.MQTT
