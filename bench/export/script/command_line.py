"""The command line of predict.py: items on standard input, answers on standard output, a JSON object a line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(answers_of: Callable[..., Any], device: str = "cpu") -> None:
    """Answer the items of standard input by `answers_of(settings, base, device)`, which answers them one by one."""
    parser = argparse.ArgumentParser(description=sys.modules[answers_of.__module__].__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--base", help="folder or Hub id of the base model, where it is not that of export.json")
    parser.add_argument("--device", default=device)
    parser.add_argument("--prompts", action="store_true", help="print the prompts, and ask no model")
    given = parser.parse_args()
    settings = json.loads(Path(__file__).with_name("export.json").read_text(encoding="utf-8"))
    answers = answers_of(settings, given.base, given.device)
    for line in filter(str.strip, sys.stdin):
        item = json.loads(line)
        found = {"prompt": answers.prompt(item)} if given.prompts else {"answer": answers.answer(item)}
        print(json.dumps({"id": item.get("id"), **found}, ensure_ascii=False), flush=True)
