"""Requests that meet every usual failure: what is tried again, what is not, and what never counts as an answer."""

from __future__ import annotations

import gc
import time
from collections import deque
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from bench.core.errors import BudgetError, EndpointError
from bench.core.measured import TokenPrices, TokensUsed
from bench.model.endpoint import EndpointSpec
from bench.served.client import Client
from bench.served.kept_answers import KeptAnswers, Request
from bench.served.pace import Pace, retry_after
from bench.served.usage import usage_of
from tests.served.scripted import Script, Sent, said, serving

PRICE = TokenPrices(input=1.0, output=4.0, cached_input=0.5)


def client_of(url: str, folder: Path, **settings: Any) -> Client:
    spec = EndpointSpec(base_url=url, model="m", **{"retries": 3, "timeout_s": 5, **settings})
    return Client(spec, KeptAnswers(folder / "kept.jsonl"))


def request(text: str = "hello", most: int = 5) -> Request:
    return Request("/chat/completions", {"model": "m", "messages": [{"content": text}], "max_tokens": most})


def first(*sent: Sent) -> Script:
    """These first, then answers."""
    return lambda path, body, before: sent[before] if before < len(sent) else Sent(said("yes"))


@pytest.mark.parametrize(
    ("failure", "least_s"),
    [
        (Sent({"error": "slow down"}, 429, {"Retry-After": "0.3"}), 0.3),
        (Sent("<html>", 500), 0.0),
        (Sent({"error": "busy"}, 503), 0.0),
        (Sent(said("yes"), cut=True), 0.0),
        (Sent('{"choices": [', 200), 0.0),
        (Sent("[]", 200), 0.0),
    ],
    ids=["429", "500", "503", "cut", "half JSON", "no object"],
)
def test_what_passes_by_itself_is_tried_again(failure: Sent, least_s: float, tmp_path: Path) -> None:
    with serving(first(failure)) as server:
        (reply,) = client_of(server.url, tmp_path).ask([request()])
        assert reply.ok
        assert len(server.asked) == 2
        assert server.asked[1].at - server.asked[0].at >= least_s


def test_a_slow_answer_is_given_up_and_asked_for_again(tmp_path: Path) -> None:
    with serving(first(Sent(said("late"), wait_s=0.6))) as server:
        (reply,) = client_of(server.url, tmp_path, timeout_s=0.2).ask([request()])
        assert reply.content == said("yes")


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_is_wrong_with_a_request_is_not_tried_again(status: int, tmp_path: Path) -> None:
    with serving(lambda *asked: Sent({"error": {"message": "no such field"}}, status)) as server:
        (reply,) = client_of(server.url, tmp_path).ask([request()])
        assert (reply.status, len(server.asked)) == (status, 1)
        assert "no such field" in reply.message


def test_an_account_that_is_empty_is_not_asked_again(tmp_path: Path) -> None:
    with serving(lambda *asked: Sent({"error": {"code": "insufficient_quota"}}, 429)) as server:
        assert client_of(server.url, tmp_path).ask([request()])[0].status == 429
        assert len(server.asked) == 1


def test_what_goes_on_failing_fails_the_cell_and_keeps_what_arrived(tmp_path: Path) -> None:
    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        return Sent("oh", 500) if "bad" in str(body) else Sent(said("yes"))

    asked = [*(request(f"good {i}") for i in range(5)), request("bad")]
    with serving(script) as server:
        client = client_of(server.url, tmp_path, retries=1, concurrency=1)
        with pytest.raises(
            EndpointError, match=r"went on failing \(HTTP 500, 2 times\): oh; what was answered is kept"
        ):
            client.ask(asked)
        assert len(client.kept) == 5
        assert len(server.asked) == 7
        assert all(reply.ok for reply in client_of(server.url, tmp_path).ask(asked[:5]))
        assert len(server.asked) == 7


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for(tmp_path: Path) -> None:
    with serving(lambda *asked: Sent({}, 429, {"Retry-After": "3600"})) as server:
        with pytest.raises(EndpointError, match="asks to wait for 3,600 seconds"):
            client_of(server.url, tmp_path).ask([request()])
        assert len(server.asked) == 1


def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    with serving(first()) as server:
        url = server.url
    with pytest.raises(EndpointError, match=r"went on failing \(no answer, 1 times\): ConnectError"):
        client_of(url, tmp_path, retries=0).ask([request()])
    with pytest.raises(EndpointError, match="cannot be reached"):
        client_of(url, tmp_path).look("/models")


@pytest.mark.parametrize("named", ["other", "m-turbo", "mm", "org/n"])
def test_another_model_is_refused(named: str, tmp_path: Path) -> None:
    with (
        serving(lambda *asked: Sent(said("yes", model=named))) as server,
        pytest.raises(EndpointError, match=f'answers as model "{named}", not as "m"'),
    ):
        client_of(server.url, tmp_path).ask([request()])


@pytest.mark.parametrize("named", ["m", "M", "m-2026-08-06", "org/m", "/models/m@main", "m:latest", "m.gguf", "m-v2"])
def test_a_name_with_a_date_or_an_owner_is_the_same_model(named: str, tmp_path: Path) -> None:
    with serving(lambda *asked: Sent(said("yes", model=named))) as server:
        client = client_of(server.url, tmp_path)
        assert client.ask([request()])[0].ok
        assert client.model == named


def test_two_models_under_one_name_are_refused(tmp_path: Path) -> None:
    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        return Sent(said("yes", model=f"m-2026-0{before + 1}-01"))

    with serving(script) as server, pytest.raises(EndpointError, match='"m-2026-02-01" now, and as "m-2026-01-01"'):
        client_of(server.url, tmp_path, concurrency=1).ask([request("a"), request("b")])


