"""Requests to an endpoint: kept before they are used, repeated where that can help, within the suite's budget.

A request that was answered is never sent again. What can pass by itself is tried again (429, 5xx, timeouts, answers
that are cut off); what is wrong with the request is not. What goes on failing fails the cell: it is never an answer.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx2

from bench.core.errors import BudgetError, EndpointError
from bench.core.json_text import parse
from bench.core.measured import TokensUsed
from bench.core.quoting import quoted
from bench.model.endpoint import EndpointSpec
from bench.served.kept_answers import Kept, KeptAnswers, Request
from bench.served.pace import LONGEST_WAIT_S, Pace, retry_after
from bench.served.usage import estimate, usage_of

_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_TOO_MANY = {429, 503, 529}
_LONGEST_MESSAGE = 200
_SECRET = 16  # characters from which a key is a secret


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, or why there is none: `status` is that of HTTP, 0 where nothing came."""

    status: int
    content: dict[str, Any]
    seconds: float = 0.0
    usage: TokensUsed = field(default_factory=TokensUsed)
    message: str = ""  # of a refusal

    @property
    def ok(self) -> bool:
        return self.status == 200


class Client:
    """Asks one endpoint. `key` stands in no message: `told` takes it out."""

    def __init__(self, spec: EndpointSpec, kept: KeptAnswers, phase: Callable[[], str] = lambda: "predict") -> None:
        self.spec, self.kept, self._phase = spec, kept, phase
        self.used: dict[
            str, TokensUsed
        ] = {}  # by phase, of all that was asked, whether it was sent now or had been before
        self.model = ""  # as the endpoint calls it in its answers
        self._key = os.environ.get(spec.key_env, "").strip() if spec.key_env else ""
        if not (self._key.isascii() and self._key.isprintable()):
            raise EndpointError(f"{spec.key_env} holds no API key: it has characters that cannot stand in one")
        self._pace = Pace(spec.concurrency)
        self._open = TokensUsed()  # what requests in flight may use

    def ask(
        self, requests: Sequence[Request], done: Callable[[int], None] = lambda count: None, *, tries: int | None = None
    ) -> list[Reply]:
        """A reply to each request, in their order; `tries`: of those that fail, in place of the suite's number.

        Raises:
            EndpointError: the endpoint cannot be reached, refuses the key, is another model, or went on failing.
            BudgetError: the next request might cost more than is left.
        """
        self.kept.refresh()
        keys = [request.key(self.spec.base_url) for request in requests]
        different = dict(zip(keys, requests, strict=True))  # the same request is sent once
        replies: dict[str, Reply] = {}
        for key in different:
            kept = self.kept.get(key)
            if kept is not None and _same(self.spec.model, kept.content.get("model") or self.spec.model):
                replies[key] = self._taken(kept)
        missing = {key: request for key, request in different.items() if key not in replies}
        done(len(requests) - len(missing))
        if missing:
            asyncio.run(self._send(missing, replies, done, tries))
        return [replies[key] for key in keys]

    def look(self, path: str) -> dict[str, Any]:
        """What the endpoint tells at an address that costs nothing; {} where it tells nothing."""
        with self._reached(), httpx2.Client(**self._settings()) as session:
            response = session.get(self.spec.base_url + path)
        try:
            content = parse(response.text) if response.status_code == 200 else {}
        except ValueError:
            content = {}
        return content if isinstance(content, dict) else {}

    def told(self, text: str) -> str:
        """`text` of the endpoint as it can be shown: one line, shortened, without the key."""
        shown = " ".join((text.replace(self._key, "***") if self._key else text).split())
        return shown if len(shown) <= _LONGEST_MESSAGE else f"{shown[: _LONGEST_MESSAGE - 3]}..."

    def _without_secret(self, text: str) -> str:
        """An answer without the key; a short one, such as EMPTY, is no secret, and may be a word of the answer."""
        return text.replace(self._key, "***") if len(self._key) >= _SECRET else text

    async def _send(
        self, missing: dict[str, Request], replies: dict[str, Reply], done: Callable[[int], None], tries: int | None
    ) -> None:
        waiting, failures = list(missing)[::-1], list[BaseException]()
        open_: dict[asyncio.Task[Reply], tuple[str, httpx2.AsyncClient]] = {}
        kept: dict[asyncio.Task[Reply], str] = {}  # answered, and on their way to the disk
        free: list[httpx2.AsyncClient] = []  # one a request: the pool of one for all looks through them every time
        async with AsyncExitStack() as sessions:
            while open_ or kept or (waiting and not failures):
                while waiting and not failures and len(open_) < self._pace.allowed:
                    key = waiting.pop()
                    if not free:
                        free.append(await sessions.enter_async_context(httpx2.AsyncClient(**self._settings())))
                    session = free.pop()
                    open_[asyncio.create_task(self._one(session, missing[key], tries))] = key, session
                ended, _ = await asyncio.wait([*open_, *kept], return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    error = task.exception()
                    if error is not None:
                        failures.append(error)  # what is in flight is paid for: it is waited for
                    if task in kept:
                        key = kept.pop(task)
                        if error is None:
                            replies[key] = task.result()
                            done(1)
                        continue
                    key, session = open_.pop(task)
                    free.append(session)
                    if error is None:
                        kept[asyncio.create_task(self._keep(missing[key], task.result()))] = key
        if failures:
            raise failures[0]

    async def _one(self, session: httpx2.AsyncClient, request: Request, tries: int | None) -> Reply:
        """One request until it is answered or refused."""
        most = self.spec.retries if tries is None else tries
        for attempt in range(most + 1):
            while self._pace.wait_s:
                await asyncio.sleep(self._pace.wait_s)
            reply, wait_s = await self._try(session, request)
            if reply.ok:
                self._pace.went_well()
                return reply
            if reply.status in (401, 403):
                raise EndpointError(f"{self._name} refuses the key of {self.spec.key_env or 'nobody'}: {reply.message}")
            if not self._passes(reply):
                return reply
            if wait_s is not None and wait_s > LONGEST_WAIT_S:
                raise EndpointError(f"{self._name} asks to wait for {wait_s:,.0f} seconds: {reply.message}")
            if attempt < most:
                pause = min(30.0, 0.25 * 2**attempt) * random.uniform(0.5, 1.0) if wait_s is None else wait_s
                if reply.status in _TOO_MANY:
                    self._pace.was_refused(time.monotonic() - reply.seconds, pause)
                await asyncio.sleep(pause)
        if tries is not None:
            return reply
        raise EndpointError(
            f"{self._name} went on failing ({_status(reply)}, {most + 1} times): {reply.message}; "
            "what was answered is kept, so that the same command goes on"
        )

    async def _try(self, session: httpx2.AsyncClient, request: Request) -> tuple[Reply, float | None]:
        """One request, once; the seconds that the endpoint asks to wait, where it does."""
        expected = estimate(_characters(request.body), most_output(request.body))
        self._require_budget(expected)
        self._open += expected
        start = time.monotonic()
        try:
            response = await session.post(self.spec.base_url + request.path, json=request.body)
            if response.is_redirect:  # the key and the prompts are for the suite's address alone
                there = self.told(response.headers.get("location", "nowhere"))
                raise EndpointError(f"{self._name} redirects to {there}, which is not followed; name it as base_url")
            content = parse(self._without_secret(response.text)) if response.status_code == 200 else {}
            seconds = time.monotonic() - start
            if response.status_code == 200 and isinstance(content, dict):
                return Reply(200, content, seconds), None
            message = self.told(response.text) if response.status_code != 200 else "an answer that is no JSON object"
            status = response.status_code if response.status_code != 200 else 502
            return Reply(status, _dict(response.text), seconds, message=message), retry_after(
                response.headers.get("retry-after")
            )
        except httpx2.TimeoutException:
            return Reply(408, {}, time.monotonic() - start, message="no answer in time"), None
        except (httpx2.TransportError, ValueError) as error:  # not reached, or an answer that was cut off
            return Reply(0, {}, time.monotonic() - start, message=self.told(_words(error))), None
        finally:
            self._open -= expected

    async def _keep(self, request: Request, reply: Reply) -> Reply:
        """A reply, once it is on the disk where it is an answer."""
        if not reply.ok:
            return reply
        used = usage_of(reply.content, most_output(request.body), _characters(request.body))
        answer = Kept(reply.content, reply.seconds, used)
        await self.kept.keep(request.key(self.spec.base_url), answer)
        return self._taken(answer)

    def _taken(self, answer: Kept) -> Reply:
        """An answer that is kept, once its model is the one that was asked."""
        named = answer.content.get("model")
        if isinstance(named, str) and named:
            self._require_model(named)
        phase = self._phase()
        self.used[phase] = self.used.get(phase, TokensUsed()) + answer.usage
        return Reply(200, answer.content, answer.seconds, answer.usage)

    def _require_model(self, named: str) -> None:
        asked = self.spec.model
        if not _same(asked, named):
            raise EndpointError(
                f"{self._name} answers as model {quoted(self.told(named))}, not as {quoted(asked)}; name the right one"
            )
        if self.model not in ("", named):
            raise EndpointError(
                f"{self._name} answers as model {quoted(self.told(named))} now, and as {quoted(self.model)} before"
            )
        self.model = named

    def _require_budget(self, expected: TokensUsed) -> None:
        """Refuse a request that might use more than is left of the run's budget."""
        spec = self.spec
        self.kept.refresh()
        after = self.kept.spent + self._open + expected
        if spec.max_tokens is not None and after.tokens > spec.max_tokens:
            raise BudgetError(
                f"max_tokens {spec.max_tokens:,} of {self._name} does not allow the next request: "
                f"{self.kept.spent.tokens:,} are used, {(self._open + expected).tokens:,} more are expected"
            )
        if spec.max_money is not None and spec.price is not None and spec.price.money(after) > spec.max_money:
            raise BudgetError(
                f"max_money {spec.max_money:g} of {self._name} does not allow the next request: "
                f"{spec.price.money(self.kept.spent):.4g} are spent, "
                f"{spec.price.money(self._open + expected):.4g} more are expected"
            )

    def _passes(self, reply: Reply) -> bool:
        """Whether the failure can pass by itself."""
        return (reply.status in _PASSING or reply.status == 0) and "insufficient_quota" not in reply.message

    def _settings(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"timeout": self.spec.timeout_s, "headers": headers, "verify": self._certificates}

    @cached_property
    def _certificates(self) -> ssl.SSLContext | bool:
        """What https is checked against, read once; http needs none."""
        return httpx2.create_ssl_context() if self.spec.base_url.startswith("https") else False

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TransportError as error:
            raise EndpointError(f"{self._name} cannot be reached: {self.told(_words(error))}") from None

    @property
    def _name(self) -> str:
        return f"the endpoint {self.spec.base_url}"


def most_output(body: Any) -> int:
    """Tokens that the answers to a request hold at most."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    prompt = body.get("prompt")
    return int(limit) * (len(prompt) if isinstance(prompt, list) else 1)


def _characters(value: Any) -> int:
    """Characters of all texts in the content of a request."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, (*value, *value.values())))
    return sum(map(_characters, value)) if isinstance(value, list | tuple) else 0


def _same(asked: str, named: str) -> bool:
    """Whether an answer's model is the one that was asked: servers add dates, and leave out owners and folders."""
    first, second = sorted((_plain(asked), _plain(named)), key=len)
    return second.startswith(first) and re.fullmatch(r"([-_:.]?v?\d[\d.-]*)?", second[len(first) :]) is not None


def _plain(name: str) -> str:
    last = name.lower().rstrip("/").rpartition("/")[2].partition("@")[0]
    return last.removesuffix(".gguf").removesuffix(":latest").removesuffix("-latest")


def _status(reply: Reply) -> str:
    return f"HTTP {reply.status}" if reply.status else "no answer"


def _words(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _dict(text: str) -> dict[str, Any]:
    try:
        content = parse(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
