"""Topic names and topic filters (MQTT 5, sections 4.7 and 4.8)."""

from .errors import ProtocolError, ReasonCode, malformed

SHARE = "$share/"
SYSTEM_TOPICS = "$SYS/"
"""What topics about the broker itself begin with (MQTT 5, 4.7.2)."""


def check_name(topic: str) -> None:
    """Refuse what is no topic name: empty, too long, with a wildcard or U+0000.

    Raises:
        ProtocolError: TOPIC_NAME_INVALID, or MALFORMED_PACKET for U+0000.
    """
    if not topic:
        raise ProtocolError(ReasonCode.TOPIC_NAME_INVALID, "The topic name is empty.")
    if "+" in topic or "#" in topic:
        raise ProtocolError(
            ReasonCode.TOPIC_NAME_INVALID, "The topic name contains a wildcard: + or #."
        )
    _check_characters(topic)


def check_filter(topic_filter: str) -> None:
    """Refuse what is no topic filter; `$share/group/filter` is checked in all its parts.

    Raises:
        ProtocolError: TOPIC_FILTER_INVALID, or MALFORMED_PACKET for U+0000.
    """
    _check_characters(topic_filter)
    if topic_filter.startswith(SHARE):
        group, _, topic_filter = topic_filter[len(SHARE) :].partition("/")
        if not group or "+" in group or "#" in group:
            raise _invalid("The share name is empty or contains a wildcard.")
    if not topic_filter:
        raise _invalid("The topic filter is empty.")
    if "#" not in topic_filter and "+" not in topic_filter:
        return
    levels = topic_filter.split("/")
    for position, level in enumerate(levels, 1):
        if "#" in level and (level != "#" or position != len(levels)):
            raise _invalid("# must be the whole last level of a topic filter.")
        if "+" in level and level != "+":
            raise _invalid("+ must be the whole level of a topic filter.")


def split_share(topic_filter: str) -> tuple[str | None, str]:
    """Split `$share/group/filter` into group and filter; the group is None if not shared."""
    if not topic_filter.startswith(SHARE):
        return None, topic_filter
    group, _, rest = topic_filter[len(SHARE) :].partition("/")
    return group, rest


def has_wildcard(topic_filter: str) -> bool:
    """Tell whether the filter may match more than one topic."""
    return "+" in topic_filter or "#" in topic_filter


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a valid filter (share taken off) matches a valid topic name.

    A wildcard in the first level matches no topic that begins with $ [MQTT-4.7.2-1].
    """
    if topic_filter == topic:
        return True
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    levels = topic.split("/")
    wanted = topic_filter.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        if len(levels) < len(wanted):
            return False
    elif len(levels) != len(wanted):
        return False
    return all(want in ("+", level) for want, level in zip(wanted, levels, strict=False))


def covers(allowed: str, wanted: str) -> bool:
    """Tell whether every topic that one valid filter matches is matched by another (MQTT 5, 4.7).

    Args:
        allowed: the wider filter, share taken off.
        wanted: the narrower one, share taken off.
    """
    if wanted.startswith("$") and allowed[:1] in ("+", "#"):
        return False
    levels, others = allowed.split("/"), wanted.split("/")
    for level, other in zip(levels, others, strict=False):
        if level == "#":
            return True
        if other == "#" or level not in ("+", other):
            return False
    # `a/#` matches `a` as well [MQTT-4.7.1-2].
    return len(levels) == len(others) or levels[len(others) :] == ["#"]


def _check_characters(topic: str) -> None:
    if "\0" in topic:
        raise malformed("The topic contains U+0000.")
    if len(topic) > 0x3FFF and len(topic.encode("utf-8", "replace")) > 0xFFFF:
        raise malformed("The topic is longer than 65,535 bytes.")


def _invalid(text: str) -> ProtocolError:
    return ProtocolError(ReasonCode.TOPIC_FILTER_INVALID, text)
