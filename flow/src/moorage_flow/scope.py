"""Where an expression's variables come from: positions of an event, resolved once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import AppInvalid, AttributeUnknown, nearest
from .events import AnyEvent
from .language.syntax import Attribute, Place, Type, Variable

Getter = Callable[[Any], Any]
"""Takes an event, gives a value; None is null."""


@dataclass(slots=True)
class Frame:
    """One input's attributes under its name; `alias` replaces the name where it is given."""

    id: str
    attributes: list[Attribute]
    alias: str | None = None
    many: bool = False

    def find(self, name: str) -> int | None:
        """Give the attribute's position."""
        for at, attribute in enumerate(self.attributes):
            if attribute.name == name:
                return at
        return None

    @property
    def name(self) -> str:
        """What variables call it."""
        return self.alias or self.id


@dataclass(slots=True)
class Scope:
    """What variables may name.

    `state` tells whether events are `StateEvent`s (one chain a frame) or `Event`s (one frame).
    `current` is the frame that bare attributes are of, None: any that alone has it. `default_index`
    is the event of a chain an unindexed reference means: 0 the first, -1 the last. `output` is what
    a selection gives, and `names` are the inputs that may stand before its attributes.
    """

    frames: list[Frame]
    state: bool = False
    current: int | None = None
    default_index: int = 0
    output: list[Attribute] = field(default_factory=list)
    names: tuple[str, ...] = ()

    def resolve(self, variable: Variable) -> tuple[Getter, Type]:
        """Find what a variable reads. Raises AttributeUnknown, AppInvalid."""
        if variable.stream is None or variable.stream in self.names:
            return self._bare(variable)
        for at, frame in enumerate(self.frames):
            if frame.name == variable.stream:
                place = frame.find(variable.attribute)
                if place is None:
                    raise self._unknown(variable, frame)
                if frame.many and variable.index is None and self.current is None:
                    return _all(at, place), Type.OBJECT
                return self._get(at, place, variable.index), frame.attributes[place].type
        if not self.state and self.frames:
            # A single stream's name may differ from the qualifier: what counts is its attribute.
            place = self.frames[0].find(variable.attribute)
            if place is not None and variable.stream.lstrip("#!") == self.frames[0].id.lstrip("#!"):
                return self._get(0, place, variable.index), self.frames[0].attributes[place].type
        names = ", ".join(f.name for f in self.frames)
        raise AttributeUnknown(
            f"{variable.attribute}: no input is called {variable.stream}, only {names}",
            variable.place,
        )

    def _bare(self, variable: Variable) -> tuple[Getter, Type]:
        name = variable.attribute
        for at, attribute in enumerate(self.output):
            if attribute.name == name:
                return _from_output(at), attribute.type
        if self.current is not None:
            own = self.frames[self.current]
            found = own.find(name)
            if found is None:
                raise self._unknown(variable, own)
            return self._get(self.current, found, variable.index), own.attributes[found].type
        holders = [
            (at, place)
            for at, frame in enumerate(self.frames)
            if (place := frame.find(name)) is not None
        ]
        if not holders:
            raise self._unknown(variable, None)
        if len(holders) > 1:
            first, second = (self.frames[at].name for at, _ in holders[:2])
            raise AppInvalid(
                f"{name} is an attribute of both {first} and {second}: say which", variable.place
            )
        at, place = holders[0]
        return self._get(at, place, variable.index), self.frames[at].attributes[place].type

    def position(self, name: str) -> int | None:
        """Give the position of the frame of this name."""
        return next((at for at, f in enumerate(self.frames) if f.name == name), None)

    def chain(self, at: int, index: int | None) -> Callable[[AnyEvent], Any]:
        """Give a getter of the event at an index of a frame's chain."""
        if index is None:
            index = self.default_index
        elif index < 0 and not (at == self.current and self.default_index < 0):
            # A position's own condition sees its candidate at the end of the chain: `last` is
            # before it.
            index += 1
        if index >= 0:

            def nth(event: Any) -> Any:
                chain = event.streams[at]
                return chain[index] if chain is not None and len(chain) > index else None

            return nth

        def from_end(event: Any) -> Any:
            chain = event.streams[at]
            return chain[index] if chain is not None and len(chain) >= -index else None

        return from_end

    def _get(self, at: int, place: int, index: int | None) -> Getter:
        if not self.state:
            return lambda event: event.data[place]
        if index is None and self.default_index == 0:

            def first(event: Any) -> Any:
                chain = event.streams[at]
                return chain[0].data[place] if chain else None

            return first
        pick = self.chain(at, index)

        def indexed(event: Any) -> Any:
            picked = pick(event)
            return None if picked is None else picked.data[place]

        return indexed

    def _unknown(self, variable: Variable, frame: Frame | None) -> AttributeUnknown:
        frames = [frame] if frame else self.frames
        known = {a.name for f in frames for a in f.attributes} | {a.name for a in self.output}
        where = frame.name if frame else " or ".join(dict.fromkeys(f.name for f in frames))
        return AttributeUnknown(
            f"{variable.attribute} is no attribute of {where or 'the output'}"
            f"{nearest(variable.attribute, known)}",
            variable.place,
        )


def _all(at: int, place: int) -> Getter:
    """Give the attribute of every event a counted position has taken."""
    return lambda event: [e.data[place] for e in event.streams[at] or ()]


def _from_output(at: int) -> Getter:
    return lambda event: event.out[at]


def place_of(value: Any) -> Place:
    """Give where a part of the syntax tree stands."""
    place: Place = value.place
    return place
