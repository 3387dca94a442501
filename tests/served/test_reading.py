"""How choices are read off an endpoint: the best rung that works, and none that is only ignored in silence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.errors import EndpointError
from bench.core.prompt import Turn
from bench.engine.prompts import TOO_LONG
from bench.engine.told_choices import named
from bench.served import wire
from bench.served.backend import ServedBackend
from bench.served.client import Reply
from bench.served.kept_answers import Request
from bench.served.ladder import Rung, climb, context_length
from bench.served.prompts import Asked
from bench.served.wire import Dialect
from tests.served.scripted import NOT_FOUND, Script, Sent, completed, decides, echoes, said, serving
from tests.served.test_client import client_of

DIALECT = Dialect("m")


def prompt(text: str, choices: Sequence[str] = ()) -> Asked:
    turns = (Turn("system", "Name it."), Turn("user", text))
    return Asked("a", (), (), turns=turns, text=f"Name it.\n\n{text}", options=tuple(f" {c}" for c in choices))


def schema_of(body: dict[str, Any]) -> list[str]:
    names: list[str] = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
    return names


def speaker(*, decision: bool = False, echo: str = "", schema: str = "", chat: bool = True) -> Script:
    """A server that knows some interfaces; `echo`, `schema`: "works", "ignored", or "" for a refusal."""

    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        if path == "/decisions" and decision:
            return Sent(decides(body, lambda name, names: 0.5 if name == names[1] else 0.5 / (len(names) - 1)))
        if path == "/completions" and "echo" in body and echo:
            values = {"works": lambda token: -len(token) / 10, "flat": lambda token: -1.0}
            return Sent(echoes(body, values[echo]) if echo in values else completed(" whatever"))
        if path == "/completions" and "echo" not in body:
            return Sent(completed(" and so on"))
        if path == "/chat/completions" and chat:
            if "response_format" not in body:
                return Sent(said("blue"))
            if schema == "works":
                return Sent(said(f'{{"answer": "{schema_of(body)[0]}"}}'))
            return Sent(said("It is blue.")) if schema else Sent({"error": "unknown field response_format"}, 400)
        return NOT_FOUND

    return script


LADDER = [
    (speaker(decision=True, echo="works", schema="works"), "decisions", 0),
    (speaker(echo="works", schema="works"), "echo", 1),
    (speaker(echo="ignored", schema="works"), "schema", 2),
    (speaker(echo="flat", schema="works"), "schema", 2),
    (speaker(echo="ignored", schema="ignored"), "generation", 3),
    (speaker(), "generation", 3),
    (speaker(chat=False), "generation", 3),
]


@pytest.mark.parametrize(("script", "rung", "dropped"), LADDER)
def test_the_best_rung_that_works_is_taken(script: Script, rung: str, dropped: int, tmp_path: Path) -> None:
    with serving(script) as server:
        found = climb(client_of(server.url, tmp_path), "auto", 3)
        assert (found.name, len(found.dropped)) == (rung, dropped)


def test_nobody_there_is_one_reason(tmp_path: Path) -> None:
    with serving(speaker()) as server:
        url = server.url
    with pytest.raises(EndpointError, match=r"^the endpoint \S+ cannot be reached: ConnectError[^;]*$"):
        climb(client_of(url, tmp_path), "auto", 3)


def test_a_rung_that_the_suite_names_is_the_only_one(tmp_path: Path) -> None:
    with serving(speaker(decision=True, echo="ignored")) as server:
        assert climb(client_of(server.url, tmp_path), "generation", 3).name == "generation"
        with pytest.raises(EndpointError, match="no way that can be read; echo: the prompt and its log-likelihoods"):
            climb(client_of(server.url, tmp_path), "echo", 3)


def test_as_many_choices_are_asked_at_once_as_the_endpoint_takes(tmp_path: Path) -> None:
    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        if path != "/decisions":
            return NOT_FOUND
        if len(body["questions"][0]["choices"]) > 30:
            return Sent({"error": "too many choices"}, 400)
        return speaker(decision=True)(path, body, before)

    with serving(script) as server:
        assert climb(client_of(server.url, tmp_path), "auto", 77).most == 26


def test_fields_that_an_endpoint_does_not_take_are_left_out(tmp_path: Path) -> None:
    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        for name in ("max_tokens", "temperature", "stop"):
            if name in body:
                instead = ", use max_completion_tokens" if name == "max_tokens" else ""
                return Sent({"error": f"Unsupported parameter: {name}{instead}"}, 400)
        return Sent(said("blue"))

    with serving(script) as server:
        dialect = climb(client_of(server.url, tmp_path), "auto", 0).dialect
    assert dialect == Dialect("m", limit="max_completion_tokens", greedy=False, stops=False)


@pytest.mark.parametrize(
    ("listed", "length"),
    [
        ([{"id": "m", "max_model_len": 4096}], 4096),
        ([{"id": "n", "max_model_len": 1}, {"id": "m", "context_length": 2048}], 2048),
        ([{"id": "file.gguf", "meta": {"n_ctx": 512}}], 512),
        ([{"id": "m"}], None),
        ("?", None),
    ],
)
def test_the_context_is_as_the_list_of_models_says(listed: Any, length: int | None, tmp_path: Path) -> None:
    with serving(lambda *asked: Sent({"data": listed})) as server:
        assert context_length(client_of(server.url, tmp_path)) == length
        assert context_length(client_of(server.url, tmp_path, context_length=99)) == 99


def test_likelihoods_are_sums_over_the_tokens_of_a_choice() -> None:
    # by hand: a token of n letters has -n/10; "dark red" has 4 and 3, "blue" has 4; what is generated does not count
    body = {"prompt": ["It is dark red", "It is blue"]}
    read = wire.echoed(echoes(body, lambda token: -len(token) / 10), "It is", [" dark red", " blue"])
    assert read.values == pytest.approx((-0.7, -0.4))
    assert read.tokens == (2, 1)


@pytest.mark.parametrize("spoilt", ["text", "logs", "count", "order", "nan"])
def test_an_echo_that_is_not_whole_gives_no_likelihoods(spoilt: str) -> None:
    content = echoes({"prompt": ["It is red", "It is blue"]}, lambda token: -1.0)
    first = content["choices"][0]
    match spoilt:
        case "text":
            first["text"] = " more"
        case "logs":
            first["logprobs"] = None
        case "count":
            first["logprobs"]["token_logprobs"].pop()
        case "order":
            content["choices"].pop()
        case "nan":
            first["logprobs"]["token_logprobs"][2] = math.nan
    assert wire.echoed(content, "It is", [" red", " blue"]).failure == wire.NOT_READ


def test_a_token_that_joins_prompt_and_choice_belongs_to_the_choice() -> None:
    logs = {"text_offset": [0, 2, 6], "token_logprobs": [None, -1.0, -2.0]}  # "It", " is:", "red"
    content = {"choices": [{"text": "It is:red", "logprobs": logs}]}
    assert wire.echoed(content, "It is", [":red"]).values == (-3.0,)


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (said(None), wire.NO_CONTENT),
        (said(None, refusal="I cannot"), wire.REFUSED),
        ({"choices": [{"finish_reason": "content_filter", "message": {"content": ""}}]}, wire.FILTERED),
        ({"choices": []}, wire.NO_CONTENT),
        ({}, wire.NO_CONTENT),
        (said(""), None),
    ],
)
def test_what_is_no_answer_is_a_typed_failure(content: dict[str, Any], failure: str | None) -> None:
    assert wire.written(content).failure == failure


def test_a_thought_is_no_part_of_an_answer() -> None:
    assert wire.written(said("<think>red? no</think>\n\nblue")).text == "blue"


def test_either_form_of_a_typed_decision_is_read() -> None:
    shares = {"red": 0.25, "blue": 0.75}
    listed = [{"value": name, "probability": share} for name, share in shares.items()]
    values = (math.log(0.25), math.log(0.75))
    assert wire.decided({"answers": [{"type": "choice", "probabilities": listed}]}, ["red", "blue"]).values == values
    systemone = {"answers": {"answer": {"type": "choice", "probabilities": shares}}}
    assert wire.decided(systemone, ["red", "blue"]).values == values
    assert wire.decided(systemone, ["red", "green"]).failure == wire.NOT_READ
    assert wire.decided({"answers": [{"type": "refusal"}]}, ["red"]).failure == wire.REFUSED


@given(st.integers(2, 40), st.integers(2, 9), st.randoms(use_true_random=False))
def test_rounds_find_the_choice_that_one_question_would(count: int, most: int, random: Any) -> None:
    worth = {f"c{i}": i + 1.0 for i in range(count)}
    names = list(worth)
    random.shuffle(names)

    def share(name: str, every: Sequence[str]) -> float:
        return worth[name] / sum(worth[each] for each in every)

    class Oracle:
        """Decides by worth alone."""

        def ask(self, requests: Sequence[Request], done: Any) -> list[Reply]:
            return [Reply(200, decides(request.body, share)) for request in requests]

    backend = ServedBackend(Oracle(), Rung("decisions", DIALECT, most=most))  # type: ignore[arg-type]
    (answer,) = backend.choose([prompt("x")], [names], lambda count: None)
    assert names[answer.order[0]] == f"c{count - 1}"
    assert sorted(answer.order) == list(range(count))
    assert bool(answer.read.values) == (count <= most)


def test_refusals_of_an_item_fail_the_item_and_others_the_cell(tmp_path: Path) -> None:
    said_no = {
        "long": "This model's maximum context length is 9 tokens",
        "filter": "The response was filtered due to the content management policy",
        "odd": "no such thing",
    }

    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        text = body["messages"][-1]["content"]
        return Sent({"error": {"message": said_no[text]}}, 400) if text in said_no else Sent(said(" fine\n\nmore"))

    with serving(script) as server:
        backend = ServedBackend(client_of(server.url, tmp_path), Rung("generation", DIALECT))
        answers = backend.write([prompt(text) for text in ("long", "filter", "well")], ("\n\n",), 5, lambda count: None)
        assert [answer.read.failure for answer in answers] == [TOO_LONG, wire.FILTERED, None]
        assert answers[2].read.text == "fine"
        with pytest.raises(EndpointError, match="no such thing"):
            backend.write([prompt("odd")], (), 5, lambda count: None)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("red", 0),
        (" Dark Red.\n\nBecause", 1),
        ("The answer is **dark red**", 1),
        ("It is red, I think", 0),
        ("red or blue", None),
        ("reddish", None),
        ("", None),
        ("C++", 3),
        ("c", None),  # "C" and "C++" look alike without case and signs
        ("C", 4),
    ],
)
def test_a_text_is_the_choice_that_it_names_alone(text: str, choice: int | None) -> None:
    assert named(text, ["red", "dark red", "blue", "C++", "C"]) == choice
