"""From a validation error to lines."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bench.config.suite import EngineSettings
from bench.core.explain import MOST, explain


def _wrapped(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    path: str = Field(examples=["path: data.csv"])
    size: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    source: Literal["", "train"] = Field("", alias="from")


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field("x", pattern=r"^[a-z]+$", description="small letters")
    inner: Annotated[Inner, BeforeValidator(_wrapped)] | None = None
    several: list[Annotated[Inner, BeforeValidator(_wrapped)]] = []
    named: dict[str, Inner] = {}
    methods: list[str | dict[str, dict[str, Any] | None]] = []
    price: float | dict[str, float] = 1.0
    grid: tuple[float, ...] = ()


def said(given: dict[str, Any], at: Sequence[str] = (), described: bool = False, grids: bool = False) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(given)
    return explain(caught.value, Outer, at, described, grids)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"nam": "a"}, 'unknown key "nam" (did you mean "name"?); allowed: name, inner, several, named, '),
        ({"inner": {"path": "a", "form": "b"}}, 'unknown key "inner.form" (did you mean "from"?); allowed: path, '),
        ({"several": [{"path": "a"}, {"path": "b", "siz": 3}]}, 'unknown key "several.1.siz" (did you mean "size"?)'),
        ({"named": {"train": {"path": "a", "siz": 3}}}, 'unknown key "named.train.siz" (did you mean "size"?)'),
        ({"inner": {"pat": "a"}}, 'unknown key "inner.pat" (did you mean "path"?); allowed: path, size, from'),
        ({"inner": {}}, 'missing key "inner.path"; add it, for example path: data.csv'),
        (
            {"inner": {"path": "a", "from": "trian"}},
            'inner.from is "trian" (did you mean "train"?); allowed: train',
        ),
        ({"inner": {"path": "a", "size": 0}}, "inner.size is 0; it must be greater than or equal to 1"),
        ({"name": "A b"}, 'name is "A b"; it must be small letters'),
        ({"name": 3}, "name is 3; it must be text (in quotes)"),
        ({"methods": [3]}, "methods.0 is 3; it must be text (in quotes) or a mapping"),
        ({"methods": [{"lora": 3}]}, "methods.0.lora is 3; it must be a mapping"),
        ({"methods": [{"str": 3}]}, "methods.0.str is 3; it must be a mapping"),
        ({"price": {"a": "b"}}, 'price.a is "b"; it must be a number'),
        ({"grid": [0.1, "x"]}, 'grid.1 is "x"; it must be a number'),
    ],
)
def test_each_mistake_is_one_line(given: dict[str, Any], line: str) -> None:
    (found,) = said(given)
    assert found.startswith(line)


def test_a_near_match_in_one_branch_of_a_union_is_the_line() -> None:
    """A number would do too, but what was meant is known."""
    with pytest.raises(ValidationError) as caught:
        EngineSettings.model_validate({"micro_batch": "wide"})
    assert explain(caught.value, EngineSettings) == [
        'micro_batch is "wide" (did you mean "width"?); allowed: auto or width'
    ]


def test_where_the_model_stands_and_what_its_descriptions_say() -> None:
    assert said({"inner": {"path": "a", "size": 0}}, at=["splits"], described=True) == [
        "splits.inner.size is 0; it must be a whole number, 1 or more"
    ]


def test_a_value_of_a_grid_has_no_number() -> None:
    assert said({"grid": ["x"]}, grids=True)[0].startswith('grid is "x"')


def test_lines_are_few_and_short() -> None:
    start = time.perf_counter()
    lines = said({"methods": [["x" * 1000]] * 20_000, "name": "\x1b[31m" + "y" * 1_000_000})
    assert time.perf_counter() - start < 3
    assert len(lines) == MOST + 1
    assert re.fullmatch(r"\(\+[0-9]{5} more\)", lines[-1])
    assert max(map(len, lines)) < 200
    assert all(line.isprintable() for line in lines)
