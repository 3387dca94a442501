"""The report: right means and spreads, nothing hidden, nothing executed, readable at any width."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bench.analysis.summary import SummaryRow, plain, spread, summarise
from bench.core.measured import Environment, Latency, Parameters
from bench.core.phases import Phase
from bench.core.record import CellRef, Failure, Record, Run, Score
from bench.core.training import Judged, Losses, Training, Tuning
from bench.metrics.formats import clean, duration, number, size
from bench.report.data import to_json
from bench.report.markdown import markdown
from bench.report.tables import chapters, tables
from bench.report.terminal import terminal
from tests.test_comparison import answers, scored

MIB = 1024 * 1024


def record(
    method: str = "lora",
    seed: int = 0,
    scores: Mapping[str, float] | None = None,
    *,
    task: str = "mail",
    model: str = "m",
    **changes: Any,
) -> Record:
    values = {"accuracy": 0.5} if scores is None else scores
    return Record(
        key=f"{model}{task}{method}{seed}",
        model=model,
        task=task,
        method=method,
        seed=seed,
        created="2026-01-01T00:00:00+00:00",
        **{
            "status": "ok",
            "scores": {name: Score(value) for name, value in values.items()},
            "items": 10,
            "phases": {"predict": Phase(2.0, 300 * MIB)},
            **changes,
        },
    )


def test_what_a_method_knows_of_its_training_items_stands_beside_the_test() -> None:
    def trained(seed: int, on_train: float) -> Record:
        training = Training(loss=Losses(0.2, 0.5, 0.3), best_step=40, steps=60)
        return record("full", seed, {"accuracy": 0.7}, training=training, on_train={"accuracy": Score(on_train)})

    [table] = [one for one in tables(run(record("rag"), trained(0, 0.9), trained(1, 1.0))) if "fit" in one.title]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["full", "mail", "0.200", "0.500", "0.950", "0.700", "40 of 60"]
    ]
    assert not [one for one in tables(run(record("rag"))) if one.title.endswith(": fit")]


def test_serving_and_money_have_a_table_where_latency_was_measured() -> None:
    served: dict[str, Any] = {"latency": {"served": Latency(0.25, 0.5, 0.1)},
              "environment": Environment(device="cpu", threads=1)}  # fmt: skip
    cells = run(record("lora", 0, **served), record("lora", 1, **served), record("rag"))
    [table] = [one for one in tables(replace(cells, prices={"cpu_core_hour": 3.6})) if "compute only" in one.title]
    assert table.columns[:4] == ("method", "p50", "p95", "of p50:\nprompt")
    [row] = table.rows
    assert [cell.text for cell in row] == ["lora", "250 ms", "500 ms", "100 ms", "0", "0", "0.2", "0.25", "0.0004"]
    assert any(note.startswith("USD, prices of 20") for note in table.notes)
    assert not [one for one in tables(run(record("rag"))) if "compute only" in one.title]


def test_little_reach_of_adapters_is_said_with_what_they_leave_out() -> None:
    def note(adapted: int, *left_out: str) -> str:
        sizes = Parameters(200, 10, 40, None, 100, adapted, left_out)
        return shown(run(record("lora", 0, parameters=sizes)))

    assert "adapters reach 86% of the blocks' weights, not a, b, c, d and 1 more\n" in note(86, *"abcde")
    assert "adapters reach 86% of the blocks' weights, not mamba.out_proj\n" in note(86, "mamba.out_proj")
    assert "adapters reach 86% of the blocks' weights\n" in note(86)  # of a record from before the kinds
    assert "adapters reach" not in note(90, "gate")


def failed(
    method: str = "lora", seed: int = 0, kind: str = "diverged", message: str = "loss is nan", **more: Any
) -> Record:
    return record(method, seed, {}, status="failed", failure=Failure(kind, message), phases={}, **more)


def unmeasured(method: str, seed: int = 0) -> CellRef:
    return CellRef("f" * 64, "m", "mail", method, seed)


def run(*records: Record, missing: tuple[CellRef, ...] = ()) -> Run:
    return Run(Path("results/local/trial"), "trial", records, missing)


def row(*records: Record, missing: tuple[CellRef, ...] = ()) -> SummaryRow:
    (only,) = summarise(run(*records, missing=missing))
    return only


def shown(of: Run, width: int = 200, *, colour: bool = False) -> str:
    console = Console(width=width, force_terminal=colour, color_system="standard" if colour else None)
    with console.capture() as capture:
        console.print(terminal(chapters([of])))
    return capture.get()


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


class TestNumbers:
    def test_mean_and_sample_standard_deviation(self) -> None:
        # By hand: mean 0.6, squared deviations 0.01 + 0 + 0.01, over n - 1 = 2 gives 0.01, root 0.1.
        found = spread([0.5, 0.6, 0.7])
        assert found.mean == pytest.approx(0.6)
        assert found.sd == pytest.approx(0.1)
        assert found.n == 3
        assert spread([0.25]) == type(found)(0.25, None, 1)

    def test_scores_over_seeds_in_a_cell(self) -> None:
        text = shown(run(*(record(seed=i, scores={"accuracy": v}) for i, v in enumerate((0.5, 0.6, 0.7)))))
        assert "0.600 ± 0.100, n=3" in line_of(text, "lora")
        assert "standard deviation over n seeds" in text

    def test_one_seed_shows_no_spread(self) -> None:
        text = shown(run(record(scores={"accuracy": 0.8125})))
        assert re.fullmatch(r"lora +0\.812", line_of(text, "lora").rstrip())  # ties to even, as formatting does
        assert "±" not in text

    def test_scale_decides_the_decimals(self) -> None:
        assert number("bleu", 65.925) == "65.9"
        assert number("accuracy", 0.8406) == "0.841"
        assert number("my_metric", 12.345678) == "12.35"

    def test_costs(self) -> None:
        first = record(
            phases={"train": Phase(60.0, 300 * MIB), "predict": Phase(2.0, 400 * MIB), "tune": Phase(9.0, 1)},
            tokens={"prompt_tokens": 4000, "context_tokens": 3000, "output_tokens": 25},
        )
        second = replace(first, seed=1, phases={**first.phases, "train": Phase(90.0, 512 * MIB)})
        found = row(first, second)
        assert found.seconds["train"].mean == 75.0
        assert (found.peak_bytes, found.peak_of) == (512 * MIB, "host")
        assert found.tokens == {"prompt_tokens": 400.0, "context_tokens": 300.0, "output_tokens": 2.5}
        text = shown(run(first, second))
        assert re.search(r"lora +9\.00 s +75\.0 s +2\.00 s +512 MiB +400 \+ 2\.5", text)
        assert "host" in text

    def test_memory_is_the_devices_where_there_is_one(self) -> None:
        phases = {"load": Phase(1, 900 * MIB, 100 * MIB), "predict": Phase(1, 950 * MIB, 2048 * MIB)}
        found = row(record(phases=phases))
        assert (found.peak_bytes, found.peak_of) == (2048 * MIB, "device")

    def test_memory_of_two_kinds_names_each(self) -> None:
        gpu = record("full", phases={"predict": Phase(1, MIB, 3 * MIB)})
        text = shown(run(record("lora"), gpu))
        assert "300 MiB host" in text
        assert "3.0 MiB device" in text

    def test_phases_that_take_no_time_have_no_column(self) -> None:
        quick = record(phases={"index": Phase(0.001, MIB), "retrieve": Phase(0.2, MIB), "predict": Phase(1, MIB)})
        text = shown(run(quick))
        assert "retrieve" in text
        assert "index" not in text

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.004, "0.00 s"),
            (9.99, "9.99 s"),
            (9.999, "10.0 s"),
            (99.94, "99.9 s"),
            (99.99, "1 min 40 s"),
            (3570, "59 min 30 s"),
            (245, "4 min 05 s"),
            (3599.6, "1 h 00 min"),
            (3725, "1 h 02 min"),
        ],
    )
    def test_duration(self, value: float, text: str) -> None:
        assert duration(value) == text

    @pytest.mark.parametrize(
        ("count", "text"),
        [(0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (300 * MIB, "300 MiB"), (1536 * MIB, "1.5 GiB")],
    )
    def test_size(self, count: int, text: str) -> None:
        assert size(count) == text

    @given(st.floats(0, 1e6))
    def test_a_duration_never_shows_sixty(self, value: float) -> None:
        assert not re.search(r"(?<!\.)60 (s|min)", duration(value) + duration(value, rough=True).removeprefix("60 s"))


class TestFailuresAndGaps:
    def test_failed_cells_keep_their_place_and_denominator(self) -> None:
        found = row(record(seed=0), failed(seed=1), failed(seed=2))
        assert (found.status, found.cells, found.seeds) == ("partial", 3, (0,))
        text = shown(run(record(seed=0), failed(seed=1), failed(seed=2)))
        assert "failed: diverged (2/3)" in text
        assert "lora on mail with m, seeds 1, 2: diverged: loss is nan" in text

    def test_a_method_that_only_failed(self) -> None:
        text = shown(run(record("zero-shot"), failed("full", kind="out_of_memory", message="2 GiB asked")))
        assert "failed: out_of_memory (1/1)" in line_of(text, "full")
        assert "full on mail with m, seed 0: out_of_memory: 2 GiB asked" in text

    def test_missing_cells_are_not_run(self) -> None:
        missing = (unmeasured("lora", 1), unmeasured("full"))
        of = run(record(seed=0), missing=missing)
        rows = {each.method: each for each in summarise(of)}
        assert (rows["lora"].status, rows["lora"].cells, rows["lora"].missing) == ("partial", 2, (1,))
        assert (rows["full"].status, rows["full"].cells) == ("not run", 1)
        text = shown(of)
        assert "not run (1/2)" in text
        assert line_of(text, "full").split(maxsplit=1)[1].strip() == "not run"
        assert "full on mail with m, seed 0" in text

    def test_combinations_the_suite_has_not_are_not_run_either(self) -> None:
        rows = summarise(run(record("lora", task="a"), record("full", task="b")))
        assert {(r.task, r.method): (r.status, r.cells) for r in rows} == {
            ("a", "lora"): ("ok", 1),
            ("a", "full"): ("not run", 0),
            ("b", "lora"): ("not run", 0),
            ("b", "full"): ("ok", 1),
        }

    def test_the_answers_of_a_base_model_are_missing_by_their_own_name(self) -> None:
        of = run(record(), missing=(CellRef("f" * 64, "m", "facts", "base", 0, is_base=True),))
        assert [row.method for row in summarise(of)] == ["lora"]
        assert "not run: probe of the base model: m · facts · base · seed 0" in shown(of)

    def test_items_that_failed_stand_in_the_cell(self) -> None:
        text = shown(run(record(item_failures={"item_too_long": 3}), record(seed=1)))
        assert "3/20 items failed" in text
        assert "lora on mail with m: 3 of 20 items: item_too_long" in text

    def test_what_did_not_fit_is_said(self) -> None:
        dropped = {"examples_dropped": 1203, "passages_dropped": 0, "passages_truncated": 4}
        text = shown(run(record(dropped=dropped, training=Training(examples_too_long=7))))
        assert "1,203 few-shot examples dropped, 4 passages shortened over 10 items" in text
        assert "passages dropped" not in text
        assert "7 training examples too long" in text

    def test_a_run_without_records(self) -> None:
        assert "no cell of this run has been measured" in shown(run())

    def test_long_lists_are_cut_and_say_so(self) -> None:
        text = shown(run(*(failed(f"m{i}") for i in range(25))))
        assert "(+5 more; the JSON report has all)" in text
        assert len(to_json([run(*(failed(f"m{i}") for i in range(25)))])["runs"][0]["rows"]) == 25


class TestBest:
    """Answers to 40 items are on disk, as tests over items decide what is bold."""

    def best(self, folder: Path, **right: Sequence[int]) -> tuple[set[str], str]:
        """The bold methods, given how many of the first items each seed of a method has right; and the notes."""
        records = [
            answers(folder, method, seed, scored([1.0] * count + [0.0] * (40 - count)), task="mail")
            for method, counts in right.items()
            for seed, count in enumerate(counts)
        ]
        table = tables(replace(run(*records), path=folder))[0]
        return {line[0].text for line in table.rows if line[1].style == "best"}, "; ".join(table.notes)

    def test_what_is_better_than_every_other_is_bold(self, tmp_path: Path) -> None:
        best, notes = self.best(tmp_path, a=[20], b=[38], c=[18])
        assert best == {"b"}
        assert "not significantly different" not in notes

    def test_a_tie_is_not_bold_whatever_the_spread_over_seeds(self, tmp_path: Path) -> None:
        best, notes = self.best(tmp_path, a=[38, 38], b=[39, 39], c=[10, 10])
        assert best == set()
        assert "mail: not significantly different: b, a" in notes

    def test_without_answers_nothing_is_bold(self) -> None:
        table = tables(run(record("a"), record("b", scores={"accuracy": 0.9})))[0]
        assert {line[1].style for line in table.rows} == {""}

    def test_survivors_of_failed_seeds_do_not_win(self, tmp_path: Path) -> None:
        records = [answers(tmp_path, name, 0, scored([value] * 40)) for name, value in (("a", 0.0), ("b", 1.0))]
        table = tables(replace(run(*records, failed("b", 1)), path=tmp_path))[0]
        assert [line[1].style for line in table.rows] == ["", ""]

    def test_nothing_to_beat(self, tmp_path: Path) -> None:
        assert self.best(tmp_path, a=[20])[0] == set()


class TestTables:
    def test_one_block_for_each_model(self) -> None:
        titles = [table.title for table in tables(run(record(model="x"), record(model="y")))]
        assert titles == ["x: scores", "x: cost on mail", "y: scores", "y: cost on mail"]

    def test_primary_metric_first_the_others_apart(self) -> None:
        first, others, *_ = tables(run(record(scores={"bleu": 62.81, "chrf": 51.0, "rouge_l": 0.5})))
        assert first.columns == ("method", "mail\nBLEU")
        assert first.rows[0][1].text == "62.8"
        assert others.columns == ("method", "mail\nchrF", "mail\nROUGE-L")
        assert [cell.text for cell in others.rows[0]] == ["lora", "51.0", "0.500"]

    def test_retrieval_has_its_own_table(self) -> None:
        scores = {"questions": 1000.0, "hit@1": 0.8, "hit@5": 0.952, "mrr": 0.8701, "ndcg@10": 0.9}
        found = tables(run(record("rag", retrieval=scores), record("lora")))
        table = next(table for table in found if table.title == "m: retrieval")
        assert table.columns == ("method", "task", "hit@1", "hit@5", "mrr", "questions")
        assert [[cell.text for cell in line] for line in table.rows] == [
            ["rag", "mail", "0.800", "0.952", "0.870", "1,000"]
        ]
        assert not any("retrieval" in table.title for table in tables(run(record("lora"))))

    @pytest.mark.parametrize("width", [40, 80, 160])
    def test_fits_the_width(self, width: int) -> None:
        methods = ["zero-shot", "few-shot", "rag", "lora", "full", "scratch", "lora+rag"]
        records = [
            record(method, seed, {"accuracy": 0.5 + seed / 10, "macro_f1": 0.4}, task=task)
            for task in ("banking77", "e2e-nlg", "popqa")
            for method in methods
            for seed in range(3)
        ]
        text = shown(run(*records), width)
        assert max(map(cell_len, text.splitlines())) <= width
        for method in methods:
            assert text.count(f"\n{method} ") >= 5  # scores, other metrics, three costs
        assert text.count("0.600 ± 0.100, n=3") == 21  # no cell is lost, whatever the width

    def test_wide_terminal_shows_all_tasks_in_one_table(self) -> None:
        text = shown(run(*(record(task=f"task{i}") for i in range(5))), 160)
        assert line_of(text, "      ").split() == [f"task{i}" for i in range(5)]


HOSTILE = "[bold red]x[/] \x1b[31mred\x07\u202egnp.exe\u2066 | **b** <script>alert(1)</script> `c`\nnext"


class TestUntrustedText:
    def test_terminal_takes_it_literally(self) -> None:
        text = shown(run(failed(message=HOSTILE)), 300)
        assert "[bold red]x[/] [31mredgnp.exe | **b** <script>alert(1)</script> `c` next" in text
        assert not set(text) & {"\x1b", "\x07", "\u202e", "\u2066"}

    def test_names_too(self) -> None:
        of = run(record(HOSTILE, model=HOSTILE, task=HOSTILE, scores={HOSTILE: 1.0, "b\x1b[2J": 2.0}))
        assert not set(shown(of, 80)) & {"\x1b", "\x07", "\u202e"}
        assert not set(markdown(chapters([of]))) & {"\x1b", "\x07", "\u202e"}

    def test_markdown_escapes_it(self) -> None:
        text = markdown(chapters([run(record("a|b_c*d"), failed("x", message="<img src=y>"))]))
        assert "| a\\|b\\_c\\*d | 0.500 |" in text
        assert "\\<img src=y\\>" in text
        for line in text.splitlines():
            if line.startswith("| "):
                assert len(re.findall(r"(?<!\\)\|", line)) in (3, 6)  # scores: 2 columns, costs: 5

    @given(st.text())
    def test_clean_is_one_printable_line(self, text: str) -> None:
        found = clean(text)
        assert len(found.splitlines()) <= 1
        assert clean(found) == found
        assert not {unicodedata.category(sign) for sign in found} & {"Cc", "Cf", "Cs"}

    @given(st.text(), st.text())
    def test_any_text_gives_a_report(self, name: str, message: str) -> None:
        of = run(record(name, scores={name: 0.5}), failed("other", message=message))
        shown(of, 80)
        rows = [line for line in markdown(chapters([of])).splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in rows} <= {3, 6}


class TestMarkdownAndJson:
    def test_markdown_has_the_same_cells(self) -> None:
        of = run(record("a", 0, {"accuracy": 0.5}), record("a", 1, {"accuracy": 0.7}), failed("b"))
        text = markdown(chapters([of]))
        assert "## trial (results/local/trial)" in text
        assert "| method | mail Accuracy |\n| --- | ---: |\n| a | 0.600 ± 0.141, n=2 |" in text
        assert "| b | failed: diverged (1/1) |" in text
        assert "- b on mail with m, seed 0: diverged: loss is nan" in text

    def test_markdown_bold(self, tmp_path: Path) -> None:
        records = [answers(tmp_path, name, 0, scored([value] * 40)) for name, value in (("a", 0.0), ("b", 1.0))]
        found = replace(run(*records), path=tmp_path)
        assert "| b | **1.000** |" in markdown(chapters([found]))
        assert "\x1b[1m" in shown(found, colour=True)

    def test_json_has_rows_and_records(self) -> None:
        of = run(record(seed=0, scores={"accuracy": 0.2}), record(seed=1, scores={"accuracy": 0.4}), failed("full"))
        found = json.loads(json.dumps(to_json([of, of]), allow_nan=False))
        assert found["schema"] == 2
        first, second = found["runs"]
        assert first == second
        assert (first["path"], first["suite"]) == ("results/local/trial", "trial")
        lora, full = first["rows"]
        assert lora["status"] == "ok"
        assert lora["metric"] == "accuracy"
        assert lora["scores"]["accuracy"] == {
            "mean": pytest.approx(0.3),
            "sd": pytest.approx(0.02**0.5),
            "n": 2,
        }
        assert full["failures"] == [[0, {"kind": "diverged", "message": "loss is nan"}]]
        assert [r["seed"] for r in first["records"]] == [0, 1, 0]
        assert first["records"][0]["phases"]["predict"]["wall_s"] == 2.0

    def test_numbers_that_are_none_become_null(self) -> None:
        assert plain({"a": float("nan"), "b": (float("inf"), 1.5), "c": Path("x"), "d": True}) == {
            "a": None,
            "b": [None, 1.5],
            "c": "x",
            "d": True,
        }

    @pytest.mark.parametrize("style", ["table", "markdown"])
    def test_runs_are_kept_apart(self, style: Literal["table", "markdown"]) -> None:
        one, two = run(record()), replace(run(record()), suite="second")
        if style == "markdown":
            text = markdown(chapters([one, two]))
        else:
            console = Console(width=100)
            with console.capture() as capture:
                console.print(terminal(chapters([one, two])))
            text = capture.get()
        assert text.index("trial (") < text.index("second (")
        assert "n=2" not in text


def test_options_show_every_trial_and_a_choice_at_an_end() -> None:
    trials = Judged({"k": 4}, 0.5), Judged({"k": 8}, 0.75)
    tuning = Tuning({"k": (4, 8)}, trials, {"k": 8}, "accuracy", 20, {"k": "highest"})
    trials = Judged({"k": 4}, 1.0), Judged({"k": 8}, None)
    diverged = Tuning({"k": (4, 8)}, trials, {"k": 4}, "validation loss", 20, {})
    found = tables(run(record("few-shot", tuning=tuning), record("full", tuning=diverged), record("rag")))
    [table] = [one for one in found if one.title.endswith(": options")]
    rows = [[text.text for text in row] for row in table.rows]
    assert [row[2:6] for row in rows] == [
        ["k 4", "Accuracy", "0.500", ""],
        ["k 8", "", "0.750", "yes, k highest"],
        ["k 4", "validation loss", "1.000", "yes"],
        ["k 8", "", "diverged", ""],
    ]
    assert "beyond" in table.notes[-1]


def test_a_search_shows_its_folds_its_rungs_and_its_tokens() -> None:
    trials = [
        Judged({"k": k}, value, tokens=700, rung=rung) for k, value, rung in ((4, 0.5, 1), (8, 0.4, 1), (4, 0.6, 2))
    ]
    tuning = Tuning({"k": (4, 8)}, tuple(trials), {"k": 4}, "accuracy", 20, {}, folds=5, budget=1.5)
    found = tables(run(record("full", tuning=tuning, phases={"tune": Phase(3.0, 1)}), record("rag")))
    [table] = [one for one in found if one.title.endswith(": options")]
    rows = [[text.text for text in row] for row in table.rows]
    assert [row[2:] for row in rows] == [
        ["k 4, rung 1", "Accuracy, 5 folds", "0.500", "", "3.00 s, 2,100 tokens"],
        ["k 8, rung 1", "", "0.400", "", ""],
        ["k 4, rung 2", "", "0.600", "yes", ""],
    ]
    assert "was judged once" in table.notes[1]
    assert "within 1.5 trainings" in table.notes[2]


def test_a_search_is_paid_once_whatever_the_number_of_seeds() -> None:
    served: dict[str, Any] = {"latency": {"served": Latency(0.1, 0.2, 0.0)},
              "environment": Environment(device="cpu", threads=1)}  # fmt: skip
    tuned = record("full", 0, phases={"tune": Phase(3600.0, 1), "predict": Phase(1.0, 1)}, **served)
    others = [record("full", seed, phases={"predict": Phase(1.0, 1)}, **served) for seed in (1, 2)]
    found = tables(replace(run(tuned, *others), prices={"cpu_core_hour": 5.0}))
    [table] = [one for one in found if "compute only" in one.title]
    assert table.rows[0][table.columns.index("tuning")].text == "5"
