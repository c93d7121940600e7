"""A real policy decision point, AuthzForce's engine, asked before every request."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import web
from moorage.kit.decisions import RESOURCE_ID, Asked, DecisionPoint, Question
from moorage.organizations import Role

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / ".cache" / "authzforce"
SOURCE = Path(__file__).parent / "authzforce" / "Pdp.java"
STRING = "http://www.w3.org/2001/XMLSchema#string"
SUBJECT = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject"
ACTION = "urn:oasis:names:tc:xacml:3.0:attribute-category:action"
RESOURCE = "urn:oasis:names:tc:xacml:3.0:attribute-category:resource"

_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<pdp xmlns="http://authzforce.github.io/core/xmlns/pdp/8" version="8.1"
     xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <policyProvider id="own" xsi:type="StaticPolicyProvider">
    <policyLocation>${PARENT_DIR}/policy.xml</policyLocation>
  </policyProvider>
  <rootPolicyRef>doors</rootPolicyRef>
</pdp>
"""
_POLICY = """<?xml version="1.0" encoding="UTF-8"?>
<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="doors" Version="1.0"
 RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-overrides">
  <Target/>
  {rules}
</Policy>
"""


def rule(effect: str, *matches: tuple[str, str, str]) -> str:
    """Write a rule: its effect where each attribute of a category is a text."""
    written = "".join(
        f'<Match MatchId="urn:oasis:names:tc:xacml:1.0:function:string-equal">'
        f'<AttributeValue DataType="{STRING}">{text}</AttributeValue>'
        f'<AttributeDesignator Category="{category}" AttributeId="{name}"'
        f' DataType="{STRING}" MustBePresent="false"/></Match>'
        for category, name, text in matches
    )
    return (
        f'<Rule RuleId="rule-{abs(hash(written))}" Effect="{effect}"><Target><AnyOf><AllOf>'
        f"{written}</AllOf></AnyOf></Target></Rule>"
    )


@contextmanager
def engine(directory: Path, *rules: str) -> Iterator[str]:
    """Run the engine with some rules; give where it takes questions."""
    java = shutil.which("java")
    assert java, "Java is not installed; run scripts/system-packages peers."
    assert (ENGINE / ".stamp").exists(), "The engine is not there; run make test-peers."
    (directory / "pdp.xml").write_text(_SETTINGS)
    (directory / "policy.xml").write_text(_POLICY.format(rules="\n".join(rules)))
    # Java's server otherwise waits 40 ms for an acknowledgement before it answers.
    command = [
        java, "-Dsun.net.httpserver.nodelay=true", "-cp", f"{ENGINE}/*", str(SOURCE),
        str(directory / "pdp.xml"),
    ]  # fmt: skip
    with (directory / "engine.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().isdigit():
                yield f"http://127.0.0.1:{line.strip()}/pdp"
                break
        else:
            raise AssertionError((directory / "engine.log").read_text())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_the_engine_understands_what_it_is_asked(database_url: str, tmp_path: Path) -> None:
    closed = "0190b5a0-0000-7000-8000-00000000000c"
    rules = (
        rule("Permit", (SUBJECT, "urn:moorage:subject:kind", "person"),
             (ACTION, "urn:oasis:names:tc:xacml:1.0:action:action-id", "GET")),
        rule("Permit", (SUBJECT, "urn:moorage:subject:name", "admin@example.org")),
        rule("Deny", (RESOURCE, "urn:moorage:resource:application-id", closed)),
    )  # fmt: skip
    with engine(tmp_path, *rules) as url:
        # Its first answer waits for what Java loads, which is long on a busy machine.
        where = {"MOORAGE_DECISIONS_URL": url, "MOORAGE_DECISIONS_TIMEOUT_S": "10"}
        point = DecisionPoint(Asked(url, timeout_s=60))
        assert not await point.permits(Question((), "GET", ((RESOURCE_ID, "/"),)))
        await point.close()
        async with web.running(database_url, tmp_path, **where) as world:
            admin = await world.admin()
            north = await world.organization("North")
            ann = await world.person("ann@example.org", north.id, Role.APPLICATION_ADMIN)
            body = {"organizationId": str(north.id), "name": "Water"}
            made = await admin.post("/api/v1/applications", json=body)
            assert made.status_code == 201, made.text
            path = f"/api/v1/applications/{made.json()['id']}"
            assert (await ann.get(path)).status_code == 200
            # She has the right; no rule is about it (NotApplicable).
            refused = await ann.patch(path, json={"name": "Mine"})
            assert (refused.status_code, refused.json()["code"]) == (403, "decisions.denied")
            assert (await admin.patch(path, json={"name": "Ours"})).status_code == 200
            # One id of several that is denied denies the request.
            for client in (ann, admin):
                listed = await client.get(
                    path, params={"applicationId": [made.json()["id"], closed]}
                )
                assert listed.json()["code"] == "decisions.denied"
