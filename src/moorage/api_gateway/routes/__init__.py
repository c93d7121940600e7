"""HTTP of plans and of who is on them."""

from .plans import plans, subscriptions

ROUTERS = (plans, subscriptions)
