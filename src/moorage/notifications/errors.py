"""What can be wrong with notices."""

from moorage.kit.errors import Kind, MoorageError


class NoticeUnknown(MoorageError):
    """No such notice, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "notifications.notice_unknown"
    message = "There is no notice {id} that you may see."


class NoticeCleared(MoorageError):
    """The cause is gone, so there is nothing left to acknowledge."""

    kind = Kind.CONFLICT
    code = "notifications.notice_cleared"
    message = "The notice was cleared already: its cause is gone."
