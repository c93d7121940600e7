"""What is announced about user stores."""

from moorage.kit.facts import Fact


class UserStoreAdded(Fact):
    """A user store was added."""

    name = "user_stores.added"


class UserStoreChanged(Fact):
    """A user store's fields or mappings changed; a new password is told, not what it is."""

    name = "user_stores.changed"


class UserStoreRemoved(Fact):
    """A user store was removed; its people keep their accounts and cannot sign in."""

    name = "user_stores.removed"


class UserStoreTested(Fact):
    """Somebody tried a user store out; the subject is the store."""

    name = "user_stores.tested"


class AccountLinked(Fact):
    """An account belongs to a person of a directory from now on; the subject is the user."""

    name = "user_stores.account_linked"


class EntryMade(Fact):
    """A person was made in a directory; the subject is the store."""

    name = "user_stores.entry_made"


class EntryChanged(Fact):
    """A person was changed in a directory, or their password; the subject is the store."""

    name = "user_stores.entry_changed"
