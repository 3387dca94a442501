"""What goes over the wire: requests of each interface, and what is read of their answers.

Chat and text completions: https://platform.openai.com/docs/api-reference. `/decisions` is read as openai 3.57 has it
(`openai.types.decision`), `/systemone` as transformers 5.23 serves it (`transformers.cli.serving.systemone`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from bench.core.json_text import parse, without_halves
from bench.served.kept_answers import Request
from bench.served.prompts import Asked

GENERIC = "Answer what stands last in the input."
REFUSED, FILTERED, NO_CONTENT, NOT_READ = "refusal", "content_filter", "no_content", "unreadable_answer"
MOST_DECIDED = 255  # choices of a question (openai.types.decision_create_params)
MOST_ENUMERATED = 500  # choices of a schema: half of what some servers allow
ECHOED_AT_ONCE = 64  # choices of an item in one request
_LARGEST = 1e300
_THOUGHT = re.compile(r"^\s*<think>.*?</think>\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one endpoint wants its requests: seen when it was first asked."""

    model: str
    limit: str = "max_tokens"  # the field that limits an answer
    greedy: bool = True  # it takes temperature 0
    stops: bool = True  # it takes texts that end an answer
    extra: Mapping[str, Any] = field(default_factory=dict)

    def body(self, most: int | None, stop: Sequence[str] = (), **content: Any) -> dict[str, Any]:
        """The content of a request; `most`: tokens of its answer, None where it takes no such limit."""
        settings: dict[str, Any] = {"model": self.model, **content}
        settings |= {"stop": list(stop)} if stop and self.stops else {}
        if most is not None:
            settings[self.limit] = most
            settings |= {"temperature": 0} if self.greedy else {}
        return {name: value for name, value in {**settings, **self.extra}.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Read:
    """What an answer says: a text, or values of choices; `failure` says why it is none."""

    text: str = ""
    values: tuple[float, ...] = ()  # log-probability of each choice, in nats
    tokens: tuple[int, ...] = ()  # of each choice
    failure: str | None = None


def chat(dialect: Dialect, prompt: Asked, most: int, stop: Sequence[str] = ()) -> Request:
    messages = [{"role": turn.role, "content": turn.content} for turn in prompt.turns]
    return Request("/chat/completions", dialect.body(most, stop, messages=messages))


def completion(dialect: Dialect, prompt: Asked, most: int, stop: Sequence[str] = ()) -> Request:
    return Request("/completions", dialect.body(most, stop, prompt=prompt.text))


def schema(dialect: Dialect, prompt: Asked, choices: Sequence[str], most: int) -> Request:
    """A conversation whose answer can only be one of `choices`, as the field of a JSON object."""
    answer = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": answer}}
    request = chat(dialect, prompt, most)
    return Request(request.path, {**request.body, "response_format": form})


def echo(dialect: Dialect, prompt: Asked, options: Sequence[str]) -> Request:
    """The prompt with each option behind it, whose tokens' log-likelihoods are wanted; one token is generated."""
    texts = [prompt.text + option for option in options]
    return Request("/completions", dialect.body(1, prompt=texts, echo=True, logprobs=1))


def decision(dialect: Dialect, prompt: Asked, choices: Sequence[str]) -> Request:
    question = {
        "type": "choice",
        "name": "answer",
        "instructions": prompt.instruction or GENERIC,
        "choices": [{"value": choice} for choice in choices],
    }
    return Request("/decisions", dialect.body(None, input=_state(prompt), questions=[question]))


def systemone(dialect: Dialect, prompt: Asked, choices: Sequence[str]) -> Request:
    question = {
        "type": "choice",
        "instructions": prompt.instruction or GENERIC,
        "criteria": dict.fromkeys(choices),
    }
    return Request("/systemone", dialect.body(None, state=_state(prompt), questions={"answer": question}))


def _state(prompt: Asked) -> str:
    """The prompt without its instruction, which stands in the question."""
    return prompt.text.removeprefix(f"{prompt.instruction}\n\n") if prompt.instruction else prompt.text


def written(content: Mapping[str, Any]) -> Read:
    """The text of a chat or text completion; a thought before it is left out."""
    first = _first(content)
    message = first.get("message")
    reason = first.get("finish_reason")
    if reason == "content_filter":
        return Read(failure=FILTERED)
    if isinstance(message, Mapping) and message.get("refusal"):
        return Read(failure=REFUSED)
    text = message.get("content") if isinstance(message, Mapping) else first.get("text")
    if isinstance(text, list):  # parts of a message
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, Mapping))
    if not isinstance(text, str):
        return Read(failure=NO_CONTENT if text is None else NOT_READ)
    return Read(_THOUGHT.sub("", without_halves(text)))


