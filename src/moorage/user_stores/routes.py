"""HTTP of user stores."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import (
    GrantTooWide,
    InstallationOnly,
    OrganizationUnknown,
    PermissionGroupUnknown,
    PermissionMissing,
)

from . import service
from .errors import (
    AccountUnfit,
    EntryUnknown,
    UserStoreReadOnly,
    UserStoreRefused,
    UserStoreShared,
    UserStoresTooMany,
    UserStoreTaken,
    UserStoreUnknown,
    UserStoreUnreachable,
)
from .model import Entry, Trial, UserStore
from .schemas import (
    EntriesOut,
    EntryBody,
    EntryOut,
    EntryPatch,
    FindBody,
    StoreTrialOut,
    TryBody,
    TryNewBody,
    UserStoreBody,
    UserStoreOut,
    UserStorePatch,
)

router = APIRouter(prefix="/api/v1/user-stores", tags=["user-stores"])
EntryId = Annotated[str, Path(min_length=1, max_length=200)]


@router.post("", status_code=201, response_model=UserStoreOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                PermissionGroupUnknown, GrantTooWide, FieldInvalid,
                                UserStoreTaken, UserStoresTooMany))  # fmt: skip
async def add_user_store(
    body: UserStoreBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> UserStore:
    """Add a directory that people sign in through."""
    store = await service.add(tx, caller, body.to_model(), request.app.state.sealer)
    response.headers["Location"] = f"/api/v1/user-stores/{store.id}"
    tag(response, store.updated_at)
    return store


@router.post("/test", response_model=StoreTrialOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                PermissionGroupUnknown, GrantTooWide, FieldInvalid))  # fmt: skip
async def test_new_user_store(body: TryNewBody, caller: Signed, request: Request) -> Trial:
    """Try what would make a store: connect, sign in, look for people, tell each step."""
    state = request.app.state
    return await service.try_new(
        state.database, caller, body.store.to_model(), state.outbound, body.try_name,
        body.try_password,
    )  # fmt: skip


@router.get("", response_model=PageOut[UserStoreOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_user_stores(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of name or prefix.")] = None,
) -> pages.Page[UserStore]:  # fmt: skip
    """List user stores, in the order they are asked."""
    return await service.list_stores(tx, caller, asked, organization_id=organization_id, q=q)


@router.get("/{store_id}", response_model=UserStoreOut, responses=may_fail(UserStoreUnknown))
async def get_user_store(store_id: UUID, tx: Tx, caller: Signed, response: Response) -> UserStore:
    """Read a user store."""
    store = await service.get(tx, caller, store_id)
    tag(response, store.updated_at)
    return store


@router.patch("/{store_id}", response_model=UserStoreOut,
              responses=may_fail(UserStoreUnknown, PermissionMissing, InstallationOnly,
                                 PermissionGroupUnknown, GrantTooWide, FieldInvalid,
                                 UserStoreTaken, UserStoreShared, VersionStale))  # fmt: skip
async def change_user_store(
    store_id: UUID, body: UserStorePatch, tx: Tx, caller: Signed, request: Request,
    response: Response, if_match: IfMatch = None,
) -> UserStore:  # fmt: skip
    """Change a user store; mappings take effect within seconds."""
    check_match(if_match, (await service.get(tx, caller, store_id, lock=True)).updated_at)
    sealer = request.app.state.sealer
    store = await service.change(tx, caller, store_id, body.to_changes(), sealer)
    tag(response, store.updated_at)
    return store


@router.delete("/{store_id}", status_code=204,
               responses=may_fail(UserStoreUnknown, PermissionMissing))  # fmt: skip
async def remove_user_store(store_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a user store; its people keep their accounts, without what it gave them."""
    await service.remove(tx, caller, store_id)


@router.post("/{store_id}/test", response_model=StoreTrialOut,
             responses=may_fail(UserStoreUnknown, PermissionMissing, FieldInvalid,
                                UserStoreShared))  # fmt: skip
async def test_user_store(store_id: UUID, body: TryBody, caller: Signed, request: Request) -> Trial:
    """Try a store as it would be with these changes, and tell each step."""
    state = request.app.state
    return await service.try_change(
        state.database, caller, store_id, body.changes.to_changes(), state.sealer, state.outbound,
        body.try_name, body.try_password,
    )  # fmt: skip


@router.post("/{store_id}/sync", response_model=UserStoreOut, status_code=202,
             responses=may_fail(UserStoreUnknown, PermissionMissing))  # fmt: skip
async def sync_user_store(store_id: UUID, tx: Tx, caller: Signed) -> UserStore:
    """Have the store's people read anew within seconds; `health` tells how it went."""
    return await service.ask_sync(tx, caller, store_id)


@router.post("/{store_id}/find-people", response_model=EntriesOut,
             responses=may_fail(UserStoreUnknown, PermissionMissing, UserStoreUnreachable,
                                UserStoreRefused))  # fmt: skip
async def find_store_people(
    store_id: UUID, body: FindBody, caller: Signed, request: Request
) -> EntriesOut:
    """Find people in the directory, a hundred at most."""
    state = request.app.state
    found = await service.list_entries(
        state.database, caller, store_id, state.sealer, state.directories, body.q
    )
    return EntriesOut(items=[EntryOut.model_validate(entry) for entry in found])


@router.post("/{store_id}/people", response_model=EntryOut, status_code=201,
             responses=may_fail(UserStoreUnknown, PermissionMissing, UserStoreReadOnly,
                                UserStoreUnreachable, UserStoreRefused))  # fmt: skip
async def add_store_person(
    store_id: UUID, body: EntryBody, caller: Signed, request: Request
) -> Entry:
    """Make a person in the directory, where it may be written."""
    state = request.app.state
    return await service.make_entry(
        state.database, caller, store_id, body.to_model(), state.sealer, state.directories
    )


@router.patch("/{store_id}/people/{entry_id}", response_model=EntryOut,
              responses=may_fail(UserStoreUnknown, PermissionMissing, EntryUnknown,
                                 UserStoreReadOnly, UserStoreUnreachable, UserStoreRefused,
                                 UserStoreShared))  # fmt: skip
async def change_store_person(
    store_id: UUID, entry_id: EntryId, body: EntryPatch, caller: Signed, request: Request
) -> Entry:
    """Change, close or open a person in the directory, or set their password."""
    state = request.app.state
    return await service.change_entry(
        state.database, caller, store_id, entry_id, body.given(), state.sealer, state.directories
    )


@router.post("/{store_id}/people/{entry_id}/account", status_code=204,
             responses=may_fail(UserStoreUnknown, PermissionMissing, EntryUnknown, AccountUnfit,
                                UserStoreUnreachable, UserStoreRefused))  # fmt: skip
async def give_store_person_account(
    store_id: UUID, entry_id: EntryId, caller: Signed, request: Request, response: Response
) -> None:
    """Make a person's account before they first sign in; `Location` says where it is."""
    state = request.app.state
    user = await service.give_account(
        state.database, caller, store_id, entry_id, state.sealer, state.directories
    )
    response.headers["Location"] = f"/api/v1/users/{user.id}"
