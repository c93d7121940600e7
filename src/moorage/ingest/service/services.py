"""Programs of people and organisations at a door: who they are, and what they ask of devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Annotated, Any
from uuid import UUID

import msgspec

from moorage import devices, groups, oauth, operations, users
from moorage.kit.caller import Caller
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.organizations import Permission

from ..errors import CommandMalformed, TopicRefused
from ..ports import Credentials, Service
from . import topics

# Facts after which somebody may hold other rights.
_ABOUT_RIGHTS = (
    "users.api_key", "users.changed", "users.erased", "oauth.client_changed",
    "oauth.client_removed", "oauth.access_ended", "organizations.permission",
    "groups.application", "devices.moved",
)  # fmt: skip
_TRY_AGAIN_S = 0.5
_CLOCKS_APART_S = 0.3


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A command as a service writes it."""

    code: Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
    payload: Any = None
    port: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None


_read = msgspec.json.Decoder(_Asked).decode


def secret_of(credentials: Credentials) -> str | None:
    """Find an API key or access token in what somebody shows: as password, or user name alone."""
    password = (credentials.password or b"").decode("utf-8", "replace")
    secret = password or credentials.username or ""
    is_ours = secret.startswith(users.API_KEY_PREFIX) or oauth.is_token(secret)
    return secret if is_ours else None


class Services:
    """The services that are connected to one process's doors, with their rights as they are now.

    Args:
        database: where they are asked for.
        doorbells: tell of changes.
        cut: is given whose connections must end.
    """

    def __init__(
        self, database: Database, doorbells: Doorbells, cut: Callable[[Sequence[int]], None]
    ) -> None:
        self._database = database
        self._cut = cut
        self._known: dict[UUID, Service] = {}
        self._numbers = count(-1, -1)
        self._changed = asyncio.Event()
        self._turn = 0
        doorbells.on(FACTS_CHANNEL, self._ring)

    def _ring(self, names: str) -> None:
        # After a reconnect it rings without a name.
        if not names or any(word in names for word in _ABOUT_RIGHTS):
            self._turn += 1
            self._changed.set()

    async def identify(self, secret: str, address: str) -> Service | None:
        """Recognise a service; None if nobody has this secret. Raises DatabaseUnavailable."""
        while True:
            turn = self._turn
            async with self._database.begin() as tx:
                try:
                    caller = await oauth.identify_secret(tx, secret, address)
                except users.CredentialsWrong:
                    return None
                found = await _service(tx, caller)
            if turn == self._turn:  # Else its rights may be others by now.
                known = self._known.get(_name_of(caller))
                number = next(self._numbers) if known is None else known.number
                service = self._known[_name_of(caller)] = replace(found, number=number)
                return service

    def now(self, service: Service) -> Service:
        """Give a service with its rights as they are now."""
        return self._known.get(_name_of(service.caller), replace(service, **_NOTHING))

    async def follow_changes(self) -> None:
        """Read rights anew when they may have changed, until cancelled; who lost some is cut."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_next_end_s()):
                    await self._changed.wait()
            self._changed.clear()
            if not self._known:
                continue
            try:
                async with self._database.begin() as tx:
                    found = {name: await _again(tx, one) for name, one in self._known.items()}
            except DatabaseUnavailable:
                await asyncio.sleep(_TRY_AGAIN_S)
                self._changed.set()
                continue
            lost = []
            for name, now in found.items():
                before = self._known[name]
                if now is None:
                    del self._known[name]
                else:
                    self._known[name] = now
                if now is None or _has_lost(before, now):
                    lost.append(before.number)
            if lost:
                self._cut(lost)

    def _until_next_end_s(self) -> float | None:
        """Tell when the next key ends; one whose end was brought forward is cut by nobody else."""
        now = datetime.now(UTC)
        ends = [s.valid_until for s in self._known.values() if s.valid_until]
        left = [(end - now).total_seconds() for end in ends if end > now]
        return min(left) + _CLOCKS_APART_S if left else None

    async def ask(self, service: Service, topic: str, payload: bytes) -> None:
        """Ask something of a device. Raises as `Host.ask`."""
        found = topics.commanded(topic)
        if found is None or found[0] not in self.now(service).operates:
            raise TopicRefused(topic=topic)
        asked = _asked(payload)
        application_id, device_id = found
        new = operations.NewOperation(asked.code, asked.payload, port=asked.port)
        async with self._database.begin(service.caller) as tx:
            caller = await oauth.recognise_again(tx, service.caller)
            if caller is None:
                raise TopicRefused(topic=topic)
            try:
                device = await devices.get(tx, caller, device_id)
            except devices.DeviceUnknown as unknown:
                raise TopicRefused(topic=topic) from unknown
            if device.application_id != application_id:
                raise TopicRefused(topic=topic)
            await operations.issue(tx, caller, device_id, new)


_NOTHING: dict[str, Any] = {"reads": frozenset(), "operates": frozenset(), "is_operator": False}


def _asked(payload: bytes) -> _Asked:
    """Read a command. Raises CommandMalformed."""
    if b"\\u0000" in payload:
        raise CommandMalformed(reason="it has U+0000, which cannot be kept")
    try:
        return _read(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise CommandMalformed(reason=str(wrong)) from wrong


def _name_of(caller: Caller) -> UUID:
    """Name a service; what acts in somebody's name is not everything they allowed."""
    return caller.authorization_id or caller.id


def _has_lost(before: Service, now: Service) -> bool:
    """Tell whether it may do less than before."""
    less = before.reads - now.reads or before.operates - now.operates
    return bool(less) or before.is_operator > now.is_operator


async def _again(tx: Tx, service: Service) -> Service | None:
    caller = await oauth.recognise_again(tx, service.caller)
    return None if caller is None else replace(await _service(tx, caller), number=service.number)


async def _service(tx: Tx, caller: Caller) -> Service:
    reads = await groups.ids_within(tx, caller.reach(Permission.READ_MESSAGES))
    operates = await groups.ids_within(tx, caller.reach(Permission.OPERATE_DEVICES))
    is_operator = caller.may(Permission.MANAGE_INSTALLATION, None)
    return Service(0, caller, reads, operates, caller.expires_at, is_operator)
