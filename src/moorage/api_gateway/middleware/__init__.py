"""What every request passes, in this order: trace, recognise, throttle, read, do once."""

from .gateway import Gateway
from .paths import PROTOCOL, PUBLIC, UNSAFE, is_public

__all__ = ["PROTOCOL", "PUBLIC", "UNSAFE", "Gateway", "is_public"]
