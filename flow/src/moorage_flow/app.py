"""An application: its text and what it says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .errors import AnnotationRepeated
from .language import syntax as s
from .language.parser import parse_app


@dataclass(frozen=True, slots=True)
class App:
    """A parsed application; run it with `Runtime`."""

    text: str
    syntax: s.AppSyntax

    @classmethod
    def parse(cls, text: str) -> App:
        """Parse SiddhiQL. Raises SyntaxInvalid, which names line, column and what was expected."""
        syntax = parse_app(text)
        names = [a for a in syntax.annotations if a.name.lower() == "app:name"]
        if len(names) > 1:
            raise AnnotationRepeated("an application has one name")
        return cls(text, syntax)

    def sandbox(self) -> App:
        """Give the application without its sources, sinks and stores, to try it with events sent by
        hand.
        """
        outside = {"source", "sink", "store"}
        definitions = tuple(
            dataclasses.replace(
                d, annotations=tuple(a for a in d.annotations if a.name.lower() not in outside)
            )
            for d in self.syntax.definitions
        )
        return App(self.text, dataclasses.replace(self.syntax, definitions=definitions))

    @property
    def name(self) -> str | None:
        """What `@app:name('…')` calls it."""
        found = s.annotation(self.syntax.annotations, "app:name")
        return found.get(None) if found else None
