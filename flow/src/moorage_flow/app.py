"""An application: its text and what it says."""

from __future__ import annotations

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

    @property
    def name(self) -> str | None:
        """What `@app:name('…')` calls it."""
        found = s.annotation(self.syntax.annotations, "app:name")
        return found.get(None) if found else None
