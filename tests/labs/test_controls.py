"""Settings: one declaration, and everything that is derived from it."""

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs import LABS
from labs.answers import query_of
from labs.controls import (
    Choice,
    Integer,
    Number,
    Refusal,
    Toggle,
    Words,
    from_query,
    setting,
    specs,
    to_query,
    validate,
)
from labs.text import Text
from tests.labs.strategies import bounds, outside, settings

EVERY_LAB = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)


@dataclass(frozen=True)
class Sample:
    """One field of each kind."""

    steps: int = setting(
        10, Integer(label=Text("Steps", "步数"), key="s", minimum=2, maximum=50, unit="steps")
    )
    scale: float = setting(
        1.0, Number(label=Text("Scale", "比例"), key="w", minimum=-1.0, maximum=1.0, step=0.1)
    )
    kind: str = setting(
        "a",
        Choice(
            label=Text("Kind", "种类"),
            key="k",
            options={"a": Text("A", "甲"), "b": Text("B", "乙")},
        ),
    )
    word: str = setting("x", Words(label=Text("Word", "词"), key="t", longest=5))
    on: bool = setting(False, Toggle(label=Text("On", "开"), key="o"))


@EVERY_LAB
def test_a_link_carries_every_setting(lab):
    @given(settings(lab.settings))
    def law(chosen):
        again = from_query(lab.settings, query_of(to_query(chosen)))
        for name in specs(lab.settings):
            before, after = getattr(chosen, name), getattr(again, name)
            assert after == (
                pytest.approx(before, rel=1e-5, abs=1e-9) if isinstance(before, float) else before
            )

    law()


@EVERY_LAB
def test_defaults_make_an_empty_link_and_pass_their_own_rules(lab):
    assert to_query(lab.settings()) == ""
    for name, spec in specs(lab.settings).items():
        assert spec.parse(name, getattr(lab.settings(), name)) == getattr(lab.settings(), name)


@EVERY_LAB
def test_url_keys_are_short_and_unique(lab):
    keys = [spec.key for spec in specs(lab.settings).values()]
    assert len(set(keys)) == len(keys)
    assert all(key.isalnum() and len(key) <= 10 for key in keys)
    assert not {"lab", "hide", "language", "__theme"} & set(keys)


@EVERY_LAB
def test_six_controls_at_most_are_in_sight_at_once(lab):
    places = [s for s in specs(lab.settings).values() if s.place == "rail" and s.when is None]
    assert len(places) <= 6


@EVERY_LAB
def test_conditions_name_settings_and_options_that_exist(lab):
    declared = specs(lab.settings)
    for spec in declared.values():
        if spec.when:
            name, allowed = spec.when
            assert all(declared[name].parse(name, value) == value for value in allowed)


@EVERY_LAB
def test_bounds_are_taken_and_all_beyond_is_refused_with_the_name(lab):
    for name, spec in specs(lab.settings).items():
        for value in bounds(spec, getattr(lab.settings(), name)):
            assert spec.parse(name, value) == value
        for value in outside(spec):
            with pytest.raises(Refusal) as refused:
                spec.parse(name, value)
            assert len(refused.value.text.en) < 400
            assert refused.value.text.zh


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 1}, "steps must be between 2 and 50, got 1."),
        ({"steps": "7.5"}, "steps must be a whole number, got '7.5'."),
        ({"steps": "many"}, "steps must be a number, got 'many'."),
        ({"scale": float("nan")}, "scale must be a finite number, got nan."),
        ({"kind": "c"}, "kind must be one of a, b, got 'c'."),
        ({"word": "much too long"}, "word must have 1 to 5 characters, got 13."),
        ({"on": 2}, "on must be true or false, got 2."),
        ({"speed": 2}, "settings has no such name, got 'speed'."),
    ],
)
def test_a_refusal_names_field_rule_and_value(values, sentence):
    with pytest.raises(Refusal) as refused:
        validate(Sample, values)
    assert str(refused.value) == sentence


def test_numbers_come_as_numerals_too():
    assert validate(Sample, {"steps": "12", "on": "1", "word": "  a   b "}) == Sample(
        12, word="a b", on=True
    )


def test_only_what_differs_from_the_default_is_in_the_link():
    assert to_query(Sample(steps=12, scale=0.1)) == "s=12&w=0.1"


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5))
def test_a_foreign_query_is_refused_or_read_but_never_breaks(query):
    with contextlib.suppress(Refusal):
        assert isinstance(from_query(Sample, query), Sample)
