"""Programs of people and organisations at a door: who they are, and what they ask of devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import compress, count
from typing import Annotated, Any
from uuid import UUID

import msgspec

from moorage import devices, groups, oauth, operations, users
from moorage.kit.caller import Caller
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable, Tx
from moorage.kit.decisions import (
    OURS,
    RESOURCE_ID,
    AccessDenied,
    DecisionMissing,
    DecisionPoint,
    Question,
    subject_of,
)
from moorage.kit.doorbell import Doorbells
from moorage.organizations import Permission

from ..errors import CommandMalformed, TopicRefused
from ..ports import Credentials, Service
from . import topics

# Facts after which somebody may hold other rights.
_ABOUT_RIGHTS = (
    "users.api_key", "users.changed", "users.erased", "oauth.client_changed",
    "oauth.client_removed", "oauth.access_ended", "organizations.permission",
    "groups.application", "devices.moved", "devices.owner_changed", "devices.authority_removed",
    "devices.revocation_list_changed",
)  # fmt: skip
_TRY_AGAIN_S = 0.5
_CLOCKS_APART_S = 0.3
# How often at most the policy decision point is asked about who is connected, and about how many
# applications of one of them; what goes beyond is not permitted.
_ASKED_EVERY_S = 1.0
_MOST_ASKED = 500


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
        decisions: permits connecting, reading each application and each command, besides the
            rights; None asks nobody.
    """

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        cut: Callable[[Sequence[int]], None],
        decisions: DecisionPoint | None = None,
    ) -> None:
        self._database = database
        self._cut = cut
        self._decisions = decisions
        self._known: dict[UUID, Service] = {}
        # The certificates that each has shown beside its token.
        self._beside: dict[UUID, set[oauth.ShownCertificate]] = {}
        self._numbers = count(-1, -1)
        self._changed = asyncio.Event()
        self._turn = 0
        doorbells.on(FACTS_CHANNEL, self._ring)

    def _ring(self, names: str) -> None:
        # After a reconnect it rings without a name.
        if not names or any(word in names for word in _ABOUT_RIGHTS):
            self._turn += 1
            self._changed.set()

    async def identify(self, secret: str, shown: Credentials) -> Service | None:
        """Recognise a service; None if nobody has this secret, or not beside what else is shown.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
            AccessDenied, DecisionMissing: as the policy decision point has it.
        """
        certificate = None
        if shown.certificate:
            certificate = oauth.shown_certificate(shown.certificate, devices.why_not_vouched)
        while True:
            turn = self._turn
            async with self._database.begin() as tx:
                try:
                    caller = await oauth.identify_secret(tx, secret, shown.address, certificate)
                except users.CredentialsWrong:
                    return None
                found = await _service(tx, caller)
            found = await self._permitted(found)
            if self._decisions is not None:
                self._changed.set()  # It is asked again and again from now on.
            if turn == self._turn:  # Else its rights may be others by now.
                known = self._known.get(_name_of(caller))
                number = next(self._numbers) if known is None else known.number
                if certificate is not None:
                    self._beside.setdefault(_name_of(caller), set()).add(certificate)
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
                    found = {
                        name: await self._again(tx, one) for name, one in list(self._known.items())
                    }
            except DatabaseUnavailable:
                await asyncio.sleep(_TRY_AGAIN_S)
                self._changed.set()
                continue
            found = {name: await self._still_permitted(now) for name, now in found.items()}
            lost = []
            for name, now in found.items():
                before = self._known[name]
                if now is None:
                    del self._known[name]
                    self._beside.pop(name, None)
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
        left = [(end - now).total_seconds() + _CLOCKS_APART_S for end in ends if end > now]
        if self._decisions is not None and self._known:
            left.append(max(_ASKED_EVERY_S, self._decisions.keep_s))
        return min(left) if left else None

    async def _recognise_again(self, tx: Tx, service: Service) -> Caller | None:
        held = self._beside.get(_name_of(service.caller), ())
        return await oauth.recognise_again(tx, service.caller, held)

    async def _again(self, tx: Tx, service: Service) -> Service | None:
        if (caller := await self._recognise_again(tx, service)) is None:
            return None
        return replace(await _service(tx, caller), number=service.number)

    # --- What the policy decision point permits -------------------------------

    async def _permitted(self, service: Service) -> Service:
        """Leave out what is not permitted. Raises AccessDenied, DecisionMissing."""
        if self._decisions is None:
            return service
        await self._decisions.require(_question(service.caller, "connect"))
        asked = sorted(service.reads)[:_MOST_ASKED]
        told = [("application-id", str(application_id)) for application_id in asked]
        questions = [_question(service.caller, "subscribe", one) for one in told]
        permitted = await asyncio.gather(*map(self._decisions.permits, questions))
        own = sorted(service.reads_own)[: _MOST_ASKED - len(asked)]
        of_own = (_told(*one) for one in own)
        questions = [_question(service.caller, "subscribe", *one) for one in of_own]
        permitted_own = await asyncio.gather(*map(self._decisions.permits, questions))
        return replace(
            service,
            reads=frozenset(compress(asked, permitted)),
            reads_own=frozenset(compress(own, permitted_own)),
        )

    async def _still_permitted(self, service: Service | None) -> Service | None:
        """Leave out what is no longer permitted; None if that is being there at all."""
        try:
            return None if service is None else await self._permitted(service)
        except (AccessDenied, DecisionMissing):
            return None

    async def ask(self, service: Service, topic: str, payload: bytes) -> None:
        """Ask something of a device. Raises as `Host.ask`."""
        found = topics.commanded(topic)
        now = self.now(service)
        if found is None or (found[0] not in now.operates and found not in now.operates_own):
            raise TopicRefused(topic=topic)
        asked = _asked(payload)
        application_id, device_id = found
        if self._decisions is not None:
            question = _question(service.caller, "command", *_told(application_id, device_id))
            try:
                await self._decisions.require(question)
            except AccessDenied as denied:
                raise TopicRefused(topic=topic) from denied
        new = operations.NewOperation(asked.code, asked.payload, port=asked.port)
        async with self._database.begin(service.caller) as tx:
            caller = await self._recognise_again(tx, service)
            if caller is None:
                raise TopicRefused(topic=topic)
            try:
                device = await devices.get(tx, caller, device_id)
            except devices.DeviceUnknown as unknown:
                raise TopicRefused(topic=topic) from unknown
            if device.application_id != application_id:
                raise TopicRefused(topic=topic)
            await operations.issue(tx, caller, device_id, new)


