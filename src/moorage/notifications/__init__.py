"""Console notices: what somebody should look at, told once per cause."""

from .errors import NoticeCleared, NoticeUnknown
from .facts import NoticeAcknowledged
from .model import NewNotice, Notice, NoticeFilter, NoticeKind, NoticeState, SubjectKind
from .service import (
    acknowledge,
    clear,
    clear_all_but,
    clear_causes,
    get,
    list_notices,
    move_application,
    open_all,
)

__all__ = [
    "NewNotice",
    "Notice",
    "NoticeAcknowledged",
    "NoticeCleared",
    "NoticeFilter",
    "NoticeKind",
    "NoticeState",
    "NoticeUnknown",
    "SubjectKind",
    "acknowledge",
    "clear",
    "clear_all_but",
    "clear_causes",
    "get",
    "list_notices",
    "move_application",
    "open_all",
]
