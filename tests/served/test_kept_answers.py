"""Answers are on the disk before they are used: a kill at any moment loses what was in flight, and nothing else."""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.core.measured import TokensUsed
from bench.served import kept_answers
from bench.served.kept_answers import Kept, KeptAnswers, Request
from tests.served.scripted import Sent, said, serving
from tests.test_layout import ROOT

ANSWER = Kept({"text": "grün\n"}, 0.25, TokensUsed(1, 10, 4, 2))
REQUESTS, AT_ONCE = 120, 6
ASK = f"""
import sys
from pathlib import Path
from bench.model.endpoint import EndpointSpec
from bench.served.client import Client
from bench.served.kept_answers import KeptAnswers, Request
spec = EndpointSpec(base_url=sys.argv[1], model="m", concurrency={AT_ONCE})
client = Client(spec, KeptAnswers(Path(sys.argv[2])))
replies = client.ask([Request("/chat/completions", {{"model": "m", "number": i}}) for i in range({REQUESTS})])
assert [reply.content["choices"][0]["message"]["content"] for reply in replies] == [str(i) for i in range({REQUESTS})]
"""


def keep(answers: KeptAnswers, *keys: str) -> None:
    async def all_() -> None:
        await asyncio.gather(*(answers.keep(key, ANSWER) for key in keys))

    asyncio.run(all_())


def test_an_answer_is_found_again_in_another_process(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    first, second = KeptAnswers(file), KeptAnswers(file)
    keep(first, "a", "b")
    keep(second, "c")
    first.refresh()
    assert [first.get(key) for key in "abc"] == [ANSWER] * 3
    assert first.get("d") is None
    assert first.spent == TokensUsed(3, 30, 12, 6)
    assert KeptAnswers(file).get("b") == ANSWER


@pytest.mark.parametrize("cut", [2, 20, 90])
def test_a_line_that_was_cut_off_is_skipped_and_the_next_is_whole(cut: int, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    keep(KeptAnswers(file), "a", "b")
    file.write_bytes(file.read_bytes()[:-cut])
    again = KeptAnswers(file)
    assert (again.get("a"), again.get("b")) == (ANSWER, None)
    keep(again, "b", "c")
    assert [KeptAnswers(file).get(key) for key in "abc"] == [ANSWER] * 3


def test_a_system_without_fdatasync_keeps_answers_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(os, "fdatasync")
        of_macos = importlib.reload(kept_answers)
        keep(of_macos.KeptAnswers(tmp_path / "kept.jsonl"), "a")
    importlib.reload(kept_answers)
    assert KeptAnswers(tmp_path / "kept.jsonl").get("a") is not None


def test_the_key_holds_address_path_content_and_repeat() -> None:
    base = Request("/a", {"x": 1, "y": [2]})
    others = [Request("/b", {"x": 1, "y": [2]}), Request("/a", {"x": 1, "y": [3]}), Request("/a", base.body, 1)]
    keys = {base.key("u"), base.key("v"), *(other.key("u") for other in others)}
    assert len(keys) == 5
    assert Request("/a", {"y": [2], "x": 1}).key("u") == base.key("u")


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_no_answer_that_arrived_is_asked_for_again_after_a_kill(kills: int, tmp_path: Path) -> None:
    answered: list[int] = []

    def script(path: str, body: dict[str, Any], before: int) -> Sent:
        time.sleep(0.01)
        answered.append(body["number"])
        return Sent(said(str(body["number"])))

    file, moments = tmp_path / "kept.jsonl", random.Random(0)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with serving(script) as server:
        start = [sys.executable, "-c", ASK, server.url, str(file)]
        killed = 0
        while killed < kills:
            with subprocess.Popen(start, env=environment) as process:
                seen = len(server.asked)
                more = moments.randint(1, max(1, (REQUESTS - len(KeptAnswers(file))) // (kills - killed)))
                while len(server.asked) < seen + more and process.poll() is None:
                    time.sleep(0.001)
                time.sleep(moments.random() * 0.02)
                process.send_signal(signal.SIGKILL)
            killed += 1
        assert subprocess.run(start, env=environment, check=False).returncode == 0
        numbers = [one.body["number"] for one in server.asked]
        assert set(numbers) == set(range(REQUESTS))
        # a request is sent twice only where a kill came between, and then it was one of those in flight
        assert len(numbers) - REQUESTS <= kills * AT_ONCE
        assert len(KeptAnswers(file)) == REQUESTS
        assert KeptAnswers(file).spent.requests == REQUESTS