def enumerated(content: Mapping[str, Any], choices: Sequence[str]) -> Read:
    """The choice that a JSON object names, as a text."""
    read = written(content)
    if read.failure:
        return read
    try:
        answer = parse(read.text)["answer"]
    except (ValueError, TypeError, KeyError):
        return Read(read.text, failure=NOT_READ)
    return Read(answer) if answer in choices else Read(read.text, failure=NOT_READ)


def echoed(content: Mapping[str, Any], text: str, options: Sequence[str]) -> Read:
    """Log-likelihoods of options behind a text; unreadable where the endpoint did not echo what it was given."""
    answers = content.get("choices")
    if not isinstance(answers, list) or len(answers) != len(options):
        return Read(failure=NOT_READ)
    if not all(isinstance(answer, Mapping) and _is_number(answer.get("index", 0)) for answer in answers):
        return Read(failure=NOT_READ)
    ordered = sorted(answers, key=lambda answer: answer.get("index", 0))
    sums = [_likelihood(answer, text, option) for answer, option in zip(ordered, options, strict=True)]
    found = [each for each in sums if each is not None]
    if len(found) < len(options):
        return Read(failure=NOT_READ)
    return Read(values=tuple(value for value, _ in found), tokens=tuple(count for _, count in found))


def _likelihood(answer: Mapping[str, Any], text: str, option: str) -> tuple[float, int] | None:
    """The sum over the tokens that have a part in `option`, and how many these are."""
    logs = answer.get("logprobs")
    if not isinstance(logs, Mapping) or not str(answer.get("text", "")).startswith(text + option):
        return None
    values, starts = logs.get("token_logprobs"), logs.get("text_offset")
    if not isinstance(values, list) or not isinstance(starts, list) or len(values) != len(starts):
        return None
    if not all(map(_is_number, starts)):
        return None
    ends = [*starts[1:], max(len(str(answer["text"])), len(text + option))]
    inside = [
        value
        for value, start, end in zip(values, starts, ends, strict=True)
        if start < len(text + option) and end > len(text)
    ]
    if not inside or not all(_is_log(value) for value in inside):
        return None
    return math.fsum(inside), len(inside)


def decided(content: Mapping[str, Any], choices: Sequence[str]) -> Read:
    """Log-probabilities of choices, of either form of a typed decision."""
    answers = content.get("answers")
    answer = answers.get("answer") if isinstance(answers, Mapping) else answers[0] if _is_full(answers) else None
    if not isinstance(answer, Mapping):
        return Read(failure=NOT_READ)
    if answer.get("type") == "refusal":
        return Read(failure=REFUSED)
    given = answer.get("probabilities")
    if isinstance(given, list):
        pairs = [(one.get("value"), one.get("probability")) for one in given if isinstance(one, Mapping)]
        given = {value: share for value, share in pairs if isinstance(value, str)}
    if not isinstance(given, Mapping) or set(given) != set(choices):
        return Read(failure=NOT_READ)
    shares = [given[choice] for choice in choices]
    if not all(_is_number(share) and 0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 0.02:
        return Read(failure=NOT_READ)
    return Read(values=tuple(math.log(max(share, 1e-12)) for share in shares))


def _first(content: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = content.get("choices")
    return choices[0] if _is_full(choices) and isinstance(choices[0], Mapping) else {}


def _is_full(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and bool(value)


def _is_log(value: Any) -> bool:
    return _is_number(value) and value <= 1e-6


def _is_number(value: Any) -> bool:
    """Whether it is one, and finite also as a float, which an integer of JSON need not be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
