"""Whom the gateways at this door speak for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from moorage import devices

_NOBODY: Mapping[str, devices.Sender] = {}


class Children:
    """The devices behind gateways that have signed in here, as they stand now."""

    def __init__(self) -> None:
        self._gateways: dict[int, devices.Sender] = {}
        self._children: dict[int, Mapping[str, devices.Sender]] = {}
        self._gateway_of: dict[int, int] = {}

    def put(self, gateway: devices.Sender, children: Mapping[str, devices.Sender]) -> bool:
        """Take up who stands behind a gateway; tell whether somebody stands there no more."""
        before = self._children.get(gateway.number, _NOBODY)
        self._forget_children(gateway.number)
        self._gateways[gateway.number] = gateway
        self._children[gateway.number] = children
        self._gateway_of |= {child.number: gateway.number for child in children.values()}
        return not before.keys() <= children.keys()

    def forget(self, gateways: Iterable[int]) -> None:
        """Forget gateways; they are asked for again when they sign in."""
        for number in gateways:
            if self._gateways.pop(number, None) is not None:
                self._forget_children(number)

    def _forget_children(self, gateway: int) -> None:
        for child in self._children.pop(gateway, _NOBODY).values():
            if self._gateway_of.get(child.number) == gateway:
                del self._gateway_of[child.number]

    def of(self, gateway: int) -> Mapping[str, devices.Sender]:
        """Give a gateway's children, by their ids and devEuis."""
        return self._children.get(gateway, _NOBODY)

    def gateway_of(self, child: int) -> int | None:
        """Give the gateway that speaks for a device here."""
        return self._gateway_of.get(child)

    def gateways(self) -> list[devices.Sender]:
        """List the gateways that are known."""
        return list(self._gateways.values())

    def touched(self, changed: Iterable[int], parents: Iterable[int]) -> list[devices.Sender]:
        """List the gateways that have or had one of the changed devices behind them.

        Args:
            changed: devices.
            parents: gateways that these stand behind now.
        """
        numbers = {*parents, *(self._gateway_of.get(number, 0) for number in changed)}
        return [self._gateways[number] for number in numbers if number in self._gateways]
