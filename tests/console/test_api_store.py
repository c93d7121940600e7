"""The API store: an area is found, tried and taken along; a plan is asked for and agreed to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browsing import ROOT, Platform, Visitor
from harbour import administrator

pytestmark = pytest.mark.timeout(400)
CHIEF = "quay@example.org"
NODE = str(ROOT / "scripts" / "node")
TSC = str(ROOT / "console" / "node_modules" / "typescript" / "bin" / "tsc")
WORK = """
import { Client, Problem } from './moorage_plans.js'
const [url, apiKey, organizationId] = process.argv.slice(2)
const client = new Client({ url, apiKey })
const body = { organizationId, name: 'Of a client', requestsPerSecond: 5, burst: 5 }
const made = await client.makePlan(body)
const why = (refused) => refused instanceof Problem && refused.code
const code = await client.makePlan(body).catch(why)
const names = []
const page = (after) => client.listPlans({ organizationId, limit: 1, after })
for await (const plan of client.each(page))
  names.push(plan.name)
const changed = await client.changePlan(made.id, { burst: 4 })
console.log(JSON.stringify([code, names, changed.burst, await client.removePlan(made.id)]))
"""


@pytest.fixture(scope="module")
def quay(platform: Platform) -> tuple[str, str]:
    """Found Quay with an administrator of its own and a key; give its id and the key."""
    with closing(platform.client()) as client:
        quay_id = client.post("/api/v1/organizations", json={"name": "Quay"}).json()["id"]
        chief = administrator(client, quay_id, CHIEF, "Quay chief")
        body = {"organizationId": quay_id, "name": "Crane planner", "permissionGroupIds": [chief]}
        key = client.post("/api/v1/api-keys", json=body).raise_for_status().json()["key"]
        return quay_id, key


def test_an_area_of_the_api_is_found_tried_and_taken_along(
    quay: tuple[str, str], platform: Platform, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    visitor = visit()
    visitor.go("/apis")
    for mode in ("light", "phone"):
        visitor.turn(mode)
        visitor.look("api-store")
        visitor.examine("api-store")
    assert visitor.wrong == []
    chief = visit("light", CHIEF)
    page = chief.page
    chief.go("/apis")
    page.get_by_role("searchbox", name="What shall a program do?").fill("approve")
    expect(page.get_by_role("link", name="Read and try Data targets")).to_have_count(0)
    page.get_by_role("link", name="Read and try Plans").click()
    page.get_by_role("button", name="POST /api/v1/plans").click()
    form = page.get_by_role("form", name="makePlan")
    body = {"organizationId": quay[0], "name": "Tried", "requestsPerSecond": 2, "burst": 2}
    form.get_by_label("Body").fill("{")
    expect(form.get_by_role("button", name="Send")).to_be_disabled()
    form.get_by_label("Body").fill(json.dumps(body))
    form.get_by_role("button", name="Send").click()
    answer = form.get_by_role("region", name="Answer").first
    expect(answer.get_by_text("201", exact=True)).to_be_visible()
    expect(answer.get_by_text('"name": "Tried"')).to_be_visible()
    chief.settle()
    chief.look("api-trial")
    chief.examine("api-trial")
    for mode in ("phone", "danish"):
        visitor = visit(mode)
        visitor.go("/apis/plans?call=getPlan")
        visitor.page.get_by_label("plan_id").fill("x")
        visitor.page.get_by_role("form").get_by_role("button", name="Send").click()
        expect(visitor.page.get_by_text("422", exact=True)).to_be_visible()
        visitor.look("api-trial")
        # The browser itself tells that the answer was a refusal.
        assert [one for one in visitor.wrong if "422" not in one] == []
    page.get_by_role("button", name="Take it along").click()
    with page.expect_download() as taken:
        page.get_by_role("menuitem", name="Client in TypeScript").click()
    assert taken.value.suggested_filename == "moorage_plans.ts"
    taken.value.save_as(tmp_path / "moorage_plans.ts")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "work.js").write_text(WORK)
    options = ["--strict", "--target", "es2022", "--lib", "es2023,dom,dom.iterable"]
    module = ["--module", "esnext", "--moduleResolution", "bundler", "--typeRoots", str(tmp_path)]
    compiled = subprocess.run(
        [NODE, "node", TSC, *options, *module, "moorage_plans.ts"], cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stdout
    run = [NODE, "node", "work.js", platform.url, quay[1], quay[0]]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = ["api.plan_name_taken", ["Of a client", "Tried"], 4, None]
    assert json.loads(done.stdout) == told
    assert chief.wrong == []


def test_a_plan_is_made_asked_for_and_agreed_to(
    quay: tuple[str, str], visit: Callable[..., Visitor]
) -> None:
    anna = visit()
    anna.go("/plans?new=true")
    form = anna.page.get_by_role("dialog")
    form.get_by_role("textbox", name="Name").fill("Partner")
    form.get_by_label("Requests in each period").fill("100000")
    anna.look("plan-form")
    anna.examine("plan-form")
    form.get_by_role("button", name="Create").click()
    expect(anna.page.get_by_text("100,000 requests in 1 day")).to_be_visible()
    for mode in ("phone", "light"):
        anna.turn(mode)
        anna.look("plans")
        anna.examine("plans")

    chief = visit("light", CHIEF)
    page = chief.page
    chief.go("/plans?tab=subscriptions")
    page.get_by_role("button", name="Put on a plan").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox", name="Who").click()
    page.get_by_role("option", name="Crane planner").click()
    form.get_by_role("combobox", name="Plan").click()
    page.get_by_role("option", name="Partner").click()
    form.get_by_role("button", name="Put on a plan").click()
    expect(page.get_by_text("Asked for", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Agree")).to_have_count(0)

    anna.go("/plans?tab=subscriptions")
    expect(anna.page.get_by_text("Crane planner")).to_be_visible()
    anna.settle()
    anna.look("subscriptions")
    anna.examine("subscriptions")
    anna.page.get_by_role("button", name="Agree").click()
    expect(anna.page.get_by_text("Holds", exact=True)).to_be_visible()
    for modes in (("light", "phone"), ("danish",)):
        visitor = visit(modes[0])
        visitor.go("/usage?period=day")
        expect(visitor.page.get_by_text("Anna").last).to_be_visible()
        for mode in modes:
            visitor.turn(mode)
            visitor.look("usage")
            visitor.examine("usage")
        assert visitor.wrong == []
    assert anna.wrong == []
    assert chief.wrong == []
