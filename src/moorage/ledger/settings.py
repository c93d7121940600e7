"""What an operator can set about the ledger."""

from __future__ import annotations

from pydantic import Field

from moorage.kit.settings import Section


class LedgerSettings(Section):
    """The ledger of every message."""

    partitions: int = Field(
        default=1,
        ge=1,
        le=64,
        description="partitions of the ledger, at most one worker each; fixed at the first start",
    )
