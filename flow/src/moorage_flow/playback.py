"""Event time that goes on by itself while no events come."""

from __future__ import annotations

from .errors import AppInvalid
from .language import syntax as s
from .language.parser import parse_expression
from .scheduler import Clock


class Heartbeat:
    """Moves event time on by `increment_ms` when no event has come for `idle_ms` of wall time."""

    def __init__(self, clock: Clock, idle_ms: int, increment_ms: int) -> None:
        self._clock = clock
        self._idle = idle_ms
        self._increment = increment_ms
        self._last = clock.wall
        self._waiting = False

    @classmethod
    def read(cls, clock: Clock, annotation: s.Annotation) -> Heartbeat | None:
        """Read `@app:playback(idle.time='…', increment='…')`. Raises AppInvalid."""
        idle, increment = annotation.get("idle.time"), annotation.get("increment")
        for name, _ in annotation.elements:
            if (name or "").lower() not in {"idle.time", "increment"}:
                raise AppInvalid(f"@app:playback has no {name}")
        if idle is None and increment is None:
            return None
        if idle is None or increment is None:
            raise AppInvalid("@app:playback needs both idle.time and increment")
        return cls(clock, _time(idle), _time(increment))

    def beat(self) -> None:
        """An event came."""
        self._last = self._clock.wall
        if not self._waiting:
            self._wait(self._idle)

    def _wait(self, for_ms: int) -> None:
        self._waiting = True
        self._clock.wake(self._clock.wall + for_ms, self._check)

    def _check(self) -> None:
        self._waiting = False
        if not self._clock.event_time:
            return
        idle = self._clock.wall - self._last
        if idle < self._idle:
            self._wait(self._idle - idle)
            return
        self._clock.jump(self._clock.now + self._increment)
        self._last = self._clock.wall
        self._wait(self._idle)


def _time(written: str) -> int:
    parsed = parse_expression(written)
    if not isinstance(parsed, s.Constant) or not parsed.time:
        raise AppInvalid(f"{written!r} is no time")
    return int(parsed.value)
