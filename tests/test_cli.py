"""The command line as a user meets it: one line for a mistake, exit codes, and speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from bench import cli
from bench.runs import surroundings

ROOT = Path(__file__).parent.parent


def adaptbench(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **environment}
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=110)


def command(*arguments: str, code: int = 0) -> Result:
    """The command within this process, whose cells start at once."""
    done = CliRunner(env={"COLUMNS": "120"}).invoke(cli.cli, arguments)
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def suite_file(tmp_path: Path, tiny_model: Path) -> Path:
    content = {"models": [str(tiny_model)], "tasks": ["support-intents"], "methods": ["zero-shot"], "embedder": "none"}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def change(file: Path, **keys: Any) -> str:
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, **keys}))
    return str(file)


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a wrong command prints: it exits with 2, and every line of it is an error line."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert stopped.value.code == 2
    assert out == ""
    lines = err.splitlines()
    assert lines
    assert all(line.startswith("error: ") for line in lines)
    return err


@pytest.fixture(autouse=True)
def no_device_is_asked() -> Iterator[pytest.MonkeyPatch]:
    """Mistakes are found before any device is looked at: looking takes seconds."""

    def late(suite: object) -> None:
        raise AssertionError("the device was looked at before the input was checked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surroundings, "surroundings", late)
        yield patch


@pytest.fixture
def any_device(no_device_is_asked: pytest.MonkeyPatch) -> None:
    """For what comes after the input was checked."""
    no_device_is_asked.undo()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rum"], 'no command "rum" (did you mean "run"?)'),
        (["run", "quikstart"], 'unknown suite "quikstart" (did you mean "quickstart"?)'),
        (["run", "nowhere/suite.yaml"], 'no suite file "nowhere/suite.yaml"'),
        (["run", "."], 'unknown suite "."'),
        (["run", "/"], 'no suite file "/"'),
        (["run", ""], 'unknown suite ""'),
        (["run", "--limit", "-5"], "-5 is not in the range x>=1"),
        (["run", "--limit", "many"], "'many' is not a valid integer"),
        (["run", "--limt", "5"], "--limit"),
        (["run", "--seeds", "1;2"], "--seeds takes whole numbers"),
        (["run", "--shard", "4/3"], '--shard takes i/n with 1 <= i <= n <= 1,000, such as 2/3; got "4/3"'),
        (["plan", "--shard", "0/3"], "--shard takes i/n"),
        (["check", "support-intens"], 'unknown task "support-intens" (did you mean "support-intents"?)'),
        (["report", "no-such-run"], '"no-such-run" is no run directory'),
        (["list", "taks"], "'taks' is not one of"),
        (["init", "no-such-file.csv"], "no-such-file.csv"),
    ],
)
def test_a_wrong_command_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    err = mistake(capsys, *arguments)
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"methods": ["zero-shoot"]}, 'unknown method "zero-shoot" (did you mean "zero-shot"?)'),
        ({"methods": [{"few-shot": {"kk": 3}}]}, 'unknown option of method few-shot: "kk" (did you mean "k"?)'),
        ({"methods": [{"few-shot": {"k": -1}}]}, "few-shot: k is -1; it must be fill or greater than 0"),
        ({"methods": ["lora", "lora"]}, 'method "lora" stands twice'),
        ({"methods": ["full", {"lora": {"label": "full"}}]}, 'method "full" stands twice in the suite under one label'),
        ({"methods": [{"lora": {"label": 3}}]}, "label of method lora must be a text of up to 80 characters; got 3"),
        ({"tasks": ["support-intens"]}, 'unknown task "support-intens" (did you mean "support-intents"?)'),
        ({"models": ["tiny-randm"]}, 'no model folder "tiny-randm" (did you mean "tiny-random"?)'),
        ({"models": ["${NO_SUCH_VARIABLE}/model"]}, "names an environment variable that is not set"),
        ({"modles": []}, 'unknown key "modles" (did you mean "models"?)'),
        ({"engine": {"treads": 1}}, 'unknown key "engine.treads" (did you mean "threads"?)'),
        ({"limit": -1}, "limit is -1; it must be greater than 0"),
        (
            {"name": "../../outside"},
            'name is "../../outside"; it must be letters, digits, dots, hyphens',
        ),
        ({"name": "x" * 300}, "it must be letters, digits, dots, hyphens and underscores, at most 80"),
        ({"tasks": ["x" * 300]}, 'unknown task "xxx'),
        ({"engine": {"device": "cpux"}}, 'engine.device is "cpux"; it must be auto, cpu, cuda or cuda:N'),
        ({"models": [{"path": "mini", "name": "a/b"}]}, 'models.0.name is "a/b"; it must be'),
        ({"methods": [3]}, "methods.0 is 3; it must be text (in quotes) or a mapping"),
        ({"methods": [{"lora": 3}]}, "methods.0.lora is 3; it must be a mapping"),
        ({"methods": []}, "methods: list should have at least 1 item"),
        ({"defaults": {"epoch": 3}}, 'unknown option in defaults: "epoch" (did you mean "epochs"?)'),
    ],
)
def test_a_wrong_suite_is_one_line(
    suite_file: Path, keys: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    err = mistake(capsys, "run", change(suite_file, **keys))
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("engine", ["fast", None])
def test_an_option_changes_nothing_of_what_is_no_mapping(
    suite_file: Path, engine: object, capsys: pytest.CaptureFixture[str]
) -> None:
    err = mistake(capsys, "run", change(suite_file, engine=engine), "--device", "cpu")
    assert "engine is " in err
    assert len(err.splitlines()) == 1


def test_all_mistakes_of_a_suite_are_named_at_once(suite_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = mistake(capsys, "run", change(suite_file, limit=0, modles=[], seeds=[-1]))
    assert len(err.splitlines()) == 3


@pytest.mark.parametrize("text", ["", "- a list", "a: [", "\x00"])
def test_a_file_that_is_no_suite_is_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    assert len(mistake(capsys, "run", str(file)).splitlines()) == 1


def test_a_model_folder_without_safe_weights_is_refused(
    suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert "only safetensors are loaded" in mistake(capsys, "run", change(suite_file, models=[str(folder)]))


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", "results/local/mine/run.json")

    monkeypatch.setattr("bench.store.run_folder.read_run", full)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", "mine"])
    assert stopped.value.code == 4
    err = capsys.readouterr().err
    assert err == "error: No space left on device: results/local/mine/run.json; what is finished is kept\n"


def test_a_defect_shows_where_and_ends_with_seventy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.store.run_folder.read_run", lambda path: 1 / 0)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", "mine"])
    assert stopped.value.code == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "defect of adaptbench" in err.splitlines()[-1]


def test_a_mistake_takes_less_than_a_second(suite_file: Path) -> None:
    file = change(suite_file, methods=["zero-shoot"])
    assert fastest("run", file, code=2) < 1.0


def test_the_help_has_a_line_for_each_command() -> None:
    text = CliRunner().invoke(cli.cli, ["--help"], terminal_width=80).output
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  ") and line.strip()]
    assert all(any(line[0] == name and len(line) == 2 for line in lines) for name in cli.cli.commands)
    assert all(len(line) <= 83 for line in text.splitlines())


def test_help_and_lists_take_half_a_second_at_most() -> None:
    assert fastest("--help") < 0.5
    assert fastest("list", "tasks") < 0.5


def fastest(*arguments: str, code: int = 0) -> float:
    """Processor seconds of the fastest of three: the machine may be busy with something else."""
    times = []
    for _ in range(3):
        before = os.times()
        assert adaptbench(*arguments).returncode == code
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(times)


def test_a_suite_from_init_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, any_device: None) -> None:
    """What a new user does: their own CSV, a task, a plan, a run, a report."""
    monkeypatch.chdir(tmp_path)
    rows = [f"message number {i} about {topic},{topic}" for i in range(40) for topic in ("water", "fire")]
    Path("mine.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    command("init", "mine.csv")
    change(Path("mine.suite.yaml"), methods=["zero-shot"], models=["tiny-random"], probes=[])
    planned = command("plan", "mine.suite.yaml", "--json", "--no-pilot")
    assert [entry["state"] for entry in json.loads(planned.stdout)] == ["to do"]
    assert "zero-shot" in command("run", "mine.suite.yaml", "--limit", "5").stdout
    (run,) = Path("results", "local").iterdir()
    assert "zero-shot" in command("report", str(run), "--markdown").stdout
    shown = json.loads(command("report", str(run), "--json").stdout)
    assert shown["runs"][0]["records"][0]["items"] == 5
    assert "1 of 1 cells measured" in command("list", "runs").stdout


@pytest.mark.slow
def test_questions_and_documents_from_init_to_a_run(tmp_path: Path) -> None:
    (tmp_path / "documents.csv").write_text("id,text\n" + "".join(f"d{i},box {i} is blue\n" for i in range(30)))
    rows = "".join(f"What is box {i}?,blue {i},d{i}\n" for i in range(30))
    (tmp_path / "mine.csv").write_text("question,answer,doc_id\n" + rows)
    made = adaptbench("init", "mine.csv", "--corpus", "documents.csv", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    suite = tmp_path / "mine.suite.yaml"
    change(suite, methods=[{"rag": {"top_k": 1}}, {"rag": {"control": "oracle"}}], models=["tiny-random"], probes=[])
    ran = adaptbench("run", str(suite), "--limit", "2", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    table = adaptbench("report", "results/local/mine", "--json", cwd=tmp_path)
    recalls = [record["retrieval"]["recall@1"] for record in json.loads(table.stdout)["runs"][0]["records"]]
    assert len(recalls) == 2


def test_a_folder_that_cannot_be_written_is_one_line(
    suite_file: Path, capsys: pytest.CaptureFixture[str], any_device: None
) -> None:
    error = mistake(capsys, "run", str(suite_file), "--out", "/proc/nowhere")
    assert error.startswith("error: cannot write to /proc/nowhere")
    assert len(error.splitlines()) == 1


def test_failed_cells_end_with_four(suite_file: Path, tmp_path: Path, any_device: None) -> None:
    file = change(suite_file, methods=[{"rag": {"control": "oracle"}}])
    done = command("run", file, "--out", str(tmp_path / "run"), code=4)
    assert "needs a task with a corpus" in done.stdout
    assert "1 of 1 cells failed" in done.stderr
