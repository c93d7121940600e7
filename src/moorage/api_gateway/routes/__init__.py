"""HTTP of plans, of who is on them, of what everybody asks, and of other sites' pages."""

from .origins import origins
from .plans import plans, subscriptions
from .usage import usage

ROUTERS = (plans, subscriptions, usage, origins)
