"""What the page shows of items and on paper: filters by seed and by kind, the prompt's command, the summary."""

from __future__ import annotations

import base64
import io
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from bench.cli import cli
from bench.core.identity import MethodParts, PartSettings
from bench.core.picture import Picture
from bench.core.record import Run
from bench.core.training import Tuning
from bench.report.cases import cases
from bench.report.html import page, sections, summary
from bench.report.html.blocks import Block, Figure, Questions, Section
from bench.report.html.sections import prompts
from tests.pictures import picture_task, png
from tests.report.test_html import Parsed, method, of
from tests.test_comparison import answers, scored

K4 = MethodParts(PartSettings("lora", {"rank": 8}), PartSettings("few-shot", {"k": (2, 4), "select": "similar"}))


def items(run: Run) -> Questions:
    """The items of the one case of a run."""
    [found] = [one for one in sections.sections(cases([run])) if one.id == "items"]
    [block] = [block for block in found.blocks if isinstance(block, Questions)]
    return block


def test_items_say_where_methods_or_seeds_differ_and_where_none_scores(tmp_path: Path) -> None:
    timed = method(tmp_path / "timed", "x", 1, 4)
    priced: dict[str, Any] = {"phases": timed.phases, "environment": timed.environment}
    given = {("full", 0): [1.0, 0, 1, 0], ("full", 1): [1.0, 0, 0, 1], ("few-shot", 0): [0.0, 0, 1, 0]}
    records = [answers(tmp_path, label, seed, scored(values), **priced) for (label, seed), values in given.items()]
    found = items(of(tmp_path, *records))
    kinds = {one.id.rpartition("/")[2]: one.kinds for one in found.questions}
    places = sorted(kinds)
    assert [kinds[place] for place in places] == [("differ",), ("fail",), ("seeds",), ("fail", "seeds")]
    [last] = [one for one in found.questions if one.id.endswith(places[3])]
    assert {each.seed: each.wrong for each in last.seeds} == {0: (), 1: ("few-shot",)}  # its first seed stands in
    assert [len(each.answers) for each in last.seeds] == [2, 1]  # of the second seed those whose texts are others
    text = page.html([of(tmp_path, *records)])
    assert 'data-wrong-1="|few-shot|"' in text


def test_the_command_of_a_prompt_has_the_options_that_were_measured(tmp_path: Path) -> None:
    tuning = Tuning({"k": (2, 4)}, (), {"k": 4}, "accuracy", 9, {})
    record = method(tmp_path, "lora, k tuned", 9, parts=K4, tuning=tuning, seed=3)
    said = prompts.command(of(tmp_path, record, task_paths={"mail": "my tasks/mail"}), [record], "lora, k tuned")
    assert said == (
        "lora, k tuned: `adaptbench show 'my tasks/mail' --model m --method lora+few-shot --item ID --seed 3 "
        "--option k=4 --option select=similar`"
    )


def test_options_of_a_command_are_yaml(tmp_path: Path) -> None:
    options: dict[str, Any] = {"tuned": {"epochs": 2, "label": "né"}, "refuse": True, "top_k": 3, "rerank": "it's"}
    record = method(tmp_path, "rag", 9, parts=MethodParts(PartSettings("frozen", {}), PartSettings("rag", options)))
    said = prompts.command(of(tmp_path, record), [record], "rag").partition("`")[2].rstrip("`")
    words = shlex.split(said)
    written = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "--option")
    assert {name: yaml.safe_load(text) for name, text in written.items()} == options


def test_the_command_of_a_prompt_is_one_that_is_understood() -> None:
    """Its options are those of the command, and its method is one."""
    words = [
        "show",
        "support-intents",
        "--model",
        "nowhere",
        "--method",
        "lora+few-shot",
        "--item",
        "ID",
        "--seed",
        "3",
    ]
    done = CliRunner().invoke(cli, [*words, "--option", "k=4", "--option", "select=similar"])
    assert "nowhere" in str(done.exception) + done.output


def charts_marked(found: list[Section]) -> list[bool]:
    [quality] = [one for one in found if one.id == "quality"]
    return [block.summary for block in quality.blocks if isinstance(block, Figure)]


def test_charts_go_on_paper_as_long_as_two_sheets_hold_them(tmp_path: Path) -> None:
    few = cases([of(tmp_path, method(tmp_path, "full", 15), method(tmp_path, "few-shot", 9))])
    assert charts_marked(summary.mark(sections.sections(few))) == [True]
    many = [method(tmp_path, f"way {at}", at % 20, task=f"task {at // 4}") for at in range(60)]
    marked = charts_marked(summary.mark(sections.sections(cases([of(tmp_path, *many)]))))
    assert len(marked) == 15
    assert not any(marked)  # eight rows of cards and a table of sixty rows are more than two sheets


def test_a_whole_page_is_asked_for(tmp_path: Path) -> None:
    run = of(tmp_path, method(tmp_path, "full", 15))
    short, whole = (Parsed(page.html([run], whole=each)) for each in (False, True))
    assert [one.named("html")[0]["data-print"] for one in (short, whole)] == ["summary", "whole"]
    assert short.text.count("Print the whole report") == 1
    assert "Print the whole report" not in whole.text


def block_kinds(blocks: tuple[Block, ...]) -> list[str]:
    return [block.kind for block in blocks]


def test_scores_stand_in_a_table_behind_the_cards(tmp_path: Path) -> None:
    first = sections.sections(cases([of(tmp_path, method(tmp_path, "full", 15), method(tmp_path, "few-shot", 9))]))[0]
    assert block_kinds(first.blocks)[:2] == ["decisions", "table"]


def of_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch, first: bytes) -> Parsed:
    """The page of three items with pictures, the first of which has these bytes."""
    timed = method(folder / "timed", "x", 1, 4)
    priced: dict[str, Any] = {"phases": timed.phases, "environment": timed.environment}
    given = {"full": [1.0, 0, 1], "head": [0.0, 1, 1]}
    run = of(folder, *(answers(folder, label, 0, scored(values), **priced) for label, values in given.items()))
    task = picture_task(test=3)
    names = [*sorted(one.id for one in items(run).questions), "test/?"]
    data = [first, png((0, 99, 0), 300), png((0, 0, 99))]
    shown = tuple(
        replace(example, id=name, picture=Picture(f'<b>{place}"', "0" * 64, None, data[place]))
        for place, (name, example) in enumerate(zip(names, task.test, strict=True))
    )
    monkeypatch.setattr("bench.report.html.sections.items.asked", lambda *_: (replace(task, test=shown), ""))
    return Parsed(page.html([run]))


def test_pictures_stand_in_the_page_small_and_with_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of_pictures(tmp_path, monkeypatch, png((200, 0, 0)))
    [policy] = [one["content"] for one in found.named("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src ")
    pictures = {one["alt"]: one["src"] or "" for one in found.named("img")}
    assert pictures.keys() == {'The picture <b>0"', 'The picture <b>1"'}
    for source in pictures.values():
        assert source.startswith("data:image/jpeg;base64,")
        small = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        assert max(small.size) <= 96
        assert len(source) < 16_100
    assert '<b>0"' in found.text  # in place of the digest
    assert "0" * 64 not in found.text


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of_pictures(tmp_path, monkeypatch, b"<svg onload='alert(1)'/>")
    assert [one["alt"] for one in found.named("img")] == ['The picture <b>1"']
