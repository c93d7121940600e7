"""Units of readings: the message's own, else its decoder's, else its application's."""

from __future__ import annotations

from typing import Any

from web import World

SCRIPT = """function decodeUplink(input) {
  return {data: {temperature: input.bytes[0], open: true, place: "north"}};
}"""


async def test_a_series_has_the_unit_that_its_decoder_or_application_names(world: World) -> None:
    admin = await world.admin()

    async def call(method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = await admin.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    organization = (await call("POST", "/organizations", name="Aarhus"))["id"]
    units = {"flow": "m3/h", "temperature": "K"}
    application = await call(
        "POST", "/applications", organizationId=organization, name="Water", units=units
    )
    decoder = await call(
        "POST", "/decoders", organizationId=organization, name="One byte", script=SCRIPT,
        units={"temperature": "Cel", "open": "1", "place": "1"},
    )  # fmt: skip
    keys = {}
    for name, decoder_id in (("plain", None), ("decoded", decoder["id"])):
        device = await call(
            "POST", "/devices", applicationId=application["id"], name=name, decoderId=decoder_id
        )
        shown = await call("POST", f"/devices/{device['id']}/credentials", kind="key")
        keys[name] = device["id"], shown["secret"]

    async def units_after(name: str, **content: Any) -> dict[str, Any]:
        device_id, key = keys[name]
        headers = {"X-Device-Key": key} | content.pop("headers", {})
        sent = await world.client().post("/ingest/v1/up", headers=headers, **content)
        assert sent.status_code == 202, sent.text
        await world.work()
        latest = (await admin.get(f"/api/v1/devices/{device_id}/latest")).json()["latest"]
        (row, *_) = reversed(
            (await admin.get(f"/api/v1/devices/{device_id}/readings")).json()["items"]
        )
        shown = {one["series"]: one["unit"] for one in latest if one["unit"]}
        assert row["units"].items() <= shown.items()
        return shown

    assert await units_after("plain", json={"flow": 2, "level": 3}) == {"flow": "m3/h"}
    senml = [{"n": "flow", "u": "W", "v": 3}, {"n": "temperature", "v": 280}]
    assert await units_after(
        "plain", json=senml, headers={"Content-Type": "application/senml+json"}
    ) == {"flow": "W", "temperature": "K"}
    assert await units_after("decoded", content=b"\x15") == {"temperature": "Cel"}

    patch = {"temperature": None, "level": "cm"}
    changed = await call("PATCH", f"/applications/{application['id']}", units=patch)
    assert changed["units"] == {"flow": "m3/h", "level": "cm"}
    assert (await units_after("plain", json={"level": 4}))["level"] == "cm"
    changed = await call("PATCH", f"/decoders/{decoder['id']}", units={"temperature": "[degF]"})
    assert changed["version"] == 1
    assert await units_after("decoded", content=b"\x16") == {"temperature": "[degF]"}
    trial = await call(
        "POST", "/decoders/try", decoderId=decoder["id"], messages=[{"payload": "15"}]
    )
    assert trial["outcomes"][0]["readings"][0]["units"] == {"temperature": "[degF]"}
    copy = await call(
        "POST", f"/decoders/{decoder['id']}/copy", organizationId=organization, name="Copy"
    )
    assert copy["units"] == changed["units"]

    refused = await admin.patch(
        f"/api/v1/decoders/{decoder['id']}", json={"units": {"temperature": "°C"}}
    )
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/units/temperature"