def _question(caller: Caller, action: str, *resource: tuple[str, str]) -> Question:
    """Ask about something at the MQTT door, where resources have the names they have over HTTP."""
    told = ((f"{OURS}resource:{name}", text) for name, text in resource)
    address = ((f"{OURS}environment:address", caller.origin),) if caller.origin else ()
    return Question(subject_of(caller), action, ((RESOURCE_ID, "mqtt"), *told), address)


def _told(application_id: UUID, device_id: UUID) -> tuple[tuple[str, str], tuple[str, str]]:
    """Name a device to the policy decision point."""
    return ("application-id", str(application_id)), ("device-id", str(device_id))


_NOTHING: dict[str, Any] = {
    "reads": frozenset(), "operates": frozenset(), "reads_own": frozenset(),
    "operates_own": frozenset(), "is_operator": False,
}  # fmt: skip


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
    less_own = before.reads_own - now.reads_own or before.operates_own - now.operates_own
    return bool(less or less_own) or before.is_operator > now.is_operator


async def _service(tx: Tx, caller: Caller) -> Service:
    reads = await groups.ids_within(tx, caller.reach(Permission.READ_MESSAGES))
    operates = await groups.ids_within(tx, caller.reach(Permission.OPERATE_DEVICES))
    reads_own = await devices.places_of_own(tx, caller, Permission.READ_MESSAGES)
    operates_own = await devices.places_of_own(tx, caller, Permission.OPERATE_DEVICES)
    is_operator = caller.may(Permission.MANAGE_INSTALLATION, None)
    return Service(
        0, caller, reads, operates, reads_own, operates_own, caller.expires_at, is_operator
    )
