"""The request for an item in each form that an endpoint may be asked in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from bench.engine.told_choices import STOP, answer_tokens
from bench.served import wire
from bench.served.backend import SCHEMA_TOKENS
from bench.served.kept_answers import Request
from bench.served.prompts import Asked
from bench.served.wire import Dialect

Form: TypeAlias = Literal["decisions", "systemone", "echo", "schema", "chat", "completion"]
# readers of choices, the best first, and the forms in which each asks
OF_READER: dict[str, tuple[Form, ...]] = {
    "decisions": ("decisions", "systemone"),
    "echo": ("echo",),
    "schema": ("schema",),
    "generation": ("chat", "completion"),
}


def request(
    form: Form, dialect: Dialect, prompt: Asked, choices: Sequence[str], stop: Sequence[str], most: int
) -> Request:
    """The request for a prompt; `stop` and `most` tokens are of a text, where there are no `choices`."""
    if choices:
        stop, most = STOP, answer_tokens(choices)
    match form:
        case "chat":
            return wire.chat(dialect, prompt, most, stop)
        case "completion":
            return wire.completion(dialect, prompt, most, stop)
        case "schema":
            return wire.schema(dialect, prompt, choices, most + SCHEMA_TOKENS)
        case "echo":
            return wire.echo(dialect, prompt, prompt.options)
        case "decisions":
            return wire.decision(dialect, prompt, choices)
        case "systemone":
            return wire.systemone(dialect, prompt, choices)
