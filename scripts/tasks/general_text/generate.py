"""Writes test.jsonl of general-text: python -m scripts.tasks.general_text.generate [OUT_FOLDER].

`texts.yaml` holds topics: paragraphs under a heading that begins with "# ", parted by blank lines.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "general-text"
SHORTEST, LONGEST = 60, 110  # words of a paragraph


def main(folder: Path) -> None:
    """Writes test.jsonl into `folder`.

    Raises ValueError where a paragraph has fewer or more words than is allowed.
    """
    rows: list[dict[str, str]] = []
    for topic, written in yaml.safe_load((HERE / "texts.yaml").read_text(encoding="utf-8")).items():
        for title, text in paragraphs(written):
            words = len(text.split())
            if not SHORTEST <= words <= LONGEST:
                raise ValueError(f"{topic}: {title!r} has {words} words")
            name = f"test-{len(rows) + 1:04d}"
            rows.append({"id": name, "topic": topic.replace("_", " "), "title": title, "text": text})
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "test.jsonl").write_bytes(lines.encode())


def paragraphs(written: str) -> list[tuple[str, str]]:
    """(heading, text on one line) of each paragraph of a topic, in order."""
    blocks = written.strip().split("\n\n")
    parted = [block.split("\n") for block in blocks]
    return [(heading.removeprefix("# "), " ".join(lines)) for heading, *lines in parted]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
