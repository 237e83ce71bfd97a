"""Settings of the mock server: checked when made, read from mappings and command lines."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from eyechart.errors import ConfigError
from eyechart.mockserver import FAULTS, MockSettings, parse_settings


def test_texts_of_a_command_line_become_settings():
    settings = parse_settings(
        [
            "latency=0.05",
            "slots=2",
            "retry_after=none",
            "check_images=true",
            "text=7",
            'models=["a", "b"]',
            "faults.hang=0.1",
            "faults.reset=0.2",
            'script={"a=b": ["x", "y"]}',
            "script_file=answers.json",
        ]
    )
    assert settings == MockSettings(
        latency=0.05,
        slots=2,
        retry_after=None,
        check_images=True,
        text="7",
        models=("a", "b"),
        faults={"hang": 0.1, "reset": 0.2},
        script={"a=b": ["x", "y"]},
        script_file=Path("answers.json"),
    )


def test_a_mapping_becomes_settings():
    assert parse_settings({"mode": "echo", "rpm": 60}) == MockSettings(mode="echo", rpm=60)
    assert parse_settings({}) == MockSettings()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["latencie=1"], "unknown setting 'latencie' (did you mean 'latency'?)"),
        (["latency"], "'latency' is not of the form key=value"),
        (["latency=soon"], "latency: Input should be a valid number"),
        (["mode=magic"], "mode: Input should be 'fixed', 'scripted', 'computed', 'echo' or 'judge'"),
        (["faults={hang}"], "the value of faults is not JSON"),
        (["faults={}", "faults.hang=1"], None),
        (["text=a", "text.b=1"], "text is set both as a whole and by entry"),
        (["faults.hnag=0.1"], "unknown fault 'hnag' (did you mean 'hang'?)"),
        (["fault_rate=1.2"], "fault_rate is a chance between 0 and 1, not 1.2"),
        (["fault_rate=0.7", "faults.hang=0.4"], "add up to 1.1, more than 1"),
        (['fail_always={"re:(": "hang"}'], "'re:(' is not a regular expression"),
        (["latency=-1"], "latency cannot be negative"),
        (["slots=0"], "slots must be at least 1"),
    ],
)
def test_wrong_settings_say_what_is_wrong(given, told):
    if told is None:
        assert parse_settings(given).faults == {"hang": 1.0}
        return
    with pytest.raises(ConfigError) as caught:
        parse_settings(given)
    assert told in str(caught.value)


def test_one_rate_is_spread_over_all_kinds_and_single_rates_are_added():
    table = dict(MockSettings(fault_rate=0.36, faults={"hang": 0.1, "bad_request": 0.05}).fault_table)
    assert set(table) == {*FAULTS, "bad_request"}
    assert table["reset"] == pytest.approx(0.02)
    assert table["hang"] == pytest.approx(0.12)
    assert sum(table.values()) == pytest.approx(0.51)


def test_the_spread_can_be_limited_to_some_kinds():
    assert MockSettings(fault_rate=0.5, fault_kinds=("hang", "reset")).fault_table == (("hang", 0.25), ("reset", 0.25))
    assert MockSettings().fault_table == ()


def test_the_key_is_not_shown():
    assert "canary" not in repr(MockSettings(api_key="canary"))


def test_every_setting_is_documented():
    for field in dataclasses.fields(MockSettings):
        assert f"{field.name}:" in (MockSettings.__doc__ or ""), field.name
