"""The HTML report: one inert file, the verdict first, the same bytes from the same records, whatever is in them."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import tasks
from bench.analysis import item_texts
from bench.analysis.statistics.family import TieGroups
from bench.cli import cli
from bench.core.errors import UsageError
from bench.core.identity import Identity, MethodParts, ModelIdentity, PartSettings
from bench.core.measured import Environment, Latency
from bench.core.phases import Phase
from bench.core.record import CheckpointScores, Record, Run, Score
from bench.core.training import Judged, Training, Tuning
from bench.metrics import NAMES
from bench.report import files
from bench.report.cases import cases
from bench.report.html import page, sections
from bench.report.html.blocks import Decision, Decisions, Section
from bench.report.html.sections import about, quality, retrieval
from bench.report.pdf import VARIABLE, browser
from tasks.loader.digest import question_digest
from tests.report.test_report import unmeasured
from tests.test_comparison import answers, scored

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "{{7*7}} {% raw %} ${7*7}",
    "\x1b[31mred\x1b[0m \u202egnirts\u202c \x00",
    '"><svg onload=alert(1)>',
    "x" * 1_000_000,
)


def method(folder: Path, label: str, right: int, of: int = 20, seed: int = 0, **changes: Any) -> Record:
    given: dict[str, Any] = {
        "phases": {"train": Phase(5.0, 2**30), "predict": Phase(0.1 * of, 2**30)},
        "environment": Environment(device="cpu", threads=1),
        "latency": {"served": Latency(0.1, 0.2, 0.0)},
        "training": Training(steps=4, examples=8, validation_loss=((2, 0.9), (4, 0.5))),
        **changes,
    }
    return answers(folder, label, seed, scored([1.0] * right + [0.0] * (of - right)), **given)


def of(folder: Path, *records: Record, **changes: Any) -> Run:
    return Run(folder, "trial", records, **changes)


class Parsed(HTMLParser):
    """What a browser would make of the page: elements with their attributes, and the text of some."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self._open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag = self._open[-1] if self._open else ""
        self.inside[tag] = self.inside.get(tag, "") + data
        if tag not in ("script", "style"):
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def refuse_anything_live(found: Parsed) -> None:
    """One script and one style of ours, nothing that loads, no handler in an attribute."""
    assert len(found.named("script")) == len(found.named("style")) == 1
    for tag, attributes in found.elements:
        assert tag not in ("img", "iframe", "object", "embed", "link", "base", "video", "audio", "image")
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style", "action")
        ]
        assert (attributes.get("href") or "#").startswith("#")


