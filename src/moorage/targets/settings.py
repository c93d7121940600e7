"""Settings of data targets."""

from pydantic import Field

from moorage.kit.settings import LIVE, Section


class TargetSettings(Section):
    """What data targets may reach."""

    allowed: list[str] | None = Field(
        default=None,
        description="hosts, *.names and networks that targets may reach beyond public addresses; "
        "unset: this machine itself while public_url is localhost, else none",
        json_schema_extra=LIVE,
    )
