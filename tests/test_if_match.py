"""Of two changes made with the same ETag at the same time, one is refused."""

from __future__ import annotations

import asyncio

from borders import North, filled

EDITED = [
    ("/api/v1/organizations/{organization_id}", "/organizations"),
    ("/api/v1/permissions/{group_id}", "/permissions"),
    ("/api/v1/users/{user_id}", "/users"),
    ("/api/v1/api-keys/{key_id}", "/api-keys"),
    ("/api/v1/targets/{target_id}", "/targets"),
    ("/api/v1/routes/{route_id}", "/routes"),
    ("/api/v1/sources/{source_id}", "/sources"),
    ("/api/v1/brokers/{broker_id}", "/brokers"),
    ("/api/v1/applications/{application_id}", "/applications"),
    ("/api/v1/devices/{device_id}", "/devices"),
    ("/api/v1/decoders/{decoder_id}", "/decoders"),
]


async def test_two_changes_of_one_version_do_not_both_pass(north: North) -> None:
    for path, where in EDITED:
        url = filled(path, north.ids)
        read = await north.admin.get(url)
        assert read.status_code == 200, (where, read.text)
        tag = {"If-Match": read.headers["ETag"]}
        answers = await asyncio.gather(
            *(north.admin.patch(url, json={"name": f"Name {i}"}, headers=tag) for i in range(4))
        )
        assert sorted(a.status_code for a in answers) == [200, 412, 412, 412], (
            where, [a.text for a in answers],
        )  # fmt: skip


async def test_test_cases_keep_to_the_version_that_was_read(north: North) -> None:
    url = filled("/api/v1/decoders/{decoder_id}/test-cases", north.ids)
    read = await north.admin.get(url)
    case = {"name": "one", "input": {"bytes": "01"}, "expected": {}}
    tag = {"If-Match": read.headers["ETag"]}
    first = await north.admin.put(url, json=[case], headers=tag)
    second = await north.admin.put(url, json=[], headers=tag)
    third = await north.admin.put(url, json=[], headers={"If-Match": first.headers["ETag"]})
    assert [first.status_code, second.status_code, third.status_code] == [200, 412, 200]
