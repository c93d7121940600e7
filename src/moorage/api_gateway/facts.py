"""What is announced about requests."""

from moorage.kit.facts import Fact


class AccessRefused(Fact):
    """Somebody lacked a permission; one a caller, permission, minute and process."""

    name = "api_gateway.access_refused"
