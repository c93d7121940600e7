"""What topics say: of which device a message is, and of which channel and port."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from moorage.kit.errors import FieldInvalid
from moorage_mqtt import ProtocolError, check_filter

from ..model import Subscription

PLACES = ("device", "channel", "port")
_PLACE = re.compile(r"\{([^{}/]*)\}")


@dataclass(frozen=True, slots=True)
class Told:
    """What a topic says; empty texts where it says nothing."""

    device: str = ""
    channel: str = ""
    port: str = ""


class Template:
    """A topic filter with places: `plant/{device}/+/up`, `tele/meter_{device}/SENSOR`.

    A level with a place is subscribed to as `+`; what stands around the place must be there.

    Raises:
        ValueError: it is no filter, or has an unknown place or one twice; the text says what.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        names = _PLACE.findall(topic)
        for name in names:
            if name not in PLACES:
                known = ", ".join(f"{{{place}}}" for place in PLACES)
                raise ValueError(f"has no place {{{name}}}; there are {known}")
            if names.count(name) > 1:
                raise ValueError(f"has the place {{{name}}} twice")
        self.places = frozenset(names)
        levels = topic.split("/")
        self.filter = "/".join("+" if _PLACE.search(level) else level for level in levels)
        if topic.startswith("$share/"):
            raise ValueError("must not be shared: a source with several connections sees to it")
        try:
            check_filter(self.filter)
        except ProtocolError as wrong:
            raise ValueError(f"is no topic filter: {wrong}") from wrong
        rest = levels.pop() if levels[-1] == "#" else None
        patterns = [_pattern(level) for level in levels]
        pattern = "/".join(patterns) + ("" if rest is None else "(?:/.*)?" if patterns else ".*")
        self._matches = re.compile(pattern, re.DOTALL).fullmatch

    def read(self, topic: str) -> Told | None:
        """Read a topic; None if the template does not fit it."""
        found = self._matches(topic)
        return None if found is None else Told(**found.groupdict())


def _pattern(level: str) -> str:
    """Give the regular expression of one level; what is in a place is never empty."""
    if level == "+":
        return "[^/]*"
    texts = _PLACE.split(level)
    # Texts and names of places take turns.
    return "".join(
        f"(?P<{text}>[^/]+)" if index % 2 else re.escape(text) for index, text in enumerate(texts)
    )


def overlap(one: str, other: str) -> bool:
    """Tell whether a topic could match both filters (MQTT 5, section 4.7)."""
    ones, others = one.split("/"), other.split("/")
    if {one[:1], other[:1]} in ({"$", "+"}, {"$", "#"}):
        return False
    for mine, theirs in zip(ones, others, strict=False):
        if "#" in (mine, theirs):
            return True
        if "+" not in (mine, theirs) and mine != theirs:
            return False
    longer = max(ones, others, key=len)
    return len(ones) == len(others) or longer[min(len(ones), len(others))] == "#"


@dataclass(frozen=True, slots=True)
class Reader:
    """A subscription, ready for messages."""

    template: Template
    asked: Subscription


def readers(subscriptions: Sequence[Subscription]) -> list[Reader]:
    """Make subscriptions ready.

    Raises:
        FieldInvalid: one is none, does not say which device, or brings what another brings too.
    """
    made: list[Reader] = []
    for index, asked in enumerate(subscriptions):
        at = f"/subscriptions/{index}"
        try:
            template = Template(asked.topic)
        except ValueError as wrong:
            raise FieldInvalid(f"{at}/topic", str(wrong)) from wrong
        ways = ("device" in template.places, asked.device is not None, asked.pointer is not None)
        if sum(ways) != 1:
            raise FieldInvalid(
                f"{at}/topic",
                "must say in one way of which device messages are: by {device} in the topic, by "
                "devicePointer into the payload, or by device for all of them",
            )
        if asked.pointer is not None and not asked.pointer.startswith("/"):
            raise FieldInvalid(f"{at}/devicePointer", "must be a JSON Pointer, such as /device/id")
        for earlier in made:
            if overlap(earlier.template.filter, template.filter):
                text = f"overlaps with {earlier.asked.topic}: such messages would come twice"
                raise FieldInvalid(f"{at}/topic", text)
        made.append(Reader(template, asked))
    return made
