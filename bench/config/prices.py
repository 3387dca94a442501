"""Prices: a dated, editable file, and what a suite puts in its place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.core.errors import UsageError
from bench.core.explain import explain
from bench.core.measured import Environment, TokenPrices
from bench.core.yaml_file import read_mapping

DEFAULT = Path(__file__).parent / "prices.yaml"


class Prices(BaseModel):
    """Prices in one currency. Units are in the names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field("USD", description="of all prices")
    as_of: date = Field(alias="date", description="the day the prices were looked up")
    gpu_hour: Mapping[str, Annotated[float, Field(ge=0)]] = Field(
        description="part of a device's name: price of an hour; `other` for the rest"
    )
    cpu_core_hour: float = Field(ge=0, description="an hour of a CPU core")
    kwh: float = Field(ge=0, description="a kilowatt hour")
    tokens: Mapping[str, TokenPrices] = Field(
        default={}, description="name of a served model: price of a million tokens, in place of the one of its endpoint"
    )
    sources: Mapping[str, str] = Field(default={}, description="name of a price: where it comes from")

    def hour(self, environment: Environment) -> float:
        """An hour of the device that a record's environment names: its GPUs, or all threads of a CPU."""
        if environment.device != "cuda":
            return self.cpu_core_hour * (environment.threads or 1)
        priced = (price for part, price in self.gpu_hour.items() if part in environment.device_name)
        return environment.gpus * next(priced, self.gpu_hour["other"])


def read(content: Mapping[str, Any], where: str) -> Prices:
    """Prices from a mapping; raises UsageError, with `where`, for what is wrong in it."""
    try:
        prices = Prices.model_validate(content)
    except ValidationError as error:
        raise UsageError("\n".join(f"{where}: {line}" for line in explain(error, Prices, at=["prices"]))) from None
    if "other" not in prices.gpu_hour:
        raise UsageError(f'{where}: prices: gpu_hour needs a price for "other" devices')
    return prices


def replaced(changes: Mapping[str, Any], where: str) -> Prices:
    """The default prices with what a suite says instead."""
    unchanged = _bundled()
    own = changes.get("gpu_hour", {})
    # The first name that fits counts, so that the suite's own stand in front.
    gpu_hour = {**own, **unchanged["gpu_hour"], **own} if isinstance(own, Mapping) else own
    sources = {name: text for name, text in unchanged["sources"].items() if name not in changes}
    return read({**unchanged, "sources": sources, **changes, "gpu_hour": gpu_hour}, where)


@cache
def _bundled() -> dict[str, Any]:
    return read_mapping(DEFAULT, str(DEFAULT), "prices are a mapping")
