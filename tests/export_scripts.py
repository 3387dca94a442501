"""The scripts of an export, as modules of this process, and as a process in which adaptbench cannot be imported."""

from __future__ import annotations

import base64
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.core.item import Item
from bench.core.task import Task
from bench.export import folder as exporting

SCRIPTS = Path(exporting.__file__).parent / "script"
_OURS = ("bench", "methods", "tasks", "adaptbench")
# Serves each folder that is named, in one process: loading torch takes longer than all else.
_DRIVER = (
    f"""
MODULES = {[file.stem for file in SCRIPTS.glob("*.py")]}"""
    + """
import io, json, runpy, sys
for place in sys.argv[1:]:
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.path.insert(0, place)
    stdin, stdout, argv = sys.stdin, sys.stdout, sys.argv
    sys.stdin, sys.stdout, sys.argv = open(place + "/items.jsonl"), io.StringIO(), [place + "/predict.py"]
    try:
        runpy.run_path(place + "/predict.py", run_name="__main__")
        text = sys.stdout.getvalue()
    finally:
        sys.stdin, sys.stdout, sys.argv = stdin, stdout, argv
    sys.path.remove(place)
    print(json.dumps([json.loads(line) for line in text.splitlines()]), flush=True)
"""
)


def script(name: str) -> Any:
    """A script of exports as a module of its own."""
    if str(SCRIPTS) not in sys.path:
        sys.path.append(str(SCRIPTS))  # where it finds what it imports
    return importlib.import_module(name)


def _as_line(item: Item) -> dict[str, Any]:
    """An item as predict.py reads it: a picture by its path, or as its bytes."""
    if item.picture is not None:
        data = f"data:;base64,{base64.b64encode(item.picture.data).decode()}"
        return {"id": item.id, **dict.fromkeys(item.fields, str(item.picture.path or data))}
    return {"id": item.id, **item.fields, **({"choices": list(item.choices)} if item.choices else {})}


def answers(folders: Sequence[tuple[Path, Task]], stubs: Path) -> list[list[dict[str, Any]]]:
    """What predict.py of each folder answers to the test items of its task, in a process without adaptbench."""
    stubs.mkdir()
    for name in _OURS:
        (stubs / f"{name}.py").write_text('raise ImportError("adaptbench is not here")\n')
    for folder, task in folders:
        lines = (json.dumps(_as_line(example), ensure_ascii=False) + "\n" for example in task.test)
        (folder / "items.jsonl").write_text("".join(lines), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", _DRIVER, *(str(folder) for folder, _ in folders)],
        cwd=stubs.parent,
        env={**os.environ, "PYTHONPATH": str(stubs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]