def test_it_loads_nothing_and_lets_nothing_run_but_its_own_two(tmp_path: Path) -> None:
    found = Parsed(page.html([of(tmp_path, method(tmp_path, "full", 15), method(tmp_path, "few-shot", 9))]))
    refuse_anything_live(found)
    [policy] = [one["content"] for one in found.named("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(found.inside[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_every_row_of_a_table_has_a_name(tmp_path: Path) -> None:
    """Also one that goes on with the row above, as the trials of a method do."""
    tuning = Tuning({"k": (2, 4)}, tuple(Judged({"k": k}, 0.5) for k in (2, 4)), {"k": 4}, "accuracy", 9, {})
    text = page.html([of(tmp_path, method(tmp_path, "few-shot", 9, tuning=tuning))])
    rows = re.findall(r'<th scope="row"[^>]*>(.*?)</th>', text)
    assert all(rows)
    assert rows.count("few-shot") > 2


def test_names_that_are_said_once(tmp_path: Path) -> None:
    """Ids are unique, and whatever points to one points to one that is there."""
    records = [method(tmp_path, label, right, seed=s) for label, right in (("a", 9), ("b", 15)) for s in (0, 1)]
    found = Parsed(page.html([of(tmp_path, *records)]))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = [name for _, one in found.elements for name in (one.get("aria-labelledby") or "").split()]
    pointed += [(one["href"] or "")[1:] for one in found.named("a")]
    assert set(pointed) <= set(ids)


@pytest.mark.parametrize("text", HOSTILE, ids=["script", "img", "template", "control", "svg", "long"])
def test_foreign_text_is_inert(tmp_path: Path, text: str) -> None:
    short = text[:60].replace("/", "∕").replace("\x00", "")  # a folder is named by the method
    lines = [{"metrics": {"accuracy": float(i < 15)}, "output": text, "id": f"test/{i}{text[:50]}"} for i in range(20)]
    records = (
        answers(tmp_path, short, 0, lines, environment=Environment("1", device=text, device_name=text)),
        answers(tmp_path, "few-shot", 0, [{**one, "metrics": {"accuracy": 0.0}} for one in lines]),
        Record(
            key="0" * 64, model="m", task="mail", method="broken", seed=0, status="failed", created=text[:100],
            parts=MethodParts(PartSettings(text[:200], {"x": text[:200]})),
            identity=Identity(model=ModelIdentity(text[:200])),
        ),
    )  # fmt: skip
    content = page.html([of(tmp_path, *records)])
    assert len(content.encode()) < 2 * 2**20
    refuse_anything_live(Parsed(content))
    assert not set(content) & {"\x1b", "\x00", "\u202e"}
    if "7*7" in text:
        assert "{{7*7}}" in Parsed(content).text
        assert "49" not in Parsed(content).inside.get("th", "")


def chromium() -> str:
    try:
        return browser()
    except UsageError as error:
        pytest.skip(str(error))


def test_no_script_of_a_record_runs_in_a_browser(tmp_path: Path) -> None:
    program = chromium()
    lines = [{"metrics": {"accuracy": float(i < 5)}, "output": HOSTILE[i % 5]} for i in range(20)]
    records = (
        answers(tmp_path, "<img src=x onerror=document.title='owned'>", 0, lines),
        method(tmp_path, "full", 15),
        method(tmp_path, "few-shot", 9),
    )
    file = tmp_path / "report.html"
    file.write_text(page.html([of(tmp_path, *records)]), encoding="utf-8")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip
    said = subprocess.run(
        [program, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    [title] = re.findall(r"<title>(.*?)</title>", said, re.S)[:1]
    assert title == "trial: which way of adapting"
    assert "<button" in said  # our own script did run: it makes heads into buttons
    refuse_anything_live(Parsed(said))


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    records = [method(tmp_path, label, right, seed=s) for label, right in (("a", 9), ("b", 15)) for s in (0, 1)]
    assert page.html([of(tmp_path, *records)]) == page.html([of(tmp_path, *records)])


def test_the_verdict_comes_first_and_says_what_to_choose(tmp_path: Path) -> None:
    records = (method(tmp_path, "full", 19), method(tmp_path, "few-shot", 3))
    found = cases([of(tmp_path, *records)])
    first = sections.sections(found)[0]
    assert first.title == "What to choose"
    [decision] = decisions(first)
    assert (decision.task, decision.choice, decision.tone) == ("mail", "choose full", "good")
    known = dict(decision.facts)
    assert known["these checkpoints"].startswith("better than few-shot, the next, by +0.800 [")
    assert known["training again"] == "one seed cannot say"
    assert known["score"].startswith("Accuracy 0.950 [")
    # 0.1 s a query and 10,000 queries a month on one core at 0.0408 USD an hour, 5 s of training over 12 months
    price = f"{0.0408 / 3600 * (0.1 * 10_000 + 5 / 12):.2g} USD"
    assert known["cost a month (compute only)"] == price
    assert known["latency (p95)"] == "200 ms"
    assert known["forgets"] == "not measured"
    # both are trained: four more seeds of each, of 5 s of training and 20 items at 0.1 s
    assert known["next step"] == "measure 5 seeds (about 56 s): `adaptbench run trial.yaml --seeds 0,1,2,3,4`"


def decisions(found: Section) -> tuple[Decision, ...]:
    first = found.blocks[0]
    assert isinstance(first, Decisions)
    return first.decisions


def test_what_leads_without_being_told_apart_is_no_choice(tmp_path: Path) -> None:
    found = cases([of(tmp_path, method(tmp_path, "full", 12), method(tmp_path, "few-shot", 10, training=None))])
    [decision] = decisions(sections.sections(found)[0])
    assert (decision.choice, decision.tone) == ("undecided; full leads", "open")
    assert dict(decision.facts)["these checkpoints"] == "not enough evidence; few-shot may be better"


def test_no_better_than_the_majority_class_is_no_good_choice_and_the_chart_shows_the_line(
    tmp_path: Path,
) -> None:
    lines = [{"metrics": {"accuracy": float(i < 6)}, "counts": {"macro_f1": [int(i < 5), 1]}} for i in range(10)]
    timed = method(tmp_path / "timed", "x", 1)
    others = [{**line, "metrics": {"accuracy": 0.0}} for line in lines]
    records = [
        answers(tmp_path, label, 0, said, phases=timed.phases, environment=timed.environment)
        for label, said in (("full", lines), ("few-shot", others))
    ]
    run = of(tmp_path, *records)
    [decision] = decisions(sections.sections(cases([run]))[0])
    assert (decision.tone, decision.choice) == ("bad", "none yet; full leads")
    assert decision.facts[0] == ("caution", "not shown to be better than the majority class (0.500)")
    text = Parsed(page.html([run])).text
    assert text.count("majority class 0.500") == 2  # in the chart and its narrow variant
    assert "majority class" in text[text.index("m: scores") :]  # a row of the table


@pytest.mark.parametrize(("nature", "words"), [("toy", "demonstration model"), ("random", "random weights"), ("", "")])
def test_a_model_whose_scores_say_nothing_of_others_has_a_banner(nature: Any, words: str, tmp_path: Path) -> None:
    identity = Identity(model=ModelIdentity("a" * 64, nature=nature))
    found = Parsed(page.html([of(tmp_path, method(tmp_path, "full", 12, identity=identity))]))
    banners = [one for one in found.named("p") if one.get("class") == "banner"]
    assert len(banners) == (1 if nature else 0)
    assert words in found.text


def test_commands_are_marked_as_such(tmp_path: Path) -> None:
    text = page.html([of(tmp_path, method(tmp_path, "full", 19), method(tmp_path, "few-shot", 3))])
    assert "<code><span>adaptbench</span> <span>run</span> <span>trial.yaml</span> " in text


def test_a_task_that_cannot_be_compared_says_why_and_hides_no_other(tmp_path: Path) -> None:
    lost = method(tmp_path, "full", 12, task="post")
    shutil.rmtree(next((tmp_path / "cells").glob("full-*")))
    records = (lost, method(tmp_path, "few-shot", 10), method(tmp_path, "rag", 2))
    text = Parsed(page.html([of(tmp_path, *records)])).text
    assert "has no predictions.jsonl for one of its cells" in text
    assert "Choose few-shot" in text


def test_a_run_without_any_cell_still_has_a_page(tmp_path: Path) -> None:
    text = Parsed(page.html([of(tmp_path, missing=(unmeasured("full"),))])).text
    assert "0 cells, 0 failed, 1 not run" in text
    assert "No task has answers that could be compared." in text


def test_failed_cells_and_their_denominators_are_on_the_page(tmp_path: Path) -> None:
    from bench.core.record import Failure

    broken = Record(
        key="1" * 64, model="m", task="mail", method="lora", seed=0, status="failed", created="2026-01-01",
        failure=Failure("out_of_memory", "9 GiB asked"),
    )  # fmt: skip
    text = Parsed(page.html([of(tmp_path, method(tmp_path, "full", 12), broken)])).text
    assert "lora on mail with m, seed 0: out_of_memory: 9 GiB asked" in text
    assert "2 cells, 1 failed, 0 not run" in text


def test_models_of_several_runs_stand_side_by_side(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        folder = tmp_path / name
        records = [method(folder, label, 15, model=name) for label in ("full", "rag")]
        runs.append(of(folder, *records))
    first = sections.sections(cases(runs))[0]
    assert [one.task for one in decisions(first)] == ["mail with one in one", "mail with two in two"]


def test_items_show_their_text_where_the_task_is_still_what_was_asked(tmp_path: Path, task_folder: Path) -> None:
    task = tasks.load(task_folder)
    lines = [
        {"id": one.id, "metrics": {"accuracy": 1.0}, "output": "red", "ranking": ["train/1", "train/2"]}
        for one in task.test
    ]
    wrong = [{**line, "metrics": {"accuracy": 0.0}, "output": "mauve"} for line in lines]
    asked = {"task": "paint", "questions": question_digest(task)}
    records = (answers(tmp_path, "full", 0, lines, **asked), answers(tmp_path, "few-shot", 0, wrong, **asked))
    known = of(tmp_path, *records, task_paths={"paint": str(task_folder.relative_to(tmp_path))})
    text = Parsed(page.html([known])).text
    assert "test thing 0 looks red" in text
    assert "mauve" in text
    gone = Parsed(page.html([of(tmp_path, *records, task_paths={"paint": "nowhere"})])).text
    assert "The items' texts are not shown: " in gone
    spec = yaml.safe_load((task_folder / "task.yaml").read_text())
    (task_folder / "task.yaml").write_text(yaml.safe_dump({**spec, "instruction": "Say the hue."}))
    item_texts._read.cache_clear()
    changed = Parsed(page.html([known])).text
    assert "the task's items or prompt are not those that were asked" in changed
    assert "test thing 0 looks red" not in changed


@pytest.mark.parametrize(
    ("metric", "change", "direction"),
    [("exact_match", "−50.0", "left"), ("bits_per_byte", "+6.2", "right")],  # hundredths of scales of 1 and of 8
)
def test_learning_curves_and_forgetting_have_their_charts_when_measured(
    metric: str, change: str, direction: str, tmp_path: Path
) -> None:
    def one(label: str, right: int) -> Record:
        curve = tuple(
            CheckpointScores(step, {"accuracy": Score(own)}, {"facts": {metric: Score(known)}})
            for step, own, known in ((2, 0.3, 0.6), (4, 0.5, 0.2))
        )
        probes = {"facts": {metric: Score(0.2)}}
        size = None if label == "full" else 4
        return method(
            tmp_path,
            label,
            right,
            curve=curve,
            weights_changed=True,
            probes=probes,
            suite_method="full",
            train_size=size,
        )

    base = Record(
        key="2" * 64, model="m", task="facts", method="base", seed=0, status="ok", created="2026-01-01",
        scores={metric: Score(0.7)},
    )  # fmt: skip
    records = (one("full", 15), one("full, 4 items", 9))
    found = {one.id: one for one in sections.sections(cases([of(tmp_path, *records, base=(base,))]))}
    [curve] = found["learning"].blocks
    assert [row[1].text for row in curve.chart.table.rows] == ["4", "8"]  # type: ignore[union-attr]
    figures = [block.chart for block in found["retention"].blocks if block.kind == "figure"]  # type: ignore[union-attr]
    assert figures[0].table.rows[0][1].text == change  # 0.2 after, 0.7 before
    assert "learning against forgetting on facts" in figures[1].title
    assert f"Up is learning the task, {direction} is forgetting." in figures[1].description


class TestFiles:
    def test_the_page_and_its_data_are_written_whole(self, tmp_path: Path) -> None:
        found = of(tmp_path, method(tmp_path, "full", 15), method(tmp_path, "rag", 9))
        written = files.write([found], tmp_path / "out.html", None)
        assert [file.name for file in written] == ["out.html", "out.json"]
        assert written[0].read_text(encoding="utf-8") == page.html([found])

    def test_a_folder_that_is_not_there_is_one_line(self, tmp_path: Path) -> None:
        found = of(tmp_path, method(tmp_path, "full", 15))
        with pytest.raises(UsageError, match=r"cannot write .*nowhere.*: No such file or directory"):
            files.write([found], tmp_path / "nowhere" / "out.html", None)

    @pytest.mark.parametrize("name", ["page.json", "run.html", "noise.html"])
    def test_the_data_replace_neither_the_page_nor_a_file_of_the_run(self, name: str, tmp_path: Path) -> None:
        found = of(tmp_path, method(tmp_path, "a", 9))
        before = sorted((file, file.read_bytes()) for file in tmp_path.rglob("*") if file.is_file())
        with pytest.raises(UsageError, match="its data would replace"):
            files.write([found], tmp_path / name, None)
        assert sorted((file, file.read_bytes()) for file in tmp_path.rglob("*") if file.is_file()) == before

    def test_no_browser_is_said_before_anything_is_written(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv(VARIABLE, "no-such-browser")
        with pytest.raises(UsageError, match="ADAPTBENCH_CHROMIUM is no-such-browser, which is no program"):
            files.write([of(tmp_path, method(tmp_path, "a", 9))], tmp_path / "x.html", tmp_path / "x.pdf")
        assert not (tmp_path / "x.html").exists()

    def test_a_browser_that_prints_nothing_is_one_line(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv(VARIABLE, shutil.which("true") or "/bin/true")
        with pytest.raises(UsageError, match=r"printed nothing \(exit 0\): nothing said"):
            files.write([of(tmp_path, method(tmp_path, "a", 9))], None, tmp_path / "x.pdf")

    def test_a_pdf_is_printed(self, tmp_path: Path) -> None:
        chromium()
        [file] = files.write([of(tmp_path, method(tmp_path, "a", 9))], None, tmp_path / "x.pdf")
        assert file.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("style", ["--csv", "--latex", "--benchmark", "--json", "--markdown", "--schema"])
def test_every_style_can_be_had_from_the_command(style: str) -> None:
    archive = Path(__file__).parent.parent.parent / "results" / "popqa.run.zip"
    done = CliRunner().invoke(cli, ["report", str(archive), style])
    assert done.exit_code == 0, done.output
    start = {
        "--csv": "suite,run,",
        "--latex": "%",
        "--benchmark": "{",
        "--json": "{",
        "--markdown": "## ",
        "--schema": "{",
    }
    assert done.output.startswith(start[style]), done.output[:80]


def test_groups_of_methods_that_are_alike_never_share_a_letter(tmp_path: Path) -> None:
    """Of a chain in which each method ties with the next, those that are further apart differ."""
    [case] = cases([of(tmp_path, method(tmp_path, "full", 15), method(tmp_path, "few-shot", 9))])
    assert case.family is not None
    names = [f"way {at:02}" for at in range(31)]
    ties = TieGroups(tuple(pairwise(names)), ())
    letters = quality._letters(replace(case, family=replace(case.family, ties=ties)))
    for first, second in combinations(range(31), 2):
        assert not set(letters.get(names[first], "")) & set(letters.get(names[second], "")) or second == first + 1


def test_every_metric_says_what_it_means() -> None:
    assert [name for name in NAMES if not about.meaning(name)] == []
    assert about.meaning("rouge_l_stem") == about.meaning("rouge_l") != about.meaning("rouge_lsum")


def test_controls_without_answers_to_compare_have_no_chart(tmp_path: Path) -> None:
    control = method(tmp_path, "oracle", 9, parts=MethodParts(is_control=True))
    [case] = cases([of(tmp_path, control)])
    assert retrieval.section([replace(case, family=None)]).blocks == ()
