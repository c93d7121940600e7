"""Texts with places: what goes in comes out as a value, never as syntax."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.kit.template import Into, Template, TemplateInvalid, ValueMissing

ROOTS = ("device", "document", "readings", "at")
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def render(text: str, into: Into, **scope: object) -> str:
    return Template(text, into, ROOTS).render(scope)


@given(values)
def test_a_json_body_holds_any_value_whole(value: object) -> None:
    made = render('{"v": {{document.x}}}', Into.JSON, document={"x": value})
    assert json.loads(made) == {"v": value}


@given(st.text())
def test_inside_quotes_a_text_stays_inside(text: str) -> None:
    made = render('{"v": "a {{ device.name }} b"}', Into.JSON, device={"name": text})
    assert json.loads(made) == {"v": f"a {text} b"}


def test_quotes_in_the_template_are_followed() -> None:
    made = render(r'{"\"": "{{device.name}}", "n": {{device.n}}}', Into.JSON,
                  device={"name": '"', "n": 1.5})  # fmt: skip
    assert json.loads(made) == {'"': '"', "n": 1.5}


def test_a_url_is_percent_encoded() -> None:
    made = render("https://x.example/{{device.name}}?t={{at}}", Into.URL,
                  device={"name": "a/b ?&#æ"}, at="2026-11-01T00:00:00Z")  # fmt: skip
    assert made == "https://x.example/a%2Fb%20%3F%26%23%C3%A6?t=2026-11-01T00%3A00%3A00Z"


def test_a_topic_gets_no_new_levels_or_wildcards() -> None:
    assert render("t/{{device.name}}", Into.TOPIC, device={"name": "a/b+#"}) == "t/a_b__"


def test_names_lead_into_objects_lists_and_dotted_keys() -> None:
    scope = {"a": [{"b": 7}], "battery.voltage": 3.6}
    made = render("{{document.a.0.b}} {{document.battery.voltage}}", Into.TEXT, document=scope)
    assert made == "7 3.6"


def test_what_is_missing_is_null_in_json_empty_in_text_and_refused_in_a_url() -> None:
    assert render('[{{document.x}}, "{{document.x}}"]', Into.JSON, document={}) == '[null, ""]'
    assert render("<{{document.x}}>", Into.TEXT) == "<>"
    with pytest.raises(ValueMissing) as missing:
        render("https://x.example/{{document.x}}", Into.URL, document={})
    assert missing.value.public == {"place": "document.x"}


@pytest.mark.parametrize("text", ["{{secrets.x}}", "{{}}", "{{a b}}", "{{document.x()}}"])
def test_nothing_but_known_names_can_be_asked_for(text: str) -> None:
    with pytest.raises(TemplateInvalid):
        Template(text, Into.TEXT, ROOTS)
