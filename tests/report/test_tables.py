"""Tables for other programs: tidy CSV that a spreadsheet cannot be fooled with, LaTeX that compiles."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.measures import Measure, measures, unit
from bench.core.measured import Latency, Parameters
from bench.core.phases import Phase
from bench.core.record import Record, Run, Score
from bench.core.training import Losses, Training
from bench.report.csv_latex import COLUMNS, csv_text, latex
from bench.report.tex import escaped
from tests.report.test_report import HOSTILE, failed, record, run, unmeasured
from tests.test_comparison import answers, scored

FORMULAS = ("=cmd()|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\u202e=1", "＝1", "\n@x")


def lines(*runs: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(runs), newline=""), strict=True))


def only(found: list[dict[str, str]], kind: str, measure: str, **more: str) -> dict[str, str]:
    wanted = {"kind": kind, "measure": measure, **more}
    [line] = [each for each in found if wanted.items() <= each.items()]
    return line


class TestMeasures:
    def test_by_hand(self) -> None:
        of = record(
            "lora", 0, {"accuracy": 0.5, "bleu": 40.0, "own": 3.0},
            on_train={"accuracy": Score(0.75)}, probes={"facts": {"bits_per_byte": Score(1.5)}},
            counterfactual={"name": {"a": True, "b": False, "c": False, "d": False}, "tone": {}},
            divergence=0.25, retrieval={"hit@1": 0.5, "questions": 8.0},
            phases={"train": Phase(3.0, 10, 20, 30, 40.0, "", 50), "predict": Phase(1.0, 70, 15, None)},
            
            training=Training(rate=0.01, tokens=8, loss=Losses(gap=0.5), checkpointing=True, examples=3,
                              train_loss=((1, 2.0),)),
            latency={"served": Latency(0.1, 0.2, 0.0, 24)}, tokens={"prompt_tokens": 45},
            parameters=Parameters(10, 7, 28), item_failures={"item_too_long": 1},
            dropped={"passages_dropped": 2},
        )  # fmt: skip
        assert list(measures(of)) == [
            Measure("score", "accuracy", "0-1", 0.5),
            Measure("score", "bleu", "0-100", 40.0),
            Measure("score", "own", "", 3.0),
            Measure("on_train", "accuracy", "0-1", 0.75),
            Measure("probe", "facts.bits_per_byte", "bit/byte", 1.5),
            Measure("counterfactual", "name.changed", "0-1", 0.25),
            Measure("divergence", "kl_from_base", "nat", 0.25),
            Measure("retrieval", "hit@1", "0-1", 0.5),
            Measure("retrieval", "questions", "item", 8.0),
            Measure("time", "train", "s", 3.0),
            Measure("energy", "train", "J", 40.0),
            Measure("operations", "train", "flop", 50),
            Measure("time", "predict", "s", 1.0),
            Measure("memory", "peak_host", "B", 70),
            Measure("memory", "peak_device", "B", 20),
            Measure("memory", "peak_reserved", "B", 30),
            Measure("latency", "served.p50", "s", 0.1),
            Measure("latency", "served.p95", "s", 0.2),
            Measure("latency", "served.retrieval_p50", "s", 0.0),
            Measure("latency", "served.questions", "item", 24),
            Measure("tokens", "prompt_tokens", "token/item", 4.5),
            Measure("training", "rate", "", 0.01),
            Measure("training", "tokens", "token", 8),
            Measure("training", "loss.gap", "nat", 0.5),
            Measure("training", "examples", "item", 3),
            Measure("training", "examples_too_long", "item", 0),
            Measure("parameters", "total", "parameter", 10),
            Measure("parameters", "trained", "parameter", 7),
            Measure("parameters", "stored_bytes", "B", 28),
            Measure("items", "asked", "item", 10),
            Measure("items", "failed.item_too_long", "item", 1),
            Measure("dropped", "passages_dropped", "", 2),
        ]

    def test_what_is_no_number_is_left_out(self) -> None:
        found = measures(record(scores={"accuracy": float("nan")}, divergence=float("inf")))
        assert {measure.kind for measure in found} == {"time", "memory", "items"}

    def test_units_of_scores(self) -> None:
        assert [unit(name) for name in ("accuracy", "chrf", "bits_per_byte", "mine")] == [
            "0-1",
            "0-100",
            "bit/byte",
            "",
        ]


class TestCsv:
    def test_a_score_over_seeds(self) -> None:
        # By hand: mean 0.6, squared deviations 0.01 + 0 + 0.01 over 2, root 0.1.
        found = lines(
            run(*(record("lora", i, {"accuracy": v, "macro_f1": 0.5}) for i, v in enumerate((0.5, 0.6, 0.7))))
        )
        line = only(found, "score", "accuracy")
        assert tuple(line) == COLUMNS
        assert float(line.pop("value")) == pytest.approx(0.6)
        assert float(line.pop("sd")) == pytest.approx(0.1)
        assert line == {
            "suite": "trial", "run": "results/local/trial", "model": "m", "task": "mail", "method": "lora",
            "status": "ok", "cells": "3", "seeds": "0 1 2", "failures": "", "kind": "score", "measure": "accuracy",
            "primary": "true", "better": "higher", "unit": "0-1", "n": "3",
        }  # fmt: skip
        assert only(found, "score", "macro_f1")["primary"] == "false"
        time = only(found, "time", "predict")
        assert (time["unit"], time["value"], time["sd"], time["better"]) == ("s", "2", "0", "")

    def test_one_seed_has_no_spread(self) -> None:
        line = only(lines(run(record(scores={"bits_per_byte": 1.25}))), "score", "bits_per_byte")
        assert (line["value"], line["sd"], line["n"], line["better"]) == ("1.25", "", "1", "lower")

    def test_a_measure_that_some_seeds_have_not(self) -> None:
        tuned = record("full", 0, phases={"tune": Phase(9.0, 1), "predict": Phase(1.0, 1)})
        found = lines(run(tuned, record("full", 1)))
        assert (only(found, "time", "tune")["n"], only(found, "time", "predict")["n"]) == ("1", "2")

    def test_failed_and_missing_cells_are_counted(self) -> None:
        of = run(record(seed=0), failed(seed=1), failed(seed=2), missing=(unmeasured("lora", 3),))
        line = only(lines(of), "score", "accuracy")
        assert (line["status"], line["cells"], line["seeds"], line["n"]) == ("partial", "4", "0", "1")
        assert line["failures"] == "diverged: 2; not run: 1"

    def test_a_method_without_any_cell_that_ended_has_a_line(self) -> None:
        found = lines(run(record(), failed("full"), missing=(unmeasured("rag"),)))
        last = [(line["method"], line["status"], line["kind"], line["value"]) for line in found[-2:]]
        assert last == [("full", "failed", "", ""), ("rag", "not run", "", "")]

    def test_what_the_suite_does_not_ask_for_has_none(self) -> None:
        found = lines(run(record("lora", task="a"), record("full", task="b")))
        assert {(line["task"], line["method"]) for line in found} == {("a", "lora"), ("b", "full")}

    def test_the_base_models_answers_to_probes(self) -> None:
        base = record("base", 0, {"exact_match": 0.75}, task="facts")
        line = only(
            lines(replace(run(record()), base=(base, failed("base", task="gone")))), "base_probe", "exact_match"
        )
        assert (line["task"], line["method"], line["value"], line["seeds"]) == ("facts", "base", "0.75", "0")

    def test_names_of_a_line_are_its_own(self) -> None:
        of = replace(run(record("a"), record("b"), record("a", task="t"), record("a", model="x")), base=(record("a"),))
        found = [tuple(line[name] for name in ("model", "task", "method", "kind", "measure")) for line in lines(of)]
        assert len(found) == len(set(found))

    def test_numbers_keep_every_digit_and_stay_numbers(self) -> None:
        found = lines(run(record(scores={"accuracy": 1 / 3, "own": -2.5, "tiny": 1e-9})))
        values = [only(found, "score", name)["value"] for name in ("accuracy", "own", "tiny")]
        assert values == ["0.3333333333333333", "-2.5", "1e-09"]

    def test_quotes_and_line_ends_as_the_rfc_has_them(self) -> None:
        text = csv_text([run(record('say "hi", you'))])
        assert text.startswith(",".join(COLUMNS) + "\r\n")
        assert '"say ""hi"", you"' in text
        assert text.count("\n") == text.count("\r\n")

    @pytest.mark.parametrize("text", FORMULAS)
    def test_no_text_is_a_formula(self, text: str) -> None:
        of = replace(run(record(text, task=text, model=text, scores={text: 0.5})), suite=text)
        for line in lines(of):
            for name in ("suite", "model", "task", "method"):
                assert line[name].startswith("'"), name
        assert any(line["kind"] == "score" and line["measure"].startswith("'") for line in lines(of))

    def test_hostile_text_is_clean(self) -> None:
        text = csv_text([run(record(HOSTILE, task=HOSTILE, scores={HOSTILE: 1.0}), failed("x", kind=HOSTILE))])
        assert not set(text) & {"\x1b", "\x07", "\u202e", "\u2066"}

    @given(st.text(), st.text())
    def test_any_text_gives_a_table(self, name: str, metric: str) -> None:
        found = lines(replace(run(record(name, task=name, scores={metric: 0.5}), failed("other")), suite=name))
        texts = [text for line in found for text in line.values()]
        assert not [text for text in texts if text.startswith(("=", "+", "@", "\t", "\r"))]

    def test_no_runs(self) -> None:
        assert csv_text([]) == ",".join(COLUMNS) + "\r\n"


def seeds(method: str, *values: float, task: str = "mail", metric: str = "accuracy", **more: Any) -> list[Record]:
    return [record(method, i, {metric: value}, task=task, **more) for i, value in enumerate(values)]


class TestLatex:
    def test_a_table_by_hand(self, tmp_path: Path) -> None:
        # lora on mail: mean 0.8, deviation 0.1 · √2 = 0.1414; rag has none of its items right.
        right = {("lora", 0): 28, ("lora", 1): 36, ("rag", 0): 0, ("rag", 1): 0}
        of = run(
            *(answers(tmp_path, *cell, scored([1.0] * n + [0.0] * (40 - n))) for cell, n in right.items()),
            *seeds("lora", 61.25, 61.75, task="say", metric="bleu"),
        )
        of = replace(of, path=tmp_path)
        assert latex([of]) == "\n".join([
            "% needs \\usepackage{booktabs}",
            "",
            "\\begin{table}",
            "\\centering",
            "\\caption{m, suite trial: primary scores; mean $\\pm$ standard deviation over n seeds; where there is no"
            " $\\pm$, one seed was measured; bold: these checkpoints are significantly better than those of every other"
            " method (Holm, 0.05); $n = 2$.}",
            "\\label{tab:adaptbench-1}",
            "\\begin{tabular}{lrr}",
            "\\toprule",
            " & mail & say \\\\",
            "method & Accuracy & BLEU \\\\",
            "\\midrule",
            "lora & $\\mathbf{0.800 \\pm 0.141}$ & $61.5 \\pm 0.4$ \\\\",
            "rag & $0.000 \\pm 0.000$ & \\textendash{} \\\\",
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
            "",
        ])  # fmt: skip

    def test_seeds_are_counted_in_the_cell_where_they_differ(self) -> None:
        text = latex([run(*seeds("a", 0.5, 0.5), *seeds("b", 0.5, 0.5, 0.5), *seeds("c", 0.25))])
        assert "a & $0.500 \\pm 0.000$ ($n = 2$) \\\\" in text
        assert "b & $0.500 \\pm 0.000$ ($n = 3$) \\\\" in text
        assert "c & $0.250$ \\\\" in text
        assert "$n = 2$." not in text

    def test_failures_stay_in_the_cell(self) -> None:
        text = latex([run(record("a"), record("b", 0), failed("b", 1), failed("c"), missing=(unmeasured("d"),))])
        assert "b & $0.500$; failed: diverged (1/2) \\\\" in text
        assert "c & failed: diverged (1/1) \\\\" in text
        assert "d & not run \\\\" in text

    def test_small_numbers_of_an_unknown_metric(self) -> None:
        assert "a & $1.234 \\times 10^{-7}$ \\\\" in latex([run(record("a", scores={"mine": 1.2341e-7}))])

    def test_a_table_for_each_model_and_run(self) -> None:
        of = run(record(model="x"), record(model="y"))
        assert re.findall(r"\\label\{(.*?)\}", latex([of, of])) == [f"tab:adaptbench-{i}" for i in (1, 2, 3, 4)]

    def test_a_run_without_records(self) -> None:
        assert latex([run()]) == ("% needs \\usepackage{booktabs}\n\n% trial: no cell of this run has been measured\n")

    def test_hostile_names(self) -> None:
        name = "\\input{/etc/passwd} 100% $x_1$ & \\\\ #^~ \u202e\n\\end{tabular}"
        of = replace(run(record(name, task=name, model=name, scores={name: 0.5})), suite=name)
        self.check(latex([of]), rows=3)
        assert "\\input" not in latex([of])

    @given(st.text(), st.text())
    def test_any_text_gives_a_table(self, name: str, message: str) -> None:
        of = replace(
            run(record(name, task=name, scores={name: 0.5}), failed(f"{name}x", kind=message, task=name)), suite=message
        )
        self.check(latex([of]), rows=4)

    def check(self, text: str, rows: int) -> None:
        """What LaTeX needs: ASCII, no commands but ours, braces in pairs, two cells in a row."""
        assert text.isascii()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
        body = [line for line in text.splitlines() if not line.startswith("%")]
        commands = set(re.findall(r"\\([A-Za-z]+|.)", "\n".join(body)))
        assert commands <= COMMANDS
        bare = re.sub(r"\\.", "", "\n".join(body))  # without escaped signs and the first letter of commands
        assert bare.count("{") == bare.count("}")
        assert bare.count("$") % 2 == 0
        assert not re.search(
            r"[#^~]", re.sub(r"\\[\^~=.`'\"]", "", "\n".join(body)).replace("\\#", "").replace("10^", "")
        )
        cells = [line for line in body if line.endswith(" \\\\")]
        assert len(cells) == rows
        assert {len(re.findall(r"(?<!\\)&", line)) for line in cells} == {1}
        assert not [line for line in body if line.lstrip().startswith(("[", "*"))]

    @pytest.mark.parametrize(("tasks", "smaller"), [(3, False), (4, True)])
    def test_a_wide_table_is_set_smaller(self, tasks: int, smaller: bool) -> None:
        of = run(*(one for i in range(tasks) for one in seeds("lora", 0.7, 0.9, task=f"t{i}")))
        assert ("\\footnotesize\\setlength{\\tabcolsep}{3pt}" in latex([of])) is smaller


COMMANDS = {
    "begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "mathbf",
    "pm", "times", "cdot", "leq", "geq", "to", "ldots", "textbackslash", "textasciicircum", "textasciitilde",
    "textless", "textgreater", "textbar", "textendash", "textemdash", "textquotedblleft", "textquotedblright",
    "ss", "ae", "AE", "oe", "OE", "o", "O", "l", "L", "u", "r", "H", "v", "c", *"\\{}$&#%_`'^~\"=.",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("few-shot_k=4", "few-shot\\_k=4"),
        ("50% & $5 #1", "50\\% \\& \\$5 \\#1"),
        ("\\input{x}", "\\textbackslash{}input\\{x\\}"),
        ("a^b~c", "a\\textasciicircum{}b\\textasciitilde{}c"),
        ("<a|b>", "\\textless{}a\\textbar{}b\\textgreater{}"),
        ("[2cm] *", "{[}2cm{]} {*}"),
        ("a -- b --- c", "a -{}- b -{}-{}- c"),
        ("``x'' ?`", "`{}`x'{}' ?{}`"),
        ("Zoë Ångström, naïve façade", 'Zo\\"{e} \\r{A}ngstr\\"{o}m, na\\"{i}ve fa\\c{c}ade'),
        ("straße × ±", "stra\\ss{}e $\\times$ $\\pm$"),
        ("模型", "(U+6A21)(U+578B)"),
        ("😀\u202e\x1b\nx", "(U+1F600) x"),
    ],
)
def test_every_sign_is_set_as_itself(text: str, expected: str) -> None:
    assert escaped(text) == expected
