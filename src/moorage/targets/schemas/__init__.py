"""Bodies of the targets' routes."""

from .bodies import (
    CountOut,
    DeadLetterOut,
    DeadLetterPatch,
    KindOut,
    LogEntryOut,
    ReplayBody,
    ReplayOut,
    ResultOut,
    RouteBody,
    RouteOut,
    RoutePatch,
    StatementOut,
    TargetBody,
    TargetOut,
    TargetPatch,
    TestBody,
    TrialOut,
)
from .receipts import DeliveryOut, ReceiptOut

__all__ = [
    "CountOut",
    "DeadLetterOut",
    "DeadLetterPatch",
    "DeliveryOut",
    "KindOut",
    "LogEntryOut",
    "ReceiptOut",
    "ReplayBody",
    "ReplayOut",
    "ResultOut",
    "RouteBody",
    "RouteOut",
    "RoutePatch",
    "StatementOut",
    "TargetBody",
    "TargetOut",
    "TargetPatch",
    "TestBody",
    "TrialOut",
]
