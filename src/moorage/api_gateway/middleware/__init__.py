"""What every request passes, in this order: trace, recognise, throttle, read, do once."""

from .gateway import Gateway
from .paths import PROTOCOL, PUBLIC, SENT_BY_PROVIDERS, UNSAFE

__all__ = ["PROTOCOL", "PUBLIC", "SENT_BY_PROVIDERS", "UNSAFE", "Gateway"]
