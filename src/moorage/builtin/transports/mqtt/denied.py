"""What has ended a connection of MQTT 3.1.1 last, since it may not be published."""

from __future__ import annotations

_MOST = 4_096

Session = tuple[int, str]
"""The number of a device and a client id."""


class Denied:
    """Knows a message again that has ended the session's last connection.

    It is not stored: at another listener, or after a restart, a message ends one connection more.
    """

    def __init__(self) -> None:
        self._last: dict[Session, int] = {}

    def is_again(self, session: Session, message: tuple[str, int, bytes]) -> bool:
        """Tell whether it is the same message as the last one of its session; note it if not.

        Args:
            session: who sends it.
            message: its topic, packet id and payload.
        """
        if self._last.pop(session, None) == hash(message):
            return True
        if len(self._last) >= _MOST:
            del self._last[next(iter(self._last))]
        self._last[session] = hash(message)
        return False
