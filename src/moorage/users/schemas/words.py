"""Fields that several bodies have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from moorage.kit.http import Storable
from moorage.organizations import Permission

from ..model import LONGEST_PASSWORD

Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
# A store's prefix and a backslash say which user store means the name.
SignInName = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^([^@\s]+@[^@\s]+|[A-Za-z0-9._-]{1,50}\\[^\\\x00-\x1f]{1,200})$",
        description="An e-mail address, or a user store's prefix, a backslash and a name there.",
        examples=["anna@example.org"],
    ),
    Storable,
]
# What is typed; the rules for a new password answer in words.
Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]
Language = Literal["en", "da"]
# Of one thing the console remembers for its user, such as `columns.devices`.
Preference = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9.-]{0,63}$")]
Scope = Annotated[Permission, Strict(False)]
