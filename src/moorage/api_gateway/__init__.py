"""What every request passes: recognised, limited, answered once."""

from .errors import BodyTooLarge, IdempotencyKeyReused, RequestUnderway, TooManyRequests
from .model import Limits, Rate

__all__ = [
    "BodyTooLarge",
    "IdempotencyKeyReused",
    "Limits",
    "Rate",
    "RequestUnderway",
    "TooManyRequests",
]
