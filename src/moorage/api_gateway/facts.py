"""What is announced about requests."""

from moorage.kit.facts import Fact


class AccessRefused(Fact):
    """Somebody lacked a permission; one a caller, permission, minute and process."""

    name = "api_gateway.access_refused"


class PlanMade(Fact):
    """A plan for the API came to be."""

    name = "api_gateway.plan_made"


class PlanChanged(Fact):
    """A plan's fields changed, for everybody on it."""

    name = "api_gateway.plan_changed"


class PlanRemoved(Fact):
    """A plan was removed."""

    name = "api_gateway.plan_removed"


class SubscriptionAsked(Fact):
    """Somebody asked for a plan that an administrator has to agree to."""

    name = "api_gateway.subscription_asked"


class SubscriptionBegun(Fact):
    """A plan holds for a subscriber."""

    name = "api_gateway.subscription_begun"


class SubscriptionRefused(Fact):
    """An administrator did not agree to a plan."""

    name = "api_gateway.subscription_refused"


class SubscriptionEnded(Fact):
    """A plan holds for a subscriber no longer, or is asked for no longer."""

    name = "api_gateway.subscription_ended"


class OriginAllowed(Fact):
    """Pages of a site may ask the API for an organization or a program."""

    name = "api_gateway.origin_allowed"


class OriginRemoved(Fact):
    """Pages of a site may ask the API no longer."""

    name = "api_gateway.origin_removed"
