"""What can be wrong with user stores."""

from moorage.kit.errors import Kind, MoorageError


class UserStoreUnknown(MoorageError):
    """No such user store, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "user_stores.unknown"
    message = "There is no user store {id} that you may see."


class UserStoreTaken(MoorageError):
    """Another user store has this name or this prefix."""

    kind = Kind.CONFLICT
    code = "user_stores.taken"
    pointer = "/prefix"
    message = "Another user store already has this name, or the prefix {prefix}."


class UserStoresTooMany(MoorageError):
    """There are as many user stores as there may be."""

    kind = Kind.CONFLICT
    code = "user_stores.too_many"
    message = "There may be at most {limit} user stores."


class UserStoreShared(MoorageError):
    """People of the store belong to more than the caller's organisation."""

    kind = Kind.FORBIDDEN
    code = "user_stores.shared"
    message = (
        "People of this store hold permissions beyond the organizations whose users you manage, "
        "and whoever says where the store is could sign in as them. Ask a GlobalAdmin."
    )


class UserStoreUnreachable(MoorageError):
    """No server of the store answers, or not as a directory should."""

    kind = Kind.UPSTREAM
    code = "user_stores.unreachable"
    message = "The user store {name} cannot be asked: {reason}"


class UserStoreRefused(MoorageError):
    """The directory refuses what was asked of it."""

    kind = Kind.CONFLICT
    code = "user_stores.refused"
    message = "The directory refuses: {reason}"


class UserStoreReadOnly(MoorageError):
    """People of this store are changed in the directory only."""

    kind = Kind.CONFLICT
    code = "user_stores.read_only"
    message = (
        "The user store {name} is read-only: change people, their passwords too, in the directory."
    )


class EntryUnknown(MoorageError):
    """The directory has no such person."""

    kind = Kind.NOT_FOUND
    code = "user_stores.entry_unknown"
    message = "The directory has no person {id}."


class AccountUnfit(MoorageError):
    """A person of the directory cannot have an account."""

    kind = Kind.CONFLICT
    code = "user_stores.account_unfit"
    message = "This person cannot have an account: {reason}"
