"""The rules of the gateway: how often, on which plan, and once only."""

from .catalogue import Catalogue
from .once import begin_once, content_digest, finish_once, forget_once, request_digest
from .origins import Origins, list_origins
from .origins import allow as allow_origin
from .origins import get as get_origin
from .origins import remove as remove_origin
from .plans import change as change_plan
from .plans import get as get_plan
from .plans import list_plans
from .plans import make as make_plan
from .plans import remove as remove_plan
from .policies import question
from .refusals import Refusals, note_refusal
from .register import Plans
from .subscriptions import approve, list_subscriptions, refuse, subscribe
from .subscriptions import end as end_subscription
from .subscriptions import get as get_subscription
from .sweeping import clear_away
from .throttle import Admission, Shown, Throttle
from .usage import Meter, export_usage, list_usage, totals

__all__ = [
    "Admission",
    "Catalogue",
    "Meter",
    "Origins",
    "Plans",
    "Refusals",
    "Shown",
    "Throttle",
    "allow_origin",
    "approve",
    "begin_once",
    "change_plan",
    "clear_away",
    "content_digest",
    "end_subscription",
    "export_usage",
    "finish_once",
    "forget_once",
    "get_origin",
    "get_plan",
    "get_subscription",
    "list_origins",
    "list_plans",
    "list_subscriptions",
    "list_usage",
    "make_plan",
    "note_refusal",
    "question",
    "refuse",
    "remove_origin",
    "remove_plan",
    "request_digest",
    "subscribe",
    "totals",
]
