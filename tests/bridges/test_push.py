"""What is sent to the Hub, to a stand-in that keeps it: nothing unasked, a report or a method's scores, and errors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from bench.cli import cli
from bench.core.errors import UsageError
from bench.core.record import Failure, Run
from tests.history.made import listed, made, right

hub = pytest.importorskip("huggingface_hub")


@dataclass
class Repository:
    """What the stand-in was told, and the files that were in the folder when it came."""

    made: list[tuple[str, str, bool]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    has_card: bool = False
    fails: Exception | None = None

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> None:
        if self.fails:
            raise self.fails
        assert exist_ok
        self.made.append((repo_id, repo_type, private))

    def file_exists(self, repo_id: str, filename: str, *, repo_type: str) -> bool:
        assert filename == "README.md"
        return self.has_card

    def upload_folder(self, *, repo_id: str, folder_path: Path, ignore_patterns: list[str] | None, **_: Any) -> Any:
        for file in (file for file in folder_path.rglob("*") if file.is_file()):
            name = file.relative_to(folder_path).as_posix()
            if name not in (ignore_patterns or []):
                self.files[name] = file.read_bytes()
        return SimpleNamespace(commit_url=f"https://huggingface.co/{repo_id}/commit/1")


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository()
    monkeypatch.setattr(hub, "HfApi", lambda: made)
    monkeypatch.setattr(hub, "get_token", lambda: "hf_x")
    return made


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made(tmp_path, 1, {"full": right(30), "zero-shot": right(20)})


def pushed(run: Run, *arguments: str) -> list[str]:
    ended = CliRunner().invoke(cli, ["push", str(run.path), *arguments])
    if ended.exception:
        raise ended.exception
    return ended.output.splitlines()


def test_nothing_is_sent_unasked(run: Run, repository: Repository) -> None:
    *files, last = pushed(run, "acme/report")
    assert [line.split()[0] for line in files if not line.startswith("data/")] == [
        "README.md", "report.html", "report.json",
    ]  # fmt: skip
    assert last == "nothing was sent: --send makes a commit of these 5 to the dataset repository acme/report"
    assert repository == Repository()


@pytest.mark.parametrize("has_card", [False, True])
def test_a_report_goes_to_a_private_data_set(run: Run, repository: Repository, has_card: bool) -> None:
    repository.has_card = has_card
    assert pushed(run, "acme/report", "--send")[-1] == "sent: https://huggingface.co/acme/report/commit/1"
    assert repository.made == [("acme/report", "dataset", True)]
    assert ("README.md" in repository.files) is not has_card
    assert {"report.html", "report.json"} < repository.files.keys()
    assert sum(name.startswith("data/trial/") for name in repository.files) == 2
    if not has_card:
        front, _, text = repository.files["README.md"].decode().removeprefix("---\n").partition("---\n")
        assert yaml.safe_load(front) == {"tags": ["adaptbench"], "viewer": False}
        assert "0.750" in text


def test_a_methods_scores_go_to_its_model(run: Run, repository: Repository) -> None:
    pushed(run, "acme/model", "--results-of", "full", "--hub-dataset", "mail=acme/mail:teams", "--send")
    assert repository.made == [("acme/model", "model", True)]
    [(name, content)] = repository.files.items()
    assert name == ".eval_results/adaptbench.yaml"
    [entry] = hub.parse_eval_result_entries(yaml.safe_load(content))
    assert (entry.dataset_id, entry.value) == ("acme/mail", 0.75)


def test_a_method_without_a_measured_cell_has_no_scores(run: Run, repository: Repository) -> None:
    lost = [replace(one, status="failed", scores={}, failure=Failure("timeout", "")) for one in run.records[:1]]
    listed(run.path, [*lost, *run.records[1:]])
    with pytest.raises(UsageError, match="no cell of full is measured on a task that the Hub ranks"):
        pushed(run, "acme/model", "--results-of", "full", "--hub-dataset", "mail=acme/mail", "--send")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["acme"], '"acme" is no repository; give OWNER/NAME'),
        (["a/b/c"], '"a/b/c" is no repository: Repo id must be in the form'),
        (["a/b", "--hub-dataset", "mail=a/b"], "--hub-dataset goes with --results-of METHOD"),
        (["a/b", "--results-of", "ful", "--hub-dataset", "mail=a/b"], 'did you mean "full"'),
        (["a/b", "--results-of", "full"], "name the data set that ranks one"),
    ],
)
def test_a_wrong_wish_is_one_line(run: Run, repository: Repository, arguments: list[str], says: str) -> None:
    with pytest.raises(UsageError) as refusal:
        pushed(run, *arguments, "--send")
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert repository == Repository()


def test_what_the_hub_refuses_is_one_line(run: Run, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.fails = hub.errors.OfflineModeIsEnabled("offline\nmode")
    with pytest.raises(UsageError, match=r"^acme/report took nothing: offline mode$"):
        pushed(run, "acme/report", "--send")
    monkeypatch.setattr(hub, "get_token", lambda: None)
    with pytest.raises(UsageError, match="there is no token; set HF_TOKEN"):
        pushed(run, "acme/report", "--send")
    assert not repository.files
