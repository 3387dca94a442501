"""Policies: one line for each mistake, before any record is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.core.errors import UsageError
from bench.gate.policy import DEFAULT, load


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a policy is a mapping"),
        ("- a list", "a policy is a mapping"),
        ("a: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
        ("mode: regression", "no check: add one under quality, retention or cost"),
        ("quality: []", "no check"),
        ("quality: null", "quality is null; it must be a list"),
        ("quality: [{margin: 1%}]\nquality: []", ':2: the key "quality" stands twice'),
        ("qualty: []", 'unknown key "qualty" (did you mean "quality"?)'),
        ("quality: [{margn: 1%}]", 'unknown key "quality.0.margn" (did you mean "margin"?)'),
        ("quality: [{}]", 'missing key "quality.0.margin"'),
        ("quality: [{margin: -0.02}]", "quality.0.margin: should be 0 or more; got -0.02"),
        ("quality: [{margin: true}]", "quality.0.margin: should be a number, or a share such as 2%; got true"),
        ("quality: [{margin: two}]", 'should be a number, or a share such as 2%; got "two"'),
        ("quality: [{margin: .nan}]", "should be 0 or more; got NaN"),
        ("quality: [{margin: 1e400}]", ":1: the number 1e400 is too large"),
        ("{!!timestamp }", ':1: the tag "tag:yaml.org,2002:timestamp" is not allowed'),
        ("quality: [{margin: 0}]", "margin is 0; say with detect which drop must be found"),
        ("quality: [{margin: 2%, detect: 2%}]", "detect must be above margin"),
        ("mode: non-inferiority\nquality: [{margin: 0, detect: 1%}]", "margin is 0; non-inferiority needs one above 0"),
        ("quality: [{margin: 1%, metric: acuracy}]", 'unknown metric "acuracy" (did you mean "accuracy"?)'),
        (
            "quality: [{margin: 1%, tier: critcal}]",
            'is "critcal" (did you mean "critical"?); allowed: critical, ',
        ),
        ("quality: [{margin: 1%, tier: advisory}]", "every check is advisory"),
        (
            "cost: [{counter: promt_tokens, limit: 10%}]",
            'unknown counter "promt_tokens" (did you mean "prompt_tokens"?)',
        ),
        ("cost: [{counter: steps}]", 'missing key "cost.0.limit"'),
        ("mode: regresion\nquality: [{margin: 1%}]", 'mode is "regresion" (did you mean "regression"?)'),
        ("alpha: 0.7\nquality: [{margin: 1%}]", "alpha is 0.7; it must be less than 0.5"),
        ("alpha: '0.05'\nquality: [{margin: 1%}]", 'alpha is "0.05"; it must be a number'),
        ("power: 0.04\nquality: [{margin: 1%}]", "power is 0.04; it must be above alpha, 0.05"),
        ("may_change: [promt]\nquality: [{margin: 1%}]", 'may_change.0 is "promt" (did you mean "prompt"?)'),
        ("rename: {model: {}}\nquality: [{margin: 1%}]", 'unknown key "rename.model" (did you mean "models"?)'),
    ],
)
def test_a_mistake_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        load(file)
    assert words in str(raised.value)
    assert str(raised.value).startswith(str(file))
    assert len(str(raised.value).splitlines()) == 1


def test_every_mistake_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text("alpha: 2\nquality:\n  - {margin: -1}\n  - {tier: x, margin: 1%}\n")
    with pytest.raises(UsageError) as raised:
        load(file)
    assert len(str(raised.value).splitlines()) == 3


def test_a_file_that_is_not_there_has_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text("")
    with pytest.raises(UsageError, match=r'no policy file ".*gatee.yaml".*did you mean "gate.yaml"'):
        load(tmp_path / "gatee.yaml")


def test_every_policy_of_the_documentation_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "margin:" in block]
    assert blocks
    for block in blocks:
        (tmp_path / "gate.yaml").write_text(block)
        assert load(tmp_path / "gate.yaml").quality


def test_the_bundled_policy_is_one(tmp_path: Path) -> None:
    assert load(None) == load(DEFAULT)
    assert load(None, "non-inferiority").mode == "non-inferiority"
    assert [entry.margin.of(100.0) for entry in load(None).quality] == [2.0]


def test_an_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text("quality: [{metric: primary, margin: 1e-2}]")
    assert load(tmp_path / "gate.yaml").quality[0].margin.of(1.0) == 0.01
