"""Who devices are: asked once, kept until a change is told of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from math import ceil
from typing import Any

from moorage import devices
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.decisions import AccessDenied, DecisionMissing
from moorage.kit.doorbell import Doorbells
from moorage.kit.secrets import digest, scram_decoy

from ..errors import CertificateRefused, SenderUnknown, TooManyAttempts
from ..ports import Credentials, Refusal, Service
from .allowance import Allowance
from .children import Children
from .claims import (
    CacheKey,
    InboxClaim,
    certificate_key,
    claims_of,
    first_meant,
    inbox_claims_of,
    inbox_key,
    is_meant,
    keys_of,
    still_valid,
)
from .gathering import Gathering
from .services import Services

# A door that has not heard of the database for this long takes no new connection.
CUT_OFF_S = 10.0
LONGEST_LOOK_UP_S = 8.0
Known = tuple[CacheKey, devices.Sender]
Ask = Callable[[Tx], Awaitable[Known | None]]
_KINDS = {"mqtt": devices.DeviceKind.MQTT, "http": devices.DeviceKind.HTTP}


class Senders:
    """The identities of one process's devices, and whom its gateways speak for.

    They are dropped as soon as the doorbell tells of a change.

    Args:
        database: where they are asked for.
        doorbells: tell of changes.
        services: recognises who shows an API key.
        refused: is told of wrong credentials.
        appeared: is called when commands may have found their device.
        cut: is given whose connections must end.
        decoy_key: makes what names that nobody has are answered with.
    """

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        services: Services,
        *,
        refused: Callable[[Refusal], None],
        appeared: Callable[[], None],
        cut: Callable[[Sequence[int]], None],
        decoy_key: bytes,
    ) -> None:
        self._database = database
        self._decoy_key = decoy_key
        self._doorbells = doorbells
        self._refused, self._appeared, self._cut = refused, appeared, cut
        self._senders: dict[CacheKey, devices.Sender] = {}
        self._children = Children()
        self._services = services
        self._holders = Gathering(self._ask_many, LONGEST_LOOK_UP_S)
        self._attempts = Allowance(rate=20, burst=200)
        self.newcomers = Allowance(rate=1, burst=30)
        self.by_number: dict[int, devices.Sender] = {}
        # Set from the start: no identity is cached before it is known where changes begin.
        self._changed = asyncio.Event()
        self._changed.set()
        self._mark: int | None = None
        self._turn = 0
        doorbells.on("moorage_devices", lambda _payload: self._changed.set())

    async def identify_service(self, credentials: Credentials, secret: str) -> Service:
        """Recognise a service by its API key. Raises as `identify`."""
        self._require_database()
        self._limit_attempts(credentials)
        try:
            async with asyncio.timeout(LONGEST_LOOK_UP_S):
                service = await self._services.identify(secret, credentials)
        except (TimeoutError, DecisionMissing) as late:
            raise DatabaseUnavailable from late
        except AccessDenied as denied:
            self._refuse(credentials, str(denied))
            raise SenderUnknown from denied
        if service is None:
            self._attempts.take(credentials.address)
            self._refuse(credentials, "Nobody has this API key.")
            raise SenderUnknown
        return service

    def _require_database(self) -> None:
        if self._doorbells.cut_off_s > CUT_OFF_S:
            raise DatabaseUnavailable

    def _limit_attempts(self, credentials: Credentials) -> None:
        """Refuse an address that guesses. Raises TooManyAttempts.

        Only failures count: many devices may share an address and all come back at once.
        """
        if wait_s := self._attempts.wait_s(credentials.address):
            self._refuse(credentials, "Too many attempts from this address.")
            raise TooManyAttempts(retry_after_s=ceil(wait_s))

    async def identify(self, credentials: Credentials) -> devices.Sender:
        """Recognise a device.

        Raises:
            SenderUnknown: nobody we know.
            CertificateRefused: the client's certificate lets nobody in.
            TooManyAttempts: too many wrong credentials came from this address.
            DatabaseUnavailable: it cannot be told just now.
        """
        self._require_database()
        for key in keys_of(credentials):
            known = self._senders.get(key)
            if known is not None and still_valid(known) and is_meant(credentials, key, known):
                return known
        self._limit_attempts(credentials)
        called = credentials.username, credentials.client_id, credentials.dev_eui
        # No name in the database holds a NUL, and none can be looked for.
        nameless = any("\0" in name for name in called if name)
        sender = None if nameless else await self._find(credentials)
        if sender is None:
            self.disproved(credentials)
            raise SenderUnknown
        return self._require_sending(credentials, sender)

    def _require_sending(self, credentials: Credentials, sender: devices.Sender) -> devices.Sender:
        """Give a sender that its state lets in. Raises SenderUnknown."""
        if not sender.may_send:
            detail = f"The device is {sender.state.value}; set it to active to let it in."
            self._refuse(credentials, detail, sender.number)
            raise SenderUnknown
        return sender

    async def proof(self, credentials: Credentials, user_name: str) -> devices.Proof:
        """Give what the password of a user name is proved by. Raises as `Host.proof`."""
        self._require_database()
        self._limit_attempts(credentials)
        found = None
        if "\0" not in user_name:
            try:
                async with asyncio.timeout(LONGEST_LOOK_UP_S), self._database.begin() as tx:
                    found = await devices.find_proof(tx, user_name)
            except TimeoutError as late:
                raise DatabaseUnavailable from late
        decoy = scram_decoy(self._decoy_key, user_name)
        return found or devices.Proof(user_name, None, 0, decoy)

    async def proved(self, credentials: Credentials, proof: devices.Proof) -> devices.Sender:
        """Recognise the device whose password was proved. Raises as `Host.proved`."""
        self._require_database()

        async def ask(tx: Tx) -> Known | None:
            found = await devices.find_named(tx, proof.user_name)
            if found is None or found.credential_id != proof.credential_id:
                return None
            if found.version != proof.version:
                return None
            return ("proved", proof.user_name, digest(str(proof.credential_id))), found

        sender = await self._look_up(ask)
        if sender is None:
            self.disproved(credentials)
            raise SenderUnknown
        return self._require_sending(credentials, sender)

    def disproved(self, credentials: Credentials) -> None:
        """Count and list that a client did not prove the password."""
        self._attempts.take(credentials.address)
        self._refuse(credentials, "No device has these credentials.")

    async def named(self, name: str, *, certified: bool = False) -> devices.Sender | None:
        """Give whom a name belongs to, as `devices.find_named`; None if he may not send.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        self._require_database()
        key = ("certified" if certified else "named"), None, digest(name)
        known = self._senders.get(key)
        if known is not None and still_valid(known):
            return known
        if "\0" in name:
            return None

        async def ask(tx: Tx) -> Known | None:
            found = await devices.find_named(tx, name, certified=certified)
            return None if found is None else (key, found)

        sender = await self._look_up(ask)
        return sender if sender is not None and sender.may_send else None

    async def numbered(self, number: int) -> devices.Sender | None:
        """Give a device by its number, as it is now. Raises as `Host.sender_of`."""
        self._require_database()

        async def ask(tx: Tx) -> Known | None:
            found = await devices.find_numbered(tx, number)
            return None if found is None else (("numbered", None, digest(str(number))), found)

        sender = await self._look_up(ask)
        return sender if sender is not None and sender.may_send else None

    async def _find(self, credentials: Credentials) -> devices.Sender | None:
        """Find a sender by a secret of its own, else by its certificate or an inbox key."""
        sender = await self._holders.ask(credentials) if claims_of(credentials) else None
        if sender is None and (certificate_key(credentials) or inbox_claims_of(credentials)):
            sender = await self._look_up(partial(self._ask, credentials))
        return sender

    async def _look_up(self, ask: Ask) -> devices.Sender | None:
        """Find a sender.

        A database that hangs cannot be asked to let go, so the question is left behind.
        """
        asked = asyncio.ensure_future(self._ask_until_settled(ask))
        done, _ = await asyncio.wait([asked], timeout=LONGEST_LOOK_UP_S)
        if not done:
            asked.add_done_callback(_ignore)
            raise DatabaseUnavailable
        return asked.result()

    async def _ask_until_settled(self, ask: Ask) -> devices.Sender | None:
        async def ask_one(tx: Tx) -> Sequence[Known | None]:
            return [await ask(tx)]

        return (await self._settled(ask_one, self._database.begin))[0]

    async def _ask_many(self, asked: Sequence[Credentials]) -> Sequence[devices.Sender | None]:
        """Find whom the secrets of many belong to."""

        async def ask(tx: Tx) -> Sequence[Known | None]:
            claims = {claim for credentials in asked for claim in claims_of(credentials)}
            held = await devices.find_senders(tx, claims)
            return [first_meant(credentials, held) for credentials in asked]

        return await self._settled(ask, self._database.each)

    async def _settled(
        self,
        ask: Callable[[Tx], Awaitable[Sequence[Known | None]]],
        begin: Callable[[], AbstractAsyncContextManager[Tx]],
    ) -> Sequence[devices.Sender | None]:
        """Find senders, with what they may do, and remember them."""
        while True:
            turn = self._turn
            async with begin() as tx:
                asked = await ask(tx)
                found = dict(one for one in asked if one is not None)
                whole = await devices.with_topics(tx, found.values())
                children = [await devices.children_of(tx, one) for one in whole]
            # A change that was told of meanwhile may have made this answer old: ask again.
            if turn == self._turn and (self._mark is None or not self._changed.is_set()):
                senders = dict(zip(found, whole, strict=True))
                for (key, sender), own in zip(senders.items(), children, strict=True):
                    self._remember(key, sender, own)
                return [None if one is None else senders[one[0]] for one in asked]
            await asyncio.sleep(0.01)

    def _remember(
        self, key: CacheKey, sender: devices.Sender, children: Mapping[str, devices.Sender]
    ) -> devices.Sender:
        """Keep who a sender is until a change is told of."""
        self.by_number[sender.number] = sender
        if sender.may_send and self._mark is not None:
            self._senders[key] = sender
        if sender.may_send and sender.is_gateway:
            self._put_children(sender, children)
        return sender

    def _put_children(
        self, gateway: devices.Sender, children: Mapping[str, devices.Sender]
    ) -> bool:
        """Take up who stands behind a gateway; tell whether somebody stands there no more."""
        for child in children.values():
            self.by_number[child.number] = child
        self._appeared()
        return self._children.put(gateway, children)

    async def _ask(self, credentials: Credentials, tx: Tx) -> Known | None:
        if (certified := certificate_key(credentials)) is not None:
            return certified, await self._certified(tx, credentials)
        for claimed in inbox_claims_of(credentials):
            if (inbox := await devices.find_inbox(tx, claimed[0])) is not None:
                sender = await self._arrive(tx, inbox, claimed, credentials)
                return inbox_key(claimed), sender
        return None

    async def _certified(self, tx: Tx, credentials: Credentials) -> devices.Sender:
        """Let somebody in by his certificate. Raises CertificateRefused."""
        found = await devices.find_certified(tx, credentials.certificate)
        if found.sender is not None and not found.refusal:
            return found.sender
        self._attempts.take(credentials.address)
        refused = CertificateRefused(reason=found.refusal)
        if found.sender is not None:
            self.by_number[found.sender.number] = found.sender
        number = None if found.sender is None else found.sender.number
        self._refuse(credentials, str(refused), number)
        raise refused

    async def _arrive(
        self, tx: Tx, inbox: devices.Inbox, claim: InboxClaim, credentials: Credentials
    ) -> devices.Sender:
        """Let somebody in by an inbox key. Raises SenderUnknown."""
        _secret, called, name = claim
        kind = _KINDS.get(credentials.protocol, devices.DeviceKind.OTHER)
        if called == devices.DEV_EUI:
            kind = devices.DeviceKind.LORAWAN

        def may_add() -> bool:
            return self.newcomers.take(inbox.application_id) == 0

        try:
            return await devices.arrive(tx, inbox, name, kind, may_add, called=called)
        except devices.InboxRefuses as refused:
            self._refuse(credentials, str(refused))
            raise SenderUnknown from refused

    def _refuse(self, credentials: Credentials, detail: str, device: int | None = None) -> None:
        # A user name without a password may be a token: it is not shown.
        hint = credentials.username if credentials.password else None
        hint = (hint or credentials.client_id or credentials.dev_eui)[:64]
        protocol, address = credentials.protocol, credentials.address
        self._refused(Refusal("credentials", detail, protocol, address, hint, device))

    def speaker(self, sender: devices.Sender, name: str) -> devices.Sender | None:
        """Give the device of a name, an id or a devEui, that the sender may speak for.

        A device may speak for itself by its id, a gateway for those behind it as well.
        """
        if name == str(sender.device_id):
            return sender
        return self._children.of(sender.number).get(name) if sender.is_gateway else None

    def children(self, sender: devices.Sender) -> Mapping[str, devices.Sender]:
        """Give whom the sender may speak for besides itself; the same value till it changes."""
        return self._children.of(sender.number)

    def gateway_of(self, child: int) -> int | None:
        """Give the gateway that speaks for a device here."""
        return self._children.gateway_of(child)

    # --- Changes --------------------------------------------------------------

    async def follow_changes(self) -> None:
        """Forget and cut off senders that changed, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._database.begin() as tx:
                    changes = await devices.senders_changed(tx, self._mark)
                    parents = await self._parents(tx, changes.numbers)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                self._changed.set()
                continue
            is_first, self._mark = self._mark is None, changes.next
            self._turn += 1
            changed = set(changes.numbers)
            if changed:
                for key, sender in list(self._senders.items()):
                    if sender.number in changed:
                        del self._senders[key]
                self._children.forget(changed)
                self._cut(list(changed))
            if is_first:
                # Who signed in before it was known where changes begin.
                await self._renew_children(self._children.gateways())
            elif changed:
                await self._renew_children(self._children.touched(changed, parents))

    async def _parents(self, tx: Tx, changed: Sequence[int]) -> Sequence[int]:
        """Find which gateways may have new children, if any gateway is here."""
        if not changed or not self._children.gateways():
            return ()
        return await devices.gateways_of(tx, changed)

    async def _renew_children(self, gateways: Sequence[devices.Sender]) -> None:
        """Read anew who stands behind gateways; those that have lost somebody are cut."""
        while gateways:
            try:
                async with self._database.begin() as tx:
                    found = [await devices.children_of(tx, gateway) for gateway in gateways]
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                continue
            pairs = zip(gateways, found, strict=True)
            lost = [gateway.number for gateway, own in pairs if self._put_children(gateway, own)]
            if lost:
                self._cut(lost)
            return


def _ignore(asked: asyncio.Future[Any]) -> None:
    """Take the error of a question that nobody waits for any more."""
    if not asked.cancelled():
        asked.exception()
