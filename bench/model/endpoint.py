"""An endpoint: a model that answers over HTTP, and whose weights are not here."""

from __future__ import annotations

import ipaddress
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bench.core.hashing import canonical, sha256
from bench.core.measured import TokenPrices

Reader: TypeAlias = Literal["auto", "likelihood", "decisions", "echo", "schema", "generation"]


class EndpointSpec(BaseModel):
    """Where a served model is asked, and what it may cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(description="address up to /v1, such as http://localhost:8000/v1")
    model: str = Field(min_length=1, description="the model's name, as the endpoint knows it")
    key_env: str = Field(
        "", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", description="the name of the environment variable with the API key"
    )
    api: Literal["auto", "chat", "completions"] = Field(
        "auto", description="prompts as a conversation, or as plain text; auto: the first of both that answers"
    )
    concurrency: int = Field(16, ge=1, le=256, description="requests at once, at most")
    timeout_s: float = Field(120.0, gt=0, description="seconds for one request")
    retries: int = Field(6, ge=0, le=20, description="times that a request is repeated after a passing failure")
    max_money: float | None = Field(None, gt=0, description="of all requests of a run, in the currency of the prices")
    max_tokens: int | None = Field(None, gt=0, description="of all requests of a run, prompts and answers")
    context_length: int | None = Field(None, gt=0, description="in tokens; default: as the endpoint reports")
    price: TokenPrices | None = Field(
        None, description="of a million tokens: input, output, cached_input, and the date when they were looked up"
    )
    repeats: int = Field(20, ge=0, description="test items that are asked twice, to see how steady answers are")
    extra: dict[str, Any] = Field({}, description="fields of every request; null leaves a field out")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must begin with http:// or https:// and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("holds more than an address; keep keys in an environment variable and name it in key_env")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _priced(self) -> EndpointSpec:
        if self.max_money is not None and self.price is None:
            raise ValueError("max_money needs `price`; add price: {input: …, output: …, date: …}")
        return self

    @property
    def digest(self) -> str:
        """sha256 over what decides the answers: neither the key, nor prices, nor how many are asked at once."""
        named = {name: getattr(self, name) for name in ("base_url", "model", "api", "context_length", "extra")}
        return sha256(canonical(named))

    @property
    def stays(self) -> bool:
        """Whether what is asked stays on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
