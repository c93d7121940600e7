"""What devices are asked to do, and what they answered."""

from .errors import OperationUnknown, ReportMalformed, ResultTooLarge
from .facts import OperationCancelled, OperationIssued, OperationReported, OperationTimedOut
from .model import (
    Claimed,
    NewOperation,
    Operation,
    OperationFilter,
    OperationKind,
    OperationState,
)
from .service import (
    cancel,
    claim,
    delivered,
    get,
    issue,
    list_operations,
    read_report,
    report,
    report_sent,
    unclaim,
)

__all__ = [
    "Claimed",
    "NewOperation",
    "Operation",
    "OperationCancelled",
    "OperationFilter",
    "OperationIssued",
    "OperationKind",
    "OperationReported",
    "OperationState",
    "OperationTimedOut",
    "OperationUnknown",
    "ReportMalformed",
    "ResultTooLarge",
    "cancel",
    "claim",
    "delivered",
    "get",
    "issue",
    "list_operations",
    "read_report",
    "report",
    "report_sent",
    "unclaim",
]
