"""HTTP of plans, of who is on them, and of what everybody asks."""

from .plans import plans, subscriptions
from .usage import usage

ROUTERS = (plans, subscriptions, usage)
