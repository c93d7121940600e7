"""What devices are asked to do, and what they answered."""

from .errors import EncodingFailed, OperationUnknown, ReportMalformed, ResultTooLarge
from .facts import OperationCancelled, OperationIssued, OperationReported, OperationTimedOut
from .model import (
    Claimed,
    Encoding,
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
    issue_many,
    list_operations,
    read_report,
    report,
    report_sent,
    send,
    send_many,
    unclaim,
)

__all__ = [
    "Claimed",
    "Encoding",
    "EncodingFailed",
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
    "issue_many",
    "list_operations",
    "read_report",
    "report",
    "report_sent",
    "send",
    "send_many",
    "unclaim",
]
