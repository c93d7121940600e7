"""NATS servers ask over a connection of ours who signs in; the answer holds all that he may.

Source: NATS documentation, "Auth Callout" and "MQTT" (topics and subjects, permissions).
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime
from typing import Any
from uuid import UUID

import nats
import structlog
from nats.aio.msg import Msg

from moorage import devices, ingest
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer

from .. import store
from ..model import Callout
from . import signing
from .guard import Guard, Guest, SigningIn
from .nats import ACCOUNT, ASKED, connected

log = structlog.get_logger()

SUBJECT = "$SYS.REQ.USER.AUTH"
# All processes share the questions.
_GROUP = "moorage"
LONGEST_PAUSE_S = 30.0
LOOK_EVERY_S = 5.0
# What MQTT at QoS 1 takes of a client itself.
_MQTT = ("$MQTT.sub.>",)


class Callouts:
    """Answers every NATS server that is registered, until cancelled."""

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        door: ingest.Door,
        guard: Guard,
        sealer: Sealer,
        network: Outbound,
    ) -> None:
        self._database, self._door, self._guard = database, door, guard
        self._sealer, self._network = sealer, network
        self._running: dict[UUID, tuple[datetime, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        doorbells.on(FACTS_CHANNEL, self._facts)

    def _facts(self, names: str) -> None:
        if not names or any(name.startswith("brokers.") for name in names.split(",")):
            self._changed.set()

    async def run(self) -> None:
        """Hold a connection to each server."""
        try:
            while True:
                self._changed.clear()
                try:
                    async with self._database.begin() as tx:
                        wanted = {one.broker.id: one for one in await store.callouts(tx)}
                    self._share(wanted)
                except DatabaseUnavailable:
                    await asyncio.sleep(1)
                    continue
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            for _at, task in self._running.values():
                task.cancel()
            await asyncio.gather(
                *(task for _at, task in self._running.values()), return_exceptions=True
            )

    def _share(self, wanted: dict[UUID, Callout]) -> None:
        for broker_id, (updated_at, task) in list(self._running.items()):
            one = wanted.get(broker_id)
            if one is None or one.updated_at != updated_at or task.done():
                task.cancel()
                del self._running[broker_id]
        for broker_id, one in wanted.items():
            if broker_id not in self._running:
                task = asyncio.create_task(self._hold(one), name=f"callout-{broker_id}")
                self._running[broker_id] = one.updated_at, task

    async def _hold(self, callout: Callout) -> None:
        """Be asked by one server; comes back after each loss."""
        failures = 0
        while True:
            try:
                secret = signing.opened(self._sealer, callout.broker.id, callout.sealed_secrets)
                answering = _Answering(callout, self._guard, self._door, signing.Signer(secret))
                await self._connection(callout, secret.token, answering)
                failures = 0
            except (MoorageError, OSError, nats.errors.Error, TimeoutError) as lost:
                if not failures:
                    words = {"broker_id": callout.broker.id, "error": str(lost) or repr(lost)}
                    log.warning("callout_failing", **words)
                failures += 1
            most = min(LONGEST_PAUSE_S, 2.0 ** min(failures, 5) / 2)
            await asyncio.sleep(random.uniform(most / 2, most))  # noqa: S311

    async def _connection(self, callout: Callout, token: str, answering: _Answering) -> None:
        async with connected(self._network, callout.url, ASKED, token) as (client, closed):
            await client.subscribe(SUBJECT, queue=_GROUP, cb=answering.asked)
            log.info("callout_connected", broker_id=callout.broker.id)
            await closed.wait()


class _Answering:
    """Answers the questions of one server."""

    def __init__(
        self, callout: Callout, guard: Guard, door: ingest.Door, signer: signing.Signer
    ) -> None:
        self._broker = callout.broker
        self._guard, self._door, self._signer = guard, door, signer

    async def asked(self, message: Msg) -> None:
        """Answer one question."""
        try:
            claims = signing.read_claims(message.data)
            asked, server = claims["nats"], claims["nats"]["server_id"]["id"]
            user = str(asked["user_nkey"])
            said = asked["connect_opts"]
            client_id = str(asked.get("client_info", {}).get("mqtt_id", ""))
            name, password = str(said.get("user", "")), str(said.get("pass", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # Whoever asks so is no server, and waits in vain.
        address = str(asked.get("client_info", {}).get("host", ""))
        try:
            guest = await self._guard.sign_in(
                self._broker, SigningIn(name, password, client_id, address)
            )
        except DatabaseUnavailable:
            guest = None
        if guest is None:
            answer = {"error": "not authorized"}
        else:
            answer = {"jwt": self._user(user, name, guest)}
        answer["type"] = "authorization_response"
        await message.respond(self._signer.sign(user, str(server), answer).encode())

    def _user(self, user: str, name: str, guest: Guest) -> str:
        """Write what a client may, for as long as its credential is valid."""
        claims = {**permissions(guest.sender, self._door), "type": "user"}
        claims |= {"subs": -1, "data": -1, "payload": -1}
        more: dict[str, Any] = {
            "name": name if guest.sender is None else str(guest.sender.device_id)
        }
        if guest.sender is not None and guest.sender.valid_until is not None:
            more["exp"] = int(guest.sender.valid_until.timestamp())
        return self._signer.sign(user, ACCOUNT, claims, **more)


def permissions(sender: devices.Sender | None, door: ingest.Door) -> dict[str, Any]:
    """Give the subjects that somebody may publish and subscribe to; None is the platform itself."""
    if sender is None:
        return {"pub": {"allow": [">"]}, "sub": {"allow": [">"]}}
    names = [str(sender.device_id)]
    if sender.is_gateway:
        names += [str(child.device_id) for child in door.children(sender).values()]
    named = list(dict.fromkeys(names))
    published = [s for name in named for topic in ingest.PUBLISHED for s in subjects(name, topic)]
    heard = [s for name in named for topic in ingest.SUBSCRIBED for s in subjects(name, topic)]
    return {"pub": {"allow": published}, "sub": {"allow": [*heard, *_MQTT]}}


def subjects(device: str, topic_filter: str) -> list[str]:
    """Give the subjects of a filter of our own door; `a/#` matches `a` too, as in MQTT."""
    full = f"v1.devices.{device}." + topic_filter.removeprefix("v1/").replace("/", ".")
    full = full.replace("+", "*")
    if full.endswith(".#"):
        return [full[:-2], full[:-1] + ">"]
    return [full]
