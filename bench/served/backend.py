"""A served model behind the protocol of back ends, and its answers with what each of them took."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bench.core.errors import EndpointError, NotApplicableError
from bench.core.measured import TokensUsed
from bench.engine.backend import Done, Written
from bench.engine.prompts import TOO_LONG, Encoded
from bench.engine.told_choices import STOP, answer_tokens
from bench.served import wire
from bench.served.client import Client, Reply
from bench.served.kept_answers import Request
from bench.served.ladder import Rung
from bench.served.prompts import Asked
from bench.served.wire import Read

_LENGTH = re.compile(r"context.{0,20}(length|window|size)|too (long|large)|max_model_len|exceed\w* .{0,40}tokens", re.I)
_FILTER = re.compile(r"content.?(filter|policy|management)", re.I)
SCHEMA_TOKENS = 16  # of the object around a choice


@dataclass(frozen=True)
class Answer:
    """What an item was answered, and what that took."""

    read: Read
    usage: TokensUsed = field(default_factory=TokensUsed)
    seconds: float = 0.0  # as the client saw it, one request after the other
    order: tuple[int, ...] = ()  # places of the choices, the best first, where they were decided in rounds


@dataclass(frozen=True)
class ServedBackend:
    """Asks a served model. `repeat`: which time the same is asked; an answer of another time is not taken for it."""

    client: Client
    rung: Rung
    repeat: int = 0

    @property
    def is_local(self) -> bool:
        return False

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        if self.rung.name != "echo":
            raise NotApplicableError(f"the endpoint gives no log-likelihoods; it is read by {self.rung.name}")
        answers = self.choose(prompts, [()] * len(prompts), done)
        return [list(_sound(answer).values) for answer in answers]

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        answers = self.write(prompts, stop, max_new_tokens, done)
        return [Written(_sound(answer).text, answer.usage.output) for answer in answers]

    def forget(self) -> None:
        return

    def one_at_a_time(self) -> ServedBackend:
        return self

    def write(self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done) -> list[Answer]:
        """A text for each prompt, up to the first stop string."""
        return self._write(prompts, stop, [max_new_tokens] * len(prompts), done)

    def _write(self, prompts: Sequence[Encoded], stop: Sequence[str], most: Sequence[int], done: Done) -> list[Answer]:
        make = wire.chat if self.rung.chat else wire.completion
        asked = zip(prompts, most, strict=True)
        replies = self._ask([make(self.rung.dialect, _text(prompt), tokens, stop) for prompt, tokens in asked], done)
        read = [_read(reply, lambda content: _cut(wire.written(content), stop)) for reply in replies]
        return [Answer(one, reply.usage, reply.seconds) for one, reply in zip(read, replies, strict=True)]

    def choose(self, prompts: Sequence[Encoded], choices: Sequence[Sequence[str]], done: Done) -> list[Answer]:
        """A choice for each prompt, by the rung; `choices` of each, which echoing does not need."""
        match self.rung.name:
            case "echo":
                return self._echo([_text(prompt) for prompt in prompts], done)
            case "generation":
                return self._write(prompts, STOP, [answer_tokens(each) for each in choices], done)
        return self._decide([_text(prompt) for prompt in prompts], choices, done)

    def _echo(self, prompts: Sequence[Asked], done: Done) -> list[Answer]:
        parts = [
            (place, prompt.options[at : at + wire.ECHOED_AT_ONCE])
            for place, prompt in enumerate(prompts)
            for at in range(0, len(prompt.options), wire.ECHOED_AT_ONCE)
        ]
        replies = self._ask([wire.echo(self.rung.dialect, prompts[p], options) for p, options in parts], done)
        answers = [Answer(Read()) for _ in prompts]
        for (place, options), reply in zip(parts, replies, strict=True):
            text = prompts[place].text
            read = _read(reply, partial(wire.echoed, text=text, options=options))
            answers[place] = _joined(answers[place], read, reply)
        return answers

    def _decide(self, prompts: Sequence[Asked], choices: Sequence[Sequence[str]], done: Done) -> list[Answer]:
        """Choices in groups that a question takes; the best of each go on until one group is left."""
        answers = [Answer(Read(), order=tuple(range(len(each)))) for each in choices]
        left = {place: list(range(len(each))) for place, each in enumerate(choices)}
        while left:
            groups = [(place, group) for place, names in left.items() for group in self._groups(names)]
            last = {place for place, names in left.items() if len(self._groups(names)) == 1}
            named = [[choices[place][i] for i in group] for place, group in groups]
            requests = [self._question(prompts[p], own) for (p, _), own in zip(groups, named, strict=True)]
            replies = self._ask(requests, done if len(last) == len(left) else lambda count: None)
            best: dict[int, list[int]] = {}
            for (place, group), own, reply in zip(groups, named, replies, strict=True):
                read = _read(reply, partial(self._decided, choices=own))
                before = answers[place]
                ranked = _ranked(read, group, own)
                order = (*ranked, *(i for i in before.order if i not in ranked)) if place in last else before.order
                whole = read if len(group) == len(choices[place]) else replace(read, values=())
                answers[place] = Answer(
                    before.read if before.read.failure else whole,
                    before.usage + reply.usage,
                    before.seconds + reply.seconds,
                    order,
                )
                best.setdefault(place, []).extend(ranked[:1])
            left = {p: best[p] for p in left if p not in last and answers[p].read.failure is None}
        return answers

    def _groups(self, places: Sequence[int]) -> list[Sequence[int]]:
        most = self.rung.most or len(places)
        return [places[at : at + most] for at in range(0, len(places), most)]

    def _question(self, prompt: Asked, choices: Sequence[str]) -> Request:
        dialect = self.rung.dialect
        if self.rung.name == "schema":
            return wire.schema(dialect, prompt, choices, answer_tokens(choices) + SCHEMA_TOKENS)
        ask = wire.decision if self.rung.name == "decisions" else wire.systemone
        return ask(dialect, prompt, choices)

    def _decided(self, content: dict[str, Any], choices: Sequence[str]) -> Read:
        return (wire.enumerated if self.rung.name == "schema" else wire.decided)(content, choices)

    def _ask(self, requests: Sequence[Request], done: Done) -> list[Reply]:
        return self.client.ask([replace(request, repeat=self.repeat) for request in requests], done)


def _read(reply: Reply, read: Callable[[dict[str, Any]], Read]) -> Read:
    """What a reply says; a refusal of the item is a failure of its own.

    Raises:
        EndpointError: the request as such was refused, which is no answer to any item.
    """
    if reply.ok:
        return read(reply.content)
    said = f"{reply.content.get('error', '')} {reply.message}"
    if _LENGTH.search(said) or reply.status == 413:
        return Read(failure=TOO_LONG)
    if _FILTER.search(said):
        return Read(failure=wire.FILTERED)
    raise EndpointError(f"the endpoint refuses a request (HTTP {reply.status}): {reply.message}")


def _ranked(read: Read, group: Sequence[int], choices: Sequence[str]) -> list[int]:
    """A group's choices, the best first."""
    if read.failure is not None:
        return list(group)
    if read.values:
        return [group[i] for i in sorted(range(len(group)), key=lambda i: -read.values[i])]
    first = choices.index(read.text)
    return [group[first], *(place for i, place in enumerate(group) if i != first)]


def _joined(before: Answer, read: Read, reply: Reply) -> Answer:
    failure = before.read.failure or read.failure
    values, tokens = before.read.values + read.values, before.read.tokens + read.tokens
    return Answer(
        Read(values=values, tokens=tokens, failure=failure),
        before.usage + reply.usage,
        before.seconds + reply.seconds,
    )


def _cut(read: Read, stop: Sequence[str]) -> Read:
    """A text up to the first of the stop strings, without white space at its ends."""
    places = [at for text in stop if (at := read.text.find(text)) >= 0]
    return replace(read, text=read.text[: min(places)].strip() if places else read.text.strip())


def _sound(answer: Answer) -> Read:
    if answer.read.failure is not None:
        raise EndpointError(f"an answer of the endpoint cannot be used: {answer.read.failure}")
    return answer.read


def _text(prompt: Encoded) -> Asked:
    assert isinstance(prompt, Asked)
    return prompt
