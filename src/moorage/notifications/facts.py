"""What is announced about notices."""

from moorage.kit.facts import Fact


class NoticeAcknowledged(Fact):
    """Somebody took note of a notice."""

    name = "notifications.notice_acknowledged"
