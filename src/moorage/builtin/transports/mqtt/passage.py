"""The way of messages up: to the ledger, all of one turn together, then to those who subscribe."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from moorage.plugin import RawMessage, Refusal, Shown, Uplink
from moorage_mqtt import Properties, Publish, ReasonCode, outgoing

from .line import Line
from .sessions import SERVICES, Handed, Kept, Mark

if TYPE_CHECKING:
    from .door import Door

_MOST_HOPS = 16


class Passage:
    """What one door takes in, on its way."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._host = door.host
        self._broker = door.broker
        self._keeper = door.keeper
        # Messages of this turn of the event loop, and where each came from.
        self._messages: list[RawMessage] = []
        self._sources: list[tuple[Line | None, int]] = []
        # Those of them that somebody subscribes to.
        self._routes: list[tuple[Kept, Publish, Uplink]] = []
        self._wills: list[tuple[Kept, Publish]] = []  # Those of them that are wills.
        self.committing = 0
        """How many turns are on their way to the ledger."""

    def put(self, message: RawMessage, link: Line | None, packet_id: int) -> None:
        """Gather a message; all of one turn of the event loop go to the ledger together."""
        if not self._messages:
            self._door.loop.call_soon(self.hand_in)
        self._messages.append(message)
        self._sources.append((link, packet_id))

    def put_will(self, kept: Kept, publish: Publish, messages: Sequence[RawMessage]) -> None:
        """Gather a will; `Wills.settled` learns whether it is stored."""
        for message in messages:
            self.put(message, None, 0)
        self._wills.append((kept, publish))

    def hand_in(self) -> None:
        """Send to the ledger what was gathered."""
        messages, sources, routes = self._messages, self._sources, self._routes
        if not messages:
            return
        self._messages, self._sources, self._routes = [], [], []
        wills = self._wills
        if wills:
            self._wills = []
        self.committing += 1
        self._host.accept(messages, partial(self._committed, sources, routes, wills))

    def _committed(
        self,
        sources: list[tuple[Line | None, int]],
        routes: list[tuple[Kept, Publish, Uplink]],
        wills: list[tuple[Kept, Publish]],
        error: Exception | None,
    ) -> None:
        if error is None and routes:
            self._route(routes)
        for kept, will in wills:
            self._door.wills.settled(kept, will, error)
        for kept, _, _ in routes:
            self._keeper.unpin(kept.number)
        if error is None and routes and self._keeper.has_changes:
            # Who sent it may forget it only when those who wait for it can no longer miss it.
            self._keeper.then(partial(self._acknowledge, sources))
            return
        self._acknowledge(sources, error)

    def _route(self, routes: Sequence[tuple[Kept, Publish, Uplink]]) -> None:
        for kept, publish, uplink in routes:
            code = self._publish(kept, publish, uplink)
            is_own = uplink.space is None
            if is_own and publish.retain and code != ReasonCode.QUOTA_EXCEEDED:
                self._keeper.retained(kept.number, publish)
        self._door.send()
        for kept, publish, _ in routes:
            self._note_taken(kept, publish)

    def _publish(self, kept: Kept, publish: Publish, uplink: Uplink) -> int:
        """Send a message to those who see its topic, services among them; give its reason code."""
        now, space = self._door.time(), uplink.space
        shown = self._shown(publish, uplink)
        if space is None:
            code = self._broker.publish(kept.space, publish, now, kept)
            if shown is not None:
                self._broker.publish(SERVICES, shown, now, kept)
            return code
        inner = publish._replace(topic=uplink.topic) if uplink.topic else publish
        mark = self._door.routes.mark(publish.qos)
        code = self._broker.publish(space, inner, now, kept, mark=mark, retains=False)
        if shown is not None:
            self._broker.publish(SERVICES, shown, now, kept, mark=mark)
        self._door.routes.share(kept, space, inner, mark)
        return code

    def relay(
        self, space: Hashable, publish: Publish, mark: Mark, shared: str, hops: int = 0
    ) -> None:
        """Send on what was published at another listener.

        What is for a group of which nobody is left here goes to where somebody is; a few times at
        most, for its members may come and go as fast.
        """
        now = self._door.time()
        if not self._broker.relay(space, publish, now, mark, shared) and hops < _MOST_HOPS:
            handed = Handed(hops + 1)
            self._broker.hand_over(space, shared, outgoing(publish, now), now, handed)
        self._door.send_later()

    def _shown(self, publish: Publish, uplink: Uplink) -> Publish | None:
        """Give a message as services see it; None if none of them is anywhere."""
        if not self._broker.has_subscribers(SERVICES):
            return None
        topic = self._host.shown_topic(uplink, publish.topic)
        return None if topic is None else publish._replace(topic=topic, retain=False)

    def is_watched(self) -> bool:
        """Tell whether any program subscribes, here or at another listener."""
        return self._broker.has_subscribers(SERVICES)

    def show(self, messages: Sequence[Shown]) -> None:
        """Send programs what came by other doors."""
        now = self._door.time()
        for one in messages:
            named: list[tuple[str, str]] = []
            if one.port is not None:
                named.append(("port", str(one.port)))
            if one.device_us is not None:
                named.append(("at", _instant(one.device_us)))
            properties: Properties = {}
            if one.content_type:
                properties["content_type"] = one.content_type
            if named:
                properties["user_property"] = named
            publish = Publish(one.topic, one.payload, 1, False, False, 0, properties)
            self._broker.publish(SERVICES, publish, now)
        self._door.send_later()

    def is_heard(self, kept: Kept, publish: Publish, uplink: Uplink) -> bool:
        """Tell whether anybody subscribes to a message, or may elsewhere, or it is retained."""
        if uplink.space is not None and publish.qos and self._door.routes.writes:
            return True
        space = kept.space if uplink.space is None else uplink.space
        if self._broker.is_heard(space, publish):
            return True
        shown = self._shown(publish, uplink)
        return shown is not None and self._broker.is_heard(SERVICES, shown)

    def pass_on(self, kept: Kept, publish: Publish, uplink: Uplink, line: Line | None) -> None:
        """Send on what is not kept, and acknowledge it once sessions that last have it."""
        self._publish(kept, publish, uplink)
        self._door.note()
        self._door.send_later()
        self._note_taken(kept, publish)
        if line is None or not publish.qos:
            return

        def settle(error: Exception | None) -> None:
            code = ReasonCode.QUOTA_EXCEEDED if error else ReasonCode.SUCCESS
            line.committed([publish.packet_id], code)

        if self._keeper.has_changes:
            self._keeper.then(settle)
        else:
            settle(None)

    def _note_taken(self, kept: Kept, publish: Publish) -> None:
        """Have a message of QoS 2 marked as taken in what is about to be written.

        Its sender's session is written with those who wait for it, so that none of them hears it
        twice.
        """
        if self._keeper.has_changes and publish.qos == 2 and publish.packet_id and kept.lasts_s:
            kept.session.take(publish.packet_id)
            self._keeper.note(kept)

    def _acknowledge(
        self, sources: Sequence[tuple[Line | None, int]], error: Exception | None
    ) -> None:
        self.committing -= 1
        self._door.has_changed()
        code = ReasonCode.SUCCESS if error is None else ReasonCode.QUOTA_EXCEEDED
        previous: Line | None = None
        packet_ids: list[int] = []
        for link, packet_id in sources:
            if error is not None:
                self._host.shed("overload")
                text = "Messages cannot be stored just now."
                self._host.refused(Refusal("overload", text, "mqtt", link.address if link else ""))
            if link is not previous:
                if previous is not None:
                    previous.committed(packet_ids, code)
                previous, packet_ids = link, []
            if packet_id:
                packet_ids.append(packet_id)
        if previous is not None:
            previous.committed(packet_ids, code)

    def route(self, kept: Kept | None, publish: Publish, uplink: Uplink) -> None:
        """Send a message on to those who subscribe to it, once it is stored with this turn's."""
        if kept is not None and self.is_heard(kept, publish, uplink):
            self._routes.append((kept, publish, uplink))
            self._keeper.pin(kept.number)

    def route_again(self, line: Line, publish: Publish, uplink: Uplink) -> None:
        """Send on a message that is stored already, then acknowledge it.

        Its listener may have died between storing it and writing down who waits for it.
        """
        self.committing += 1
        settle = partial(self._acknowledge, [(line, publish.packet_id)])
        if line.kept is not None and self.is_heard(line.kept, publish, uplink):
            self._route([(line.kept, publish, uplink)])
            if self._keeper.has_changes:
                self._keeper.then(settle)
                return
        settle(None)


def _instant(us: int) -> str:
    """Write microseconds since 1970 as RFC 3339 in UTC, to the millisecond."""
    at = datetime.fromtimestamp(us / 1_000_000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
