"""The files of a verdict in one folder: gate.json, junit.xml, summary.md, comment.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bench.core.atomic import write_atomically
from bench.core.errors import UsageError
from bench.gate.flips import Flips, Texts, flips
from bench.gate.outputs import data, markdown
from bench.gate.outputs.junit import junit
from bench.gate.run import Gated
from bench.gate.verdict import GateVerdict

NAMES = ("gate.json", "junit.xml", "summary.md", "comment.md")
MOST_FLIPS = 100  # of one check


def prepare(folder: Path) -> None:
    """Make the folder, and take away what an earlier verdict left: a gate that breaks off must not leave a pass.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}; choose another folder with --out") from None


def shown(gated: Gated) -> dict[int, Flips]:
    """Changed items of every check of a score that did not pass."""
    texts = Texts(gated.baseline, gated.candidate)
    return {
        place: flips(finding, texts, MOST_FLIPS)
        for place, finding in enumerate(gated.verdict.findings)
        if finding.status != "pass" and finding.measured.answers is not None
    }


def write(folder: Path, verdict: GateVerdict, paths: Mapping[str, str], name: str, items: Mapping[int, Flips]) -> None:
    """Write all four."""
    content = data.to_json(verdict, paths, items)
    texts = (
        json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        junit(verdict),
        markdown.summary(verdict, items, name),
        markdown.comment(verdict, items, name),
    )
    for file, text in zip(NAMES, texts, strict=True):
        write_atomically(folder / file, text)
