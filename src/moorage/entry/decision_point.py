"""What asks the external policy decision point, made from the settings."""

from __future__ import annotations

from moorage.entry.settings import Settings
from moorage.kit.decisions import Asked, DecisionPoint


def of(settings: Settings) -> DecisionPoint | None:
    """Make it; None where no decision point is set."""
    if settings.decisions.url is None:
        return None
    return DecisionPoint(Asked(**settings.decisions.model_dump()))
