"""Real clients that number their messages and remember what was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence

import paho.mqtt.client as paho
from httpx2 import AsyncClient, HTTPError
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode as PahoCode

from installation import DeviceKey, Installation
from moorage_mqtt import V5, V311, Acknowledged, ClientConnection, Event, Limits, Session

# More under way than a connection carries by itself, so that a break always hits some.
UNDER_WAY = 30
RATE = 25.0


class Publisher:
    """A device that counts: message n carries the number n.

    Attributes:
        sent: how many numbers were given out, beginning with 1.
        acknowledged: the numbers the platform took responsibility for.
        once: whether each number is stored at most once: it is sent again under its own id, or
            marked as a repeat.
        binary: whether the body is the number in eight bytes, for a decoder.
    """

    once = True

    def __init__(self, where: Installation, device: DeviceKey, *, binary: bool = False) -> None:
        self.where = where
        self.device = device
        self.binary = binary
        self.sent = 0
        self.acknowledged: set[int] = set()

    def __str__(self) -> str:
        return f"{type(self).__name__} of {self.device.user_name or self.device.id}"

    def body(self, number: int) -> bytes:
        """Give the body of a message."""
        return number.to_bytes(8, "big") if self.binary else b'{"seq":%d}' % number

    async def run(self, stop: asyncio.Event, *, settle_s: float = 60.0) -> None:
        """Send until told to stop, then until everything sent is settled."""
        raise NotImplementedError


class Sessions(Publisher):
    """An MQTT client of our own that keeps its session over every loss of connection.

    The platform forgets sessions when its listener ends; what was under way is then sent anew, so
    each message has an id: a user property in MQTT 5, an item's `id` in 3.1.1.
    """

    def __init__(
        self,
        where: Installation,
        device: DeviceKey,
        version: int,
        qos: int,
        *,
        binary: bool = False,
    ) -> None:
        super().__init__(where, device, binary=binary)
        self.version = version
        self.qos = qos
        self.session = Session()
        self._settled = 0
        self._window = asyncio.Semaphore(UNDER_WAY)

    async def run(self, stop: asyncio.Event, *, settle_s: float = 60.0) -> None:
        """Send until told to stop, then until everything sent is settled."""
        deadline = None
        while not (stop.is_set() and self._settled == self.sent):
            if stop.is_set() and deadline is None:
                deadline = time.monotonic() + settle_s
            if deadline is not None and time.monotonic() > deadline:
                return
            with contextlib.suppress(OSError, EOFError):
                await self._connect(stop)
            await asyncio.sleep(0.1)

    async def _connect(self, stop: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.where.mqtt_port)
        core = ClientConnection(
            "counter",
            now=time.monotonic(),
            version=self.version,
            limits=Limits(send_maximum=UNDER_WAY),
            session=self.session,
            clean_start=False,
            username=self.device.user_name,
            password=self.device.secret.encode(),
            properties={"session_expiry_interval": 3600} if self.version == V5 else None,
        )
        sending = asyncio.create_task(self._send(core, writer, stop))
        try:
            writer.write(core.take())
            while not core.is_closed and not (stop.is_set() and self._settled == self.sent):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        if not (data := await reader.read(65_536)):
                            return
                        self._take(core.receive(data, time.monotonic()))
                        writer.write(core.take())
        finally:
            sending.cancel()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Acknowledged):
                self._settled += 1
                self._window.release()
                if event.reason_code < 0x80 and event.reference is not None:
                    self.acknowledged.add(int(event.reference))

    async def _send(
        self, core: ClientConnection, writer: asyncio.StreamWriter, stop: asyncio.Event
    ) -> None:
        while not stop.is_set():
            await asyncio.sleep(1 / RATE)
            if not core.is_open:
                continue
            await self._window.acquire()
            self.sent += 1
            number = self.sent
            body = self.body(number)
            properties = {}
            if self.version == V5:
                properties["user_property"] = [("id", f"m{number}")]
            else:
                body = json.dumps({"id": f"m{number}", "values": {"seq": number}}).encode()
            core.publish(
                "v1/up", body, now=time.monotonic(), qos=self.qos,
                properties=properties, reference=str(number),
            )  # fmt: skip
            writer.write(core.take())


class Paho(Publisher):
    """The widespread client, without message ids: it marks what it sends again with DUP.

    At QoS 2 it does so only with a clean session. With one that lasts it sends a message whose
    PUBREL is out once more as a new one, without DUP, when two attempts to connect fail
    (`_messages_reconnect_reset_out` in paho 2.2), which [MQTT-4.3.3-1] forbids and nobody can
    tell from a new message.
    """

    def __init__(
        self,
        where: Installation,
        device: DeviceKey,
        version: int,
        qos: int,
        *,
        binary: bool = False,
    ) -> None:
        super().__init__(where, device, binary=binary)
        self.qos = qos
        self._numbers: dict[int, int] = {}
        five = version == V5
        self._clean = qos == 2
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id="counter",
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            **({} if five else {"clean_session": self._clean}),
        )
        self._client.username_pw_set(device.user_name, device.secret)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(UNDER_WAY)
        self._client.on_publish = self._published

    def _published(
        self, _client: object, _data: object, mid: int, code: PahoCode, _more: PahoProperties
    ) -> None:
        if not code.is_failure:
            self.acknowledged.add(self._numbers[mid])

    async def run(self, stop: asyncio.Event, *, settle_s: float = 60.0) -> None:
        """Send until told to stop, then until everything sent is settled."""
        client = self._client
        # Of MQTT 5 only: `clean_start` is an error in 3.1.1.
        five = {"clean_start": self._clean} if client.protocol == paho.MQTTv5 else {}
        client.connect_async("127.0.0.1", self.where.mqtt_port, **five)
        client.loop_start()
        try:
            while not stop.is_set():
                await asyncio.sleep(1 / RATE)
                # Before CONNACK it would send new messages ahead of those to be repeated.
                full = self.sent - len(self.acknowledged) >= UNDER_WAY
                if full or not client.is_connected():
                    continue
                self.sent += 1
                # The answer may be quicker than `publish` tells its number, which counts from 1.
                self._numbers[self.sent] = self.sent
                told = client.publish("v1/up", self.body(self.sent), qos=self.qos)
                assert told.mid == self.sent
                assert told.rc in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN)
            deadline = time.monotonic() + settle_s
            while len(self.acknowledged) < self.sent and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
        finally:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)


class Http(Publisher):
    """A client of the HTTP door that tries each call again under its Idempotency-Key."""

    def __init__(
        self, where: Installation, device: DeviceKey, *, batch: int = 1, binary: bool = False
    ) -> None:
        super().__init__(where, device, binary=binary)
        self.batch = batch

    async def run(self, stop: asyncio.Event, *, settle_s: float = 60.0) -> None:
        """Send until told to stop; every call is repeated until it is answered with success."""
        async with AsyncClient(base_url=self.where.url, timeout=20) as client:
            while not stop.is_set():
                await asyncio.sleep(self.batch / RATE)
                first, self.sent = self.sent + 1, self.sent + self.batch
                numbers = range(first, self.sent + 1)
                deadline = None
                while deadline is None or time.monotonic() < deadline:
                    if await self._post(client, numbers):
                        self.acknowledged.update(numbers)
                        break
                    if stop.is_set() and deadline is None:
                        deadline = time.monotonic() + settle_s
                    await asyncio.sleep(0.2)

    async def _post(self, client: AsyncClient, numbers: range) -> bool:
        if self.batch == 1:
            body = self.body(numbers[0])
        else:
            body = json.dumps([{"values": {"seq": number}} for number in numbers]).encode()
        headers = {
            "Authorization": f"Bearer {self.device.secret}",
            "Content-Type": "application/octet-stream" if self.binary else "application/json",
            "Idempotency-Key": f"call-{numbers[0]}",
        }
        try:
            answer = await client.post("/ingest/v1/up", content=body, headers=headers)
        except HTTPError:
            return False
        assert answer.status_code in (202, 503), f"{answer.status_code}: {answer.text}"
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
        return answer.status_code == 202


def fleet(where: Installation, application_id: str, decoder_id: str) -> list[Publisher]:
    """Make a device for every way of sending that keeps its promise."""
    made = 0

    def device(*, named: bool, binary: bool) -> DeviceKey:
        nonlocal made
        made += 1
        return where.device(
            application_id,
            f"counter {made}",
            decoder_id=decoder_id if binary else None,
            user_name=f"counter-{application_id}-{made}" if named else "",
        )

    fleet: list[Publisher] = []
    for version in (V311, V5):
        for qos in (1, 2):
            binary = version == V5 and qos == 1
            key = device(named=True, binary=binary)
            fleet.append(Sessions(where, key, version, qos, binary=binary))
            binary = version == V311 and qos == 1
            fleet.append(
                Paho(where, device(named=True, binary=binary), version, qos, binary=binary)
            )
    fleet.append(Http(where, device(named=False, binary=False)))
    fleet.append(Http(where, device(named=False, binary=True), binary=True))
    fleet.append(Http(where, device(named=False, binary=False), batch=20))
    return fleet
