"""The tutorial, typed as it stands, with the demonstration model in place of the one that has to be fetched."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site.pages import ROOT, blocks, commands

PAGE = ROOT / "docs" / "tutorial.md"
ELSEWHERE = "/home/you"  # the folder in the output that is shown


def type_in(words: list[str], folder: Path) -> str:
    command = [sys.executable, "-m", "adaptbench", *("mini" if word == "smollm2" else word for word in words)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "90", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_init_says_what_is_shown(tmp_path: Path) -> None:
    shown = blocks(PAGE, "text")[0]
    assert type_in(["init"], tmp_path).replace(str(tmp_path), ELSEWHERE) == shown


def test_the_last_command_is_for_the_table_that_it_names(tmp_path: Path) -> None:
    rows = [f'{n};"Lamp {n} is broken";{"Returns" if n % 2 else "Billing"}' for n in range(40)]
    text = "\n".join(["Ticket #;What the customer wrote;Team (final)", *rows[:20], ";;", *rows[20:], ""])
    (tmp_path / "export.csv").write_bytes(text.encode("cp1252"))
    named = re.findall(r"`(iconv .*?)`", PAGE.read_text(encoding="utf-8"))[0]
    subprocess.run(named, shell=True, cwd=tmp_path, check=True, timeout=20)
    words = ["init", "tickets.csv", "--question", "What the customer wrote", "--answer", "Team (final)"]
    assert f'adaptbench init tickets.csv --question "{words[3]}" --answer "{words[5]}"' in PAGE.read_text(
        encoding="utf-8"
    )
    assert "left out for want of a usable question or answer: 1" in type_in(words, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_ends_well(tmp_path: Path) -> None:
    typed = [words for words in commands(PAGE) if words[0] != "fetch"]
    begun = ["init", "check", "show", "plan", "run", "compare"]
    assert [words[0] for words in typed] == [*begun, "run", "decide", "report", "pack"]
    first, changed = (block.replace("smollm2", "mini") for block in blocks(PAGE, "yaml"))
    file = tmp_path / "example.suite.yaml"
    for words in typed:
        said = type_in(words, tmp_path)
        if words[0] == "init":
            file.write_text(first, encoding="utf-8")
        if words[0] == "plan":
            assert "5 of 5 cells to do" in said
        if words[0] == "compare":  # what the page says to change then
            kept = first[first.index("train_sizes") :]
            file.write_text(f"name: example\n{changed}{kept}", encoding="utf-8")
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "results/local/example.run.zip").is_file()