def test_the_same_is_asked_once_and_again_only_as_another_repeat(tmp_path: Path) -> None:
    with serving(first()) as server:
        client = client_of(server.url, tmp_path)
        client.ask([request(), request(), request("other")])
        client.ask([request()])
        assert len(server.asked) == 2
        client.ask([Request(request().path, request().body, repeat=1)])
        assert len(server.asked) == 3


def test_the_key_is_sent_and_told_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret-1")
    with serving(lambda *asked: Sent({"error": "wrong key sk-secret-1"}, 401)) as server:
        with pytest.raises(EndpointError) as raised:
            client_of(server.url, tmp_path, key_env="A_KEY").ask([request()])
        assert server.asked[0].headers["Authorization"] == "Bearer sk-secret-1"
    assert str(raised.value).endswith('refuses the key of A_KEY: {"error": "wrong key ***"}')


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 12, "completion_tokens": 5}, TokensUsed(1, 12, 0, 5)),
        (
            {"prompt_tokens": 12, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 8}},
            TokensUsed(1, 12, 8, 0),
        ),
        ({"input_tokens": 7, "output_tokens": 1}, TokensUsed(1, 7, 0, 1)),
        *(
            (wrong, TokensUsed(1, 31, 0, 5, 1))  # 90 characters at 3 each, and one more
            for wrong in (
                None,
                {},
                {"prompt_tokens": -1, "completion_tokens": 1},
                {"prompt_tokens": "12", "completion_tokens": 1},
                {"prompt_tokens": 0, "completion_tokens": 1},
                {"prompt_tokens": 12, "completion_tokens": 6},
                {"prompt_tokens": 12, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 13}},
            )
        ),
    ],
)
def test_a_usage_that_cannot_be_right_is_estimated(usage: Any, expected: TokensUsed) -> None:
    assert usage_of({"usage": usage}, 5, 90) == expected


def test_money_counts_cached_tokens_apart() -> None:
    # by hand: 600 new at 1, 400 cached at 0.5, 100 generated at 4, for a million each
    assert PRICE.money(TokensUsed(3, 1000, 400, 100)) == pytest.approx((600 + 200 + 400) / 1e6)


def test_no_request_is_sent_that_the_budget_might_not_allow(tmp_path: Path) -> None:
    # expected of each: 32 characters, names of fields included, so 12 tokens, and 5 of the answer; it then takes 12
    with serving(first()) as server:
        client = client_of(server.url, tmp_path, max_tokens=60, concurrency=1)
        with pytest.raises(BudgetError, match=r"max_tokens 60 of the endpoint .* 48 are used, 17 more are expected"):
            client.ask([request(f"{i}") for i in range(9)])
        assert len(server.asked) == 4  # 3 x 12 + 17 = 53 is within 60, 4 x 12 + 17 = 65 is not
        assert client.kept.spent.tokens == 48


def test_money_is_limited_over_restarts(tmp_path: Path) -> None:
    with serving(lambda *asked: Sent(said("yes", prompt=500_000, output=0))) as server:
        settings: dict[str, Any] = {"max_money": 1.0, "price": PRICE, "concurrency": 1}
        client_of(server.url, tmp_path, **settings).ask([request("a")])
        with pytest.raises(BudgetError, match=r"max_money 1 of .* 1 are spent"):
            client_of(server.url, tmp_path, **settings).ask([request("b"), request("c")])
        assert len(server.asked) == 2


def test_refusals_halve_what_is_open_once_and_answers_raise_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    open_ = Pace(8)
    open_.was_refused(99.0, 2.0)
    open_.was_refused(99.5, 0.0)  # it was sent before the first refusal came
    assert (open_.allowed, open_.wait_s) == (4, 2.0)
    clock[0] = 103.0
    open_.was_refused(101.0, 0.0)
    assert (open_.allowed, open_.wait_s) == (2, 0.0)
    for _ in range(5):  # 2 -> 2.5 -> 2.9 -> 3.24 …: one more for as many answers as are allowed
        open_.went_well()
    assert open_.allowed == 3
    for _ in range(100):
        open_.went_well()
    assert open_.allowed == 8


def test_retry_after_is_seconds_or_a_date() -> None:
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    assert retry_after("1.5") == 1.5
    assert retry_after(later) == pytest.approx(60, abs=2)
    assert retry_after("-3") == 0
    assert [retry_after(value) for value in (None, "", "soon")] == [None] * 3


@pytest.mark.slow
def test_a_thousand_requests_take_hardly_longer_than_they_must(tmp_path: Path) -> None:
    with serving(lambda *asked: Sent(said("yes"), wait_s=0.05)) as server:
        client = client_of(server.url, tmp_path, concurrency=32)
        start = time.perf_counter()
        client.ask([request(f"{i}") for i in range(1000)])
        assert 1000 / 32 * 0.05 / (time.perf_counter() - start) >= 0.8


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [1_000, 5_000])
def test_memory_stays_flat_however_much_is_asked(count: int, tmp_path: Path) -> None:
    """What stays of an answer of 20,000 bytes is its place in the file; up to 8 MiB are the allocator's."""
    with serving(lambda *asked: Sent(said("x" * 20_000))) as server:
        server.asked = cast(Any, deque(maxlen=1))  # the server keeps nothing either
        client = client_of(server.url, tmp_path, concurrency=32, timeout_s=60)

        def held_after(numbers: range) -> int:
            assert all(reply.ok for reply in client.ask([request(f"{number}") for number in numbers]))
            gc.collect()
            return int(psutil.Process().memory_info().rss)

        before = held_after(range(250))
        for start in range(250, 250 + count, 250):
            after = held_after(range(start, start + 250))
    assert after - before < 8 * 2**20 + 1_000 * count  # bytes; the answers alone are 20,000 each
    print(after - before)
