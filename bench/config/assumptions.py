"""What only the team that owns a task can say: how much is asked, how often things change, what must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.core.errors import UsageError
from bench.core.explain import explain

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
ByMethod = NotNegative | dict[str, NotNegative]  # a number, or method: number, with `other` for the rest


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Requirements(_Strict):
    """What a method must hold to be chosen; what is left out is not asked for."""

    quality: float | None = Field(None, description="of the primary metric, at least; at most where lower is better")
    latency_p95_s: Positive | None = Field(None, description="seconds for one question, in 19 of 20 cases")
    retention_loss: NotNegative | None = Field(None, description="of any probe's score, in its unit")
    memory_gib: Positive | None = Field(None, description="highest of any phase")
    money_per_month: Positive | None = Field(None, description="all of it, spread over the months")
    data_stays: bool = Field(
        False, description="what is asked stays on this machine: no endpoint elsewhere, as a model or as a teacher"
    )


class Assumptions(_Strict):
    """The period and the prices that no record holds. Money is in the currency of the prices."""

    queries_per_month: Positive = Field(10_000.0, description="how often the task will be asked")
    months: Positive = Field(12.0, description="over which costs are added up")
    updates_per_month: NotNegative = Field(0.0, description="times that documents, examples or labels change")
    hosting_per_month: ByMethod = Field(0.0, description="money to keep a method served, whatever the volume")
    hourly_rate: NotNegative = Field(0.0, description="money for an hour of people's time")
    setup_hours: ByMethod = Field(0.0, description="people's hours to set a method up, once")
    upkeep_hours_per_month: ByMethod = Field(0.0, description="people's hours a month to keep a method running")
    serving: Literal["batches", "one by one"] = Field("batches", description="how questions are answered")
    value_of_right: Positive | None = Field(None, description="what a correct answer is worth")
    margin: Positive | None = Field(
        None, description="a difference of the primary metric that matters; default: a fiftieth of its scale"
    )
    require: Requirements = Field(Requirements(), description="what must hold, or a method is not chosen")

    def hosting(self, method: str) -> float:
        """Hosting of a method for a month."""
        return _amount(self.hosting_per_month, method)

    def people_once(self, method: str) -> float:
        """People's time to set a method up."""
        return self.hourly_rate * _amount(self.setup_hours, method)

    def people_monthly(self, method: str) -> float:
        """People's time to keep a method running for a month."""
        return self.hourly_rate * _amount(self.upkeep_hours_per_month, method)

    @property
    def counted(self) -> str:
        """What costs are made of, in words."""
        hosting, people = _some(self.hosting_per_month), _some(self.setup_hours) or _some(self.upkeep_hours_per_month)
        if hosting and people:
            return "compute, hosting and people's time"
        return "compute and hosting" if hosting else "compute and people's time" if people else "compute only"


def _amount(given: float | dict[str, float], method: str) -> float:
    return given.get(method, given.get("other", 0.0)) if isinstance(given, dict) else given


def _some(given: float | dict[str, float]) -> bool:
    return any(given.values()) if isinstance(given, dict) else given > 0


def read(content: Mapping[str, Any], where: str) -> Assumptions:
    """Assumptions from a mapping; raises UsageError, with `where`, for what is wrong in it."""
    try:
        assumed = Assumptions.model_validate(content)
    except ValidationError as error:
        raise UsageError("\n".join(f"{where}: {line}" for line in explain(error, Assumptions, at=["decide"]))) from None
    if not assumed.hourly_rate and (_some(assumed.setup_hours) or _some(assumed.upkeep_hours_per_month)):
        raise UsageError(f"{where}: decide: hours of people need hourly_rate, the money of an hour")
    return assumed
