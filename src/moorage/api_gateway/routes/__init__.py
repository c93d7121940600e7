"""HTTP of the API store, of plans and who is on them, of usage, and of other sites' pages."""

from .apis import apis
from .origins import origins
from .plans import plans, subscriptions
from .usage import usage

ROUTERS = (apis, plans, subscriptions, usage, origins)
