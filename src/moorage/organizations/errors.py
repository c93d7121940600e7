"""What can be wrong with organisations and permissions."""

from uuid import UUID

from moorage.kit.errors import Kind, MoorageError


class PermissionMissing(MoorageError):
    """The caller sees the thing but may not do this to it."""

    kind = Kind.FORBIDDEN
    code = "organizations.permission_missing"
    message = (
        "This needs the permission {permission}. Ask a user administrator of the organization to "
        "put you into a permission group that has it."
    )
    # Where it is missing, for the fact about it; the caller is told the permission only.
    organization_id: UUID | None = None


class InstallationOnly(PermissionMissing):
    """The caller may not do this to the whole installation."""

    code = "organizations.installation_only"
    message = (
        "This is about the whole installation, so the permission {permission} of one organization "
        "does not do. Ask a GlobalAdmin."
    )


class OrganizationUnknown(MoorageError):
    """No such organization, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "organizations.unknown"
    message = "There is no organization {id} that you may see."


class OrganizationNameTaken(MoorageError):
    """Another organization carries this name."""

    kind = Kind.CONFLICT
    code = "organizations.name_taken"
    pointer = "/name"
    message = "Another organization is already named {name}. Choose another name."


class QuotaReached(MoorageError):
    """There would be more of something than there may be."""

    kind = Kind.CONFLICT
    code = "organizations.quota_reached"
    message = (
        "The {whose} quota of {most} {what} is reached. Remove some, or ask an administrator for "
        "a higher quota."
    )


class OrganizationInUse(MoorageError):
    """The organization still owns things."""

    kind = Kind.CONFLICT
    code = "organizations.in_use"
    message = "The organization still has {what}. Remove or move them first."


class PermissionGroupUnknown(MoorageError):
    """No such permission group, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "organizations.permission_group_unknown"
    message = "There is no permission group {id} that you may see."


class PermissionGroupNameTaken(MoorageError):
    """Another permission group of the organization carries this name."""

    kind = Kind.CONFLICT
    code = "organizations.permission_group_name_taken"
    pointer = "/name"
    message = "Another permission group of the organization is already named {name}."


class GrantTooWide(MoorageError):
    """The group would hold more than the caller holds."""

    kind = Kind.FORBIDDEN
    code = "organizations.grant_too_wide"
    message = "You cannot give {permission}: you do not hold it there yourself."


class MemberUnknown(MoorageError):
    """No such user, program or permission group, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "organizations.member_unknown"
    message = "There is no {kind} {id} that you may see. Invite people by their e-mail address."


class GroupInItself(MoorageError):
    """The group would be in itself, through others or at once."""

    kind = Kind.CONFLICT
    code = "organizations.group_in_itself"
    message = (
        "The permission group is, directly or through others, in the one you want to put into it. "
        "Take that one out first."
    )


class MemberForeign(MoorageError):
    """The person belongs to another organization and has to be asked."""

    kind = Kind.FORBIDDEN
    code = "organizations.member_foreign"
    message = (
        "This person belongs to another organization whose users you do not manage. Invite them "
        "by their e-mail address (POST /api/v1/invitations), or ask a GlobalAdmin."
    )


class LastAdmin(MoorageError):
    """Nobody would be left to administer the installation."""

    kind = Kind.CONFLICT
    code = "organizations.last_admin"
    message = "This is the last GlobalAdmin. Make another one first."


class ApplicationForeign(MoorageError):
    """A listed application belongs to another organization or does not exist."""

    kind = Kind.INVALID
    code = "organizations.application_foreign"
    pointer = "/applicationIds"
    message = "Application {id} is not one of this organization."
