"""Fields that several bodies have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from moorage.organizations import Permission

from ..model import LONGEST_PASSWORD

Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
# What is typed; the rules for a new password answer in words.
Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]
Language = Literal["en", "da"]
# Of one thing the console remembers for its user, such as `columns.devices`.
Preference = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9.-]{0,63}$")]
Scope = Annotated[Permission, Strict(False)]
