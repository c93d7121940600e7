"""Who somebody at a broker in front is, and what he may: as at the platform's own door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from moorage import devices, ingest, sources
from moorage.kit import secrets

from ..model import Registered
from .registry import Registry

# The user name by which the platform itself signs in at a broker; its password is the token.
ITSELF = "moorage"
# With several connections each has a name, since some brokers keep sessions by that.
ITSELVES = (ITSELF, *(f"{ITSELF}-{number}" for number in range(1, sources.MOST_CONNECTIONS)))
# Devices have no topics of their own at a broker for all, so each topic names its device.
ABSOLUTE = "v1/devices/"
_OWN = "v1/"
_HINT = 64


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody at a broker whom the platform knows; no `sender`: it is the platform itself."""

    sender: devices.Sender | None


@dataclass(frozen=True, slots=True)
class SigningIn:
    """What somebody says of himself at a broker; `password` None: the broker asked for none."""

    name: str
    password: str | None
    client_id: str = ""
    address: str = ""


class Guard:
    """Answers brokers, by the same functions that the platform's own door uses.

    Args:
        door: recognises devices and knows their topics.
        registry: notes who is at which broker.
    """

    def __init__(self, door: ingest.Door, registry: Registry) -> None:
        self._door = door
        self._registry = registry

    async def sign_in(self, broker: Registered, said: SigningIn) -> Guest | None:
        """Tell who signs in; None if he may not.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        if said.name in ITSELVES:
            return Guest(None) if _shows_token(broker, said.password) else None
        if said.password is None and broker.certified:
            sender = await self._door.named(said.name, certified=True)
        else:
            # All come from the broker's address, so wrong guesses are counted by name.
            address = said.address or f"{broker.name} {secrets.digest(said.name).hex()[:8]}"
            asked = ingest.Credentials(
                said.name, (said.password or "").encode(), said.client_id, address
            )
            try:
                sender = await self._door.identify_device(asked)
            except (ingest.SenderUnknown, ingest.TooManyAttempts):  # Listed already.
                return None
        if sender is None or not self._is_served(broker, sender):
            return None
        named = await self._door.named(said.name) if said.password is not None else sender
        if named is None or named.number != sender.number:
            # From here on the broker tells the user name only.
            detail = "At a broker a key stands in the user name, a password beside its user name."
            self._refuse("credentials", detail, broker, said.client_id, sender)
            return None
        if not _may_be_called(said, sender):
            detail = "The client id must be the device's id or user name, or begin so before a '-'."
            self._refuse("credentials", detail, broker, said.client_id, sender)
            return None
        self._registry.signed_in(broker, sender.number)
        return Guest(sender)

    async def known(self, broker: Registered, name: str) -> Guest | None:
        """Give who is behind a name that a broker let in; None if he may be there no longer.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        if name in ITSELVES:
            return Guest(None)
        sender = await self._door.named(name)
        if sender is None and broker.certified:
            sender = await self._door.named(name, certified=True)
        if sender is None or not self._is_served(broker, sender):
            return None
        return Guest(sender)

    def _is_served(self, broker: Registered, sender: devices.Sender) -> bool:
        if broker.organization_id in (None, sender.organization_id):
            return True
        detail = "The device is of another organization than the broker."
        self._refuse("credentials", detail, broker, str(sender.device_id), sender)
        return False

    def may_publish(self, broker: Registered, guest: Guest, topic: str) -> bool:
        """Tell whether somebody may publish to a topic."""
        if guest.sender is None:
            return True
        own = topic.startswith(ABSOLUTE) and self._door.uplink(guest.sender, topic) is not None
        if not own:
            self._refuse("topic", "May not publish there.", broker, topic, guest.sender)
        return own

    def may_subscribe(self, broker: Registered, guest: Guest, topic_filter: str) -> bool:
        """Tell whether somebody may subscribe to a filter."""
        if guest.sender is None:
            return True
        # `+` in place of the device is for gateways at our own door, which hands them theirs only.
        own = (
            topic_filter.startswith(ABSOLUTE)
            and not topic_filter.startswith(f"{ABSOLUTE}+")
            and self._door.may_subscribe(guest.sender, topic_filter)
        )
        if not own:
            self._refuse("topic", "May not subscribe there.", broker, topic_filter, guest.sender)
        return own

    def _refuse(
        self, reason: str, detail: str, broker: Registered, hint: str, sender: devices.Sender
    ) -> None:
        refusal = ingest.Refusal(reason, detail, "mqtt", broker.name, hint[:_HINT], sender.number)
        self._door.refused(refusal)


def absolute(guest: Guest, topic: str) -> str:
    """Write out a topic or filter as it is at our own door, so that it names its device."""
    if guest.sender is None or not topic.startswith(_OWN) or topic.startswith(ABSOLUTE):
        return topic
    return f"{ABSOLUTE}{guest.sender.device_id}/{topic[len(_OWN) :]}"


def relative(guest: Guest, topic: str) -> str:
    """Give a topic of a device as it is called at our own door; the reverse of `absolute`."""
    if guest.sender is None:
        return topic
    named = f"{ABSOLUTE}{guest.sender.device_id}/"
    return _OWN + topic[len(named) :] if topic.startswith(named) else topic


def owns_client_id(client_id: str, sender: devices.Sender, name: str) -> bool:
    """Tell whether a client id is a device's own.

    A broker keeps sessions by client id alone, so whoever took another's would take its messages.
    """
    owners = (str(sender.device_id), name)
    return client_id in owners or client_id.startswith(tuple(f"{one}-" for one in owners))


def _may_be_called(said: SigningIn, sender: devices.Sender) -> bool:
    return not said.client_id or owns_client_id(said.client_id, sender, said.name)


def _shows_token(broker: Registered, password: str | None) -> bool:
    shown, now = secrets.digest(password or ""), datetime.now(UTC)
    return any(
        secrets.same(shown, digest) and (until is None or until > now)
        for digest, until in broker.digests
    )
