"""By which means choices are read off an endpoint: the best that a trial shows to work.

From the top: typed decisions, log-likelihoods of a prompt that is echoed, a JSON schema that enumerates the choices, a
text that names one. A server may ignore what it does not know, without a word: so every rung is tried on a known text,
and its answer is read and checked as those that are scored will be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import pstdev
from typing import Any

from bench.core.errors import EndpointError
from bench.core.prompt import Turn
from bench.engine.told_choices import STOP
from bench.served import wire
from bench.served.client import Client, Reply
from bench.served.prompts import Asked
from bench.served.wire import Dialect

_SKY = "The sky over the sea was clear and blue."
_QUESTION = "Which colour is named?"
_COLOURS = ("red", "blue", "green")
_ECHO = ("one two three four five", (" six seven", " xylophone of"))
_SIZES = (26, 10)  # choices of a question that are tried where all of them are refused
_TRIES = 1  # of a request on trial: an error of the server's may be its way to say no


@dataclass(frozen=True, slots=True)
class Rung:
    """How answers are read: the interface, and how many choices a question takes."""

    name: str  # decisions, systemone, echo, schema or generation
    dialect: Dialect
    chat: bool = True  # texts are asked for as conversations
    most: int | None = None  # choices of one question; None: all
    dropped: tuple[str, ...] = ()  # why the rungs above were not taken


def climb(client: Client, reader: str, choices: int) -> Rung:
    """The best rung that works; `reader` of the suite allows it alone. `choices`: of an item at most, 0: texts.

    Raises:
        EndpointError: none works, or nothing is there.
    """
    client.look("/models")  # an address where nothing answers is one reason, not one for each rung
    dialect = Dialect(client.spec.model, extra=client.spec.extra)
    wanted = ["generation"] if not choices else ["decisions", "echo", "schema", "generation"]
    if reader != "auto" and choices:
        wanted = [reader]
    dropped: list[str] = []
    for name in wanted:
        found = _RUNGS[name](client, dialect, choices)
        if isinstance(found, Rung):
            return replace(found, dropped=tuple(dropped))
        dropped.append(f"{name}: {found}")
    raise EndpointError(f"the endpoint {client.spec.base_url} answers in no way that can be read; {'; '.join(dropped)}")


def context_length(client: Client) -> int | None:
    """Tokens that prompt and answer may have: of the suite, or as the endpoint's list of models says."""
    if client.spec.context_length is not None:
        return client.spec.context_length
    listed = client.look("/models").get("data")
    models = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    own = [one for one in models if one.get("id") == client.spec.model] or (models if len(models) == 1 else [])
    for one in own:
        meta = one.get("meta")
        in_meta = meta.get("n_ctx") if isinstance(meta, dict) else None
        for value in (one.get("max_model_len"), one.get("context_length"), in_meta):
            if isinstance(value, int) and value > 0:
                return value
    return None


def _decisions(client: Client, dialect: Dialect, choices: int) -> Rung | str:
    reasons = []
    for name, ask in (("decisions", wire.decision), ("systemone", wire.systemone)):
        for size in _sizes(choices):
            answers = [*_COLOURS, *(f"number {number}" for number in range(3, size))][:size]
            reply = _try(client, ask(dialect, _asked(f"{_SKY}\n{_QUESTION}"), answers))
            read = wire.decided(reply.content, answers) if reply.ok else None
            if read is not None and read.failure is None and pstdev(read.values) > 0:
                return Rung(name, dialect, most=size)
            reasons.append(f"/{name} {_why(reply, 'gave no probabilities of the choices')}")
            if reply.status in (404, 405):
                break
    return ", ".join(dict.fromkeys(reasons))


def _sizes(choices: int) -> Sequence[int]:
    most = max(2, min(choices, wire.MOST_DECIDED))
    return [most, *(size for size in _SIZES if size < most)]


def _echo(client: Client, dialect: Dialect, choices: int) -> Rung | str:
    text, options = _ECHO
    reply = _try(client, wire.echo(dialect, _asked(text), options))
    if not reply.ok:
        return _why(reply, "")
    read = wire.echoed(reply.content, text, options)
    if read.failure is not None:
        return "the prompt and its log-likelihoods were not echoed"
    if pstdev(read.values) == 0:
        return "both continuations of a known text got the same likelihood"
    return Rung("echo", dialect, chat=False, most=wire.ECHOED_AT_ONCE)


def _schema(client: Client, dialect: Dialect, choices: int) -> Rung | str:
    talked = _talk(client, dialect)
    if isinstance(talked, str):
        return talked
    answers = ("k-17", "k-42")  # that nothing but the schema asks for
    reply = _try(client, wire.schema(talked, _asked("What colour is the sky on a clear day?"), answers, 32))
    if not reply.ok:
        return _why(reply, "")
    if wire.enumerated(reply.content, answers).failure is not None:
        return "the schema was not followed"
    return Rung("schema", talked, most=wire.MOST_ENUMERATED)


def _generation(client: Client, dialect: Dialect, choices: int) -> Rung | str:
    reasons = []
    if client.spec.api != "completions":
        talked = _talk(client, dialect)
        if isinstance(talked, Dialect):
            return Rung("generation", talked)
        reasons.append(talked)
    if client.spec.api != "chat":
        reply, dialect = _adapted(client, dialect, lambda d: wire.completion(d, _asked(_SKY), 4, STOP))
        if reply.ok and wire.written(reply.content).failure is None:
            return Rung("generation", dialect, chat=False)
        reasons.append(f"completions {_why(reply, 'gave no text')}")
    return ", ".join(reasons)


def _talk(client: Client, dialect: Dialect) -> Dialect | str:
    """How the endpoint wants conversations."""
    reply, dialect = _adapted(client, dialect, lambda d: wire.chat(d, _asked(f"{_SKY} {_QUESTION}"), 32, STOP))
    return dialect if reply.ok else f"chat {_why(reply, '')}"


def _adapted(client: Client, dialect: Dialect, request: Callable[[Dialect], Any]) -> tuple[Reply, Dialect]:
    """The reply to a request, with the fields left out or renamed that the endpoint does not take."""
    reply = _try(client, request(dialect))
    for _ in range(3):
        if reply.status not in (400, 422):
            break
        if dialect.limit == "max_tokens" and "max_completion_tokens" in reply.message:
            dialect = replace(dialect, limit="max_completion_tokens")
        elif dialect.greedy and re.search(r"\btemperature\b", reply.message):
            dialect = replace(dialect, greedy=False)
        elif dialect.stops and re.search(r"\bstop\b", reply.message):
            dialect = replace(dialect, stops=False)
        else:
            break
        reply = _try(client, request(dialect))
    return reply, dialect


def _try(client: Client, request: Any) -> Reply:
    return client.ask([request], tries=_TRIES)[0]


def _asked(text: str) -> Asked:
    return Asked("trial", (), (), turns=(Turn("user", text),), text=text)


def _why(reply: Reply, otherwise: str) -> str:
    if reply.ok:
        return otherwise
    status = f"HTTP {reply.status}" if reply.status else "no answer"
    return f"{status}, {reply.message}" if reply.message else status


_RUNGS: dict[str, Callable[[Client, Dialect, int], Rung | str]] = {
    "decisions": _decisions,
    "echo": _echo,
    "schema": _schema,
    "generation": _generation,
}
